"""Directories for what one command needs while it runs. A killed one leaves its own; the next command removes it."""

from __future__ import annotations

import contextlib
import fcntl
import os
import stat
import tempfile
import time
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

from kpatch_tool.errors import MachineError
from kpatch_tool.system import leftovers

_YOUNG = 60.0  # seconds: a directory younger than that may not be locked yet


@contextlib.contextmanager
def directory(purpose: str) -> Iterator[Path]:
    """An empty directory below $TMPDIR, removed when the block ends; locked (flock(2)) as long as its maker lives.

    Raises OSError where none can be made.
    """
    prefix = f"kpt-{purpose}-"
    _sweep(Path(tempfile.gettempdir()), prefix)
    with tempfile.TemporaryDirectory(prefix=prefix) as name:
        handle = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield Path(name)
        finally:
            os.close(handle)


@lru_cache(maxsize=8)  # once a command
def _sweep(top: Path, prefix: str) -> None:
    """Remove what killed commands of this user left; what cannot be removed stays."""
    for path in top.glob(f"{prefix}*"):
        with contextlib.suppress(OSError, MachineError):
            found = path.lstat()
            mine = stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid()
            if mine and time.time() - found.st_mtime > _YOUNG:
                _remove_unlocked(path)


def _remove_unlocked(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        leftovers.remove(path)
    finally:
        os.close(handle)
