"""In which order readings of a file are tried, and that each is hashed as git does."""

from __future__ import annotations

import hashlib
import random
import tracemalloc
from collections import Counter
from collections.abc import Callable
from itertools import combinations, islice, pairwise

import pytest

from kpatch_tool.diff.blob import blob_id
from kpatch_tool.restore.readings.altered import Altered, Rows
from kpatch_tool.restore.readings.effects import MAX_COST, Effect
from kpatch_tool.restore.readings.judge import Judge, Variations
from kpatch_tool.restore.readings.paths import Plan, ReadPath
from kpatch_tool.restore.readings.reading import Reader
from kpatch_tool.restore.readings.search import BAND, sets_by_cost
from kpatch_tool.restore.style.indent import Style


def listed(effects: list[Effect]) -> Callable[[int], Effect | None]:
    """Effects that are known beforehand, by number."""
    return lambda at: effects[at] if at < len(effects) else None


def effects_of(*pairs: tuple[float, int]) -> list[Effect]:
    """Effects that cost so much and take the rows of a bit mask."""
    plan = Plan(Reader(True, Style(Counter()), 0.1, []), (), ())
    return [Effect(cost, Altered(()), taken, ReadPath([], [], []), plan) for cost, taken in pairs]


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
        altered = [Altered(tuple(change.items())) for change in (one, two)]
        assert variations.right(altered[:1]) is False
        assert variations.right(altered) is True
        assert variations.right(altered[::-1]) is None
        assert hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest() == judge.wanted


@pytest.mark.parametrize("seed", range(40))
def test_rows_over_many_others_are_hashed_as_if_all_were_written_out(seed: int) -> None:
    rng = random.Random(seed)
    texts = [b"%d" % rng.randrange(10**6) for _ in range(120)]
    lines = [text + b"\n" for text in texts]

    def some(least: int, most: int) -> Rows:
        rows = sorted(rng.sample(range(60), rng.randrange(least, most)))
        return tuple((row, b"\t" * rng.randrange(1, 5) + lines[row]) for row in rows)

    below, own, further = some(40, 60), some(1, 5), some(1, 5)
    beside = tuple((row, b"other\n") for row in sorted(rng.sample(range(60, 120), 3)))
    altered = Altered(below).also(own).also(further)
    flat = tuple(sorted((dict(below) | dict(own) | dict(further)).items()))
    assert altered.below is not None
    assert altered.all() == flat
    assert altered.key == Altered(flat).key
    assert [altered.text(row) for row in range(60)] == [dict(flat).get(row) for row in range(60)]
    wanted = dict(enumerate(lines)) | dict(flat) | dict(beside)
    judge = Judge(blob_id(b"".join(wanted.values())), [(0, 50), (50, 120)])
    assert Variations(judge, texts, [b"\n"] * 120).right([altered, Altered(beside)]) is True
    assert Variations(judge, texts, [b"\n"] * 120).right([Altered(flat), Altered(beside)]) is True
    assert Variations(judge, texts, [b"\n"] * 120).right([Altered(below), Altered(beside)]) is (flat == below)


def test_readings_with_another_row_besides_thousands_take_little_memory() -> None:
    texts = [b"row"] * 2_000
    many = Altered(tuple((row, b"\tlong enough to be seen\n") for row in range(2_000)))
    variations = Variations(Judge("0" * 40, [(0, 2_000)]), texts, [b"\n"] * 2_000)
    variations.right([many])
    tracemalloc.start()
    others = [many.also(((row, b"other\n"),)) for row in range(1_000)]
    for other in others:
        variations.right([other])
    assert tracemalloc.get_traced_memory()[0] < 5_000_000
    tracemalloc.stop()
