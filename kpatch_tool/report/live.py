"""A run while it goes on: a live table on a terminal, a plain line a step elsewhere. Both on standard error."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import IO, TYPE_CHECKING, Self

from kpatch_tool.report.table import stage_table, table_width
from kpatch_tool.results.record import Cell, Outcome, PatchRecord, Stage
from kpatch_tool.text import plural, printable, short_state_name

if TYPE_CHECKING:
    from rich.console import Console, Group, RenderableType
    from rich.live import Live


_SILENCE = 60.0  # seconds after which a step says how far it is


class PlainLines:
    """A line for each stage that ended ("patch 2  build  ok 12 s"), and one for each long step inside it; after a
    minute without any, how far a step is whose end is known ("testing the base 34%")."""

    def __init__(self, out: IO[str], clock: Callable[[], float] = time.monotonic) -> None:
        self._out = out
        self._said: set[str] = set()
        self._lock = threading.Lock()
        self._clock = clock
        self._last = clock()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *ended: object) -> None: ...

    def patches(self, patches: Sequence[PatchRecord]) -> None: ...

    def cell(self, cell: Cell) -> None:
        if cell.outcome is not Outcome.RUNNING:
            state = short_state_name(cell.patch)
            self._say(f"{state:<9} {cell.stage:<8} {cell.text}")

    def progress(self, what: str, done: int = 0, total: int = 0) -> None:
        step = what.partition(":")[0]  # "testing patch 2: vmexit": what is counted would fill a log
        if step and step not in self._said:
            self._said.add(step)
            self._say(f"          {step}")
        elif step and total and self._clock() - self._last >= _SILENCE:
            self._say(f"          {step} {_share(done, total)}")

    def _say(self, line: str) -> None:
        with self._lock, contextlib.suppress(BrokenPipeError):  # nobody need read it
            self._last = self._clock()
            self._out.write(printable(line).rstrip() + "\n")
            self._out.flush()


class LiveTable:
    """The table of the run, redrawn in place, with a line below for each thing that is going on. Of a table higher than
    the terminal there are the rows around those at work: what lies below the terminal's last line is not shown."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._patches: tuple[PatchRecord, ...] = ()
        self._cells: dict[tuple[int, Stage], Cell] = {}
        self._doing: dict[int, str] = {}
        self._at_work = (0, 0)  # the first and last patch that were so last, by place
        self._lock = threading.Lock()
        self._live: Live | None = None

    def __enter__(self) -> Self:
        from rich.live import Live

        self._live = Live(
            console=self._console,
            get_renderable=self.picture,
            refresh_per_second=8,
            transient=True,
        )
        self._live.start()
        return self

    def __exit__(self, *ended: object) -> None:
        if self._live is not None:
            self._live.stop()

    def patches(self, patches: Sequence[PatchRecord]) -> None:
        with self._lock:
            self._patches = tuple(patches)

    def cell(self, cell: Cell) -> None:
        with self._lock:
            self._cells[cell.patch, cell.stage] = cell

    def progress(self, what: str, done: int = 0, total: int = 0) -> None:
        share = f" {_share(done, total)}" if total else ""
        with self._lock:
            if what:
                self._doing[threading.get_ident()] = f"{what}{share}"
            else:
                self._doing.pop(threading.get_ident(), None)

    def picture(self) -> Group:
        from rich.console import Group
        from rich.text import Text

        with self._lock:
            patches, cells = self._patches, tuple(self._cells.values())
            lines = [printable(line) for line in self._doing.values()][-self._console.height :]
        running = {cell.patch for cell in cells if cell.outcome is Outcome.RUNNING}
        places = [place for place, patch in enumerate(patches) if patch.number in running]
        self._at_work = (places[0], places[-1]) if places else self._at_work
        doing = Text("\n".join(lines), no_wrap=True, overflow="ellipsis")
        rows = self._console.height - max(1, len(lines)) - 1
        return Group(*self._fitting(patches, cells, rows), doing)

    def _fitting(self, patches: Sequence[PatchRecord], cells: Sequence[Cell], rows: int) -> Iterator[RenderableType]:
        """The table in no more than `rows` lines, how many patches it leaves out, and an empty line; nothing where not
        one patch has room."""
        from rich.console import Group
        from rich.text import Text

        others = 1 + any(cell.patch == 0 for cell in cells)  # the head, the base
        some = len(patches) if len(patches) + others <= rows else max(0, rows - others - 1)
        while some or not patches:
            parts: list[RenderableType] = [
                stage_table(_around(self._at_work, some, patches), cells, table_width(self._console))
            ]
            if left_out := len(patches) - some:
                told = f"... {plural(left_out, 'more patch', 'more patches')}"
                parts.append(Text(told, no_wrap=True, overflow="ellipsis"))
            height = len(self._console.render_lines(Group(*parts)))
            if height <= rows:
                yield from (*parts, Text(""))
                return
            if not patches:
                return
            some = max(0, min(some - 1, some * rows // height))


def _around(at_work: tuple[int, int], some: int, patches: Sequence[PatchRecord]) -> Sequence[PatchRecord]:
    """`some` of the patches with those at work (the places of the first and the last) in the middle; with the first
    where there are too many of them."""
    first, last = at_work
    start = first if last - first >= some else (first + last + 1 - some) // 2
    start = max(0, min(start, len(patches) - some))
    return patches[start : start + some]


def _share(done: int, total: int) -> str:
    return f"{min(100, 100 * done // total)}%"


def watcher_for(console: Console) -> LiveTable | PlainLines:
    """What suits standard error, whose `console` this is: the live table on a terminal, plain lines elsewhere, and on
    one that cannot move its cursor (TERM=dumb), where rich draws nothing."""
    moves = console.is_terminal and not console.is_dumb_terminal
    return LiveTable(console) if moves else PlainLines(console.file)
