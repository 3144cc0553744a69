"""The values of kernel trees: a tree, the states of a series on it, what applying did."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from kpatch_tool.series.model import Exactness

BASE_REF = "refs/heads/base"
TIP_REF = "refs/kpt/tip"  # HEAD of the source repository when the tree was added, where that is not the base


def branch_name(series: str) -> str:
    """The branch that holds a series: `kpt/<series>`."""
    return f"kpt/{series}"


@dataclass(frozen=True, slots=True)
class Tree:
    """A kernel tree that is here: a bare repository of kpt's own.

    `base` is the full commit id of refs/heads/base; `version` what its Makefile says, as numbers (6, 1, 192), or
    empty for a skeleton. `make` are extra make variables, `config` extra configuration lines ("CONFIG_X=y"), both
    from trees.toml. `skeleton` is True for a tree made from a series' own hunks (nothing can be proven on it).
    """

    name: str
    git_dir: Path
    base: str
    version: tuple[int, ...] = ()
    skeleton: bool = False
    make: Mapping[str, str] = field(default_factory=dict)
    config: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class State:
    """The base with the first patches of a series on it. `patch` is the number of the last of them, 0 for the base;
    `commit` and `tree_id` are full git ids; `subject` is that patch's, empty for the base."""

    patch: int
    commit: str
    tree_id: str
    subject: str = ""


@dataclass(frozen=True, slots=True)
class Applied:
    """The record of a series on a tree: states[0] is the base, then one state a patch that made a commit, in the
    order applied."""

    series: str
    tree: str
    branch: str
    states: tuple[State, ...]

    @property
    def head(self) -> State:
        return self.states[-1]

    def state(self, patch: int) -> State | None:
        """The state after `patch` (0: the base), if that patch was applied."""
        return next((state for state in self.states if state.patch == patch), None)


class ApplyStatus(StrEnum):
    """What became of a patch (the words of the JSON contract)."""

    CLEAN = "clean"  # every hunk at the line it names; or of some files there already, the rest so
    OFFSET = "offset"  # some hunk at another line
    FUZZ = "fuzz"  # some hunk with context lines left out of the comparison
    MERGED = "merged"  # by three-way merge with the pre-image blob the patch names
    ALREADY = "already"  # the tree has it
    CONFLICT = "conflict"
    SKIPPED = "skipped"  # not asked for, or after a conflict


@dataclass(frozen=True, slots=True)
class AppliedFile:
    """A file a patch changed: its path and resulting full blob id (None: deleted)."""

    path: str
    blob: str | None


@dataclass(frozen=True, slots=True)
class AppliedPatch:
    """What became of one patch; `commit` is None unless it made one; `why` is a sentence, never empty.

    `details` are lines for a person: offsets and fuzz per hunk, or for a conflict the failing hunk, the nearest place
    in the file and what differs there. `hidden` tells of characters in its lines that a reader does not see.
    """

    number: int
    subject: str
    status: ApplyStatus
    exactness: Exactness
    commit: str | None
    files: tuple[AppliedFile, ...]
    why: str
    details: tuple[str, ...] = ()
    hidden: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ApplyOutcome:
    """What applying did. `head` is None, and the repository unchanged, when a patch conflicts or with --check."""

    tree: str
    base: str
    branch: str
    head: str | None
    patches: tuple[AppliedPatch, ...]

    @property
    def conflicts(self) -> bool:
        return any(patch.status is ApplyStatus.CONFLICT for patch in self.patches)

    @property
    def findings(self) -> bool:
        """Whether a person is to look at the patches before anything else is done with them."""
        return self.conflicts or any(patch.hidden for patch in self.patches)
