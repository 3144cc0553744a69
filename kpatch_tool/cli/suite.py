"""kpt suite: add, list, remove"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from kpatch_tool.cli import common

app = typer.Typer(rich_markup_mode=None, no_args_is_help=True)

NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="The suite's name.")]


@app.command("add")
def add(
    name: NameArgument,
    *,
    git: Annotated[str | None, typer.Option(metavar="URL|PATH", help="kvm-unit-tests; it is built here.")] = None,
    ref: Annotated[str | None, typer.Option(metavar="R", help="Branch, tag or commit of --git.")] = None,
    directory: Annotated[Path | None, typer.Option("--dir", metavar="D", help="A tree of it, built already.")] = None,
    no_sandbox: common.NoSandboxOption = False,
    as_json: common.JsonOption = False,
) -> None:
    """Add kvm-unit-tests under a name of your choice. A suite of that name is replaced."""
    from kpatch_tool.report import tests as show
    from kpatch_tool.suites import catalogue

    with common.progress() as progress:
        suite = catalogue.add(common.here(), name, git=git, ref=ref, directory=directory, progress=progress)
    if as_json:
        common.emit_json(show.suite_document(suite))
    else:
        typer.echo(show.suite_text(suite))


@app.command("list")
def list_suites(as_json: common.JsonOption = False) -> None:
    """The suites that `kpt test` knows."""
    from kpatch_tool.report import tests as show
    from kpatch_tool.suites import catalogue

    suites = catalogue.everything(common.here())
    if as_json:
        common.emit_json({"suites": [show.suite_document(suite) for suite in suites]})
    else:
        typer.echo("\n".join(show.suite_text(suite) for suite in suites))


@app.command("remove")
def remove(name: NameArgument) -> None:
    """Remove a suite that was added."""
    from kpatch_tool.suites import catalogue

    catalogue.remove(common.here(), name)
    typer.echo(f"suite {name}: removed")
