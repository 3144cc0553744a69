"""kpt base"""

from __future__ import annotations

from typing import Annotated

import typer

from kpatch_tool.cli import common


def command(
    series: common.SeriesArgument = None,
    *,
    tree: Annotated[
        str | None, typer.Option("--tree", metavar="NAME", help="The kernel tree to look through; `all`: every one.")
    ] = None,
    full: Annotated[
        bool, typer.Option("--full", help="All of a long history, not the year before the series alone.")
    ] = False,
    as_json: common.JsonOption = False,
) -> None:
    """Which commits a series was made on: those that hold every file as its patches name it, else the nearest."""
    from kpatch_tool.report import base as show
    from kpatch_tool.tree.basing import base_named

    workspace = common.here()
    with common.progress() as progress:
        answer = base_named(workspace, common.chosen(workspace, series), tree=tree, full=full, progress=progress)
    with common.verdict(findings=not answer.found):
        if as_json:
            common.emit_json(show.document(answer))
        else:
            typer.echo(show.text(answer))
