"""Binary changes in a damaged mail, whose lines have no white space that could be lost.

The form is git's (apply.c, parse_binary_hunk): `literal N` or `delta N`, lines of base 85 whose first letter is their
length, an empty line; once for the way there and once for the way back.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from kpatch_tool.restore.likeness import without_entities, without_quoted_printable

START = b"GIT binary patch"
_BLOCK = re.compile(rb"(?:literal|delta) \d{1,9}")
_BASE_85 = re.compile(rb"[A-Za-z][!#-&(-+\-0-9;-Z^-~]{5,65}")
_BLOCKS = 2


def read_payload(lines: Sequence[bytes], at: int) -> tuple[bytes, int]:
    """The binary change whose `GIT binary patch` is `lines[at]`, as git writes it, and the index of the line after it;
    b"" where its data is not there. Empty lines may be missing, or too many."""
    out = [START]
    here = at + 1
    for _ in range(_BLOCKS):
        here = _beyond_blank(lines, here)
        if here >= len(lines) or not _BLOCK.fullmatch(lines[here].strip()):
            break
        block = [lines[here].strip()]
        here += 1
        while here < len(lines) and (_data(lines[here]) or _goes_on(lines, here)):
            block += filter(None, [_data(lines[here])])
            here += 1
        out += [*block, b""]
    return (b"\n".join(out) + b"\n", here) if len(out) > 1 else (b"", here)


def _beyond_blank(lines: Sequence[bytes], at: int) -> int:
    while at < len(lines) and not lines[at].strip():
        at += 1
    return at


def _goes_on(lines: Sequence[bytes], at: int) -> bool:
    """Whether an empty line is here and data below it: a mail program put that in."""
    return not lines[at].strip() and at + 1 < len(lines) and _data(lines[at + 1]) != b""


def _data(line: bytes) -> bytes:
    """A line of base 85, b"" for any other."""
    text = line.strip()
    for one in (text, without_entities(text), without_quoted_printable(text)):
        if _BASE_85.fullmatch(one) and len(one) == 1 + -(-_length(one[0]) // 4) * 5:
            return one
    return b""


def _length(letter: int) -> int:
    """The bytes that a line stands for: A-Z 1-26, a-z 27-52."""
    return letter - 64 if letter <= ord("Z") else letter - 70
