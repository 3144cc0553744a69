"""A tree without the files that a partial clone lacks: a commit on the one asked for that removes them, and says so.

`git clone --filter=blob:limit=1m` leaves out the largest files of a kernel, which are tables of registers that no KVM
module is made from.
"""

from __future__ import annotations

import os
from pathlib import Path

from kpatch_tool.tree.fastimport import Change, FastImport, Identity, ls_tree, run_git
from kpatch_tool.tree.objects import Objects

MOST = 1000  # files that are left out; a clone that lacks more has no kernel to build
_SUBJECT = "Leave out the files that a partial clone lacks"


def missing_objects(git_dir: Path, commit: str) -> frozenset[str]:
    """The ids of the objects of a commit (not of those before it) that a partial clone does not have. Raises
    MachineError when git fails."""
    if next((git_dir / "objects/pack").glob("*.promisor"), None) is None:
        return frozenset()
    listed = run_git(git_dir, "rev-list", "--no-walk", "--objects", "--missing=print", commit)
    return frozenset(line[1:].decode("ascii") for line in listed.splitlines() if line.startswith(b"?"))


def commit_without(git_dir: Path, commit: str, missing: frozenset[str]) -> str | None:
    """A commit on `commit` without the files whose contents are `missing`; None where these are more than MOST, or not
    all of them files. It comes out the same every time. Raises MachineError when git fails."""
    if len(missing) > MOST:
        return None
    found = ls_tree(git_dir, commit, "-r")
    paths = sorted(path for path, blob in found.items() if blob in missing)
    if {found[path] for path in paths} != missing:
        return None
    with Objects(git_dir) as objects:
        who = Identity("kpt", "", objects.base(commit).committed, "+0000")
    with FastImport(git_dir) as stream:
        message = "\n".join([_SUBJECT, "", *paths, ""])
        made = stream.commit(
            author=who,
            committer=who,
            message=os.fsencode(message),
            parent=commit,
            changes=[Change(path) for path in paths],
        )
        oid = stream.oid(made)
        stream.finish()
    return oid


def left_out(git_dir: Path, base: str) -> tuple[str, ...]:
    """The files that were left out of the tree whose base is `base`; () for nearly every tree."""
    with Objects(git_dir) as objects:
        lines = os.fsdecode(objects.base(base).message).splitlines()
    return tuple(lines[2:]) if lines[:1] == [_SUBJECT] else ()
