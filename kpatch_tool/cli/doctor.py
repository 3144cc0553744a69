"""kpt doctor"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from kpatch_tool import doctor
from kpatch_tool.cli.common import JsonOption, console, emit_json, verdict
from kpatch_tool.report import checkup


def command(
    install: Annotated[bool, typer.Option("--install", help="Install what is missing (apt; sudo asks).")] = False,
    as_json: JsonOption = False,
) -> None:
    """What this machine lacks, and the command that brings it. Exit status 3 when something required is missing."""
    found = doctor.check(Path.cwd())
    if install and not found.well:
        doctor.install(found.packages)
        found = doctor.check(Path.cwd())
    with verdict(findings=False, incomplete=not found.well):
        if as_json:
            emit_json(checkup.document(found))
        else:
            checkup.show(found, console())
