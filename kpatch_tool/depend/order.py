"""The order that edges ask for."""

from __future__ import annotations

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
    left = set(numbers)
    needs = {number: wants & left for number, wants in _needs(edges).items() if number in left}
    out: list[int] = []
    while left:
        free = [number for number in left if not needs.get(number, set()) & left]
        if not free:
            groups = [group for group in cycles_of(needs, left) if not _outside(group, needs, left)]
            free = [number for group in groups for number in group]
        number = min(free)
        left.remove(number)
        out.append(number)
    return tuple(out)


def _outside(group: tuple[int, ...], needs: Mapping[int, set[int]], left: set[int]) -> bool:
    return any((needs.get(number, set()) & left) - set(group) for number in group)


def cycles(edges: Iterable[Edge]) -> tuple[tuple[int, ...], ...]:
    """Groups of patches that need one another, each in ascending order."""
    needs = _needs(edges)
    return cycles_of(needs, needs.keys() | {number for wants in needs.values() for number in wants})


def cycles_of(needs: Mapping[int, set[int]], numbers: Iterable[int]) -> tuple[tuple[int, ...], ...]:
    """The same for a mapping from a number to what it needs, within `numbers`."""
    within = set(numbers)
    reach = {number: _reachable(needs, number, within) for number in within}
    groups = {
        tuple(sorted({number} | {other for other in reach[number] if number in reach[other]}))
        for number in within
        if number in reach[number]
    }
    return tuple(sorted(groups))


def _reachable(needs: Mapping[int, set[int]], start: int, within: set[int]) -> set[int]:
    found: set[int] = set()
    left = [start]
    while left:
        for number in needs.get(left.pop(), ()):
            if number in within and number not in found:
                found.add(number)
                left.append(number)
    return found


def _needs(edges: Iterable[Edge]) -> dict[int, set[int]]:
    needs: dict[int, set[int]] = {}
    for edge in edges:
        needs.setdefault(edge.patch, set()).add(edge.needs)
    return needs
