"""A run on a terminal: the table (patches down, stages across), what was found, the answer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from kpatch_tool.kbuild.model import BuildStatus, Identity, told_apart
from kpatch_tool.report.alike import one_of_alike, only_once, surely_back
from kpatch_tool.report.lines import blamed, diagnostic_line, few, from_here, wrapped
from kpatch_tool.results.deltas import (
    Change,
    Delta,
    compare,
    identity,
    in_words,
    name,
    previous_tested,
    taken_back,
    transition,
    why_broken,
)
from kpatch_tool.results.record import Cell, Outcome, PatchRecord, RunRecord, Stage
from kpatch_tool.results.repeats import flaky_sentences
from kpatch_tool.suites.model import StateTests, SuiteStatus
from kpatch_tool.text import plural, printable, spelt, state_name

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

_STYLES = {
    Outcome.RUNNING: "cyan",
    Outcome.WELL: "green",
    Outcome.FINDING: "bold red",
    Outcome.INFRA: "bold yellow",
    Outcome.SKIPPED: "dim",
}
PRESENT = {True: "the tree has it", False: "THE TREE LACKS IT", None: "not known whether the tree has it"}
_SHOWN_AT_MOST = 30
_HIDDEN_AT_MOST = 8
_GAP = 2
_NARROWEST = 12
_WIDEST = 120


def show(record: RunRecord, console: Console, reports: Sequence[Path] = ()) -> None:
    """Print a whole run, and where its `reports` are."""
    from rich.text import Text

    for line in wrapped(heading(record), console.width):
        console.print(Text(line, style="bold"), soft_wrap=True)
    print_trimmed(console, stage_table(record.patches, record.cells, table_width(console)))
    for line in details(record):
        for piece in wrapped(line, console.width):
            console.print(Text(piece), soft_wrap=True)
    console.print()
    for line in wrapped(printable(record.sentence), console.width, later=""):
        console.print(Text(line, style="bold"), soft_wrap=True)
    for path in reports:
        console.print(Text(f"report: {from_here(path)}"), soft_wrap=True)


def print_trimmed(console: Console, table: Table) -> None:
    """Print a table without the blanks that fill its last column."""
    with console.capture() as captured:
        console.print(table)
    for line in captured.get().splitlines():
        console.file.write(line.rstrip() + "\n")


def heading(record: RunRecord) -> str:
    """One line: series, revision, title, tree."""
    revision = f" v{record.revision}" if record.revision > 1 else ""
    return printable(f"{record.series}{revision} on {record.tree}: {record.title}")


def stage_table(patches: Sequence[PatchRecord], cells: Iterable[Cell], width: int = 80) -> Table:
    """Patches down (the base first, once something is known of it), stages across; subjects are shortened so that all
    of it fits `width` columns. Where that leaves nothing of them, the stages stand below each subject."""
    from rich.table import Table
    from rich.text import Text

    known = {(cell.patch, cell.stage): cell for cell in cells}
    base = [(0, "the base")] if any(patch == 0 for patch, _ in known) else []
    rows = [*base, *((patch.number, patch.subject) for patch in patches)]
    table = Table(box=None, pad_edge=False, padding=(0, _GAP, 0, 0), header_style="bold")
    table.add_column("", justify="right", no_wrap=True)
    widths = {
        stage: max([len(stage), *(len(cell.text) for cell in known.values() if cell.stage is stage)]) for stage in Stage
    }
    left = width - len(str(rows[-1][0] if rows else 0)) - 2 * _GAP - sum(widths.values()) - _GAP * len(widths)
    if left < _NARROWEST:
        table.add_column("patch", overflow="fold")
        for number, subject in rows:
            table.add_row(str(number), _stages_below(subject, [known.get((number, stage)) for stage in Stage]))
        return table
    table.add_column("patch", no_wrap=True)
    for stage in Stage:
        table.add_column(str(stage), no_wrap=True)
    for number, subject in rows:
        title = Text(printable(subject))
        title.truncate(left, overflow="ellipsis")
        found = [known.get((number, stage)) for stage in Stage]
        words = [Text("") if cell is None else Text(printable(cell.text), _STYLES[cell.outcome]) for cell in found]
        table.add_row(str(number), title, *words)
    return table


def _stages_below(subject: str, cells: Iterable[Cell | None]) -> Text:
    from rich.text import Text

    shown = Text(printable(subject))
    for place, cell in enumerate(cell for cell in cells if cell is not None and cell.text != "-"):
        shown.append(", " if place else "\n")
        shown.append(f"{cell.stage} ").append(printable(cell.text), _STYLES[cell.outcome])
    return shown


def details(record: RunRecord) -> Iterator[str]:
    """What a reader of the table asks next, as lines: why, where, and what changed."""
    sections = (
        ("not proven byte by byte", _unproven(record)),
        ("what needs what", _edges(record)),
        ("applying", _applying(record)),
        ("building", _building(record)),
        ("tests", _testing(record)),
        ("not done on this machine", list(record.problems)),
    )
    for title, lines in sections:
        if lines:
            yield ""
            yield f"{title}:"
            yield from (f"  {printable(line)}" for line in _limited(lines))


def delta_line(delta: Delta) -> str:
    """One delta: change, case, what happened, and why where that is known."""
    return f"{delta.change:<7} {in_words(delta)}"


def table_width(console: Console) -> int:
    """The columns a table may take: the terminal's, but not so many that the eye loses the row."""
    return min(console.width, _WIDEST)


