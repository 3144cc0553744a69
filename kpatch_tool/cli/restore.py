"""kpt restore"""

from __future__ import annotations

import typer

from kpatch_tool.cli import common


def command(
    series: common.SeriesArgument = None,
    *,
    tree: common.TreeOption = None,
    as_json: common.JsonOption = False,
) -> None:
    """Give a series from an archive page its white space back, and say how sure every patch's bytes are."""
    from kpatch_tool.report import restored as show
    from kpatch_tool.tree.restoring import restore_named

    workspace = common.here()
    done = restore_named(workspace, common.chosen(workspace, series), tree=tree)
    with common.verdict(findings=done.damaged):
        if as_json:
            common.emit_json(show.document(done))
        else:
            typer.echo(show.text(done))
