"""The signals by which a user, a terminal that closes, or a service manager ends a program, or stops it for a while."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_stops: list[None] = []  # one for each


@contextlib.contextmanager
def held_back() -> Iterator[None]:
    """None of them is taken in the block, nor by a process that is started in it until that calls `let_in`; what came
    is taken at the end of the block, which then raises what its handler raises."""
    # Blocking them is for that process. In this one another thread gets them, and the main thread runs the handler.
    main = threading.current_thread() is threading.main_thread()
    before = {number: handler for number in ENDING if callable(handler := signal.getsignal(number)) and main}
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)
    came: list[int] = []

    def take(number: int, _: FrameType | None) -> None:
        came.append(number)

    try:
        for number in before:
            signal.signal(number, take)
        yield
    finally:
        try:
            for number, handler in before.items():
                if signal.getsignal(number) is take:  # else one came while it was put there
                    signal.signal(number, handler)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
            for one in came[:1]:
                signal.raise_signal(one)


def let_in() -> None:
    """Take those that were held back where this process was started."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDING)


def count_stops() -> None:
    """Count from now on how often this process was stopped (Ctrl-Z), for `stops`. Main thread only."""
    signal.signal(signal.SIGCONT, lambda *_: _stops.append(None))


def stops() -> int:
    """How often this process was stopped and has gone on, as far as its main thread has seen by now."""
    return len(_stops)
