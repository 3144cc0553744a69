"""kpt init"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from kpatch_tool import workspace


def command(
    directory: Annotated[Path, typer.Argument(help="Where; this directory where left out.")] = Path(),
) -> None:
    """Make a directory a kpt workspace. What is there already is kept."""
    made = workspace.create(directory)
    typer.echo(f"workspace: {made.root}")
