"""Hunks on the text of a file."""

from __future__ import annotations

import base64
import subprocess
import time
import zlib
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kpatch_tool.diff.apply import Applied, Conflict, Placement, apply_file, is_already
from kpatch_tool.diff.blob import blob_id
from kpatch_tool.diff.model import FileDiff, Hunk, Kind, Line, reversed_diff
from kpatch_tool.diff.parse import parse_diff
from kpatch_tool.diff.printer import format_diff
from tests.clock import within
from tests.diff_texts import LINES, WORDS, difference, joined, pairs

TEXT = [b"line %d" % number for number in range(1, 41)]
CHANGED = [*TEXT[:19], b"changed", *TEXT[20:]]
CHANGE = difference(TEXT, CHANGED)


def _applied(pre: bytes | None, file: FileDiff, fuzz: int = 2) -> Applied:
    done = apply_file(pre, file, fuzz=fuzz)
    assert isinstance(done, Applied), done
    return done


def _refused(pre: bytes | None, file: FileDiff, fuzz: int = 2) -> Conflict:
    refused = apply_file(pre, file, fuzz=fuzz)
    assert isinstance(refused, Conflict)
    return refused


def test_where_the_header_says() -> None:
    assert _applied(joined(TEXT), CHANGE) == Applied(joined(CHANGED), (Placement(0, 17, 0, 0),))


def test_below_and_above() -> None:
    down = [b"new"] * 4 + TEXT
    assert _applied(joined(down), CHANGE).placements == (Placement(0, 21, 4, 0),)
    assert _applied(joined(TEXT[3:]), CHANGE).placements == (Placement(0, 14, -3, 0),)


def test_without_context_where_the_header_says() -> None:
    """`git diff -U0`: git applies it with --unidiff-zero."""
    changed = [*TEXT[:9], b"changed", *TEXT[10:29], b"more", *TEXT[29:]]
    file = FileDiff(
        "f",
        "f",
        (
            Hunk(10, 1, 10, 1, b"", (Line(Kind.REMOVED, TEXT[9]), Line(Kind.ADDED, b"changed"))),
            Hunk(29, 0, 30, 1, b"", (Line(Kind.ADDED, b"more"),)),
        ),
        old_blob=blob_id(joined(TEXT)),
    )
    done = Applied(joined(changed), (Placement(0, 10, 0, 0), Placement(1, 30, 0, 0)))
    assert _applied(joined(TEXT), file, fuzz=0) == done
    other = joined([*TEXT[:39], b"other"])
    assert _refused(other, file, fuzz=0).hunk == 1  # nothing shows that the new line belongs there
    assert [place.fuzz for place in _applied(other, file).placements] == [0, 1]
    assert _refused(joined([b"new", *TEXT]), file, fuzz=0).hunk == 0
    assert is_already(joined(changed), FileDiff("f", "f", file.hunks[:1]))
    gone = FileDiff("f", "f", (Hunk(10, 1, 9, 0, b"", (Line(Kind.REMOVED, TEXT[9]),)),))
    assert not is_already(joined(TEXT), gone)
    assert not is_already(joined([*TEXT[:9], *TEXT[10:]]), gone)  # what would tell is the line that is not there


def test_without_context_in_a_file_whose_last_line_has_no_newline() -> None:
    pre = joined(TEXT)[:-1]
    for place in (1, len(TEXT) - 1):  # lines that stand before the new one
        file = FileDiff(
            "f", "f", (Hunk(place, 0, place + 1, 1, b"", (Line(Kind.ADDED, b"new"),)),), old_blob=blob_id(pre)
        )
        assert _applied(pre, file, fuzz=0).post == joined([*TEXT[:place], b"new", *TEXT[place:]])[:-1]
    behind = FileDiff(
        "f", "f", (Hunk(len(TEXT), 0, len(TEXT) + 1, 1, b"", (Line(Kind.ADDED, b"new"),)),), old_blob=blob_id(pre)
    )
    assert _refused(pre, behind, fuzz=0).hunk == 0


