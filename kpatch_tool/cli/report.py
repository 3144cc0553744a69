"""kpt report"""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from kpatch_tool.cli.common import OptionalSeries, console, emit_json, here


class Format(StrEnum):
    TEXT = "text"
    HTML = "html"
    JSON = "json"


def command(
    series: OptionalSeries = None,
    form: Annotated[Format, typer.Option("--format", help="What to write.")] = Format.TEXT,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Write it to this file.")] = None,
) -> None:
    """The results of the last `kpt run` of a series."""
    from kpatch_tool.report import reports

    record = reports.last(here(), series)
    if output is not None:
        reports.write(record, form.value, output)
        typer.echo(f"report: {output}")
    elif form is Format.JSON:
        emit_json(reports.run_document(record))
    elif form is Format.HTML:
        sys.stdout.write(reports.page(record))
    else:
        reports.show(record, console())
