"""How long something may take: in processor time, and in that of a machine as fast as the one the bounds are of."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager

_LOOPS = 400_000
_LOOPS_TOOK = 0.03  # seconds of processor time, where the bounds in the tests were set


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """Fail if what stands inside takes more than `seconds` of processor time, its ended children's included.

    A machine that is slower than the one the bounds were set on, or is made slow by its neighbours, has as much
    more: how slow it is is measured where the bound is passed.
    """
    before = _spent()
    yield
    took = _spent() - before
    assert took < seconds or took < seconds * _slowness(), f"took {took:.2f} s of processor time, not {seconds}"


def _spent() -> float:
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def _slowness() -> float:
    """How many times as long as there a piece of plain Python takes here and now."""
    begun = time.process_time()
    for number in range(_LOOPS):
        str(number)
    return max(1.0, (time.process_time() - begun) / _LOOPS_TOOK)