def test_without_context_at_the_first_line_it_is_the_whole_file() -> None:
    file = FileDiff("f", "f", (Hunk(1, 1, 0, 0, b"", (Line(Kind.REMOVED, b"a"),)),), old_blob=blob_id(joined([b"a"])))
    assert _applied(joined([b"a"]), file, fuzz=0).post == b""
    assert _refused(joined([b"a", b"a"]), file, fuzz=0).hunk == 0


def test_the_nearest_of_two_and_below_on_a_tie() -> None:
    block = TEXT[16:23]
    filler = [b"x"] * 4
    # Copies end 4 lines above and start 4 lines below the wanted line 17.
    text = [b"y"] * 5 + block + filler + [b"z"] * 4 + filler[:0] + [b"y"] * 7 + block
    starts = [at for at in range(len(text)) if text[at : at + 7] == block]
    assert starts == [5, 27]
    assert _applied(joined(text), CHANGE).placements == (Placement(0, 28, 11, 0),)
    assert _applied(joined([b"y", *text]), CHANGE).placements == (Placement(0, 7, -10, 0),)


def test_a_later_hunk_does_not_touch_lines_of_an_earlier_one() -> None:
    hunk = Hunk(1, 1, 1, 2, b"", (Line(Kind.CONTEXT, b"a"), Line(Kind.ADDED, b"b")))
    again = Hunk(1, 1, 2, 2, b"", hunk.lines)
    file = FileDiff("f", "f", (hunk, again))
    assert _refused(b"a\n", file).hunk == 1


def test_hunks_that_fit_everywhere_and_want_one_place_take_no_long_time() -> None:
    """Each goes to the nearest place that is free; to look at all places for each took minutes."""
    lines = (Line(Kind.CONTEXT, b"x"), Line(Kind.REMOVED, b"x"), Line(Kind.ADDED, b"y"), Line(Kind.CONTEXT, b"x"))
    hunks = tuple(Hunk(15_000 + at, 3, 15_000 + at, 3, b"", lines) for at in range(300))
    with within(3):
        done = _applied(b"x\n" * 20_000, FileDiff("a", "a", hunks))
    assert done.post is not None
    assert done.post.count(b"y\n") == 300
    assert done.placements[0].offset == 0
    assert max(abs(placement.offset) for placement in done.placements) < 600


def test_fuzz_leaves_out_context_at_the_ends_and_says_so() -> None:
    other = [*TEXT[:16], b"another", *TEXT[17:]]
    assert _refused(joined(other), CHANGE, fuzz=0).hunk == 0
    done = _applied(joined(other), CHANGE)
    assert done.placements == (Placement(0, 17, 0, 1),)
    assert done.post == joined([*other[:19], b"changed", *other[20:]])
    other[17] = b"yet another"
    assert _applied(joined(other), CHANGE).placements == (Placement(0, 17, 0, 2),)
    other[18] = b"too much"
    assert isinstance(apply_file(joined(other), CHANGE), Conflict)


def test_with_fuzz_hunks_keep_their_order() -> None:
    """The only place for the second hunk with fuzz is above the first one's."""
    before = [b"top 1", b"top 2", *TEXT]
    changed = [*before[:9], b"nine", *before[10:29], b"twenty-nine", *before[30:]]
    two = difference(before, changed)
    there = [*TEXT[:20], b"gone", *TEXT[36:]]
    swapped = joined([b"other", *before[27:33], *there])
    moved = FileDiff("f", "f", (two.hunks[0], two.hunks[1]))
    assert _refused(swapped, moved).hunk == 1


def test_fuzz_never_leaves_braces_alone() -> None:
    lines = (
        Line(Kind.CONTEXT, b"wanted"),
        Line(Kind.CONTEXT, b"\t}"),
        Line(Kind.ADDED, b"x"),
        Line(Kind.CONTEXT, b"}"),
    )
    file = FileDiff("f", "f", (Hunk(7, 3, 7, 4, b"", lines),))
    assert isinstance(apply_file(b"a\n\t}\n}\nb\n", file), Conflict)


