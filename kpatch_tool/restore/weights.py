"""How likely each of some readings is, as weights by the reading.

Weights that add up what many rules say are more even than how often the first reading is right. The tables give the
powers that make shares of them: for each kind of line (`indent`) and of gap (`gaps`) the one under which the authors'
readings of 79,000 added lines of mails to six lists of the kernel are likeliest.
"""

from __future__ import annotations

from typing import TypeVar

K = TypeVar("K")


def add(out: dict[K, float], key: K, weight: float) -> None:
    """Add to the weight of a reading."""
    out[key] = out.get(key, 0.0) + weight


def shares(out: dict[K, float]) -> dict[K, float]:
    """The weights with a sum of one; {} where all are nothing."""
    total = sum(out.values())
    return {key: weight / total for key, weight in out.items()} if total else {}


def sharpened(out: dict[K, float], power: float) -> dict[K, float]:
    """The weights as shares, each to that power, with a sum of one."""
    if len(out) < 2:
        return shares(out)
    return shares({key: weight**power for key, weight in shares(out).items()})


INDENTS = {
    **{"comment": 3.5, "directive": 1.3, "condition": 1.0, "close": 3.0, "case": 1.5, "paren": 1.15, "plain": 1.2},
    **{"label": 1.0, "body": 2.2, "else": 3.0, "statement": 1.8, "text": 1.5},
}
GAPS = {
    **{"first": 1.3, "star": 1.15, "trailing": 1.3, "assign": 2.3, "member": 1.7, "define": 1.3, "backslash": 1.7},
    **{"label": 3.0, "sentence": 0.95, "operator": 2.5, "value": 2.2, "kdoc": 1.0, "quote": 1.7, "end": 2.0},
    **{"instruction": 1.1, "hash": 1.3, "colon": 1.15},
}
PLAIN_GAP = 1.9  # of a gap that has no kind of its own, where a neighbour says something of it
TABLE_GAP = 1.7


def gap_power(key: str) -> float:
    """The power for the weights of a gap of that kind."""
    if key.startswith("table"):
        return TABLE_GAP
    return GAPS.get(key, 1.0) if key else PLAIN_GAP
