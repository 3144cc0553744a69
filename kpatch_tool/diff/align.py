"""Finds where the hunks of a damaged diff stand in a file, comparing with white space squeezed.

A hunk's place is looked for at its own line number first, then at the offset of the hunk before it, then nearest to it.
At a place, the counts of the hunk and the file's lines decide which lines are context, removed and added; where they
allow several readings, all are given, the likeliest first.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from kpatch_tool.diff.damaged import comparable, received_text
from kpatch_tool.diff.model import Hunk, Kind

_MAX_READINGS = 48  # readings of one hunk at one place
_MAX_STEPS = 300_000  # steps of the search for them, at all places of a hunk
_MAX_PLACES = 400  # places tried for one hunk


class BaseText:
    """A file by lines: `lines` as they are (without newline), `squeezed`, and where each squeezed text occurs."""

    __slots__ = ("ends_with_newline", "lines", "positions", "squeezed")

    def __init__(self, content: bytes) -> None:
        self.lines = content.split(b"\n")
        self.ends_with_newline = not self.lines[-1]
        if self.ends_with_newline:
            self.lines.pop()
        self.squeezed = [comparable(line) for line in self.lines]
        self.positions: dict[bytes, list[int]] = {}
        for number, text in enumerate(self.squeezed):
            self.positions.setdefault(text, []).append(number)


@dataclass(frozen=True, slots=True)
class Step:
    """One line of a placed hunk: `base` is the index of its line in the file (context, removed), `received` that of its
    line in the damaged hunk (None for a blank context line the archive dropped)."""

    kind: Kind
    base: int | None
    received: int | None


@dataclass(frozen=True, slots=True)
class Placement:
    """A hunk at a place: `start` is the index of its first old line in the file; `readings` has at least one."""

    hunk: Hunk
    start: int
    readings: tuple[tuple[Step, ...], ...]


@dataclass(frozen=True, slots=True)
class Misplaced:
    """A hunk that has no place: its number from 1 and the reason."""

    number: int
    why: str


def place_hunks(hunks: tuple[Hunk, ...], base: BaseText) -> tuple[Placement, ...] | Misplaced:
    """Place all hunks in order, none over another."""
    placed: list[Placement] = []
    floor = drift = 0
    for number, hunk in enumerate(hunks, 1):
        wanted = hunk.old_start - (1 if hunk.old_count else 0)
        placement = _place(hunk, base, wanted + drift, floor)
        if not placement and (shorter := _shorter(hunk)):
            placement = _place(shorter, base, wanted + drift, floor)
        if not placement:
            return Misplaced(number, _why_not(number, hunk, base))
        drift = placement.start - wanted
        floor = placement.start + hunk.old_count
        placed.append(placement)
    return tuple(placed)


def _place(hunk: Hunk, base: BaseText, wanted: int, floor: int) -> Placement | None:
    texts = _Texts(hunk)
    for start in _places(texts, base, wanted, floor):
        readings = list(_readings(texts, base, start))
        if readings:
            if texts.dropped:
                readings.sort(key=lambda reading: _oddness(reading, texts))
            return Placement(hunk, start, tuple(readings))
    return None


def _shorter(hunk: Hunk) -> Hunk | None:
    """The hunk without its last blank line, which may be the mail's: where lines that look added and lines that look
    removed are context both, the counts do not tell."""
    doubled = {text[:2] for text in map(received_text, hunk.lines)}
    if hunk.lines and not received_text(hunk.lines[-1]) and {b"++", b"--"} <= doubled:
        return replace(hunk, lines=hunk.lines[:-1])
    return None


class _Texts:
    """The squeezed readings of a hunk's lines: as received, and without the first column."""

    __slots__ = ("added", "changed", "dropped", "hunk", "removed", "slack", "steps", "whole")

    def __init__(self, hunk: Hunk) -> None:
        self.hunk = hunk
        self.whole = [comparable(received_text(line)) for line in hunk.lines]
        self.changed = [comparable(line.text) for line in hunk.lines]
        self.added = [line.kind is Kind.ADDED for line in hunk.lines]
        self.removed = [line.kind is Kind.REMOVED for line in hunk.lines]
        old = sum(1 for added in self.added if not added)
        self.slack = max(0, hunk.old_count - old)
        self.dropped = self._dropped()
        self.steps = 0

    def _dropped(self) -> int:
        """How many context lines may be missing at most."""
        context = self.hunk.count(Kind.CONTEXT)
        old = self.hunk.old_count - context - self.hunk.count(Kind.REMOVED)
        new = self.hunk.new_count - context - self.hunk.count(Kind.ADDED)
        missing = min(old, new)
        # Counts that lines of the other kind explain need no missing line.
        return missing if missing > 0 and not (old and new and self._all_doubled(old, new)) else 0

    def _all_doubled(self, old: int, new: int) -> bool:
        plus = sum(1 for text in self.whole if text.startswith(b"++"))
        minus = sum(1 for text in self.whole if text.startswith(b"--"))
        return old <= plus and new <= minus


