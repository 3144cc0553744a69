"""How undecided lines are shown."""

from __future__ import annotations

from kpatch_tool.report.restored import in_runs


def test_lines_that_follow_one_another_are_one_place() -> None:
    told = [f"a/b.c:+{number} `* line {number}`: 2 readings" for number in (7, 8, 9, 12)]
    told += ["a/c.c:+13 `goto exit;`: 2 readings", "a/c.c: hunk 2 (+40): 3 ways to tell its context from its changes"]
    assert in_runs(told) == [
        "a/b.c:+7-9, 3 lines: `* line 7`",
        "a/b.c:+12 `* line 12`: 2 readings",
        "a/c.c:+13 `goto exit;`: 2 readings",
        "a/c.c: hunk 2 (+40): 3 ways to tell its context from its changes",
    ]
