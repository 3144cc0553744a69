"""The record of a series on a tree: a blob under refs/kpt/applied/SERIES of the tree's repository.

It lies in the repository, moved by the same transaction as the branch, so the two always agree. The records before it
are kept under refs/kpt/history/SERIES: a chain of commits, each with its record as the only file, the entry before it
as first parent and the branch of then as last one, so that git keeps what they need (StGit's log has the same shape).
"""

from __future__ import annotations

import contextlib
import json
import os
import shlex
from dataclasses import dataclass

from kpatch_tool.errors import InputError, MachineError
from kpatch_tool.series.directory import store
from kpatch_tool.system import process
from kpatch_tool.tree.catalogue import Catalogue
from kpatch_tool.tree.failed import BadSetting
from kpatch_tool.tree.model import Applied, State, Tree, branch_name
from kpatch_tool.tree.objects import Objects
from kpatch_tool.tree.refs import at_rest, read_refs, settle
from kpatch_tool.workspace import Workspace

RECORD_FILE = "record"  # the file of a history's entry
LAST = "series"  # the workspace's memory of the series applied last
_WHERE = "applied"  # ... and of the tree each series was applied to last: "applied:NAME" -> tree


def record_ref(series: str) -> str:
    """The ref that holds the record of a series."""
    return f"refs/kpt/applied/{series}"


def history_ref(series: str) -> str:
    """The ref that holds what was applied before, newest first (kpatch_tool.tree.undo)."""
    return f"refs/kpt/history/{series}"


def undone_ref(series: str) -> str:
    """The ref that holds what `kpt undo` took back, until the next apply."""
    return f"refs/kpt/undone/{series}"


def refs_of(series: str) -> tuple[str, str, str, str]:
    """The refs of a series that move together: its branch, record, history and what was undone."""
    return f"refs/heads/{branch_name(series)}", record_ref(series), history_ref(series), undone_ref(series)


def encode(applied: Applied) -> bytes:
    """The record as JSON."""
    states = [
        {"patch": state.patch, "commit": state.commit, "tree": state.tree_id, "subject": state.subject}
        for state in applied.states
    ]
    row = {"kpt": 1, "series": applied.series, "tree": applied.tree, "branch": applied.branch, "states": states}
    return json.dumps(row, indent=1).encode() + b"\n"


def decode(data: bytes) -> Applied:
    """The record in `data`. Raises ValueError for anything else."""
    row = json.loads(data)
    try:
        states = tuple(
            State(int(state["patch"]), str(state["commit"]), str(state["tree"]), str(state["subject"]))
            for state in row["states"]
        )
        return Applied(str(row["series"]), str(row["tree"]), str(row["branch"]), states)
    except (KeyError, TypeError) as error:
        raise ValueError("not a record of an applied series") from error


def remember(workspace: Workspace, series: str, tree: str) -> None:
    """Keep that `series` was applied last, and to `tree`."""
    if workspace.remembered(LAST) != series:
        workspace.remember(LAST, series)
    if workspace.remembered(f"{_WHERE}:{series}") != tree:
        workspace.remember(f"{_WHERE}:{series}", tree)


def tree_of(workspace: Workspace, catalogue: Catalogue, series: str, tree: str | None = None) -> Tree:
    """`tree`, or where None the one `series` was applied to last; where the workspace does not remember one (its memory
    may be lost), the only one that has a record of the series. Raises InputError when that is not here."""
    where = tree if tree is not None else workspace.remembered(f"{_WHERE}:{series}")
    found = _sought(catalogue, series) if where is None else catalogue.find(where)
    if found is None:
        store.find(workspace, series)  # says so when there is no such series
        raise InputError(f"series {series} is not applied to any tree here", todo=f"run `kpt apply {series}`")
    return found


def _sought(catalogue: Catalogue, series: str) -> Tree | None:
    having = [one for one in catalogue.here() if _has_record(one, series)]
    if len(having) > 1:
        names = ", ".join(one.name for one in having)
        raise InputError(f"series {series} is applied to several trees: {names}", todo="name one with --tree")
    return having[0] if having else None


