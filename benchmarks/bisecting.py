"""Searching with answers that may be wrong: kpt's search beside `git bisect run`, simulated.

`python -m benchmarks.bisecting [SEARCHES]` searches a series of 60 patches that often (200), the culprit each time
another one, and prints how many looks it took and how often the right patch was named.
"""

from __future__ import annotations

import random
import statistics
import sys
from collections.abc import Callable
from dataclasses import dataclass

from kpatch_tool.bisect.model import FLAKY, Answer, Observation, Rates
from kpatch_tool.bisect.search import Search, belief, next_state, settled

PATCHES = 60
SEARCHES = 200
Look = Callable[[int], bool]  # a state -> whether it answers "bad"


@dataclass(frozen=True, slots=True)
class Noise:
    """How often states without the fault answer "bad", and states with it."""

    words: str
    good: float
    bad: float


@dataclass(frozen=True, slots=True)
class Outcome:
    """Of one search: the patch named (None: none), how sure, how many looks."""

    named: int | None
    looks: int


NOISES = (
    Noise("no answer is wrong", 0.0, 1.0),
    Noise("5 % of all answers are wrong", 0.05, 0.95),
    Noise("good states fail in 5 % of runs", 0.05, 1.0),
    Noise("bad states fail in half of the runs", 0.0, 0.5),
)


def plain(look: Look, times: int) -> Outcome:
    """What `git bisect run` does with a script that runs the test `times` times and goes by the majority. The two ends
    are given, and cost nothing."""
    good, bad, looks = 0, PATCHES, 0
    while bad - good > 1:
        middle = (good + bad) // 2
        looks += times
        if sum(look(middle) for _ in range(times)) * 2 > times:
            bad = middle
        else:
            good = middle
    return Outcome(bad, looks)


def noisy(look: Look, rates: Rates | None, threshold: float) -> Outcome:
    """What kpt does."""
    search = Search(PATCHES, rates, threshold)
    seen: list[Observation] = []
    while (state := next_state(search, seen)) is not None:
        seen.append(Observation(state, Answer.BAD if look(state) else Answer.GOOD))
    found = belief(search, seen)
    sure = settled(search, seen) and max(found.base, found.none) < threshold
    return Outcome(found.candidates[0] if sure and len(found.candidates) == 1 else None, len(seen))


WAYS: tuple[tuple[str, Callable[[Look], Outcome]], ...] = (
    ("git bisect run", lambda look: plain(look, 1)),
    ("git bisect run, 3 runs each", lambda look: plain(look, 3)),
    ("git bisect run, 7 runs each", lambda look: plain(look, 7)),
    ("kpt bisect --once", lambda look: noisy(look, None, 0.95)),
    ("kpt bisect", lambda look: noisy(look, FLAKY, 0.95)),
    ("kpt bisect --confidence 0.99", lambda look: noisy(look, FLAKY, 0.99)),
)


def measured(way: Callable[[Look], Outcome], noise: Noise, searches: int) -> tuple[float, float, float]:
    """Looks (mean), and the shares of searches that named the right patch and a wrong one."""
    outcomes = []
    for seed in range(searches):
        rng = random.Random(seed)
        culprit = rng.randint(1, PATCHES)

        def look(state: int, rng: random.Random = rng, culprit: int = culprit) -> bool:
            return rng.random() < (noise.bad if state >= culprit else noise.good)

        outcomes.append((way(look), culprit))
    looks = statistics.fmean(outcome.looks for outcome, _ in outcomes)
    right = sum(outcome.named == culprit for outcome, culprit in outcomes) / searches
    wrong = sum(outcome.named not in (None, culprit) for outcome, culprit in outcomes) / searches
    return looks, right, wrong


def main() -> None:
    """Print the table."""
    searches = int(sys.argv[1]) if len(sys.argv) > 1 else SEARCHES
    sys.stdout.write(f"{PATCHES} patches, {searches} searches; the rest of 100 % named nobody\n")
    for noise in NOISES:
        sys.stdout.write(f"\n{noise.words:34}   looks   right   wrong\n")
        for name, way in WAYS:
            looks, right, wrong = measured(way, noise, searches)
            sys.stdout.write(f"  {name:32}  {looks:6.1f}  {right:5.1%}  {wrong:6.1%}\n")


if __name__ == "__main__":
    main()
