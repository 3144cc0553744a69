"""Diffs, patches and series as a page that squeezed white space gives them, for the tests of restoring."""

from __future__ import annotations

from dataclasses import replace

from kpatch_tool.diff.blob import blob_id
from kpatch_tool.diff.model import FileDiff, Hunk, Kind, Line
from kpatch_tool.diff.parse import parse_diff
from kpatch_tool.diff.printer import format_diff
from kpatch_tool.mail.message import Address, Damage
from kpatch_tool.restore.damaged import parse_damaged, squeeze
from kpatch_tool.restore.styled import Restoration, restore_file
from kpatch_tool.series.model import Exactness, Patch, Series


def changed(base: bytes, new: bytes, context: int = 3) -> FileDiff:
    """The diff from `base` to `new` as one hunk around all that differs, with blob ids."""
    old_lines, new_lines = lines_of(base), lines_of(new)
    head = 0
    while head < min(len(old_lines), len(new_lines)) and old_lines[head] == new_lines[head]:
        head += 1
    tail = 0
    while tail < min(len(old_lines), len(new_lines)) - head and old_lines[-1 - tail] == new_lines[-1 - tail]:
        tail += 1
    start = max(0, head - context)
    after = min(tail, context)
    old_end, new_end = len(old_lines) - tail, len(new_lines) - tail
    lines = [
        *(Line(Kind.CONTEXT, text) for text in old_lines[start:head]),
        *(Line(Kind.REMOVED, text) for text in old_lines[head:old_end]),
        *(Line(Kind.ADDED, text) for text in new_lines[head:new_end]),
        *(Line(Kind.CONTEXT, text) for text in old_lines[old_end : old_end + after]),
    ]
    old_count = old_end + after - start
    new_count = new_end + after - start
    hunk = Hunk(start + 1 if old_count else 0, old_count, start + 1 if new_count else 0, new_count, b"", tuple(lines))
    return FileDiff("a.c", "a.c", (hunk,), "100644", "100644", blob_id(base)[:7], blob_id(new)[:7])


def lines_of(text: bytes) -> list[bytes]:
    return text.split(b"\n")[:-1]


def damaged(file: FileDiff, *, drop_blank: bool = False) -> FileDiff:
    """`file` as read from a page that squeezed it."""
    lines = [squeeze(line) for line in format_diff([file]).split(b"\n")]
    text = b"\n".join(line for line in lines if line or not drop_blank) + b"\n"
    (out,) = parse_damaged(text, blank_lines_dropped=drop_blank)
    return out


def restored(base: bytes, new: bytes, path: str = "a.c", *, exact: bool = True) -> Restoration:
    """What restoring the change from `base` to `new` gives; without `exact` no blob id judges it."""
    sent = replace(changed(base, new), old_path=path, new_path=path)
    if not exact:
        sent = replace(sent, old_blob="1234567", new_blob="7654321")
    result = restore_file(damaged(sent), base)
    assert result.found
    if result.proven:
        assert [hunk.lines for hunk in result.file.hunks] == [hunk.lines for hunk in sent.hunks]
        assert result.post == new
    return result


def patch(number: int, text: bytes, damage: Damage | None = Damage.SQUEEZED) -> Patch:
    """A patch whose mail was squeezed (or left alone)."""
    if damage is Damage.SQUEEZED:
        text = b"\n".join(squeeze(line) for line in text.split(b"\n")[:-1]) + b"\n"
    at = text.index(b"diff --git")
    return Patch(
        number=number,
        subject="subject",
        author=Address("A", "a@b"),
        date=None,
        message="",
        note=text[:at].decode().strip("\n"),
        diff=text[at:],
        files=parse_damaged(text[at:]) if damage else parse_diff(text[at:]),
        trailers=(),
        exactness=Exactness.DAMAGED if damage else Exactness.INTACT,
        why="white space was lost" if damage else "",
        damage=frozenset({damage} if damage else ()),
    )


def series(*patches: Patch) -> Series:
    return Series("s", "s", 1, len(patches), None, patches)
