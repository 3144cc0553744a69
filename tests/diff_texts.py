"""Random texts and their differences, for the properties of kpatch_tool.diff."""

from __future__ import annotations

from difflib import SequenceMatcher

from hypothesis import strategies as st

from kpatch_tool.diff.model import FileDiff, Hunk, Kind, Line

Lines = list[bytes]

WORDS = st.sampled_from([b"a", b"b", b"c", b"\tif (x) {", b"\t}", b"", b"\x0c\xff", b"return 0;", b"d e"])
LINES: st.SearchStrategy[Lines] = st.lists(WORDS, max_size=30)


@st.composite
def edited(draw: st.DrawFn, lines: Lines) -> Lines:
    """`lines` with one or two runs replaced."""
    out = list(lines)
    for _ in range(draw(st.integers(1, 2))):
        start = draw(st.integers(0, len(out)))
        end = draw(st.integers(start, min(len(out), start + 4)))
        out[start:end] = draw(st.lists(WORDS, max_size=4))
    return out


@st.composite
def pairs(draw: st.DrawFn) -> tuple[Lines, Lines]:
    """A text and what became of it."""
    before = draw(LINES)
    return before, draw(edited(before))


def joined(lines: Lines) -> bytes:
    return b"".join(line + b"\n" for line in lines)


def difference(before: Lines, after: Lines, *, context: int = 3) -> FileDiff:
    """The diff of two texts as `git diff -Ucontext` lays out its hunks."""
    hunks = []
    for group in SequenceMatcher(None, before, after, autojunk=False).get_grouped_opcodes(context):
        lines: list[Line] = []
        for tag, a, b, c, d in group:
            if tag == "equal":
                lines += (Line(Kind.CONTEXT, text) for text in before[a:b])
            else:
                lines += (Line(Kind.REMOVED, text) for text in before[a:b])
                lines += (Line(Kind.ADDED, text) for text in after[c:d])
        old, new = group[0][1], group[0][3]
        old_count, new_count = group[-1][2] - old, group[-1][4] - new
        hunks.append(Hunk(old + bool(old_count), old_count, new + bool(new_count), new_count, b"", tuple(lines)))
    return FileDiff("f", "f", tuple(hunks), old_mode="100644", new_mode="100644", old_blob="1" * 7, new_blob="2" * 7)
