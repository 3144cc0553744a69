"""Locks between kpt processes. The kernel drops them when their holder dies, so none is ever left behind."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from kpatch_tool.errors import MachineError
from kpatch_tool.system import process
from kpatch_tool.system.atomic import machine_errors

_POLL_SECONDS = 0.1
# flock(2) where a file system has no locks: NFS without its lock service, or for what is open to be read only (as a
# directory is), some that FUSE mounts.
_NO_LOCKS = frozenset({errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EINVAL, errno.EBADF})


@contextlib.contextmanager
def held(path: Path, *, wait_seconds: float = 0.0) -> Iterator[int]:
    """Hold the lock file `path` for the block (flock(2), exclusive).

    Yields its file descriptor: a child that is given it holds the lock, too, for as long as it lives.

    Raises MachineError, naming the holder's process id, when another process still holds it after `wait_seconds`.
    """
    with machine_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        _acquire(descriptor, path, time.monotonic() + wait_seconds)
        with contextlib.suppress(OSError):  # a full disk: the lock is ours, only the next one's message lacks this
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, str(os.getpid()).encode(), 0)
        yield descriptor
    finally:
        os.close(descriptor)


def _acquire(descriptor: int, path: Path, deadline: float) -> None:
    while True:
        try:
            _lock(descriptor, fcntl.LOCK_EX, path)
            return
        except BlockingIOError:
            if time.monotonic() >= deadline:
                holder = os.pread(descriptor, 32, 0).decode("ascii", "replace") or "unknown"
                raise MachineError(
                    f"another kpt (process {holder}) is using this",
                    where=path.stem,
                    todo="wait for it to end and run the command again",
                ) from None
            process.check_wanted()
            time.sleep(_POLL_SECONDS)


def _lock(descriptor: int, kind: int, path: Path) -> None:
    """Lock what lies at `path`. Raises BlockingIOError where another has it, MachineError where there are no locks."""
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise
        raise MachineError(
            f"this file system has no locks: {os.strerror(error.errno).lower()}",
            where=str(path),
            todo="move the workspace to a disk that has",
        ) from error


# Directories this process has pinned, by device and inode: a lock ends with its file descriptor. Beside that, whether
# the file system counts the links of directories.
_pinned: dict[tuple[int, int], tuple[int, bool]] = {}
_pinning = threading.Lock()


def pin(directory: Path) -> bool:
    """Keep `directory` from being removed by `held_unless_pinned` of any other process until this one ends; there is no
    way to unpin it.

    False where it is not there, or is just being removed.
    """
    with _pinning, contextlib.ExitStack() as stack:
        _drop_gone()
        try:
            descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            stack.callback(os.close, descriptor)
            _lock(descriptor, fcntl.LOCK_SH, directory)
            here, there = os.fstat(descriptor), directory.stat()
        except (BlockingIOError, FileNotFoundError, NotADirectoryError):
            return False
        identity = (here.st_dev, here.st_ino)
        if identity != (there.st_dev, there.st_ino):
            return False
        if identity not in _pinned:
            _pinned[identity] = (descriptor, here.st_nlink > 0)
            stack.pop_all()  # it stays open
        return True


def _drop_gone() -> None:
    """Close the descriptors of the directories that were removed or replaced (by this process)."""
    for identity, (descriptor, counted) in tuple(_pinned.items()):
        with contextlib.suppress(OSError):  # what cannot be looked at now is not known to be gone
            if counted and os.fstat(descriptor).st_nlink == 0:
                del _pinned[identity]
                os.close(descriptor)


@contextlib.contextmanager
def held_unless_pinned(directory: Path) -> Iterator[bool]:
    """Whether no process has pinned `directory` (see `pin`); if so, none can during the block."""
    try:
        descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        yield True
        return
    try:
        try:
            _lock(descriptor, fcntl.LOCK_EX, directory)
            free = True
        except BlockingIOError:
            free = False
        yield free
    finally:
        os.close(descriptor)
