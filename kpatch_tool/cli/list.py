"""kpt list"""

from __future__ import annotations

import typer

from kpatch_tool.cli import common
from kpatch_tool.series.directory import store
from kpatch_tool.series.views import view


def command(as_json: common.JsonOption = False) -> None:
    """The series of this workspace."""
    workspace = common.here()
    found = store.load_all(workspace)
    if as_json:
        common.emit_json({"series": [view.summary(series) for series in found]})
        return
    for line in view.table(found):
        typer.echo(line)
