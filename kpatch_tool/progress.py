"""How a library part tells that it is getting on; the command line decides what that looks like."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Protocol


class Progress(Protocol):
    """Called with what is being done and, where a total is known, how much of it (any unit).

    Each thread tells of its own work; nothing ("") says that it has no more to do.
    """

    def __call__(self, what: str, done: int = 0, total: int = 0) -> None: ...


@contextlib.contextmanager
def told(progress: Progress) -> Iterator[None]:
    """Work that a thread tells of, and that it is done with it."""
    try:
        yield
    finally:
        progress("")


def silent(what: str, done: int = 0, total: int = 0) -> None:
    """A Progress that shows nothing."""
