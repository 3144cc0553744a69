"""The values of the dependency graph."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from kpatch_tool.depend.prerequisites import Chain
from kpatch_tool.series.reading.stated import Form

_SHORT = 12  # digits of an id that are shown
_LONG = 60


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
    """Something that patch `patch` (0: the whole series) needs from outside: `commit` is a commit id, or what `kind`
    says (a patch id, a message-id, a title, ...). `present` says whether the tree has it, None where no tree was asked
    or it cannot tell; `series` is the series of the workspace it belongs to, `todo` what to type, "" where nothing."""

    patch: int
    kind: EdgeKind | Form
    commit: str
    present: bool | None
    why: str
    series: str = ""
    todo: str = ""

    @property
    def short(self) -> str:
        """`commit` for a reader: ids of hexadecimal digits cut, the rest in full unless it is overlong."""
        if not self.commit.strip("0123456789abcdef"):
            return self.commit[:_SHORT]
        return self.commit if len(self.commit) <= _LONG else f"{self.commit[: _LONG - 3]}..."


@dataclass(frozen=True, slots=True)
class Dependencies:
    """What `dependencies` finds. `order`: every patch number, what is needed before what needs it, else by number.
    `cycles`: groups of patches that need one another, each in ascending order; `order` follows the numbers there.
    `chain` is what goes before the series, as far as it was looked up."""

    edges: tuple[Edge, ...]
    order: tuple[int, ...]
    external: tuple[External, ...]
    cycles: tuple[tuple[int, ...], ...] = ()
    chain: Chain = field(default_factory=Chain)

    @property
    def unmet(self) -> bool:
        """Whether no order suits, the base lacks something, or prerequisites do not agree."""
        lacking = any(one.present is False for one in self.external)
        return bool(self.cycles) or lacking or bool(self.chain.findings)
