"""What a reply says first, in one line: without quotations, the lines that introduce them, and greetings."""

from __future__ import annotations

import re

_QUOTED = (">", "|")
_INTRODUCES = re.compile(r"(?:On|At|Am|Le|El|Il|In message|In article)\b|\* |\d{4}[-/.]\d|\d{1,2} \w{3,9} \d{4}")
_WROTE = re.compile(r"(?:wrote|writes|schrieb|écrit|写道)\s?[:：]$", re.IGNORECASE)
_SAYS = re.compile(r"\b(?:wrote|writes|said|schrieb|écrit|escribió|escreveu|ha scritto)\b|写道|[@<]", re.IGNORECASE)
_LONGEST_INTRODUCTION = 3  # lines: "On Thu, 1 Dec 2022 10:49:11 +0000,", then the name
_GREETING = re.compile(
    r"(?:hi|hello|hey|dear|greetings|good (?:morning|afternoon|evening|day)|all|folks)\b[^.!?:;]{0,40}[,!.:]?$",
    re.IGNORECASE,
)
_CUT = re.compile(r"[\[<({]{0,2}\s?(?:\.{2,}|…|snip\w{0,4}|cut|trim\w{0,4})[\s.…]{0,4}[\]>)}]{0,2}$", re.IGNORECASE)


def gist(body: str) -> str:
    """The first line of a reply that is its sender's own; "" where there is none."""
    lines = [line.strip() for line in body.split("\n")]
    introduced: set[int] = set()
    for place, line in enumerate(lines):
        begins = line.startswith(_QUOTED) and not (place and lines[place - 1].startswith(_QUOTED))
        if begins or _WROTE.search(line):
            introduced.update(_introduction(lines, place if begins else place + 1))
    own = [
        line
        for place, line in enumerate(lines)
        if line and not line.startswith(_QUOTED) and place not in introduced and not _CUT.match(line)
    ]
    return next((line for line in own if not _GREETING.match(line)), own[0] if own else "")


def _introduction(lines: list[str], quotation: int) -> range:
    """The places of the lines before a quotation that say whose it is ("On Monday,", "Jane Doe wrote:")."""
    last = quotation - 1
    while last >= 0 and not lines[last]:
        last -= 1
    if last < 0 or not lines[last].endswith((":", "：")):
        return range(0)
    for first in range(last, max(-1, last - _LONGEST_INTRODUCTION), -1):
        if not lines[first]:
            break
        if _INTRODUCES.match(lines[first]):
            return range(first, last + 1)
    return range(last, last + 1) if _SAYS.search(lines[last]) else range(0)
