"""Noisy binary search: which state to look at next, and how sure the looks so far make it.

States are 0 (the base) to N. The fault comes with one patch c and stays: states before c answer "bad" at one unknown
rate, the others at another. For every c the looks have a likelihood (both rates integrated out: a Beta-binomial), and
with it c has a probability. The next look is the one that is expected to tell most (as in probabilistic bisection:
Waeber, Frazier, Henderson 2013, "Bisection search with noisy responses"; with answers that are always right this is
plain bisection).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from kpatch_tool.bisect.model import Answer, Belief, Observation, Rates

_TO_BLAME = 2  # looks that say "bad" after the patch, and "good" before it, where answers may be wrong


@dataclass(frozen=True, slots=True)
class Search:
    """What is searched: states 0 to `last`; `rates` is None where answers are always right. `threshold` is how sure
    one must be; a state stops being asked after `looks` answers."""

    last: int
    rates: Rates | None = None
    threshold: float = 0.95
    looks: int = 12


def next_state(search: Search, seen: Sequence[Observation]) -> int | None:
    """The state to look at, or None when the search has ended (`belief` says how).

    The last state is asked first, then the base: most searches that cannot succeed end there.
    """
    known = _Known.of(search, seen)
    if not known.usable:
        return None
    for end in (known.usable[-1], known.usable[0]):
        if not known.looks(end):
            return end
    if _settled(known):
        return None
    most = 1 if search.rates is None else search.looks
    open_states = [state for state in known.usable if known.looks(state) < most]
    weak = [state for state, answer in _sides(known) if state in open_states and known.looks(state, answer) < _TO_BLAME]
    if known.belief.confidence >= search.threshold and weak:
        return weak[0]
    middle = search.last / 2
    return max(open_states, key=lambda state: (round(_gain(known, state), 12), -abs(state - middle)), default=None)


def settled(search: Search, seen: Sequence[Observation]) -> bool:
    """Whether the looks suffice: sure enough, and nobody blamed on a single run."""
    return _settled(_Known.of(search, seen))


def belief(search: Search, seen: Sequence[Observation]) -> Belief:
    """What `seen` says of every patch, those together that no look can tell apart."""
    return _Known.of(search, seen).belief


@dataclass(frozen=True, slots=True)
class _Known:
    """What follows from the looks (those at equal states count for the last of these).

    `usable` are the states that may be asked, `same` the patches that change nothing of what is asked, `weights` the
    probability of every culprit (index 0: the base, 1..N the patches, N + 1: none).
    """

    search: Search
    seen: tuple[Observation, ...]
    usable: tuple[int, ...]
    same: frozenset[int]
    weights: tuple[float, ...]

    @staticmethod
    def of(search: Search, seen: Sequence[Observation]) -> _Known:
        skipped = {one.patch for one in seen if one.answer is Answer.SKIP}
        same = _same(seen)
        stands_for = {state: _last_equal(state, same) for state in range(search.last + 1)}
        usable = tuple(state for state in stands_for if state == stands_for[state] and state not in skipped)
        asked = tuple(replace(one, patch=stands_for[one.patch]) for one in seen if one.answer is not Answer.SKIP)
        return _Known(search, asked, usable, same, _posterior(search, asked, same))

    def looks(self, state: int, answer: Answer | None = None) -> int:
        """How often `state` was looked at (and gave `answer`)."""
        return sum(1 for one in self.seen if one.patch == state and answer in (None, one.answer))

    @property
    def belief(self) -> Belief:
        best = max(self._groups(), key=self._weight, default=())
        return Belief(best, self._weight(best), self.weights[0], self.weights[self.search.last + 1])

    def _weight(self, group: Sequence[int]) -> float:
        return sum(self.weights[patch] for patch in group)

    def _groups(self) -> list[tuple[int, ...]]:
        """The patches that can be the culprit, cut where a state can be asked."""
        groups: list[tuple[int, ...]] = []
        group: list[int] = []
        for patch in range(1, self.search.last + 1):
            group += [] if patch in self.same else [patch]
            if patch in self.usable:
                groups += [tuple(group)] if group else []
                group = []
        return groups


def _settled(known: _Known) -> bool:
    threshold, found = known.search.threshold, known.belief
    least = 1 if known.search.rates is None else _TO_BLAME
    if not known.usable:
        return False
    if found.base >= threshold:
        return known.looks(known.usable[0], Answer.BAD) >= least
    if found.none >= threshold:
        return known.looks(known.usable[-1], Answer.GOOD) >= least
    if found.confidence < threshold:
        return False
    return all(known.looks(state, answer) >= least for state, answer in _sides(known))


def _sides(known: _Known) -> tuple[tuple[int, Answer], ...]:
    """The states that can be asked on both sides of what is blamed, and what they should have answered."""
    blamed = known.belief.candidates
    if not blamed:
        return ()
    before = [state for state in known.usable if state < blamed[0]][-1:]
    after = [state for state in known.usable if state >= blamed[-1]][:1]
    return (*((state, Answer.BAD) for state in after), *((state, Answer.GOOD) for state in before))


def _same(seen: Sequence[Observation]) -> frozenset[int]:
    """The patches between two states of one fingerprint: a fault that stays cannot have come there."""
    first: dict[str, int] = {}
    last: dict[str, int] = {}
    for one in seen:
        if one.fingerprint:
            first[one.fingerprint] = min(one.patch, first.get(one.fingerprint, one.patch))
            last[one.fingerprint] = max(one.patch, last.get(one.fingerprint, one.patch))
    return frozenset(patch for key in first for patch in range(first[key] + 1, last[key] + 1))


def _last_equal(state: int, same: Collection[int]) -> int:
    """The last of the states that equal `state`."""
    while state + 1 in same:
        state += 1
    return state


def _posterior(search: Search, asked: Sequence[Observation], same: Collection[int]) -> tuple[float, ...]:
    good, bad = _before(search, asked)
    logs = [
        -math.inf if culprit in same else _log_likelihood(search, good, bad, culprit)
        for culprit in range(search.last + 2)
    ]
    top = max(logs)
    if top == -math.inf:  # answers that are always right contradict one another: none of them is
        return (0.0,) * len(logs)
    weights = [math.exp(log - top) for log in logs]
    total = sum(weights)
    return tuple(weight / total for weight in weights)


def _before(search: Search, asked: Sequence[Observation]) -> tuple[list[int], list[int]]:
    """For every state s up to N + 1: how many good and bad answers the states before s gave."""
    good, bad = [0] * (search.last + 2), [0] * (search.last + 2)
    for one in asked:
        (bad if one.answer is Answer.BAD else good)[one.patch + 1] += 1
    return list(itertools.accumulate(good)), list(itertools.accumulate(bad))


def _log_likelihood(search: Search, good: Sequence[int], bad: Sequence[int], culprit: int) -> float:
    before = (bad[culprit], good[culprit])
    after = (bad[-1] - bad[culprit], good[-1] - good[culprit])
    if search.rates is None:
        return 0.0 if before[0] == 0 and after[1] == 0 else -math.inf
    return _evidence(search.rates.good, before) + _evidence(search.rates.bad, after)


def _evidence(prior: tuple[float, float], counts: tuple[int, int]) -> float:
    """The logarithm of the probability of `counts` (bad, good) when the rate of bad answers is Beta-distributed."""
    (a, b), (bad, good) = prior, counts
    return _log_beta(a + bad, b + good) - _log_beta(a, b)


def _log_beta(a: float, b: float) -> float:
    return math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)


def _gain(known: _Known, state: int) -> float:
    """How much another look at `state` is expected to lower the entropy, in nats."""
    chance = _chance_of_bad(known, state)
    good, bad = (
        _posterior(known.search, [*known.seen, Observation(state, answer)], known.same)
        for answer in (Answer.GOOD, Answer.BAD)
    )
    return _entropy(known.weights) - (1 - chance) * _entropy(good) - chance * _entropy(bad)


def _chance_of_bad(known: _Known, state: int) -> float:
    rates = known.search.rates
    if rates is None:
        return sum(known.weights[: state + 1])
    good, bad = _before(known.search, known.seen)
    chance = 0.0
    for culprit, weight in enumerate(known.weights):
        if state >= culprit:
            (a, b), bads, goods = rates.bad, bad[-1] - bad[culprit], good[-1] - good[culprit]
        else:
            (a, b), bads, goods = rates.good, bad[culprit], good[culprit]
        chance += weight * (a + bads) / (a + b + bads + goods)
    return chance


def _entropy(weights: Sequence[float]) -> float:
    return -sum(weight * math.log(weight) for weight in weights if weight > 0.0)
