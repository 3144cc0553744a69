"""kpt show"""

from __future__ import annotations

from typing import Annotated

import typer

from kpatch_tool.cli import common
from kpatch_tool.series.directory import store
from kpatch_tool.series.views import view


def command(
    series: common.SeriesArgument = None,
    patch: Annotated[
        int | None, typer.Option("--patch", metavar="K", help="All of patch K; 0: the cover letter.")
    ] = None,
    as_json: common.JsonOption = False,
) -> None:
    """What is in a series: patches, trailers, files, replies, and how sure every patch's bytes are."""
    workspace = common.here()
    loaded = store.load(store.find(workspace, common.chosen(workspace, series)))
    if as_json:
        common.emit_json(view.document(loaded, patch))
        return
    for line in view.shown(loaded, patch):
        typer.echo(line)
