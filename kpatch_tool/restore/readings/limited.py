"""Reads added lines by style where the received text still tells part of their white space."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields
from math import inf

from kpatch_tool.restore.readings.reading import Candidate, Memory, Reader
from kpatch_tool.restore.style.cstate import State

_UNSTYLED = 4.0  # bits more for a reading that the style does not give


@dataclass(frozen=True, slots=True)
class Limit:
    """What is known of an added line: whether a reading agrees with what was received, and readings that do, with
    their costs."""

    agrees: Callable[[bytes], bool]
    options: tuple[tuple[float, bytes], ...]


@dataclass(slots=True)
class LimitedReader(Reader):
    """A reader that gives only readings that agree with what was received; `limits` by row."""

    limits: dict[int, Limit] = field(default_factory=dict)

    def candidates(self, number: int, state: State, memory: Memory, texts: Sequence[bytes]) -> list[Candidate]:
        """The readings of row `number` that agree, cheapest first."""
        found = Reader.candidates(self, number, state, memory, texts)
        limit = self.limits.get(number)
        if limit is None:
            return found
        kept = {option.text: option for option in found if limit.agrees(option.text)}
        least = found[0].cost if found else 0.0
        for cost, text in limit.options:
            if text not in kept:
                kept[text] = Candidate(text, least + cost + _UNSTYLED, "received")
        return sorted(kept.values(), key=lambda option: option.cost) or found

    def unlikely(self, number: int, texts: Sequence[bytes], kind: str, most: float = inf) -> list[Candidate]:
        """The readings that no rule gives and that agree."""
        found = Reader.unlikely(self, number, texts, kind, most)
        limit = self.limits.get(number)
        return found if limit is None else [option for option in found if limit.agrees(option.text)]


def limited(reader: Reader, limits: Sequence[Limit]) -> Reader:
    """`reader` with a limit for each of its added lines, in order; as it is where their number is another."""
    added = [number for number, row in enumerate(reader.rows) if row.text is None]
    if not limits or len(added) != len(limits):
        return reader
    values = {one.name: getattr(reader, one.name) for one in fields(Reader)}
    return LimitedReader(**values, limits=dict(zip(added, limits, strict=True)))
