"""Where the lines of a dependency graph go: a row for each patch, a lane for each patch that others need.

A lane is a vertical line left of the rows. It begins at the patch that is needed and ends at the last one that needs
it; on the way every other one that needs it joins. Rows keep the order of the series, so the picture of sixty patches
reads like a log, and the subject stands beside each node.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from kpatch_tool.depend.model import Dependencies
from kpatch_tool.results.record import PatchRecord

MOST_ROWS = 400  # beyond that a picture tells nothing


@dataclass(frozen=True, slots=True)
class Node:
    """A row: a patch, or something from outside (`patch` 0). `present` is whether the tree has the latter."""

    label: str
    title: str
    patch: int
    present: bool | None = None


@dataclass(frozen=True, slots=True)
class Joint:
    """Row `row` needs the lane's. `weak`: only the version of a file says so; `why` has the reasons, a line each."""

    row: int
    weak: bool
    why: str


@dataclass(frozen=True, slots=True)
class Lane:
    """A vertical line in column `column` (0: nearest to the rows) that leads to row `source`."""

    source: int
    column: int
    joints: tuple[Joint, ...]


@dataclass(frozen=True, slots=True)
class Graph:
    """The picture as places. `implied` counts the pairs that are not drawn because the others imply them."""

    nodes: tuple[Node, ...]
    lanes: tuple[Lane, ...]
    implied: int = 0

    @property
    def columns(self) -> int:
        return max((lane.column + 1 for lane in self.lanes), default=0)


_Pairs = dict[tuple[int, int], Joint]  # (row, row it needs)


def layout(needs: Dependencies, patches: Iterable[PatchRecord]) -> Graph:
    """The graph of a series; without nodes where it has nothing to show or too much for a picture."""
    patches = tuple(patches)
    outside = {one.commit: one for one in needs.external}
    if not (needs.edges or outside) or len(outside) + len(patches) > MOST_ROWS:
        return Graph((), ())
    nodes = [Node(one.short, f"{one.kind}: {one.why}", 0, one.present) for one in outside.values()]
    rows = {commit: at for at, commit in enumerate(outside)}
    places = {patch.number: len(nodes) + at for at, patch in enumerate(patches)}
    nodes += [Node(str(patch.number), patch.subject, patch.number) for patch in patches]
    pairs = _pairs(needs, rows, places)
    drawn = pairs if needs.cycles else _reduced(pairs)
    return Graph(tuple(nodes), _lanes(drawn), len(pairs) - len(drawn))


def _pairs(needs: Dependencies, rows: Mapping[str, int], places: Mapping[int, int]) -> _Pairs:
    found: dict[tuple[int, int], list[tuple[bool, str]]] = {}
    for edge in needs.edges:
        if edge.patch in places and edge.needs in places and edge.patch != edge.needs:
            pair = (places[edge.patch], places[edge.needs])
            said = f"{edge.patch} needs {edge.needs} ({edge.kind}): {edge.why}"
            found.setdefault(pair, []).append((edge.made_on, said))
    for one in needs.external:
        first = next(iter(places.values()), None) if one.patch == 0 else places.get(one.patch)
        if first is not None:
            who = one.patch or "the series"
            found.setdefault((first, rows[one.commit]), []).append((False, f"{who} needs {one.short}: {one.why}"))
    return {
        pair: Joint(pair[0], all(weak for weak, _ in said), "\n".join(why for _, why in said))
        for pair, said in found.items()
    }


def _reduced(pairs: _Pairs) -> _Pairs:
    """The pairs without those that follow from others (the transitive reduction; there are no cycles)."""
    direct: dict[int, set[int]] = {}
    for patch, needed in pairs:
        direct.setdefault(patch, set()).add(needed)
    reach: dict[int, set[int]] = {}
    for patch in sorted(direct):  # what it needs mostly stands before it
        _reach(patch, direct, reach)
    return {
        (patch, needed): joint
        for (patch, needed), joint in pairs.items()
        if not any(needed in reach.get(other, ()) for other in direct[patch] if other != needed)
    }


def _reach(start: int, direct: Mapping[int, set[int]], reach: dict[int, set[int]]) -> None:
    """Fill in `reach` (all that a row needs in the end) for `start` and what it needs, without recursion."""
    left = [start]
    while left:
        row = left[-1]
        open_rows = [other for other in direct.get(row, ()) if other not in reach]
        if open_rows:
            left += open_rows
            continue
        left.pop()
        reach[row] = set(direct.get(row, ())).union(*(reach[other] for other in direct.get(row, ())))


def _lanes(pairs: _Pairs) -> tuple[Lane, ...]:
    """A lane for each row that is needed, the shortest nearest to the rows; lanes in one column do not meet."""
    joints: dict[int, list[Joint]] = {}
    for (_, needed), joint in sorted(pairs.items()):
        joints.setdefault(needed, []).append(joint)
    spans = {
        source: (min(source, *(one.row for one in group)), max(source, *(one.row for one in group)))
        for source, group in joints.items()
    }
    taken: list[list[tuple[int, int]]] = []
    lanes = []
    for source in sorted(spans, key=lambda one: (spans[one][1] - spans[one][0], one)):
        span = spans[source]
        column = next((at for at, others in enumerate(taken) if all(_apart(span, other) for other in others)), None)
        if column is None:
            column = len(taken)
            taken.append([])
        taken[column].append(span)
        lanes.append(Lane(source, column, tuple(joints[source])))
    return tuple(sorted(lanes, key=lambda lane: lane.source))


def _apart(one: tuple[int, int], other: tuple[int, int]) -> bool:
    """Whether two spans of rows do not overlap; they may touch, as a lane ends above a node and begins below it."""
    return one[1] <= other[0] or other[1] <= one[0]
