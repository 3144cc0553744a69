"""Words that a file has a wide gap between, and what that says of the same words in an added line."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from functools import lru_cache

from kpatch_tool.restore.style import gaps

Pairs = dict[tuple[bytes, bytes], Counter[bytes]]
_WIDE = re.compile(rb"(?<=\S)(?:\t|  )[ \t]*(?=\S)")
_LONGEST_WORD = 80


def wide_pairs(lines: Iterable[bytes]) -> Pairs:
    """The words of a file that have more than one blank between them."""
    out: Pairs = {}
    for line in lines:
        for words, gap in _wide_gaps(line):
            out.setdefault(words, Counter())[gap] += 1
    return out


@lru_cache(maxsize=4096)
def _wide_gaps(line: bytes) -> tuple[tuple[tuple[bytes, bytes], bytes], ...]:
    """The words of a line that have more than one blank between them, and what they have."""
    out: list[tuple[tuple[bytes, bytes], bytes]] = []
    for match in _WIDE.finditer(line):
        left = line[max(0, match.start() - _LONGEST_WORD) : match.start()].split()
        right = line[match.end() : match.end() + _LONGEST_WORD].split()
        out.append(((left[-1], right[0]), match[0]))
    return tuple(out)


def paired(chunks: gaps.Chunks, pairs: Pairs) -> dict[int, gaps.Options]:
    """Gaps between words that the file has a wide gap between: index -> readings with weights."""
    out: dict[int, gaps.Options] = {}
    for index, key in enumerate(chunks.keys):
        found = pairs.get((chunks.words[index], chunks.words[index + 1]))
        if found and not key.startswith("sentence"):
            total = sum(found.values()) + 0.5
            out[index] = {gaps.Gap(gap): 1.5 * count / total for gap, count in found.most_common(3)}
    return out
