"""kpt undo"""

from __future__ import annotations

from typing import Annotated

import typer

from kpatch_tool.cli import common


def command(
    series: common.SeriesArgument = None,
    *,
    tree: common.TreeOption = None,
    redo: Annotated[bool, typer.Option("--redo", help="Take back the last undo.")] = False,
    as_json: common.JsonOption = False,
) -> None:
    """Take back the last apply: branch kpt/SERIES is where it was before, or gone. Again: the one before that."""
    from kpatch_tool.report import undo as show
    from kpatch_tool.tree.undo import undo_named

    done = undo_named(common.here(), series, tree=tree, redo=redo)
    if as_json:
        common.emit_json(show.document(done))
    else:
        typer.echo(show.text(done))
