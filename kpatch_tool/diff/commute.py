"""Exchange two changes of one file, as darcs commutes patches.

Two hunks commute when neither touches lines that the other one changes or shows as context: `git apply` needs the
context, so a change within it ties two patches together as much as a change of the same line.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from kpatch_tool.diff.model import FileDiff, Hunk, Kind
from kpatch_tool.diff.printer import hunk_header


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


@dataclass(frozen=True, slots=True)
class Clash:
    """Two changes that do not commute, and why in words. `hunks` are the indices (from 0) in the first and the second
    diff, None where the files as a whole are the reason. `context_only`: they change different lines, but the context
    of one holds what the other changes."""

    reason: str
    hunks: tuple[int, int] | None = None
    context_only: bool = False


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


def commute(first: FileDiff, second: FileDiff) -> tuple[FileDiff, FileDiff] | Clash:
    """`first` and then `second` of one file (second.old_path is first.new_path) as `second'` and then `first'`, which
    together do the same; a Clash where there is no such pair.

    Line numbers, paths and modes follow; the blob id between the two is unknown afterwards (None).
    """
    refused = _files_clash(first, second)
    if refused is not None:
        return refused
    for at, one in enumerate(first.hunks):
        for other_at, other in enumerate(second.hunks):
            clash = _hunks_clash(one, other)
            if clash is not None:
                return replace(clash, hunks=(at, other_at))
    return _second_first(first, second), _first_second(first, second)


def commutes(first: FileDiff, second: FileDiff) -> bool:
    """Whether the order of the two does not matter."""
    return not isinstance(commute(first, second), Clash)


def _files_clash(first: FileDiff, second: FileDiff) -> Clash | None:
    reasons = (
        (first.old_path is None, "the first creates the file"),
        (second.new_path is None, "the second deletes the file"),
        (first.new_path is None or second.old_path is None, "the file is deleted and created again"),
        (first.copied or second.copied, "the file is copied"),
        (first.renamed and second.renamed, "both rename the file"),
        (first.binary or second.binary, "the file is binary"),
        (first.old_mode != first.new_mode and second.old_mode != second.new_mode, "both change the file's mode"),
    )
    return next((Clash(reason) for holds, reason in reasons if holds), None)


def _hunks_clash(first: Hunk, second: Hunk) -> Clash | None:
    """Compare in the text between the two: what `first` made with what `second` starts from."""
    one, other = new_span(first), old_span(second)
    ours = [change.new for change in changes(first)]
    theirs = [change.old for change in changes(second)]
    where = f"{hunk_header(first)} and {hunk_header(second)}"
    for mine in ours:
        for its in theirs:
            if mine.meets(its, ends=(True, True)):
                return Clash(f"they change the same lines, {_lines(mine, its)} ({where})")
    lead, trail = context(second)
    for mine in ours:
        if other.meets(mine, ends=(lead == 0, trail == 0)):
            return Clash(f"the second's context holds what the first changes at {_lines(mine)} ({where})", None, True)
    lead, trail = context(first)
    for its in theirs:
        if one.meets(its, ends=(lead == 0, trail == 0)):
            return Clash(f"the first's context holds what the second changes at {_lines(its)} ({where})", None, True)
    return None


def _lines(*spans: Span) -> str:
    start, end = min(span.start for span in spans), max(span.end for span in spans)
    return f"line {start + 1}" if end - start <= 1 else f"lines {start + 1}-{end}"


def _second_first(first: FileDiff, second: FileDiff) -> FileDiff:
    """`second` as it is without `first`: up or down by what the hunks of `first` above it add."""
    made = [(next(changes(hunk)).new.start, hunk.new_count - hunk.old_count) for hunk in first.hunks]
    hunks = []
    for hunk in second.hunks:
        start = next(changes(hunk)).old.start
        hunks.append(_moved(hunk, -sum(grown for at, grown in made if at < start)))
    follows = second.old_mode is not None and first.old_mode != first.new_mode
    return replace(
        second,
        hunks=tuple(hunks),
        old_path=first.old_path,
        new_path=second.new_path if second.renamed else first.old_path,
        old_mode=first.old_mode if follows else second.old_mode,
        new_mode=first.old_mode if follows else second.new_mode,
        old_blob=first.old_blob,
        new_blob=None,
    )


def _first_second(first: FileDiff, second: FileDiff) -> FileDiff:
    made = [(next(changes(hunk)).old.start, hunk.new_count - hunk.old_count) for hunk in second.hunks]
    hunks = []
    for hunk in first.hunks:
        start = next(changes(hunk)).new.start
        hunks.append(_moved(hunk, sum(grown for at, grown in made if at < start)))
    follows = first.old_mode is not None and second.old_mode != second.new_mode
    return replace(
        first,
        hunks=tuple(hunks),
        old_path=first.old_path if first.renamed else second.new_path,
        new_path=second.new_path,
        old_mode=second.new_mode if follows else first.old_mode,
        new_mode=second.new_mode if follows else first.new_mode,
        old_blob=None,
        new_blob=second.new_blob,
    )


def _moved(hunk: Hunk, lines: int) -> Hunk:
    return replace(hunk, old_start=hunk.old_start + lines, new_start=hunk.new_start + lines)
