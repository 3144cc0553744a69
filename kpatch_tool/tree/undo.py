"""`kpt undo`: branch kpt/SERIES and its record back to what they were before the last apply, in one transaction.

As StGit's `stg undo`, it can be repeated and goes further back each time; `redo` goes the other way, until the next
apply. Commits are never removed: the history keeps those of every apply.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path

from kpatch_tool.errors import InputError
from kpatch_tool.series.directory import store
from kpatch_tool.tree.adding import tree_lock
from kpatch_tool.tree.applied import LAST, RECORD_FILE, decode, moved_by_hand, refs_of, tree_of
from kpatch_tool.tree.catalogue import Catalogue
from kpatch_tool.tree.model import Applied, Tree, branch_name
from kpatch_tool.tree.objects import Objects
from kpatch_tool.tree.refs import Move, move_refs, read_refs
from kpatch_tool.workspace import Workspace

_LOCK_PATIENCE = 10.0  # seconds, as for an apply


@dataclass(frozen=True, slots=True)
class Undone:
    """What an undo (or redo) did: the branch's commit before and now (None: no branch), how many patches it has now,
    and whether one can go further back, and forth."""

    series: str
    tree: str
    git_dir: Path
    branch: str
    redo: bool
    before: str | None
    head: str | None
    patches: int
    can_undo: bool
    can_redo: bool


@dataclass(frozen=True, slots=True)
class _Refs:
    """The refs of a series; each None where it is not there."""

    branch: str | None
    record: str | None
    history: str | None
    undone: str | None


@dataclass(frozen=True, slots=True)
class _Entry:
    """One apply of the history: its commit, the entry before it, its record as an id and as a value."""

    commit: str
    before: str | None
    record: str
    applied: Applied


def undo_named(workspace: Workspace, name: str | None, *, tree: str | None = None, redo: bool = False) -> Undone:
    """Take back the last apply of series `name` (None: the one applied last), or with `redo` the last undo.

    `tree` is the one it was applied to last where None. Raises InputError when there is nothing to take back or the
    branch is not where kpt left it, MachineError when git cannot; nothing has changed then.
    """
    series = _series_name(workspace, name)
    catalogue = Catalogue(workspace)
    chosen = tree_of(workspace, catalogue, series) if tree is None else catalogue.get(tree)
    with tree_lock(catalogue, chosen.name, wait_seconds=_LOCK_PATIENCE), Objects(chosen.git_dir) as objects:
        return _undo(objects, chosen, series, redo=redo)


def _undo(objects: Objects, tree: Tree, series: str, *, redo: bool) -> Undone:
    names = refs_of(series)
    there = read_refs(tree.git_dir, names)
    now = _Refs(*(there.get(name) for name in names))
    _refuse_moved(objects, tree, series, now)
    if redo:
        target = _next(objects, now)
        if target is None:
            raise _nothing(tree, series, "no undo to take back")
    else:
        if now.record is None or now.history is None:
            raise _nothing(tree, series, "no apply to take back")
        before = _entry(objects, now.history).before
        target = None if before is None else _entry(objects, before)
    tip = now.undone or now.history
    after = _Refs(None, None, None, tip) if target is None else _refs_at(target, tip)
    moves = [Move(name, old, new) for name, old, new in zip(names, _row(now), _row(after), strict=True)]
    move_refs(tree.git_dir, moves)
    patches = 0 if target is None else len(target.applied.states) - 1
    return Undone(
        series=series,
        tree=tree.name,
        git_dir=tree.git_dir,
        branch=branch_name(series),
        redo=redo,
        before=now.branch,
        head=after.branch,
        patches=patches,
        can_undo=target is not None,
        can_redo=after.undone is not None,
    )


def _row(refs: _Refs) -> tuple[str | None, ...]:
    return refs.branch, refs.record, refs.history, refs.undone


def _refs_at(entry: _Entry, tip: str | None) -> _Refs:
    """The refs when `entry` is what is applied; at the newest apply there is nothing left to redo."""
    return _Refs(entry.applied.head.commit, entry.record, entry.commit, None if entry.commit == tip else tip)


def _next(objects: Objects, now: _Refs) -> _Entry | None:
    """The entry that follows the one applied now, on the way to the newest undone one."""
    entry = None if now.undone is None else _entry(objects, now.undone)
    while entry is not None and entry.before != now.history:
        entry = None if entry.before is None else _entry(objects, entry.before)
    return entry


def _entry(objects: Objects, commit: str) -> _Entry:
    found = objects.commit(commit)
    file = objects.file(commit, RECORD_FILE)
    try:
        if found is None or file is None:
            raise ValueError("an entry of the history is missing")
        before = found.parents[0] if len(found.parents) > 1 else None
        return _Entry(commit, before, file.oid, decode(file.data))
    except ValueError as error:
        raise InputError(str(error), where=commit, todo="run `kpt apply` again") from error


def _refuse_moved(objects: Objects, tree: Tree, series: str, now: _Refs) -> None:
    data = None if now.record is None else objects.blob(now.record)
    try:
        recorded = None if data is None else decode(data).head.commit
    except ValueError:
        recorded = None
    if recorded != now.branch:
        raise moved_by_hand(tree, series, there=now.branch is not None)


def _nothing(tree: Tree, series: str, what: str) -> InputError:
    branches = f"git -C {shlex.quote(str(tree.git_dir))} branch"
    todo = f"other series and trees have their own (SERIES, --tree); see `{branches}`"
    return InputError(f"{what}: {series} on tree {tree.name}", todo=todo)


def _series_name(workspace: Workspace, name: str | None) -> str:
    """Its directory may be gone: the branch is enough."""
    found = name if name is not None else workspace.remembered(LAST)
    if found is None:
        raise InputError("no series was applied yet", todo="run `kpt apply SERIES`")
    return store.check_name(store.name_of(found), "SERIES")
