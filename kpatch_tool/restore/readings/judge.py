"""Says whether a reading of a file has the git blob id that a patch names (git-hash-object(1))."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from operator import itemgetter

from kpatch_tool.restore.readings.altered import Altered, Piece

_KEPT = 5_000  # hash states kept
_BY_CHANCE = 2_600  # of so many files for which no reading tried is right, at most one is taken for proven


def readings_judged(wanted: str) -> int:
    """How many readings a blob id, or the beginning of one, can judge: one of them may be met by chance once in
    `_BY_CHANCE` files. Four digits, the fewest git writes, judge 25: a text as received, a deletion, a rename and a
    binary change are one reading each, so that any id proves them."""
    return (1 << 4 * len(wanted)) // _BY_CHANCE


class Judge:
    """Says whether a reading gives the blob whose id begins with `wanted` (hexadecimal)."""

    def __init__(self, wanted: str, pieces: Sequence[bytes | tuple[int, int]]) -> None:
        """`pieces` make up the file: known bytes, or (first, last) of rows to take from a reading."""
        self.wanted = wanted
        self.new = hashlib.sha256 if len(wanted) > 40 else hashlib.sha1
        self.pieces = pieces
        self.hashed = 0

    def content(self, texts: Sequence[bytes], endings: Sequence[bytes]) -> bytes:
        """The file these rows give."""
        return b"".join(
            piece
            if isinstance(piece, bytes)
            else b"".join([texts[row] + endings[row] for row in range(piece[0], piece[1])])
            for piece in self.pieces
        )

    def right(self, texts: Sequence[bytes], endings: Sequence[bytes]) -> bool:
        """Whether these rows (each with its line ending) give the wanted blob."""
        content = self.content(texts, endings)
        self.hashed += len(content)
        digest = self.new(b"blob %d\0" % len(content) + content, usedforsecurity=False)
        return digest.hexdigest().startswith(self.wanted)


def rows_in(content: bytes, pieces: Sequence[bytes | tuple[int, int]], endings: Sequence[bytes]) -> list[bytes] | None:
    """The text of every row for which `Judge.content` gives `content`, each a line of it (b"" for rows that no piece
    takes); None where they cannot be."""
    texts = [b""] * len(endings)
    at = 0
    for piece in pieces:
        if isinstance(piece, bytes):
            if not content.startswith(piece, at):
                return None
            at += len(piece)
            continue
        for row in range(*piece):
            stop = content.find(endings[row], at) if endings[row] else len(content)
            if stop < 0:
                return None
            texts[row] = content[at:stop]
            at = stop + len(endings[row])
    return texts if at == len(content) else None


_place = itemgetter(0, 1)


class Variations:
    """Hashes many variations of one file, each once, from the first row that differs."""

    def __init__(self, judge: Judge, texts: Sequence[bytes], endings: Sequence[bytes]) -> None:
        self.judge = judge
        self.whole = memoryview(judge.content(texts, endings))
        self.spans: dict[int, tuple[int, int]] = {}
        self.begun: dict[tuple[int, int], hashlib._Hash] = {}
        self.tried: set[int] = set()
        at = 0
        for piece in judge.pieces:
            if isinstance(piece, bytes):
                at += len(piece)
                continue
            for row in range(*piece):
                end = at + len(texts[row]) + len(endings[row])
                self.spans[row] = (at, end)
                at = end

    def right(self, altered: Sequence[Altered]) -> bool | None:
        """Whether the file has the wanted id with all these rows, none of them twice; None where it was tried
        before."""
        key = 0
        for one in altered:
            key ^= one.key
        if key in self.tried:
            return None
        self.tried.add(key)
        changes = [one.change(self.whole, self.spans) for one in altered]
        pieces = [piece for change in changes for piece in change.whole]
        pieces.sort(key=_place)
        length = len(self.whole) + sum([change.grown for change in changes])
        found = self._with(pieces, length)
        if found is None:
            # One change lies between the rows of another.
            found = self._with(sorted([piece for change in changes for piece in change.pieces], key=_place), length)
        return found

    def _with(self, pieces: Sequence[Piece], length: int) -> bool | None:
        """Whether the file has the wanted id with these pieces; None where they overlap."""
        whole = self.whole
        begin = at = pieces[0][0] if pieces else 0
        known = self.begun.get((length, at))
        digest = known.copy() if known else self._begin(length, at)
        update = digest.update
        for start, end, text in pieces:
            if start > at:
                update(whole[at:start])
            elif start < at:
                return None
            update(text)
            at = end
        update(whole[at:])
        self.judge.hashed += length - begin
        return digest.hexdigest().startswith(self.judge.wanted)

    def _begin(self, length: int, at: int) -> hashlib._Hash:
        """The state of a hash of that many bytes up to byte `at`, where nothing differs yet."""
        digest = self.judge.new(b"blob %d\0" % length, usedforsecurity=False)
        digest.update(self.whole[:at])
        self.judge.hashed += at
        if len(self.begun) < _KEPT:
            self.begun[length, at] = digest.copy()
        return digest
