"""A mailbox in one file -> the mails in it."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator

# git's mailsplit (is_from_line) asks for a time and a year; the field that must follow keeps a commit message that
# quotes such a line in one piece.
_DATED = rb"From [^\n]{0,200}?\d:\d\d(?::\d\d)? [^\n]{0,20}?\d{4}[^\n]{0,40}\n"
_SEPARATOR = re.compile(
    b"^" + _DATED + rb"(?=(?:\xef\xbb\xbf)?(?:[!-9;-~]+[ \t]*:|>?From ))",
    re.MULTILINE,
)
_OF_GIT = rb"From (?=[^\n]{14})[^\n]*\d[^\n]\d\d:\d\d[ \t]*\+?0*(?:9[1-9]|[1-9]\d{2,})[^\n:]*\n"
LOOKS_LIKE_ONE = re.compile(b"^(?=" + _DATED + b"|" + _OF_GIT + b")", re.MULTILINE)  # to kpt, or to git mailsplit
_LITERAL, _STRICT_LITERAL = b"\nFrom ", b"\nFrom mboxrd@z "
_STRICT = re.compile(rb"^From mboxrd@z [^\n]{0,80}\n", re.MULTILINE)  # longer: the whole mail in one line
_QUOTED = re.compile(rb"^>(>*From )", re.MULTILINE)
_BOUNDARY = re.compile(
    rb"^Content-Type:[ \t]*multipart/[^\n]*(?:\n[ \t][^\n]*)*?\bboundary=(?:\"([^\"\n]+)\"|([^\s;]+))",
    re.MULTILINE | re.IGNORECASE,
)
_MMDF = b"\x01\x01\x01\x01\n"  # before and after every mail of such a mailbox
_EMLX = re.compile(rb"(\d{1,9})[ \t]*\n(?=[!-9;-~]+:)")  # Apple's Mail: bytes of the mail, the mail, a property list
_MOST_TRIED = 20
_BLANK = b"\r\n\t \xef\xbb\xbf"  # what may stand before the first mail: line ends, a byte order mark
FILES_DATE = b" Mon Sep 17 00:00:00 2001"  # git format-patch's, in every file's first line
FILES_LINE = rb"From [0-9a-f]{40}" + FILES_DATE  # an expression
REACH = 4096  # bytes that must follow the beginning of a line for `starts` to tell whether it is a separator


def is_mbox(data: bytes) -> bool:
    """Whether `data` begins with an mbox separator."""
    return _SEPARATOR.match(data) is not None or _STRICT.match(data) is not None


def is_strict(data: bytes) -> bool:
    """Whether `data` begins as public-inbox writes an mbox, where only its own separators count."""
    return _STRICT.match(data) is not None


def of_other_kinds(data: bytes) -> list[bytes]:
    """The raw mails of a mailbox as MMDF (and SCO's Unix) has it, or the one of a file of Apple's Mail; none where
    `data` is neither."""
    if data.startswith(_MMDF):
        return [mail for mail in data.split(_MMDF) if mail.strip()]
    found = _EMLX.match(data)
    return [data[found.end() : found.end() + int(found[1])]] if found else []


def starts(data: bytes | bytearray, *, strict: bool, end: int = sys.maxsize) -> Iterator[re.Match[bytes]]:
    """The separator lines in `data` before `end`, in order. A literal is looked for first: that is ten times faster
    than the expressions alone, which would be tried at every line."""
    match = (_STRICT if strict else _SEPARATOR).match
    if found := match(data, 0, end):
        yield found
    literal = _STRICT_LITERAL if strict else _LITERAL
    at = data.find(literal, 0, end)
    while at >= 0:
        if found := match(data, at + 1, end):
            yield found
        at = data.find(literal, at + 1, end)


def split(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """The separator line and the raw mail (without it) of every mail in `data`, which begins with a separator.

    In an mboxrd file (public-inbox's `From mboxrd@z`) one `>` is taken off quoted From lines; elsewhere they stay, as
    `git am` leaves them, since one cannot know who put the `>` there.
    """
    strict = is_strict(data)
    found = list(starts(data, strict=strict))
    for i, start in enumerate(found):
        end = found[i + 1].start() if i + 1 < len(found) else len(data)
        mail = data[start.end() : end]
        yield start[0].rstrip(b"\r\n"), unquoted(mail) if strict and b">From " in mail else mail


def raw_mails(data: bytes) -> Iterator[tuple[bytes, bool]]:
    """The raw mails of a file, which is a mailbox of any kind or a single mail; of each whether its lines `>From ` are
    as they were sent (an mbox may have put the `>` there)."""
    data = data.lstrip(_BLANK)
    if others := of_other_kinds(data):
        yield from ((raw, True) for raw in others)
    elif is_mbox(data):
        strict = is_strict(data)
        yield from ((raw, strict) for _, raw in split(data))
    else:
        yield re.sub(rb"\AFrom [^\n]*\n", b"", data), True


def unquoted(mail: bytes) -> bytes:
    """A raw mail without the `>` that an mbox put before its lines that begin with From."""
    return _QUOTED.sub(rb"\1", mail)


def cut_short(data: bytes) -> bool:
    """Whether the last mail of an mbox ends inside its header, or before the end of its parts (RFC 2046, 5.1.1)."""
    at = len(data)
    for _ in range(_MOST_TRIED):
        at = data.rfind(b"\nFrom ", 0, at)
        start = next(starts(data[at + 1 : at + 1 + REACH], strict=False), None)
        if start is not None or at < 0:
            break
    else:
        return False
    if start is None or start.start():
        return False
    mail = data[at + 1 + start.end() :]
    header, blank, body = mail.partition(b"\r\n\r\n" if b"\r\n\r\n" in mail else b"\n\n")
    boundary = _BOUNDARY.search(header)
    return not blank or (boundary is not None and b"--" + (boundary[1] or boundary[2]) + b"--" not in body)
