"""kpt show"""

from __future__ import annotations

from typing import Annotated

import typer

from kpatch_tool.cli import common
from kpatch_tool.series import store, view


def command(
    series: common.SeriesArgument,
    patch: Annotated[int | None, typer.Option("--patch", metavar="K", help="Everything about patch K.")] = None,
    as_json: common.JsonOption = False,
) -> None:
    """What is in a series: patches, trailers, files, replies, and how sure every patch's bytes are."""
    loaded = store.load(store.find(common.here(), series))
    one = None if patch is None else store.patch_of(loaded, patch)
    if as_json:
        common.emit_json(view.document(loaded, patch))
        return
    for line in view.text(loaded) if one is None else view.patch_text(loaded, one):
        typer.echo(line)
