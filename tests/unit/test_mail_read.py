"""Sources of mail, told by their content."""

from __future__ import annotations

import base64
import gzip
import io
import lzma
from pathlib import Path

import pytest

from kpatch_tool.errors import InputError
from kpatch_tool.mail import mbox
from kpatch_tool.mail.flowed import unflow
from kpatch_tool.mail.message import Damage, Message
from kpatch_tool.mail.mime import unix_lines
from kpatch_tool.mail.read import Received, SourceFile, parse, read_files, read_sources

DIFF = b"""diff --git a/f.c b/f.c
index 1234567..89abcde 100644
--- a/f.c
+++ b/f.c
@@ -1,2 +1,2 @@
 one
-two
+three
"""
MAIL = b"From: Jane Doe <jane@example.org>\nDate: Thu, 17 Apr 2014 09:05:45 +0000\nSubject: [PATCH] f: x\n\nWhy.\n---\n"


def one(data: bytes) -> Message:
    messages = list(parse(data, "x"))
    assert len(messages) == 1
    return messages[0]


def mime(kind: str, *parts: tuple[str, bytes]) -> bytes:
    body = b"".join(b"--=_b\n" + header.encode() + b"\n\n" + data + b"\n" for header, data in parts)
    head = f'From: J <j@x.org>\nSubject: [PATCH] s\nContent-Type: {kind}; boundary="=_b"\n\npreamble\n'
    return head.encode() + body + b"--=_b--\nepilogue\n"


def test_a_single_mail() -> None:
    message = one(MAIL + DIFF)
    assert (message.author.email, message.subject) == ("jane@example.org", "[PATCH] f: x")
    assert message.body == b"Why.\n---\n" + DIFF


@pytest.mark.parametrize("margin", [b"    ", b"  ", b"\t"])
@pytest.mark.parametrize("head", [b"", b"From 1234567890123456789012345678901234567890 Mon Sep 17 00:00:00 2001\n"])
def test_a_mail_of_which_every_line_is_indented_alike(head: bytes, margin: bytes) -> None:
    sent = head + MAIL + DIFF
    message = one(b"".join(margin + line if line.strip() else b"\n" for line in sent.splitlines(keepends=True)))
    assert (message.author.email, message.subject) == ("jane@example.org", "[PATCH] f: x")
    assert message.body == b"Why.\n---\n" + DIFF
    assert message.damage == {Damage.INDENTED}


def test_a_text_that_is_not_indented_throughout_is_refused() -> None:
    lines = [b"    " + line for line in (MAIL + DIFF).splitlines(keepends=True)]
    with pytest.raises(InputError, match="no mail and no patch found"):
        one(b"".join([*lines[:6], b"  at the margin\n", *lines[6:], b"so\n"]))


def test_colours_of_git_go() -> None:
    """`git format-patch --color=always`, or `git diff` with color.ui=always in a file."""
    head, diff = b"From: A <a@b.org>\nSubject: [PATCH] x\n\nwhy\n---\n", DIFF
    coloured = b"".join(b"\x1b[1m" + line + b"\x1b[m\n" for line in diff.splitlines())
    assert one(head + coloured).body == one(head + diff).body


def test_escape_sequences_of_the_author_stay() -> None:
    line = b"+\x1b[1mb\x1b[m\n"
    assert line in one(b"From: A <a@b.org>\nSubject: [PATCH] x\n\n---\n" + DIFF + line).body


def test_format_patch_file_keeps_the_commit_id() -> None:
    id_ = b"5befdc385ddb2d5ae8995ad89004529a3acf58fc"
    assert one(b"From " + id_ + b" Mon Sep 17 00:00:00 2001\n" + MAIL + DIFF).commit == id_.decode()


@pytest.mark.parametrize("junk", [b"", b"\n\n", b"\r\n \n", b"\xef\xbb\xbf"])
def test_mbox_behind_blank_junk(junk: bytes) -> None:
    separator = b"From jane@example.org Thu Apr 17 09:05:45 2014\n"
    data = junk + (separator + MAIL + DIFF + b"\n") * 3
    assert len(list(parse(data, "x"))) == 3


