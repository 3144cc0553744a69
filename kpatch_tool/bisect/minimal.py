"""The smallest set of patches that shows a fault: delta debugging, cut to the dependency graph.

Zeller and Hildebrandt 2002, "Simplifying and isolating failure-inducing input", with two differences. The patch that
was blamed always stays (a set without it was seen to be good). The first guess is what that patch needs by the graph,
which mostly is right or nearly so; chunks are dropped together with all that needs them, for a set with a hole in it
seldom builds. In the end every single patch was tried to be left out, whatever the graph says. Pure: what a set shows
is a function's answer.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from kpatch_tool.bisect.model import Answer, Observation, Rates
from kpatch_tool.bisect.search import evidence

_TO_DECIDE = 2  # answers of one kind, where answers may be wrong


@dataclass(frozen=True, slots=True)
class Tried:
    """What became of a set of patches: whether it shows the fault, and the evidence, a sentence. A set that does not
    apply, does not build, or does not decide itself, does not show it."""

    shows: bool
    why: str


Probe = Callable[[tuple[int, ...]], Tried]


def reduced(
    patches: Sequence[int], blamed: int, needs: Mapping[int, Iterable[int]], probe: Probe
) -> tuple[tuple[int, ...], dict[int, str]]:
    """A smallest set and, for each of its patches but the blamed one, what the set without it said.

    `patches`, in the order applied, are known to show the fault; `needs` are the edges of the graph. Smallest means
    that no single patch can be left out (1-minimal). Calls `probe` with sets in the order of `patches`.
    """
    current = tuple(patches)
    guess = tuple(patch for patch in current if patch in _reach(needs, blamed))
    if guess != current and probe(guess).shows:
        current = guess
    size = len(current) // 2
    while size > 1:
        current = _without_chunks(current, blamed, size, needs, probe)
        size = min(size // 2, len(current) // 2)
    return _without_singles(current, blamed, probe)


def _without_chunks(
    current: tuple[int, ...], blamed: int, size: int, needs: Mapping[int, Iterable[int]], probe: Probe
) -> tuple[int, ...]:
    free = [patch for patch in reversed(current) if patch != blamed]
    for start in range(0, len(free), size):
        chunk = set(free[start : start + size])
        gone = {patch for patch in current if patch in chunk or chunk & _reach(needs, patch)}
        rest = tuple(patch for patch in current if patch not in gone)
        if blamed not in gone and rest != current and probe(rest).shows:
            current = rest
    return current


def _without_singles(current: tuple[int, ...], blamed: int, probe: Probe) -> tuple[tuple[int, ...], dict[int, str]]:
    """The later patches first: what they need can go only after them."""
    while True:
        whys: dict[int, str] = {}
        for patch in reversed(current):
            if patch == blamed:
                continue
            rest = tuple(other for other in current if other != patch)
            tried = probe(rest)
            if tried.shows:
                current = rest
                break
            whys[patch] = tried.why
        else:
            return current, whys


def _reach(needs: Mapping[int, Iterable[int]], patch: int) -> set[int]:
    """`patch` and all it needs in the end."""
    found: set[int] = set()
    left = [patch]
    while left:
        number = left.pop()
        if number not in found:
            found.add(number)
            left.extend(needs.get(number, ()))
    return found


def decided(looks: Sequence[Observation], rates: Rates | None, threshold: float, most: int) -> Tried | None:
    """What the looks at one set say, None where they do not suffice yet.

    `rates` as in a search, with what it found counted in; a set has the fault or has it not with the same probability
    before any look. `threshold` is how sure one must be, and two looks the least; after `most` a set counts as one that
    does not show the fault.
    """
    if not looks or looks[-1].answer is Answer.SKIP:
        return Tried(False, looks[-1].why) if looks else None
    bad = sum(one.answer is Answer.BAD for one in looks)
    good = len(looks) - bad
    if rates is None:
        return Tried(bool(bad), looks[-1].why)
    chance = _chance_of_fault(rates, bad, good)
    sure = (chance >= threshold and bad >= _TO_DECIDE, chance <= 1 - threshold and good >= _TO_DECIDE)
    if any(sure):
        word = Answer.BAD if sure[0] else Answer.GOOD
        return Tried(sure[0], next(one.why for one in reversed(looks) if one.answer is word))
    return Tried(False, f"its answers disagree: {bad} bad, {good} good") if len(looks) >= most else None


def _chance_of_fault(rates: Rates, bad: int, good: int) -> float:
    with_fault, without = evidence(rates.bad, (bad, good)), evidence(rates.good, (bad, good))
    return 1.0 / (1.0 + math.exp(without - with_fault))
