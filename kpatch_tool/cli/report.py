"""kpt report"""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from kpatch_tool.cli.common import JsonOption, console, here

_STDOUT = "-"
_SERIES_HELP = "A series, its name or its directory; the one that ran last where left out."


class Format(StrEnum):
    TEXT = "text"
    HTML = "html"
    JUNIT = "junit"
    TAP = "tap"
    JSON = "json"
    MAIL = "mail"


def command(
    series: Annotated[str | None, typer.Argument(metavar="[SERIES]", help=_SERIES_HELP)] = None,
    form: Annotated[Format, typer.Option("--format", help="What to write; mail: a reply to the series.")] = Format.TEXT,
    output: Annotated[
        str | None, typer.Option("-o", "--output", metavar="FILE", help="Write it to this file; - is standard output.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """The results of the last `kpt run` of a series."""
    from kpatch_tool.report import reports, table

    workspace = here()
    record = reports.last(workspace, series)
    form = Format.JSON if as_json else form
    if output is not None and output != _STDOUT:
        reports.write(workspace, record, form.value, Path(output))
        typer.echo(f"report: {output}", err=as_json)
    elif form is Format.TEXT:
        table.show(record, console())
    else:
        sys.stdout.buffer.write(reports.encoded(reports.MAKERS[form.value](workspace, record)))
        sys.stdout.buffer.flush()
