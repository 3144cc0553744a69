"""A run as what other programs count: a list of checks for the base and for every patch.

JUnit and TAP are written from it. A check fails exactly where `kpt run` has a finding, so that what a CI system makes
of the file agrees with the exit status: a test that fails on the base too is `known`, not a failure.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from kpatch_tool.kbuild.model import StateBuild
from kpatch_tool.report.excerpt import excerpt
from kpatch_tool.report.lines import diagnostic_line
from kpatch_tool.results.deltas import Change, Delta, breaks_as_base, lost_to_emulator, reason, transition
from kpatch_tool.results.record import Outcome, RunRecord, Stage
from kpatch_tool.suites.model import KERNEL_LOG, CaseResult, StateTests, SuiteStatus, Verdict
from kpatch_tool.text import plural

_NO_BASE = "; the base was not tested, so that nothing tells whether the series did it"
_BEFORE_TESTS = (Stage.RESTORE, Stage.DEPS, Stage.APPLY, Stage.BUILD)


class Kind(StrEnum):
    """What became of a check."""

    PASS = "pass"
    FAIL = "fail"  # a finding about the series
    ERROR = "error"  # this machine's fault
    SKIP = "skip"
    # It fails, but nothing says that it is the patch: the base fails, too, does not have the test, or was not tested.
    KNOWN = "known"


_OF_OUTCOME = {
    Outcome.WELL: Kind.PASS,
    Outcome.FINDING: Kind.FAIL,
    Outcome.INFRA: Kind.ERROR,
    Outcome.SKIPPED: Kind.SKIP,
    Outcome.RUNNING: Kind.SKIP,
}


@dataclass(frozen=True, slots=True)
class Check:
    """One check. `group` is the stage ("build") or the suite and test ("test.kut.vmexit"); `type` is a word for what
    went wrong ("conflict", "timeout", "worse"), `message` a line, `evidence` lines of hunks and logs, `log` a path."""

    group: str
    name: str
    kind: Kind
    seconds: float = 0.0
    type: str = ""
    message: str = ""
    evidence: tuple[str, ...] = ()
    log: str = ""


@dataclass(frozen=True, slots=True)
class StateChecks:
    """The checks of a patch, of the base (`patch` 0), or of this machine (None)."""

    patch: int | None
    title: str
    checks: tuple[Check, ...]

    def count(self, kind: Kind) -> int:
        return sum(check.kind is kind for check in self.checks)


def checks_of(record: RunRecord) -> tuple[StateChecks, ...]:
    """Every check of a run: the base where anything is known of it, then each patch.

    What this machine could not do at all comes last, as checks of a state called "this machine", unless a check
    says it already.
    """
    numbers = {cell.patch for cell in record.cells}
    titles = {0: "the base"} if 0 in numbers else {}
    titles |= {patch.number: f"patch {patch.number}: {patch.subject}" for patch in record.patches}
    states = [StateChecks(number, title, tuple(_checks(record, number))) for number, title in titles.items()]
    if record.problems and not any(state.count(Kind.ERROR) for state in states):
        errors = tuple(
            Check("machine", problem, Kind.ERROR, type="infra", message=problem) for problem in record.problems
        )
        states.append(StateChecks(None, "this machine", errors))
    return tuple(states)


def _checks(record: RunRecord, number: int) -> Iterator[Check]:
    for stage in _BEFORE_TESTS:
        if (cell := record.cell(number, stage)) is not None:
            build = next((one for one in record.builds if one.patch == number), None) if stage is Stage.BUILD else None
            yield Check(
                str(stage),
                str(stage),
                _OF_OUTCOME[cell.outcome],
                build.seconds if build is not None else 0.0,
                cell.text,
                cell.why or cell.text,
                tuple(_evidence(record, number, stage)),
                str(build.log) if build is not None else "",
            )
    found = [tests for tests in record.tests if tests.patch == number]
    for tests in found:
        yield from _of_tests(record, tests)
    cell = record.cell(number, Stage.TEST)
    if cell is not None and not found:
        yield Check("test", "test", _OF_OUTCOME[cell.outcome], 0.0, cell.text, cell.why or cell.text)


def _evidence(record: RunRecord, number: int, stage: Stage) -> Iterator[str]:
    if stage is Stage.RESTORE:
        yield from next((patch.ambiguous for patch in record.patches if patch.number == number), ())
    if stage is Stage.APPLY and record.applied is not None:
        yield from next((patch.details for patch in record.applied.patches if patch.number == number), ())
    if stage is Stage.BUILD:
        for build in (one for one in record.builds if one.patch == number):
            yield from build_evidence(record, build)


def build_evidence(record: RunRecord, build: StateBuild) -> Iterator[str]:
    """The errors and new warnings of a build, each as a compiler writes it."""
    yield from map(diagnostic_line, build.errors)
    yield from (f"new warning: {diagnostic_line(warning)}" for warning in record.new_warnings(build))


def _of_tests(record: RunRecord, tests: StateTests) -> Iterator[Check]:
    group = f"test.{tests.suite}"
    if tests.status is not SuiteStatus.OK:
        alike = Kind.KNOWN if breaks_as_base(record.tests, tests) else Kind.FAIL
        kind = Kind.ERROR if tests.status is SuiteStatus.INFRA else alike
        lines = tuple(tests.trace.splitlines())
        yield Check(group, tests.suite, kind, tests.seconds, tests.status, tests.why, lines)
    if tests.status is not SuiteStatus.OK and not tests.results:
        return  # that all cases vanished is the same thing once more
    deltas = {(delta.test, delta.case): delta for delta in record.deltas(tests)}
    base = record.compared_with(tests)
    lost = [] if base is None else lost_to_emulator(tests, base)
    beside = " on the base" if tests.patch == 0 else ", as on the base" if base is not None else _NO_BASE
    for result in tests.results:
        delta = deltas.pop((result.test, result.case), None)
        yield _of_result(group, tests, result, delta, beside, lost=result.test in lost)
    for delta in deltas.values():  # those that vanished
        yield Check(
            f"{group}.{delta.test}",
            delta.case or delta.test,
            Kind.FAIL if delta.change is Change.WORSE else Kind.SKIP,
            type=f"{delta.change}",
            message=_said(delta),
        )


def _of_result(
    group: str, tests: StateTests, result: CaseResult, delta: Delta | None, beside: str, *, lost: bool
) -> Check:
    kind, message = _judged(result, delta, beside)
    kind = Kind.ERROR if lost and not result.case else kind
    log = tests.outputs.get(result.test)
    evidence: tuple[str, ...] = ()
    words = result.why if result.test == KERNEL_LOG else result.case
    if kind is Kind.FAIL and log is not None and (found := excerpt(log, telling=words)):
        evidence = (f"{found.summary}:", *found.lines)
    return Check(
        f"{group}.{result.test}",
        result.case or result.test,
        kind,
        0.0 if result.case else result.seconds,
        str(result.verdict) if delta is None else f"{delta.change}: {result.verdict}",
        message,
        evidence,
        "" if log is None else str(log),
    )


def _judged(result: CaseResult, delta: Delta | None, beside: str) -> tuple[Kind, str]:
    """What a result counts as, and why; `beside` says of one without delta how it stands to the base."""
    if delta is not None and delta.change is Change.WORSE:
        return Kind.FAIL, _said(delta)
    if result.verdict is Verdict.PASS:
        return Kind.PASS, ""
    if result.verdict is Verdict.SKIP:
        return Kind.SKIP, result.why or "skipped"
    told = f": {result.why}" if result.why else ""
    if delta is not None:
        return Kind.KNOWN, _said(delta)
    return Kind.KNOWN, f"{result.verdict}{beside}{told}"


def _said(delta: Delta) -> str:
    sure = "" if delta.confidence >= 1 else f", {delta.confidence:.0%} sure"
    why = reason(delta)
    return f"{transition(delta)}{sure}{f': {why}' if why else ''}"


def summary(state: StateChecks) -> str:
    """A state's counts in words: "212 checks, 1 fail, 3 known"."""
    counts = [
        f"{state.count(kind)} {kind}" for kind in (Kind.FAIL, Kind.ERROR, Kind.KNOWN, Kind.SKIP) if state.count(kind)
    ]
    return ", ".join([plural(len(state.checks), "check"), *counts])
