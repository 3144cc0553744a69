"""The nearest place for a hunk that does not fit, where no line is telling."""

from __future__ import annotations

from kpatch_tool.diff.nearest import nearest_place
from kpatch_tool.diff.parse import parse_diff

HUNK = b"""\
--- a/table
+++ b/table
@@ -27,7 +27,7 @@
 27
 28
 29
-30
+thirty
 31
 32
 33
"""


def test_short_lines_are_sought_where_the_hunk_says() -> None:
    text = b"".join(b"%d\n" % number for number in range(1, 61)).replace(b"\n30\n", b"\nxx\n")
    hunk = parse_diff(HUNK)[0].hunks[0]
    near = nearest_place(text, hunk)
    assert near is not None
    assert near.line == 27
    assert [line for line in near.differs if line[0] != " "] == ["- 30", "+ xx"]


def test_a_place_that_is_not_alike_is_none() -> None:
    hunk = parse_diff(HUNK)[0].hunks[0]
    assert nearest_place(b"a\nb\nc\n" * 30, hunk) is None
    assert nearest_place(b"", hunk) is None
