"""What is left of a line of text when everything mail programs and archives change is taken out.

Two lines with the same likeness may be the same line before and after such damage. The likeness is taken of both, of
the line received and of the one in the base, so that a file which really holds `&lt;` or a no-break space compares
equal as well.
"""

from __future__ import annotations

import re

from kpatch_tool.restore.hidden import without_addresses

_WHITE = b" \t\r\f\v"
# What programs encode: `=` itself, blanks, controls, what is not ASCII, a dot or From at the beginning of a line.
_QUOTED_PRINTABLE = re.compile(rb"=(3D|20|09|0[AD]|46(?=rom )|2E|[89A-F][0-9A-F])")
_ENTITY = re.compile(rb"&(lt|gt|amp|quot|apos|nbsp|#\d{1,4}|#x[0-9A-Fa-f]{1,4});")
_ENTITIES = {b"lt": b"<", b"gt": b">", b"amp": b"&", b"quot": b'"', b"apos": b"'", b"nbsp": b"\xc2\xa0"}
_PLAIN = re.compile(rb"[^=&@\-\x80-\xff]*")

# Characters of typesetting that mail programs put in the place of ASCII, and blanks that are none (Unicode names).
_BLANK_CHARACTERS = "\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u3000"
_NOTHING = "\u00ad\u200b\u200c\u200d\u200e\u200f\u2060\ufeff"
TYPESET = {
    "\u2018": b"'", "\u2019": b"'", "\u201a": b"'", "\u201b": b"'", "\u2032": b"'",
    "\u201c": b'"', "\u201d": b'"', "\u201e": b'"', "\u2033": b'"',
    "\u2010": b"-", "\u2011": b"-", "\u2012": b"-", "\u2013": b"-", "\u2014": b"--", "\u2015": b"--", "\u2212": b"-",
    "\u2026": b"...",
}  # fmt: skip
# The same in windows-1252, where a mail's charset was wrong.
_WINDOWS = {0x91: b"'", 0x92: b"'", 0x93: b'"', 0x94: b'"', 0x96: b"-", 0x97: b"--", 0x85: b"...", 0xA0: b" "}


def _alternatives(texts: str | list[str]) -> bytes:
    return b"|".join(re.escape(text.encode()) for text in texts)


# `Â ` is a no-break space in UTF-8 that was read as latin-1 and encoded again.
NO_BREAK = re.compile(rb"\xc3\x82(?:\xc2\xa0| )|" + _alternatives(list(_BLANK_CHARACTERS)))
INVISIBLE = re.compile(_alternatives(list(_NOTHING)))
_TYPESET = re.compile(_alternatives(list(TYPESET)))
_ASCII_OF = {text.encode(): ascii_ for text, ascii_ in TYPESET.items()}


def without_no_break(text: bytes) -> bytes:
    """`text` with a blank for every blank that is none of ASCII's."""
    text = NO_BREAK.sub(b" ", text)
    return text.replace(b"\xa0", b" ") if _latin(text) else text


def without_invisible(text: bytes) -> bytes:
    """`text` without soft hyphens, zero-width characters and byte order marks."""
    return INVISIBLE.sub(b"", text)


def without_typesetting(text: bytes) -> bytes:
    """`text` with ASCII for typographic quotes, dashes and dots."""
    out = _TYPESET.sub(lambda match: _ASCII_OF[match[0]], text)
    if _latin(out):
        out = b"".join(_WINDOWS.get(byte, bytes([byte])) for byte in out)
    return out


def in_utf8(text: bytes) -> bytes:
    """`text` in UTF-8, where it is in windows-1252 or latin-1."""
    if not _latin(text):
        return text
    try:
        return text.decode("cp1252").encode()
    except UnicodeDecodeError:
        return text.decode("latin-1").encode()


def _latin(text: bytes) -> bool:
    """Whether a text is in a charset of one byte a character."""
    if text.isascii():
        return False
    try:
        text.decode()
    except UnicodeDecodeError:
        return True
    return False


def without_quoted_printable(text: bytes) -> bytes:
    """`text` with `=3D` and its like decoded (RFC 2045, 6.7); a soft line break is the reader's matter."""
    return _QUOTED_PRINTABLE.sub(lambda match: bytes([int(match[1], 16)]), text) if b"=" in text else text


def without_entities(text: bytes) -> bytes:
    """`text` with the entities of HTML that code is written with decoded, once."""
    return _ENTITY.sub(_decoded_entity, text) if b"&" in text else text


def _decoded_entity(match: re.Match[bytes]) -> bytes:
    name = match[1]
    if name in _ENTITIES:
        return _ENTITIES[name]
    code = int(name[2:], 16) if name[1:2] == b"x" else int(name[1:])
    return chr(code).encode("utf-8", "replace") if 31 < code < 0xD800 or code == 9 else match[0]


_SPACED_HYPHEN = re.compile(rb"(?<=\w)- (?=\w)")


def likeness(text: bytes) -> bytes:
    """`text` without white space; typeset characters in ASCII, codes of QP and HTML decoded, addresses hidden."""
    if b"- " in text:
        text = _SPACED_HYPHEN.sub(b"-", text)  # the part of an address before it is of the address
    if _PLAIN.fullmatch(text):
        return _dashed(without_addresses(text)).translate(None, _WHITE)
    for _ in range(2):  # what was encoded twice
        text = without_entities(without_quoted_printable(text))
    if not text.isascii():
        text = in_utf8(without_typesetting(without_invisible(without_no_break(text))))
    return _dashed(without_addresses(text)).translate(None, _WHITE)


def _dashed(text: bytes) -> bytes:
    return re.sub(rb"-{2,}", b"-", text) if b"--" in text else text
