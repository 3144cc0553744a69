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
from functools import cache

from kpatch_tool.bisect.model import Answer, Belief, Observation, Rates

_BASE, _NONE = 0.1, 0.3  # before any look: the base has the fault already; no state has it
_TO_BLAME = 2  # looks that say "bad" after the patch, and "good" before it, where answers may be wrong


@dataclass(frozen=True, slots=True)
class Search:
    """What is searched: states 0 to `last`; `rates` is None where answers are always right. `threshold` is how sure
    one must be; a state stops being asked after `looks` answers, and the search ends after `most` in all."""

    last: int
    rates: Rates | None = None
    threshold: float = 0.95
    looks: int = 20

    @property
    def most(self) -> int:
        return 2 * self.looks + 2 * (self.last + 1)


def next_state(search: Search, seen: Sequence[Observation]) -> int | None:
    """The state to look at, or None when the search has ended (`belief` says how).

    The last state is asked first, then the base: most searches that cannot succeed end there.
    """
    known = _Known.of(search, seen)
    if not known.usable:
        return None
    if _settled(known) or len(known.seen) >= search.most or contradictory(known.belief):
        return None
    for end in (known.usable[-1], known.usable[0]):
        if not known.looks(end):
            return end
    most = 1 if search.rates is None else search.looks
    open_states = [state for state in known.usable if known.looks(state) < most]
    weak = [state for state, answer in _sides(known) if state in open_states and known.looks(state, answer) < _TO_BLAME]
    if known.belief.confidence >= search.threshold and weak:
        return weak[0]
    middle = search.last / 2
    gains = _gains(known, open_states)
    return max(open_states, key=lambda state: (round(gains[state], 12), -abs(state - middle)), default=None)


def settled(search: Search, seen: Sequence[Observation]) -> bool:
    """Whether the looks suffice: sure enough, and nobody blamed on a single run."""
    return _settled(_Known.of(search, seen))


def contradictory(found: Belief) -> bool:
    """Whether no patch, nor the base, nor none can have given the answers: those that are always right contradict one
    another, and no other look can mend that."""
    return found.ends is not None and not any((found.base, found.none, found.confidence))


def belief(search: Search, seen: Sequence[Observation]) -> Belief:
    """What `seen` says of every patch, those together that no look can tell apart."""
    return _Known.of(search, seen).belief


@dataclass(frozen=True, slots=True)
class _Tally:
    """How often (bad, good) was answered by the states `before` a culprit, and by those from it on."""

    before: tuple[int, int]
    after: tuple[int, int]


@dataclass(frozen=True, slots=True)
class _Known:
    """What follows from the looks (those at equal states count for the last of these).

    `usable` are the states that may be asked, `same` the patches that change nothing of what is asked, `tallies` and
    `weights` what was answered on the two sides of every culprit, and its probability (index 0: the base, 1..N the
    patches, N + 1: none).
    """

    search: Search
    seen: tuple[Observation, ...]
    usable: tuple[int, ...]
    same: frozenset[int]
    tallies: tuple[_Tally, ...]
    weights: tuple[float, ...]

    @staticmethod
    def of(search: Search, seen: Sequence[Observation]) -> _Known:
        skipped = {one.patch for one in seen if one.answer is Answer.SKIP}
        same = _same(seen)
        stands_for = {state: _last_equal(state, same) for state in range(search.last + 1)}
        usable = tuple(state for state in stands_for if state == stands_for[state] and state not in skipped)
        asked = tuple(replace(one, patch=stands_for[one.patch]) for one in seen if one.answer is not Answer.SKIP)
        tallies = _tallies(search, asked)
        return _Known(search, asked, usable, same, tallies, _posterior(search, tallies, same))

    def looks(self, state: int, answer: Answer | None = None) -> int:
        """How often `state` was looked at (and gave `answer`)."""
        return sum(1 for one in self.seen if one.patch == state and answer in (None, one.answer))

    @property
    def belief(self) -> Belief:
        if not self.usable:
            return Belief((), 0.0, 0.0, 0.0, None)
        first, last = self.usable[0], self.usable[-1]
        best = max(self._groups(), key=self._weight, default=())
        before, after = range(first + 1), range(last + 1, self.search.last + 2)
        return Belief(best, self._weight(best), self._weight(before), self._weight(after), (first, last))

    def _weight(self, group: Sequence[int]) -> float:
        return sum(self.weights[patch] for patch in group)

    def _groups(self) -> list[tuple[int, ...]]:
        """The patches that can be the culprit, cut where a state can be asked. Those before the first such state are
        not to be told from the base, and those after the last not from none."""
        groups: list[tuple[int, ...]] = []
        group: list[int] = []
        for patch in range(self.usable[0] + 1, self.usable[-1] + 1):
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


