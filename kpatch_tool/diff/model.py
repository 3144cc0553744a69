"""The values of a diff. All text is bytes: a patch may carry any encoding."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum

NO_NEWLINE = b"\\ No newline at end of file"


class DiffError(ValueError):
    """A diff that cannot be read: `what` in words, at `line` (from 1) of the text given."""

    def __init__(self, line: int, what: str) -> None:
        self.line = line
        self.what = what
        super().__init__(f"line {line}: {what}")


class Kind(StrEnum):
    """What a line of a hunk is; the value is its first column."""

    CONTEXT = " "
    REMOVED = "-"
    ADDED = "+"


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a hunk. `text` excludes the first column and the newline; `newline` is False where the file ends
    without one."""

    kind: Kind
    text: bytes
    newline: bool = True


@dataclass(frozen=True, slots=True)
class Hunk:
    """One hunk; starts count from 1 as in `@@ -old_start,old_count +new_start,new_count @@ section`."""

    old_start: int
    old_count: int
    new_start: int
    new_count: int
    section: bytes
    lines: tuple[Line, ...]

    def old_lines(self) -> tuple[Line, ...]:
        """The lines of the pre-image."""
        return tuple(line for line in self.lines if line.kind is not Kind.ADDED)

    def new_lines(self) -> tuple[Line, ...]:
        """The lines of the post-image."""
        return tuple(line for line in self.lines if line.kind is not Kind.REMOVED)

    def count(self, kind: Kind) -> int:
        """How many lines are of `kind`."""
        return sum(1 for line in self.lines if line.kind is kind)


@dataclass(frozen=True, slots=True)
class FileDiff:
    """What a patch does to one file.

    `old_path` is None for a created file, `new_path` None for a deleted one; paths have no a/ b/ prefix. Modes are
    git's octal strings ("100644") or None where the diff does not say. Blob ids are as abbreviated in the `index`
    line, None where there is none. `payload` is the text of a binary change as received (`GIT binary patch` and what
    follows it, or the `Binary files ... differ` line), empty for text. `similarity` without a rename or copy is the
    `dissimilarity index` of a rewrite. `uncopied`: a copy of `new_path`, which is `old_path`, goes.
    """

    old_path: str | None
    new_path: str | None
    hunks: tuple[Hunk, ...] = ()
    old_mode: str | None = None
    new_mode: str | None = None
    old_blob: str | None = None
    new_blob: str | None = None
    similarity: int | None = None
    renamed: bool = False
    copied: bool = False
    binary: bool = False
    payload: bytes = b""
    uncopied: bool = False

    @property
    def path(self) -> str:
        """The name a reader knows the file by: the new one, or the old one of a file that goes."""
        return (None if self.uncopied else self.new_path) or self.old_path or ""

    @property
    def from_before(self) -> bool:
        """Whether it starts from a file as that was before the whole patch; any other diff starts from the file as the
        diffs before it in the patch have left it (git's apply.c, previous_patch)."""
        return self.renamed or self.copied

    @property
    def freed(self) -> str | None:
        """The name that it takes away from a file; another diff of the patch may give it to one."""
        return None if self.copied or self.old_path == self.new_path else self.old_path

    @property
    def added(self) -> int:
        return sum(hunk.count(Kind.ADDED) for hunk in self.hunks)

    @property
    def removed(self) -> int:
        return sum(hunk.count(Kind.REMOVED) for hunk in self.hunks)


def reversed_diff(files: Iterable[FileDiff]) -> tuple[FileDiff, ...]:
    """The diffs that take `files` back, in the order to apply them."""
    return tuple(_reversed_file(file) for file in reversed(tuple(files)))


def taken_back(files: Iterable[FileDiff]) -> tuple[FileDiff, ...]:
    """As reversed_diff, but a copy is not copied back, where it was copied from is a file; it goes, after the others:
    then what it was copied from is as it was."""
    found = ((file, _reversed_file(file)) for file in reversed(tuple(files)))
    back = [replace(back, copied=file.uncopied, uncopied=file.copied) for file, back in found]
    return tuple(sorted(back, key=lambda file: file.uncopied))


def _reversed_file(file: FileDiff) -> FileDiff:
    return FileDiff(
        old_path=file.new_path,
        new_path=file.old_path,
        hunks=tuple(_reversed_hunk(hunk) for hunk in file.hunks),
        old_mode=file.new_mode,
        new_mode=file.old_mode,
        old_blob=file.new_blob,
        new_blob=file.old_blob,
        similarity=file.similarity,
        renamed=file.renamed,
        copied=file.copied,
        binary=file.binary,
        payload=_reversed_payload(file.payload),
    )


def _reversed_payload(payload: bytes) -> bytes:
    """A `GIT binary patch` holds the way forward, then the way back, each ended by an empty line."""
    head, _, blocks = payload.partition(b"\n")
    ways = re.findall(rb"(?:[^\r\n]+\r?\n)+\r?\n", blocks)
    return head + b"\n" + b"".join(reversed(ways)) if len(ways) == 2 else payload


_OPPOSITE = {Kind.ADDED: Kind.REMOVED, Kind.REMOVED: Kind.ADDED, Kind.CONTEXT: Kind.CONTEXT}


def _reversed_hunk(hunk: Hunk) -> Hunk:
    lines = tuple(Line(_OPPOSITE[line.kind], line.text, line.newline) for line in hunk.lines)
    return Hunk(hunk.new_start, hunk.new_count, hunk.old_start, hunk.old_count, hunk.section, lines)
