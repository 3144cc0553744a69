"""Tests -> jobs for the guest, and what came of the jobs -> results of the tests."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from kpatch_tool.suites import output
from kpatch_tool.suites.catalogue import SuiteKind
from kpatch_tool.suites.model import UNBUILT, CaseResult, Cause, Test, Verdict
from kpatch_tool.suites.variants import Variant
from kpatch_tool.vm.cpio import Entry
from kpatch_tool.vm.model import Ending, Job, JobOutcome
from kpatch_tool.vm.root import GUEST_QEMU, Program

_MAX_OUTPUT = 8 << 20
_EMULATED_LEAST, _EMULATED_MOST = 30.0, 90.0

# What upstream's x86/run starts between QEMU and `-machine accel=`.
_DEVICES = (
    *("--no-reboot", "-nodefaults", "-global", "kvm-pit.lost_tick_policy=discard", "-device", "pc-testdev"),
    *("-device", "isa-debug-exit,iobase=0xf4,iosize=0x4", "-display", "none", "-serial", "stdio"),
    *("-device", "pci-testdev"),
)
_HANGING = 10.0  # times what it took on the base: then a test hangs
_SUSPECT, _SUSPECT_LEAST = 5.0, 10.0  # times what it took there, and seconds on top: then it seems to
_HOPE = 3.0
_CUT_SHORT = (Verdict.TIMEOUT, Verdict.ABORT)
# How what is said of it begins, and what kpt knows of its cause; of any other it is the test's own end.
_ABORTED: Mapping[Ending, tuple[str, Cause]] = {
    Ending.DIED: ("the emulator died: ", Cause.EMULATOR_DIED),
    Ending.NOT_RUN: ("not begun: ", Cause.NOT_BEGUN),
    Ending.MODULES: ("", Cause.NOT_LOADED),
    Ending.LEFT_BEHIND: ("", Cause.LEFT_BEHIND),
}
_PRINTED_NOTHING = "/kpt/printed=no"  # what init says of the job before (vm/init/wire.h)


@dataclass(frozen=True, slots=True)
class Place:
    """Where tests of the form of kvm-unit-tests run: the path of QEMU, its accelerator, the file with the environment
    that every test gets, and the directory above the suites' images (None: they are used where they lie)."""

    qemu: str
    accel: str
    environment: str
    tests: str | None


IN_GUEST = Place(GUEST_QEMU, "kvm", "/kpt/environment", "/kpt/tests")


@dataclass(frozen=True, slots=True)
class Planned:
    """A test to be run one way. `job` is None where it cannot be run (the test says why); `fixed`: its timeout is the
    user's. `probe` is run behind a job that printed nothing: whether QEMU takes such a command line at all."""

    suite: str
    kind: SuiteKind
    name: str
    test: Test
    variant: Variant
    job: Job | None
    probe: Job | None = None
    fixed: bool = False


@dataclass(frozen=True, slots=True)
class Plan:
    """One suite's share of a run: the tests in every variant, and a digest of all that decides their results apart
    from the kernel and the machine. `version` is the suite's, or a digest of its programs."""

    suite: str
    rows: tuple[Planned, ...]
    digest: str
    problems: tuple[str, ...] = ()
    version: str = ""


def plan(
    suite: str,
    kind: SuiteKind,
    tests: Sequence[Test],
    variants: Sequence[Variant],
    timeout: float | None,
    *,
    place: Place = IN_GUEST,
) -> tuple[Planned, ...]:
    """Every test in every variant, variant by variant; `timeout` (seconds) replaces each test's own."""
    rows = []
    for variant in variants:
        for test in tests:
            name = variant.of(test.name)
            job = probe = None
            if test.path is not None and not test.why_skip and not test.why_not_built:
                job = Job(name, _arguments(kind, test, place), timeout or test.timeout, test.check)
                if kind is SuiteKind.UNIT_TESTS and _monitor(test, place) is None:
                    argv = unit_test_command(place, output.NO_FILE, test.qemu_args)
                    probe = Job(f"{name}: does QEMU start?", argv, job.timeout, (_PRINTED_NOTHING,))
            rows.append(Planned(suite, kind, name, test, variant, job, probe, timeout is not None))
    return tuple(rows)


def unit_test_command(place: Place, image: str, words: Sequence[str]) -> tuple[str, ...]:
    """The command line of upstream's x86/run for an image; `words` are the entry's own."""
    machine = ("-machine", f"accel={place.accel}", "-kernel", image)
    return (place.qemu, *_DEVICES, *machine, *words, "-initrd", place.environment)


