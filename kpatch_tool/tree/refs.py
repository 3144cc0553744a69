"""Moving refs in a repository of kpt's own: all of them or none, also when kpt and git are killed in the middle.

git renames the files of a transaction's refs one after the other, and a git that is killed leaves its lock files
(refs/files-backend.c). So what is to move is noted in the repository first, and `settle` brings that to its end: to
what was there before when no ref had moved, else to what was wanted. A ref that somebody else moved is left alone.
"""

from __future__ import annotations

import contextlib
import os
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from kpatch_tool.errors import InputError
from kpatch_tool.system import atomic, lock, process
from kpatch_tool.tree.environment import NO_HOOKS
from kpatch_tool.tree.failed import git_failed, unreadable

_NOTE = "kpt-moving-refs"
_LOCK = "kpt-refs.lock"
_ABSENT = "-"
_BRANCHES = "refs/heads/"
_PATIENCE = 10.0  # seconds; a move takes some milliseconds
# Besides NAME.lock of each ref a transaction may lock these.
_SHARED_LOCKS = ("HEAD.lock", "packed-refs.lock", "packed-refs.new")


@dataclass(frozen=True, slots=True)
class Move:
    """A ref (full name) and the full ids it has before and gets; None where it is not there."""

    ref: str
    old: str | None
    new: str | None


def read_refs(git_dir: Path, names: Sequence[str]) -> Mapping[str, str]:
    """Full name -> full id of those of `names` that are there. Raises MachineError when git cannot read them."""
    settle(git_dir)
    return _read(git_dir, names)


def move_refs(git_dir: Path, moves: Sequence[Move]) -> None:
    """Make all the moves, or none of them.

    Raises InputError when a branch that moves is checked out in a worktree, as git does for it (git-branch(1), -f): the
    next commit there would take back what it moved to. MachineError when a ref is not (or no longer) what its move
    says, when it is locked by another program (naming the lock file), or the disk is full. Nothing has moved then.
    """
    moving = {move.ref for move in moves if move.old != move.new}
    for place, ref in checked_out(git_dir).items():
        if ref in moving:
            todo = f"git -C {shlex.quote(str(place))} checkout --detach"
            raise InputError(f"branch {ref.removeprefix(_BRANCHES)} is checked out", where=str(place), todo=todo)
    with lock.held(git_dir / _LOCK, wait_seconds=_PATIENCE) as held:
        _settle(git_dir)
        rows = (f"{move.old or _ABSENT} {move.new or _ABSENT} {move.ref}\n" for move in moves)
        with atomic.machine_errors(git_dir):
            (git_dir / _NOTE).write_text("".join(rows), "utf-8")
            atomic.sync(git_dir / _NOTE)  # git brings each ref to the disk, and the power may fail between two
            atomic.sync(git_dir)
        # git holds our lock, too: who gets it next knows that no git of a killed kpt is still at it.
        done = _transaction(git_dir, moves, held)
        if done.status == 0:
            (git_dir / _NOTE).unlink(missing_ok=True)
            return
        _settle(git_dir, locks=done.status < 0)  # below 0: somebody killed git alone
        if not _reached(git_dir, moves):
            raise git_failed(done.stderr, git_dir)


def checked_out(git_dir: Path) -> dict[Path, str]:
    """The worktrees that the user added to a repository, and the branch (full name) that each has checked out, "" for
    none (gitrepository-layout(5), worktrees/). One that was removed by hand is none, but where it is locked."""
    found: dict[Path, str] = {}
    for head in sorted(git_dir.glob("worktrees/*/HEAD")):
        with contextlib.suppress(OSError):
            place = head.parent / os.fsdecode(head.with_name("gitdir").read_bytes().rstrip(b"\n"))
            kind, _, ref = os.fsdecode(head.read_bytes().rstrip(b"\n")).partition(" ")
            if place.exists() or head.with_name("locked").exists():
                found[place.parent] = ref if kind == "ref:" else ""
    return found


@contextlib.contextmanager
def at_rest(git_dir: Path) -> Iterator[None]:
    """No refs are moved by a kpt during the block, and what was begun is brought to its end before: refs that move
    together are read together. Raises MachineError when another kpt does not come to an end."""
    with lock.held(git_dir / _LOCK, wait_seconds=_PATIENCE):
        _settle(git_dir)
        yield


def settle(git_dir: Path) -> None:
    """Bring a move that was killed to its end; there is nothing to do almost always."""
    if (git_dir / _NOTE).exists():
        with at_rest(git_dir):
            pass


def _settle(git_dir: Path, *, locks: bool = True) -> None:
    """`locks`: git was killed, so those it left are nobody's."""
    moves = _noted(git_dir)
    if moves is None:
        return
    if locks:
        for name in (*_SHARED_LOCKS, *(f"{move.ref}.lock" for move in moves)):
            (git_dir / name).unlink(missing_ok=True)
    there = _read(git_dir, [move.ref for move in moves])
    if any(there.get(move.ref) == move.new != move.old for move in moves):
        left = [m for m in moves if there.get(m.ref) == m.old != m.new]
        done = _transaction(git_dir, left)
        if done.status != 0:
            raise git_failed(done.stderr, git_dir)
    (git_dir / _NOTE).unlink(missing_ok=True)


def _reached(git_dir: Path, moves: Sequence[Move]) -> bool:
    there = _read(git_dir, [move.ref for move in moves])
    return all(there.get(move.ref) == move.new for move in moves)


def _noted(git_dir: Path) -> list[Move] | None:
    """None where there is no note. What was being noted when kpt was killed had not begun to move."""
    try:
        text = (git_dir / _NOTE).read_text("utf-8")
    except FileNotFoundError:
        return None
    rows = [line.split(" ", 2) for line in text.splitlines()] if text.endswith("\n") else []
    return [Move(ref, _known(old), _known(new)) for old, new, ref in rows]


def _transaction(git_dir: Path, moves: Sequence[Move], held: int | None = None) -> process.Finished:
    lines = [_line(move) for move in moves]
    argv = ["git", "-c", NO_HOOKS, f"--git-dir={git_dir}", "update-ref", "--stdin"]
    return process.run(argv, stdin="".join(lines).encode(), pass_fds=() if held is None else (held,))


def _read(git_dir: Path, names: Sequence[str]) -> dict[str, str]:
    done = process.run(["git", f"--git-dir={git_dir}", "for-each-ref", "--format=%(objectname) %(refname)", *names])
    if done.status != 0:
        raise unreadable(done.stderr, git_dir)
    rows = (line.partition(" ") for line in os.fsdecode(done.stdout).splitlines())
    return {ref: oid for oid, _, ref in rows}


def _line(move: Move) -> str:
    """The move as git-update-ref(1) reads it: git itself compares with what is to be there before."""
    if move.old == move.new:
        return f"verify {move.ref} {move.old or ''}\n"
    if move.old is None:
        return f"create {move.ref} {move.new}\n"
    return f"update {move.ref} {move.new} {move.old}\n" if move.new else f"delete {move.ref} {move.old}\n"


def _known(text: str) -> str | None:
    return None if text == _ABSENT else text
