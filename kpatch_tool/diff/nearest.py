"""For a hunk that does not fit: the place in the file that is most like it, and what differs there.

The work is bounded: lines of the hunk that are rare in the file name candidate places, the few with most votes are
compared line by line.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from difflib import SequenceMatcher

from kpatch_tool.diff import names
from kpatch_tool.diff.model import Hunk

_RARE = 8  # a line found more often than this says nothing about the place
_CANDIDATES = 4
_WINDOW = 200  # lines of a hunk that are compared
_SHOWN = 30
_LEAST = 0.25  # a place less alike than this explains nothing


@dataclass(frozen=True, slots=True)
class Nearest:
    """`line` (from 1) of the file is the first of the place, `score` how alike it is (0 to 1). `differs` is for a
    person: "  as expected", "- the patch expects", "+ the file has"; long ones are cut with a note."""

    line: int
    score: float
    differs: tuple[str, ...]
    white_space_only: bool = False


def squeezed(text: bytes) -> bytes:
    """`text` without blanks at its ends and with runs of white space as one blank."""
    return b" ".join(text.split())


def nearest_place(text: bytes, hunk: Hunk) -> Nearest | None:
    """The place in `text` most like the old lines of `hunk`; None when no place is like them."""
    old = [line.text for line in hunk.old_lines()][:_WINDOW]
    have = text.split(b"\n")
    if have and not have[-1]:
        have.pop()
    old_keys = [squeezed(line) for line in old]
    expected = hunk.old_start - 1
    # Where no line is telling (short ones, or all too frequent), the line the hunk names is the best guess.
    starts = _candidates(old_keys, have, expected) or [min(expected, max(0, len(have) - len(old)))]
    best = max((_compared(old_keys, have, start) for start in starts), key=lambda found: found[0])
    score, first, last = best
    if score < _LEAST:
        return None
    window = have[first:last]
    same = window != old and [squeezed(line) for line in window] == old_keys
    return Nearest(first + 1, round(score, 3), _differences(old, window), white_space_only=same)


def _candidates(old: list[bytes], have: list[bytes], expected: int) -> list[int]:
    """First lines (from 0) where the hunk may belong, those with most rare lines first."""
    wanted = {line for line in old if len(line) > 2}
    where: dict[bytes, list[int]] = defaultdict(list)
    for at, raw in enumerate(have):
        line = squeezed(raw)
        if line in wanted and len(where[line]) <= _RARE:
            where[line].append(at)
    votes: Counter[int] = Counter()
    for offset, line in enumerate(old):
        found = where.get(line, [])
        if len(found) <= _RARE:
            for at in found:
                # Neighbouring starts are one place with lines put in or taken out between.
                votes[max(0, at - offset)] += _RARE // len(found)
    ranked = sorted(votes, key=lambda start: (-votes[start], abs(start - expected)))
    return ranked[:_CANDIDATES]


def _compared(old: list[bytes], have: list[bytes], start: int) -> tuple[float, int, int]:
    """Likeness at `start`, and the lines first..last of the file that stand for the hunk's."""
    margin = min(len(old), 10)
    low, high = max(0, start - margin), min(len(have), start + len(old) + margin)
    window = [squeezed(line) for line in have[low:high]]
    blocks = [block for block in SequenceMatcher(None, old, window, autojunk=False).get_matching_blocks() if block.size]
    if not blocks:
        return 0.0, start, min(len(have), start + len(old))
    matched = sum(block.size for block in blocks)
    first = max(0, low + blocks[0].b - blocks[0].a)
    tail = len(old) - (blocks[-1].a + blocks[-1].size)
    last = min(len(have), low + blocks[-1].b + blocks[-1].size + tail)
    return matched / max(len(old), last - first), first, last


def _differences(old: list[bytes], window: list[bytes]) -> tuple[str, ...]:
    shown: list[str] = []
    for tag, a, b, c, d in SequenceMatcher(None, old, window, autojunk=False).get_opcodes():
        if tag == "equal":
            shown += (f"  {_line(line)}" for line in old[a:b])
        else:
            shown += (f"- {_line(line)}" for line in old[a:b])
            shown += (f"+ {_line(line)}" for line in window[c:d])
    if len(shown) > _SHOWN:
        shown[_SHOWN:] = [f"  ... {len(shown) - _SHOWN} more lines"]
    return tuple(shown)


def _line(text: bytes) -> str:
    return "\t".join(names.show(part) for part in text.split(b"\t"))
