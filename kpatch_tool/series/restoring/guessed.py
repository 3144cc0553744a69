"""Lines that were guessed in one patch and stand in the context of a later one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from kpatch_tool.diff.model import FileDiff, Kind
from kpatch_tool.diff.undecided import Undecided
from kpatch_tool.restore.styled import Restoration
from kpatch_tool.series.model import Exactness, Patch
from kpatch_tool.text import printable_bytes

_AS_BEFORE = "as it was read in an earlier patch"


class Guesses:
    """The lines of each file that patches so far added and that nothing decided."""

    def __init__(self) -> None:
        self._lines: dict[str, frozenset[bytes]] = {}

    def followed(self, patch: Patch, results: Sequence[Restoration]) -> Patch:
        """`patch`, restored with these results, with the lines listed that it has from an earlier patch's guess; its
        own guesses are kept for those after it."""
        if patch.exactness is not Exactness.MATCHED:
            return patch
        inherited = [line for result in results for line in self._inherited(result.file)]
        for result in results:
            if result.file.new_path and (lines := frozenset(_guessed(result))):
                self._lines[result.file.new_path] = self._lines.get(result.file.new_path, frozenset()) | lines
        return replace(patch, ambiguous=(*patch.ambiguous, *inherited)) if inherited else patch

    def _inherited(self, file: FileDiff) -> Iterator[Undecided]:
        known = self._lines.get(file.old_path or "", frozenset())
        if not known:
            return
        for hunk in file.hunks:
            old, new = hunk.old_start, hunk.new_start
            for line in hunk.lines:
                if line.kind is not Kind.ADDED and line.text in known:
                    removed = line.kind is Kind.REMOVED
                    at = old if removed else new
                    yield Undecided(file.path, at, _shown(line.text), _AS_BEFORE, removed=removed)
                old += line.kind is not Kind.ADDED
                new += line.kind is not Kind.REMOVED


def _guessed(result: Restoration) -> Iterator[bytes]:
    """The added lines that a restoration lists as undecided."""
    numbers = {one.line for one in result.ambiguous if not (one.hunk or one.removed)}
    for hunk in result.file.hunks:
        new = hunk.new_start
        for line in hunk.lines:
            if line.kind is Kind.ADDED and new in numbers and line.text.strip():
                yield line.text
            new += line.kind is not Kind.REMOVED


def _shown(text: bytes) -> str:
    return " ".join(printable_bytes(text).split())
