"""Making room: what was of no use for the longest time goes first, what a running kpt uses stays.

An entry goes in three steps, each whole: its directory gets another name (nobody finds it any more), its row goes,
its files go. A kpt killed in between leaves a directory without a row or a row without a directory, neither of which
counts, and the next prune removes it. Contents go when their last name did (kpatch_tool.storage.contents).
"""

from __future__ import annotations

import contextlib
import re
import shutil
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

from kpatch_tool.errors import InputError, MachineError
from kpatch_tool.results.kept import Kept, Kind, disk_use, kept, places, stats
from kpatch_tool.storage.contents import Contents
from kpatch_tool.storage.database import Database
from kpatch_tool.system import leftovers, lock
from kpatch_tool.system.atomic import machine_errors
from kpatch_tool.vm import saved
from kpatch_tool.workspace import Workspace

_LOCK_SECONDS = 60.0
_ABANDONED_SECONDS = 3600.0  # a directory without a row, this old, is nobody's work in progress
_ROOM = 1 << 20  # bytes that SQLite wants for its own files beside the store
_REMOVED = ".kpt-removed-"
_SIZES = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}
_AGES = {"h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}
_STATEMENTS = {
    Kind.BUILD: ("DELETE FROM builds WHERE key = ?",),
    Kind.TESTS: ("DELETE FROM tests WHERE key = ?", "DELETE FROM tested WHERE key = ?"),
    Kind.RUN: ("DELETE FROM runs WHERE id = ?",),
}


@dataclass(frozen=True, slots=True)
class Pruned:
    """What was removed, what would have been but is in use, and the bytes on disk before and after."""

    removed: tuple[Kept, ...]
    in_use: tuple[Kept, ...]
    before: int
    after: int


def size_of(text: str) -> int:
    """The bytes in "2G", "1.5G", "500M", "1000" (K, M, G, T: powers of 1024). Raises InputError for anything else."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([KMGT]?)i?B?", text.strip(), re.IGNORECASE)
    if match is None:
        raise InputError(f"{text!r} is no size", where="--max-size", todo="write 500M or 2G")
    return int(Decimal(match[1]) * _SIZES[match[2].upper()])


def age_of(text: str) -> timedelta:
    """The time in "30d", "12h", "2w". Raises InputError for anything else."""
    match = re.fullmatch(r"(\d{1,5})([hdw])", text.strip())
    if match is None:
        raise InputError(f"{text!r} is no age", where="--older-than", todo="write 12h, 30d or 4w")
    return int(match[1]) * _AGES[match[2]]


def prune(
    workspace: Workspace, *, max_size: int | None = None, older_than: timedelta | None = None, pretend: bool = False
) -> Pruned:
    """Remove what was not used for `older_than`, then the least recently used until at most `max_size` bytes are left.

    Without either only leftovers go. `pretend` removes nothing, so that it needs no lock either (the workspace may be
    one that can only be read), and tells what would be; its `after` is an estimate. Raises MachineError when another
    kpt prunes, or the files cannot be removed.
    """
    alone = lock.held(workspace.lock("prune"), wait_seconds=_LOCK_SECONDS)
    with contextlib.nullcontext() if pretend else alone, Database(workspace) as database:
        before = disk_use(places(workspace))
        if not pretend:
            _make_room(workspace)
        return _Pruning(workspace, database, pretend, before).run(max_size, older_than)


def _make_room(workspace: Workspace) -> None:
    """On a full disk SQLite can only read: what is of no use for the longest time goes without asking it, until it
    can write."""
    for machine in saved.saved_machines(workspace.cache):
        if shutil.disk_usage(workspace.state).free < _ROOM and machine.unused():
            machine.forget()
    oldest_first = sorted(_directories(workspace), key=_modified)
    contents = Contents.of(workspace)
    while oldest_first and shutil.disk_usage(workspace.state).free < _ROOM:
        directory = oldest_first.pop(0)
        with lock.held_unless_pinned(directory) as free:
            if free:
                _delete(directory)
        contents.sweep()


class _Pruning:
    def __init__(self, workspace: Workspace, database: Database, pretend: bool, before: int) -> None:
        self._workspace, self._database, self._pretend = workspace, database, pretend
        self._before = self._now = before
        self._contents = Contents.of(workspace)
        self._sharing: Counter[Path | None] = Counter()  # how many entries have files in a directory
        self._removed: list[Kept] = []
        self._in_use: list[Kept] = []

    def run(self, max_size: int | None, older_than: timedelta | None) -> Pruned:
        if not self._pretend:
            self._leftovers()
        oldest_first = list(reversed(kept(self._workspace)))
        self._sharing.update(one.directory for one in oldest_first)
        limit = "" if older_than is None else (datetime.now(UTC) - older_than).isoformat(timespec="seconds")
        try:
            for one in oldest_first:
                if one.used_at < limit or (max_size is not None and self._now > max_size):
                    self._remove(one)
        finally:
            if self._removed and not self._pretend:
                self._contents.sweep()  # looks at all contents there are
        if self._removed and not self._pretend:
            with contextlib.suppress(MachineError):  # it wants room of its own; the next prune gets it
                self._database.shrink()
        if not self._pretend:
            self._now = disk_use(places(self._workspace))
        return Pruned(tuple(self._removed), tuple(self._in_use), self._before, self._now)

    def _remove(self, one: Kept) -> None:
        """Remove one entry, unless it is in use."""
        if one.kind is Kind.GUEST:
            self._remove_guest(one)
            return
        if one.directory is None or not one.directory.is_relative_to(self._workspace.state):
            self._forget(one)  # an older store that was copied names the files of the first
            return
        if self._sharing[one.directory] > 1:  # a boot runs several suites
            self._sharing[one.directory] -= 1
            self._forget(one)
            return
        with lock.held_unless_pinned(one.directory) as free:
            if not free:
                self._in_use.append(one)
                return
            self._now -= _freed(one.directory)
            if not self._pretend:
                aside = _set_aside(one.directory)
        self._forget(one)
        if not self._pretend:
            _delete(aside)

    def _remove_guest(self, one: Kept) -> None:
        machine = saved.SavedMachine(one.files["machine"])
        if not machine.unused():
            self._in_use.append(one)
            return
        self._now -= one.size
        if not self._pretend:
            machine.forget()
        self._removed.append(one)

    def _forget(self, one: Kept) -> None:
        self._removed.append(one)
        if not self._pretend:
            self._database.transaction([(statement, (one.key,)) for statement in _STATEMENTS[one.kind]])

    def _leftovers(self) -> None:
        """What killed ones left: directories of removed entries, directories without a row, rows without one."""
        there = kept(self._workspace)
        for one in there:
            if one.kind is Kind.BUILD and one.directory is not None and not one.directory.is_dir():
                self._database.execute("DELETE FROM builds WHERE key = ?", (one.key,))
        # What hung and was run once more in full has its outputs there.
        known = {one.directory for one in there} | {file.parent for one in there for file in one.files.values()}
        for directory in _directories(self._workspace):
            if directory.name.startswith(_REMOVED):
                _delete(directory)
            elif directory not in known and _is_old(directory):
                with lock.held_unless_pinned(directory) as free:
                    aside = _set_aside(directory) if free else None
                _delete(aside)
        self._database.execute("DELETE FROM tested WHERE key NOT IN (SELECT key FROM tests)")
        saved.sweep(self._workspace.cache)
        self._contents.sweep()


def _directories(workspace: Workspace) -> Iterator[Path]:
    for root in (workspace.state / "artifacts", workspace.logs / "test"):
        if root.is_dir():
            yield from sorted(path for path in root.iterdir() if path.is_dir())


def _freed(directory: Path) -> int:
    """The bytes that go with a directory: contents whose only other name is the one below objects/."""
    return sum(status.st_size for status in stats(directory) if status.st_nlink <= 2)


def _is_old(directory: Path) -> bool:
    return time.time() - _modified(directory) > _ABANDONED_SECONDS


def _modified(directory: Path) -> float:
    try:
        return directory.stat().st_mtime
    except FileNotFoundError:
        return time.time()


def _set_aside(directory: Path) -> Path | None:
    aside = directory.with_name(f"{_REMOVED}{directory.name}")
    _delete(aside if aside.exists() else None)
    try:
        with machine_errors(directory):
            return directory.rename(aside)
    except FileNotFoundError:
        return None


def _delete(directory: Path | None) -> None:
    if directory is not None:
        with contextlib.suppress(MachineError):
            leftovers.remove(directory)
