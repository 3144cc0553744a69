"""A guest, or a QEMU that a guest has taken over, that does its worst to kpt: all that comes of it is bounded.

QEMU is a script here that gets QEMU's own command line and sockets, as a broken-out guest would hold them.
"""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest

from kpatch_tool.errors import MachineError
from kpatch_tool.system import sandbox
from kpatch_tool.vm.guest import Patience, Watcher, run_guest
from kpatch_tool.vm.model import Ending, GuestRun, GuestStatus, GuestWork, Job, JobGroup, JobOutcome
from kpatch_tool.vm.qemu import Machine

MIB = 1 << 20
HEAD = """#!/usr/bin/python3
import os, re, signal, socket, struct, sys, time
words = " ".join(sys.argv)
if "-machine help" in words:
    sys.exit(0)
fds = dict(re.findall(r"id=(control|console|port),fd=(\\d+)", words))
wires = {name: socket.socket(fileno=int(fd)) for name, fd in fds.items()}
def frame(kind, data, number=1, length=None):
    size = len(data) if length is None else length
    return struct.pack("<IIIIQ", 0x4654504B, ord(kind), number, size, 1) + data
try:
"""
TAIL = "\nexcept OSError:\n    pass\n"


def guest(
    tmp_path: Path, body: str, patience: Patience, watcher: Watcher = lambda job, outcome: None, jobs: int = 1
) -> GuestRun:
    """What becomes of one job, or some, when QEMU is a script with this body."""
    program = tmp_path / "bad" / "qemu"
    program.parent.mkdir()
    program.write_text(HEAD + "".join(f"    {line}\n" for line in body.splitlines()) + TAIL)
    program.chmod(0o755)
    kernel = tmp_path / "kernel"
    kernel.write_bytes(b"")
    work = GuestWork(kernel, (JobGroup((), (Job("one", ("/one",), 5.0, (), 1000),) * jobs),))
    out = tmp_path / "out"
    out.mkdir()
    return run_guest(
        work,
        Machine("tcg", "EPYC", 64, 1),
        out=out,
        cache=tmp_path / "cache",
        program=program,
        patience=patience,
        watcher=watcher,
    )


def written(tmp_path: Path) -> int:
    return sum(path.stat().st_size for path in (tmp_path / "out").rglob("*") if path.is_file())


QUICK = Patience(boot=3, silence=2, boots=1)
BOOTED = 'wires["port"].sendall(frame("B", b"6.1 \\x1b]0;title\\x07\\namd") + frame("S", b""))'


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ('wires["port"].sendall(frame("O", b"", length=0xFFFFFFFF)); time.sleep(60)', "no message of init"),
        ('wires["port"].sendall(b"x" * 100); time.sleep(60)', "no message of init"),
        (f"{BOOTED}\nwires['port'].sendall(frame('O', b'y', length=65537)); time.sleep(60)", "no message of init"),
        ("signal.signal(signal.SIGTERM, signal.SIG_IGN)\ntime.sleep(60)", "did not boot within"),
        ("sys.stderr.write('\\x1b[2J' * 1000000); sys.stderr.flush(); sys.exit(1)", "QEMU ended by itself"),
    ],
)
def test_lies_and_silence_end_in_time(tmp_path: Path, body: str, said: str) -> None:
    started = time.monotonic()
    done = guest(tmp_path, body, QUICK)
    assert time.monotonic() - started < 60
    told = " ".join([done.why, *(boot.ended for boot in done.boots), *(one.why for one in done.outcomes)])
    assert said in told
    assert told.isprintable()
    assert written(tmp_path) < 3 * MIB


