"""How a library part tells that it is getting on; the command line decides what that looks like."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Called with what is being done and, where a total is known, how much of it (any unit)."""

    def __call__(self, what: str, done: int = 0, total: int = 0) -> None: ...


def silent(what: str, done: int = 0, total: int = 0) -> None:
    """A Progress that shows nothing."""
