"""kpt deps"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from kpatch_tool.cli import common


class Format(StrEnum):
    """How to show the graph."""

    TEXT = "text"
    JSON = "json"
    DOT = "dot"
    MERMAID = "mermaid"


def command(
    series: common.SeriesArgument = None,
    tree: common.TreeOption = None,
    form: Annotated[Format, typer.Option("--format", help="How to show the graph.")] = Format.TEXT,
    as_json: common.JsonOption = False,
) -> None:
    """Which patch needs which, and why; what the series needs from outside. Ends with 1 where that is missing."""
    from kpatch_tool.depend import render
    from kpatch_tool.series.directory import store
    from kpatch_tool.tree.needs import dependencies_named

    workspace = common.here()
    loaded = store.load(store.find(workspace, common.chosen(workspace, series)))
    needs = dependencies_named(workspace, loaded, tree)
    with common.verdict(findings=needs.unmet):
        if as_json or form is Format.JSON:
            common.emit_json(render.document(needs))
        else:
            typer.echo(render.FORMATS[form](loaded, needs))
