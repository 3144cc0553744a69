"""The standard streams: put in order at the start, and what to do where nobody reads them any more."""

from __future__ import annotations

import codecs
import contextlib
import io
import os
import select
import sys
from typing import TextIO

_SIGNS = {"\u2026": "~", "\u2717": "x", "\u2013": "-", "\u2014": "-"}


def open_what_was_closed() -> None:
    """Give the standard streams that kpt was started without (`>&-`, `2>&-`) a place. Else the next file to be opened
    has that number, and the programs that kpt starts write what they say into it."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)  # the lowest number that is free (open(2))
    sys.stdout = sys.stdout or os.fdopen(1, "w", encoding="utf-8")
    sys.stderr = sys.stderr or os.fdopen(2, "w", encoding="utf-8")


def take_any_charset() -> None:
    """Print signs that the locale's charset lacks as one that is as wide, else as an escape."""
    codecs.register_error("kpt", _in_another_charset)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="kpt")


def _in_another_charset(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    lacking = error.object[error.start : error.end]
    return "".join(_SIGNS.get(char) or char.encode("ascii", "backslashreplace").decode() for char in lacking), error.end


def is_unread(stream: TextIO) -> bool:
    """Whether nobody reads a pipe or socket any more (poll(2))."""
    with contextlib.suppress(OSError, ValueError):  # it is no file of the system, or closed
        ask = select.poll()
        ask.register(stream.fileno(), 0)
        return bool(ask.poll(0))
    return False


def say(text: str) -> None:
    """Write to standard error what is said on the way. Nobody need read it (`kpt run 2>&1 | head`): kpt goes on to its
    verdict."""
    with contextlib.suppress(BrokenPipeError):
        sys.stderr.write(text)
        sys.stderr.flush()


def drop(stream: TextIO) -> None:
    """Where a stream cannot be written (full disk, the reader of `kpt show | head` gone), drop what is left of it, or
    Python's flush at exit complains again and changes the status."""
    try:
        stream.flush()
    except OSError:
        silence(stream.fileno())


def silence(descriptor: int) -> None:
    """Have what is written there from now on go nowhere."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), descriptor)
