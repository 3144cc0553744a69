"""How undecided lines are shown."""

from __future__ import annotations

from kpatch_tool.diff.undecided import Undecided, undecided_hunk
from kpatch_tool.report.restored import in_runs


def test_lines_that_follow_one_another_are_one_place() -> None:
    told = [Undecided("a/b.c", number, f"* line {number}", "2 readings") for number in (7, 8, 9, 12)]
    told += [Undecided("a/c.c", 13, "goto exit;", "2 readings"), undecided_hunk("a/c.c", 2, 14, 3)]
    told += [Undecided("a/c.c", 15, "x", "2 readings", removed=True)]
    assert in_runs(told) == [
        "a/b.c:+7-9, 3 lines: `* line 7`",
        "a/b.c:+12 `* line 12`: 2 readings",
        "a/c.c:+13 `goto exit;`: 2 readings",
        "a/c.c: hunk 2 (+14): 3 ways to tell its context from its changes",
        "a/c.c:-15 `x`: 2 readings",
    ]
