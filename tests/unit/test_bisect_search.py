"""The search against simulated states: answers that are right, and answers that are not."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass

import pytest

from kpatch_tool.bisect.command import _contradiction, _evidence, _undecided
from kpatch_tool.bisect.model import FLAKY, Answer, Observation, Rates
from kpatch_tool.bisect.search import Search, belief, contradictory, next_state, settled
from kpatch_tool.tree.model import Applied, State


class Machine:
    """States of which those from `culprit` on answer "bad" at rate `bad`, the others at rate `good`."""

    def __init__(self, culprit: int, good: float = 0.0, bad: float = 1.0, seed: int = 0) -> None:
        self.culprit, self.rates, self.random = culprit, (good, bad), random.Random(seed)
        self.skips: set[int] = set()
        self.prints: dict[int, str] = {}

    def look(self, state: int) -> Observation:
        if state in self.skips:
            return Observation(state, Answer.SKIP)
        rate = self.rates[state >= self.culprit]
        answer = Answer.BAD if self.random.random() < rate else Answer.GOOD
        return Observation(state, answer, fingerprint=self.prints.get(state, ""))


def test_answers_that_contradict_one_another_end_a_search_that_takes_them_for_right() -> None:
    """They were kept from two searches, or the fault came twice."""
    seen = [Observation(at, Answer.BAD if at in (10, 30) else Answer.GOOD) for at in (30, 0, 10, 20)]
    assert next_state(Search(30), seen) is None
    assert not settled(Search(30), seen) and contradictory(belief(Search(30), seen))
    assert next_state(Search(30, FLAKY), seen) is not None
    applied = Applied("s", "t", "kpt/s", tuple(State(patch, "", "") for patch in range(31)))
    assert _undecided(belief(Search(30), seen), applied, seen) == (
        "the answers contradict one another (patch 10 is bad, patch 20 good); --restart asks anew"
    )


@pytest.mark.parametrize(
    ("looks", "said"),
    [
        (("3 bad z", "0 good b", "1 good c", "2 good z"), "patch 3 is bad, patch 2 good, and they run the very same"),
        (("3 bad z", "0 good b", "1 good z"), "patch 3 is bad, patch 1 good, and they run the very same"),
        (
            ("3 bad z", "0 good b", "1 skip z", "2 good c"),
            "patch 3 is bad, patch 2 good, and patch 3 runs the very same as patch 1",
        ),
        (("3 bad z", "0 good b", "1 bad c", "2 good d"), "patch 1 is bad, patch 2 good"),
    ],
)
def test_a_contradiction_of_states_that_run_the_same_says_so(looks: Collection[str], said: str) -> None:
    parts = [look.split() for look in looks]
    seen = [Observation(int(at), Answer(word), fingerprint=mark) for at, word, mark in parts]
    assert contradictory(belief(Search(3), seen)) and _contradiction(seen) == said


def searched(search: Search, machine: Machine) -> list[Observation]:
    seen: list[Observation] = []
    while (state := next_state(search, seen)) is not None:
        seen.append(machine.look(state))
        assert len(seen) < 2000
    return seen


@pytest.mark.parametrize("culprit", range(1, 17))
def test_right_answers_are_plain_bisection(culprit: int) -> None:
    search = Search(16)
    seen = searched(search, Machine(culprit))
    assert belief(search, seen).candidates == (culprit,)
    assert settled(search, seen)
    assert len(seen) <= 2 + 4  # both ends, then log2(16)
    assert max(Counter(one.patch for one in seen).values()) == 1


@pytest.mark.parametrize("rates", [None, FLAKY])
def test_the_base_has_it_already_or_no_state_has_it(rates: Rates | None) -> None:
    search = Search(8, rates)
    everywhere = searched(search, Machine(0))
    assert settled(search, everywhere) and belief(search, everywhere).base > 0.95
    nowhere = searched(search, Machine(9))
    assert settled(search, nowhere) and belief(search, nowhere).none > 0.95
    assert len(nowhere) <= (1 if rates is None else 14) + 1


def test_states_that_cannot_be_asked_are_blamed_with_the_next_one() -> None:
    search, machine = Search(8), Machine(5)
    machine.skips = {3, 4}
    seen = searched(search, machine)
    assert belief(search, seen).candidates == (3, 4, 5)
    machine.skips = set(range(9))
    seen = searched(search, machine)
    assert not settled(search, seen) and {one.answer for one in seen} == {Answer.SKIP}


def test_ends_that_cannot_be_asked() -> None:
    """What is behind the last state that can be asked cannot be told from nothing, and the other way round."""
    search, machine = Search(8, FLAKY), Machine(7)
    machine.skips = {7, 8}
    seen = searched(search, machine)
    found = belief(search, seen)
    assert settled(search, seen) and found.none > 0.95 and found.ends == (0, 6)
    assert len(seen) <= 9
    machine.culprit, machine.skips = 1, {0, 1}
    seen = searched(search, machine)
    found = belief(search, seen)
    assert settled(search, seen) and found.base > 0.95 and found.ends == (2, 8)
    machine.culprit, machine.skips = 4, {0, 3, 8}
    seen = searched(search, machine)
    assert settled(search, seen) and belief(search, seen).candidates == (3, 4)


@pytest.mark.parametrize("rates", [None, FLAKY])
def test_one_patch(rates: Rates | None) -> None:
    search = Search(1, rates)
    seen = searched(search, Machine(1))
    assert settled(search, seen) and belief(search, seen).candidates == (1,)
    assert len(seen) <= (2 if rates is None else 6)
    nowhere = searched(search, Machine(2))
    assert settled(search, nowhere) and belief(search, nowhere).none > 0.95


@pytest.mark.parametrize("bad", [range(3, 6), {3, 4, 5, 8, 9}, {2, 9}])
def test_a_fault_that_goes_and_comes_back(bad: Collection[int]) -> None:
    """Whoever is blamed: the state before answered good, twice, and the state after bad, twice."""
    search = Search(9, FLAKY)
    seen: list[Observation] = []
    while (state := next_state(search, seen)) is not None:
        seen.append(Observation(state, Answer.BAD if state in bad else Answer.GOOD))
        assert len(seen) < 100
    found = belief(search, seen)
    if 9 not in bad:
        assert found.none > 0.95
    else:
        (blamed,) = found.candidates
        assert settled(search, seen) and blamed in bad and blamed - 1 not in bad


def test_equal_states_are_asked_once_between_them() -> None:
    search, machine = Search(16), Machine(13)
    machine.prints = dict.fromkeys(range(1, 13), "same") | {0: "base"} | {state: f"{state}" for state in range(13, 17)}
    seen = searched(search, machine)
    assert belief(search, seen).candidates == (13,)
    plain = Machine(13)
    assert len(seen) <= len(searched(search, plain))


def test_looks_at_equal_states_count_together() -> None:
    search, machine = Search(9, FLAKY), Machine(6)
    machine.prints = {state: f"{state}" for state in range(10)} | {4: "five", 5: "five"}
    seen = searched(search, machine)
    assert belief(search, seen).candidates == (6,)
    looks = Counter(one.patch for one in seen)
    assert looks[4] + looks[5] <= 3 and len(seen) <= 7


@pytest.mark.parametrize(("good", "bad", "least"), [(0.0, 1.0, 60), (0.0, 0.9, 58), (0.05, 0.9, 56), (0.0, 0.5, 52)])
def test_flaky_answers(good: float, bad: float, least: int) -> None:
    """60 searches; the stated confidence is 95 %. The rates are far from what is believed before."""
    search, right = Search(8, FLAKY), 0
    for seed in range(60):
        culprit = random.Random(seed).randint(1, 8)
        seen = searched(search, Machine(culprit, good, bad, seed))
        found = belief(search, seen)
        right += settled(search, seen) and found.candidates == (culprit,)
        if settled(search, seen) and max(found.base, found.none) < search.threshold:
            (blamed,) = found.candidates
            answers = Counter((one.patch, one.answer) for one in seen)
            assert answers[blamed, Answer.BAD] >= 2 and answers[blamed - 1, Answer.GOOD] >= 2
    assert right >= least


@dataclass(frozen=True)
class Case:
    """`count` searches in a series of `last` patches; `wrong` may name a wrong patch, and they take `looks` on
    average at most."""

    last: int
    confidence: float
    good: float
    bad: float
    count: int
    wrong: int
    looks: float


CASES = (
    Case(60, 0.95, 0.0, 1.0, 30, 0, 13),
    Case(60, 0.95, 0.05, 0.95, 60, 3, 18),
    Case(60, 0.99, 0.05, 0.95, 60, 1, 21),
    Case(9, 0.95, 0.1, 0.9, 200, 10, 18),
    Case(9, 0.95, 0.0, 0.5, 100, 7, 36),
    Case(2, 0.95, 0.05, 0.9, 200, 10, 12),
)


@pytest.mark.parametrize("case", CASES)
def test_wrong_names_are_as_rare_as_stated(case: Case) -> None:
    """`wrong` is count * (1 - confidence), rounded up; 7 of 100 where the rates are farthest from the belief before."""
    search = Search(case.last, FLAKY, case.confidence)
    wrong = total = 0
    for seed in range(case.count):
        culprit = random.Random(seed).randint(1, case.last)
        seen = searched(search, Machine(culprit, case.good, case.bad, seed))
        found = belief(search, seen)
        blamed = settled(search, seen) and max(found.base, found.none) < search.threshold
        wrong += blamed and found.candidates != (culprit,)
        total += len(seen)
    assert wrong <= case.wrong
    assert total / case.count <= case.looks


def test_one_bad_run_blames_nobody() -> None:
    """A test that fails once, on a good state, and never again."""
    search, machine = Search(8, FLAKY), Machine(9)
    first = Observation(8, Answer.BAD)
    seen = [first]
    while (state := next_state(search, seen)) is not None:
        seen.append(machine.look(state))
    found = belief(search, seen)
    assert not settled(search, seen) or found.none > 0.95
    assert found.none > found.confidence


def test_chance_decides_nothing() -> None:
    """Answers without any pattern end undecided, after a bounded number of looks."""
    search = Search(4, FLAKY, threshold=0.999)
    undecided = sum(not settled(search, searched(search, Machine(2, 0.5, 0.5, seed))) for seed in range(10))
    assert undecided >= 8


def test_the_evidence_may_be_of_a_later_state_that_runs_the_very_same() -> None:
    blamed = State(4, "4" * 40, "4" * 40)
    seen = [
        Observation(6, Answer.BAD, why="t: pass, now fail", fingerprint="same"),
        Observation(4, Answer.GOOD, why="as on the base", fingerprint="same"),
        Observation(5, Answer.BAD, why="u: pass, now fail", fingerprint="another"),
    ]
    assert _evidence(blamed, seen) == "t: pass, now fail; seen after patch 6, which runs the very same"
    seen.append(Observation(4, Answer.BAD, why="t: pass, now timeout", fingerprint="same"))
    assert _evidence(blamed, seen) == "t: pass, now timeout"
    assert _evidence(State(2, "", ""), seen) == ""
