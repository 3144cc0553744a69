"""What the gaps of an added line have from those above: of the next line, and the last one of the kind in the patch."""

from __future__ import annotations

import re
from collections.abc import Sequence

from kpatch_tool.restore.style import gaps

# How often a gap is as in the line above where that has one of its kind: single, as wide, or up to the same column
# (counted in 35,000 added lines of mails to six lists of the kernel; less than that, for the rest knows of it as well).
_AS_ABOVE = {
    **{"backslash": 0.85, "define": 0.75, "assign": 0.7, "initialiser": 0.7, "enumerator": 0.7},
    **{"trailing": 0.5, "member": 0.5, "label": 0.85},
}
_OTHERS_AS_ABOVE = 0.5
_SINGLE_AS_ABOVE = 0.4
_TOLD_AS_ABOVE = 0.3
_SAME_COLUMN = 0.85
# Kinds of gap whose last one in the patch tells of the next one further down.
KEPT = frozenset(
    {"define", "field", "initialiser", "enumerator", "trailing", "backslash", "kdoc", "instruction", "quote"}
)
_AS_LAST, _SINGLE_AS_LAST = 0.5, 0.2
_LAST_COLUMN = 0.6  # the share of its column in that; the rest is its width, or the column behind the longest text

_STRUCT = re.compile(rb"\s*(?:typedef\s+)?(?:struct|union)\b[^()=;]*\{$")
# The members of one struct in five have columns, of functions' variables one in a hundred (2,600 structs in Linux 6.1).
_FIRST_MEMBER = ((b"\t", 0.27), (b"\t\t", 0.05), (b" ", 0.05))

Last = tuple[tuple[str, gaps.Gap], ...]  # the last gap of each such kind, with its column where it is wide


def as_above(out: gaps.Options, index: int, chunks: gaps.Chunks, around: gaps.Around, *, told: bool) -> None:
    """Put into the readings of a gap that the line above has one of its kind: they are alike as a rule. `told` says
    that the line which was removed has such a gap, too."""
    key = chunks.keys[index]
    line, at = _above(key, index, around)
    if line is None or at is None or key.startswith("sentence") or key in {"star", "hash"}:
        return
    gap = line.gaps[at]
    share = _AS_ABOVE.get(key, _OTHERS_AS_ABOVE) if gap != b" " else _SINGLE_AS_ABOVE
    share = min(share, _TOLD_AS_ABOVE) if told else share
    weight = sum(out.values()) * share / (1.0 - share)
    if gap == b" ":
        gaps.add(out, gaps.SINGLE, weight)
        return
    blank = gaps.blank_past(line, at, key, chunks.words[: index + 1])
    gaps.add(out, gaps.SINGLE, weight * blank)
    weight *= 1.0 - blank
    gaps.add(out, gaps.Gap(gap, line.columns[at + 1]), weight * _SAME_COLUMN)
    gaps.add(out, gaps.Gap(gap), weight * (1.0 - _SAME_COLUMN))


def _above(key: str, index: int, around: gaps.Around) -> tuple[gaps.Chunks | None, int | None]:
    """The line above and its gap of a kind; the next one up that shows the column where its text is too long for it."""
    for number, line in enumerate(around.above):
        at = gaps.same_gap(line, key, index)
        if at is None or not gaps.runs_past(around.above, number, key, at):
            return line, at
    return None, None


def as_last(out: gaps.Options, key: str, last: Last, edge: int) -> None:
    """Put into the readings of a gap what the last one of its kind was; `edge` is how far the longest text of its run
    of lines reaches (0: it is of no run)."""
    gap = next((gap for kind, gap in last if kind == key), None)
    if gap is None:
        return
    share = _SINGLE_AS_LAST if gap.column < 0 else _AS_LAST
    weight = sum(out.values()) * share / (1.0 - share)
    if gap.column < 0:
        gaps.add(out, gap, weight)
        return
    behind = gaps.Gap(gap.text[:1], beyond=edge) if edge and key not in {"trailing", "backslash"} else None
    gaps.add(out, behind or gaps.Gap(gap.text), weight * (1.0 - _LAST_COLUMN))
    gaps.add(out, gap, weight * _LAST_COLUMN)


def as_first_member(out: gaps.Options, above: Sequence[bytes], edge: int) -> None:
    """Put into the readings of a declaration's gap that it is the first one of a struct, where the lines above say so;
    `edge` is how far the longest text of its run of lines reaches."""
    for line in reversed(above):
        if _STRUCT.match(line):
            break
        if line[:1] not in {b" ", b"\t", b""} or "member" in gaps.split(line).keys:
            return
    else:
        return
    total = sum(out.values())
    for text, share in _FIRST_MEMBER:
        gaps.add(out, gaps.Gap(text, beyond=edge) if edge else gaps.Gap(text), total * share)


def remembered(last: Last, chunks: gaps.Chunks) -> Last:
    """The last gaps below a line."""
    found = {
        key: gaps.SINGLE if gap == b" " else gaps.Gap(gap, column)
        for key, gap, column in zip(chunks.keys, chunks.gaps, chunks.columns[1:], strict=True)
        if key in KEPT
    }
    if all(one in last for one in found.items()):
        return last
    return tuple(sorted({**dict(last), **found}.items()))
