"""Reading and writing diffs, with strings."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kpatch_tool.diff.model import DiffError, FileDiff, Hunk, Kind, Line
from kpatch_tool.diff.parse import parse_diff
from kpatch_tool.diff.printer import format_diff, second_reading

PLAIN = b"""\
--- a/f.c
+++ b/f.c
@@ -1,3 +1,3 @@ int f(void)
 one
-two
+TWO
 three
"""

GIT = b"diff --git a/f.c b/f.c\nindex 1234567..89abcde 100644\n" + PLAIN

PIECES = st.sampled_from(
    [line + b"\n" for line in GIT.splitlines()]
    + [
        b"@@ -1 +1 @@\n",
        b"@@ -0,0 +1 @@ x\n",
        b"@@ -1 +0,0 @@\n",
        b"\\ No newline at end of file\n",
        b"--- /dev/null\n",
        b"+++ /dev/null\n",
        b"new file mode 100644\n",
        b"deleted file mode 100644\n",
        b"old mode 100644\n",
        b"new mode 100755\n",
        b"similarity index 80%\n",
        b"rename from f.c\n",
        b"rename to f.c\n",
        b'rename to "g\\001"\n',
        b"copy from g\n",
        b"GIT binary patch\n",
        b"literal 3\n",
        b"Kcmb\n\n",
        b"Binary files a/f.c and b/f.c differ\n",
        b'diff --git "a/\\303" b/x\n',
        b"\n",
        b"-- \n",
    ]
)


def two_blobs(file: FileDiff) -> FileDiff:
    return replace(file, old_mode="100644", new_mode="100644", old_blob="1234567", new_blob="89abcde")


def test_plain_diff() -> None:
    (file,) = parse_diff(PLAIN)
    assert file == FileDiff(
        "f.c",
        "f.c",
        (
            Hunk(
                1,
                3,
                1,
                3,
                b"int f(void)",
                (
                    Line(Kind.CONTEXT, b"one"),
                    Line(Kind.REMOVED, b"two"),
                    Line(Kind.ADDED, b"TWO"),
                    Line(Kind.CONTEXT, b"three"),
                ),
            ),
        ),
    )


def test_git_diff_with_mail_around_it() -> None:
    (file,) = parse_diff(b"Some words\n--- \n f.c | 2 +-\n\n" + GIT + b"-- \n2.39.2\n\nbye\n")
    assert (file.old_blob, file.new_blob) == ("1234567", "89abcde")
    assert (file.old_mode, file.new_mode) == ("100644", "100644")


HEADERS = {
    "mode only": (
        b"diff --git a/x y b/x y\nold mode 100644\nnew mode 100755\n",
        FileDiff("x y", "x y", old_mode="100644", new_mode="100755"),
    ),
    "empty created file": (
        b"diff --git a/e b/e\nnew file mode 100644\nindex 0000000..e69de29\n",
        FileDiff(None, "e", new_mode="100644", old_blob="0000000", new_blob="e69de29"),
    ),
    "deleted": (
        b"diff --git a/e b/e\ndeleted file mode 100755\nindex 1234567..0000000\n--- a/e\n+++ /dev/null\n"
        b"@@ -1 +0,0 @@\n-x\n",
        FileDiff(
            "e",
            None,
            (Hunk(1, 1, 0, 0, b"", (Line(Kind.REMOVED, b"x"),)),),
            old_mode="100755",
            old_blob="1234567",
            new_blob="0000000",
        ),
    ),
    "deleted, without its mode": (
        b"diff --git a/e b/e\nindex 1234567..0000000\n--- a/e\n+++ /dev/null\n@@ -1 +0,0 @@\n-x\n",
        FileDiff(
            "e",
            None,
            (Hunk(1, 1, 0, 0, b"", (Line(Kind.REMOVED, b"x"),)),),
            old_blob="1234567",
            new_blob="0000000",
        ),
    ),
    "rename": (
        b"diff --git a/old name b/new name\nsimilarity index 100%\nrename from old name\nrename to new name\n",
        FileDiff("old name", "new name", similarity=100, renamed=True),
    ),
    "copy of a quoted name": (
        b'diff --git "a/\\303\\244\\t" "b/\\377\\""\nsimilarity index 100%\n'
        b'copy from "\\303\\244\\t"\ncopy to "\\377\\""\n',
        FileDiff("ä\t", '\udcff"', similarity=100, copied=True),
    ),
    "binary without data": (
        b"diff --git a/b b/b\nindex 1234567..89abcde 100644\nBinary files a/b and b/b differ\n",
        two_blobs(FileDiff("b", "b", binary=True, payload=b"Binary files a/b and b/b differ\n")),
    ),
    "name with a blank": (
        b"diff --git a/x y b/x y\nindex 1234567..89abcde 100644\n--- a/x y\t\n+++ b/x y\t\n@@ -0,0 +1 @@\n+z\n",
        two_blobs(FileDiff("x y", "x y", (Hunk(0, 0, 1, 1, b"", (Line(Kind.ADDED, b"z"),)),))),
    ),
    "no newline, on both sides": (
        b"diff --git a/n b/n\nindex 1234567..89abcde 100644\n--- a/n\n+++ b/n\n@@ -1 +1 @@\n"
        b"-x\n\\ No newline at end of file\n+y\n\\ No newline at end of file\n",
        two_blobs(
            FileDiff(
                "n",
                "n",
                (Hunk(1, 1, 1, 1, b"", (Line(Kind.REMOVED, b"x", False), Line(Kind.ADDED, b"y", False))),),
            )
        ),
    ),
}


@pytest.mark.parametrize("name", HEADERS)
def test_header(name: str) -> None:
    text, file = HEADERS[name]
    assert parse_diff(text) == (file,)
    assert format_diff((file,)) == text


def test_made_up_ids_are_no_ids() -> None:
    """git apply takes such a diff."""
    (file,) = parse_diff(GIT.replace(GIT.split(b"index ")[1].split(b"\n")[0], b"0000000..mine 100644"))
    assert (file.old_blob, file.new_blob, file.new_mode) == (None, None, "100644")
    with pytest.raises(DiffError, match="unreadable index line"):
        parse_diff(GIT.replace(b"..", b" "))


def test_bytes_of_every_kind_stay() -> None:
    odd = b"\x00\x0c\x0b\r\xff\xe2\x80\xa8\x85"
    text = PLAIN.replace(b"TWO", odd)
    (file,) = parse_diff(text)
    assert file.hunks[0].lines[2].text == odd
    assert parse_diff(format_diff((file,))) == (file,)
    assert second_reading(text, (file,)) is None


def test_crlf_belongs_to_the_line_but_not_to_the_name() -> None:
    (file,) = parse_diff(GIT.replace(b"\n", b"\r\n"))
    assert file.path == "f.c"
    assert [line.text for line in file.hunks[0].lines] == [b"one\r", b"two\r", b"TWO\r", b"three\r"]
    assert file.hunks[0].section == b"int f(void)"


def test_context_line_without_its_blank() -> None:
    text = b"--- a/f\n+++ b/f\n@@ -1,3 +1,3 @@\n\n-a\n+b\n c\n"
    assert parse_diff(text)[0].hunks[0].lines[0] == Line(Kind.CONTEXT, b"")


PLAIN_NAMES = {
    "dates after a tab": (b"--- a/x\t2014-04-17 09:05:45\n+++ b/x\t2014-04-17 09:05:46 +0200\n", ("x", "x")),
    "dates after blanks": (b"--- a/x 2014-04-17 09:05:45\n+++ b/x 2014-04-17 09:05:46 +0200\n", ("x", "x")),
    "no directory": (b"--- x.c\n+++ x.c\n", ("x.c", "x.c")),
    "the shorter name": (b"--- linux.orig/a/x.c.orig\n+++ linux/a/x.c\n", ("a/x.c", "a/x.c")),
    "the shorter name first": (b"--- linux/a/x.c\n+++ linux/a/x.c.new\n", ("a/x.c", "a/x.c")),
}


@pytest.mark.parametrize("name", PLAIN_NAMES)
def test_plain_names(name: str) -> None:
    header, paths = PLAIN_NAMES[name]
    (file,) = parse_diff(header + PLAIN.split(b"\n", 2)[2])
    assert (file.old_path, file.new_path) == paths


def test_names_that_begin_here() -> None:
    """As `git -c diff.srcPrefix=./ -c diff.dstPrefix=./ diff` writes them."""
    (file,) = parse_diff(GIT.replace(b"a/f.c", b"./mm/f.c").replace(b"b/f.c", b"./mm/f.c"))
    assert (file.old_path, file.new_path) == ("mm/f.c", "mm/f.c")


def test_epoch_means_no_file() -> None:
    created = b"--- a/x\t1970-01-01 01:00:00.000000000 +0100\n+++ b/x\t2014-04-17 09:05:46 +0200\n@@ -0,0 +1 @@\n+a\n"
    (file,) = parse_diff(created)
    assert (file.old_path, file.new_path) == (None, "x")
    assert parse_diff(format_diff((file,))) == (file,)


def test_created_by_a_plain_diff_comes_back() -> None:
    (file,) = parse_diff(b"--- /dev/null\n+++ b/d/x\n@@ -0,0 +1 @@\n+a\n")
    assert (file.old_path, file.new_path, file.new_mode) == (None, "d/x", None)
    assert parse_diff(format_diff((file,))) == (file,)


HUNK = b"@@ -1,3 +1,3 @@ int f(void)\n"
ERRORS = {
    "truncated": (PLAIN.removesuffix(b" three\n"), 7, "the text ends inside a hunk"),
    "cut inside a line": (PLAIN.removesuffix(b"ee\n"), 7, "the text ends inside a hunk"),
    "count too high": (PLAIN.replace(b"-1,3 +1,3", b"-1,4 +1,4") + b"-- \n2.39\n", 9, "wrong count"),
    "count takes in the signature": (PLAIN.replace(b"-1,3", b"-1,4") + b"-- \n2.39\n", 8, "signature"),
    "count too low": (PLAIN.replace(b"-1,3 +1,3", b"-1,2 +1,2"), 7, "more lines than the count"),
    "old count only": (PLAIN.replace(b"-1,3 +1,3", b"-1,2 +1,3"), 7, "wrong count"),
    "prose in a hunk": (PLAIN.replace(b" three", b"three"), 7, "wrong count or truncated hunk"),
    "no changes": (b"--- a/f\n+++ b/f\n@@ -1 +1 @@\n a\n", 3, "changes nothing"),
    "no header": (b"\n" + HUNK + b" one\n", 2, "without a file header"),
    "unreadable @@": (b"diff --git a/f b/f\n--- a/f\n+++ b/f\n@@ -x +1 @@\n", 4, "unreadable @@"),
    "out of the tree": (
        PLAIN.replace(b"a/f.c", b"a/../../f.c").replace(b"b/f.c", b"b/../../f.c"),
        1,
        "out of the tree",
    ),
    "into .git": (PLAIN.replace(b"/f.c", b"/.git/config"), 1, "out of the tree"),
    "absolute": (PLAIN.replace(b" a/f.c", b" /etc/f").replace(b" b/f.c", b" /etc/f"), 1, "no usable file name"),
    "no path": (b"diff --git a/x y z b/x q\nold mode 100644\nnew mode 100755\n", 1, "no file name"),
    "names disagree": (GIT.replace(b"+++ b/f.c", b"+++ b/g.c"), 1, "two names"),
    "headers disagree": (GIT.replace(b"--git a/f.c b/f.c", b"--git a/g.c b/g.c"), 1, "disagree"),
    "combined": (b"diff --cc f.c\nindex 1,2..3\n", 1, "combined diff"),
    "both /dev/null": (b"--- /dev/null\n+++ /dev/null\n" + HUNK, 1, "both names"),
    "created with old lines": (PLAIN.replace(b"a/f.c", b"/dev/null"), 8, "old lines"),
    "bad quoting": (b'diff --git "a/\\q" "b/\\q"\n', 1, "unknown escape"),
    "deleted, but not": (
        GIT.replace(b"index 1234567..89abcde 100644\n", b"deleted file mode 100644\n"),
        1,
        "disagree on whether",
    ),
    **{
        f"no change below {name}": (PLAIN + b"diff --git a/g b/g\n" + header, 8, "without a change")
        for name, header in {
            "diff --git": b"",
            "index": b"index 1234567..89abcde 100644\n",
            "---": b"index 1234567..89abcde 100644\n--- a/g\n",
            "new file mode": b"new file mode 100644\n",
            "index of a new file": b"new file mode 100644\nindex 0000000..89abcde\n",
            "deleted file mode": b"deleted file mode 100644\n",
            "rename to": b"similarity index 95%\nrename from g\nrename to g\n",
            "index of a rename": b"similarity index 95%\nrename from g\nrename to g\nindex 1234567..89abcde 100644\n",
            "new mode": b"old mode 100644\nnew mode 100755\nindex 1234567..89abcde\n",
            "a broken index": b"index "
            + b"1" * 40
            + b".."
            + b"2" * 40
            + b"\n100644\nGIT binary patch\nliteral 0\nHcmV?d00001\n",
        }.items()
    },
    "header without hunks": (b"diff --git a/f b/f\n--- a/f\n+++ b/f\n", 1, "without hunks"),
}


@pytest.mark.parametrize("name", ERRORS)
def test_error_says_where_and_what(name: str) -> None:
    text, line, what = ERRORS[name]
    with pytest.raises(DiffError) as caught:
        parse_diff(text)
    assert what in caught.value.what
    assert caught.value.line == line


@pytest.mark.parametrize(
    "tail", [b"-- \n2.39.2\n", b"--\nTo unsubscribe\n", b"-\nTo unsubscribe\n", b"\n-- text\n", b"---\n"]
)
def test_what_follows_a_diff_is_no_diff(tail: bytes) -> None:
    assert len(parse_diff(PLAIN + tail)) == 1


def test_no_diff_at_all() -> None:
    assert parse_diff(b"") == parse_diff(b"Applied, thanks.\n--- a/b\n") == ()


def test_second_reader_sees_a_difference() -> None:
    (file,) = parse_diff(GIT)
    assert second_reading(GIT, (file,)) is None
    assert "other lines" in (second_reading(GIT.replace(b"TWO", b"2"), (file,)) or "")
    assert "names" in (second_reading(GIT.replace(b"f.c", b"g.c"), (file,)) or "")
    assert "ranges" in (second_reading(GIT.replace(b"-1,3 +1,3", b"-2,3 +2,3"), (file,)) or "")
    assert "0 files" in (second_reading(b"", (file,)) or "")
    assert "cannot read" in (second_reading(GIT.replace(b" three", b"three"), (file,)) or "")


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=300) | st.lists(PIECES, max_size=20).map(b"".join))
def test_any_bytes_give_a_value_or_an_error(text: bytes) -> None:
    try:
        files = parse_diff(text)
    except DiffError as error:
        assert 1 <= error.line <= text.count(b"\n") + 1
        assert error.what
        return
    assert parse_diff(format_diff(files)) == files
