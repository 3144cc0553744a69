"""Reports as files, and the record they are made of."""

from __future__ import annotations

import io
import json
from pathlib import Path

from kpatch_tool import atomic
from kpatch_tool.errors import InputError
from kpatch_tool.report.document import run_document
from kpatch_tool.report.html import page
from kpatch_tool.report.table import show
from kpatch_tool.results.record import RunRecord
from kpatch_tool.results.store import Store
from kpatch_tool.series.store import find
from kpatch_tool.workspace import Workspace

_TEXT_COLUMNS = 100


def last(workspace: Workspace, series: str | None) -> RunRecord:
    """The newest run of `series` (name or directory; None: of the series that ran last).

    Raises InputError when there is none.
    """
    with Store(workspace) as store:
        name = store.last_series() if series is None else Path(series).name
        record = store.last_run(name) if name is not None else None
    if record is None:
        if series is not None:
            find(workspace, series)  # says so when there is no such series
        where = "this workspace" if name is None else name
        raise InputError("nothing was run yet", where=where, todo=f"`kpt run {name or 'SERIES'}` makes results")
    return record


def text(record: RunRecord) -> str:
    """What `kpt report` prints, without colour."""
    from rich.console import Console

    out = io.StringIO()
    show(record, Console(file=out, width=_TEXT_COLUMNS, highlight=False, no_color=True))
    return out.getvalue()


def write(record: RunRecord, form: str, path: Path) -> None:
    """Write a report ("text", "html" or "json") to `path`, whole or not at all.

    Raises InputError when `path` cannot be the name of a file.
    """
    makers = {"text": text, "html": page, "json": _json}
    data = makers[form](record).encode("utf-8", "backslashreplace")
    try:
        atomic.write_bytes(path, data)
    except (IsADirectoryError, NotADirectoryError, FileExistsError, FileNotFoundError) as error:
        raise InputError("no file can be written there", where=str(path), todo="name a file in a directory") from error


def write_all(record: RunRecord, directory: Path) -> tuple[Path, ...]:
    """Write report.html and report.json into `directory`; their paths."""
    paths = {form: directory / f"report.{form}" for form in ("html", "json")}
    for form, path in paths.items():
        write(record, form, path)
    return tuple(paths.values())


def _json(record: RunRecord) -> str:
    return json.dumps({"kpt": 1, **run_document(record)}, ensure_ascii=False, indent=1) + "\n"


__all__ = ["last", "page", "run_document", "show", "text", "write", "write_all"]
