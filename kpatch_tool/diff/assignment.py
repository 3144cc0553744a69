"""The assignment of the greatest gain: who goes with whom, where everybody may stay alone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

Gains = Mapping[tuple[int, int], int]
_FAR = float("inf")


def assign(gains: Gains) -> dict[int, int]:
    """left -> right, each at most once, so that the sum of gains[left, right] is greatest.

    Pairs that are not in `gains`, or gain nothing, are never made. Groups that share no candidate are solved apart,
    each by the Hungarian algorithm (Kuhn 1955, Munkres 1957; O(n^2 m) with potentials).
    """
    chosen: dict[int, int] = {}
    for edges in _groups({pair: gain for pair, gain in gains.items() if gain > 0}):
        lefts = sorted({left for left, _ in edges})
        rights = sorted({right for _, right in edges})
        turned = len(lefts) > len(rights)
        rows, columns = (rights, lefts) if turned else (lefts, rights)
        costs = [[-edges.get((column, row) if turned else (row, column), 0) for column in columns] for row in rows]
        for row, column in enumerate(_cheapest(costs)):
            pair = (columns[column], rows[row]) if turned else (rows[row], columns[column])
            if pair in edges:
                chosen[pair[0]] = pair[1]
    return chosen


def _groups(gains: Gains) -> Iterable[dict[tuple[int, int], int]]:
    """The connected parts of the graph whose edges are `gains`."""
    root: dict[tuple[str, int], tuple[str, int]] = {}

    def find(node: tuple[str, int]) -> tuple[str, int]:
        while root.setdefault(node, node) != node:
            root[node] = root[root[node]]
            node = root[node]
        return node

    for left, right in gains:
        root[find(("left", left))] = find(("right", right))
    groups: dict[tuple[str, int], dict[tuple[int, int], int]] = {}
    for pair, gain in gains.items():
        groups.setdefault(find(("left", pair[0])), {})[pair] = gain
    return groups.values()


def _cheapest(costs: list[list[int]]) -> list[int]:
    """The column of each row, all different, of the least sum; there are at least as many columns as rows.

    Rows are added one by one; an alternating path of least reduced cost frees a column for each, and prices are raised
    by the length of every step of it, so that no cost below them is left.
    """
    rows, columns = len(costs), len(costs[0])
    row_price = [0] * (rows + 1)
    column_price = [0] * (columns + 1)
    taken_by = [0] * (columns + 1)  # row (from 1) of each column (from 1); column 0 holds the row being added
    for row in range(1, rows + 1):
        taken_by[0] = row
        least: list[float] = [_FAR] * (columns + 1)
        came_from = [0] * (columns + 1)
        done = [False] * (columns + 1)
        column = 0
        while taken_by[column]:
            done[column] = True
            line, price = costs[taken_by[column] - 1], row_price[taken_by[column]]
            nearest, way = 0, _FAR
            for other in range(1, columns + 1):
                if done[other]:
                    continue
                reduced = line[other - 1] - price - column_price[other]
                if reduced < least[other]:
                    least[other], came_from[other] = reduced, column
                if least[other] < way:
                    nearest, way = other, least[other]
            for other, on_path in enumerate(done):
                if on_path:
                    row_price[taken_by[other]] += int(way)
                    column_price[other] -= int(way)
                else:
                    least[other] -= way
            column = nearest
        while column:
            taken_by[column] = taken_by[came_from[column]]
            column = came_from[column]
    answer = [0] * rows
    for column in range(1, columns + 1):
        if taken_by[column]:
            answer[taken_by[column] - 1] = column - 1
    return answer
