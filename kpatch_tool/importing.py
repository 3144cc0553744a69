"""`kpt import` as a whole: sources in, a series directory and what is in it out."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from kpatch_tool.mail.elsewhere import Elsewhere
from kpatch_tool.mail.read import Received, read_sources
from kpatch_tool.progress import Progress, silent
from kpatch_tool.series import listing, store
from kpatch_tool.series.assemble import assemble
from kpatch_tool.series.attesting import attested
from kpatch_tool.series.model import Series
from kpatch_tool.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Request:
    """What the user asked for. `name` is empty where it is to be made of the title; `revision` None for the latest;
    `pick` chooses among several series (number, part of the title, message-id); `git` is the clone that the sources are
    commits of; `timeout` in seconds for a thread on the network; `sloppy` takes trailers of other addresses; `attest`
    checks signatures; `force` replaces a series of that name."""

    sources: tuple[str, ...]
    name: str = ""
    revision: int | None = None
    pick: str = ""
    tree: str | None = None
    git: Path | None = None
    timeout: float = 120.0
    sloppy: bool = False
    attest: bool = True
    force: bool = False


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
