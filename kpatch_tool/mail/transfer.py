"""Content-Transfer-Encoding undone (RFC 2045, section 6), and compressed attachments unpacked within bounds."""

from __future__ import annotations

import binascii
import re

from kpatch_tool.mail import charsets
from kpatch_tool.mail.footers import footer_start
from kpatch_tool.mail.headers import decode_base64
from kpatch_tool.mail.unpack import DENSEST
from kpatch_tool.system import magic

_BASE64_LINE = re.compile(rb"[A-Za-z0-9+/]*+={0,2}\s*")
_NOISE = re.compile(rb"[^A-Za-z0-9+/=\s]")
_CLEAN = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=\r\n"
_CODE = re.compile(rb"=(?:([0-9A-Fa-f]{2})|[ \t]*+\r?(?:\n|\Z))")
_ODD_CODE = re.compile(rb"=(?![0-9A-Fa-f]{2}|\r?\n)")
_SURE_CODE = re.compile(rb"=(?:3D|20|09|[C-F][0-9A-F]=[89AB][0-9A-F])")  # what every encoder must write so
# The same in a charset of one byte a character; what letters or digits follow may be `=BASE` or `=FALSE` of a text that
# is not encoded.
_SURE_OF_ONE_BYTE = re.compile(rb"=[89A-F][0-9A-F](?![0-9A-Z_])")
# In a word, or at its end, one is enough.
_INSIDE_A_WORD = re.compile(rb"(?<=[A-Za-z])=(?:[C-F][0-9A-F](?=[a-z])|[EF][0-9A-E](?![0-9A-Za-z_]))")
_SOFT_END = re.compile(rb"=[ \t]*\r?\n")
_TOO_LONG = re.compile(rb"[^\n]{79}")  # RFC 2045, 6.7 (5): no line of more than 76 characters
_LARGEST = 1 << 26  # bytes that an attachment may unpack to,
_SMALL = 1 << 22  # and from this many on not more than unpack.DENSEST times its size
_REFUSED = 16  # one that is damaged or too large takes this part of its room: only time, and others may follow


def decoded(encoding: str, raw: bytes, charset: str = "") -> bytes:
    """`raw`, which says that it is in `charset`, with its transfer encoding undone. Like mailinfo.c it goes by what the
    field contains; unknown ones do nothing."""
    if "base64" in encoding:
        return _base64_with_footer(raw)
    if "quoted-printable" in encoding:
        return _quoted_printable(raw, charset)
    return raw


def _quoted_printable(raw: bytes, charset: str) -> bytes:
    """RFC 2045, 6.7, as mailinfo.c reads it (decode_q_segment): what is no code stays as it is, and so do blanks at the
    end of a line, which no program adds on the way any more."""
    if _ODD_CODE.search(raw) is None:
        return binascii.a2b_qp(raw)
    if not _is_encoded(raw[: footer_start(raw, max(0, raw.rfind(b"\n@@ ")))], charset):
        return raw  # the header was kept although the text was decoded (patchwork's mbox)
    return _CODE.sub(lambda found: bytes([int(found[1], 16)]) if found[1] else b"", raw)


def _is_encoded(text: bytes, charset: str) -> bool:
    """Whether a text without the list's footer, which none encodes, is what its header calls quoted-printable."""
    if _SURE_CODE.search(text):
        return True
    odd = _ODD_CODE.search(text)
    if text.isascii() and charsets.is_one_byte(charset):
        above = text if odd is None else text[: odd.start()]
        if len(_SURE_OF_ONE_BYTE.findall(above)) > 1 or _INSIDE_A_WORD.search(above):
            return True
    return odd is None or (_SOFT_END.search(text) is not None and _TOO_LONG.search(text) is None)


def _base64_with_footer(raw: bytes) -> bytes:
    """Base64 lines decoded; from the first line that is none (the footer a list program appended) kept as it is.

    A line with a few foreign characters in it is base64 all the same: they are skipped, as by mailinfo.c.
    """
    if not raw.translate(None, _CLEAN):
        return _blocks(raw)  # what nearly all are; line by line this takes ten times as long
    at = end = 0
    while at < len(raw):
        stop = raw.find(b"\n", at) + 1 or len(raw)
        line = raw[at:stop]
        if not _BASE64_LINE.fullmatch(line) and (b" " in line.strip() or len(_NOISE.findall(line)) * 8 > len(line)):
            break
        at = end = stop
    data, footer = _blocks(raw[:end]), raw[end:]
    return data + (b"\n" if footer and not data.endswith(b"\n") else b"") + footer


def _blocks(raw: bytes) -> bytes:
    """Base64 that may have been encoded in pieces: `=` ends one."""
    if b"=" not in raw.rstrip().rstrip(b"="):
        return decode_base64(raw)
    return b"".join(decode_base64(piece) for piece in re.split(rb"=+\s*", raw))


class Room:
    """What the compressed attachments of a mail of `size` bytes may still unpack to, all together."""

    __slots__ = ("left",)

    def __init__(self, size: int) -> None:
        self.left = _most(size)


def _most(packed: int) -> int:
    return min(_LARGEST, max(_SMALL, DENSEST * packed))


def unpacked(data: bytes, room: Room) -> bytes:
    """What a gzip, xz or bzip2 attachment holds, taken off the mail's `room`; empty when damaged or too large; other
    data as it is."""
    if not data.startswith((magic.GZIP, magic.XZ, magic.BZIP2)):
        return data
    most = min(room.left, _most(len(data)))
    whole = _decompressed(data, most) if most > 0 else b""
    if 0 < len(whole) < most:
        room.left -= len(whole)
        return whole
    room.left -= max(most // _REFUSED, 1)
    return b""


def _decompressed(data: bytes, most: int) -> bytes:
    """Up to `most` bytes, which is no 0: for zlib that is no bound."""
    import bz2
    import lzma
    import zlib

    try:
        if data.startswith(magic.GZIP):
            return zlib.decompressobj(wbits=31).decompress(data, most)
        if data.startswith(magic.XZ):
            return lzma.LZMADecompressor(memlimit=_LARGEST * 2).decompress(data, max_length=most)
        return bz2.BZ2Decompressor().decompress(data, max_length=most)
    except (OSError, EOFError, zlib.error, lzma.LZMAError):
        return b""
