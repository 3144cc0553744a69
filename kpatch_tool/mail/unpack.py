"""Compressed sources: gzip, xz, bzip2, known by their first bytes, unpacked up to a bound."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from kpatch_tool.errors import InputError
from kpatch_tool.system import magic

if TYPE_CHECKING:  # loading these takes as long as reading a small series
    import bz2
    import lzma

LARGEST = 1 << 29  # bytes that a compressed source may unpack to,
_SMALL = 16 << 20  # and from this many on
DENSEST = 64  # times its size: mail becomes a tenth by gzip, a fiftieth by xz if it is much alike; zeros a thousandth
_BLOCK = 1 << 22
_FED = 1 << 14  # bytes fed at once: what of them follows a member's end is copied


class _Stream(Protocol):
    """One member of a compressed file. `feed` gives up to `most` bytes more; `rest` is what was fed beyond its end,
    before which `padding` may stand."""

    @property
    def eof(self) -> bool: ...

    def feed(self, data: bytes, most: int) -> bytes: ...

    @property
    def rest(self) -> bytes: ...

    @property
    def padding(self) -> bytes: ...


class _Gzip:
    padding = b"\0"  # gzip(1) ignores what pads a tape's block

    def __init__(self) -> None:
        self._stream = zlib.decompressobj(wbits=31)
        self._pending = b""

    @property
    def eof(self) -> bool:
        return self._stream.eof

    @property
    def rest(self) -> bytes:
        return self._stream.unused_data

    def feed(self, data: bytes, most: int) -> bytes:
        out = self._stream.decompress(self._pending + data, most)
        self._pending = self._stream.unconsumed_tail
        return out


class _Decompressor:
    """A member of .xz or .bz2, whose decompressors have one interface."""

    def __init__(self, stream: lzma.LZMADecompressor | bz2.BZ2Decompressor, padding: bytes = b"") -> None:
        self._stream = stream
        self.padding = padding

    @property
    def eof(self) -> bool:
        return self._stream.eof

    @property
    def rest(self) -> bytes:
        return self._stream.unused_data

    def feed(self, data: bytes, most: int) -> bytes:
        return self._stream.decompress(data, most)


def _xz() -> _Stream:
    import lzma

    return _Decompressor(lzma.LZMADecompressor(memlimit=LARGEST), b"\0")  # the .xz file format, 2.2: Stream Padding


def _bzip2() -> _Stream:
    import bz2

    return _Decompressor(bz2.BZ2Decompressor())


_KINDS: tuple[tuple[bytes, Callable[[], _Stream]], ...] = (
    (magic.GZIP, _Gzip),
    (magic.XZ, _xz),
    (magic.BZIP2, _bzip2),
)
# What is a file of files, or packed in a way that the standard library does not know: first bytes, where, what, why.
_REFUSED = (
    (b"PK\x03\x04", 0, "a zip file", "unpack it and import the directory"),
    (b"ustar", 257, "a tar file", "unpack it and import the directory"),
    (magic.ZSTD, 0, "packed with zstd", "unpack it: zstd -d FILE"),
    (b"7z\xbc\xaf\x27\x1c", 0, "a 7z file", "unpack it and import the directory"),
    (b"BABYL OPTIONS", 0, "a mailbox of Rmail (Babyl)", "save it as mbox: M-x unrmail"),
    (b"\xd0\xcf\x11\xe0", 0, "a mail as Outlook saves it (.msg)", "save it as text or .eml, or get the raw mail"),
    (b"!BDN", 0, "a mailbox of Outlook (.pst)", "make an mbox of it: readpst FILE"),
    (b"\x78\x9f\x3e\x22", 0, "a winmail.dat of Outlook (TNEF)", "get the mail as its archive has it"),
    (b"# v2 git bundle", 0, "a git bundle", "fetch it into a clone, and `kpt import A..B` there"),
    (b"# v3 git bundle", 0, "a git bundle", "fetch it into a clone, and `kpt import A..B` there"),
    (b"%PDF", 0, "a PDF, which has no white space left", "import the mail itself"),
    (b"{\\rtf", 0, "a text of a word processor (RTF)", "save it as plain text, or import the mail itself"),
    (b"\x89PNG", 0, "a picture", "import the mail itself"),
    (b"\xff\xd8\xff", 0, "a picture", "import the mail itself"),
)


def unpacked(data: bytes, name: str) -> bytes:
    """`data` itself, or what gzip, xz or bzip2 data holds. `name` is the file's, for errors.

    Raises InputError when it is damaged, cut short, too large unpacked, or of a kind that holds several files.
    """
    kind = next((make for start, make in _KINDS if data.startswith(start)), None)
    whole = data if kind is None else _whole(data, kind, name)
    for start, place, what, todo in _REFUSED:
        if whole.startswith(start, place):
            raise InputError(f"this is {what}", where=name, todo=todo)
    return whole


def _whole(data: bytes, make: Callable[[], _Stream], name: str) -> bytes:
    from lzma import LZMAError

    out: list[bytes] = []
    size, packed = 0, len(data)
    left, data = memoryview(data), b""
    try:
        while data or left:
            stream = make()
            while not stream.eof:
                piece = stream.feed(data, _BLOCK)
                data = b""
                if not piece and not stream.eof:
                    if not left:
                        raise InputError("the compressed file is cut short", where=name, todo="get it again")
                    data, left = bytes(left[:_FED]), left[_FED:]
                out.append(piece)
                size += len(piece)
                if size > LARGEST:
                    raise InputError("the compressed file is too large unpacked", where=name)
                if size > _SMALL and size > DENSEST * packed:
                    what = f"the compressed file unpacks to more than {DENSEST} times its size, as no mail does"
                    raise InputError(what, where=name, todo="unpack it yourself, if you know who made it")
            data = stream.rest.lstrip(stream.padding)
            while not data and left:
                data, left = bytes(left[:_FED]).lstrip(stream.padding), left[_FED:]
    except (OSError, EOFError, ValueError, zlib.error, LZMAError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"the compressed file is damaged ({error})", where=name, todo="get it again") from error
    return b"".join(out)
