"""What a file of C shows before its hunks are read: what is open before each line, and how its lines are laid out.

The versions of a file that a series goes through differ in a few lines, and files have thousands: what was read of one
version is taken for the next, up to the first line that differs, and again where the same lines meet the same state.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from kpatch_tool.restore.style import indent, notes
from kpatch_tool.restore.style.cstate import State, indent_of, step

_NOTHING_OPEN = State()
_KEPT = 16  # files: of a series' patches that go to and fro between files, few touch more


class Seen(NamedTuple):
    """What is open before a line, and what the line shows, None each where it does not: where and in which style it
    continues a statement, the step of a block that it begins, what its comment is about and the gap after the star."""

    before: State
    style: tuple[str, str] | None
    block: tuple[bool, bytes] | None
    note: notes.Note | None


@dataclass(frozen=True, slots=True)
class Structure:
    """A file's lines, what is seen of each, and the state after the last."""

    lines: Sequence[bytes] = ()
    seen: Sequence[Seen] = ()
    end: State = _NOTHING_OPEN


def read_structure(lines: Sequence[bytes], known: Structure) -> Structure:
    """The structure of `lines`; `known` is that of other lines, best of another version of them, and changes nothing
    but the time it takes."""
    same = _common(lines, known.lines, 0)
    below = _common(lines[::-1], known.lines[::-1], same)
    shift = len(known.lines) - len(lines)
    seen = list(known.seen[:same])
    state = known.seen[same].before if same < len(known.seen) else known.end
    for number in range(same, len(lines)):
        if number >= len(lines) - below and known.seen[number + shift].before == state:
            return Structure(lines, [*seen, *known.seen[number + shift :]], known.end)
        seen.append(_seen(state, lines[number]))
        state = step(state, lines[number])
    return Structure(lines, seen, state)


def _common(lines: Sequence[bytes], others: Sequence[bytes], taken: int) -> int:
    """How many lines both begin with, of those that are not among the `taken` last ones of either."""
    most = min(len(lines), len(others)) - taken
    return next((at for at in range(most) if lines[at] != others[at]), most)


def _seen(state: State, line: bytes) -> Seen:
    style = block = None
    if state.statement is not None and not state.comment and line.strip():
        inner = state.stack[-1].inner if state.parens else state.continuation
        if inner is None and (own := indent.continuation_style(state, indent_of(line))):
            style = (indent.situation(state), own)
    if not state.comment:
        block = indent.block_step(state, line)
    return Seen(state, style, block, notes.goes_on(state, line))


class RecentFiles:
    """The structures of the files that were read last, by path: for one thread."""

    def __init__(self) -> None:
        self._kept: dict[str, Structure] = {}

    def read(self, path: str, lines: Sequence[bytes]) -> Structure:
        """The structure of `lines`, which the file `path` has now."""
        found = read_structure(lines, self._kept.pop(path, Structure()))
        self._kept[path] = found
        if len(self._kept) > _KEPT:
            del self._kept[next(iter(self._kept))]
        return found