def test_tied_to_the_start_and_the_end() -> None:
    top = difference(TEXT, [b"new", *TEXT])
    assert _refused(joined([b"license", *TEXT]), top, fuzz=0).hunk == 0
    assert _applied(joined([b"license", *TEXT]), top).placements == (Placement(0, 2, 1, 1),)
    end = difference(TEXT, [*TEXT, b"new"])
    assert _refused(joined([*TEXT, b"more"]), end, fuzz=0).hunk == 0
    assert _applied(joined([*TEXT, b"more"]), end).placements == (Placement(0, 38, 0, 1),)


def test_without_context_the_line_number_alone_decides() -> None:
    file = difference(TEXT, [*TEXT[:9], b"new", *TEXT[9:]], context=0)
    assert _refused(joined(TEXT), file, fuzz=0).hunk == 0
    assert _applied(joined(TEXT), file).placements == (Placement(0, 10, 0, 1),)


def test_white_space_counts() -> None:
    conflict = _refused(joined(TEXT).replace(b"line 18", b"line  18").replace(b"line 19", b" line 19"), CHANGE)
    assert conflict.near is not None
    assert conflict.near.white_space_only
    assert conflict.near.line == 17


def test_missing_newline_must_match() -> None:
    (file,) = parse_diff(b"--- a/f\n+++ b/f\n@@ -1,2 +1,2 @@\n a\n-b\n\\ No newline at end of file\n+c\n")
    assert _applied(b"a\nb", file).post == b"a\nc\n"
    assert isinstance(apply_file(b"a\nb\n", file), Conflict)
    assert isinstance(apply_file(b"a\nbc", file), Conflict)


def test_a_line_without_newline_never_lands_inside() -> None:
    (file,) = parse_diff(b"--- a/f\n+++ b/f\n@@ -2,2 +2,2 @@\n ab\n-b\n+c\n\\ No newline at end of file\n")
    assert isinstance(apply_file(b"x\nab\nb\nmore\n", file), Conflict)


def test_create_and_delete() -> None:
    create = difference([], [b"a", b"b"])
    create = FileDiff(None, "f", create.hunks, new_mode="100644")
    assert _applied(None, create).post == b"a\nb\n"
    assert "exists already" in _refused(b"", create).reason
    delete = FileDiff("f", None, difference([b"a", b"b"], []).hunks, old_mode="100644")
    assert _applied(b"a\nb\n", delete).post is None
    assert isinstance(apply_file(b"a\nb\nc\n", delete), Conflict)
    assert _refused(None, delete).reason == "there is no such file"
    assert is_already(b"a\nb\n", create)
    assert not is_already(None, create)
    assert is_already(None, delete)


def test_already_there() -> None:
    assert is_already(joined(CHANGED), CHANGE)
    assert not is_already(joined(TEXT), CHANGE)
    assert "there already, at line 17" in _refused(joined(CHANGED), CHANGE).reason
    assert not is_already(b"", FileDiff("f", "f", old_mode="100644", new_mode="100755"))


def test_conflict_shows_the_nearest_place() -> None:
    far = [b"pad %d" % number for number in range(500)]
    text = joined([*far, *TEXT[:18], b"line nineteen", b"line twenty", *TEXT[20:]])
    conflict = _refused(text, CHANGE)
    assert conflict.header == "@@ -17,7 +17,7 @@"
    assert conflict.near is not None
    assert conflict.near.line == 517
    assert conflict.near.differs == (
        "  line 17",
        "  line 18",
        "- line 19",
        "- line 20",
        "+ line nineteen",
        "+ line twenty",
        "  line 21",
        "  line 22",
        "  line 23",
    )


def test_conflict_neutralises_escapes() -> None:
    conflict = _refused(joined(TEXT).replace(b"line 20", b"\x1b[31mred"), CHANGE)
    assert conflict.near is not None
    assert "+ \\x1b[31mred" in conflict.near.differs


def test_nothing_alike() -> None:
    conflict = _refused(b"quite\nother\n", CHANGE)
    assert conflict.near is None
    assert "no place" in conflict.reason


@settings(max_examples=300, deadline=None)
@given(pairs(), st.integers(1, 3))
def test_a_diff_makes_the_text_it_was_made_of(texts: tuple[list[bytes], list[bytes]], context: int) -> None:
    before, after = texts
    file = difference(before, after, context=context)
    done = _applied(joined(before), file, fuzz=0)
    assert done.post == joined(after)
    assert all(not place.offset for place in done.placements)
    assert not file.hunks or is_already(joined(after), file)
    assert not file.hunks or parse_diff(format_diff((file,))) == (file,)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(pairs(), st.lists(WORDS, max_size=4), LINES)