@pytest.mark.parametrize(
    ("sent", "status", "why"),
    [
        ("28 /kpt/modules/kvm.ko", GuestStatus.INFRA, "/kpt/modules/kvm.ko cannot be written in the guest: no space"),
        ("12 ", GuestStatus.INFRA, "what it is to run cannot be written in the guest: cannot allocate memory"),
        ("5 /kpt/modules/kvm.ko", GuestStatus.FAILED, "/kpt/modules/kvm.ko cannot be written in the guest: input"),
        ("\\x1b[2J", GuestStatus.FAILED, "what it is to run cannot be written in the guest: "),
    ],
)
def test_a_guest_that_cannot_take_its_files(tmp_path: Path, sent: str, status: GuestStatus, why: str) -> None:
    body = f"""wires["port"].sendall(frame("B", b"6.1\\namd") + frame("R", b"{sent}", 0))
time.sleep(60)"""
    started = time.monotonic()
    done = guest(tmp_path, body, Patience(boot=60, silence=60, boots=6))
    assert time.monotonic() - started < 30
    assert done.status is status
    assert done.why.startswith(why) and done.why.isprintable()
    assert [(outcome.ending, outcome.why) for outcome in done.outcomes] == [(Ending.NOT_RUN, done.why)]


def test_output_without_end_is_cut(tmp_path: Path) -> None:
    """64 MB on the console and as output of a job, full of escape sequences, and a report of more."""
    body = f"""{BOOTED}
for _ in range(1024):
    wires["port"].sendall(frame("O", b"\\x1b[31m" + b"A" * 65000))
    wires["console"].sendall(b"\\x1b]52;c;AAAA\\x07" * 4000)
wires["port"].sendall(frame("D", b"9" * 30) + frame("E", b"exit 0") + frame("X", b""))"""
    done = guest(tmp_path, body, Patience(boot=20, silence=20, boots=1))
    assert done.status is GuestStatus.OK
    (outcome,) = done.outcomes
    assert outcome.output is not None
    assert outcome.output.stat().st_size == 1000
    assert written(tmp_path) < 3 * MIB
    assert done.boots[0].release.isprintable()


def test_what_cannot_be_taken_ends_it_at_once(tmp_path: Path) -> None:
    """As when the disk is full: the guest is not waited for until it falls silent."""

    def full(job: Job, outcome: JobOutcome | None) -> None:
        raise MachineError("the disk is full")

    started = time.monotonic()
    with pytest.raises(MachineError, match="the disk is full"):
        guest(tmp_path, f"{BOOTED}\ntime.sleep(60)", Patience(boot=60, silence=60, boots=1), full)
    assert time.monotonic() - started < 30


def test_a_qemu_that_does_not_start_again_is_this_machines_fault(tmp_path: Path) -> None:
    """It died while a job ran, and has no memory to start once more: the job has not got worse."""

    def fill(job: Job, outcome: JobOutcome | None) -> None:
        (tmp_path / "bad/qemu").write_text("#!/bin/sh\necho cannot set up guest memory >&2\nexit 1\n")

    done = guest(tmp_path, f"{BOOTED}\ntime.sleep(1)\nsys.exit(1)", Patience(boot=30, silence=30), fill)
    assert [boot.ready is None for boot in done.boots] == [False, True]
    why = "QEMU ended by itself (status 1): cannot set up guest memory"
    assert (done.status, done.why) == (GuestStatus.INFRA, why)


