"""File names in the header lines of a diff: git's quoting, prefixes and dates.

Source of the rules: git's quote.c (C-style quoting) and apply.c (find_name, git_header_name, parse_traditional_patch).
"""

from __future__ import annotations

import re
from collections.abc import Sequence

DEV_NULL = b"/dev/null"

_ESCAPES = {
    0x07: b"a",
    0x08: b"b",
    0x09: b"t",
    0x0A: b"n",
    0x0B: b"v",
    0x0C: b"f",
    0x0D: b"r",
    0x22: b'"',
    0x5C: b"\\",
}
_UNESCAPES = {letter[0]: bytes([value]) for value, letter in _ESCAPES.items()}
_OCTAL = re.compile(rb"[0-3][0-7]{2}")
# From the first blank of a run on, so that a long one is looked at once.
_DATE = re.compile(
    rb"(?<![ \t])[ \t]+(?:\d{4}-\d\d-\d\d[ T]\d\d:\d\d|[A-Z][a-z]{2} [A-Z][a-z]{2} +\d+ \d\d:\d\d:\d\d).*$"
)
# The kernel's top-level directories: no one calls the directory of a whole tree so.
_TOP_LEVEL = frozenset(
    b"arch block certs crypto Documentation drivers fs include init io_uring ipc kernel lib LICENSES mm net rust "
    b"samples scripts security sound tools usr virt".split()
)
_EPOCH = re.compile(rb"\t(1969-12-31|1970-01-01) (\d\d):(\d\d):00(?:\.0+)? ([+-])(\d\d):?(\d\d)$")


class BadName(ValueError):
    """A file name that cannot be used; the text says why."""


def quote(path: bytes) -> bytes:
    """`path` as git writes it with core.quotePath: in double quotes with octal escapes where it needs them."""
    if all(0x20 <= byte < 0x7F and byte not in b'"\\' for byte in path):
        return path
    return b'"' + b"".join(_escape(byte) for byte in path) + b'"'


def _escape(byte: int) -> bytes:
    if byte in _ESCAPES:
        return b"\\" + _ESCAPES[byte]
    return bytes([byte]) if 0x20 <= byte < 0x7F else b"\\%03o" % byte


def unquote(text: bytes) -> tuple[bytes, bytes]:
    """The name in a C-quoted string at the start of `text`, and what follows the closing quote.

    Raises BadName when the string is not closed or an escape is unknown.
    """
    out = bytearray()
    at = 1
    while at < len(text):
        byte = text[at]
        if byte == 0x22:
            return bytes(out), text[at + 1 :]
        if byte != 0x5C:
            out.append(byte)
            at += 1
        elif octal := _OCTAL.match(text, at + 1):
            out.append(int(octal[0], 8))
            at += 4
        elif at + 1 < len(text) and text[at + 1] in _UNESCAPES:
            out += _UNESCAPES[text[at + 1]]
            at += 2
        else:
            raise BadName("unknown escape in a quoted file name")
    raise BadName("quoted file name without its closing quote")


def header_name(rest: bytes) -> bytes | None:
    """The name after `--- ` or `+++ `, prefix included; None for /dev/null."""
    if rest.startswith(b'"'):
        name = unquote(rest)[0]
    else:
        cut = rest.split(b"\t", 1)[0]
        name = cut if cut != rest else without_date(rest)
        name = name.rstrip(b"\r")
    return None if name == DEV_NULL else name


def without_date(name: bytes) -> bytes:
    """A plain header's name without the date that blanks part from it, where a tab did."""
    return _DATE.sub(b"", name)


def is_epoch(rest: bytes) -> bool:
    """Whether a plain header's date is 1970-01-01 00:00 UTC, which is how GNU diff says that there is no file."""
    match = _EPOCH.search(rest.rstrip(b"\r"))
    if match is None:
        return False
    day, hour, minute, sign, zone_hour, zone_minute = match.groups()
    offset = (int(zone_hour) * 60 + int(zone_minute)) * (1 if sign == b"+" else -1)
    local = int(hour) * 60 + int(minute) - (24 * 60 if day == b"1969-12-31" else 0)
    return local == offset


def git_pair(rest: bytes) -> tuple[bytes, bytes] | None:
    """The two names of `diff --git A B`, prefixes included; None when an unquoted line can be cut in no or several
    ways (git then takes the names from the other header lines)."""
    if rest.startswith(b'"'):
        first, after = unquote(rest)
        after = after.lstrip(b" ")
        return first, unquote(after)[0] if after.startswith(b'"') else after
    if rest.endswith(b'"') and b' "' in rest:
        first, after = rest.split(b' "', 1)
        return first, unquote(b'"' + after)[0]
    same = _equal_halves(rest)
    if len(same) == 1:
        return rest[: same[0]], rest[same[0] + 1 :]
    if rest.count(b" ") == 1:
        first, _, second = rest.partition(b" ")
        return first, second
    return None


def _equal_halves(rest: bytes) -> list[int]:
    """The blanks that cut `rest` into two names which are the same without their first components.

    The time grows with the length of `rest`: only halves of one length are compared, and these are few.
    """
    found = []
    first = later = rest.find(b"/")
    at = rest.find(b" ")
    while at >= 0:
        if 0 <= later < at:
            later = rest.find(b"/", at)
        left = first + 1 if 0 <= first < at else 0
        right = (later if later >= 0 else at) + 1
        if at - left == len(rest) - right and rest[left:at] == rest[right:]:
            found.append(at)
        at = rest.find(b" ", at + 1)
    return found


def git_strip(first: bytes, second: bytes, *, moved: bool) -> int:
    """How many components come before the path in the two names of `diff --git`: 1 for a/ and b/ (or i/, w/, c/, o/
    of diff.mnemonicPrefix, or ./), 0 where they were left out (--no-prefix). `moved` says that the names are those of
    the rename or copy lines, which never have a prefix."""
    first_top, first_slash, _ = first.partition(b"/")
    second_top, second_slash, _ = second.partition(b"/")
    if moved or not (first_slash and second_slash):
        return 0
    return 0 if first_top == second_top and first_top not in (b"a", b"b", b".") else 1


def plain_strip(both: Sequence[bytes]) -> int:
    """The same for the names of a plain diff's header lines (one where the other is /dev/null): `--- mm/f.c` is a path
    from the top of a kernel tree (-p0), `--- linux/mm/f.c` and `--- a/mm/f.c` are not."""
    tops = {name.partition(b"/")[0] for name in both}
    if not any(b"/" in name for name in both):
        return 0
    return 0 if len(tops) == 1 and tops <= _TOP_LEVEL else 1


def usable(name: bytes, *, strip: int) -> str:
    """`name` without its first `strip` components, as text (other encodings kept as surrogate escapes).

    Raises BadName for a name that git would refuse: absolute, empty, leading out of the tree, or inside .git.
    """
    parts = [part for part in name.split(b"/") if part] if not name.startswith(b"/") else []
    parts = parts[strip:]
    if not parts:
        raise BadName(f"no usable file name in {show(name)}")
    if any(part in (b".", b"..") or part.lower() == b".git" or b"\0" in part for part in parts):
        raise BadName(f"file name {show(name)} leads out of the tree")
    return b"/".join(parts).decode("utf-8", "surrogateescape")


def show(text: bytes) -> str:
    """`text` for a terminal: control characters and bytes that are no text as escapes."""
    decoded = text.decode("utf-8", "backslashreplace")
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in decoded)
