"""Finds where the hunks of a damaged diff stand in a file, comparing with white space squeezed.

A hunk's place is looked for at its own line number first, then at the offset of the hunk before it, then nearest to it.
At a place, the counts of the hunk and the file's lines decide which lines are context, removed and added; where they
allow several readings, all are given, the likeliest first.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass, replace
from heapq import heappop, heappush
from math import log2

from kpatch_tool.diff.model import Hunk, Kind
from kpatch_tool.restore.basefile import BaseFile
from kpatch_tool.restore.blanks import bits, is_code
from kpatch_tool.restore.damaged import comparable, received_text

_MAX_READINGS = 48  # readings of one hunk at one place
_MAX_STEPS = 300_000  # steps of the search for them, at all places of a hunk
_MAX_PLACES = 400  # places tried for one hunk
_SECOND_BLANK = 5.0  # bits: what a blank line after a blank line costs
_LATER = 1.5  # bits: what each doubling of the number of a reading costs where nothing tells them apart
_SHIFTED = 0.25  # bits: what it costs that git would have put a change elsewhere


class BaseText(BaseFile):
    """The file a patch is made for, its lines compared with white space squeezed and without addresses."""

    __slots__ = ()

    def __init__(self, content: bytes) -> None:
        super().__init__(content, comparable)


@dataclass(frozen=True, slots=True)
class ReadLine:
    """One line of a placed hunk: `base` is the index of its line in the file (context, removed), `received` that of its
    line in the damaged hunk (None for a blank context line the archive dropped)."""

    kind: Kind
    base: int | None
    received: int | None


@dataclass(frozen=True, slots=True)
class PlacedHunk:
    """A hunk at a place: `start` is the index of its first old line in the file; `readings` has at least one, and
    `costs` says how many bits each costs more than the first."""

    hunk: Hunk
    start: int
    readings: tuple[tuple[ReadLine, ...], ...]
    costs: tuple[float, ...] = (0.0,)


@dataclass(frozen=True, slots=True)
class Misplaced:
    """A hunk that has no place: its number from 1 and the reason."""

    number: int
    why: str


def place_hunks(
    hunks: tuple[Hunk, ...], base: BaseText, path: str = ".c", made: BaseText | None = None
) -> tuple[PlacedHunk, ...] | Misplaced:
    """Place all hunks of the file called `path` in order, none over another; where the file that they make is known
    (`made`), read only as leads to it."""
    code = is_code(path)
    placed: list[PlacedHunk] = []
    floor = drift = grown = 0
    for number, hunk in enumerate(hunks, 1):
        wanted = hunk.old_start - (1 if hunk.old_count else 0)
        below = _Below(made, grown) if made else None
        placement = _place(_Texts(hunk, code=code), base, wanted + drift, floor, below)
        if not placement and (shorter := _shorter(hunk)):
            placement = _place(_Texts(shorter, code=code), base, wanted + drift, floor, below)
        if not placement:
            return Misplaced(number, _why_not(number, hunk, base))
        drift = placement.start - wanted
        floor = placement.start + hunk.old_count
        grown += hunk.new_count - hunk.old_count
        placed.append(placement)
    return tuple(placed)


@dataclass(frozen=True, slots=True)
class _Below:
    """The file that the hunks make, by how many lines it has grown above a hunk."""

    made: BaseText
    grown: int

    def has(self, number: int, key: bytes) -> bool:
        """Whether it has that line where the base has line `number` (if the hunk does not make it grow above)."""
        keys = self.made.keys
        return 0 <= number + self.grown < len(keys) and keys[number + self.grown] == key


def _place(texts: _Texts, base: BaseText, wanted: int, floor: int, below: _Below | None) -> PlacedHunk | None:
    for start in _places(texts, base, wanted, floor):
        readings = list(_readings(texts, base, start, below))
        if readings:
            least = readings[0][0]
            # Where nothing but the order tells, later readings cost more.
            costs = [
                cost - least if texts.dropped else _LATER * log2(rank) for rank, (cost, _) in enumerate(readings, 1)
            ]
            return PlacedHunk(texts.hunk, start, tuple(steps for _, steps in readings), tuple(costs))
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

    __slots__ = ("added", "changed", "code", "dropped", "hunk", "removed", "slack", "steps", "whole")

    def __init__(self, hunk: Hunk, *, code: bool) -> None:
        self.hunk = hunk
        self.code = code
        self.whole = [comparable(received_text(line)) for line in hunk.lines]
        self.changed = [comparable(line.text) for line in hunk.lines]
        self.added = [line.kind is Kind.ADDED for line in hunk.lines]
        self.removed = [line.kind is Kind.REMOVED for line in hunk.lines]
        old = sum(1 for added in self.added if not added)
        self.slack = max(0, hunk.old_count - old)
        self.dropped = self._dropped()
        self.steps = 0

    def text(self, step: ReadLine) -> bytes:
        """The squeezed text that a step takes the line for."""
        if step.received is None:
            return b""
        return (self.whole if step.kind is Kind.CONTEXT else self.changed)[step.received]

    def steps_at(self, line: int, at: int, text: bytes | None, *, lacking: bool) -> list[ReadLine]:
        """What the hunk's `line` may be where line `at` of the base has `text` (None: the hunk ends above it). Where
        lines are `lacking`, a blank one of the base may be among them. The last step is the likeliest."""
        steps = []
        if lacking and text == b"":
            steps.append(ReadLine(Kind.CONTEXT, at, None))
        if line < len(self.whole):
            if text is not None and self.whole[line] == text:
                steps.append(ReadLine(Kind.CONTEXT, at, line))
            if self.removed[line] and text is not None and self.changed[line] == text:
                steps.append(ReadLine(Kind.REMOVED, at, line))
            elif self.added[line]:
                steps.append(ReadLine(Kind.ADDED, None, line))
        return steps

    def _last(self, step: ReadLine, path: _Path | None) -> tuple[bytes, int]:
        """What _Path.last is after one more step."""
        before = path.last if path else (b"", 0)
        if not self.dropped or step.kind is Kind.REMOVED:
            return before
        text = self.text(step)
        return (text, 0) if text else (before[0], before[1] + 1)

    def blank_bits(self, step: ReadLine, path: _Path | None) -> float:
        """What it costs that as many blank lines as `path` ends in stand before this line of the new file."""
        if step.kind is Kind.REMOVED:
            return 0.0
        text = self.text(step)
        above, count = path.last if path else (b"", 0)
        if not text:
            return _SECOND_BLANK if count else 0.0
        return bits(above, text, blank=count > 0, code=self.code) if above else 0.0

    def is_shifted(self, step: ReadLine, path: _Path | None) -> bool:
        """Whether, with this step, blank lines that look alike stand otherwise than git puts them: changes stand at
        others where they can, else as far down as they can (xdl_change_compact in xdiff/xdiffi.c)."""
        if path is None or self.text(step):
            return False
        return path.begins_blank if step.kind is Kind.CONTEXT else path.parts

    def extended(self, path: _Path | None, step: ReadLine) -> _Path:
        """`path` with one more step."""
        blank, change = not self.text(step), step.kind is not Kind.CONTEXT
        after_change = path is not None and path.step.kind is not Kind.CONTEXT
        if not change:
            begins_blank = False
        elif path is None or not after_change:
            begins_blank = blank
        else:
            begins_blank = path.begins_blank and path.step.kind is step.kind
        parts = not change and blank and path is not None and (after_change or path.parts)
        return _Path(step, path, self._last(step, path), begins_blank, parts)

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
    found_at = base.positions[text]
    # Only the nearest are tried: a line may be there ten thousand times, and a count may say 999999999.
    near, around = bisect_left(found_at, wanted + offset), _MAX_PLACES // (texts.slack + 1) + 1
    starts = {
        found - offset - more
        for found in found_at[max(0, near - around) : near + around]
        for more in range(min(texts.slack, found - offset - floor, _MAX_PLACES) + 1)
    }
    usable = (start for start in starts if floor <= start <= highest and start != wanted)
    yield from sorted(usable, key=lambda start: (abs(start - wanted), start))[:_MAX_PLACES]


def _readings(
    texts: _Texts, base: BaseText, start: int, below: _Below | None
) -> Iterator[tuple[float, tuple[ReadLine, ...]]]:
    """All ways to read the hunk at `start` with what they cost in bits, the likeliest first, at most _MAX_READINGS."""
    hunk, count = texts.hunk, len(texts.whole)
    end = start + hunk.old_count
    seen: dict[tuple[int, int, int], int] = {}
    found = 0
    # Cheapest first, then deepest; each entry is (bits, order, line, place in the base, new lines so far, path taken).
    heap: list[tuple[float, int, int, int, int, _Path | None]] = [(0.0, 0, 0, start, 0, None)]
    serial = 0
    while heap and found < _MAX_READINGS and texts.steps < _MAX_STEPS:
        texts.steps += 1
        cost, _, line, at, new, path = heappop(heap)
        if line == count and at == end and new == hunk.new_count:
            found += 1
            yield cost, _steps(path)
            continue
        key = (line, at, new)
        seen[key] = seen.get(key, 0) + 1
        left = count - line + texts.dropped
        if seen[key] > _MAX_READINGS or not 0 <= hunk.new_count - new <= left or end - at > left:
            continue
        lacking = texts.dropped > 0 and (count - line < end - at or new < hunk.new_count)
        for step in texts.steps_at(line, at, base.keys[at] if at < end else None, lacking=lacking):
            if below and step.kind is not Kind.REMOVED and not below.has(start + new, texts.text(step)):
                continue
            serial -= 1
            more = texts.blank_bits(step, path) if texts.dropped else 0.0
            if texts.dropped and texts.is_shifted(step, path):
                more += _SHIFTED
            after, place = line + (step.received is not None), at + (step.kind is not Kind.ADDED)
            so_far = new + (step.kind is not Kind.REMOVED)
            heappush(heap, (cost + more, serial, after, place, so_far, texts.extended(path, step)))


@dataclass(slots=True)
class _Path:
    """The steps taken so far. `last` is the last line of the new file that is not blank, and how many blank ones follow
    it; `begins_blank`: it ends in changes that begin with a blank line, below context; `parts`: in blank context lines
    right below changes."""

    step: ReadLine
    before: _Path | None
    last: tuple[bytes, int]
    begins_blank: bool
    parts: bool


def _steps(path: _Path | None) -> tuple[ReadLine, ...]:
    out: list[ReadLine] = []
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
