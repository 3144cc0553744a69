"""Searches the readings of a damaged file for the one whose git blob id the patch names.

The greedy reading takes the likeliest bytes for every line. The search then deviates from it: at one line, at two, and
so on, always the combination next in likelihood (the sum of the costs in bits). Each reading is one SHA-1 of the file.
The bound is a number of readings and of bytes hashed, so that the outcome does not depend on the machine.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from heapq import heappop, heappush

from kpatch_tool.diff.cstate import State
from kpatch_tool.diff.reading import Candidate, Memory, Reader

_MAX_COST = 26.0  # bits: readings less likely than one in 2^26 are not tried
_LONGEST = 200  # bytes of a line whose unlikely readings are tried
_MOST = 30_000  # unlikely readings of a file
_CHEAPER = 10  # listing what else a line could be is cheaper than reading it by this factor
_SAME = 3  # so many equal lines above, and the same state, make the rest the same


@dataclass(frozen=True, slots=True)
class Bound:
    """How much work a search may do: readings tried, bytes hashed, and lines read."""

    readings: int = 12_000
    hashed: int = 800_000_000
    lines: int = 80_000


@dataclass(slots=True)
class Path:
    """One reading of a whole file: the text of every row, with what could have been chosen."""

    texts: list[bytes]
    options: list[list[Candidate] | None]
    before: list[tuple[State, Memory]]
    deviations: list[tuple[float, int, int]]  # (more bits, row, option), cheapest first
    cost: float


class Judge:
    """Says whether a reading gives the blob whose id begins with `wanted` (hexadecimal)."""

    def __init__(self, wanted: str, pieces: Sequence[bytes | tuple[int, int]]) -> None:
        """`pieces` make up the file: known bytes, or (first, last) of rows to take from a reading."""
        self.wanted = wanted
        self.new = hashlib.sha256 if len(wanted) > 40 else hashlib.sha1
        self.pieces = pieces
        self.head = pieces[0] if pieces and isinstance(pieces[0], bytes) else b""
        self.rest = pieces[1:] if self.head else pieces
        self.known = sum(len(piece) for piece in pieces if isinstance(piece, bytes))
        self.begun: dict[int, hashlib._Hash] = {}
        self.hashed = 0

    def content(self, texts: Sequence[bytes], endings: Sequence[bytes]) -> bytes:
        """The file these rows give."""
        return self.head + self._body(texts, endings)

    def _body(self, texts: Sequence[bytes], endings: Sequence[bytes]) -> bytes:
        return b"".join(
            piece
            if isinstance(piece, bytes)
            else b"".join([texts[row] + endings[row] for row in range(piece[0], piece[1])])
            for piece in self.rest
        )

    def right(self, texts: Sequence[bytes], endings: Sequence[bytes]) -> bool:
        """Whether these rows (each with its line ending) give the wanted blob."""
        body = self._body(texts, endings)
        length = len(self.head) + len(body)
        digest = self.begun.get(length)
        if digest is None:
            digest = self.new(b"blob %d\0" % length + self.head, usedforsecurity=False)
            self.begun[length] = digest
        digest = digest.copy()
        digest.update(body)
        self.hashed += len(body)
        return digest.hexdigest().startswith(self.wanted)


def greedy(reader: Reader) -> Path:
    """The likeliest reading, row by row."""
    path = Path([], [], [], [], 0.0)
    _continue(reader, path, None, 0)
    return path


def _continue(reader: Reader, path: Path, parent: Path | None, from_row: int) -> int:
    """Read the rows left in `path`, taking the parent's rest where the state is the same again; rows read."""
    if path.before:
        state, memory = _after_last(reader, path)
    else:
        state, memory = State(), Memory()
    count = 0
    for number in range(len(path.texts), len(reader.rows)):
        row = reader.rows[number]
        if row.start is not None:
            state = row.start
        if parent is not None and number > from_row + 1 and parent.before[number] == (state, memory):
            low = max(0, number - _SAME)
            if path.texts[low:] == parent.texts[low:number]:
                path.texts += parent.texts[number:]
                path.options += parent.options[number:]
                path.before += parent.before[number:]
                return count
        path.before.append((state, memory))
        count += 1
        if row.text is not None:
            path.texts.append(row.text)
            path.options.append(None)
            state, memory = reader.after(number, state, memory, None, row.text)
            continue
        candidates = reader.candidates(number, state, memory, path.texts)
        chosen = candidates[0]
        path.texts.append(chosen.text)
        path.options.append(candidates)
        state, memory = reader.after(number, state, memory, chosen, chosen.text)
    return count


def _after_last(reader: Reader, path: Path) -> tuple[State, Memory]:
    number = len(path.texts) - 1
    state, memory = path.before[number]
    options = path.options[number]
    text = path.texts[number]
    candidate = next((option for option in options or () if option.text == text), None)
    return reader.after(number, state, memory, candidate, text)


def _deviations(path: Path, after: int) -> None:
    """List what else could be chosen in the rows below `after`."""
    found: list[tuple[float, int, int]] = []
    for number in range(after + 1, len(path.options)):
        options = path.options[number]
        if options and len(options) > 1:
            least = options[0].cost
            found += [
                (options[choice].cost - least, number, choice)
                for choice in range(1, len(options))
                if options[choice].kind != "unlikely"
            ]
    found.sort()
    path.deviations = found


def _add_unlikely(reader: Reader, path: Path) -> None:
    """List the readings that no rule gives, too."""
    for number, options in enumerate(path.options):
        if options is None or len(path.texts[number]) > _LONGEST or len(path.deviations) > _MOST:
            continue
        given = {option.text for option in options}
        more = [option for option in reader.unlikely(number, path.texts) if option.text not in given]
        first = len(options)
        path.options[number] = [*options, *more]
        path.deviations += [(option.cost, number, first + at) for at, option in enumerate(more)]
    path.deviations.sort()


def search(
    reader: Reader, judge: Judge, endings: Sequence[bytes], bound: Bound, *, unlikely: bool = True
) -> tuple[Path, bool, int]:
    """The reading the judge accepts, or the likeliest; whether it was accepted; how many readings were tried.

    With `unlikely`, single deviations that no rule gives are tried too, in their turn.
    """
    first = greedy(reader)
    tried = 1
    if judge.right(first.texts, endings):
        return first, True, tried
    _deviations(first, -1)
    if unlikely:
        _add_unlikely(reader, first)
    heap: list[tuple[float, int, Path, int]] = []
    if first.deviations:
        heappush(heap, (first.deviations[0][0], 0, first, 0))
    lines = serial = 0
    while heap and tried < bound.readings and judge.hashed < bound.hashed and lines < bound.lines:
        cost, _, parent, at = heappop(heap)
        if cost > _MAX_COST:
            break
        more, number, choice = parent.deviations[at]
        if at + 1 < len(parent.deviations):
            serial += 1
            heappush(heap, (parent.cost + parent.deviations[at + 1][0], serial, parent, at + 1))
        child = Path(
            parent.texts[:number], parent.options[:number], parent.before[: number + 1], [], parent.cost + more
        )
        options = parent.options[number]
        assert options is not None
        child.texts.append(options[choice].text)
        child.options.append(options)
        lines += _continue(reader, child, parent, number) + (len(reader.rows) - number) // _CHEAPER
        tried += 1
        if judge.right(child.texts, endings):
            return child, True, tried
        _deviations(child, number)
        if child.deviations:
            serial += 1
            heappush(heap, (child.cost + child.deviations[0][0], serial, child, 0))
    return first, False, tried
