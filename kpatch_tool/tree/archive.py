"""Reading a stranger's tar archive as a stream of files: nothing is unpacked, and what is damaged or cut short is told.

Python's tarfile takes an archive for whole when it meets anything that is no header behind the first member, and reads
long names and maps of holes into memory, whatever their size.
"""

from __future__ import annotations

import math
import tarfile
from collections.abc import Callable, Iterator
from typing import IO, Self, cast

from kpatch_tool.diff.hostile import unsafe_path
from kpatch_tool.errors import InputError
from kpatch_tool.text import printable
from kpatch_tool.tree.importing import FILE, LARGEST, LINK, PROGRAM, Item

_MOST_OF_HEADERS = 4 << 20  # bytes before a member that are not its content: long names, attributes, maps of holes


def tar_items(stream: IO[bytes], where: str, on_bytes: Callable[[int], None]) -> Iterator[Item]:
    """The files of an uncompressed tar stream; `on_bytes` is told how many bytes of it were read.

    Raises InputError for an archive that is damaged or has no end, for a member that is neither file, link nor
    directory, and for a name that would leave the tree.
    """
    meter = _Meter(stream)
    try:
        with tarfile.open(
            fileobj=cast("IO[bytes]", meter), mode="r|", encoding="utf-8", errors="surrogateescape", tarinfo=_Member
        ) as archive:
            headers: list[tarfile.TarInfo] = vars(archive)["members"]  # 78,000 of them would stay in memory
            for member in archive:
                if not member.isdir():
                    yield _item(archive, member, meter, where)
                on_bytes(member.offset_data + member.size)
                headers.clear()
                meter.grant(0)
    except (tarfile.TarError, EOFError, ValueError, OverflowError) as error:
        raise InputError(f"damaged archive ({error})", where=where, todo="fetch it again") from error


class _Member(tarfile.TarInfo):
    """A header that is none is an error wherever it stands, not the end of the archive."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Self:
        if len(buf) < tarfile.BLOCKSIZE:
            raise tarfile.ReadError("it is cut short")
        try:
            return super().frombuf(buf, encoding, errors)
        except tarfile.HeaderError as error:
            if any(buf):
                raise tarfile.ReadError(str(error)) from error
            raise  # zeros: the end


class _Meter:
    """A stream that gives no more for a member than was granted for it."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self.grant(0)

    def grant(self, size: int) -> None:
        """Let `size` bytes of content be read, and what may stand before the next member."""
        self._left = size + _MOST_OF_HEADERS

    def read(self, size: int) -> bytes:
        data = self._stream.read(size)
        self._left -= len(data)
        if self._left < 0:
            raise tarfile.ReadError("a header without end")
        return data


def _item(archive: tarfile.TarFile, member: tarfile.TarInfo, meter: _Meter, where: str) -> Item:
    path = member.name.removeprefix("./")
    changed = int(member.mtime) if math.isfinite(member.mtime) else 0
    if problem := unsafe_path(path):
        raise InputError(f"refused: {problem}", where=f"{where}: {printable(member.name)}")
    if member.issym():
        return Item(path, LINK, member.linkname.encode("utf-8", "surrogateescape"), changed)
    if member.islnk():
        return Item(path, FILE, b"", changed, same_as=member.linkname.removeprefix("./"))
    if member.size > LARGEST:
        raise InputError(f"refused: larger than {LARGEST >> 20} MB", where=f"{where}: {printable(member.name)}")
    if member.size < 0:
        raise tarfile.ReadError("a file of negative size")
    meter.grant(member.size)
    content = archive.extractfile(member) if member.isfile() else None
    if content is None:
        raise InputError("refused: neither file, link nor directory", where=f"{where}: {printable(member.name)}")
    return Item(path, PROGRAM if member.mode & 0o111 else FILE, content.read(), changed)
