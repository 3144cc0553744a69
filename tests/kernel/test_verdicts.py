"""Verdicts of tests in the form of kvm-unit-tests: on this machine's QEMU, and the same ones inside a guest."""

from __future__ import annotations

import dataclasses
import os
import shutil
import struct
from collections.abc import Sequence
from pathlib import Path

import pytest

from benchmarks.unittests_host import Host
from kpatch_tool.suites import catalogue, jobs, run, unittests_cfg, variants
from kpatch_tool.suites.catalogue import SuiteKind
from kpatch_tool.suites.model import CaseResult, Cause
from kpatch_tool.suites.run import Options, Subject
from kpatch_tool.vm import qemu
from kpatch_tool.vm.accel import Choice
from kpatch_tool.workspace import Workspace
from tests.vm_fixtures import built

__all__ = ["built"]

pytestmark = [
    pytest.mark.kernel,
    pytest.mark.timeout(2400),
    pytest.mark.skipif(shutil.which(qemu.NAME) is None, reason="needs QEMU"),
]

# What kpt says itself of runs that are no word about the kernel; here a test prints it, and aborts.
WORDS = "the emulator died: QEMU ended with SIGSEGV; worse in 1 of 3 runs"
HOST_SECONDS, GUEST_SECONDS = 10.0, 40.0  # all but one end at once; a busy machine needs the room
_LOAD_ADDRESS = 0x100000
_STOP = bytes.fromhex("f4 ebfd")  # hlt, again and again
CFG = """\
[pass]
file = pass.flat
[fail]
file = fail.flat
[skip]
file = skip.flat
[abort]
file = abort.flat
[signal]
file = signal.flat
[reset]
file = reset.flat
[silent]
file = silent.flat
test_args = "a 'b"
[hang]
file = hang.flat
timeout = 3
[cpu]
file = pass.flat
qemu_params = -cpu nosuch
[cpus]
file = pass.flat
smp = 300
[device]
file = pass.flat
qemu_params = -device nosuch
[warned]
file = pass.flat
qemu_params = -cpu qemu64,+3dnow -nic none,model=nosuch
[check]
file = pass.flat
check = /proc/sys/kernel/ostype=Linux /proc/sys/kernel/ostype=Minix
[checked]
file = pass.flat
check = /proc/sys/kernel/ostype=Linux
[words]
file = words.flat
[gone]
file = gone.flat
[manual]
file = pass.flat
groups = x nodefault
[i386]
file = pass.flat
arch = i386
"""
WANTED = {
    "pass": ("pass", "1 tests"),
    "fail": ("fail", "1 tests, 1 unexpected failures"),
    "skip": ("skip", "1 tests, 1 skipped"),
    "abort": ("abort", "told"),
    "signal": ("abort", "terminated on SIGBUS"),
    "reset": ("abort", "QEMU ended by itself with status 0"),
    "silent": ("pass", ""),
    "cpu": ("skip", "qemu-system-x86_64: unable to find CPU model 'nosuch'"),
    "device": ("fail", "QEMU: -device nosuch: 'nosuch' is not a valid device model name"),
    "check": ("skip", "/proc/sys/kernel/ostype not equal to Minix"),
    "checked": ("pass", "1 tests"),
    "words": ("abort", WORDS),
    "gone": ("skip", "Test file 'x86/gone.flat' not found"),
    "manual": ("skip", "test marked as manual run only"),
    "i386": ("skip", "i386 only"),
}
CASES = {name: ["one"] for name in ("pass", "fail", "skip", "checked", "hang", "signal")} | {"words": [WORDS]}


def image(text: bytes, code: int | None) -> bytes:
    """A multiboot image (specification 0.6.96, section 3.1) that prints `text` and leaves with `code`; None: never."""
    printing = bytes.fromhex("66baf803") + b"".join(bytes((0xB0, byte, 0xEE)) for byte in text)  # mov dx; mov al; out
    leaving = b"" if code is None else bytes((0xB0, code, 0xE6, 0xF4))
    return multiboot(printing + leaving + _STOP)


def multiboot(code: bytes) -> bytes:
    magic, flags = 0x1BADB002, 1 << 16
    entry, end = _LOAD_ADDRESS + 32, _LOAD_ADDRESS + 32 + len(code)
    head = (magic, flags, -(magic + flags) & 0xFFFFFFFF, _LOAD_ADDRESS, _LOAD_ADDRESS, end, end, entry)
    return struct.pack("<8I", *head) + code


@pytest.fixture(scope="module")
def suite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory like a built x86/ of kvm-unit-tests."""
    place = tmp_path_factory.mktemp("suite") / "x86"
    place.mkdir()
    images = {
        "pass": image(b"PASS: one\r\nSUMMARY: 1 tests\r\n", 0),
        "fail": image(b"FAIL: one\r\nSUMMARY: 1 tests, 1 unexpected failures\r\n", 1),
        "skip": image(b"SKIP: one\r\nSUMMARY: 1 tests, 1 skipped\r\n", 38),
        "abort": image(b"ABORT: told\r\n", 63),
        "signal": image(b"PASS: one\r\n", 67),
        "reset": multiboot(bytes.fromhex("b0fe e664") + _STOP),  # the keyboard controller's reset line
        "silent": image(b"", 0),
        "hang": image(b"PASS: one\r\n", None),
        "words": image(f"FAIL: {WORDS}\r\nABORT: {WORDS}\r\n".encode(), 63),
    }
    for name, content in images.items():
        (place / f"{name}.flat").write_bytes(content)
    (place / "unittests.cfg").write_text(CFG)
    return place


def check(results: Sequence[CaseResult], seconds: float) -> None:
    whole = {result.test: (str(result.verdict), result.why) for result in results if not result.case}
    wanted = WANTED | {"hang": ("timeout", f"timeout; duration={seconds:g}s")}
    assert {name: said for name, said in whole.items() if name in wanted} == wanted
    cases = {name: [result.case for result in results if result.test == name and result.case] for name in CASES}
    assert cases == CASES
    assert {result.cause for result in results if result.test == "words"} == {Cause.OWN}
    # QEMU's own words differ from version to version.
    assert whole["cpus"][0] == "skip"
    assert "300" in whole["cpus"][1]
    timed = [result for result in results if result.test == "hang"]
    assert all(seconds <= result.seconds < seconds + 20 for result in timed)


def test_on_this_machine(suite: Path, tmp_path: Path) -> None:
    host = Host(qemu.find(), "tcg", tmp_path / "out")
    here = unittests_cfg.Here("mine", suite, os.cpu_count() or 1, accel="tcg")
    tests = unittests_cfg.tests_of(unittests_cfg.parse(CFG), here)
    ways = [variants.known()[variants.DEFAULT]]
    rows = jobs.plan("mine", SuiteKind.UNIT_TESTS, tests, ways, HOST_SECONDS, place=host.place())
    results = [result for row in rows for result in host.run(row)]
    check(results, HOST_SECONDS)
    whole = {result.test: result for result in results if not result.case}
    # TCG does not emulate 3DNow!: QEMU warns, and no more.
    assert whole["warned"].verdict == "pass", whole["warned"]


def test_inside_a_guest(built: Subject, suite: Path, tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    catalogue.add_directory(workspace, "mine", suite)
    subject = dataclasses.replace(built, workspace=workspace)
    plan = run.plan_suite(subject, "mine", Options(timeout=GUEST_SECONDS))
    (tests,) = run.test_state(subject, [plan], Choice("tcg", qemu.version(qemu.find()), "asked for"))
    assert tests.status == "ok", tests.why
    assert "1 boot" in tests.why
    check(tests.results, GUEST_SECONDS)
