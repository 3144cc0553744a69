"""Initial root archives: cpio's "newc" format (Documentation/driver-api/early-userspace/buffer-format.rst of Linux).

The same entries always give the same bytes: no times, no owners, inode numbers in order.
"""

from __future__ import annotations

import shutil
import stat
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from kpatch_tool.errors import MachineError

_BLOCK = 512
_INIT = "/init"


@dataclass(frozen=True, slots=True)
class Entry:
    """A file of the guest: its absolute path there, permission bits, and its bytes, given (`data`) or on the host
    (`source`)."""

    path: str
    mode: int = 0o644
    data: bytes = b""
    source: Path | None = None


def write_archive(out: BinaryIO, entries: Iterable[Entry]) -> None:
    """Write `entries`, with the directories they need, as one archive padded to 512 bytes, to `out`.

    Of two entries with one path the first counts. /init comes last: a kernel that has no room for all of it must not
    start with a part. Raises MachineError for a source that cannot be read.
    """
    files = {entry.path: entry for entry in reversed(tuple(entries))}
    writer = _Writer(out)
    for directory in _directories(files):
        writer.header(directory, stat.S_IFDIR | 0o755, 0)
    for path in sorted(files, key=lambda path: (path == _INIT, path)):
        writer.file(files[path])
    writer.header("TRAILER!!!", 0, 0)
    writer.pad(_BLOCK)


def _directories(paths: Iterable[str]) -> list[str]:
    parents = {str(parent).lstrip("/") for path in paths for parent in PurePosixPath(path).parents}
    return sorted(parents - {""})


class _Writer:
    def __init__(self, out: BinaryIO) -> None:
        self._out = out
        self._written = 0
        self._inode = 0

    def header(self, name: str, mode: int, size: int) -> None:
        self._inode += 1
        encoded = name.lstrip("/").encode() + b"\0"
        links = 2 if stat.S_ISDIR(mode) else 1
        # ino, mode, uid, gid, nlink, mtime, filesize, devmajor, devminor, rdevmajor, rdevminor, namesize, check
        fields = (self._inode, mode, 0, 0, links, 0, size, 0, 0, 0, 0, len(encoded), 0)
        self._put(b"070701" + b"".join(b"%08x" % field for field in fields) + encoded)
        self.pad(4)

    def file(self, entry: Entry) -> None:
        mode = stat.S_IFREG | entry.mode
        if entry.source is None:
            self.header(entry.path, mode, len(entry.data))
            self._put(entry.data)
        else:
            self._copy(entry.path, mode, entry.source)
        self.pad(4)

    def _copy(self, path: str, mode: int, source: Path) -> None:
        try:
            with source.open("rb") as data:
                size = source.stat().st_size
                self.header(path, mode, size)
                shutil.copyfileobj(data, self._out, 1 << 20)
                if data.tell() != size:
                    raise MachineError("file changed while it was read", where=str(source), todo="try again")
        except (FileNotFoundError, PermissionError, IsADirectoryError) as error:
            reason = (error.strerror or "unreadable").lower()
            raise MachineError(f"cannot put this file into the guest: {reason}", where=str(source)) from error
        self._written += size

    def pad(self, boundary: int) -> None:
        self._put(bytes(-self._written % boundary))

    def _put(self, data: bytes) -> None:
        self._out.write(data)
        self._written += len(data)
