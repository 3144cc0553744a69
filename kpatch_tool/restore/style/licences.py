"""Texts of licences: lines that those who copy one into a file keep, whatever the rest of the file is like.

`licences.txt` has the paragraphs of the comments with which files of Linux 6.1 begin, with the number of files
(benchmarks/licence_texts.py counts them).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from itertools import pairwise
from math import log2

from kpatch_tool.restore.damaged import squeeze

_COPIED = 0.96  # of lines with the words of a licence, those that stand as in one of its usual copies
UNLIKE_COPIES = -log2(1.0 - _COPIED)  # bits: that such a line stands in none of these ways
_FOLLOWS = 0.95  # and of these, such as stand as below the same line there
_RARE = 0.01

# The share of two blanks between two words with which licences end a sentence, of at least 100 places each in Linux
# 6.1, for copies whose lines are broken elsewhere.
_DOUBLED = {
    (b"CORPORATION.", b"All"): 0.61,
    (b"Communications.", b"All"): 0.79,
    (b"Corporation.", b"All"): 0.1,
    (b"DISCLAIMED.", b"IN"): 0.19,
    (b"FITNESS.", b"IN"): 0.0,
    (b"Foundation.", b"All"): 0.0,
    (b"Inc.", b"All"): 0.35,
    (b"License.", b"See"): 0.87,
    (b"Ltd.", b"All"): 0.2,
    (b"NON-INFRINGEMENT.", b"IN"): 0.05,
    (b"NONINFRINGEMENT.", b"IN"): 0.83,
    (b"NONINFRINGEMENT.", b"See"): 0.99,
    (b"Oracle.", b"All"): 0.96,
    (b"PURPOSE.", b"See"): 0.94,
    (b"Technologies.", b"All"): 0.02,
    (b"affiliates.", b"All"): 0.02,
    (b"license.", b"When"): 0.85,
    (b"licenses.", b"You"): 0.99,
}


def doubled(left: bytes, right: bytes) -> float | None:
    """How often two blanks stand between these words; None where they are of no licence."""
    share = _DOUBLED.get((left, right))
    return None if share is None else max(_RARE, share)


def has_end(words: Iterable[bytes]) -> bool:
    """Whether a sentence of a licence ends among these words, which says nothing of other sentences."""
    return any(pair in _DOUBLED for pair in pairwise(words))


def has_copies(text: bytes) -> bool:
    """Whether a line (white space squeezed) is one of a licence."""
    return text in _known().lines


def copies(text: bytes, above: bytes) -> Mapping[bytes, float]:
    """The ways in which a line of a licence (white space squeezed) stands in copies of it, each with its share, below
    the line `above`; nothing for any other line. What is missing to 1 is other ways (UNLIKE_COPIES)."""
    known = _known()
    ways = known.lines.get(text)
    if not ways:
        return {}
    below = {line: count for line, count in known.below.get(above, {}).items() if line in ways}
    total, follow = sum(ways.values()), sum(below.values())
    as_below = _FOLLOWS if follow else 0.0
    return {
        line: _COPIED * ((1.0 - as_below) * count / total + (as_below * below.get(line, 0) / follow if follow else 0.0))
        for line, count in ways.items()
    }


@dataclass(frozen=True, slots=True)
class _Known:
    """How often each line of a licence stands as it does, by its squeezed text, and below which line."""

    lines: Mapping[bytes, Counter[bytes]]
    below: Mapping[bytes, Counter[bytes]]


@cache
def _known() -> _Known:
    lines: dict[bytes, Counter[bytes]] = {}
    below: dict[bytes, Counter[bytes]] = {}
    count, above = 0, b""
    for entry in files(__package__).joinpath("licences.txt").read_bytes().split(b"\n"):
        if not entry.startswith(b" "):
            count, above = int(entry or b"0"), b""
            continue
        line = entry[1:]
        lines.setdefault(squeeze(line), Counter())[line] += count
        if above:
            below.setdefault(above, Counter())[line] += count
        above = line
    return _Known(lines, below)
