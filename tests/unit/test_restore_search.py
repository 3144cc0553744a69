"""In which order readings of a file are tried, and that each is hashed as git does."""

from __future__ import annotations

import hashlib
import random
from collections import Counter
from collections.abc import Callable
from itertools import combinations, islice, pairwise

import pytest

from kpatch_tool.diff.blob import blob_id
from kpatch_tool.restore.effects import MAX_COST, Effect
from kpatch_tool.restore.indent import Style
from kpatch_tool.restore.judge import Judge, Variations
from kpatch_tool.restore.paths import Path, Plan
from kpatch_tool.restore.reading import Reader
from kpatch_tool.restore.search import BAND, sets_by_cost


def listed(effects: list[Effect]) -> Callable[[int], Effect | None]:
    """Effects that are known beforehand, by number."""
    return lambda at: effects[at] if at < len(effects) else None


def effects_of(*pairs: tuple[float, int]) -> list[Effect]:
    """Effects that cost so much and take the rows of a bit mask."""
    plan = Plan(Reader(True, Style(Counter()), 0.1, []), (), ())
    return [Effect(cost, (), taken, Path([], [], []), plan) for cost, taken in pairs]


@pytest.mark.parametrize("seed", range(5))
def test_every_set_that_touches_no_row_twice_comes_once_and_in_order(seed: int) -> None:
    rng = random.Random(seed)
    costs = sorted(rng.uniform(0.0, MAX_COST / 2) for _ in range(10))
    effects = effects_of(*((cost, 1 << rng.randrange(7)) for cost in costs))
    wanted: set[tuple[int, ...]] = set()
    for count in range(1, 8):
        for some in combinations(range(len(effects)), count):
            rows = [effects[at].taken for at in some]
            if len(set(rows)) == count and sum(effects[at].cost for at in some) < MAX_COST:
                wanted.add(some)
    found = list(sets_by_cost(listed(effects)))
    numbers = [tuple(effects.index(effect) for effect in some) for some in found]
    assert len(set(numbers)) == len(numbers)
    # The last band may reach beyond the limit.
    assert wanted <= set(numbers)
    sums = [sum(effect.cost for effect in some) for some in found]
    assert all(above < below + BAND for above, below in pairwise(sums))


def test_many_deviations_that_cost_nothing_are_combined_to_no_end() -> None:
    effects = effects_of(*((0.001 * at, 1 << at) for at in range(2_000)))
    assert len(list(islice(sets_by_cost(listed(effects)), 20_000))) == 20_000


def test_an_effect_found_late_is_combined_as_well() -> None:
    effects = effects_of((1.0, 1), (4.0, 2), (2.0, 4))
    found = [tuple(effects.index(effect) for effect in some) for some in sets_by_cost(listed(effects))]
    assert {(0,), (1,), (2,), (0, 1), (0, 2), (1, 2), (0, 1, 2)} == set(found)


def test_changes_are_hashed_as_git_does_also_where_one_lies_between_the_rows_of_another() -> None:
    texts = [b"a", b"b", b"c", b"d"]
    endings = [b"\n"] * 4
    for one, two in (
        ({0: b"AA\n", 2: b"CC\n"}, {1: b"\tb\n"}),
        ({0: b"AA\n"}, {3: b"D\n"}),
        ({1: b"B\n", 2: b"C\n"}, {0: b"   a\n"}),
        ({0: b"1\n", 3: b"4\n"}, {1: b"22\n", 2: b"333\n"}),
    ):
        lines = {at: text + b"\n" for at, text in enumerate(texts)}
        content = b"head\n" + b"".join(({**lines, **one, **two})[at] for at in range(4)) + b"tail\n"
        judge = Judge(blob_id(content), [b"head\n", (0, 4), b"tail\n"])
        variations = Variations(judge, texts, endings)
        changes = [variations.change(tuple(change.items())) for change in (one, two)]
        assert variations.right(changes[:1]) is False
        assert variations.right(changes) is True
        assert variations.right(changes[::-1]) is None
        assert hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest() == judge.wanted