def test_mboxrd_takes_one_quote_off_and_mboxo_none() -> None:
    mail = b"Subject: s\nFrom: a@b\n\n>From here\n>>From there\n"
    strict = b"From mboxrd@z Thu Jan  1 00:00:00 1970\n" + mail
    assert one(strict).body == b"From here\n>From there\n"
    assert one(b"From a@b Thu Jan  1 00:00:00 1970\n" + mail).body == b">From here\n>>From there\n"


def test_a_from_line_in_a_message_does_not_split_it() -> None:
    data = b"From a@b Thu Jan  1 00:00:00 1970\n" + MAIL + b"From x Thu Jan  1 00:00:00 1970\nis what it said\n" + DIFF
    assert len(list(mbox.split(data))) == 1


def test_crlf_of_the_transport_goes() -> None:
    message = one((b"From a@b Thu Jan  1 00:00:00 1970\n" + MAIL + DIFF).replace(b"\n", b"\r\n"))
    assert message.body == b"Why.\n---\n" + DIFF


def test_crlf_of_the_file_stays() -> None:
    text = DIFF.replace(b"two\n", b"two\r\n").replace(b"three\n", b"three\r\n")
    assert unix_lines(text) == text
    assert unix_lines(DIFF.replace(b"\n", b"\r\n")) == DIFF


def test_quoted_printable_and_base64() -> None:
    head = MAIL.partition(b"\n\n")[0]
    quoted = head + b"\nContent-Transfer-Encoding: quoted-printable\n\ncaf=C3=A9 =\ncontinued=3D\n"
    assert one(quoted).body == "café continued=\n".encode()
    encoded = head + b"\nContent-Transfer-Encoding: BASE64\n\n" + base64.encodebytes(DIFF.replace(b"\n", b"\r\n"))
    assert one(encoded).body == DIFF
    assert one(encoded + b"_____\nlist footer\n").body == DIFF + b"_____\nlist footer\n"


def test_a_mail_on_its_way_is_no_page() -> None:
    """In this one a field of the text stands below a line as the name of mail-archive's pages below a subject."""
    text = b"Date: Tue, 30 Jul 2019 10:53:10 +0200\n\nWhy.\n---\n" + DIFF
    fields = "Content-Type: text/plain\nContent-Transfer-Encoding: 8bit"
    data = b"MIME-Version: 1.0\n" + mime("multipart/signed", (fields, text))
    assert one(data).subject == "[PATCH] s"


def test_files_below_one_another_in_one_text() -> None:
    file = b"From %s Mon Sep 17 00:00:00 2001\n" % (b"0" * 40)
    file += b"From: J <j@x.org>\nSubject: [PATCH %d/3] s\n\nWhy.\n---\n"
    mail = b"Message-ID: <1@x.org>\n" + MAIL.replace(b"[PATCH]", b"[PATCH 1/3]") + DIFF + b"-- \n2.43\n\n"
    found = list(parse(mail + b"".join(file % number + DIFF + b"-- \n2.43\n\n" for number in (2, 3)), "x"))
    assert [message.subject for message in found] == ["[PATCH 1/3] f: x", "[PATCH 2/3] s", "[PATCH 3/3] s"]
    assert [message.in_reply_to for message in found] == ["", "1@x.org", "1@x.org"]
    assert all(message.body.count(b"diff --git") == 1 for message in found)
    talk = MAIL.replace(b"Why.\n", file % 2) + DIFF
    assert one(talk).body.count(b"Mon Sep 17") == 1, "above the diff it begins the patch"


def test_an_empty_subject_is_that_of_the_header_in_the_text() -> None:
    header = b"From: J <j@x>\nDate: Mon, 3 Jun 2019 10:00:00 +0800\nSubject: [PATCH v2 1/3] s: a very\n long one\n\n"
    mail = MAIL.replace(b"[PATCH] f: x\n", b"\n").replace(b"Why.\n", b"hello\n\n" + header + b"Why.\n")
    assert one(mail + DIFF).subject == "[PATCH v2 1/3] s: a very long one"
    assert one(mail.replace(b"Subject: \n", b"Subject: mine\n") + DIFF).subject == "mine"


