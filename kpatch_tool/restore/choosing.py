"""Choosing one option of each of many parts, the cheapest choice first."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from heapq import heappop, heappush

_IN_VAIN = 4  # times as many steps as choices: a part cannot be changed twice


def choices(costs: Sequence[Sequence[float]], most: int) -> Iterator[tuple[float, Mapping[int, int]]]:
    """(what it costs more than the cheapest, part -> option where not the first), cheapest first, at most `most`.

    Each part's costs are in order.
    """
    yield 0.0, {}
    changes = sorted(
        (cost - part[0], number, option)
        for number, part in enumerate(costs)
        for option, cost in enumerate(part)
        if option
    )
    if not changes:
        return
    heap: list[tuple[float, int, int, tuple[int, ...]]] = [(changes[0][0], 0, 0, (0,))]
    left, steps, serial = most - 1, most * _IN_VAIN, 0
    while heap and left > 0 and steps > 0:
        steps -= 1
        cost, _, last, chosen = heappop(heap)
        if last + 1 < len(changes):
            more = changes[last + 1][0]
            serial += 2
            heappush(heap, (cost - changes[last][0] + more, serial - 1, last + 1, (*chosen[:-1], last + 1)))
            heappush(heap, (cost + more, serial, last + 1, (*chosen, last + 1)))
        choice = {changes[at][1]: changes[at][2] for at in chosen}
        if len(choice) == len(chosen):
            left -= 1
            yield cost, choice


def cheapest(parts: Sequence[Sequence[tuple[float, bytes]]], most: int) -> list[tuple[float, bytes]]:
    """The `most` cheapest ways to choose one of each part (sorted by cost), joined."""
    least = sum(part[0][0] for part in parts)
    return [
        (least + more, b"".join(part[choice.get(number, 0)][1] for number, part in enumerate(parts)))
        for more, choice in choices([[cost for cost, _ in part] for part in parts], most)
    ]
