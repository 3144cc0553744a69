"""What is read of a file's structure, and taken over from another version of it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from kpatch_tool.restore.style.structure import RecentFiles, Structure, read_structure

FILE = b"""/*
 * What it does.
 */
static int f(int a,
\t     int b)
{
\tif (a)
\t\treturn g(a,
\t\t\t b);
#ifdef CONFIG_X
\treturn 1;
#endif
}
#define twice(a) \\
\tdo { a; } while (0)
""".splitlines()
LINES = st.lists(st.sampled_from([*FILE, b"", b"{", b"}", b"/*", b"*/", b"\tx = y +", b"\tcall(a,", b"#else"]))


@given(LINES, LINES, LINES, LINES)
def test_another_version_of_a_file_changes_nothing(
    above: list[bytes], old: list[bytes], new: list[bytes], below: list[bytes]
) -> None:
    known = read_structure([*above, *old, *below], Structure())
    lines = [*above, *new, *below]
    assert read_structure(lines, known) == read_structure(lines, Structure())


def test_what_stands_as_before_is_not_read_again() -> None:
    recent = RecentFiles()
    known = recent.read("a.c", FILE * 50)
    recent.read("b.c", FILE)
    found = recent.read("a.c", [*FILE * 20, b"int x;", *FILE * 30])
    kept = {id(seen) for seen in known.seen}
    assert sum(id(seen) not in kept for seen in found.seen) < 10


def test_few_files_are_kept() -> None:
    recent = RecentFiles()
    for number in range(100):
        recent.read(f"{number}.c", FILE)
    assert len(recent._kept) < 20
