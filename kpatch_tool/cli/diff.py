"""kpt diff"""

from __future__ import annotations

from typing import Annotated

import typer

from kpatch_tool.cli import common

_NAMED = "A series: its name or directory, or NAME@K for revision K of the thread it was imported from."


def command(
    a: Annotated[str, typer.Argument(metavar="A", help=_NAMED)],
    b: Annotated[str, typer.Argument(metavar="B", help="The other one, the newer: as A.")],
    *,
    no_patch: Annotated[bool, typer.Option("--no-patch", "-s", help="Only what became of each patch.")] = False,
    creation_factor: Annotated[
        int,
        typer.Option(
            "--creation-factor",
            metavar="PERCENT",
            min=0,
            max=1000,
            help="How much a pair may differ, as in git range-diff.",
        ),
    ] = 60,
    as_json: common.JsonOption = False,
) -> None:
    """What changed between two revisions, patch by patch, and which reviews still hold. A difference is no finding."""
    from kpatch_tool.report import rangediff as show
    from kpatch_tool.series.directory.naming import load_named
    from kpatch_tool.series.views.rangediff import compare

    workspace = common.here()
    found = compare(load_named(workspace, a), load_named(workspace, b), creation_factor)
    if as_json:
        common.emit_json(show.document(found))
    else:
        show.show(found, common.console(), patches=not no_patch)