def environment(accel: str, qemu_version: str, kernel: str = "") -> bytes:
    """The file that upstream gives every test as its environment (env_params and env_errata of arch-run.bash).

    `kernel` is the release the test runs on, empty where it is not known. No test of x86 asks for an erratum.
    """
    numbers = [*re.findall(r"\d+", qemu_version.partition(" ")[0]), "", "", ""]
    version, patchlevel, *rest = [*kernel.split("."), "", ""]
    sublevel, _, extra = rest[0].partition("-")
    values = {
        "TARGET": "",
        "QEMU_ACCEL": accel,
        "QEMU_VERSION_STRING": f"QEMU emulator version {qemu_version}",
        **dict(zip(("QEMU_MAJOR", "QEMU_MINOR", "QEMU_MICRO"), numbers, strict=False)),
        "KERNEL_VERSION_STRING": kernel,
        "KERNEL_VERSION": version,
        "KERNEL_PATCHLEVEL": patchlevel,
        "KERNEL_SUBLEVEL": _leading_digits(sublevel),
        "KERNEL_EXTRAVERSION": _leading_digits(extra),
        **({"ERRATA_FORCE": "y"} if accel == "tcg" else {}),
    }
    return "".join(f"{name}={value}\n" for name, value in values.items()).encode("utf-8", "surrogateescape")


def emulated(job: Job) -> Job:
    """The job with the timeout it gets under TCG: short ones are meant for a CPU that runs the guest itself.

    At least 30 seconds; up to 90 twice the test's own.
    """
    own = job.timeout
    return replace(job, timeout=max(own, _EMULATED_LEAST, min(_EMULATED_MOST, 2 * own)))


def again(row: Planned, seconds: float, accel: str) -> Planned:
    """A test as it is run once more when it seems to be worse: it took `seconds` on the base, and ten times that, or
    half a minute, are enough to see it hang a second time. A timeout that is the user's stays."""
    return _within(row, accel, max(_EMULATED_LEAST, math.ceil(_HANGING * seconds)))


def first(row: Planned, seconds: float | None, accel: str) -> Planned:
    """A test as it is run the first time on a state, where it passed on the base in `seconds`: five times that and ten
    seconds are enough to suspect that it hangs. `again` then gives it more. One that hung on the base (None) has a
    third of its time, or half a minute: enough to see it hang where it did, or a patch mend it. A timeout that is the
    user's stays."""
    return _within(row, accel, None if seconds is None else math.ceil(_SUSPECT_LEAST + _SUSPECT * seconds))


def has_less(row: Planned, accel: str) -> bool:
    """Whether `first` gives a test that hung on the base less than its whole time."""
    cut = first(row, None, accel)
    return row.job is not None and cut.job is not None and cut.job.timeout < _whole(row.job, accel).timeout


def _whole(job: Job, accel: str) -> Job:
    return emulated(job) if accel == "tcg" else job


def _within(row: Planned, accel: str, enough: float | None) -> Planned:
    """A test with at most `enough` seconds, or where None a third of its time, but half a minute."""
    if row.job is None or row.fixed:
        return row
    whole = _whole(row.job, accel)
    if enough is None:
        enough = max(_EMULATED_LEAST, math.ceil(whole.timeout / _HOPE))
    return replace(row, job=replace(whole, timeout=min(whole.timeout, enough)), fixed=True)


def entries(planned: Sequence[Planned], qemu_version: str) -> tuple[Entry, ...]:
    """The images of the nested tests, at their place in the guest, and their environment.

    Which kernel they will run on is not known here; no test of x86 asks.
    """
    images = tuple(
        Entry(_guest_path(row.kind, row.test), source=row.test.path)
        for row in planned
        if row.job is not None and row.kind is SuiteKind.UNIT_TESTS
    )
    tests = [row.test for row in planned if row.job is not None]
    monitors = {path: Entry(path, 0o755, source=test.monitor) for test in tests if (path := _monitor(test, IN_GUEST))}
    text = environment(IN_GUEST.accel, qemu_version)
    return (*images, *monitors.values(), Entry(IN_GUEST.environment, data=text)) if images else ()


def programs(planned: Sequence[Planned]) -> tuple[Program, ...]:
    """The selftests, which run in the guest itself."""
    found = {
        row.test.path: Program(row.test.path, _guest_path(row.kind, row.test))
        for row in planned
        if row.job is not None and row.test.path is not None and row.kind is SuiteKind.SELFTESTS
    }
    return tuple(found.values())


