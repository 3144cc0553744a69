"""The values of the dependency graph."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class EdgeKind(StrEnum):
    """What makes one patch need another."""

    TEXTUAL = "textual"  # it changes or shows lines, or starts from a version of a file, that the other makes
    SYMBOL = "symbol"  # it uses a name that the other adds or changes
    DECLARED = "declared"  # a message says so
    REVERT = "revert"  # the other reverts a commit, and this one relies on what comes back


@dataclass(frozen=True, slots=True)
class Edge:
    """Patch `patch` needs patch `needs` (their numbers), and why, for a person.

    `made_on` marks an edge with no other evidence than blob ids: the patch was made on the file as the other one leaves
    it. Without the other it applies too, at an offset, but its blob ids cannot be proved.
    """

    patch: int
    needs: int
    kind: EdgeKind
    why: str
    made_on: bool = False


@dataclass(frozen=True, slots=True)
class External:
    """Something that patch `patch` (0: the whole series) needs from outside: `commit` is a commit or patch id.
    `present` is None where no tree was asked or it cannot tell."""

    patch: int
    kind: EdgeKind
    commit: str
    present: bool | None
    why: str


@dataclass(frozen=True, slots=True)
class Dependencies:
    """What `dependencies` finds. `order`: every patch number, what is needed before what needs it, else by number.
    `cycles`: groups of patches that need one another, each in ascending order; `order` follows the numbers there."""

    edges: tuple[Edge, ...]
    order: tuple[int, ...]
    external: tuple[External, ...]
    cycles: tuple[tuple[int, ...], ...] = ()

    @property
    def unmet(self) -> bool:
        """Whether no order suits, or the base lacks something."""
        return bool(self.cycles) or any(one.present is False for one in self.external)
