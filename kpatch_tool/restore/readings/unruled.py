"""Readings of an added line that no rule gives: any column, any gap as wide as any, a blank at the end.

Typing errors and rare styles are among them. They are tried where the likely readings fail.
"""

from __future__ import annotations

import re

from kpatch_tool.restore.readings.rows import Row
from kpatch_tool.restore.style.cstate import TAB, indent_of, pad, width

UNLIKELY = 11.0  # bits: what a reading costs that no rule gives
_MAX_COLUMN = 90
# What readings that no rule gives cost more than UNLIKELY, by how often they are met (in 25,000 added lines of mails to
# six lists of the kernel): gaps between words that one blank parts as a rule, gaps of a kind of their own, columns.
_RARE_GAPS = (
    *((b"  ", 0.0), (b"\t", 1.5), (b" ", 0.0), (b"\t\t", 3.0), (b"   ", 2.5), (b"    ", 1.5)),
    *((b" " * count, 4.0 + 0.1 * count) for count in range(5, 33)),
    *((b" \t", 6.0), (b"\t ", 6.0), (b"\t\t\t", 5.0)),
)
_WIDE_GAPS = (
    (b"  ", 0.0),
    *((b"\t" * count, 0.3 + 0.5 * count) for count in range(1, 8)),
    *((b" " * count, 2.0 + 0.1 * count) for count in range(1, 33) if count != 2),
    *((b"\t" + b" " * count, 3.0 + 0.2 * count) for count in range(1, 8)),
    *((b"\t\t" + b" " * count, 3.5 + 0.2 * count) for count in range(1, 8)),
    *((b" " + b"\t" * count, 2.0 + 0.5 * count) for count in range(1, 4)),
    *((b" \t" + b" " * count, 3.0 + 0.2 * count) for count in range(1, 5)),
)
# Bits less by kind of gap: these are oftener as no rule gives them.
_OFTEN = {
    **{"trailing": 4.0, "label": 4.0, "instruction": 4.0, "kdoc": 4.0, "operator": 4.0, "quote": 3.5},
    **{"backslash": 3.0, "star": 2.5, "define": 2.5},
}
_BY_BLANKS, _AT_END = 2.5, 3.0
# Indentations by how far off they are: a tab, a few columns, more; by kinds of line (same count).
_OFF = {
    **{"paren": (-1.0, 0.0, 4.0), "plain": (-1.0, 0.5, 3.0)},
    **{"text": (1.0, 2.0, 4.0), "structured": (1.0, 2.0, 4.0)},
}
_OFF_OTHERS = (0.5, 4.0, 5.0)
_NEAR = 10  # columns
_BLANKS = re.compile(rb"[ \t]+")


def readings(row: Row, known: bytes, kind: str, *, blanks: bool) -> dict[bytes, tuple[float, str]]:
    """Such readings of a row of that kind whose likeliest one is `known`, each with its cost in bits and how it
    differs."""
    own = indent_of(known)
    rest = known[len(own) :]
    found: dict[bytes, tuple[float, str]] = {}
    if row.lead:
        # A line that only moved keeps the gaps of the one that was removed.
        moved = sorted(line[len(indent_of(line)) :] for line in row.gone if tuple(line.split()) == row.words)
        for text in dict.fromkeys([rest, *moved]):
            for column in range(1, _MAX_COLUMN):
                off = column - width(own)
                cost = UNLIKELY + _off_by(abs(off), kind)
                found.setdefault(start(pad(column), blanks=blanks) + text, (cost, f"{off} columns"))
                if column >= TAB:
                    other = pad(column) if blanks else b" " * column
                    found.setdefault(other + text, (cost + _BY_BLANKS, f"{off} columns by blanks"))
    wide = {index: key for index, key in enumerate(row.chunks.keys if row.chunks else ()) if key}
    for index, match in enumerate(_BLANKS.finditer(rest)):
        often = _OFTEN.get(wide.get(index, ""), 0.0)
        for gap, cost in _WIDE_GAPS if index in wide else _RARE_GAPS:
            line = own + rest[: match.start()] + gap + rest[match.end() :]
            found.setdefault(line, (UNLIKELY - often + cost, f"gap {gap!r}"))
    for end in (b" ", b"\t"):
        found.setdefault(known + end, (UNLIKELY + _AT_END, "end"))
    found.pop(known, None)
    return found


def start(indent: bytes, *, blanks: bool) -> bytes:
    """An indentation as it can be: YAML has no tabs there (YAML 1.2.2, chapter 6.1)."""
    return b" " * width(indent) if blanks else indent


def _off_by(columns: int, kind: str) -> float:
    """What an indentation that is that many columns off costs in a line of that kind."""
    one_tab, near, far = _OFF.get(kind, _OFF_OTHERS)
    if columns == TAB:
        return one_tab
    return near if columns <= _NEAR else far + columns / 16.0
