"""A mail's text -> message, note, diff; git's own mailinfo is the judge."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from kpatch_tool.mail import headers
from kpatch_tool.mail.read import parse
from kpatch_tool.series.reading.split import diff_end, has_diff, split_body, strip_space
from kpatch_tool.series.reading.subject import title
from tests.clock import within

DIFF = b"diff --git a/f b/f\nindex 1..2 100644\n--- a/f\n+++ b/f\n@@ -1,2 +1,2 @@\n one\n-two\n+three\n"

BODIES = {
    "plain": b"Why.\n\nMore.\n\nSigned-off-by: A <a@b.c>\n---\n f | 2 +-\n\n" + DIFF + b"-- \n2.39.5\n",
    "no separator": b"Why.\n" + DIFF,
    "separator with blanks": b"Why.\n---  \nnote\n---\nmore\n\n" + DIFF,
    "dashes that are no separator": b"Why.\n----\n--- -- -\n---x\n\nMore.\n---\n" + DIFF,
    "in-body": b"From: In Body <in@body.org>\nSubject: other\nDate: Mon, 1 Jan 2018 00:00:00 +0100\n\nWhy.\n---\n"
    + DIFF,
    "in-body, blank lines first": b"\n\nFrom: In Body <in@body.org>\n\n\nWhy.\n---\n" + DIFF,
    "in-body, folded": b"Subject: a very\n long one\nFrom: A B <a@b.c>\n\nWhy.\n---\n" + DIFF,
    "in-body, twice": b"From: A B <a@b.c>\nFrom: C D <c@d.e>\n\nWhy.\n---\n" + DIFF,
    "in-body, late": b"Why.\n\nFrom: A B <a@b.c>\n---\n" + DIFF,
    "in-body, other case": b"from: A B <a@b.c>\n\nWhy.\n---\n" + DIFF,
    "in-body, encoded": b"From: =?utf-8?q?Jos=C3=A9?= <a@b.c>\n\nWhy.\n---\n" + DIFF,
    "in-body patch subject": b"[PATCH] in the body\n\nWhy.\n---\n" + DIFF,
    "in-body, other field": b"Cc: x@y.z\nFrom: A B <a@b.c>\n\nWhy.\n---\n" + DIFF,
    "format-patch in the body": b">From "
    + b"0" * 40
    + b" Mon Sep 17 00:00:00 2001\nFrom: A B <a@b.c>\n\nW.\n---\n"
    + DIFF,
    "index": b"Why.\nIndex: f\n=====\n--- f\n+++ f\n@@ -1 +1 @@\n-a\n+b\n",
    "old diff": b"Why.\n--- a/f\n+++ b/f\n@@ -1 +1 @@\n-a\n+b\n",
    "blank lines": b"\n\nWhy.   \n\n\n\nMore.\t\n\n\n---\n" + DIFF,
    "utf-8": "Ärger.\n---\n".encode() + DIFF,
    "no message": b"---\n" + DIFF,
}
SUBJECTS = [
    "[PATCH] x: y",
    "[PATCH v2 1/3] x: y",
    "Re: [PATCH] Re: x",
    "[a] [b] c [d]",
    ": x",
    "[PATCH] [",
    "=?utf-8?q?=C3=A4?= x",
    "RE: re: a",
    "Red: a",
]
AUTHORS = [
    "A B <a@b.c>",
    '"B, A" <a@b.c>',
    "a@b.c (A B)",
    "a@b.c",
    "A (x) B <a@b.c> (y)",
    '"A \\"x\\" B" <a@b.c>',
    "=?utf-8?q?J=C3=B6?= <a@b.c>",
    "A B  <a@b.c>",
    "x" * 61 + " <a@b.c>",
]


def mailinfo(mail: bytes, where: Path) -> tuple[dict[str, str], str, bytes]:
    done = subprocess.run(["git", "mailinfo", "m", "p"], input=mail, cwd=where, capture_output=True, check=True)
    said = dict(line.split(": ", 1) for line in done.stdout.decode().splitlines() if ": " in line)
    return said, (where / "m").read_text(), (where / "p").read_bytes()


def agrees(mail: bytes, where: Path) -> None:
    said, message, patch = mailinfo(mail, where)
    read = next(parse(mail, "x"))
    split = split_body(read.body, read.charset)
    author = headers.address(split.inbody["from"]) if "from" in split.inbody else read.author
    assert (author.name, author.email) == (said["Author"], said["Email"])
    assert title(split.inbody.get("subject") or read.subject) == said.get("Subject", "")
    assert split.message == strip_space(message)
    assert split.diff
    assert split.diff in patch
    if "date" in split.inbody:
        assert split.inbody["date"] == said["Date"].strip()


@pytest.mark.parametrize("name", BODIES)
def test_like_git_mailinfo(name: str, tmp_path: Path) -> None:
    agrees(b"From: S <s@x.y>\nDate: Tue, 2 Jan 2018 00:00:00 +0000\nSubject: [PATCH] s\n\n" + BODIES[name], tmp_path)


@pytest.mark.parametrize("subject", SUBJECTS)
def test_subjects_like_git_mailinfo(subject: str, tmp_path: Path) -> None:
    mail = f"From: S <s@x.y>\nSubject: {subject}\n\nWhy.\n---\n".encode() + DIFF
    agrees(mail, tmp_path)


@pytest.mark.parametrize("author", AUTHORS)
def test_authors_like_git_mailinfo(author: str, tmp_path: Path) -> None:
    agrees(f"From: {author}\nSubject: x\n\nWhy.\n---\n".encode() + DIFF, tmp_path)


@pytest.mark.parametrize("charset", ["iso-8859-1", "gbk", "iso-2022-jp", "utf-8", "koi8-r"])
def test_charsets_like_git_mailinfo(charset: str, tmp_path: Path) -> None:
    texts = {"gbk": "日子", "iso-2022-jp": "日本", "koi8-r": "да"}
    body = texts.get(charset, "é").encode(charset)
    head = f"From: S <s@x.y>\nSubject: s\nContent-Type: text/plain; charset={charset}\n\n".encode()
    agrees(head + body + b"\n---\n" + DIFF.replace(b"three", b"th\xe9ree"), tmp_path)


def test_the_parts() -> None:
    split = split_body(BODIES["plain"], "")
    assert (split.message, split.note) == ("Why.\n\nMore.\n\nSigned-off-by: A <a@b.c>", " f | 2 +-")
    assert (split.diff, split.line) == (DIFF, 9)
    assert split_body(b"just text\n", "").diff == b""


TAIL = b"-- \n2.39.5\n\n_____\nfooter\n"


@pytest.mark.parametrize(
    "diff",
    [
        DIFF,
        DIFF + DIFF,
        # A removed line `-- ` looks like a signature; only the counts tell.
        b"--- a/f\n+++ b/f\n@@ -1,3 +1,1 @@\n a\n--- \n-2.0\n",
        b"--- a/f\n+++ b/f\n@@ -1 +1 @@\n-a\n+b\n\\ No newline at end of file\n",
        b"--- a/f\n+++ b/f\n@@ -1,2 +1,3 @@\n a\n+b\n\n",
        b"diff --git a/f b/g\nsimilarity index 100%\nrename from f\nrename to g\n",
        b"diff --git a/f b/f\nold mode 100644\nnew mode 100755\n",
        b"diff --git a/f b/f\nindex 1111..2222 100644\nGIT binary patch\nliteral 3\nKcmZQzU\n\nliteral 0\nHcmV?d\n\n",
        b"diff --git a/f b/f\ndeleted file mode 100644\nindex 1111..0000\n--- a/f\n+++ /dev/null\n@@ -1 +0,0 @@\n-a\n",
        b"diff --git a/f b/f\nnew file mode 100644\nindex 0000000..e69de29\n",
        b"diff --git a/f b/f\ndeleted file mode 100644\nindex e69de29..0000000\n",
        b"diff --git a/f b/g\nsimilarity index 100%\ncopy from f\ncopy to g\n",
        b"diff --git a/f b/f\nindex 1111..2222 100644\nBinary files a/f and b/f differ\n",
    ],
)
def test_a_diff_is_seen_with_its_end(diff: bytes) -> None:
    assert has_diff(b"Why.\n---\n" + diff + TAIL)
    assert diff[: diff_end(diff)] == diff
    assert (diff + TAIL)[: diff_end(diff + TAIL)] == diff


@pytest.mark.parametrize(
    "prose",
    [
        b"index 123..456 is what I saw\n+++ nice\n",
        b"index 123..456 100644\n",
        b"+++ nice\n",
        b"--- a/b is gone\n",
        b"rename from here to there\n",
        b"new file mode 100644\n",
        b"Binary files are next\n",
        b"diff -u shows nothing:\n\nold mode 100644\n",
    ],
)
def test_prose_below_a_diff_is_none_of_it(prose: bytes) -> None:
    for text in (DIFF + prose, DIFF + b"\n" + prose + TAIL):
        assert text[: diff_end(text)] == DIFF


@pytest.mark.parametrize("left_out", [b"+four\n", b"-four\n", b"--four;\n", b" \n five\n+six\n", b"+++four;\n"])
def test_changes_that_a_count_leaves_out_are_of_the_diff(left_out: bytes) -> None:
    for text in (DIFF, DIFF + DIFF):
        assert (text + left_out + TAIL)[: diff_end(text + left_out + TAIL)] == text + left_out


@pytest.mark.parametrize(
    "below", [b"-- \n2.39\n", b"-\nTo unsubscribe from this list\n", b"---\n", b"-" * 60 + b"\n" * 2]
)
def test_a_rule_below_a_diff_is_none_of_it(below: bytes) -> None:
    rule = below + b"_" * 40 + b"\nA mailing list\n" if below.startswith(b"----") else below
    assert diff_end(DIFF + rule) == len(DIFF)


@pytest.mark.parametrize("head", [b"diff -ru a/x b/x\n", b"Index: x\n" + b"=" * 60 + b"\n"])
def test_a_header_without_hunks_below_a_diff_is_of_it(head: bytes) -> None:
    text = DIFF + head + b"Binary files a/x and b/x differ\n"
    assert diff_end(text + TAIL) == len(text)


def test_a_cut_hunk_keeps_what_there_is() -> None:
    cut = DIFF.removesuffix(b"+three\n")
    assert (cut + TAIL)[: diff_end(cut + TAIL)] == cut


def test_long_bodies_take_linear_time() -> None:
    for line in (b"-- \n", b"--- \n", b"@@ -1 +1 @@\n", b"From: x\n", b"--- a\n", b"\n", b" ", b"diff -"):
        with within(10):
            split_body(line * 100_000, "")
            split_body(line * 100_000, "", damaged=True)


def test_many_quoted_diffs_above_a_long_diffstat_take_linear_time() -> None:
    quoted = b"".join(b"diff --git a/%d b/%d\n" % (n, n) for n in range(50_000))
    stat = b"".join(b"x%d | 1 +\n" % n for n in range(50_000)) + b"50000 files changed\n"
    with within(10):
        split_body(quoted + b"---\n" + stat + DIFF, "", damaged=True)


def test_dashes_that_lost_their_blanks_do_not_end_the_message() -> None:
    body = b"bio1 bio2\n--- ---\nlock lock\n---\n f | 2 +-\n\n" + DIFF
    assert split_body(body, "", damaged=True).message == "bio1 bio2\n--- ---\nlock lock"
    assert split_body(body, "").message == "bio1 bio2", "git's rule, where no blanks were lost"
    plain = b"why\n" + DIFF.partition(b"\n")[2]
    assert split_body(plain, "", damaged=True).message == split_body(plain, "").message


def test_a_quoted_command_that_lost_its_blanks_does_not_end_the_message() -> None:
    message = "Warning: headers differ:\ndiff -u tools/x.h include/x.h\n\nSigned-off-by: A <a@b.c>"
    body = message.encode() + b"\n---\n f | 2 +-\n\n" + DIFF
    assert split_body(body, "", damaged=True).message == message
    for head in (b"", b"diff -u a/f b/f\n", b"diff -urN a/f b/f\n\n"):
        diff = head + DIFF[DIFF.index(b"--- ") :]
        split = split_body(message.encode() + b"\n" + diff, "", damaged=True)
        assert (split.message, split.diff) == (message, diff)


def test_base_tree_information_below_the_diff_is_kept_in_the_note() -> None:
    ids = "base-commit: " + "a" * 40 + "\nprerequisite-patch-id: " + "b" * 40
    body = b"why\n---\n f | 1 +\n\ndiff --git a/f b/f\n--- a/f\n+++ b/f\n@@ -1 +1,2 @@\n a\n+b\n\n"
    taken = split_body(body + ids.encode() + b"\n-- \n2.39.5\n", "utf-8")
    assert taken.note == f" f | 1 +\n{ids}"
    assert taken.diff.endswith(b"+b\n")


def test_what_b4_says_below_the_diff_is_kept_in_the_note() -> None:
    lines = "base-commit: v6.9-rc1\nchange-id: 20240402-x-74ba:v5\nprerequisite-message-id: <a@b>\nBased-on: <c@d>"
    body = (
        "why\n---\ndiff --git a/f b/f\n--- a/f\n+++ b/f\n@@ -1 +1,2 @@\n a\n+b\n\n---\n" + lines + "\n\nBest regards,\n"
    )
    assert split_body(body.encode(), "utf-8").note == lines


def test_a_file_of_format_patch_below_some_talk() -> None:
    file = b"From " + b"0" * 40 + b" Mon Sep 17 00:00:00 2001\nFrom: A B <a@b.c>\nSubject: [PATCH] x: y\n\nWhy.\n---\n"
    for mark in (b"", b">"):
        parts = split_body(b"How about this?\n\n" + mark + file + DIFF, "utf-8")
        assert (parts.message, parts.note, parts.diff) == ("Why.", "How about this?", DIFF)
        assert parts.inbody == {"from": "A B <a@b.c>", "subject": "[PATCH] x: y"}
    quoted = b"See\n\n" + file.partition(b"\n")[0] + b"\n\nMore.\n---\n" + DIFF
    assert split_body(quoted, "utf-8").message.endswith("More.")


def test_a_diff_that_a_squeezed_message_quotes_is_none() -> None:
    """What xfstests prints is indented in the mail; where the white space is lost it begins like the patch itself."""
    quoted = (
        "--- tests/1.out 2024-01-01\n+++ results/1.out.bad 2024-01-02\n@@ -1,2 +1,3 @@\nOne.\n+Failed.\nTwo.\n...\n"
    )
    message = f"It fails:\n{quoted}\nSigned-off-by: A <a@b.c>"
    parts = split_body(f"{message}\n---\n f | 2 +-\n\n".encode() + DIFF, "utf-8", damaged=True)
    assert (parts.message, parts.note, parts.diff) == (message, " f | 2 +-", DIFF)
    plain = split_body(f"Why.\n{quoted}\n---\nrest\n".encode(), "utf-8", damaged=True)
    assert plain.message == "Why."


def test_a_squeezed_message_may_quote_a_diff_of_git_that_the_diffstat_does_not_name() -> None:
    quoted = "diff --git a/later.c b/later.c\n--- a/later.c\n+++ b/later.c\n@@ -1 +1 @@\n-a\n+b"
    message = f"This is for:\n\n{quoted}\n\nSigned-off-by: A <a@b.c>"
    parts = split_body(f"{message}\n---\n f | 2 +-\n1 file changed\n\n".encode() + DIFF, "utf-8", damaged=True)
    assert (parts.message, parts.diff) == (message, DIFF)
    stat = "later.c | 2 +-\n1 file changed"  # a removed line `--` of the patch itself
    own = split_body(f"Why.\n\n{quoted}\n---\n{stat}\n\n".encode() + DIFF, "utf-8", damaged=True)
    assert own.message == "Why."


@pytest.mark.parametrize("above", ["hello\n\nmore\n\n", "", "hello\n\n-- >8 --\n\n"])
def test_the_header_of_a_file_of_git_format_patch_parts_it_from_the_talk(above: str) -> None:
    header = "From: J <j@x.org>\nDate: Mon, 3 Jun 2019 10:00:00 +0800\nSubject: [PATCH v2 1/3] s: x\n\n"
    split = split_body(f"{above}{header}Why.\n---\n".encode() + DIFF, "utf-8")
    assert split.inbody["subject"] == "[PATCH v2 1/3] s: x"
    assert (split.message, split.note) == ("Why.", above.partition("-- >8")[0].strip())