@pytest.mark.parametrize(
    ("good", "endings"),
    [
        ((), [Ending.HANG] * 3 + [Ending.NOT_RUN] * 6),
        ((1,), [Ending.EXIT] + [Ending.HANG] * 3 + [Ending.NOT_RUN] * 5),
        (
            (3, 6),
            [*[*[Ending.HANG] * 2, Ending.EXIT] * 2, *[Ending.HANG] * 2, Ending.NOT_RUN],
        ),
    ],
)
def test_jobs_that_hang_one_after_another_are_given_up_sooner(
    tmp_path: Path, good: tuple[int, ...], endings: list[Ending]
) -> None:
    """Each takes its timeout and a boot; where one between them comes to an end the others have their chance."""

    def count(job: Job, outcome: JobOutcome | None) -> None:
        if outcome is not None:
            program = tmp_path / "bad/qemu"
            text = program.read_text()
            (line,) = re.findall(r"at = (\d+)", text)
            program.write_text(text.replace(f"at = {line}", f"at = {int(line) + 1}"))

    body = f"""at = 1
sent = frame("B", b"6.1\\namd") + frame("S", b"", at)
if at in {good}:
    sent += frame("E", b"exit 0", at) + frame("S", b"", at + 1)
wires["port"].sendall(sent + frame("K", b""))
time.sleep(60)"""
    done = guest(tmp_path, body, Patience(boot=30, silence=30), count, jobs=9)
    assert [outcome.ending for outcome in done.outcomes] == endings
    whys = {outcome.why for outcome in done.outcomes if outcome.ending is Ending.NOT_RUN}
    assert whys == {"3 before it hung, one after another" if len(good) < 2 else "given up after 6 boots"}


def test_a_job_that_was_not_asked_for_writes_nothing(tmp_path: Path) -> None:
    body = """wires["port"].sendall(frame("B", b"6.1\\namd"))
for number in (0, 2, 4294967295):
    wires["port"].sendall(frame("S", b"", number) + frame("O", b"z" * 60000, number) + frame("E", b"exit 0", number))
wires["port"].sendall(frame("X", b""))"""
    guest(tmp_path, body, QUICK)
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["console-1.log"]


@pytest.mark.skipif(bool(sandbox.missing()), reason=sandbox.missing() or "works")
def test_a_qemu_that_was_taken_over_is_shut_in(tmp_path: Path, sealed: Path) -> None:
    """It can write no file, see no home directory, and reach no network."""
    (sealed / "secret").write_text("SECRET")
    body = f"""
tried = []
for path in ({str(sealed / "new")!r}, {str(tmp_path / "out" / "new")!r}, "/usr/new", "/dev/shm/new"):
    try:
        open(path, "w").close(); tried.append("WROTE " + path)
    except OSError:
        pass
tried.append("SECRET" if os.path.exists({str(sealed / "secret")!r}) else "no home")
tried.append(" ".join(name for _, name in socket.if_nameindex()))
tried.append(str(len([name for name in os.listdir("/proc") if name.isdigit()]) < 10))
wires["console"].sendall("; ".join(tried).encode())
"""
    guest(tmp_path, body, QUICK)
    assert (tmp_path / "out/console-1.log").read_text() == "no home; lo; True"


def test_what_qemu_is_given(tmp_path: Path) -> None:
    """No disk, network card, directory or display; its own sandbox on, and bounds of memory and threads."""
    body = """
import resource
wires["console"].sendall((words + " END " + str(resource.getrlimit(resource.RLIMIT_AS)[1])).encode())
"""
    guest(tmp_path, body, QUICK)
    words, _, memory = (tmp_path / "out/console-1.log").read_text().partition(" END ")
    denied = "-sandbox on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny"
    for wanted in (denied, "-nodefaults", "-no-user-config", "-nic none", "-display none", "-no-reboot"):
        assert wanted in words
    given = {word for word in words.split() if word.startswith("-")}
    assert given <= {
        "-nodefaults", "-no-user-config", "-display", "-nic", "-no-reboot", "-name", "-accel", "-cpu", "-m", "-smp",
        "-kernel", "-initrd", "-append", "-chardev", "-mon", "-device", "-sandbox", "-machine", "-global", "-serial",
        "-parallel", "-rtc", "-S",
    }  # fmt: skip
    devices = {word for at, word in enumerate(words.split()) if words.split()[at - 1] == "-device"}
    assert {device.partition(",")[0] for device in devices} == {"isa-serial", "virtio-serial-pci", "virtserialport"}
    if not sandbox.missing():
        assert 0 < int(memory) <= (64 << 20) + (16 << 30)
