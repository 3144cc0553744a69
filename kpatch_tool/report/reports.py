"""Reports as files, and the record they are made of."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Mapping
from pathlib import Path

from kpatch_tool.errors import InputError
from kpatch_tool.mail.message import Address
from kpatch_tool.report.document import run_document
from kpatch_tool.report.html import page
from kpatch_tool.report.junit import junit
from kpatch_tool.report.table import show
from kpatch_tool.report.tap import tap
from kpatch_tool.results.record import RunRecord
from kpatch_tool.results.store import Store
from kpatch_tool.series.directory.store import find, load, name_of
from kpatch_tool.system import atomic, process
from kpatch_tool.text import json_printable
from kpatch_tool.workspace import Workspace

_TEXT_COLUMNS = 100
_IDENTITY = ("git", "-c", "user.useConfigOnly=true", "var", "GIT_COMMITTER_IDENT")  # so that git guesses nothing


def last(workspace: Workspace, series: str | None) -> RunRecord:
    """The newest run of `series` (name or directory; None: of the series that ran last).

    Raises InputError when there is none.
    """
    with Store(workspace) as store:
        name = store.last_series() if series is None else name_of(series)
        known = name if name is not None and name.isascii() else None  # as every name is
        record = store.last_run(known) if known is not None else None
        kept = record is None and known is not None and store.has_runs(known)
    if record is None:
        if series is not None:
            find(workspace, series)  # says so when there is no such series
        where = "this workspace" if name is None else name
        what = "what was run was kept by another version of kpt" if kept else "nothing was run yet"
        raise InputError(what, where=where, todo=f"`kpt run {name or 'SERIES'}` makes results")
    return record


def text(record: RunRecord) -> str:
    """What `kpt report` prints, without colour."""
    from rich.console import Console

    out = io.StringIO()
    show(record, Console(file=out, width=_TEXT_COLUMNS, highlight=False, no_color=True))
    return out.getvalue()


def mail(workspace: Workspace, record: RunRecord) -> str:
    """The draft of an answer to the series' mails (report.letter).

    Raises InputError when the series is not there any more, is another than was run, or git does not know who writes.
    """
    from kpatch_tool.report import letter
    from kpatch_tool.series.directory.posted import posted

    directory = find(workspace, record.series)
    series = load(directory)
    told = [(patch.number, patch.subject) for patch in record.patches]
    if series.revision != record.revision or [(patch.number, patch.subject) for patch in series.patches] != told:
        raise InputError("the series is another than was run", where=record.series, todo=f"`kpt run {record.series}`")
    answered = posted(directory, series, letter.answered(record))
    return letter.draft(record, series, answered, _writer(workspace)).text


def _writer(workspace: Workspace) -> Address:
    """Who writes, as git would sign a commit here."""
    said = process.run(_IDENTITY, cwd=workspace.root)
    name, _, rest = said.stdout.decode("utf-8", "replace").partition(" <")
    email = rest.partition(">")[0]
    if said.status != 0 or not name or "@" not in email:
        todo = "`git config --global user.name NAME` and `git config --global user.email EMAIL`"
        raise InputError("git does not know who you are", where="Tested-by", todo=todo)
    return Address(name, email)


MAKERS: Mapping[str, Callable[[Workspace, RunRecord], str]] = {
    "text": lambda _, record: text(record),
    "html": lambda _, record: page(record),
    "junit": lambda _, record: junit(record),
    "tap": lambda _, record: tap(record),
    "json": lambda _, record: _json(record),
    "mail": mail,
}


def write(workspace: Workspace, record: RunRecord, form: str, path: Path) -> None:
    """Write a report (a key of MAKERS) to `path`: a plain file whole or not at all, a link, a pipe or a device as it
    stands there.

    Raises InputError when `path` cannot be the name of a file, and what `mail` raises.
    """
    data = encoded(MAKERS[form](workspace, record))
    nowhere = InputError("no file can be written there", where=str(path), todo="name a file in a directory")
    if not path.name or not path.parent.is_dir():
        raise nowhere
    try:
        if path.is_symlink() or (path.exists() and not path.is_file()):
            with atomic.machine_errors(path):
                path.write_bytes(data)
        else:
            atomic.write_bytes(path, data)
    except (IsADirectoryError, NotADirectoryError, FileNotFoundError) as error:
        raise nowhere from error


def encoded(report: str) -> bytes:
    """A report's bytes: UTF-8 whatever the locale; what is no character stays as its escape."""
    return report.encode("utf-8", "backslashreplace")


def write_all(workspace: Workspace, record: RunRecord, directory: Path) -> tuple[Path, ...]:
    """Write report.html and report.json into `directory`; their paths."""
    with atomic.machine_errors(directory):
        directory.mkdir(parents=True, exist_ok=True)
    paths = {form: directory / f"report.{form}" for form in ("html", "json")}
    for form, path in paths.items():
        write(workspace, record, form, path)
    return tuple(paths.values())


def _json(record: RunRecord) -> str:
    return json_printable(json.dumps({"kpt": 1, **run_document(record)}, ensure_ascii=False, indent=1)) + "\n"
