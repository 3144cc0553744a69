"""The signals by which a user, a terminal that closes, or a service manager ends a program, or stops it for a while."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_stops: list[None] = []  # one for each


@contextlib.contextmanager
def held_back() -> Iterator[None]:
    """None of them is taken in the block, nor by a process that is forked in it until that calls `let_in`; what came is
    taken at the end of the block, which may raise what its handler raises."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    try:
        signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)  # runs the handler of what came before, which may raise
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def let_in() -> None:
    """Take those that were held back where this process was forked."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDING)


def count_stops() -> None:
    """Count from now on how often this process was stopped (Ctrl-Z), for `stops`. Main thread only."""
    signal.signal(signal.SIGCONT, lambda *_: _stops.append(None))


def stops() -> int:
    """How often this process was stopped and has gone on, as far as its main thread has seen by now."""
    return len(_stops)
