"""Grid tables of reStructuredText: a border says in which columns the bars of its rows stand.

docutils, reStructuredText Markup Specification, "Grid Tables".
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from kpatch_tool.restore.style import gaps

_BORDER = re.compile(rb"\s*\+(?:[-=]+\+)+\s*$")


def in_grid(words: Sequence[bytes], above: Sequence[bytes], below: Iterable[bytes]) -> tuple[gaps.Gap, ...] | None:
    """The gaps of a table's row whose words these are, None where they are of none or do not fit.

    `above` are the lines above, nearest last, `below` those below, as far as they are known, nearest first; a border
    has no blanks inside.
    """
    if words[0] != b"|" or len(words) < 2:
        return None
    over, under = _border(reversed(above)), _border(below)
    for columns in (over, under, sorted({*over, *under})):
        found = _fitted(words, columns) if columns else None
        if found is not None:
            return found
    return None


def _border(lines: Iterable[bytes]) -> list[int]:
    """The columns of the bars in the nearest border, counted from the table's left edge; none where the table ends."""
    for line in lines:
        bare = line.strip()
        if _BORDER.match(bare):
            return [match.start() for match in re.finditer(rb"\+", bare)]
        if not bare.startswith((b"|", b"+")):
            return []
    return []


def _fitted(words: Sequence[bytes], columns: Sequence[int]) -> tuple[gaps.Gap, ...] | None:
    """The gaps that put each bar into its column: of one blank, but before bars."""
    bars = [index for index, word in enumerate(words) if index and (word == b"|" or word.startswith(b"+-"))]
    if not bars or bars[-1] != len(words) - 1:
        return None
    ends = len(bars) == 1 and words[-1] != b"|"
    if len(bars) != len(columns) - 1 and not ends:
        return None
    starts = [columns[-1] + 1 - len(words[-1])] if ends else columns[1:]
    to = dict(zip(bars, starts, strict=True))
    out: list[gaps.Gap] = []
    at = len(words[0])
    for index, word in enumerate(words[1:], 1):
        blanks = to[index] - at if index in to else 1
        if blanks < 1:
            return None
        out.append(gaps.Gap(b" " * blanks))
        at += blanks + len(word)
    return tuple(out)