def results(row: Planned, outcome: JobOutcome | None, probed: JobOutcome | None = None) -> tuple[CaseResult, ...]:
    """The verdict of the test as a whole (case ""), then those of its cases. `probed` is the probe's outcome."""
    test = row.test
    if outcome is None:
        if test.why_not_built:
            why = f"{UNBUILT}: {test.why_not_built}"
            return (CaseResult(row.name, "", Verdict.FAIL, 0.0, why, Cause.UNBUILT),)
        return (CaseResult(row.name, "", Verdict.SKIP, 0.0, test.why_skip or "not selected"),)
    text = _read(outcome.output)
    if row.kind is SuiteKind.UNIT_TESTS:
        said, cases_in = _unit_test(row, outcome, text, probed), output.unit_test_cases
    else:
        said, cases_in = _selftest(outcome, text), output.tap_cases
    ended = said.verdict not in _CUT_SHORT and not outcome.dropped
    cases = cases_in(row.name, text if ended else output.whole_lines(text), outcome.seconds)
    failed = any(case.verdict is Verdict.FAIL for case in cases)
    if row.kind is SuiteKind.SELFTESTS and said.verdict is Verdict.PASS and failed:
        said = output.Said(Verdict.FAIL, said.why or "a case failed")
    why = output.joined(said.why, f"{outcome.dropped:,} bytes of its output were left out" if outcome.dropped else "")
    return (CaseResult(row.name, "", said.verdict, outcome.seconds, why, said.cause), *cases)


def _unit_test(row: Planned, outcome: JobOutcome, text: bytes, probed: JobOutcome | None) -> output.Said:
    if probed is not None and probed.ending in (Ending.EXIT, Ending.SIGNAL):
        reason = output.premature_failure(_shell_status(probed), probed.errors)
        if reason is not None:
            return output.Said(Verdict.SKIP, reason)
    match outcome.ending:
        case Ending.EXIT | Ending.SIGNAL:
            machine = "QEMU" if row.test.monitor is None else row.test.monitor.name
            return output.unit_test_status(_shell_status(outcome), text, outcome.errors, machine)
        case Ending.TIMEOUT:
            mine = outcome.job.timeout
            duration = row.test.duration if mine == row.test.timeout and row.test.duration else f"{mine:g}s"
            return output.Said(Verdict.TIMEOUT, f"timeout; duration={duration}")
        case _:
            return _not_ended(outcome)


def _shell_status(outcome: JobOutcome) -> int:
    return outcome.value + (128 if outcome.ending is Ending.SIGNAL else 0)


def _selftest(outcome: JobOutcome, text: bytes) -> output.Said:
    if outcome.ending is Ending.EXIT:
        return output.selftest_status(outcome.value, text)
    return _not_ended(outcome)


def _not_ended(outcome: JobOutcome) -> output.Said:
    match outcome.ending:
        case Ending.TIMEOUT | Ending.HANG:
            return output.Said(Verdict.TIMEOUT, outcome.why)
        case Ending.CHECK:
            return output.Said(Verdict.SKIP, outcome.why)
        case _:
            begin, cause = _ABORTED.get(outcome.ending, ("", Cause.OWN))
            return output.Said(Verdict.ABORT, begin + outcome.why, cause)


def _arguments(kind: SuiteKind, test: Test, place: Place) -> tuple[str, ...]:
    if kind is SuiteKind.SELFTESTS:
        return (_guest_path(kind, test), *test.args)
    image = _guest_path(kind, test) if place.tests is not None else str(test.path)
    if monitor := _monitor(test, place):
        return (monitor, "-kernel", image, *test.qemu_args)
    return unit_test_command(place, image, test.qemu_args)


def _monitor(test: Test, place: Place) -> str | None:
    """The path of what runs the test in QEMU's place; outside of a guest QEMU runs everything."""
    if test.monitor is None or place.tests is None:
        return None
    return f"{place.tests}/{test.suite}/{test.monitor.name}"


def _guest_path(kind: SuiteKind, test: Test) -> str:
    assert test.path is not None
    name = test.path.name if kind is SuiteKind.UNIT_TESTS else test.name
    return f"{IN_GUEST.tests}/{test.suite}/{name}"


def _leading_digits(text: str) -> str:
    return text[: len(text) - len(text.lstrip("0123456789"))]


def _read(path: Path | None) -> bytes:
    if path is None:
        return b""
    with path.open("rb") as file:
        return file.read(_MAX_OUTPUT)