def test_patch_as_attachment() -> None:
    attachment = base64.encodebytes(DIFF)
    header = "Content-Type: application/octet-stream; name=x.patch\nContent-Transfer-Encoding: base64"
    data = mime("multipart/mixed", ("Content-Type: text/plain", b"Hello"), (header, attachment))
    assert one(data).body == b"Hello\n" + DIFF


def test_signatures_and_html_are_left_out() -> None:
    signed = mime(
        "multipart/signed",
        ("Content-Type: text/plain", DIFF),
        ('Content-Type: application/pgp-signature; name="signature.asc"', b"-----BEGIN PGP"),
    )
    assert one(signed).body == DIFF + b"\n"  # the line end before a boundary may be a diff's last blank line
    both = mime("multipart/alternative", ("Content-Type: text/html", b"<p>"), ("Content-Type: text/plain", b"text"))
    assert one(both).body == b"text\n"


def test_what_is_attached_beside_the_html_is_read() -> None:
    """As Apple's Mail does it."""
    html, attached = (
        b"Content-Type: text/html\n\n<p>Why.</p>\n",
        b"Content-Disposition: attachment; filename=x.patch\n\n",
    )
    beside = b"--=_i\n" + html + b"--=_i\n" + attached + DIFF + b"--=_i--\n"
    data = mime(
        "multipart/alternative",
        ("Content-Type: text/plain", b"Why."),
        ('Content-Type: multipart/mixed; boundary="=_i"', beside),
    )
    assert one(data).body == b"Why.\n" + DIFF
    related = beside.replace(attached, b"Content-Type: text/plain\n\n")
    data = mime(
        "multipart/alternative",
        ("Content-Type: text/plain", b"Why."),
        ('Content-Type: multipart/related; boundary="=_i"', related),
    )
    assert one(data).body == b"Why.\n"


def test_a_forgotten_closing_boundary() -> None:
    data = mime("multipart/mixed", ("Content-Type: text/plain", b"text")).partition(b"--=_b--")[0]
    assert one(data).body == b"text\n"


def test_patches_attached_as_whole_mails() -> None:
    header = "Content-Type: text/x-patch\nContent-Disposition: attachment; filename=1.patch"
    data = mime("multipart/mixed", ("Content-Type: text/plain", b"see"), (header, MAIL + DIFF))
    outer, inner = parse(data, "x")
    assert (outer.body, inner.subject, inner.origin) == (b"see\n", "[PATCH] f: x", "x, attachment 1")
    forwarded = mime("multipart/mixed", ("Content-Type: message/rfc822", MAIL + DIFF))
    assert [message.subject for message in parse(forwarded, "x")] == ["[PATCH] s", "[PATCH] f: x"]


def test_flowed() -> None:
    assert unflow(b"a \nb\n  c\n-- \nsig\n", delsp=False) == b"a b\n c\n-- \nsig\n"
    assert unflow(b"a \nb\n", delsp=True) == b"ab\n"
    assert unflow(b"last ", delsp=False) == b"last \n"


def test_a_bare_diff_takes_its_subject_from_its_first_line() -> None:
    message = one(b"Fix the thing\n\nIt was broken.\n\n" + DIFF)
    assert (message.subject, message.body) == ("Fix the thing", b"\nIt was broken.\n\n" + DIFF)
    plain = DIFF[DIFF.index(b"--- ") :]
    for head in (b"", b"diff -ruN old/f new/f\n", b"Index: f\n" + b"=" * 67 + b"\n"):
        found = next(parse(head + (plain if head else DIFF), "dir/fix-it.patch"))
        assert (found.subject, found.body) == ("fix-it", head + (plain if head else DIFF))


def test_compressed() -> None:
    for data in (gzip.compress(MAIL), lzma.compress(MAIL), gzip.compress(MAIL[:20]) + gzip.compress(MAIL[20:])):
        received = read_files([SourceFile("m", data)], where="m")
        assert received.messages[0].subject == "[PATCH] f: x"
        assert received.files[0].data == data
    for data in (gzip.compress(MAIL)[:-9], lzma.compress(MAIL)[:-9], b"\x1f\x8bjunk", b"\xfd7zXZ\x00junk"):
        with pytest.raises(InputError, match="compressed file"):
            read_files([SourceFile("m", data)], where="m")


