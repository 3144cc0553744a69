"""Commits as `git am` makes them, but all in one stream and with ids that come out the same every time.

git am keeps the author, the author's date with its zone, and the message with its blank lines tidied (git-stripspace);
its committer is whoever runs it, now. Here the committer is the patch's author at the patch's date, so that applying
the same patches to the same base gives the same commits on every machine and at every time.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from kpatch_tool.series.model import Patch
from kpatch_tool.tree.applied import RECORD_FILE, decode, encode, refs_of
from kpatch_tool.tree.fastimport import Change, FastImport, Identity
from kpatch_tool.tree.model import Applied, State, Tree, branch_name
from kpatch_tool.tree.objects import Commit, Entry, Objects
from kpatch_tool.tree.refs import Move, move_refs, read_refs

_KPT = "kpt"


@dataclass(frozen=True, slots=True)
class Step:
    """One commit to make: the patch's number and subject, who, the whole message, path -> the file after it."""

    patch: int
    subject: str
    author: Identity
    message: bytes
    changes: Mapping[str, Entry | None]


def write_series(tree: Tree, base: Commit, series: str, steps: Sequence[Step]) -> Applied:
    """Make the commits of `steps` on `base`, point branch kpt/SERIES at the last and keep the record; all or nothing.

    What was there before goes into the history, unless it is the very same. The caller holds the tree's lock and has
    seen that the branch is kpt's own. Raises MachineError (disk full, a ref locked by another program); the refs are
    then as they were.
    """
    names = refs_of(series)
    there = read_refs(tree.git_dir, names)
    with FastImport(tree.git_dir) as stream:
        states, head = _states(stream, base, steps)
        applied = Applied(series, tree.name, branch_name(series), states)
        blob = stream.blob(encode(applied))
        wanted = (applied.head.commit, stream.oid(blob))
        same = (there.get(names[0]), there.get(names[1])) == wanted
        history, undone = there.get(names[2]), there.get(names[3])
        if not same:
            log = _Log(stream, series, Identity(_KPT, "", base.committed, "+0000"))
            before = history or _unlogged(log, tree, there.get(names[1]))
            history, undone = log.add(before, head, Change(RECORD_FILE, "100644", mark=blob)), None
        stream.finish()
    new = (*wanted, history, undone)
    move_refs(tree.git_dir, [Move(name, there.get(name), oid) for name, oid in zip(names, new, strict=True)])
    return applied


def write_states(tree: Tree, base: Commit, steps: Sequence[Step]) -> tuple[State, ...]:
    """Make the commits of `steps` on `base` and touch no ref: they last as git's own unnamed objects do (git-gc(1)).

    Returns the base's state and one a step. Raises MachineError when the disk is full.
    """
    with FastImport(tree.git_dir) as stream:
        states, _ = _states(stream, base, steps)
        stream.finish()
    return states


def _states(stream: FastImport, base: Commit, steps: Sequence[Step]) -> tuple[tuple[State, ...], str | int]:
    """The states, and the last one's commit as the stream knows it: by its mark, until the pack is written."""
    parent: str | int = base.oid
    made: list[tuple[Step, int]] = []
    for step in steps:
        changes = _changes(step.changes)
        parent = stream.commit(
            author=step.author, committer=step.author, message=step.message, parent=parent, changes=changes
        )
        made.append((step, parent))
    later = [State(step.patch, stream.oid(mark), stream.tree_id(mark), step.subject) for step, mark in made]
    return (State(0, base.oid, base.tree), *later), parent


@dataclass(frozen=True, slots=True)
class _Log:
    """The history of a series, written into a stream."""

    stream: FastImport
    series: str
    who: Identity

    def add(self, before: str | None, head: str | int, record: Change) -> str:
        """Send an entry that follows `before`: `record` is its one file, `head` the branch's commit; its id."""
        first, *more = (head,) if before is None else (before, head)
        message = f"{self.series}\n".encode()
        mark = self.stream.commit(
            author=self.who, committer=self.who, message=message, parent=first, also=more, changes=[record], anew=True
        )
        return self.stream.oid(mark)


def _unlogged(log: _Log, tree: Tree, record: str | None) -> str | None:
    """An entry for what was applied when kpt kept no history yet."""
    if record is None:
        return None
    with Objects(tree.git_dir) as objects:
        data = objects.blob(record) or b""
    try:
        head = decode(data).head.commit
    except ValueError:
        return None
    return log.add(None, head, Change(RECORD_FILE, "100644", data=data))


def patch_step(patch: Patch, changes: Mapping[str, Entry | None], base: Commit) -> Step:
    """The commit of a patch, as git am would make it. A patch without a readable date gets the base's."""
    seconds, zone = _date(patch.date) or (base.committed, "+0000")
    author = Identity(patch.author.name, patch.author.email, seconds, zone)
    return Step(patch.number, patch.subject, author, commit_message(patch), changes)


def revert_step(patch: Patch, changes: Mapping[str, Entry | None], base: Commit) -> Step:
    """The commit that takes a patch out. Its author is kpt, for the patch's author did not write it."""
    subject = f'Revert "{patch.subject}"'
    message = f"{subject}\n\nTaken out by kpt.\n".encode("utf-8", "surrogateescape")
    return Step(patch.number, subject, Identity(_KPT, "", base.committed, "+0000"), message, changes)


def commit_message(patch: Patch) -> bytes:
    """Subject, a blank line and the message below it, tidied as git am does; without NUL, which git forbids."""
    text = f"{patch.subject}\n\n{patch.message}\n".replace("\0", "")
    return tidied(text.encode("utf-8", "surrogateescape"))


def tidied(text: bytes) -> bytes:
    """`text` as git-stripspace(1) leaves it: no blanks at line ends, none but single blank lines inside."""
    lines = [line.rstrip(b" \t\n\v\f\r") for line in text.split(b"\n")]
    joined = b"\n".join(lines).strip(b"\n")
    return re.sub(rb"\n{3,}", b"\n\n", joined) + b"\n" if joined else b""


def _date(date: datetime | None) -> tuple[int, str] | None:
    """Seconds since 1970 and the zone as git writes it; None for no date or one before 1970."""
    if date is None or date.timestamp() < 0:
        return None
    minutes = int((date.utcoffset() or timedelta()).total_seconds()) // 60
    sign = "-" if minutes < 0 else "+"
    return int(date.timestamp()), f"{sign}{abs(minutes) // 60:02d}{abs(minutes) % 60:02d}"


def _changes(files: Mapping[str, Entry | None]) -> list[Change]:
    """Removals first, so that a directory may take the name of a file."""
    gone = [Change(path) for path, entry in files.items() if entry is None]
    return gone + [Change(path, entry.mode, entry.data) for path, entry in files.items() if entry is not None]
