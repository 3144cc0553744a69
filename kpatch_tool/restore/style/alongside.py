"""What similar and neighbouring lines say of the gaps of an added line: the line it replaces, the columns above it."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import SequenceMatcher

from kpatch_tool.restore.style.gaps import COLUMNS, MAX_WORDS, STARS, TAGS, Chunks, Gap, Options, add

_COLONS = frozenset({b":", b"=", b"-", b"--", b"|", b"=>", b"->", b"RO", b"RW"})


def copied(chunks: Chunks, model: Chunks) -> dict[int, Options]:
    """Gaps of `chunks` that a similar line `model` has too: index -> readings with weights."""
    out: dict[int, Options] = {}
    if max(len(chunks.words), len(model.words)) > MAX_WORDS:
        return out
    matcher = SequenceMatcher(None, chunks.words, model.words, autojunk=False)
    for mine, theirs, size in matcher.get_matching_blocks():
        for offset in range(size):
            a, b = mine + offset, theirs + offset
            if b < len(model.gaps) and a < len(chunks.words) - 1:
                gap = model.gaps[b]
                both = offset + 1 < size
                apart = (model.keys[b] == "backslash") != (chunks.keys[a] == "backslash")
                if (gap != b" " or both) and not apart:
                    entry = out.setdefault(a, {})
                    column = chunks.keys[a] in COLUMNS
                    add(entry, Gap(gap), 1.5 if column else 6.0 if both else 2.0)
                    if gap != b" ":
                        add(entry, Gap(gap, model.columns[b + 1]), 6.0 if column else 3.0)
            if offset == 0 and 0 < b <= len(model.gaps) and a > 0 and model.gaps[b - 1] != b" ":
                entry = out.setdefault(a - 1, {})
                add(entry, Gap(model.gaps[b - 1], model.columns[b]), 4.0)
                add(entry, Gap(model.gaps[b - 1]), 1.0)
    return out


def tabular(chunks: Chunks, lines: Sequence[Chunks], *, plain_only: bool = False) -> dict[int, Options]:
    """Gaps of `chunks` that stand in a column of the nearest lines: index -> readings with weights.

    A gap of a table is one that a neighbour has wide, between words of the same numbers, or before the same mark.
    With `plain_only` gaps of a kind of their own are left out, and the values of #defines tell nothing.
    """
    out: dict[int, Options] = {}
    for distance, line in enumerate(lines[:3]):
        if len(line.words) > MAX_WORDS:
            continue
        same_count = len(line.words) == len(chunks.words)
        for at, gap in enumerate(line.gaps):
            if gap == b" " or line.keys[at].startswith("sentence") or (at == 0 and line.words[0] in STARS):
                continue
            if line.keys[at] == "tag" and chunks.words[0] not in TAGS:
                continue
            mark = line.words[at + 1]
            index = at if at < len(chunks.gaps) else None
            if mark in _COLONS:
                index = next((i for i in range(len(chunks.gaps)) if chunks.words[i + 1] == mark), None)
            if index is None or (plain_only and (chunks.keys[index] or line.keys[at] == "define")):
                continue
            weight = (2.0 if mark in _COLONS else 1.5 if same_count else 0.35) / (1 + distance)
            entry = out.setdefault(index, {})
            add(entry, Gap(gap, line.columns[at + 1]), weight)
            add(entry, Gap(gap), weight * 0.25)
            # Columns of numbers end together.
            if same_count and b"\t" not in gap and len(mark) != len(chunks.words[index + 1]):
                end = line.columns[at + 1] + len(mark) - len(chunks.words[index + 1])
                if end > 0:
                    add(entry, Gap(gap, end), weight * 0.3)
    return out
