"""How likely each of some readings is, as weights by the reading."""

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
