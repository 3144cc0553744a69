"""Which patch of a series needs which, why, and what the series needs from outside."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

from kpatch_tool.depend.declared import declared_edges, externals, revert_edges
from kpatch_tool.depend.model import Dependencies, Edge, EdgeKind, External
from kpatch_tool.depend.order import cycles, ordered
from kpatch_tool.depend.symbols import Lacking, symbol_edges
from kpatch_tool.depend.textual import chain_edges, joined, textual_edges
from kpatch_tool.series.model import Series

Presence = Callable[[External], bool | None]


def dependencies(series: Series, present: Presence | None = None, lacking: Lacking | None = None) -> Dependencies:
    """The graph of `series`. `present` says whether the base has what an External names (None: not known), `lacking`
    which of some names it has not: without it, what a patch needs of later ones is not looked for.

    Works on damaged patches too: lines are compared with white space squeezed. Raises nothing; patches that need one
    another are listed in `cycles`.
    """
    numbers = tuple(patch.number for patch in series.patches)
    making = ordered(chain_edges(series), numbers)
    found = (
        *textual_edges(series),
        *symbol_edges(series, making, lacking),
        *declared_edges(series),
        *revert_edges(series),
    )
    edges = _merged(found)
    outside = tuple(externals(series))
    if present is not None:
        outside = tuple(replace(one, present=present(one)) for one in outside)
    return Dependencies(edges, ordered(edges, numbers), outside, cycles(edges))


def _merged(edges: Iterable[Edge]) -> tuple[Edge, ...]:
    """One edge for each pair and kind, in the order of the numbers."""
    groups: dict[tuple[int, int, EdgeKind], list[Edge]] = {}
    for edge in edges:
        groups.setdefault((edge.patch, edge.needs, edge.kind), []).append(edge)
    merged = [
        replace(group[0], why=joined(list(dict.fromkeys(edge.why for edge in group)))) for group in groups.values()
    ]
    rank = {kind: at for at, kind in enumerate(EdgeKind)}
    return tuple(sorted(merged, key=lambda edge: (edge.patch, edge.needs, rank[edge.kind])))
