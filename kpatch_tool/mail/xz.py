"""An xz file as a stream that may be sought in. lzma.open takes as much memory as the file asks for, up to 4 GB."""

from __future__ import annotations

import io
import lzma
from pathlib import Path
from typing import TYPE_CHECKING

from kpatch_tool.mail.unpack import LARGEST
from kpatch_tool.system import magic

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

_BLOCK = 1 << 16


class XzFile(io.RawIOBase):
    """What the xz file at `path` holds. Reading raises lzma.LZMAError where it is damaged or wants a dictionary of more
    than LARGEST bytes, EOFError where it is cut short."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("rb")
        self._restart()

    def _restart(self) -> None:
        self._file.seek(0)
        self._at = 0
        self._stream = lzma.LZMADecompressor(memlimit=LARGEST)

    def close(self) -> None:
        self._file.close()
        super().close()

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def readinto(self, buffer: WriteableBuffer) -> int:
        view = memoryview(buffer).cast("B")
        data = self._more(len(view)) if len(view) else b""
        view[: len(data)] = data
        self._at += len(data)
        return len(data)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        if whence != io.SEEK_SET:
            raise io.UnsupportedOperation("from the beginning only")
        if offset < self._at:
            self._restart()
        while self._at < offset and (data := self._more(min(_BLOCK, offset - self._at))):
            self._at += len(data)
        return self._at

    def _more(self, most: int) -> bytes:
        """Up to `most` bytes, none at the end. An xz file may consist of several streams, with NULs between them."""
        while True:
            if self._stream.eof:
                rest = self._stream.unused_data.lstrip(b"\0")
                rest += self._file.read(_BLOCK) if len(rest) < len(magic.XZ) else b""
                if not rest.startswith(magic.XZ):
                    return b""
                self._stream = lzma.LZMADecompressor(memlimit=LARGEST)
            elif self._stream.needs_input:
                rest = self._file.read(_BLOCK)
                if not rest:
                    raise EOFError("the compressed file is cut short")
            else:
                rest = b""
            if data := self._stream.decompress(rest, most):
                return data
