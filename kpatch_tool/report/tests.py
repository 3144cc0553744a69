"""Results of tests, and suites, for the terminal and as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kpatch_tool.results.deltas import Change, Delta, transition
from kpatch_tool.results.deltas import name as delta_name
from kpatch_tool.suites.catalogue import Suite
from kpatch_tool.suites.model import CaseResult, StateTests, Verdict
from kpatch_tool.testing import Tested
from kpatch_tool.text import printable

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


def show(tested: Tested, console: Console) -> None:
    """Print every state: what differs from the base first, then a row a test."""
    from rich.text import Text

    if tested.accel:
        console.print(Text(f"accelerator: {tested.accel} ({printable(tested.why_accel)})", style="dim"), soft_wrap=True)
    for tests in tested.states:
        _show_state(tested, tests, console)


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
    from rich.text import Text

    state = f"patch {tests.patch}" if tests.patch else "base"
    console.print()
    console.print(Text(f"{state}: {tests.suite} ({_how(tests)})", style="bold"))
    console.print(Text(printable(tests.why)), soft_wrap=True)
    if tests.same_as is not None:
        return
    for delta in _telling(tested.deltas(tests)):
        why = f" ({delta.why})" if delta.why else ""
        line = f"{delta.change}: {delta_name(delta)}: {transition(delta)}{why}{_since(tested, tests, delta)}"
        console.print(Text(printable(line), style=_CHANGES[delta.change]), soft_wrap=True)
    for delta in _own(tested, tests):
        line = f"{delta.change} by this patch: {delta_name(delta)}: {transition(delta)}"
        console.print(Text(printable(line), style=_CHANGES[delta.change]), soft_wrap=True)
    if tests.trace:
        for line in tests.trace.splitlines()[:_TRACE_LINES]:
            console.print(Text("  " + printable(line), style="red"), soft_wrap=True)
    if tests.results:
        console.print(_table(tests))


def _how(tests: StateTests) -> str:
    if tests.same_as is not None:
        return f"{tests.status}, same as {f'patch {tests.same_as}' if tests.same_as else 'base'}"
    return f"{tests.status}, remembered" if tests.cached else tests.status


def _since(tested: Tested, tests: StateTests, delta: Delta) -> str:
    """Whether an earlier patch did it already."""
    previous = tested.previous_of(tests)
    if previous is None or _key(delta) not in map(_key, tested.deltas(previous)):
        return ""
    return f", as after patch {previous.patch}"


def _own(tested: Tested, tests: StateTests) -> list[Delta]:
    """What a patch changed that the comparison with the base does not show: it took an earlier one's doing back."""
    previous = tested.previous_of(tests)
    if previous is None or previous.patch == 0:
        return []
    told = set(map(_key, tested.deltas(tests)))
    return [delta for delta in _telling(tested.deltas_previous(tests)) if _key(delta) not in told]


def _key(delta: Delta) -> tuple[str, str, str]:
    return (delta.test, delta.case, delta.now)


def _telling(deltas: tuple[Delta, ...]) -> list[Delta]:
    """Those that say something of their own, the worst first."""
    order = list(Change)
    return sorted((delta for delta in deltas if not delta.follows), key=lambda delta: order.index(delta.change))


def _table(tests: StateTests) -> Table:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, show_header=True, header_style="dim")
    # The last column alone gives way on a narrow terminal.
    table.add_column("test", no_wrap=True, overflow="ellipsis", max_width=_NAME_WIDTH)
    table.add_column("result", no_wrap=True)
    table.add_column("cases", no_wrap=True, justify="right")
    table.add_column("s", no_wrap=True, justify="right")
    table.add_column("why", overflow="fold")
    for result in tests.results:
        if not result.case:
            table.add_row(
                Text(printable(result.test)),
                Text(str(result.verdict), style=_STYLES[result.verdict]),
                _cases(tests, result.test),
                f"{result.seconds:.1f}" if result.seconds else "",
                Text(printable(result.why)),
            )
    return table


def _cases(tests: StateTests, test: str) -> str:
    cases: list[CaseResult] = [result for result in tests.results if result.case and result.test == test]
    failed = sum(case.verdict is Verdict.FAIL for case in cases)
    return f"{len(cases)}, {failed} fail" if failed else str(len(cases)) if cases else ""
