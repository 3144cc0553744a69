"""Machines saved while init waits for the host: a kernel that booted once need not boot again for every state that has
the same image and other modules.

Nothing of the series runs before that moment but the image itself, so a machine that goes on from it is as fresh as
one that booted. Under TCG going on takes a quarter of the time of a boot (docs/testing.md has figures).
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TypeAlias

from kpatch_tool.system import atomic, lock
from kpatch_tool.system.atomic import STAGING, machine_errors
from kpatch_tool.vm.qemu import KERNEL_WORDS, Machine

_KEPT = 3  # about 150 MB each
_FORMAT = 1
_LOCK_SECONDS = 30.0
SavedFile: TypeAlias = "tempfile._TemporaryFileWrapper[bytes]"


@dataclass(frozen=True, slots=True)
class SavedMachine:
    """The file of one saved machine, there or not."""

    path: Path

    @classmethod
    def of(cls, cache: Path, kernel: Path, base: Path, machine: Machine, emulator: Path) -> SavedMachine:
        """The one that `kernel` with the root `base` gives on `machine`."""
        digest = hashlib.sha256(kernel.read_bytes())
        status = emulator.stat()
        qemu = (str(emulator), status.st_size, status.st_mtime_ns)
        digest.update(repr((_FORMAT, base.name, machine, qemu, KERNEL_WORDS)).encode())
        return cls(place(cache) / digest.hexdigest()[:32])

    def opened(self) -> IO[bytes] | None:
        """The file to go on from, None where there is none. Nobody prunes it while it is open."""
        try:
            file = self.path.open("rb")
        except FileNotFoundError:
            return None
        fcntl.flock(file, fcntl.LOCK_SH)
        os.utime(file.fileno())
        return file

    def begun(self) -> SavedFile:
        """A file to save the machine to, which `keep` makes this one; it is gone when it is closed before."""
        directory = self.path.parent
        with machine_errors(self.path):
            directory.mkdir(parents=True, exist_ok=True)
        with machine_errors(self.path), _locked(directory):
            atomic.sweep(directory)
            return _in_use(tempfile.NamedTemporaryFile(prefix=STAGING, dir=directory))

    def keep(self, file: SavedFile) -> None:
        """Make `file`, written whole, the one to go on from, if no other was first; the oldest ones make room."""
        with _locked(self.path.parent):
            with contextlib.suppress(FileExistsError):
                os.link(file.name, self.path)
            there = sorted(self.path.parent.glob("[0-9a-f]*"), key=lambda path: path.stat().st_mtime, reverse=True)
            for old in there[_KEPT:]:
                old.unlink()

    def forget(self) -> None:
        """Remove it: it did not come back to life."""
        with _locked(self.path.parent):
            self.path.unlink(missing_ok=True)

    def unused(self) -> bool:
        """Whether no guest goes on from it right now."""
        try:
            with self.path.open("rb") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except FileNotFoundError:
            return True
        return True


def place(cache: Path) -> Path:
    """The directory with the saved machines."""
    return cache / "machines"


def saved_machines(cache: Path) -> Iterator[SavedMachine]:
    """All that are kept."""
    yield from (SavedMachine(path) for path in sorted(place(cache).glob("[0-9a-f]*")))


def sweep(cache: Path) -> None:
    """Remove what a killed kpt left of machines it was saving."""
    if place(cache).is_dir():
        with _locked(place(cache)):
            atomic.sweep(place(cache))


def _in_use(file: SavedFile) -> SavedFile:
    fcntl.flock(file, fcntl.LOCK_SH)
    return file


def _locked(directory: Path) -> AbstractContextManager[int]:
    """The right to add files to the directory and to remove some."""
    return lock.held(directory.with_suffix(".lock"), wait_seconds=_LOCK_SECONDS)
