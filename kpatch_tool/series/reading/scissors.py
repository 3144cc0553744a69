"""Scissors: the line `-- >8 --` that parts a patch from the talk above it (git-am(1), --scissors).

git cuts there only when told to, since commit messages quote logs between scissors, too. kpt cuts where the text around
the line says that a patch begins. What git format-patch begins a file with, pasted below some talk, says the same.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from kpatch_tool.mail.mbox import FILES_LINE

_MARK = re.compile(rb">8|8<|>%|%<")
_BEGINS = re.compile(
    rb">8|8<|>%|%<|^>?(?P<file>" + FILES_LINE + rb")[ \t\r]{0,9}\n(?=(?:From|Subject|Date):)|"
    # The same without its first line: the fields of git's header, in its order.
    rb"(?<=\n\n)(?P<fields>)(?=From: [^\n]{1,300}\nDate: [^\n]{1,100}\nSubject: \[[^\n\]]{0,60}PATCH)",
    re.MULTILINE,
)
_PERFORATED = re.compile(rb"(-)|(>8|8<|>%|%<)|([ \t\r\f\v\n]+)|([^\s])")
_LONGEST = 1000  # bytes of a line that can be a scissors line
# What the kernel prints above an oops on Arm (arch/arm/kernel/traps.c, die()): no scissors of a person.
_OOPS = re.compile(rb"[ \t]*(?:\[[ \d.]{1,20}\][ \t]*)?8<--- cut here ---\s*")
_QUOTED = re.compile(rb"[>|][ \t>|]")
_FIELD = re.compile(rb"\s*(?:From|Subject|Date):[ \t]*\S", re.IGNORECASE)
_TRAILER = re.compile(rb"^[ \t]*[A-Z][A-Za-z-]{2,30}-by: ", re.MULTILINE)
_REPLY = re.compile(rb"^(?:>|On [^\n]{0,200} wrote:)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Cut:
    """Where to cut a text: the patch's own text is `[start:]`; `above` ends what is left out or, where the message
    stands above the line, the message (then `start` is 0)."""

    start: int
    above: int


def is_scissors(line: bytes) -> bool:
    """Whether git takes `line` for scissors (mailinfo.c, is_scissors_line): at least 8 bytes visible, of which the
    perforation is more than a third, and dashes and scissors more than half of that."""
    if len(line) > _LONGEST or not _MARK.search(line):
        return False
    visible = len(line.strip())
    marks = gaps = perforation = 0
    inside = False
    for dash, mark, blank, _ in _PERFORATED.findall(line):
        if blank:
            if inside:
                perforation += len(blank)
                gaps += len(blank)
        elif dash or mark:
            inside = True
            perforation += len(dash or mark)
            marks += len(mark)
        else:
            inside = False
    return bool(marks) and visible >= 8 and visible < perforation * 3 and gaps * 2 < perforation


def cut(body: bytes, found: Sequence[tuple[int, int]], end: int) -> Cut | None:
    """Where the patch in `body` begins; None where its scissors are part of the message.

    `found` are the scissors lines above `end`, where the message ends.
    """
    if not found:
        return None
    first, after = found[-1]
    above, below = body[:first], body[after:end]
    if _FIELD.match(below):
        return Cut(after, first)
    if not below.strip():
        return Cut(after, first) if _REPLY.search(above) else Cut(0, first)
    if len(found) > 1 or (_TRAILER.search(above) and not _TRAILER.search(below)):
        return None  # a log between two such lines
    return Cut(after, first)


def lines(body: bytes) -> Iterator[tuple[int, int]]:
    """The scissors lines of `body` that are not quoted, and git's own, as offsets (first, after the last byte)."""
    end = 0
    for mark in _BEGINS.finditer(body):
        if mark.start() < end:
            continue
        if mark["fields"] is not None and not body[end : mark.start()].strip():
            continue  # they follow scissors, or begin the text
        if mark["file"] or mark["fields"] is not None:
            end = mark.end()
            yield mark.start(), end
            continue
        start = body.rfind(b"\n", 0, mark.start()) + 1
        end = body.find(b"\n", mark.start()) + 1 or len(body)
        line = body[start:end]
        if not _QUOTED.match(line) and is_scissors(line) and (_FIELD.match(body, end) or not _OOPS.fullmatch(line)):
            yield start, end
