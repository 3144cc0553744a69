"""The order that edges ask for."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping

from kpatch_tool.depend.model import Edge


def closure(edges: Iterable[Edge], wanted: Iterable[int]) -> tuple[int, ...]:
    """The numbers `wanted` and all they need, in an order to apply them."""
    edges = tuple(edges)
    needs = _needs(edges)
    found: set[int] = set()
    left = list(wanted)
    while left:
        number = left.pop()
        if number not in found:
            found.add(number)
            left.extend(needs.get(number, ()))
    return ordered(edges, found)


def ordered(edges: Iterable[Edge], numbers: Iterable[int]) -> tuple[int, ...]:
    """`numbers` with what is needed before what needs it, the lowest number first where there is a choice.

    Inside a cycle the numbers decide.
    """
    among = set(numbers)
    needs = _needs(edges)
    # All that a patch needs in the end, patches that need it in turn left out.
    reach = {number: _reachable(needs, number, among) for number in among}
    before = {number: {other for other in reach[number] if number not in reach[other]} for number in among}
    behind: dict[int, list[int]] = {}
    for number, others in before.items():
        for other in others:
            behind.setdefault(other, []).append(number)
    waits = {number: len(others) for number, others in before.items()}
    ready = [number for number, count in waits.items() if count == 0]
    heapq.heapify(ready)
    out: list[int] = []
    while ready:
        out.append(heapq.heappop(ready))
        for number in behind.get(out[-1], ()):
            waits[number] -= 1
            if waits[number] == 0:
                heapq.heappush(ready, number)
    return tuple(out)


def cycles(edges: Iterable[Edge]) -> tuple[tuple[int, ...], ...]:
    """Groups of patches that need one another, each in ascending order."""
    needs = _needs(edges)
    reach = {number: _reachable(needs, number, None) for number in needs}
    groups = {
        tuple(sorted(other for other in found if number in reach.get(other, ())))
        for number, found in reach.items()
        if number in found
    }
    return tuple(sorted(groups))


def _reachable(needs: Mapping[int, set[int]], start: int, within: set[int] | None) -> set[int]:
    found: set[int] = set()
    left = [start]
    while left:
        for number in needs.get(left.pop(), ()):
            if number not in found and (within is None or number in within):
                found.add(number)
                left.append(number)
    return found


def _needs(edges: Iterable[Edge]) -> dict[int, set[int]]:
    needs: dict[int, set[int]] = {}
    for edge in edges:
        needs.setdefault(edge.patch, set()).add(edge.needs)
    return needs
