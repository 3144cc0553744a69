"""Texts of licences: read as their copies stand, whatever the file is like."""

from __future__ import annotations

import pytest

from kpatch_tool.restore.damaged import squeeze
from kpatch_tool.restore.readings.search import Bound
from kpatch_tool.restore.style import licences
from kpatch_tool.restore.styled import restore_file
from tests.restoring import changed, damaged

BY_BLANKS = b"""\
/*
 *     Redistribution and use in source and binary forms, with or
 *     without modification, are permitted provided that the following
 *     conditions are met:
 *
 *      - Redistributions of source code must retain the above
 *        copyright notice, this list of conditions and the following
 *        disclaimer.
 */
"""
BY_TABS = b"""\
/*
 *      - Redistributions of source code must retain the above
 *\t  copyright notice, this list of conditions and the following
 *\t  disclaimer.
 */
"""
BROKEN_ELSEWHERE = b"""\
/*
 * This program comes without even the implied warranty of FITNESS FOR A
 * PARTICULAR PURPOSE.  See the licence.
 */

/*
 * Nobody waits here. Those who do are woken up. They go on.
 */
"""


@pytest.mark.parametrize("text", [BY_BLANKS, BROKEN_ELSEWHERE])
def test_a_licence_is_read_first_as_most_copies_have_it_and_says_nothing_of_other_comments(text: bytes) -> None:
    new = text + b"int wake(void);\n"
    assert restore_file(damaged(changed(b"", new)), b"", Bound(readings=1)).proven


def test_a_rarer_copy_is_found_soon() -> None:
    new = BY_TABS + b"int wake(void);\n"
    found = restore_file(damaged(changed(b"", new)), b"", Bound(readings=500))
    assert found.proven


def test_a_line_stands_as_below_the_same_line_in_a_copy() -> None:
    text = b"* copyright notice, this list of conditions and the following"
    alone = licences.copies(text, b"")
    assert max(alone, key=lambda line: alone[line]).startswith(b" *        copyright")
    for above, start in (
        (b" *\t- Redistributions", b" *\t  copyright"),
        (b" *      - Redistributions", b" *        copy"),
    ):
        below = licences.copies(text, above + b" of source code must retain the above")
        assert max(below, key=lambda line: below[line]).startswith(start)
        assert sum(below.values()) == pytest.approx(sum(alone.values()))


def test_what_is_known_of_a_line_has_its_words_and_leaves_room_for_other_ways() -> None:
    known = licences._known().lines
    assert len(known) > 500
    for text in known:
        ways = licences.copies(text, b"")
        assert {squeeze(line) for line in ways} == {text}
        assert 0.9 < sum(ways.values()) < 1.0
    assert not licences.copies(b"* What no licence says.", b"")
