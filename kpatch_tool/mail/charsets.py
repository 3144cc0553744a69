"""Charsets of mail: bytes -> text. Never fails, whatever a mail declares.

The rule, in one place: the *text* of a mail (subject, names, commit message) becomes Unicode; the bytes of a *diff*
stay as the transfer encoding gave them, as git's mailinfo leaves them (mailinfo.c, handle_patch), because the file
they belong to may be in any encoding. Only where a charset is no superset of ASCII (UTF-16, UTF-7) the whole text is
converted, since nothing in it could be read otherwise (`readable`).
"""

from __future__ import annotations

import codecs
import re

# Python codecs that are no charset of any mail, or that take quadratic time.
_NO_CHARSETS = frozenset({"idna", "punycode", "unicode-escape", "raw-unicode-escape", "undefined", "mbcs", "oem"})
# Names mail programs write, and the superset that reads what they really send (WHATWG's Encoding Standard, 4.2).
_ALIASES = {
    "gb2312": "gb18030",
    "gb_2312-80": "gb18030",
    "gbk": "gb18030",
    "x-gbk": "gb18030",
    "cp936": "gb18030",
    "ks_c_5601-1987": "cp949",
    "ks_c_5601": "cp949",
    "euc-kr": "cp949",
    "shift_jis": "cp932",
    "x-sjis": "cp932",
    "windows-31j": "cp932",
    "iso-2022-jp": "iso2022_jp_ext",
    "x-euc-jp": "euc_jp",
    "big5": "big5hkscs",
    "x-big5": "big5hkscs",
    "iso-8859-8-i": "iso-8859-8",
    "iso-8859-1": "cp1252",
    "latin1": "cp1252",
    "iso8859-1": "cp1252",
    "iso-8859-9": "cp1254",
    "tis-620": "cp874",
    "utf8mb4": "utf-8",
    "unicode-1-1-utf-7": "utf-7",
    "unicode-1-1-utf-8": "utf-8",
}
_WIDE = re.compile(r"utf-?(?:16|32|7)|ucs-?[24]|unicode-1-1-utf-7")
# One byte a character: nearly every text is "valid" in them, so that a wrong label shows only in what they say.
_ONE_BYTE = re.compile(r"ascii|us-ascii|cp125\d|cp874|iso-?8859-\d+|latin-?\d+|windows-125\d|ansi_x3[.\w-]*")
_MANY_BYTES = frozenset({"gb18030", "big5hkscs", "cp949", "cp932", "euc_jp"})
_NAME = re.compile(r"[\w.:+-]+")
_SURROGATE = re.compile("[\ud800-\udfff]")
_SURE = 4  # characters: so many in a row are valid UTF-8 by chance in no real text of another charset


def decode(data: bytes, charset: str) -> str:
    """Bytes as text, never failing: in the declared charset, unless the bytes say otherwise.

    UTF-8 wins over a declared one-byte charset in which nearly everything is valid, and over a declared Asian one for
    longer texts; what the declared charset cannot read is UTF-8, else windows-1252 (what most unlabelled mail that is
    not UTF-8 is in).
    """
    name = resolve(charset)
    if data.isascii() and name in ("utf-8", "cp1252", "ascii", "us-ascii"):
        return data.decode("ascii")
    attempts = (name, "utf-8")
    if name != "utf-8" and not data.isascii() and (_ONE_BYTE.fullmatch(name) or _is_surely_utf8(name, data)):
        attempts = ("utf-8", name)
    for attempt in attempts:
        if (text := _strictly(data, attempt)) is not None:
            return text
    if name in ("utf-8", "ascii", "us-ascii", "cp1252"):
        return _mixed(data)
    return sound(data.decode(name, "replace"))


def is_one_byte(charset: str) -> bool:
    """Whether every character beyond ASCII is one byte in what a mail calls its charset."""
    name = resolve(charset)
    return "ascii" not in name and _ONE_BYTE.fullmatch(name) is not None


def resolve(charset: str) -> str:
    """The Python codec for what a mail calls its charset; "utf-8" where it names none that exists."""
    found = _NAME.search(charset.lower())  # `"utf-8; format=flowed"`, `'utf-8'`, `utf-8:`
    name = found[0].rstrip(":.") if found else ""
    name = _ALIASES.get(name, name)
    return name if name and known(name) else "utf-8"


def known(charset: str) -> bool:
    """Whether Python can decode mail in `charset`."""
    try:
        info = codecs.lookup(charset)
        b"x".decode(charset, "replace")  # what is no text encoding ("hex") is refused only here
    except (LookupError, ValueError):
        return False
    return info.name.replace("_", "-") not in _NO_CHARSETS


def readable(data: bytes, charset: str) -> tuple[bytes, str]:
    """A text and its charset, in UTF-8 where the charset is no superset of ASCII; else as they are."""
    wide = _bom(data) or (_WIDE.match(charset.strip("\"' ").lower()) and resolve(charset))
    if not wide:
        return data, charset
    if wide.startswith(("utf-16", "utf-32")) and b"\x00" not in data[:4000]:
        return data, "utf-8"  # the label is wrong: every text with a line end has a NUL in these
    return sound(data.decode(wide, "replace")).removeprefix("\ufeff").encode(), "utf-8"


def sound(text: str) -> str:
    """`text` with U+FFFD for halves of characters (lone surrogates), which JSON and some codecs let through."""
    return _SURROGATE.sub("\ufffd", text)


def _bom(data: bytes) -> str:
    """The codec that a byte order mark of UTF-16 or UTF-32 calls for: "" without one."""
    if data.startswith((b"\xff\xfe\x00\x00", b"\x00\x00\xfe\xff")):
        return "utf-32"
    if data.startswith((b"\xff\xfe", b"\xfe\xff")) and b"\x00" in data[:200]:
        return "utf-16"
    return ""


def _strictly(data: bytes, codec: str) -> str | None:
    try:
        return sound(data.decode(codec))
    except ValueError:
        return None


def _mixed(data: bytes) -> str:
    """Text of which some is UTF-8: every run of other bytes is read for itself, as UTF-8 or windows-1252."""
    return _RUN.sub(_one_run, data.decode("latin-1"))


def _one_run(found: re.Match[str]) -> str:
    run = found[0].encode("latin-1")
    text = _strictly(run, "utf-8")
    return text if text is not None else "".join(_WESTERN[byte] for byte in run)


_RUN = re.compile("[\x80-\xff]+")
# windows-1252, with the five bytes it leaves out as Latin-1 has them
_WESTERN = [bytes([byte]).decode("cp1252" if byte not in b"\x81\x8d\x8f\x90\x9d" else "latin-1") for byte in range(256)]


def _is_surely_utf8(name: str, data: bytes) -> bool:
    if name not in _MANY_BYTES:
        return False
    text = _strictly(data, "utf-8")
    return text is not None and sum(1 for letter in text if letter > "\x7f") >= _SURE