def test_standard_input() -> None:
    received = read_sources(["-"], io.BytesIO(MAIL))
    assert (received.files[0].path, len(received.messages)) == ("stdin", 1)


def test_directory_of_patches_in_order_of_name(tmp_path: Path) -> None:
    for name in ("0002-b.patch", "0001-a.patch", "notes.txt", "0003-c.eml"):
        (tmp_path / name).write_bytes(MAIL + DIFF)
    received = read_sources([str(tmp_path)])
    assert [file.path for file in received.files] == ["0001-a.patch", "0002-b.patch", "0003-c.eml"]


def test_quilt_series_gives_the_order(tmp_path: Path) -> None:
    (tmp_path / "series").write_text("# comment\nz.patch -p1\n\na.patch # why\n")
    for name in ("a.patch", "z.patch", "unlisted.patch"):
        (tmp_path / name).write_bytes(b"Subject: " + name.encode() + b"\n\n" + DIFF)
    received = read_sources([str(tmp_path)])
    assert [message.subject for message in received.messages] == ["z.patch", "a.patch"]
    assert received.patch_files
    for bad in ("../x.patch", "/etc/passwd", "missing.patch"):
        (tmp_path / "series").write_text(bad)
        with pytest.raises(InputError, match="series file"):
            read_sources([str(tmp_path)])


def test_maildir(tmp_path: Path) -> None:
    for box in ("cur", "new", "tmp"):
        (tmp_path / box).mkdir()
    (tmp_path / "cur" / "2.host:2,S").write_bytes(MAIL + DIFF)
    (tmp_path / "new" / "1.host").write_bytes(MAIL)
    received = read_sources([str(tmp_path)])
    assert [file.path for file in received.files] == ["new/1.host", "cur/2.host:2,S"]


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"", "empty"),
        (b" \n\n", "empty"),
        (b"hello world\n", "no mail and no patch"),
        (bytes(range(256)) * 20, "no mail and no patch"),
        (b"diff --cc f\n--- a/f\n+++ b/f\n@@@ -1,1 -1,1 +1,1 @@@\n--a\n++b\n", "a combined diff"),
        (b"*** a/f\n--- b/f\n***************\n*** 1 ****\n! a\n--- 1 ----\n! b\n", "a context diff"),
        (b"1c1\n< a\n---\n> b\n", "without names"),
        (b"# v2 git bundle\n", "a git bundle"),
        (b"x" * 500 + b" diff --git a/f b/f --- a/f +++ b/f @@ -1,2 +1,2 @@ x\n", "one line"),
    ],
)
def test_what_is_no_mail_is_refused(tmp_path: Path, data: bytes, what: str) -> None:
    path = tmp_path / "page"
    path.write_bytes(data)
    with pytest.raises(InputError, match=what) as caught:
        read_sources([str(path)])
    assert str(path) in caught.value.line()
    assert "\n" not in caught.value.line()


def test_missing_sources() -> None:
    with pytest.raises(InputError, match="device"):
        read_sources(["/dev/zero"])
    with pytest.raises(InputError, match="no such file"):
        read_sources(["/nonexistent/x"])
    with pytest.raises(InputError, match="empty"):
        read_sources([""])


def test_what_is_no_file_is_asked_for_elsewhere(tmp_path: Path) -> None:
    fetched = Received((), (), origins=("there",))
    asked: list[str] = []

    def fetch(source: str) -> Received | None:
        asked.append(source)
        return fetched if source == "a@b" else None

    (tmp_path / "here").write_bytes(MAIL + DIFF)
    received = read_sources([str(tmp_path / "here"), "a@b"], fetch=fetch)
    assert (asked, received.origins, len(received.messages)) == (["a@b"], ("there",), 1)
    with pytest.raises(InputError, match="no such file"):
        read_sources(["/nonexistent/x", "x" * 5000], fetch=fetch)
    assert read_sources([str(tmp_path / "here")], fetch=lambda _: fetched, fetched_only=True).origins == ("there",)
