"""Exchanging two changes of a file."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kpatch_tool.diff.apply import Applied, apply_file
from kpatch_tool.diff.commute import Clash, commute, commutes
from kpatch_tool.diff.model import FileDiff
from tests.diff_texts import LINES, difference, edited, joined

TEXT = [b"line %d" % number for number in range(1, 41)]


def _changed(lines: list[bytes], number: int, *, into: list[bytes], count: int = 1) -> list[bytes]:
    """`lines` with `count` lines from line `number` (from 1) replaced."""
    return [*lines[: number - 1], *into, *lines[number - 1 + count :]]


def _pair(first_at: int, second_at: int) -> tuple[FileDiff, FileDiff]:
    middle = _changed(TEXT, first_at, into=[b"one", b"more"])
    shift = 1 if second_at > first_at else 0
    last = _changed(middle, second_at + shift, into=[b"two"])
    return difference(TEXT, middle), difference(middle, last)


@pytest.mark.parametrize(("first_at", "second_at"), [(5, 20), (20, 5), (5, 9), (9, 5)])
def test_far_enough(first_at: int, second_at: int) -> None:
    first, second = _pair(first_at, second_at)
    swapped = commute(first, second)
    assert not isinstance(swapped, Clash)
    early, late = swapped
    assert early.hunks[0].old_start == second_at - 3 if second_at > 3 else 1
    after = _applied(_applied(joined(TEXT), early), late)
    assert after == _applied(_applied(joined(TEXT), first), second)


@pytest.mark.parametrize(("first_at", "second_at"), [(5, 8), (8, 5), (5, 6)])
def test_context_that_the_other_changes(first_at: int, second_at: int) -> None:
    clash = commute(*_pair(first_at, second_at))
    assert isinstance(clash, Clash)
    assert clash.hunks == (0, 0)
    assert clash.context_only is (abs(first_at - second_at) > 1)


def test_the_same_line() -> None:
    middle = _changed(TEXT, 7, into=[b"one"])
    clash = commute(difference(TEXT, middle), difference(middle, _changed(middle, 7, into=[b"two"])))
    assert isinstance(clash, Clash)
    assert "same lines, line 7 (@@ -4,7 +4,7 @@ and @@ -4,7 +4,7 @@)" in clash.reason


def test_what_a_removal_brought_together() -> None:
    middle = _changed(TEXT, 10, into=[], count=5)
    late = difference(middle, _changed(middle, 12, into=[b"two"]))
    assert not commutes(difference(TEXT, middle), late)


def test_created_deleted_binary() -> None:
    first, second = _pair(5, 20)
    assert not commutes(replace(first, old_path=None), second)
    assert not commutes(first, replace(second, new_path=None))
    assert not commutes(first, replace(second, binary=True))


def test_a_rename_commutes_with_a_change() -> None:
    rename = FileDiff("f", "g", renamed=True, similarity=100)
    change = replace(_pair(5, 20)[0], old_path="g", new_path="g")
    swapped = commute(rename, change)
    assert not isinstance(swapped, Clash)
    assert [(file.old_path, file.new_path) for file in swapped] == [("f", "f"), ("f", "g")]
    back = commute(*swapped)
    assert not isinstance(back, Clash)
    assert [(file.old_path, file.new_path) for file in back] == [("f", "g"), ("g", "g")]


def test_a_mode_change_commutes_with_a_change() -> None:
    change = _pair(5, 20)[0]
    mode = FileDiff("f", "f", old_mode="100644", new_mode="100755")
    swapped = commute(change, mode)
    assert not isinstance(swapped, Clash)
    assert [(file.old_mode, file.new_mode) for file in swapped] == [("100644", "100755"), ("100755", "100755")]
    assert not commutes(mode, replace(mode, old_mode="100755", new_mode="100644"))


def _applied(text: bytes, file: FileDiff) -> bytes:
    done = apply_file(text, file)
    assert isinstance(done, Applied), done
    assert done.post is not None
    assert all(not place.offset for place in done.placements)
    return done.post


def _without_blobs(file: FileDiff) -> FileDiff:
    return replace(file, old_blob=None, new_blob=None)


@settings(max_examples=300, deadline=None)
@given(st.data(), LINES, st.integers(0, 3), st.integers(0, 3))
def test_commuting_changes_nothing(data: st.DataObject, before: list[bytes], one: int, other: int) -> None:
    """The law: the same bytes in either order, and commuting twice gives the diffs back."""
    middle = data.draw(edited(before))
    after = data.draw(edited(middle))
    first, second = difference(before, middle, context=one), difference(middle, after, context=other)
    swapped = commute(first, second)
    if isinstance(swapped, Clash):
        return
    early, late = swapped
    assert _applied(_applied(joined(before), early), late) == joined(after)
    back = commute(early, late)
    assert not isinstance(back, Clash)
    assert tuple(map(_without_blobs, back)) == (_without_blobs(first), _without_blobs(second))
    assert (back[0].old_blob, back[1].new_blob) == (first.old_blob, second.new_blob)
