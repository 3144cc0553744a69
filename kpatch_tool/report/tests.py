"""Results of tests, and suites, for the terminal and as JSON."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from kpatch_tool.report.alike import one_of_alike, only_once, surely_back
from kpatch_tool.report.lines import wrapped
from kpatch_tool.report.table import print_trimmed
from kpatch_tool.results.deltas import Change, Delta, differing, identity, in_words, taken_back, transition
from kpatch_tool.results.deltas import name as delta_name
from kpatch_tool.results.repeats import flaky_sentences
from kpatch_tool.suites.catalogue import Suite
from kpatch_tool.suites.model import CaseResult, StateTests, SuiteStatus, Verdict
from kpatch_tool.testing.command import Tested
from kpatch_tool.text import cut, plural, printable, short_state_name

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

_STYLES = {
    Verdict.PASS: "green",
    Verdict.FAIL: "red",
    Verdict.SKIP: "dim",
    Verdict.TIMEOUT: "yellow",
    Verdict.ABORT: "bold red",
}
_CHANGES = {Change.WORSE: "bold red", Change.BETTER: "bold green", Change.CHANGED: "yellow"}
_TRACE_LINES = 40
_NAME_WIDTH = 44
_NARROWEST = 10
_HEAD = ("test", "result", "cases", "s")
_GAP = 2
_REASON_WIDTH = 20


def show(tested: Tested, console: Console) -> None:
    """Print every state: what differs from the base first, then a row a test."""
    if tested.accel:
        _say(console, f"accelerator: {tested.accel} ({tested.why_accel})", "dim")
    for tests in tested.states:
        _show_state(tested, tests, console)
    if tested.not_tested:
        console.print()
        _say(console, tested.not_tested, "yellow")


def _say(console: Console, line: str, style: str = "") -> None:
    from rich.text import Text

    for piece in wrapped(printable(line), console.width):
        console.print(Text(piece, style=style), soft_wrap=True)


def suite_text(suite: Suite) -> str:
    """A suite on one line."""
    version = f"  {suite.version[:12]}" if suite.version else ""
    return f"{suite.name}  {suite.kind}{version}  {printable(suite.source)}"


def suite_document(suite: Suite) -> dict[str, object]:
    """A suite as JSON."""
    return {
        "name": suite.name,
        "kind": str(suite.kind),
        "source": suite.source,
        "version": suite.version or None,
        "directory": str(suite.directory) if suite.directory is not None else None,
    }


def _show_state(tested: Tested, tests: StateTests, console: Console) -> None:
    state = short_state_name(tests.patch)
    console.print()
    _say(console, f"{state}: {tests.suite} ({_how(tests)})", "bold")
    _say(console, tests.why)
    if tests.same_as is not None:
        return
    if tests.status is SuiteStatus.FAILED and not tests.results:
        _show_nothing_run(tested, tests, console)
    else:
        _show_differences(tested, tests, console)
    for line in flaky_sentences(tests):
        _say(console, line, "yellow")
    for line in tests.trace.splitlines()[:_TRACE_LINES]:
        _say(console, f"  {line}", "red")
    if tests.results:
        _show_results(tests, console)


def _show_nothing_run(tested: Tested, tests: StateTests, console: Console) -> None:
    """The state was not built: one reason for every case that the base has."""
    if deltas := tested.deltas(tests):
        _say(
            console,
            f"{Change.WORSE}: of {plural(differing(deltas), 'case')} of the base none was run",
            _CHANGES[Change.WORSE],
        )


def _show_differences(tested: Tested, tests: StateTests, console: Console) -> None:
    told = ((delta, _since(tested, tests, delta)) for delta in _telling(tested.deltas(tests)))
    for delta, since in one_of_alike(told):
        _say(console, f"{delta.change}: {in_words(delta)}{since}", _CHANGES[delta.change])
    for change, line in _since_the_last(tested, tests):
        _say(console, line, _CHANGES[change])


def _how(tests: StateTests) -> str:
    if tests.same_as is not None:
        return f"{tests.status}, same as {short_state_name(tests.same_as)}"
    return f"{tests.status}, remembered" if tests.cached else tests.status


def _since(tested: Tested, tests: StateTests, delta: Delta) -> str:
    """Whether an earlier patch did it already."""
    previous = tested.previous_of(tests)
    if previous is None or identity(delta) not in map(identity, tested.deltas(previous)):
        return ""
    return f", as after patch {previous.patch}"


def _since_the_last(tested: Tested, tests: StateTests) -> Iterator[tuple[Change, str]]:
    """What changed since the state tested before that the comparison with the base does not show: an earlier patch's
    doing was taken back."""
    previous = tested.previous_of(tests)
    if previous is None or previous.patch == 0:
        return
    own = _telling(taken_back(tested.deltas_previous(tests), tested.deltas(tests)))
    sure, unsure = surely_back(own, previous, tests, tested.base_of(tests))
    for delta in sure:
        yield delta.change, f"{delta.change} since patch {previous.patch}: {delta_name(delta)}: {transition(delta)}"
    for delta in unsure:
        yield Change.CHANGED, f"{Change.CHANGED}: {in_words(delta)}; {only_once(previous)}"


def _telling(deltas: Sequence[Delta]) -> list[Delta]:
    """Those that say something of their own, the worst first."""
    order = list(Change)
    return sorted((delta for delta in deltas if not delta.follows), key=lambda delta: order.index(delta.change))


def _show_results(tests: StateTests, console: Console) -> None:
    """A row a test; on a narrow terminal the reasons stand below, and only of what did not pass."""
    whole = [result for result in tests.results if not result.case]
    rows = [
        (str(result.verdict), _cases(tests, result.test), f"{result.seconds:.1f}" if result.seconds else "")
        for result in whole
    ]
    taken = sum(max(map(len, column)) + _GAP for column in zip(_HEAD[1:], *rows, strict=True))
    names = [cut(printable(result.test), max(_NARROWEST, min(_NAME_WIDTH, console.width - taken))) for result in whole]
    taken += max(map(len, names)) + _GAP
    beside = console.width - taken >= _REASON_WIDTH
    print_trimmed(console, _table(whole, names, rows, reasons=beside))
    for result in whole:
        if not beside and result.why and result.verdict is not Verdict.PASS:
            _say(console, f"  {result.test}: {result.why}")


def _table(
    results: Sequence[CaseResult], names: Sequence[str], rows: Sequence[tuple[str, str, str]], *, reasons: bool
) -> Table:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, padding=(0, _GAP, 0, 0), show_header=True, header_style="dim")
    for name in _HEAD:
        table.add_column(name, no_wrap=True, justify="right" if name in ("cases", "s") else "left")
    if reasons:
        table.add_column("why", overflow="fold")
    for result, name, (verdict, cases, seconds) in zip(results, names, rows, strict=True):
        why = [Text(printable(result.why))] if reasons else []
        table.add_row(Text(name), Text(verdict, style=_STYLES[result.verdict]), cases, seconds, *why)
    return table


def _cases(tests: StateTests, test: str) -> str:
    cases: list[CaseResult] = [result for result in tests.results if result.case and result.test == test]
    failed = sum(case.verdict is Verdict.FAIL for case in cases)
    return f"{len(cases)}, {failed} fail" if failed else str(len(cases)) if cases else ""
