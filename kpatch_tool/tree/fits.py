"""How the hunks of a series stand in the text that a commit has of a file."""

from __future__ import annotations

from enum import StrEnum

from kpatch_tool.diff.apply import Applied, apply_file
from kpatch_tool.diff.model import FileDiff
from kpatch_tool.series.model import Exactness, Patch, Series


class Fits(StrEnum):
    """How the hunks of a file stand in a commit that has another version of it."""

    CLEAN = "clean"  # every hunk at its line
    OFFSET = "offset"  # every hunk, some at another line
    CONFLICT = "conflict"  # some hunk has no place; or the series creates the file and it is there
    MISSING = "missing"  # there is no such file


def fitting(pre: bytes | None, file: FileDiff, damaged: bool) -> Fits:
    """How the hunks of one diff stand in the text `pre` (None: no file)."""
    if pre is None:
        return Fits.MISSING
    if damaged:
        from kpatch_tool.restore.align import BaseText, Misplaced, place_hunks

        placed = place_hunks(file.hunks, BaseText(pre))
        if isinstance(placed, Misplaced):
            return Fits.CONFLICT
        at_home = all(one.start == one.hunk.old_start - (1 if one.hunk.old_count else 0) for one in placed)
        return Fits.CLEAN if at_home else Fits.OFFSET
    done = apply_file(pre, file, fuzz=0)
    if not isinstance(done, Applied):
        return Fits.CONFLICT
    return Fits.OFFSET if any(one.offset for one in done.placements) else Fits.CLEAN


def chain_fits(series: Series, path: str, pre: bytes | None) -> Fits:
    """How all patches of the series that change the file, one after the other, stand in its text `pre`."""
    worst, name, text = Fits.CLEAN, path, pre
    order = (Fits.CLEAN, Fits.OFFSET, Fits.CONFLICT, Fits.MISSING)
    for patch in sorted(series.patches, key=lambda patch: patch.number):
        start = name
        for file in patch.files:
            if file.old_path != (start if file.from_before else name) or text is None:
                continue
            worst = max(worst, fitting(text, file, is_damaged(patch)), key=order.index)
            if worst in (Fits.CONFLICT, Fits.MISSING):
                return worst
            if not file.copied:
                name, text = file.new_path or name, _after(text, file, is_damaged(patch))
    return worst


def is_damaged(patch: Patch) -> bool:
    """Whether its bytes are not restored, so that only its lines say where it belongs."""
    return patch.exactness is Exactness.DAMAGED


def _after(pre: bytes, file: FileDiff, damaged: bool) -> bytes | None:
    if damaged:
        from kpatch_tool.restore.styled import restore_file

        return restore_file(file, pre).post
    done = apply_file(pre, file, fuzz=0)
    return done.post if isinstance(done, Applied) else None
