"""What nothing decided, as it is kept and read again."""

from __future__ import annotations

import pytest

from kpatch_tool.diff.undecided import Undecided, read, undecided_hunk


@pytest.mark.parametrize(
    "one",
    [
        Undecided("a.c", 12, "int b;", "2 readings"),
        Undecided("a b: c.c", 3, "a `quoted`: word", "as it was read in an earlier patch", removed=True),
        Undecided("a.c", 1, "", "a hidden address"),
        undecided_hunk("a.c", 2, 30, 4),
    ],
)
def test_what_is_said_is_read_again(one: Undecided) -> None:
    assert read(str(one)) == one


@pytest.mark.parametrize("said", ["", "a.c", "f:1: x", "a.c:+x `y`: 2 readings", "\x1b[31m: `", "a.c:+1 `x`"])
def test_anything_else_is_kept_as_it_is(said: str) -> None:
    one = read(said)
    assert (one.path, one.line, str(one)) == ("", 0, said)
