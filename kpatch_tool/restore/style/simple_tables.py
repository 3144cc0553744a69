"""Simple tables of reStructuredText: a border says at which columns the cells of the rows below it begin.

docutils, reStructuredText Markup Specification, "Simple Tables"; wide characters (Unicode Standard Annex 11) count
twice there. How far the columns of a border stand apart was counted in the documentation of Linux 6.1.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations
from math import comb

from kpatch_tool.restore.style import gaps
from kpatch_tool.restore.style.cstate import indent_of, pad, width
from kpatch_tool.restore.style.weights import add

_BORDER = re.compile(rb"\s*=+(?:[ \t]+=+)+\s*$")
_APART = ((1, 0.55), (2, 0.32), (3, 0.06), (4, 0.03), (5, 0.02), (6, 0.01))
_SAME_BORDER, _LIKE_BORDER, _FIRST_BORDER = 0.97, 0.9, 0.6  # what is as this table says; the rest is as the file says
_CELLS = 0.97
_BY_TABS = 0.1  # of a row that goes on: the share that is indented by tabs
_MOST_WORDS = 30  # of a row whose cells are looked for,
_MOST_WAYS = 5_000  # and ways to tell them to the columns: half the words of such a row make 78 million
_LONGER = 0.25  # what one more word makes a cell that is not the last one less likely by
_FULL = 4.0  # how much likelier a cell is that is as wide as its column
_ROW, _ROW_IF_LOWER, _NO_ROW, _GOES_ON, _AS_ABOVE = 0.7, 0.4, 0.1, 0.2, 0.35


@dataclass(frozen=True, slots=True)
class Table:
    """An open table: its indentation, at which columns from there its cells begin, and how wide each is."""

    indent: bytes
    columns: tuple[int, ...]
    widths: tuple[int, ...]


def open_table(above: Sequence[bytes]) -> Table | None:
    """The table that the lines above (nearest last) leave open: they lead up to a border without an empty line."""
    for line in reversed(above):
        if not line.strip():
            return None
        if _BORDER.match(line):
            chunks = gaps.split(line)
            columns = tuple(column - chunks.columns[0] for column in chunks.columns)
            return Table(indent_of(line), columns, tuple(map(len, chunks.words)))
    return None


def is_border(words: Sequence[bytes]) -> bool:
    """Whether these are the words of a border."""
    return len(words) > 1 and all(not word.strip(b"=") for word in words)


def border(words: Sequence[bytes], above: Sequence[bytes]) -> list[tuple[float, tuple[gaps.Gap, ...]]]:
    """The gaps of a border, with shares: as in the nearest one above with as many columns, as wide everywhere."""
    count = len(words) - 1
    last = next((gaps.split(line) for line in reversed(above) if _BORDER.match(line)), None)
    if last and len(last.gaps) == count:
        same = tuple(map(len, last.words)) == tuple(map(len, words))
        return [(_SAME_BORDER if same else _LIKE_BORDER, tuple(map(gaps.Gap, last.gaps)))]
    return [(share * _FIRST_BORDER, (_blanks(blanks),) * count) for blanks, share in _APART]


def _blanks(count: int) -> gaps.Gap:
    return gaps.Gap(b" " * count) if count > 1 else gaps.SINGLE


@lru_cache(4096)  # a row is read again for every reading of the lines above it
def cells(words: tuple[bytes, ...], table: Table) -> tuple[tuple[float, tuple[gaps.Gap, ...]], ...]:
    """The ways to tell the words of a row to the columns of its table, with shares. Where the row begins behind the
    first column, what would be in the columns before it goes on with single blanks."""
    found: dict[tuple[gaps.Gap, ...], float] = {}
    edge = width(table.indent)
    last = len(table.columns) - 1
    for begin in range(last if len(words) <= _MOST_WORDS else 0):
        if comb(len(words) - 1, last - begin) > _MOST_WAYS:
            continue
        for cuts in combinations(range(1, len(words)), last - begin):
            parts = [words[a:b] for a, b in zip((0, *cuts), cuts, strict=False)]
            weight = _fitted(parts, table.widths[begin:]) * (_GOES_ON if begin else 1.0)
            if weight:
                at = [edge + column for column in table.columns[begin:]]
                to = dict(zip(cuts, map(_gap, parts, at, at[1:]), strict=True))
                row = tuple(to.get(index, gaps.SINGLE) for index in range(1, len(words)))
                found[row] = found.get(row, 0.0) + weight
    total = sum(found.values())
    return tuple(sorted(((weight / total * _CELLS, row) for row, weight in found.items()), key=lambda one: -one[0]))


def _gap(part: Sequence[bytes], begins: int, column: int) -> gaps.Gap:
    """The gap behind a cell that begins at one column, up to the next."""
    text = b" ".join(part)
    return gaps.Gap(b" ", column) if text.isascii() else gaps.Gap(b" " * (column - begins - shown(text)))


@lru_cache(4096)
def shown(text: bytes) -> int:
    """How many columns a text takes on a screen."""
    wide = [unicodedata.east_asian_width(one) in "WF" for one in text.decode("utf-8", "replace")]
    return len(wide) + sum(wide)


def _fitted(parts: Sequence[Sequence[bytes]], widths: Sequence[int]) -> float:
    """How likely these are the cells of columns that wide; 0.0 where one is wider."""
    weight = 1.0
    for part, wide in zip(parts, widths, strict=False):
        size = shown(b" ".join(part))
        if size > wide:
            return 0.0
        weight *= _LONGER ** (len(part) - 1) * (_FULL if size == wide else 1.0)
    return weight


def starts(words: tuple[bytes, ...], above: Sequence[bytes], table: Table) -> dict[bytes, float]:
    """At which columns a row begins, with shares: that of its first cell, or of one that goes on."""
    row = _ROW_IF_LOWER if words[0][:1].islower() else _ROW
    out = {table.indent: row if is_border(words) or cells(words, table) else _NO_ROW}
    edge = width(table.indent)
    for column in table.columns[1:]:
        share = _GOES_ON / (len(table.columns) - 1)
        add(out, table.indent + b" " * column, share)
        add(out, pad(edge + column), share * _BY_TABS)
    own = indent_of(above[-1])
    if width(own) > edge and not is_border(words):
        add(out, own, _AS_ABOVE)
    return out
