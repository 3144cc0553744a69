"""Tests -> jobs for the guest, and what came of the jobs -> results of the tests."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from kpatch_tool.suites import output
from kpatch_tool.suites.catalogue import SuiteKind
from kpatch_tool.suites.model import CaseResult, Test, Verdict
from kpatch_tool.suites.variants import Variant
from kpatch_tool.vm.cpio import Entry
from kpatch_tool.vm.model import Ending, Job, JobOutcome
from kpatch_tool.vm.root import GUEST_QEMU, Program

KERNEL_LOG = "kernel log"
_UNBUILT = "does not build"  # results.deltas looks for it
_MAX_OUTPUT = 8 << 20
_EMULATED_LEAST, _EMULATED_MOST = 30.0, 90.0

# What upstream's x86/run starts, but for the migration and UEFI parts.
_NESTED = (
    GUEST_QEMU,
    *("--no-reboot", "-nodefaults", "-global", "kvm-pit.lost_tick_policy=discard", "-device", "pc-testdev"),
    *("-device", "isa-debug-exit,iobase=0xf4,iosize=0x4", "-display", "none", "-serial", "stdio"),
    *("-device", "pci-testdev", "-machine", "accel=kvm"),
)


@dataclass(frozen=True, slots=True)
class Planned:
    """A test to be run one way. `job` is None where it cannot be run (the test says why); `fixed`: its timeout is the
    user's."""

    suite: str
    kind: SuiteKind
    name: str
    test: Test
    variant: Variant
    job: Job | None
    fixed: bool = False


def plan(
    suite: str, kind: SuiteKind, tests: Sequence[Test], variants: Sequence[Variant], timeout: float | None
) -> tuple[Planned, ...]:
    """Every test in every variant, variant by variant; `timeout` (seconds) replaces each test's own."""
    rows = []
    for variant in variants:
        for test in tests:
            name = variant.of(test.name)
            job = None
            if test.path is not None and not test.why_skip and not test.why_not_built:
                job = Job(name, _arguments(kind, test), timeout or test.timeout, test.check)
            rows.append(Planned(suite, kind, name, test, variant, job, timeout is not None))
    return tuple(rows)


def emulated(job: Job) -> Job:
    """The job with the timeout it gets under TCG: short ones are meant for a CPU that runs the guest itself.

    At least 30 seconds; up to 90 twice the test's own.
    """
    own = job.timeout
    return replace(job, timeout=max(own, _EMULATED_LEAST, min(_EMULATED_MOST, 2 * own)))


def entries(planned: Sequence[Planned]) -> tuple[Entry, ...]:
    """The images of the nested tests, at their place in the guest."""
    return tuple(
        Entry(_guest_path(row.kind, row.test), source=row.test.path)
        for row in planned
        if row.job is not None and row.kind is SuiteKind.UNIT_TESTS
    )


def programs(planned: Sequence[Planned]) -> tuple[Program, ...]:
    """The selftests, which run in the guest itself."""
    found = {
        row.test.path: Program(row.test.path, _guest_path(row.kind, row.test))
        for row in planned
        if row.job is not None and row.test.path is not None and row.kind is SuiteKind.SELFTESTS
    }
    return tuple(found.values())


def results(row: Planned, outcome: JobOutcome | None) -> tuple[CaseResult, ...]:
    """The verdict of the test as a whole (case ""), then those of its cases."""
    test = row.test
    if outcome is None:
        if test.why_not_built:
            return (CaseResult(row.name, "", Verdict.FAIL, 0.0, f"{_UNBUILT}: {test.why_not_built}"),)
        return (CaseResult(row.name, "", Verdict.SKIP, 0.0, test.why_skip or "not selected"),)
    text = _read(outcome.output)
    read = output.unit_test_cases if row.kind is SuiteKind.UNIT_TESTS else output.tap_cases
    cases = read(row.name, text, outcome.seconds)
    said = _said(row.kind, outcome, text)
    if said.verdict is Verdict.PASS and any(case.verdict is Verdict.FAIL for case in cases):
        said = output.Said(Verdict.FAIL, said.why or "a case failed")
    return (CaseResult(row.name, "", said.verdict, outcome.seconds, said.why), *cases)


def _said(kind: SuiteKind, outcome: JobOutcome, text: bytes) -> output.Said:
    match outcome.ending:
        case Ending.EXIT if kind is SuiteKind.UNIT_TESTS:
            return output.unit_test_status(outcome.value, text)
        case Ending.EXIT:
            return output.selftest_status(outcome.value, text)
        case Ending.TIMEOUT | Ending.HANG:
            return output.Said(Verdict.TIMEOUT, outcome.why)
        case Ending.CHECK:
            return output.Said(Verdict.SKIP, outcome.why)
        case _:
            return output.Said(Verdict.ABORT, outcome.why)


def _arguments(kind: SuiteKind, test: Test) -> tuple[str, ...]:
    if kind is SuiteKind.SELFTESTS:
        return (_guest_path(kind, test), *test.args)
    # Without arguments there must be no -append: multiboot takes its first word for the program's name.
    append = ("-append", " ".join(test.args)) if test.args else ()
    return (*_NESTED, "-kernel", _guest_path(kind, test), "-smp", str(test.smp), *append, *test.qemu_args)


def _guest_path(kind: SuiteKind, test: Test) -> str:
    assert test.path is not None
    name = test.path.name if kind is SuiteKind.UNIT_TESTS else test.name
    return f"/kpt/tests/{test.suite}/{name}"


def _read(path: Path | None) -> bytes:
    if path is None:
        return b""
    with path.open("rb") as file:
        return file.read(_MAX_OUTPUT)
