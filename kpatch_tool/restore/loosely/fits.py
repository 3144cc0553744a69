"""What the lines of a loosely read hunk were told to be: values that `fitting` makes, and `repair` and `blind` use."""

from __future__ import annotations

from dataclasses import dataclass

from kpatch_tool.diff.model import Kind
from kpatch_tool.restore.basefile import BaseFile
from kpatch_tool.restore.blanks import is_code
from kpatch_tool.restore.likeness import likeness
from kpatch_tool.restore.loosely.loose import LooseHunk


@dataclass(frozen=True, slots=True)
class Taken:
    """One line of the file: the received lines first..last-1 are it (none: a blank context line that the mail lost).
    `base` is its index in the base, None for an added line and where there is no base."""

    kind: Kind
    first: int
    last: int
    base: int | None


@dataclass(frozen=True, slots=True)
class Fit:
    """One reading of a hunk. `section` are the received lines (from 0) that belong to the @@; `used` how many were
    read; `recounted` says that the counts in the @@ are wrong, `completed` how many context lines were added at the end
    because the mail lost them."""

    cost: float
    taken: tuple[Taken, ...]
    section: int
    used: int
    recounted: bool = False
    completed: int = 0

    def lost(self) -> int:
        """How many blank lines the mail lost."""
        return sum(1 for one in self.taken if one.first == one.last)

    def old_count(self) -> int:
        return sum(1 for one in self.taken if one.kind is not Kind.ADDED)

    def new_count(self) -> int:
        return sum(1 for one in self.taken if one.kind is not Kind.REMOVED)


@dataclass(frozen=True, slots=True)
class Fitted:
    """A hunk at its place (`start`: index of its first old line in the base, None without one), best reading first."""

    hunk: LooseHunk
    start: int | None
    fits: tuple[Fit, ...]


class AlikeBase(BaseFile):
    """The file a patch is made for, its lines compared by their likeness; `code`: it is called as C is."""

    __slots__ = ("code",)

    def __init__(self, content: bytes, path: str = ".c") -> None:
        super().__init__(content, likeness)
        self.code = is_code(path)