def test_as_git_apply_does(
    tmp_path: Path, texts: tuple[list[bytes], list[bytes]], above: list[bytes], other: list[bytes]
) -> None:
    """Without fuzz, git and kpt take and refuse the same, and the same text comes out."""
    before, after = texts
    file = difference(before, after)
    if not file.hunks:
        return
    half = len(before) // 2
    for text in (joined(above + before), joined(before[:half] + other + before[half:]), joined(before[1:])):
        done = apply_file(text, file, fuzz=0)
        assert (done.post if isinstance(done, Applied) else None) == _git_apply(tmp_path, text, file)


def _git_apply(directory: Path, text: bytes, file: FileDiff) -> bytes | None:
    (directory / "f").write_bytes(text)
    ran = subprocess.run(
        ["git", "apply", "--whitespace=nowarn", "-"],
        cwd=directory,
        input=format_diff((file,)),
        capture_output=True,
        check=False,
        env={"PATH": "/usr/bin:/bin", "HOME": str(directory), "GIT_CEILING_DIRECTORIES": str(directory.parent)},
    )
    return (directory / "f").read_bytes() if ran.returncode == 0 else None


def _from_git(directory: Path, *args: str) -> bytes:
    env = {"PATH": "/usr/bin:/bin", "HOME": str(directory), "GIT_CONFIG_NOSYSTEM": "1"}
    return subprocess.run(["git", *args], cwd=directory, capture_output=True, check=True, env=env).stdout


@pytest.mark.parametrize("change", [b"", b"x" * 700, bytes(range(256)) * 40])
def test_binary_as_git_writes_it(tmp_path: Path, change: bytes) -> None:
    start = bytes(range(255, -1, -1)) * 30
    _from_git(tmp_path, "init", "-q")
    (tmp_path / "b").write_bytes(start)
    _from_git(tmp_path, "add", "b")
    after = start[:999] + change + start[1500:]
    (tmp_path / "b").write_bytes(after)
    text = _from_git(tmp_path, "diff", "--binary")
    (file,) = parse_diff(text)
    assert format_diff((file,)) == text
    assert _applied(start, file).post == after
    assert is_already(after, file)
    assert not is_already(start, file)
    with_cr = parse_diff(text.replace(b"\n", b"\r\n"))[0]
    assert _applied(after, reversed_diff((with_cr,))[0]).post == start
    for other in (start[1:], b"another file", b""):
        assert isinstance(apply_file(other, file), Conflict)
        assert not is_already(other, file)
    broken = replace(file, new_blob="1" * 40)
    assert apply_file(start, broken) == Conflict("the binary patch does not make the file that its blob id names")


def _git_number(value: int) -> bytes:
    """A number as a delta has it (git's gitformat-pack(5)): seven bits a byte, the lowest first."""
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes(out) + bytes([value])


def test_a_delta_that_copies_without_end_is_refused() -> None:
    """Some hundred bytes of mail that copy a file of the tree again and again."""
    pre, times = bytes(1 << 20), 1 << 16
    copy = bytes([0x80 | 0x40, 0x10])  # from offset 0, length 0x100000
    delta = zlib.compress(_git_number(len(pre)) + _git_number(len(pre) * times) + copy * times)
    lines = [delta[at : at + 52] for at in range(0, len(delta), 52)]
    block = b"".join(
        bytes([len(line) + 64 if len(line) <= 26 else len(line) + 70]) + base64.b85encode(line, pad=True) + b"\n"
        for line in lines
    )
    size = len(zlib.decompress(delta))
    text = b"diff --git a/b b/b\nindex 1234567..89abcde 100644\nGIT binary patch\ndelta %d\n%s\n" % (size, block)
    (file,) = parse_diff(text)
    start = time.monotonic()
    refused = apply_file(pre, file)
    assert isinstance(refused, Conflict) and "more than 64 MB are none of a kernel's" in refused.reason
    assert time.monotonic() - start < 5
