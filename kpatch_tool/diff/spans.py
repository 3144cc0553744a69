"""Which lines of a file a hunk shows and which it changes, before it and after it.

Two hunks can change places when neither touches lines that the other one changes or shows as context: `git apply`
needs the context, so a change within it ties two patches together as much as a change of the same line.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from kpatch_tool.diff.model import Hunk, Kind


@dataclass(frozen=True, slots=True)
class Span:
    """Lines `start` up to, not including, `end`, from 0; empty where nothing but a place between lines is meant."""

    start: int
    end: int

    def meets(self, other: Span, *, ends: tuple[bool, bool] = (False, False)) -> bool:
        """Whether they share a line, or one's place lies inside the other. `ends` says whether touching this span's
        start or its end counts as well."""
        if self.start < other.end and other.start < self.end:
            return True
        return (ends[0] and other.end == self.start) or (ends[1] and other.start == self.end)


def old_span(hunk: Hunk) -> Span:
    """The hunk's lines in the text before. A hunk without old lines names the line it follows."""
    start = hunk.old_start - 1 if hunk.old_count else hunk.old_start
    return Span(start, start + hunk.old_count)


def new_span(hunk: Hunk) -> Span:
    """The hunk's lines in the text after."""
    start = hunk.new_start - 1 if hunk.new_count else hunk.new_start
    return Span(start, start + hunk.new_count)


@dataclass(frozen=True, slots=True)
class Change:
    """A run of removed and added lines: where it is before and after, and the indices of its lines in the hunk."""

    old: Span
    new: Span
    lines: Span


def changes(hunk: Hunk) -> Iterator[Change]:
    """The runs of changed lines of `hunk`, context left out."""
    old, new = old_span(hunk).start, new_span(hunk).start
    first: tuple[int, int, int] | None = None
    for index, line in enumerate(hunk.lines):
        if line.kind is Kind.CONTEXT:
            if first is not None:
                yield Change(Span(first[0], old), Span(first[1], new), Span(first[2], index))
            first = None
        elif first is None:
            first = (old, new, index)
        old += line.kind is not Kind.ADDED
        new += line.kind is not Kind.REMOVED
    if first is not None:
        yield Change(Span(first[0], old), Span(first[1], new), Span(first[2], len(hunk.lines)))


def context(hunk: Hunk) -> tuple[int, int]:
    """How many context lines the hunk has before its first and after its last change."""
    kinds = [line.kind is Kind.CONTEXT for line in hunk.lines]
    if all(kinds):
        return len(kinds), 0
    return kinds.index(False), kinds[::-1].index(False)
