"""Series made of plain texts, for tests of the dependency graph."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

from kpatch_tool.diff.blob import blob_id
from kpatch_tool.diff.model import FileDiff
from kpatch_tool.diff.parse import parse_diff
from kpatch_tool.diff.printer import format_diff
from kpatch_tool.mail.message import Address
from kpatch_tool.series.model import Cover, Exactness, Patch, Series
from tests.diff_texts import difference, joined

ME = Address("Test Person", "test@example.org")


def patch(
    number: int, diff: bytes | Sequence[FileDiff] = (), *, subject: str = "", message: str = "", note: str = ""
) -> Patch:
    """A patch of a diff, given as text or values."""
    files = parse_diff(diff) if isinstance(diff, bytes) else tuple(diff)
    text = diff if isinstance(diff, bytes) else format_diff(files)
    subject = subject or f"Patch {number}"
    return Patch(number, subject, ME, None, message, note, text, files, (), Exactness.INTACT, "as made by the test")


def series(*patches: Patch, total: int = 0, cover: str | None = None) -> Series:
    """A series of `patches`."""
    letter = Cover("Title", ME, None, cover) if cover is not None else None
    return Series("s", "Title", 1, total or len(patches), letter, patches)


def steps(*states: Mapping[str, str], blobs: bool = False, messages: Mapping[int, str] | None = None) -> Series:
    """A series that leads from the first state (path -> text) through the others; with `blobs` the diffs have ids."""
    made = []
    for number, (before, after) in enumerate(pairwise(states), 1):
        files = [_file(path, before[path], after[path], blobs) for path in before if before[path] != after[path]]
        made.append(patch(number, files, message=(messages or {}).get(number, "")))
    return series(*made)


def _file(path: str, before: str, after: str, blobs: bool) -> FileDiff:
    old, new = before.encode().splitlines(), after.encode().splitlines()
    made = difference(old, new)
    ids = (_blob(old), _blob(new)) if blobs else (None, None)
    return FileDiff(path, path, made.hunks, old_blob=ids[0], new_blob=ids[1])


def _blob(lines: list[bytes]) -> str:
    return blob_id(joined(lines))[:12]
