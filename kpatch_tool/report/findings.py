"""What a run found wrong with a patch, with the lines that show it, for a mail to its author."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from kpatch_tool.report.excerpt import excerpt
from kpatch_tool.report.lines import diagnostic_line, limited
from kpatch_tool.results.deltas import Change, Delta, breaks_as_base, in_words, name, telling, transition, why_broken
from kpatch_tool.results.record import Cell, Outcome, RunRecord, Stage
from kpatch_tool.suites.model import KERNEL_LOG, StateTests, SuiteStatus
from kpatch_tool.text import plural, spelt
from kpatch_tool.tree.model import ApplyStatus

_MOST_LINES = 10
_LOG_LINES = 20
_KERNEL_LINES = 50  # an oops is of no use without its call trace


@dataclass(frozen=True, slots=True)
class Evidence:
    """`said` is a sentence; `lines` show it; `log` are lines of a log, and `log_name` says of which.

    `at` is the file and line the first of them is about ("", 0 where there is none).
    """

    said: str
    lines: tuple[str, ...] = ()
    log_name: str = ""
    log: tuple[str, ...] = ()
    at: tuple[str, int] = ("", 0)


def findings(record: RunRecord) -> tuple[Cell, ...]:
    """The cells that are findings: by patch, then by stage; what is wrong with the base comes first."""
    found = [cell for cell in record.cells if cell.outcome is Outcome.FINDING]
    return tuple(sorted(found, key=lambda cell: (cell.patch, list(Stage).index(cell.stage))))


def further(record: RunRecord, number: int) -> Iterator[tuple[Cell, str]]:
    """The findings with patches behind `number`, with the words for each; not those that the patches up to `number`
    brought, which the states behind them show as well."""
    for cell in findings(record):
        if cell.patch > number:
            said = _brought(record, cell, number) if cell.stage is Stage.TEST else cell.text
            if said:
                yield cell, said


def _brought(record: RunRecord, cell: Cell, number: int) -> str:
    """What got worse in the tests of a state, as far as it was not so after patch `number` already; "" for nothing."""
    fresh: list[Delta] = []
    for tests in record.tests:
        if tests.patch != cell.patch:
            continue
        if tests.status is not SuiteStatus.OK:
            if not _was_so(record, tests, number):
                return cell.text
            continue
        worse = [delta for delta in record.deltas(tests) if delta.change is Change.WORSE]
        behind = record.suspects_of(worse, tests) if worse else []
        fresh += [delta for delta, patches in zip(worse, behind, strict=True) if patches[0] > number]
    if not fresh:
        return ""
    first = next((delta for delta in fresh if not delta.follows), fresh[0])
    return f"{len(fresh)} worse ({name(first)}: {transition(first)}{', ...' if fresh[1:] else ''})"


def _was_so(record: RunRecord, tests: StateTests, number: int) -> bool:
    """Whether a suite that cannot be run could not be run on the state before, from patch `number` on, for the same
    reason."""
    before = [one for one in record.tests if one.suite == tests.suite and number <= one.patch < tests.patch]
    last = max(before, key=lambda one: one.patch, default=None)
    if last is None or last.status != tests.status:
        return False
    return why_broken(record.tests, last) == why_broken(record.tests, tests)


def evidence(record: RunRecord, number: int) -> tuple[Evidence, ...]:
    """What was found wrong with a patch, in the order of the stages."""
    makers = {Stage.APPLY: _applying, Stage.BUILD: _building, Stage.TEST: _testing}
    found: list[Evidence] = []
    for cell in findings(record):
        if cell.patch == number:
            maker = makers.get(cell.stage)
            made = list(maker(record, number)) if maker else []
            found += made or [
                Evidence(_PLAIN.get(cell.stage, "{why}.").format(tree=record.tree, why=cell.why.rstrip(".")))
            ]
    return tuple(found)


_PLAIN = {
    Stage.RESTORE: "The mail I have of this patch is damaged: {why}.",
    Stage.DEPS: "On {tree} this patch lacks something it needs: {why}.",
}


def _applying(record: RunRecord, number: int) -> Iterator[Evidence]:
    for patch in record.applied.patches if record.applied is not None else ():
        if patch.number != number:
            continue
        if patch.status is ApplyStatus.CONFLICT:
            yield Evidence(f"This patch does not apply to {record.tree}: {patch.why}.", patch.details[: 3 * _LOG_LINES])
        if patch.hidden:
            told = "This patch has characters that a reader does not see:"
            yield Evidence(told, limited(patch.hidden, _MOST_LINES))


def _building(record: RunRecord, number: int) -> Iterator[Evidence]:
    for build in record.builds:
        if build.patch != number:
            continue
        fresh = record.new_warnings(build)
        told, found = (
            (f"With this patch {record.tree} does not build{f'; {build.later}' if build.later else ''}:", build.errors)
            if build.status != "ok"
            else (f"With this patch {record.tree} builds with {plural(len(fresh), 'new warning')}:", fresh)
        )
        at = next(((one.file, one.line) for one in found if one.line), ("", 0))
        log = _log(build.log, f"{at[0]}:{at[1]}" if at[0] else "")
        lines = limited(map(diagnostic_line, found) if found else [build.why], _MOST_LINES)
        yield Evidence(told, lines, "make", log, at)


def _testing(record: RunRecord, number: int) -> Iterator[Evidence]:
    for tests in record.tests:
        if tests.patch != number:
            continue
        if breaks_as_base(record.tests, tests):
            continue
        if tests.status is not SuiteStatus.OK:
            yield Evidence(
                f"{_with(record, tests)} {tests.suite} cannot be run: {tests.why}.",
                limited(tests.trace.splitlines(), _MOST_LINES),
            )
            if not tests.results:
                continue
        worse = [delta for delta in record.deltas(tests) if delta.change is Change.WORSE and not delta.follows]
        if worse:
            output = tests.outputs.get(worse[0].test)
            passes = "passes" if len(worse) == 1 else "pass"
            told = f"{_with(record, tests)} {plural(len(worse), 'case')} of {tests.suite} no longer {passes}:"
            kernel = worse[0].test == KERNEL_LOG
            log = _log(output, telling(worse), _KERNEL_LINES if kernel else _LOG_LINES)
            yield Evidence(
                told, limited(map(in_words, worse), _MOST_LINES), "the kernel" if kernel else worse[0].test, log
            )


def _with(record: RunRecord, tests: StateTests) -> str:
    *others, _ = record.suspects(tests)
    between = "the state" if len(others) == 1 else "the states"
    return (
        f"With this patch, or one before it ({between} after {spelt(others)} not tested),"
        if others
        else "With this patch"
    )


def _log(path: Path | None, telling: str, most: int = _LOG_LINES) -> tuple[str, ...]:
    found = excerpt(path, most, telling) if path is not None else None
    return () if found is None else found.lines
