"""Which patches to apply for those the user asked for."""

from __future__ import annotations

import re
from collections.abc import Sequence

from kpatch_tool.depend.model import Edge
from kpatch_tool.depend.order import ordered
from kpatch_tool.errors import InputError
from kpatch_tool.series.model import Series

_NUMBER = re.compile(r"[0-9]{1,6}").fullmatch
_MOST = 10_000  # patches from one number to another


def parse_numbers(text: str) -> tuple[int, ...]:
    """The numbers in "2,4-5": (2, 4, 5). Raises InputError for anything else."""
    numbers: list[int] = []
    for part in text.split(","):
        first, dash, last = part.strip().partition("-")
        known = _NUMBER(first) and (not dash or _NUMBER(last))
        if not known or not 0 <= int(last or first) - int(first) <= _MOST:
            raise InputError("not numbers of patches", where=f"--patches {text}", todo="write them like 2,4-5")
        numbers += range(int(first), int(last or first) + 1)
    return tuple(dict.fromkeys(numbers))


def closure(series: Series, wanted: Sequence[int], *, reverse: bool = False) -> tuple[list[int], dict[int, str]]:
    """The numbers to apply, in order, for the patches `wanted`; and number -> why for those that come along.

    With `reverse` they are to be taken out: then what needs them comes along, and the order is still that of applying.
    """
    from kpatch_tool.depend import graph, order

    edges = graph.dependencies(series).edges
    if reverse:
        return _dependents(edges, wanted)
    numbers = order.closure(edges, wanted)
    brought = {}
    for number in numbers:
        edge = next((edge for edge in edges if edge.needs == number and edge.patch in numbers), None)
        if number not in wanted and edge is not None:
            brought[number] = f"comes along because patch {edge.patch} needs it: {edge.why}"
    return [*numbers], brought


def torn(series: Series, wanted: Sequence[int], *, reverse: bool = False) -> tuple[str, ...]:
    """What applying (`reverse`: taking out) the patches `wanted` alone leaves unmet, a sentence for each pair."""
    from kpatch_tool.depend import graph

    pairs: dict[tuple[int, int], str] = {}
    for edge in graph.dependencies(series).edges:
        has, lacks = (edge.needs, edge.patch) if reverse else (edge.patch, edge.needs)
        if has in wanted and lacks not in wanted and not edge.made_on:
            pairs.setdefault((edge.patch, edge.needs), edge.why)
    return tuple(f"patch {patch} goes without patch {needs}: {why}" for (patch, needs), why in pairs.items())


def _dependents(edges: Sequence[Edge], wanted: Sequence[int]) -> tuple[list[int], dict[int, str]]:
    # A patch that was only made on what another leaves (`made_on`) stays good without it.
    binding = [edge for edge in edges if not edge.made_on]
    found = set(wanted)
    brought: dict[int, str] = {}
    left = list(wanted)
    while left:
        number = left.pop()
        for edge in binding:
            if edge.needs == number and edge.patch not in found:
                found.add(edge.patch)
                left.append(edge.patch)
                brought[edge.patch] = f"goes out first because it needs patch {number}: {edge.why}"
    return [*ordered(edges, found)], brought