def _posterior(search: Search, tallies: Sequence[_Tally], same: Collection[int]) -> tuple[float, ...]:
    logs = [
        -math.inf if culprit in same else before + _log_likelihood(search.rates, tally)
        for culprit, (before, tally) in enumerate(zip(_prior(search.last), tallies, strict=True))
    ]
    top = max(logs)
    if top == -math.inf:  # answers that are always right contradict one another: none of them is
        return (0.0,) * len(logs)
    weights = [math.exp(log - top) for log in logs]
    total = sum(weights)
    return tuple(weight / total for weight in weights)


@cache
def _prior(last: int) -> tuple[float, ...]:
    """The logarithm of the probability of every culprit before any look: the patches share what `_BASE` and `_NONE`
    leave."""
    each = (1 - _BASE - _NONE) / max(last, 1)
    return (math.log(_BASE), *[math.log(each)] * last, math.log(_NONE))


def _tallies(search: Search, asked: Sequence[Observation]) -> tuple[_Tally, ...]:
    """For every culprit (0 to N + 1) what the states on its two sides answered."""
    bad, good = [0] * (search.last + 1), [0] * (search.last + 1)
    for one in asked:
        (bad if one.answer is Answer.BAD else good)[one.patch] += 1
    bads = [0, *itertools.accumulate(bad)]
    goods = [0, *itertools.accumulate(good)]
    return tuple(
        _Tally((bads[culprit], goods[culprit]), (bads[-1] - bads[culprit], goods[-1] - goods[culprit]))
        for culprit in range(search.last + 2)
    )


def _log_likelihood(rates: Rates | None, tally: _Tally) -> float:
    if rates is None:
        return 0.0 if tally.before[0] == 0 and tally.after[1] == 0 else -math.inf
    return evidence(rates.good, tally.before) + evidence(rates.bad, tally.after)


def evidence(prior: tuple[float, float], counts: tuple[int, int]) -> float:
    """The logarithm of the probability of `counts` (bad, good) when the rate of bad answers is Beta-distributed."""
    (a, b), (bad, good) = prior, counts
    return _log_beta(a + bad, b + good) - _log_beta(a, b)


def _log_beta(a: float, b: float) -> float:
    return math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)


def _gains(known: _Known, states: Sequence[int]) -> dict[int, float]:
    """How much a look at each of `states` is expected to lower the entropy, in nats."""
    entropy = _entropy(known.weights)
    with_fault, without = _chances(known)
    gains = {}
    for state in states:
        chances = (*with_fault[: state + 1], *without[state + 1 :])  # of "bad", for every culprit
        bad = [weight * chance for weight, chance in zip(known.weights, chances, strict=True)]
        good = [weight - share for weight, share in zip(known.weights, bad, strict=True)]
        gains[state] = entropy - _spread(bad) - _spread(good)
    return gains


def _chances(known: _Known) -> tuple[list[float], list[float]]:
    """For every culprit: how likely the next look at a state with the fault says "bad", and at one without."""
    rates = known.search.rates
    if rates is None:
        return [1.0] * len(known.weights), [0.0] * len(known.weights)
    return (
        [_mean(rates.bad, tally.after) for tally in known.tallies],
        [_mean(rates.good, tally.before) for tally in known.tallies],
    )


def _mean(prior: tuple[float, float], counts: tuple[int, int]) -> float:
    (a, b), (bad, good) = prior, counts
    return (a + bad) / (a + b + bad + good)


def _spread(weights: Sequence[float]) -> float:
    """The entropy of `weights` made to sum to 1, times their sum."""
    total = sum(weights)
    return total * _entropy([weight / total for weight in weights]) if total > 0.0 else 0.0


def _entropy(weights: Sequence[float]) -> float:
    return -sum(weight * math.log(weight) for weight in weights if weight > 0.0)