def _unproven(record: RunRecord) -> list[str]:
    lines = []
    for patch in record.patches:
        if patch.exactness in ("matched", "damaged"):
            lines.append(f"{patch.number}: {patch.exactness}: {patch.why}")
            lines += [f"   {line}" for line in _limited(patch.ambiguous, 3)]
    return lines


def _edges(record: RunRecord) -> list[str]:
    needs = record.dependencies
    lines = [f"{edge.patch} needs {edge.needs} ({edge.kind}): {edge.why}" for edge in needs.edges]
    lines += [
        f"{outside.patch or 'the series'} needs {outside.short} ({outside.kind}): {outside.why}; "
        f"{PRESENT[outside.present]}"
        for outside in needs.external
    ]
    return lines + [f"{', '.join(map(str, cycle))} need one another" for cycle in needs.cycles]


def _applying(record: RunRecord) -> list[str]:
    if record.applied is None:
        return []
    lines = []
    for patch in record.applied.patches:
        if patch.status not in {"clean", "skipped"}:
            lines.append(f"{patch.number}: {patch.status}: {patch.why}")
            lines += [f"   {line}" for line in _limited(patch.details, 40 if patch.status == "conflict" else 4)]
        lines += [f"{patch.number}: {line}" for line in _limited(patch.hidden, _HIDDEN_AT_MOST)]
    return lines


def _building(record: RunRecord) -> list[str]:
    lines = [f"with {few(record.config)} besides kpt's own configuration"] if record.config else []
    before: tuple[int, set[Identity]] = (0, set())  # the patch that failed so first
    for build in record.builds:
        state = _called([build.patch])
        errors = {error.identity() for error in build.errors}
        if build.status is BuildStatus.FAILED and errors and errors == before[1]:
            lines.append(f"{state}: {build.status} as after {_called([before[0]])}; log: {from_here(build.log)}")
        elif build.status is not BuildStatus.OK:
            before = build.patch, errors
            lines.append(f"{state}: {build.status}: {build.why}")
            # The first one is in the reason.
            lines += [f"   {diagnostic_line(error)}" for error in build.errors[:5] if error.message not in build.why]
            lines.append(f"   log: {from_here(build.log)}")
    return lines + _warning(record)


def _warning(record: RunRecord) -> list[str]:
    """Each new warning at the first state that has it; of the states behind, how many they share with it."""
    lines = []
    firsts: dict[tuple[Identity, int], int] = {}
    again: dict[tuple[int, int], list[int]] = {}  # how many warnings, and where they came -> the states that have them
    for build in record.builds:
        found = told_apart(record.new_warnings(build))
        for first, count in Counter(firsts[one] for one in found if one in firsts).items():
            again.setdefault((count, first), []).append(build.patch)
        new = [one for one in found if one not in firsts]
        lines += [f"{_called([build.patch])}: new warning {diagnostic_line(found[one])}" for one in new]
        firsts |= dict.fromkeys(new, build.patch)
    told = ((_called(states), plural(count, "new warning"), first) for (count, first), states in again.items())
    return lines + [f"{states}: {warnings} as after {_called([first])}" for states, warnings, first in told]


