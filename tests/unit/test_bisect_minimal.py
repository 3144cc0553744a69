"""Reducing a set of patches, against simulated faults that take certain patches together."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping

import pytest

from kpatch_tool.bisect.minimal import Tried, decided, reduced
from kpatch_tool.bisect.model import FLAKY, Answer, Observation, Rates


class Faulty:
    """A set shows the fault when it has all of `wanted`; it can be asked when what it has is `closed`."""

    def __init__(self, wanted: Iterable[int], closed: Mapping[int, Iterable[int]] | None = None) -> None:
        self.wanted, self.closed = set(wanted), closed or {}
        self.asked: list[tuple[int, ...]] = []

    def __call__(self, numbers: tuple[int, ...]) -> Tried:
        self.asked.append(numbers)
        for patch in numbers:
            for needs in self.closed.get(patch, ()):
                if needs not in numbers:
                    return Tried(False, f"patch {patch} does not apply")
        return Tried(self.wanted <= set(numbers), "it is so" if self.wanted <= set(numbers) else "it is not so")


def asked_once(probe: Faulty) -> int:
    return len(set(probe.asked))


def test_the_graph_says_it_at_once() -> None:
    needs = {9: [4], 4: [1]}
    probe = Faulty({1, 4, 9}, needs)
    kept, whys = reduced(range(1, 10), 9, needs, probe)
    assert kept == (1, 4, 9)
    assert probe.asked[0] == (1, 4, 9) and asked_once(probe) == 3
    assert whys == {4: "patch 9 does not apply", 1: "patch 4 does not apply"}


def test_a_patch_alone() -> None:
    probe = Faulty({1})
    assert reduced([1], 1, {}, probe) == ((1,), {})
    assert not probe.asked
    assert reduced(range(1, 41), 40, {}, Faulty({40})) == ((40,), {})


def test_what_the_graph_does_not_know_is_found() -> None:
    """The fault takes patch 3, which nothing says."""
    needs = {20: [7]}
    probe = Faulty({3, 7, 20}, needs)
    kept, _ = reduced(range(1, 21), 20, needs, probe)
    assert kept == (3, 7, 20)
    assert asked_once(probe) <= 20


def test_an_edge_too_many_is_dropped() -> None:
    """The graph has 2 need 1, but it does well without."""
    kept, whys = reduced([1, 2, 3], 3, {3: [2], 2: [1]}, Faulty({3, 2}))
    assert kept == (2, 3) and set(whys) == {2}


@pytest.mark.parametrize("seed", range(40))
def test_no_single_patch_can_be_left_out(seed: int) -> None:
    rng = random.Random(seed)
    count = rng.randint(1, 30)
    needs = {
        patch: rng.sample(range(1, patch), min(patch - 1, rng.choice((0, 0, 1, 2)))) for patch in range(2, count + 1)
    }
    wanted = {count, *rng.sample(range(1, count + 1), min(count, rng.randint(0, 4)))}
    probe = Faulty(wanted, needs if rng.random() < 0.5 else {})
    patches = tuple(range(1, count + 1))
    kept, whys = reduced(patches, count, needs, probe)
    assert probe(kept).shows
    assert set(whys) == set(kept) - {count}
    for patch in kept:
        if patch != count:
            assert not probe(tuple(other for other in kept if other != patch)).shows
    assert kept == tuple(sorted(kept))


def looks(text: str) -> list[Observation]:
    words = {"b": Answer.BAD, "g": Answer.GOOD, "s": Answer.SKIP}
    return [Observation(5, words[letter], why=letter) for letter in text]


@pytest.mark.parametrize(
    ("text", "shows"),
    [("", None), ("b", None), ("g", None), ("bb", True), ("ggg", False), ("s", False), ("bg", None), ("bgb", True)],
)
def test_when_a_set_has_been_asked_enough(text: str, shows: bool | None) -> None:
    """With what a search has found by then: five good answers on one side, four bad ones on the other."""
    rates = Rates(good=(0.1, 6.9), bad=(6.0, 0.5))
    found = decided(looks(text), rates, 0.95, 12)
    assert (found.shows if found else None) is shows


def test_right_answers_are_asked_for_once_and_disagreement_ends() -> None:
    assert decided(looks("b"), None, 0.95, 12) == Tried(True, "b")
    assert decided(looks("g"), None, 0.95, 12) == Tried(False, "g")
    even = Rates(good=(5.0, 5.0), bad=(5.0, 5.0))
    assert decided(looks("bgbgbgbgbgb"), even, 0.95, 12) is None
    found = decided(looks("bgbgbgbgbgbg"), even, 0.95, 12)
    assert found is not None and not found.shows and "disagree" in found.why


@pytest.mark.parametrize(("good", "bad"), [(0.0, 1.0), (0.05, 0.95), (0.0, 0.6)])
def test_a_set_is_seldom_judged_wrong(good: float, bad: float) -> None:
    wrong = 0
    rates = Rates(
        good=(FLAKY.good[0] + 10 * good, FLAKY.good[1] + 10 * (1 - good)), bad=(2 + 6 * bad, 0.5 + 6 * (1 - bad))
    )
    for seed in range(300):
        rng = random.Random(seed)
        fault = rng.random() < 0.5
        seen: list[Observation] = []
        while (found := decided(seen, rates, 0.95, 12)) is None:
            answer = Answer.BAD if rng.random() < (bad if fault else good) else Answer.GOOD
            seen.append(Observation(5, answer))
        wrong += found.shows != fault
    assert wrong <= 15
