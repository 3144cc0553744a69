"""Files kept once, by what is in them: .kpt/objects/ab/cdef... is the file whose sha256 is abcdef...

Everything else is a name for it: a hard link in the directory of a build or of a run of tests, where people and
programs look. How many names a content has is what the file system counts anyway, so no record of it can go wrong,
whoever is killed when; one whose last name is removed is garbage. Where the file system has no hard links, files stay
as they are, each its own.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from kpatch_tool.system.atomic import STAGING, machine_errors
from kpatch_tool.workspace import Workspace

_NO_LINKS = frozenset({errno.EPERM, errno.EXDEV, errno.EMLINK, errno.ENOTSUP, errno.ENOSYS})
_READ_ONLY = 0o444


@dataclass(frozen=True, slots=True)
class Contents:
    """The contents kept in the directory `root`, which is made when the first one comes."""

    root: Path

    @classmethod
    def of(cls, workspace: Workspace) -> Contents:
        """Those of a workspace."""
        return cls(workspace.state / "objects")

    def share(self, file: Path) -> str:
        """Make `file`, which nobody writes to any more, a name of the one copy of its content; its sha256.

        The file is whole at every moment. Raises MachineError when the disk is full or cannot be written.
        """
        digest = digest_of(file)
        kept = self.root / digest[:2] / digest[2:]
        with machine_errors(kept):
            kept.parent.mkdir(parents=True, exist_ok=True)
            try:
                while not self._joined(file, kept, digest):  # removed, or kept by another kpt, in between
                    pass
            except OSError as error:
                if error.errno not in _NO_LINKS:
                    raise
        return digest

    def sweep(self) -> int:
        """Remove the contents that no name is left of; how many bytes that frees."""
        freed = 0
        for path in self._files():
            with contextlib.suppress(FileNotFoundError):
                status = path.stat()
                if status.st_nlink == 1:
                    path.unlink()
                    freed += status.st_size
        return freed

    def size(self) -> int:
        """The bytes of all contents, each counted once."""
        total = 0
        for path in self._files():
            with contextlib.suppress(FileNotFoundError):
                total += path.stat().st_size
        return total

    def _files(self) -> Iterator[Path]:
        return self.root.glob("??/*")

    def _joined(self, file: Path, kept: Path, digest: str) -> bool:
        """Whether `file` and `kept` are one now; False where `kept` came or went meanwhile."""
        mine = file.stat()
        try:
            there = kept.stat()
        except FileNotFoundError:
            file.chmod(_READ_ONLY | mine.st_mode & 0o111)
            try:
                os.link(file, kept)
            except FileExistsError:
                return False
            return True
        if there.st_ino == mine.st_ino:
            return True
        if there.st_size != mine.st_size or not _is(kept, digest):  # the disk has lost it
            kept.unlink(missing_ok=True)
            return False
        return _replaced(file, kept)


def digest_of(file: Path) -> str:
    """The sha256 of a file, as 64 hex digits."""
    with file.open("rb") as data:
        return hashlib.file_digest(data, "sha256").hexdigest()


def _is(kept: Path, digest: str) -> bool:
    """Whether `kept` holds what its name says; True where it is gone, which whoever links to it sees."""
    with contextlib.suppress(FileNotFoundError):
        return digest_of(kept) == digest
    return True


def _replaced(file: Path, kept: Path) -> bool:
    """Put a link to `kept` in the place of `file`; False where `kept` is gone."""
    with tempfile.TemporaryDirectory(prefix=STAGING, dir=file.parent) as scratch:
        link = Path(scratch) / file.name
        try:
            os.link(kept, link)
        except FileNotFoundError:
            return False
        link.replace(file)
    return True