def _testing(record: RunRecord) -> list[str]:
    """Each difference at the first state that has it; of the states behind, how many they share with it."""
    told: list[tuple[list[int], str]] = []  # states, what is said of them
    repeated: dict[str, list[int]] = {}
    changed: dict[str, int] = {}  # the last state of a suite of which there was something new to say
    broken: dict[tuple[str, str], int] = {}  # the first state at which a suite failed so
    for tests in record.tests:
        suite, again = tests.suite, ""
        if tests.status is SuiteStatus.OK:
            new, known = _differences(record, tests)
            told += [([tests.patch], f"{suite}: {line}") for line in new]
            again = f"{suite}: {known} as after {_called([changed[suite]])}" if known else ""
            if new or suite not in changed:
                changed[suite] = tests.patch
        elif (suite, why := why_broken(record.tests, tests)) in broken:
            again = f"{suite}: {tests.status} as after {_called([broken[suite, why]])}"
        else:
            # That no case was run then is the same thing once more.
            broken[suite, why] = tests.patch
            told.append(([tests.patch], f"{suite}: {tests.status}: {tests.why}"))
            told += [([], f"   {line}") for line in _limited(tests.trace.splitlines(), 12)]
        if again and again not in repeated:
            told.append((repeated.setdefault(again, []), again))
        if again:
            repeated[again].append(tests.patch)
        if tests.same_as is None:
            told += [([tests.patch], f"{suite}: {said}") for said in flaky_sentences(tests)]
    return [f"{_called(states)}, {said}" if states else said for states, said in told]


def _differences(record: RunRecord, tests: StateTests) -> tuple[list[str], str]:
    """What a state differs in from the base, or again does not, and the tested state before it did not, a line each;
    and how many differences the two share, in words."""
    previous = previous_tested(record.tests, tests)
    before = {} if previous is None else {identity(delta): delta for delta in record.deltas(previous)}
    now = [delta for delta in record.deltas(tests) if not delta.follows]
    shared = Counter(delta.change for delta in now if identity(delta) in before)
    new = [delta for delta in now if identity(delta) not in before]
    notes = _not_sooner(record, tests, new)
    lines = [f"{delta_line(delta)}{note}" for delta, note in one_of_alike(zip(new, notes, strict=True))]
    if previous is not None and before:
        own = taken_back(compare(tests, previous), record.deltas(tests))
        sure, unsure = surely_back(own, previous, tests, record.compared_with(tests))
        who = blamed(record.suspects(tests))
        lines += [f"{delta.change:<7} by {who}: {name(delta)}: {transition(delta)}" for delta in sure]
        lines += [f"{Change.CHANGED:<7} {in_words(delta)}; {only_once(previous)}" for delta in unsure]
    return lines, ", ".join(f"{shared[change]} {change}" for change in Change if shared[change])


def _not_sooner(record: RunRecord, tests: StateTests, deltas: Sequence[Delta]) -> list[str]:
    """Whose each difference may be besides the patch at which it shows: tests may have come less far before."""
    if not deltas:
        return []
    here = record.suspects(tests)
    return [
        ""
        if suspects == here
        else f", by one of {spelt(suspects)}: not reached before"
        if suspects[-1] == tests.patch
        else f", as after {_called(suspects[-1:])}"
        for suspects in record.suspects_of(deltas, tests)
    ]


def _called(patches: Sequence[int]) -> str:
    return state_name(patches[0]) if len(patches) == 1 else f"patches {spelt(patches)}"


def _limited(lines: Sequence[str], most: int = _SHOWN_AT_MOST) -> list[str]:
    if len(lines) <= most:
        return list(lines)
    return [*lines[:most], f"... {plural(len(lines) - most, 'more line')} in `kpt report --format html`"]
