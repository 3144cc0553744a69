"""A tree made from nothing but a series' own hunks: known lines in their places, the rest blank.

With it a series can be ordered, applied and inspected where no kernel is at hand. It proves nothing about the series:
every line a patch expects is there because the patch expects it.

The lines of the base are found by playing the series forward on files whose lines are all unknown. Where a hunk
expects a line that no earlier patch made, the base must have had it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from kpatch_tool.diff.hostile import unsafe_path
from kpatch_tool.diff.model import FileDiff, Hunk, Kind, Line
from kpatch_tool.errors import InputError
from kpatch_tool.progress import Progress
from kpatch_tool.series.model import Series
from kpatch_tool.tree.adding import add
from kpatch_tool.tree.catalogue import Catalogue
from kpatch_tool.tree.importing import Item, import_items
from kpatch_tool.tree.model import Tree


@dataclass(frozen=True, slots=True)
class Skeleton:
    """The source made from `series`; its `ref` is a fingerprint of the hunks, so a changed series is another tree."""

    series: Series
    kind: ClassVar[str] = "skeleton"

    @property
    def source(self) -> str:
        return self.series.name

    @property
    def ref(self) -> str:
        text = repr([patch.files for patch in self.series.patches]).encode("utf-8", "surrogateescape")
        return hashlib.sha256(text).hexdigest()[:16]

    def fill(self, git_dir: Path, cache: Path, progress: Progress) -> str:
        """See adding.Source."""
        dates = [int(patch.date.timestamp()) for patch in self.series.patches if patch.date is not None]
        when = max(0, min(dates, default=0))
        files = base_files(self.series)
        note = f"Skeleton of series {self.series.name}\n\nOnly the lines its hunks name; every other line is blank.\n"
        items = [Item(path, mode, data, when) for path, (mode, data) in sorted(files.items())]
        # A series that only creates files stands on an empty tree, which still needs something to be a commit of.
        return import_items(git_dir, items or [Item("README", "100644", note.encode(), when)], note, where=self.source)


def skeleton_name(series: str) -> str:
    """The name of the tree that is made on the fly for a series."""
    return f"skeleton-{series}"


def skeleton_tree(catalogue: Catalogue, series: Series) -> Tree:
    """The skeleton tree of `series`, made now unless it is here and still fits the series."""
    source = Skeleton(series)
    name = skeleton_name(series.name)
    known = catalogue.record(name)
    stale = known is not None and (known.kind, known.source) == (source.kind, source.source) and known.ref != source.ref
    return add(catalogue, name, source, force=stale).tree


def base_files(series: Series) -> dict[str, tuple[str, bytes]]:
    """path -> (git's octal mode, content) of the files the series needs, as far as its hunks tell.

    Raises InputError when a patch names an unsafe path.
    """
    base: dict[str, _File] = {}
    now: dict[str, _File] = {}
    for patch in series.patches:
        taken = [(file, _source_of(file, base, now, patch.number)) for file in patch.files]
        for file, _ in taken:
            if file.old_path is not None and not file.copied:
                now[file.old_path] = _GONE
        for file, content in taken:
            after = _File(known=True) if content is None else content.copied() if file.copied else content
            _play(after, file.hunks)
            if file.new_path is not None:
                now[file.new_path] = after
    return {path: (file.mode, file.base_text()) for path, file in base.items()}


class _Slot:
    """One line of a file of the base; `line` is None as long as nobody has named it."""

    __slots__ = ("line",)

    def __init__(self, line: Line | None = None) -> None:
        self.line = line


class _File:
    """A file in two forms: the slots of its base, and its lines now (slots of the base, or lines a patch made)."""

    def __init__(self, mode: str = "100644", *, known: bool = False) -> None:
        self.mode = mode
        self.known = known  # made by the series: it has no base to grow
        self.base: list[_Slot] = []
        self.now: list[_Slot] = []
        self.closed = False  # the last line of the base is known to be the last

    def copied(self) -> _File:
        """The same content, changed apart from here on; what is learnt of the base still goes to the one base."""
        twin = _File(self.mode, known=self.known)
        twin.base, twin.now, twin.closed = self.base, list(self.now), self.closed
        return twin

    def grow(self, count: int) -> None:
        """Give the file at least `count` lines, where its end is not known."""
        while len(self.now) < count and not self.known and not self.closed:
            slot = _Slot()
            self.base.append(slot)
            self.now.append(slot)

    def base_text(self) -> bytes:
        """The base as far as it is known, unknown lines blank."""
        lines = [slot.line or Line(Kind.CONTEXT, b"") for slot in self.base]
        return b"".join(line.text + (b"\n" if line.newline else b"") for line in lines)


_GONE = _File(known=True)


def _source_of(file: FileDiff, base: dict[str, _File], now: dict[str, _File], number: int) -> _File | None:
    """What the diff starts from, taken from the series so far or added to the base; None for a created file."""
    for path in (file.old_path, file.new_path):
        if path is not None and (problem := unsafe_path(path)):
            raise InputError(f"refused: {problem}", where=f"patch {number}: {path!r}")
    if file.old_path is None:
        return None
    known = now.get(file.old_path)
    if known is None:
        known = base[file.old_path] = now[file.old_path] = _File(file.old_mode or "100644")
    # A file the series took away before and wants again: the series does not fit itself, which applying will say.
    return _File(known=True) if known is _GONE else known


def _play(file: _File, hunks: Iterable[Hunk]) -> None:
    """Change `file` by the hunks, learning the lines of the base they name."""
    moved = 0  # lines by which the hunks of this patch so far lie away from where their headers say
    for hunk in hunks:
        start = max(hunk.new_start - 1 if hunk.new_count else hunk.new_start, 0) + moved
        old = hunk.old_lines()
        file.grow(start + len(old))
        at = _fitting(file, old, start)
        moved += at - start
        slots = file.now[at : at + len(old)]
        for slot, line in zip(slots, old, strict=False):
            slot.line = Line(Kind.CONTEXT, line.text, line.newline)
            file.closed = file.closed or not line.newline
        # A hunk without context at its end says that the file ends there (git's apply.c, match_end).
        file.closed = file.closed or (bool(old) and hunk.lines[-1].kind is not Kind.CONTEXT)
        file.now[at : at + len(old)] = list(_after(hunk.lines, slots))


def _after(lines: tuple[Line, ...], slots: list[_Slot]) -> Iterator[_Slot]:
    remaining = iter(slots)
    for line in lines:
        if line.kind is Kind.ADDED:
            yield _Slot(line)
            continue
        slot = next(remaining, None)
        if line.kind is Kind.CONTEXT and slot is not None:
            yield slot


def _fitting(file: _File, old: tuple[Line, ...], start: int) -> int:
    """The place nearest to `start` (from 0) where nothing known contradicts `old`; the file grows if need be."""
    for distance in range(len(file.now) + len(old) + 1):
        for at in (start + distance, start - distance):
            if at >= 0 and _fits(file, old, at):
                file.grow(at + len(old))
                return at
    return start


def _fits(file: _File, old: tuple[Line, ...], at: int) -> bool:
    if (file.known or file.closed) and at + len(old) > len(file.now):
        return False
    return all(
        slot.line is None or (slot.line.text, slot.line.newline) == (line.text, line.newline)
        for slot, line in zip(file.now[at : at + len(old)], old, strict=False)
    )
