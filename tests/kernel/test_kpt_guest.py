"""kpt's own guest tests, run for real under QEMU's TCG: they pass there, and fail when what they test is left out."""

from __future__ import annotations

import configparser
import functools
import shutil
from pathlib import Path

import pytest

from kpatch_tool import workspace
from kpatch_tool.suites import own
from kpatch_tool.system import process

QEMU = "qemu-system-x86_64"
NO_CALLS = "this machine's owner takes no calls"
NOT_IN_QEMU = {
    **dict.fromkeys(("hypercall", "cpuid"), "not running on KVM"),
    "emulate": "this machine has no device with memory",
    **dict.fromkeys(("slots", "signals", "lines", "lives"), NO_CALLS),
}
PASSED, FAILED, SKIPPED = 1, 3, 77  # isa-debug-exit: (code << 1) | 1

pytestmark = [
    pytest.mark.kernel,
    pytest.mark.skipif(shutil.which(QEMU) is None or shutil.which("gcc") is None, reason="needs gcc and QEMU"),
]


def entries() -> configparser.ConfigParser:
    parser = configparser.ConfigParser()
    parser.read(own.SOURCE / "unittests.cfg", encoding="utf-8")
    return parser


def run(image: Path, smp: int, *append: str) -> tuple[int, list[str]]:
    """QEMU's exit status and the lines the image printed."""
    words = f"{QEMU} -nodefaults -display none -serial stdio -device isa-debug-exit,iobase=0xf4,iosize=0x4".split()
    words += ["-accel", "tcg,thread=multi", "-cpu", "max", "-smp", str(smp), "-kernel", str(image)]
    words += ["-append", " ".join(append)] if append else []
    done = process.run(words, timeout=120)
    return done.status, done.stdout.decode("ascii").splitlines()


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return own.build(workspace.create(tmp_path_factory.mktemp("with blank")))


@functools.cache
def _broken(what: str, directory: Path) -> Path:
    directory.mkdir()
    own.compile_into(directory, f"BREAK={what}")
    return directory


@pytest.fixture
def broken_flush(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _broken("flush", tmp_path_factory.getbasetemp() / "flush")


@pytest.fixture
def broken_ipi(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _broken("ipi", tmp_path_factory.getbasetemp() / "ipi")


@pytest.mark.parametrize("name", entries().sections())
def test_passes(images: Path, name: str) -> None:
    entry = entries()[name]
    args = entry.get("test_args", "").strip("'").split()
    status, lines = run(images / entry["file"], int(entry.get("smp", "1")), *args)
    if name in NOT_IN_QEMU:
        assert (status, lines) == (SKIPPED, [f"SKIP: {name}: {NOT_IN_QEMU[name]}", "SUMMARY: 1 tests, 1 skipped"])
        return
    assert status == PASSED, lines
    cases = [line for line in lines if line.startswith(("PASS: ", "SKIP: "))]
    assert not [line for line in lines if line.startswith("FAIL")]
    assert lines[-1].startswith(f"SUMMARY: {len(cases)} tests")
    assert len(cases) == len(set(cases))


@pytest.mark.parametrize(
    ("image", "case"),
    [
        ("tlb", "invlpg: a write to a write-protected page faults"),
        ("tlb", "invlpg: a remapped page shows the new frame"),
        ("tlb", "cr3: a read of an unmapped page faults"),
        ("tlb", "cr4.pge: write protection at level 3 holds below it"),
        ("tlb", "accessed/dirty: cleared, dirty is set again by a write"),
        ("tlb", "large page: write-protected, a write inside it faults"),
        ("tlb", "global: toggling cr4.pge flushes pages that are"),
        ("dirty", "small pages: writes fault exactly where protected"),
        ("dirty", "small pages: dirty is set exactly where written"),
        ("tables", "aliases: a page table changes through each of its mappings"),
        ("tables", "recursive: page tables change through the root that maps itself"),
    ],
)
def test_fails_without_flushes(broken_flush: Path, image: str, case: str) -> None:
    status, lines = run(broken_flush / f"{image}.flat", 2)
    assert status == FAILED
    assert f"FAIL: {case}" in lines
    assert "unexpected failures" in lines[-1]


@pytest.mark.parametrize(
    "case",
    [
        "invlpg: nobody reads the old frame of a remapped page",
        "invlpg: nobody writes to a write-protected page",
        "cr3: nobody reads a page taken away",
        "cr3: a copy made by the dirty bits misses no write",
    ],
)
def test_fails_without_interrupting_the_others(broken_ipi: Path, case: str) -> None:
    status, lines = run(broken_ipi / "shootdown.flat", 2)
    assert status == FAILED
    assert f"FAIL: {case}" in lines


def test_one_processor_skips(images: Path) -> None:
    assert run(images / "shootdown.flat", 1)[0] == SKIPPED


def test_arguments_choose_what_is_measured(images: Path) -> None:
    status, lines = run(images / "exits.flat", 1, "cpuid", "remap")
    assert status == PASSED
    assert [line.split()[0] for line in lines] == ["cpuid", "PASS:", "remap", "PASS:", "SUMMARY:"]
    assert int(lines[0].split()[1]) > 0


def test_built_once(images: Path) -> None:
    home = workspace.find(images)
    before = {path: path.stat().st_mtime_ns for path in images.iterdir()}
    assert own.build(home) == images
    assert {path: path.stat().st_mtime_ns for path in images.iterdir()} == before
