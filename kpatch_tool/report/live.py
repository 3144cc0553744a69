"""A run while it goes on: a live table on a terminal, a plain line a step elsewhere. Both on standard error."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import IO, TYPE_CHECKING, Self

from kpatch_tool.report.table import stage_table, table_width
from kpatch_tool.results.record import Cell, Outcome, PatchRecord, Stage
from kpatch_tool.text import printable, short_state_name

if TYPE_CHECKING:
    from rich.console import Console, Group
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
        with self._lock:
            self._last = self._clock()
            self._out.write(printable(line).rstrip() + "\n")
            self._out.flush()


class LiveTable:
    """The table of the run, redrawn in place, with a line below for each thing that is going on."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._patches: tuple[PatchRecord, ...] = ()
        self._cells: dict[tuple[int, Stage], Cell] = {}
        self._doing: dict[int, str] = {}
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
            table = stage_table(self._patches, tuple(self._cells.values()), table_width(self._console))
            lines = "\n".join(printable(line) for line in self._doing.values())
        doing = Text(lines, no_wrap=True, overflow="ellipsis")
        return Group(table, Text(""), doing)


def _share(done: int, total: int) -> str:
    return f"{min(100, 100 * done // total)}%"


def watcher_for(console: Console) -> LiveTable | PlainLines:
    """What suits standard error, whose `console` this is: the live table on a terminal, plain lines elsewhere."""
    return LiveTable(console) if console.is_terminal else PlainLines(console.file)
