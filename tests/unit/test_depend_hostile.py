"""Nothing a series can hold makes the dependency graph fail or take long."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kpatch_tool.depend import render
from kpatch_tool.depend.graph import dependencies
from kpatch_tool.depend.order import closure
from kpatch_tool.depend.textual import textual_edges
from kpatch_tool.diff.parse import parse_diff
from tests.clock import within
from tests.patch_texts import patch, series

NAMES = st.sampled_from(["f.c", "a/f.h", "Kconfig", "Makefile", "include/linux/f.h", "arch/x86/f.c", "\x1b[1m.c"])
TEXTS = st.sampled_from(
    [
        *(
            "int f(int a)",
            "{",
            "}",
            "};",
            "static int",
            "f(int a,",
            "int b)",
            "#define F(a) (",
            "struct s {",
            "enum e {",
        ),
        *(
            "/*",
            "*/",
            "* x",
            '"',
            "A_CONSTANT,",
            "label:",
            "goto label;",
            "f(",
            ")",
            "x->member_name = 1;",
            "int x, y;",
        ),
        *(
            "config X",
            "select X",
            "obj-y += f.o",
            '#include "f.h"',
            "\tif (f(a))",
            "",
            "\\",
            "SYSCALL_DEFINE1(f, int, a)",
        ),
    ]
)
MESSAGES = st.sampled_from(
    [
        *("needs 1/2", "depends on the previous patch", "This reverts commit 1234567890ab.", "see f()"),
        *("base-commit: 1234567", 'Fixes: 1234567 ("Patch 1")', "Cc: stable@x # 3.1: 1234567: y", "\x1b[31m"),
    ]
)


@st.composite
def diffs(draw: st.DrawFn) -> bytes:
    name = draw(NAMES)
    if name.startswith("\x1b"):
        name = '"a/\\033[1m.c"'
        head = f"--- {name}\n+++ {name}\n"
    else:
        head = f"--- a/{name}\n+++ b/{name}\n"
    lines = draw(st.lists(st.tuples(st.sampled_from(" +-"), TEXTS), min_size=1, max_size=8))
    lines.append(("+", "end"))
    old, new = (sum(kind in kinds for kind, _ in lines) for kinds in (" -", " +"))
    body = "".join(f"{kind}{text}\n" for kind, text in lines)
    start = draw(st.integers(1, 12))
    return f"{head}@@ -{start},{old} +{start},{new} @@ {draw(TEXTS)}\n{body}".encode()


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(diffs(), MESSAGES), max_size=5))
def test_any_series_has_a_graph(made: list[tuple[bytes, str]]) -> None:
    whole = series(*(patch(number, diff, message=message) for number, (diff, message) in enumerate(made, 1)))
    needs = dependencies(whole)
    numbers = [one.number for one in whole.patches]
    assert sorted(needs.order) == numbers
    place = {number: at for at, number in enumerate(needs.order)}
    inside = {number for cycle in needs.cycles for number in cycle}
    for edge in needs.edges:
        assert edge.needs in numbers
        assert edge.needs != edge.patch
        assert edge.why
        assert place[edge.needs] < place[edge.patch] or {edge.patch, edge.needs} <= inside
    for number in numbers:
        assert set(closure(needs.edges, [number])) <= set(numbers)
    for show in render.FORMATS.values():
        shown = show(whole, needs)
        assert "\x1b" not in shown
    assert all(len(line) <= 80 for line in render.text(whole, needs).splitlines())


@pytest.mark.parametrize(
    "line",
    ["/*" * 50_000, '"' * 50_001, "a " * 50_000, "(" * 50_000, "f(a, " * 20_000, "struct " * 20_000, "\\" * 50_000],
)
def test_long_lines_take_no_long_time(line: str) -> None:
    diff = f"--- a/f.c\n+++ b/f.c\n@@ -1 +1 @@ {line}\n-{line}\n+{line}x\n".encode()
    assert parse_diff(diff)
    text = f"{line}\nCc: stable@ {'#' * 50_000}\nneeds {' ' * 50_000}x\nFixes:{' ' * 50_000}\n"
    with within(5):
        dependencies(series(patch(1, diff, message=text), patch(2, diff, message=text)))


def test_directories_take_no_long_time() -> None:
    """Thousands of files go and come, some of them through thousands of directories."""
    gone_id, made_id = "index e69de29..0000000\n", "index 0000000..e69de29\n"
    gone = "".join(f"diff --git a/d/{at} b/d/{at}\ndeleted file mode 100644\n{gone_id}" for at in range(8_000))
    names = ("d", "/".join("e" * 30_000), *(f"new/{at}" for at in range(8_000)))
    made = "".join(f"diff --git a/{name} b/{name}\nnew file mode 100644\n{made_id}" for name in names)
    whole = series(*(patch(number, diff.encode()) for number, diff in enumerate((gone, made), 1)))
    with within(4):
        (edge,) = textual_edges(whole)
    assert edge.why == "d/0: 1/2 deletes it"


def test_a_large_file_made_anew_takes_no_long_time() -> None:
    """Headers that a program writes change in thousands of places at once."""
    hunk = "@@ -{0},3 +{0},3 @@\n a{0}\n-r{0}_{1}\n+r{0}_{2}\n b{0}\n"
    head = "--- a/regs.h\n+++ b/regs.h\n"
    made = [head + "".join(hunk.format(at, step, step + 1) for at in range(1, 60_000, 20)) for step in range(3)]
    whole = series(*(patch(number, diff.encode()) for number, diff in enumerate(made, 1)))
    with within(4):
        assert {(edge.patch, edge.needs) for edge in textual_edges(whole)} == {(2, 1), (3, 2)}
