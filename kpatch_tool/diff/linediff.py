"""The difference of two sequences of lines: a shortest script of removed, added and common lines.

The longest common subsequence is found with one machine addition a line (bit vectors in Python's long integers: Allison
and Dix 1986; Hyyro 2004), which for two patches of a hundred lines takes tens of microseconds.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

CONTEXT = 3  # lines around a change, as git shows them
_LARGEST = 1 << 30  # bits of memory a comparison may take; larger ones are not made minimal


@dataclass(frozen=True, slots=True)
class Step:
    """One line of the script: `sign` is " ", "-" or "+", `place` the line's index in the old text ("-", " ") or the new
    one ("+")."""

    sign: str
    place: int


Script = list[Step]
Places = list[tuple[int, int]]


def script(old: Sequence[bytes], new: Sequence[bytes]) -> Script:
    """How `old` becomes `new`: a shortest script, removed lines before the added ones that replace them.

    Where two texts are too large to compare (2**30 pairs of lines), what lies between their common beginning and their
    common end is replaced as a whole.
    """
    head = _common(old, new)
    tail = _common(old[head:][::-1], new[head:][::-1])
    steps = [Step(" ", place) for place in range(head)]
    here = there = head
    last_old, last_new = len(old) - tail, len(new) - tail
    for a, b in [*_matches(old, new, head, last_old, last_new), (last_old, last_new)]:
        steps += [Step("-", place) for place in range(here, a)]
        steps += [Step("+", place) for place in range(there, b)]
        if a < last_old and b < last_new:
            steps.append(Step(" ", a))
        here, there = a + 1, b + 1
    return steps + [Step(" ", place) for place in range(last_old, len(old))]


def _common(old: Sequence[bytes], new: Sequence[bytes]) -> int:
    """How many first lines two texts share."""
    shorter = min(len(old), len(new))
    return next((place for place in range(shorter) if old[place] != new[place]), shorter)


def _matches(old: Sequence[bytes], new: Sequence[bytes], first: int, last_old: int, last_new: int) -> Places:
    """The common lines of old[first:last_old] and new[first:last_new], as pairs of places."""
    rows, columns = last_old - first, last_new - first
    if not rows or not columns or rows * columns > _LARGEST:
        return []
    full = (1 << columns) - 1
    masks: dict[bytes, int] = {}
    for bit, place in enumerate(range(last_new - 1, first - 1, -1)):
        masks[new[place]] = masks.get(new[place], 0) | 1 << bit
    # state[i] is of the last i lines of `old`: bit k is 0 where one more line of `new` makes the subsequence longer.
    state = [full]
    for place in range(last_old - 1, first - 1, -1):
        vector = state[-1]
        shared = vector & masks.get(old[place], 0)
        state.append((vector + shared | vector - shared) & full)
    found = []
    a, b = first, first
    while a < last_old and b < last_new:
        if old[a] == new[b]:
            found.append((a, b))
            a, b = a + 1, b + 1
        elif state[last_old - a] >> (last_new - b - 1) & 1:
            b += 1
        else:
            a += 1
    return found


def hunks(steps: Script, context: int = CONTEXT) -> Iterator[tuple[int, int]]:
    """The runs (from, to) of steps that a unified diff shows: changes with `context` common lines around them."""
    start = end = -1
    for place, step in enumerate(steps):
        if step.sign == " ":
            continue
        if start >= 0 and place - context > end:
            yield start, min(end, len(steps))
            start = -1
        if start < 0:
            start = max(place - context, 0)
        end = place + context + 1
    if start >= 0:
        yield start, min(end, len(steps))


def cost(old: Sequence[bytes], new: Sequence[bytes]) -> int:
    """How many lines the unified diff of two texts has, its @@ lines counted (git's range-diff.c, diffsize).

    The same as counting the hunks of `script`, without making them: a series is compared with all of another.
    """
    head = _common(old, new)
    tail = _common(old[head:][::-1], new[head:][::-1])
    last_old, last_new = len(old) - tail, len(new) - tail
    matches = _matches(old, new, head, last_old, last_new)
    common = [head]  # lengths of the runs of common lines
    here = there = head
    for a, b in matches:
        if a != here or b != there:
            common.append(0)
        common[-1] += 1
        here, there = a + 1, b + 1
    if here != last_old or there != last_new:
        common.append(0)
    common[-1] += tail
    if len(common) == 1:
        return 0
    changed = last_old + last_new - 2 * (head + len(matches))
    inner = [min(run, 2 * CONTEXT) for run in common[1:-1]]
    shown = 1 + sum(run > 2 * CONTEXT for run in common[1:-1])
    return changed + min(common[0], CONTEXT) + sum(inner) + min(common[-1], CONTEXT) + shown


def least_cost(old: Counter[bytes], new: Counter[bytes]) -> int:
    """What `cost` is at least, from the lines each text has, whatever their order."""
    common = sum((old & new).values())
    return old.total() + new.total() - 2 * common


def likeness(old: Sequence[bytes], new: Sequence[bytes]) -> float:
    """The share of lines two texts have in common, in order: 0 to 1."""
    if not old and not new:
        return 1.0
    common = sum(step.sign == " " for step in script(old, new))
    return 2 * common / (len(old) + len(new))
