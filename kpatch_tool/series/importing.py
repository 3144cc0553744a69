"""`kpt import` as a whole: sources in, a series directory and what is in it out."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from kpatch_tool.mail.elsewhere import Elsewhere
from kpatch_tool.mail.read import Received, read_sources
from kpatch_tool.progress import Progress, silent
from kpatch_tool.series.assemble import assemble
from kpatch_tool.series.directory import store
from kpatch_tool.series.mailboxes import listing
from kpatch_tool.series.model import Series
from kpatch_tool.series.people.attesting import attested
from kpatch_tool.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Request:
    """What the user asked for."""

    sources: tuple[str, ...]
    name: str = ""  # empty: made of the title
    revision: int | None = None  # None: the latest
    pick: str = ""  # which of several series: a number, part of the title, a message id
    tree: str | None = None
    git: Path | None = None  # the clone that the sources are commits of
    timeout: float = 120.0  # seconds for a thread on the network
    sloppy: bool = False  # take trailers of other addresses
    attest: bool = True  # check signatures
    force: bool = False  # replace a series of that name


@dataclass(frozen=True, slots=True)
class Imported:
    """The series as its directory has it now; `written` is False where it was there already."""

    series: Series
    directory: Path
    written: bool


def import_request(workspace: Workspace, request: Request, progress: Progress = silent) -> Imported:
    """Read the sources, take one series out of them, and write it to series/NAME.

    Raises InputError for what cannot be read or chosen and for a series of that name from another source, MachineError
    when the network or the disk fails.
    """
    if request.name:
        store.check_name(request.name)
    received, pick = _received(workspace, request, progress)
    series = assemble(
        received.messages,
        where=", ".join(request.sources),
        name=request.name,
        revision=request.revision,
        pick=pick,
        in_order=received.patch_files,
        sloppy=request.sloppy,
    )
    if request.attest:
        series = attested(series, received.files)
    directory, written = store.save(
        workspace,
        replace(series, tree=request.tree, problems=(*series.problems, *received.notes)),
        received,
        force=request.force,
        revision=request.revision,
        sloppy=request.sloppy,
        pick=pick,
    )
    return Imported(store.load(directory), directory, written)


def _received(workspace: Workspace, request: Request, progress: Progress) -> tuple[Received, str]:
    """What the sources hold (of a large mailbox: the thread chosen), and the choice that is left to make."""
    if request.git is None and listing.is_large(request.sources):
        return listing.receive(
            workspace.cache, request.sources, pick=request.pick, revision=request.revision, progress=progress
        )
    elsewhere = Elsewhere(workspace, request.timeout, request.git)
    fetched_only = request.git is not None
    return read_sources(request.sources, fetch=elsewhere, fetched_only=fetched_only, say=progress), request.pick