def _has_record(tree: Tree, series: str) -> bool:
    """Whether the series is applied there, or an apply of it was undone."""
    try:
        return bool(read_refs(tree.git_dir, (record_ref(series), undone_ref(series))))
    except BadSetting:
        raise
    except MachineError:  # this tree is damaged; it may have nothing to do with the series
        return False


def load_applied(workspace: Workspace, series: str | None = None, *, tree: str | None = None) -> Applied:
    """The states of `series` (its name or its directory; None: the one applied last) on `tree` (None: the tree it was
    applied to last).

    Raises InputError, saying what to run, when it is not applied there.
    """
    name = workspace.remembered(LAST) if series is None else store.name_of(series)
    if name is None:
        raise InputError("no series was applied yet", todo="run `kpt apply SERIES`")
    found = tree_of(workspace, Catalogue(workspace), name, tree)
    settle(found.git_dir)
    with Objects(found.git_dir) as objects:
        recorded = _recorded(objects, name)
        if not recorded.agrees:
            with at_rest(found.git_dir):  # another kpt may have moved them between the two readings
                recorded = _recorded(objects, name)
    todo = f"run `kpt apply {name} --tree {found.name}`"
    if recorded.data is None:
        raise InputError(f"series {name} is not applied to tree {found.name}", todo=todo)
    if recorded.applied is None:
        where = f"{found.git_dir} {record_ref(name)}"
        raise InputError("not a record of an applied series", where=where, todo=todo)
    if not recorded.agrees:
        raise moved_by_hand(found, name, there=recorded.head is not None)
    return recorded.applied


def moved_by_hand(tree: Tree, series: str, *, there: bool) -> InputError:
    """That branch kpt/SERIES is not as kpt left it, and what to do. `there`: it still exists."""
    branch = branch_name(series)
    keep = f"keep it: git -C {shlex.quote(str(tree.git_dir))} branch -m {branch} NEW-NAME"
    todo = keep if there else f"run `kpt apply {series} --tree {tree.name}`"
    done = "moved" if there else "removed"
    return InputError(f"branch {branch} was {done} by another hand", where=f"tree {tree.name}", todo=todo)


def is_kpts_own(objects: Objects, tree: Tree, series: str) -> bool:
    """Whether branch kpt/SERIES is where kpt left it, or not there."""
    if _recorded(objects, series).is_kpts_own:
        return True
    with at_rest(tree.git_dir):
        return _recorded(objects, series).is_kpts_own


@dataclass(frozen=True, slots=True)
class _Recorded:
    """The record of a series as it was read, the value it holds, and the commit its branch is at; None for what is not
    there."""

    data: bytes | None
    applied: Applied | None
    head: str | None

    @property
    def agrees(self) -> bool:
        return self.applied is not None and self.applied.head.commit == self.head

    @property
    def is_kpts_own(self) -> bool:
        return self.head is None or self.agrees


def _recorded(objects: Objects, series: str) -> _Recorded:
    head = objects.commit(f"refs/heads/{branch_name(series)}")
    data = objects.blob(record_ref(series))
    applied = None
    with contextlib.suppress(ValueError):
        applied = None if data is None else decode(data)
    return _Recorded(data, applied, None if head is None else head.oid)


def base_state(tree: Tree) -> State:
    """The state of a tree without any series. Raises MachineError when its base is gone."""
    with Objects(tree.git_dir) as objects:
        base = objects.base(tree.base)
    return State(0, base.oid, base.tree)


def all_applied(tree: Tree) -> tuple[Applied, ...]:
    """The record of every series on `tree`, by name; those that cannot be read are left out."""
    listing = process.run(
        ["git", f"--git-dir={tree.git_dir}", "for-each-ref", "--format=%(refname)", record_ref("")]
    )  # fmt: skip
    found = []
    with Objects(tree.git_dir) as objects:
        for ref in listing.stdout.splitlines():
            data = objects.blob(os.fsdecode(ref))
            with contextlib.suppress(ValueError):
                found.append(decode(data or b""))
    return tuple(found)
