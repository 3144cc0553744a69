"""How likely each of some readings is, as weights by the reading.

Weights that add up what many rules say are more even than how often the first reading is right. The tables give the
powers that make shares of them: for each kind of line (`indent`) and of gap (`gaps`) the one under which the authors'
readings of 79,000 added lines of mails to six lists of the kernel are likeliest (benchmarks/restore_bits.py); that of
`structured` lines by 180 files of Linux 6.1 (shell, Python, YAML).
"""

from __future__ import annotations

from typing import TypeVar

K = TypeVar("K")
Readings = dict[bytes, float]  # indentations with weights


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
    **{"label": 1.0, "body": 2.2, "else": 3.0, "statement": 1.8, "text": 1.6},
    "structured": 1.3,
}
# Of gaps: where the line above has none of the kind, and where it has.
GAPS = {
    **{
        "first": (1.3, 1.3),
        "field": (1.3, 1.3),
        "star": (1.5, 1.0),
        "trailing": (1.4, 1.3),
        "assign": (2.8, 2.4),
        "member": (1.8, 1.5),
    },
    **{"initialiser": (1.5, 1.35), "enumerator": (1.5, 1.35)},
    **{"define": (1.3, 1.5), "backslash": (1.2, 2.0), "label": (3.0, 3.0), "sentence": (0.95, 1.0), "end": (2.0, 2.0)},
    **{"operator": (2.5, 2.5), "value": (2.2, 1.8), "kdoc": (0.9, 2.5), "quote": (1.0, 2.2), "colon": (1.0, 1.2)},
    **{"instruction": (0.8, 1.7), "hash": (1.8, 1.0)},
}
_PLAIN = (1.75, 2.3)  # of a gap that has no kind of its own, where a neighbour says something of it
_TABLE = 1.7


def gap_power(key: str, above: tuple[str, ...]) -> float:
    """The power for the weights of a gap of that kind; `above` are the kinds of gap that the line above has."""
    if key.startswith("table"):
        return _TABLE
    return (GAPS.get(key, (1.0, 1.0)) if key else _PLAIN)[key in above]
