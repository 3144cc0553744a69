"""Added lines in which an archive hid an address of mail: read with every address that may have been meant.

The likeliest address stands in the line while its white space is searched; the others are further readings of it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, fields, replace
from itertools import islice
from math import log2

from kpatch_tool.diff.model import FileDiff, Hunk, Kind, Line
from kpatch_tool.diff.undecided import Undecided
from kpatch_tool.restore import addresses, made_up
from kpatch_tool.restore.addresses import Person
from kpatch_tool.restore.damaged import squeeze
from kpatch_tool.restore.hidden import lost
from kpatch_tool.restore.readings.reading import LONE, Candidate, Memory, Reader
from kpatch_tool.restore.style.cstate import State

Words = tuple[bytes, ...]
Ways = tuple[tuple[float, Words], ...]  # (bits more than the likeliest, the words of the line)
_WORD = re.compile(rb"[^ \t\r\f\v]+")
_FEW = 4  # addresses that are combined with white space other than the likeliest


@dataclass(frozen=True, slots=True)
class Spelled:
    """A file diff with an address for each hidden one, and the other readings of its added lines by their numbers
    (among the added lines, from 0)."""

    file: FileDiff
    others: Mapping[int, Ways]


def hides_address(file: FileDiff) -> bool:
    """Whether an added line lacks an address that nothing in it tells."""
    return any(line.kind is Kind.ADDED and lost(line.text) for hunk in file.hunks for line in hunk.lines)


def hidden_lines(file: FileDiff) -> tuple[Undecided, ...]:
    """The added lines that lack an address."""
    return tuple(_listed(file))


def _listed(file: FileDiff) -> Iterator[Undecided]:
    for hunk in file.hunks:
        number = hunk.new_start
        for line in hunk.lines:
            if line.kind is Kind.ADDED and lost(line.text):
                yield Undecided(file.path, number, line.text.decode("utf-8", "replace").strip(), "a hidden address")
            number += line.kind is not Kind.REMOVED


def with_likeliest(
    file: FileDiff, base: bytes, people: Sequence[Person], seen: AbstractSet[bytes] = frozenset()
) -> FileDiff:
    """`file` with an address put in where a person's name stands before it, or makes the line one of those `seen` in
    other versions of the file (white space squeezed); elsewhere as received."""
    pool = _pool(file, base, people)
    return _rewritten(file, lambda text: _seen_first(addresses.shown(text, pool), seen)[0][1])


def spelled_out(
    file: FileDiff, base: bytes, people: Sequence[Person], seen: AbstractSet[bytes] = frozenset()
) -> Spelled | None:
    """`file` with the likeliest address for each hidden one, `seen` as in `with_likeliest`; None where one may be
    nobody's that is known."""
    pool = _pool(file, base, people)
    maker = _maker(file, pool)
    others: dict[int, Ways] = {}
    written: dict[bytes, bytes] = {}
    added = [line.text for hunk in file.hunks for line in hunk.lines if line.kind is Kind.ADDED]
    for number, text in enumerate(added):
        if not lost(text):
            continue
        shown = [(cost, one) for cost, one in addresses.shown(text, pool, maker) if not lost(one)]
        if not shown:
            return None
        ways = _seen_first(shown, seen)
        least, written[text] = ways[0]
        others[number] = tuple(
            # Of so many that are at least as likely no one is likelier than its part.
            (max(cost - least, log2(rank)), tuple(squeeze(one).split(b" ")))
            for rank, (cost, one) in enumerate(ways[1:], 2)
        )
    return Spelled(_rewritten(file, lambda text: written.get(text, text)), others)


def _seen_first(ways: Sequence[tuple[float, bytes]], seen: AbstractSet[bytes]) -> Sequence[tuple[float, bytes]]:
    """The ways to write a line, such as were seen first and for nothing."""
    right = [(0.0, one) for _, one in ways if squeeze(one) in seen] if seen else []
    return [*right, *(way for way in ways if squeeze(way[1]) not in seen)] if right else ways


def _pool(file: FileDiff, base: bytes, people: Sequence[Person]) -> Sequence[Person]:
    removed = [line.text for hunk in file.hunks for line in hunk.lines if line.kind is Kind.REMOVED]
    return addresses.pool(people, b"\n".join(removed), base)


def _maker(file: FileDiff, pool: Sequence[Person]) -> addresses.Maker:
    """Addresses made of the name before the place and the domains of others, those that the diff mentions first."""
    domains = made_up.Domains((person.name, person.address) for person in pool)
    text = b"\n".join(line.text for hunk in file.hunks for line in hunk.lines)

    def made(head: bytes) -> Sequence[tuple[float, bytes]]:
        names = made_up.names_before(head)
        return domains.addresses(names, file.path, text) if names else ()

    return made


def _rewritten(file: FileDiff, text_of: Callable[[bytes], bytes]) -> FileDiff:
    def line(one: Line) -> Line:
        hidden = one.kind is Kind.ADDED and lost(one.text)
        return replace(one, text=text_of(one.text)) if hidden else one

    def hunk(one: Hunk) -> Hunk:
        return replace(one, lines=tuple(map(line, one.lines)))

    return replace(file, hunks=tuple(map(hunk, file.hunks)))


@dataclass(slots=True)
class SpelledReader(Reader):
    """A reader that gives some rows other words as well, by the number of the row."""

    others: dict[int, Ways] = field(default_factory=dict)
    written: dict[tuple[int, bytes], list[tuple[float, bytes]]] = field(default_factory=dict)

    def candidates(self, number: int, state: State, memory: Memory, texts: Sequence[bytes]) -> list[Candidate]:
        """The readings of row `number`, cheapest first: each white space with the likeliest words and some others, the
        likeliest white space with all."""
        found = Reader.candidates(self, number, state, memory, texts)
        if not self.others.get(number):
            return found
        more = [
            Candidate(text, option.cost + cost, LONE)
            for rank, option in enumerate(found)
            for cost, text in islice(self._written(number, option.text), _FEW if rank else None)
        ]
        return sorted([*found, *more], key=lambda option: option.cost)

    def _written(self, number: int, text: bytes) -> list[tuple[float, bytes]]:
        """A text of row `number` with its other words, each with what they cost more."""
        key = (number, text)
        if key not in self.written:
            self.written[key] = [(cost, reworded(text, words)) for cost, words in self.others[number]]
        return self.written[key]


def reworded(text: bytes, words: Words) -> bytes:
    """`text` with other words and its own white space; as it is where their number is another."""
    left = list(reversed(words))
    return _WORD.sub(lambda _: left.pop(), text) if len(_WORD.findall(text)) == len(words) else text


def spelled(reader: Reader, others: Mapping[int, Ways]) -> Reader:
    """`reader` with the other readings of its added lines."""
    if not others:
        return reader
    added = [number for number, row in enumerate(reader.rows) if row.text is None]
    values = {one.name: getattr(reader, one.name) for one in fields(Reader)}
    return SpelledReader(**values, others={added[at]: ways for at, ways in others.items() if at < len(added)})
