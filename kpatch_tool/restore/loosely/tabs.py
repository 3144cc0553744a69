"""Tabs that became blanks: the ways it is done, and what a line may have been before.

Which way it was done shows in the lines that the base holds; the added lines were done the same way.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from kpatch_tool.restore.choosing import cheapest

_GAP = re.compile(rb"[ \t]+")
_WIDE = re.compile(rb"(?<=\S)  +(?=\S)")
_LEAST_GAPS = 3
_TAB = 8  # columns
_MOST = 24  # readings of a line
_MOST_PARTS = 480  # of all readings of a line
_FEWEST = 4
_LONGEST = 400  # bytes of a line that is read in more than one way


@dataclass(frozen=True, slots=True)
class Way:
    """One way to lose tabs. `forward` gives the text of a line (without the first column of a diff) after it; `width`
    blanks stand for a tab, 0 for up to the next stop; `column` is where the text begins; `leading` leaves the tabs
    inside a line alone."""

    name: str
    width: int
    column: int = 0
    leading: bool = False

    def forward(self, text: bytes) -> bytes:
        head = len(text) - len(text.lstrip(b" \t")) if self.leading else len(text)
        first, rest = text[:head], text[head:]
        if b"\t" not in first:
            return text
        if self.width:
            return first.replace(b"\t", b" " * self.width) + rest
        return (b" " * self.column + first).expandtabs(_TAB)[self.column :] + rest


WAYS = (
    Way("tabs to stops of 8", 0),
    Way("tabs to stops of 8, the first column counted", 0, column=1),
    Way("leading tabs to 8 blanks", 8, leading=True),
    Way("tabs to 8 blanks", 8),
    Way("leading tabs to 4 blanks", 4, leading=True),
    Way("tabs to 4 blanks", 4),
    Way("leading tabs to 2 blanks", 2, leading=True),
    Way("tabs to 2 blanks", 2),
    Way("leading tabs to 1 blank", 1, leading=True),
    Way("tabs to 1 blank", 1),
)
_WHOLE_WAYS = tuple(way for way in WAYS if not way.leading and way.width not in (1, 2))


def ways_told(pairs: Sequence[tuple[bytes, bytes]], added: Sequence[bytes] = ()) -> tuple[Way | None, ...]:
    """The ways that explain the most `pairs` of (received, in the base), None for tabs left as they are.

    () where most pairs cannot be explained: white space was lost in another way. Trailing blanks are not compared.
    Where no pair decides, the `added` lines do, by how they look.
    """
    if not any(b"\t" in known for _, known in pairs):
        return (*WAYS, None) if looks_detabbed(added) else _ways_of_gaps(() if pairs else added)
    told: list[tuple[int, Way | None]] = [
        (sum(1 for received, known in pairs if received.rstrip() == known.rstrip()), None)
    ]
    for way in WAYS:
        told.append((sum(1 for received, known in pairs if way.forward(known).rstrip() == received.rstrip()), way))
    best = max(count for count, _ in told)
    if best * 2 < len(pairs):
        return ()
    return tuple(way for count, way in told if count == best)


def _ways_of_gaps(texts: Sequence[bytes]) -> tuple[Way | None, ...]:
    """The same by the gaps inside the lines of a new file, such as those before the values of #defines: their widths
    are no chance where all are so many tabs', while columns that all end at a stop may be the author's."""
    found = [gap for text in texts for gap in _WIDE.finditer(text)]
    if len(found) < _LEAST_GAPS or any(b"\t" in text for text in texts):
        return (None, WAYS[0])
    ways = [way for way in _WHOLE_WAYS if all(_gives(way, gap) for gap in found)]
    return (*(way for way in ways if way.width), None, *([way for way in ways if not way.width] or WAYS[:1]))


def _gives(way: Way, gap: re.Match[bytes]) -> bool:
    """Whether the blanks of a gap may have been tabs alone."""
    return len(gap[0]) % way.width == 0 if way.width else (way.column + gap.end()) % _TAB == 0


@lru_cache(maxsize=8_192)
def before(text: bytes, way: Way) -> tuple[tuple[float, bytes], ...]:
    """What `text` may have been before its tabs went `way`, with costs, cheapest first."""
    if b" " not in text or len(text) > _LONGEST:
        return ((0.0, text),)
    parts: list[list[tuple[float, bytes]]] = []
    at = 0
    for gap in _GAP.finditer(text):
        if gap.start() > at:
            parts.append([(0.0, text[at : gap.start()])])
        parts.append(_gap_readings(text, gap, way))
        at = gap.end()
    if at < len(text):
        parts.append([(0.0, text[at:])])
    most = max(_FEWEST, min(_MOST, _MOST_PARTS // len(parts)))
    return tuple((cost, read) for cost, read in cheapest(parts, most) if way.forward(read) == text) or ((0.0, text),)


def _gap_readings(text: bytes, gap: re.Match[bytes], way: Way) -> list[tuple[float, bytes]]:
    blanks = gap[0]
    if b"\t" in blanks or (way.leading and gap.start()) or gap.end() == len(text):
        return [(0.0, blanks)]
    column = way.column + gap.start()
    if way.width:
        tabs, rest = divmod(len(blanks), way.width)
    else:
        tabs, rest = (column + len(blanks)) // _TAB - column // _TAB, (column + len(blanks)) % _TAB
    if not tabs:
        return [(0.0, blanks)]
    read = b"\t" * tabs + b" " * rest
    if gap.start() == 0:
        return _sorted([(0.0, read), (4.0, blanks), *_fewer(tabs, rest, way.width or _TAB)])
    if len(blanks) == 1:
        return [(0.0, blanks), (4.0, read)]
    likely = not rest and len(blanks) >= min(way.width, 4)
    return _sorted([(0.5 if likely else 2.5, read), (1.0 if likely else 0.0, blanks)])


def _fewer(tabs: int, rest: int, width: int) -> Iterator[tuple[float, bytes]]:
    """Fewer tabs and more blanks: continuation lines are aligned so here and there."""
    for less in range(1, min(tabs, 4)):
        yield 5.0 + less, b"\t" * (tabs - less) + b" " * (rest + less * width)


def _sorted(readings: list[tuple[float, bytes]]) -> list[tuple[float, bytes]]:
    return sorted(readings)


def looks_detabbed(texts: Iterable[bytes]) -> bool:
    """Whether no line begins with a tab, and some with as many blanks as tabs give."""
    found = 0
    for text in texts:
        if text.lstrip(b" ")[:1] == b"\t":
            return False
        found += _STOPS.match(text) is not None
    return found >= _LEAST


_STOPS = re.compile(rb"(?: {4}){1,8}\S| {7}(?: {8}){0,5}\S")
_LEAST = 2  # lines