def _places(texts: _Texts, base: BaseText, wanted: int, floor: int) -> Iterator[int]:
    """Where the hunk may start, nearest to `wanted` first."""
    highest = len(base.lines) - texts.hunk.old_count
    if floor <= wanted <= highest:
        yield wanted
    if not texts.hunk.old_count:
        return
    offset = 0
    best: tuple[int, int, bytes] | None = None
    for added, removed, whole, changed in zip(texts.added, texts.removed, texts.whole, texts.changed, strict=True):
        if not added:
            text = changed if removed else whole
            found = base.positions.get(text)
            if text and found and not (removed and whole in base.positions):
                rank = (len(found), offset, text)
                best = min(best, rank) if best else rank
            offset += 1
    if not best:
        return
    _, offset, text = best
    starts = {
        found - offset - more
        for found in base.positions[text]
        for more in range(min(texts.slack, found - offset - floor) + 1)  # a count may say 999999999
    }
    usable = (start for start in starts if floor <= start <= highest and start != wanted)
    yield from sorted(usable, key=lambda start: (abs(start - wanted), start))[:_MAX_PLACES]


def _readings(texts: _Texts, base: BaseText, start: int) -> Iterator[tuple[Step, ...]]:
    """All ways to read the hunk at `start`, the likeliest first, at most _MAX_READINGS."""
    hunk, count = texts.hunk, len(texts.whole)
    end = start + hunk.old_count
    seen: dict[tuple[int, int, int], int] = {}
    found = 0
    # Depth first; each entry is (line, place in the base, new lines so far, path taken).
    stack: list[tuple[int, int, int, _Path | None]] = [(0, start, 0, None)]
    while stack and found < _MAX_READINGS and texts.steps < _MAX_STEPS:
        texts.steps += 1
        line, at, new, path = stack.pop()
        if line == count and at == end and new == hunk.new_count:
            found += 1
            yield _steps(path)
            continue
        key = (line, at, new)
        seen[key] = seen.get(key, 0) + 1
        left = count - line + texts.dropped
        if seen[key] > _MAX_READINGS or not 0 <= hunk.new_count - new <= left or end - at > left:
            continue
        text = base.squeezed[at] if at < end else None
        missing = count - line < end - at or new < hunk.new_count
        skip = (line, at + 1, new + 1, _Path(Step(Kind.CONTEXT, at, None), path))
        may_skip = bool(texts.dropped and text == b"" and missing)
        # What is pushed last is tried first: a blank line stands before what was added rather than after it.
        skip_first = line < count and texts.added[line] and texts.changed[line] != b""
        if may_skip and not skip_first:
            stack.append(skip)
        if line == count:
            continue
        if text is not None and texts.whole[line] == text:
            stack.append((line + 1, at + 1, new + 1, _Path(Step(Kind.CONTEXT, at, line), path)))
        if texts.removed[line] and text is not None and texts.changed[line] == text:
            stack.append((line + 1, at + 1, new, _Path(Step(Kind.REMOVED, at, line), path)))
        elif texts.added[line]:
            stack.append((line + 1, at, new + 1, _Path(Step(Kind.ADDED, None, line), path)))
        if may_skip and skip_first:
            stack.append(skip)


def _oddness(reading: tuple[Step, ...], texts: _Texts) -> float:
    """How unusual the places of dropped blank lines are beside added ones: git ends a run of added lines with a blank
    one that stands before a blank line's place, and begins it with one that stands after."""
    cost = 0.0
    for index, step in enumerate(reading):
        if step.received is not None:
            continue
        before = index > 0 and reading[index - 1].kind is Kind.ADDED
        after = index + 1 < len(reading) and reading[index + 1].kind is Kind.ADDED
        if before and after:
            cost += 3.0
        elif after:
            cost += _run_cost(reading, texts, index + 1, 1, 0.5)
        elif before:
            cost += _run_cost(reading, texts, index - 1, -1, 1.0)
    return cost


def _run_cost(reading: tuple[Step, ...], texts: _Texts, at: int, way: int, plain: float) -> float:
    """The cost of a blank line beside the run of added lines that begins at `at` and goes on in direction `way`."""
    first = last = at
    while 0 <= last + way < len(reading) and reading[last + way].kind is Kind.ADDED:
        last += way
    near, far = (texts.changed[reading[end].received or 0] == b"" for end in (first, last))
    return 3.0 if near else 0.0 if far else plain


@dataclass(slots=True)
class _Path:
    step: Step
    before: _Path | None


def _steps(path: _Path | None) -> tuple[Step, ...]:
    out: list[Step] = []
    while path:
        out.append(path.step)
        path = path.before
    return tuple(reversed(out))


def _why_not(number: int, hunk: Hunk, base: BaseText) -> str:
    """Why a hunk has no place, with the first line that the file does not hold."""
    where = f"hunk {number} (@@ -{hunk.old_start},{hunk.old_count})"
    for line in hunk.lines:
        text = comparable(line.text)
        if line.kind is not Kind.ADDED and text and text not in base.positions:
            shown = text.decode("utf-8", "replace")[:60]
            return f"{where} does not fit the base: `{shown}` is not in it"
    return f"{where} does not fit the base: its lines are in it, but not together in this order"
