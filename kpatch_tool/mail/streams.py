"""Sources that may never end: pipes, named pipes, terminals. Read up to a bound; what is waited for is said."""

from __future__ import annotations

import os
import select
import stat
from pathlib import Path
from typing import BinaryIO

from kpatch_tool.errors import InputError
from kpatch_tool.progress import Progress, silent

LARGEST = 1 << 29  # bytes
PATIENCE = 2.0  # seconds of silence before it is said what is waited for
_BLOCK = 1 << 20


def read_stream(stream: BinaryIO, name: str, say: Progress = silent) -> bytes:
    """All that a pipe or terminal gives. `say` is told when nothing comes for a while.

    Raises InputError for more than LARGEST bytes.
    """
    try:
        descriptor = stream.fileno()
    except (OSError, AttributeError):  # no file of the system behind it
        return _checked(stream.read(LARGEST + 1), name)
    if stat.S_ISREG(os.fstat(descriptor).st_mode):
        return _checked(stream.read(LARGEST + 1), name)
    todo = "; end it with Ctrl-D" if os.isatty(descriptor) else ""
    return _read(descriptor, name, say, todo)


def read_fifo(path: Path, say: Progress = silent) -> bytes:
    """All that is written into a named pipe until its writers are gone. Same errors as `read_stream`."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)  # does not wait for a writer; the reading does, and says so
    try:
        return _read(descriptor, str(path), say, " (something must be written into this named pipe)")
    finally:
        os.close(descriptor)


def _read(descriptor: int, name: str, say: Progress, todo: str) -> bytes:
    pieces: list[bytes] = []
    size = 0
    told = False
    while True:
        ready, _, _ = select.select([descriptor], [], [], None if told else PATIENCE)
        if not ready:
            say(f"waiting for {name}{todo}")
            told = True
            continue
        try:
            piece = os.read(descriptor, _BLOCK)
        except BlockingIOError:
            continue
        if not piece:
            return b"".join(pieces)
        pieces.append(piece)
        size += len(piece)
        _bounded(size, name)


def _checked(data: bytes, name: str) -> bytes:
    _bounded(len(data), name)
    return data


def _bounded(size: int, name: str) -> None:
    if size > LARGEST:
        raise InputError(f"more than {LARGEST >> 20} MB, and no end", where=name, todo="give a file, or less")
