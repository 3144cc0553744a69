"""The rows of a file that one of its readings has otherwise than the likeliest, and the bytes that these are of it.

Thousands of readings may have the thousands of rows of one and another row: those share its rows and its bytes.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import accumulate, chain, pairwise
from operator import itemgetter

_FEW = 32  # rows: so many are copied

Rows = tuple[tuple[int, bytes], ...]  # numbers of rows, in order, with the text of each and its ending
Spans = Mapping[int, tuple[int, int]]  # where in the file each row begins and ends
Piece = tuple[int, int, bytes | memoryview]  # from, to, what stands there instead


@dataclass(frozen=True, slots=True)
class Change:
    """Bytes of a file that are others: the pieces in order, `whole` (as few as can be, with what lies between), and how
    much longer the file becomes."""

    pieces: tuple[Piece, ...]
    whole: tuple[Piece, ...]
    grown: int


class Altered:
    """Rows with other text, over those of another reading (`below`, which is over none). `key` tells all of them from
    others; that of several that have no row in common is their exclusive or."""

    __slots__ = ("_change", "_grown", "below", "key", "rows")

    def __init__(self, rows: Rows, below: Altered | None = None) -> None:
        self.rows = rows
        self.below = below
        self.key: int = below.key if below else 0
        for one in rows:
            self.key ^= hash(one)
            if below and (old := below.text(one[0])) is not None:
                self.key ^= hash((one[0], old))
        self._change: Change | None = None
        self._grown: _Grown | None = None

    def all(self) -> Rows:
        """Every row that has other text."""
        return _merged(self.below.rows, self.rows) if self.below else self.rows

    def text(self, row: int) -> bytes | None:
        """The text of a row with its ending, where it is another."""
        for rows in (self.rows, self.below.rows if self.below else ()):
            at = bisect_left(rows, (row,))
            if at < len(rows) and rows[at][0] == row:
                return rows[at][1]
        return None

    def also(self, rows: Rows) -> Altered:
        """These and further rows, which may be among these."""
        if self.below:
            return Altered(_merged(self.rows, rows), self.below)
        return Altered(_merged(self.rows, rows)) if len(self.rows) <= _FEW else Altered(rows, self)

    def change(self, file: memoryview, spans: Spans) -> Change:
        """What they change in the file of the likeliest reading, whose rows have these spans."""
        if self._change is None:
            self._change = self._over(self.below, file, spans) if self.below else _change(self.rows, file, spans)
        return self._change

    def _over(self, below: Altered, file: memoryview, spans: Spans) -> Change:
        change = below.change(file, spans)
        known = below._grown = below._grown or _Grown(below.rows, spans)
        pieces, whole, grown = list(change.pieces), list(change.whole), change.grown
        for row, text in self.rows:
            start, end = spans[row]
            old = below.text(row)
            grown += len(text) - (end - start if old is None else len(old))
            for some in (pieces, whole):
                _put(some, (start, end, text), known)
        return Change(tuple(pieces), tuple(whole), grown)


class _Grown:
    """Where rows with other text begin, and how much longer the file has become before each."""

    def __init__(self, rows: Rows, spans: Spans) -> None:
        places = [spans[row] for row, _ in rows]
        self._starts = array("q", [start for start, _ in places])
        longer = (len(text) - (end - start) for (_, text), (start, end) in zip(rows, places, strict=True))
        self._grown = array("q", accumulate(longer, initial=0))

    def between(self, first: int, last: int) -> int:
        """How long what is between two places of the file, at which rows begin, has become."""
        low, high = (bisect_left(self._starts, place) for place in (first, last))
        return last - first + self._grown[high] - self._grown[low]


def _merged(rows: Rows, others: Iterable[tuple[int, bytes]]) -> Rows:
    """Both, in order; of a row that both have, the other text."""
    changed = dict(others)
    # The others are the very pairs: a new one each would take gigabytes where a thousand rows are changed.
    return tuple(sorted(chain((one for one in rows if one[0] not in changed), changed.items())))


def _change(rows: Rows, file: memoryview, spans: Spans) -> Change:
    runs: list[tuple[int, int, list[bytes]]] = []
    grown = 0
    for row, text in rows:
        start, end = spans[row]
        grown += len(text) - (end - start)
        if runs and runs[-1][1] == start:
            first, _, texts = runs[-1]
            texts.append(text)
            runs[-1] = (first, end, texts)
        else:
            runs.append((start, end, [text]))
    pieces = [(start, end, b"".join(texts)) for start, end, texts in runs]
    whole: list[bytes | memoryview] = [pieces[0][2]]
    for piece, below in pairwise(pieces):
        whole += [file[piece[1] : below[0]], below[2]]
    return Change(tuple(pieces), ((pieces[0][0], pieces[-1][1], b"".join(whole)),), grown)


def _put(pieces: list[Piece], row: Piece, known: _Grown) -> None:
    """Put a row in its place: into the piece that it is a part of, or between two."""
    start, end, _ = row
    at = bisect_right(pieces, start, key=itemgetter(0)) - 1
    if at < 0 or pieces[at][1] < end:
        pieces.insert(at + 1, row)
        return
    first, last, text = pieces[at]
    shared = memoryview(text)
    parts = (
        (first, start, shared[: known.between(first, start)]),
        row,
        (end, last, shared[known.between(first, end) :]),
    )
    pieces[at : at + 1] = [part for part in parts if part is row or part[0] < part[1]]
