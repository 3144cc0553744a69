"""What every command shares: the workspace, JSON on standard output, progress on standard error."""

from __future__ import annotations

import contextlib
import errno
import json
import math
import os
import sys
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kpatch_tool import workspace
from kpatch_tool.cli import streams
from kpatch_tool.errors import InputError, exit_status
from kpatch_tool.progress import Progress
from kpatch_tool.text import json_printable, printable

if TYPE_CHECKING:
    from rich.console import Console

JsonOption = Annotated[bool, typer.Option("--json", help="One JSON document on standard output.")]
SeriesArgument = Annotated[
    str | None,
    typer.Argument(
        metavar="[SERIES]", help="A series, its name or its directory; the one applied last where left out."
    ),
]
TreeOption = Annotated[str | None, typer.Option("--tree", metavar="NAME", help="The kernel tree to use.")]
ArchOption = Annotated[str, typer.Option("--arch", metavar="NAME", help="The architecture to build for.")]
SuiteOption = Annotated[
    list[str] | None, typer.Option("--suite", metavar="NAME", help="Only this suite (may be repeated).")
]
TestOption = Annotated[
    list[str] | None, typer.Option("--test", metavar="GLOB", help="Only tests of such a name (may be repeated).")
]
VariantOption = Annotated[
    list[str] | None, typer.Option("--variant", metavar="V", help="How to test: default, shadow (may be repeated).")
]


def bounded_seconds(chosen: float | None) -> float | None:
    """The value of an option that has bounds: NaN passes the parser's, as it is neither less nor more."""
    if chosen is not None and math.isnan(chosen):
        raise typer.BadParameter("nan is no number of seconds")
    return chosen


TimeoutOption = Annotated[
    float | None,
    typer.Option(
        "--timeout",
        metavar="S",
        min=1,
        max=86400,
        callback=bounded_seconds,
        help="Seconds for each test, in place of its own.",
    ),
]


def _without_sandbox(chosen: bool) -> bool:
    """The option is the environment variable, said on the command line: it holds for all that this kpt starts."""
    if chosen:
        from kpatch_tool.system import sandbox

        os.environ[sandbox.VARIABLE] = "1"
    return chosen


ConfigOption = Annotated[
    list[Path] | None,
    typer.Option("--config", metavar="FRAGMENT", help="Configuration to add to every build (may be repeated)."),
]
JobsOption = Annotated[
    int | None, typer.Option("-j", "--jobs", metavar="N", min=1, help="Guests at once; as many as fit if not given.")
]
NoSandboxOption = Annotated[
    bool,
    typer.Option(
        "--no-sandbox",
        callback=_without_sandbox,
        help="Build outside the sandbox: the patches' Makefiles may do all that you may (also KPT_NO_SANDBOX=1).",
    ),
]

SCHEMA_VERSION = 1


def here() -> workspace.Workspace:
    """The workspace the command was started in."""
    return workspace.find(Path.cwd())


def chosen(where: workspace.Workspace, series: str | None) -> str:
    """The series asked for; where none is named, the one applied last. Raises InputError where none was."""
    name = series if series is not None else where.remembered("series")
    if name is None:
        raise InputError("no series was applied yet", todo="name one (`kpt list`), or run `kpt apply SERIES`")
    return name


def emit_json(document: Mapping[str, object]) -> None:
    """Print `document` with the schema's version, as the only thing on standard output."""
    text = json.dumps({"kpt": SCHEMA_VERSION, **document}, ensure_ascii=False, indent=1)
    # JSON is UTF-8 whatever the locale; a byte of a file name that is none stays as its escape.
    sys.stdout.buffer.write(json_printable(text).encode("utf-8", "backslashreplace") + b"\n")
    sys.stdout.buffer.flush()


def emit_pieces(document: Iterable[str]) -> None:
    """`emit_json` for a document that is too large to be held: its text in pieces, with the schema's version."""
    for piece in document:
        sys.stdout.buffer.write(json_printable(piece).encode("utf-8", "backslashreplace"))
    sys.stdout.buffer.flush()


def verdict(*, findings: bool, incomplete: bool = False) -> AbstractContextManager[None]:
    """Print the answer inside; then the command ends with the exit status for what came of it (errors.exit_status)."""
    return ending(exit_status(findings=findings, incomplete=incomplete))


@contextlib.contextmanager
def ending(status: int) -> Iterator[None]:
    """Print the answer inside; then the command ends with `status`, also where who reads the answer has seen enough
    before its end (`kpt bisect | head -1`)."""
    try:
        yield
    except BrokenPipeError:
        if not streams.is_unread(sys.stdout):
            raise
        streams.drop(sys.stdout)
    if status:
        raise typer.Exit(status)


def console(*, stderr: bool = False) -> Console:
    """The terminal for a person (standard output or error), nothing but text where NO_COLOR or a pipe says so."""
    from rich.console import Console

    class OnPipe(Console):
        def on_broken_pipe(self) -> None:
            """Leave that to whom it is for (`ending`); rich, which calls this, would end the program with 1."""
            raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE))

    plain = bool(os.environ.get("NO_COLOR"))  # rich would still print bold
    return OnPipe(stderr=stderr, highlight=False, soft_wrap=False, color_system=None if plain else "auto")


@contextlib.contextmanager
def progress() -> Iterator[Progress]:
    """A Progress on standard error: a live line for each thread on a terminal, a plain line a step elsewhere."""
    if not sys.stderr.isatty():
        yield _PlainProgress()
        return
    from rich.progress import BarColumn, SpinnerColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bars
    from rich.table import Column

    bars = Bars(
        SpinnerColumn(),
        # No markup: names of files and tests are in it.
        TextColumn("{task.description}", markup=False, table_column=Column(no_wrap=True, overflow="ellipsis")),
        BarColumn(bar_width=20),
        TimeElapsedColumn(),
        console=console(stderr=True),
        transient=True,
    )
    with bars:
        tasks = {threading.get_ident(): bars.add_task("", total=None)}

        def show(what: str, done: int = 0, total: int = 0) -> None:
            thread = threading.get_ident()
            if thread not in tasks:
                tasks[thread] = bars.add_task("", total=None)
            shown = printable(what)
            bars.update(tasks[thread], description=shown, completed=done, total=total or None, visible=bool(what))

        yield show


class _PlainProgress:
    """Says each step once (for logs and pipes)."""

    def __init__(self) -> None:
        self._said: set[str] = set()

    def __call__(self, what: str, done: int = 0, total: int = 0) -> None:
        if what and what not in self._said:
            self._said.add(what)
            streams.say(f"{printable(what)}\n")
