"""Finds for an added line the removed line that it resembles most.

How alike two lines are is Dice's coefficient of their pieces (words and marks, each as often as it is there).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence

_PIECE = re.compile(rb"\w+|[^\w\s]")
_LEAST = 0.5  # lines less alike do not resemble each other
# In a block of more lines than this a line is compared with so many alone: those that share its rarest pieces.
_MOST_COMPARED = 200


class Resembling:
    """The removed lines of one block of changes, squeezed, by the number each has in the base."""

    def __init__(self, lines: Mapping[int, bytes]) -> None:
        self._numbers = [number for number, text in lines.items() if text]
        self._first = {text: number for number, text in reversed(list(lines.items())) if text}
        self._bits: dict[tuple[bytes, int], int] = {}
        self._masks = [self._mask(lines[number]) for number in self._numbers]
        self._with: dict[int, list[int]] = {}  # by bit: the lines that have this piece
        if len(self._masks) > _MOST_COMPARED:
            for at, mask in enumerate(self._masks):
                for bit in _bits_of(mask):
                    self._with.setdefault(bit, []).append(at)

    def same(self, text: bytes) -> int | None:
        """The first line with this text."""
        return self._first.get(text)

    def likest(self, text: bytes) -> tuple[float, int] | None:
        """How alike (0.5 to 1) the line that resembles a text most is, and its number; the first one of several."""
        pieces = _pieces(text)
        mine = 0
        for piece in pieces:
            if (bit := self._bits.get(piece)) is not None:
                mine |= 1 << bit
        best: tuple[float, int] | None = None
        for at in self._compared(mine):
            theirs = self._masks[at]
            total = len(pieces) + theirs.bit_count()
            alike = 2.0 * (mine & theirs).bit_count() / total
            if alike >= _LEAST and (best is None or alike > best[0]):
                best = alike, self._numbers[at]
        return best

    def _compared(self, mine: int) -> Sequence[int]:
        """The lines that a line with these pieces is compared with, in order."""
        if not self._with:
            return range(len(self._masks))
        found: set[int] = set()
        for bit in sorted(_bits_of(mine), key=lambda bit: len(self._with[bit])):
            found.update(self._with[bit][: _MOST_COMPARED - len(found)])
            if len(found) >= _MOST_COMPARED:
                break
        return sorted(found)

    def _mask(self, text: bytes) -> int:
        """The pieces of a line as a set of bits."""
        mask = 0
        for piece in _pieces(text):
            mask |= 1 << self._bits.setdefault(piece, len(self._bits))
        return mask


def _pieces(text: bytes) -> list[tuple[bytes, int]]:
    """The pieces of a line, each with the number of those before it that are the same."""
    seen: Counter[bytes] = Counter()
    out: list[tuple[bytes, int]] = []
    for piece in _PIECE.findall(text):
        out.append((piece, seen[piece]))
        seen[piece] += 1
    return out


def _bits_of(mask: int) -> list[int]:
    """The numbers of the bits that are set."""
    out: list[int] = []
    while mask:
        bit = mask & -mask
        out.append(bit.bit_length() - 1)
        mask ^= bit
    return out
