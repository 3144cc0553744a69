"""The values of a series, as the rest of kpt sees them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Literal

from kpatch_tool.diff.model import FileDiff
from kpatch_tool.diff.undecided import Undecided
from kpatch_tool.mail.attestation import Attestation
from kpatch_tool.mail.message import Address, Damage


class Exactness(StrEnum):
    """How sure kpt is of a patch's bytes (design: words)."""

    INTACT = "intact"  # the mail was not damaged
    PROVEN = "proven"  # restored, and every resulting file has the blob id of the patch's index line
    MATCHED = "matched"  # restored; every context and removed line was found in the base
    DAMAGED = "damaged"  # not restored yet


@dataclass(frozen=True, slots=True)
class Trailer:
    """`key: value` at the end of a commit message, or sent in a reply."""

    key: str
    value: str
    source: Literal["patch", "reply"]


@dataclass(frozen=True, slots=True)
class Cover:
    """The message 0/N. `body` is its text as received."""

    subject: str
    author: Address
    date: datetime | None
    body: str
    message_id: str = ""


@dataclass(frozen=True, slots=True)
class Reply:
    """A message of the thread that is not a patch of this series; `to_patch` is 0 for the cover, None if unknown."""

    author: Address
    date: datetime | None
    subject: str
    to_patch: int | None
    body: str


@dataclass(frozen=True, slots=True)
class Patch:
    """One patch.

    `subject` has no [PATCH ...] tag; `message` is the commit message below it (trailers included, no `---`), without
    a final newline. `note` is the text between `---` and the diff. `files` is what is known of the diff: for a
    damaged patch the hunks hold the lines as received, classified as far as the counts in `@@` allow. `diff` is the
    text of the diff as received or restored. `why` gives the reason of the exactness; `ambiguous` the lines that could
    not be decided. `damage` is what happened to its mail; `received` the diff as it came where `diff` is not that;
    `attestation` who signed the mail, as checked when it was imported.
    """

    number: int
    subject: str
    author: Address
    date: datetime | None
    message: str
    note: str
    diff: bytes
    files: tuple[FileDiff, ...]
    trailers: tuple[Trailer, ...]
    exactness: Exactness
    why: str
    ambiguous: tuple[Undecided, ...] = ()
    message_id: str = ""
    damage: frozenset[Damage] = frozenset()
    received: bytes = b""
    attestation: tuple[Attestation, ...] = ()


@dataclass(frozen=True, slots=True)
class Series:
    """One posting. `name` is its directory below series/; `tree` the kernel tree it is meant for, if known; `total`
    the N of its k/N. `problems` are sentences for the user (missing patches, unreadable dates)."""

    name: str
    title: str
    revision: int
    total: int
    cover: Cover | None
    patches: tuple[Patch, ...]
    replies: tuple[Reply, ...] = ()
    problems: tuple[str, ...] = ()
    tree: str | None = None

    def patch(self, number: int) -> Patch | None:
        """The patch called `number`, if it is there."""
        return next((patch for patch in self.patches if patch.number == number), None)
