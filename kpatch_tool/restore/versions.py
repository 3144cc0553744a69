"""What other versions of a file, a later kernel's say, have where a patch adds lines.

A patch that was taken is in the file from then on, so that most of its added lines stand there with all their bytes,
also where the blob ids differ since it was taken on another base.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import SequenceMatcher
from functools import lru_cache

from kpatch_tool.diff.model import FileDiff, Kind
from kpatch_tool.restore.damaged import squeeze
from kpatch_tool.restore.elsewhere import telling_texts
from kpatch_tool.restore.hidden import lost

Place = tuple[int, int]  # the number of a hunk, that of a line in it
_MOST_LINES = 5_000  # of a hunk that is looked for: a second's work where every other line is found
_LEAST = 12  # characters that lines one below the other have together, for their place to be sure


def having(file: FileDiff, base: bytes, versions: Sequence[bytes]) -> list[bytes]:
    """Those of `versions` that have a patch: at least half of the added lines that `base` lacks, white space aside, and
    that hide no address."""
    if not versions:
        return []
    new = {text for text in telling_texts(file, Kind.ADDED) if not lost(text)} - _squeezed_lines(base)
    return [version for version in versions if new and len(new & _squeezed_lines(version)) * 2 >= len(new)]


def squeezed_lines(versions: Iterable[bytes]) -> frozenset[bytes]:
    """The lines of all versions, white space squeezed."""
    return frozenset().union(*map(_squeezed_lines, versions))


@lru_cache(maxsize=16)
def _squeezed_lines(content: bytes) -> frozenset[bytes]:
    return frozenset(map(squeeze, content.split(b"\n")))


def told_by(hunks: Sequence[Sequence[bytes]], versions: Iterable[bytes]) -> dict[Place, bytes]:
    """The lines of hunks that versions of their file have in the same order; of several the first that has a line
    counts. `hunks` are the lines of the post-image, white space squeezed."""
    out: dict[Place, bytes] = {}
    for version in versions:
        out = {**_in_order(hunks, version), **out}
    return out


def _in_order(hunks: Sequence[Sequence[bytes]], version: bytes) -> dict[Place, bytes]:
    lines, matcher = _read(version)
    out: dict[Place, bytes] = {}
    for number, hunk in enumerate(hunks):
        if len(hunk) > _MOST_LINES:
            continue
        matcher.set_seq1(hunk)
        for block in matcher.get_matching_blocks():
            if sum(map(len, hunk[block.a : block.a + block.size])) >= _LEAST:
                out.update({(number, block.a + at): lines[block.b + at] for at in range(block.size)})
    return out


@lru_cache(maxsize=8)
def _read(version: bytes) -> tuple[Sequence[bytes], SequenceMatcher[bytes]]:
    """The lines of a version, and what finds squeezed lines in it (of those that are everywhere only such as are next
    to others: difflib's rule, which bounds the time)."""
    lines = [line.rstrip(b"\r") for line in version.split(b"\n")]
    nothing: list[bytes] = []
    return lines, SequenceMatcher(None, nothing, [squeeze(line) for line in lines])
