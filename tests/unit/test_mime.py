"""Parts of mails: what is read, what is left out, what is a mail of its own; charsets; armour; footers."""

from __future__ import annotations

import base64
import bz2
import gzip
import lzma
from collections.abc import Callable
from html import escape

import pytest

from kpatch_tool.mail.armour import opened
from kpatch_tool.mail.charsets import decode, readable
from kpatch_tool.mail.content import content_of
from kpatch_tool.mail.flowed import unflow
from kpatch_tool.mail.footers import FOOTERS, footer_start, without_footer
from kpatch_tool.mail.message import Damage, Message
from kpatch_tool.mail.read import parse
from kpatch_tool.mail.transfer import Room, decoded, unpacked
from kpatch_tool.series.assemble import assemble
from kpatch_tool.series.model import Exactness
from kpatch_tool.series.reading.diffs import read_message
from kpatch_tool.series.reading.split import split_body
from tests.clock import within
from tests.mail_fixtures import DIFF, patch

PATCH = DIFF.encode()
OTHER = DIFF.replace("mm/f.c", "mm/g.c").encode()
ONE = patch("[PATCH 1/2] mm: one").rfc5322().encode()
TWO = patch("[PATCH 2/2] mm: two", file="mm/g.c").rfc5322().encode()
FORMATTED = b"From 0123456789abcdef0123456789abcdef01234567 Mon Sep 17 00:00:00 2001\n"
TEXT = (b"Content-Type: text/plain", b"Hello.")


def mime(*parts: tuple[bytes, bytes], subject: bytes = b"[PATCH] x", kind: bytes = b"mixed") -> bytes:
    head = b"From: J <j@x.org>\nDate: Thu, 17 Apr 2014 09:00:00 +0000\nSubject: " + subject
    inner = b"".join(b"--BB\n" + fields + b"\n\n" + body + b"\n" for fields, body in parts)
    return head + b"\nContent-Type: multipart/" + kind + b'; boundary="BB"\n\n' + inner + b"--BB--\n"


def attached(data: bytes, name: bytes, kind: bytes = b"application/octet-stream") -> tuple[bytes, bytes]:
    fields = b"Content-Type: " + kind + b"; name=" + name + b"\nContent-Transfer-Encoding: base64"
    return fields + b"\nContent-Disposition: attachment; filename=" + name, base64.encodebytes(data)


def messages(data: bytes) -> list[Message]:
    return list(parse(data, "x"))


@pytest.mark.parametrize(
    "part",
    [
        attached(PATCH, b"x.patch"),
        attached(PATCH, b"X.DIFF"),
        attached(PATCH, b'"a name.txt"'),
        attached(gzip.compress(PATCH), b"x.patch.gz", b"application/gzip"),
        attached(lzma.compress(PATCH), b"x.diff.xz"),
        attached(bz2.compress(PATCH), b"x.patch.bz2"),
        attached(gzip.compress(PATCH), b"fix.gz", b"application/x-gzip"),
        attached(PATCH, b"fix", b"text/x-diff"),
        attached(PATCH, b"fix"),  # told by its content
        (b"Content-Type: application/octet-stream", PATCH),
        (b"Content-Type: text/x-patch\nContent-Disposition: inline", PATCH),
        (b"Content-Type: application/x; name*0=fix; name*1=.patch", PATCH),
        (b"Content-Type: application/x\nContent-Disposition: attachment; filename*=utf-8''f%C3%BC.patch", PATCH),
        (b"Content-Type: application/x; name=\"=?utf-8?q?f=2Epatch?=\"", PATCH),
    ],
)  # fmt: skip
def test_attachments_that_are_patches(part: tuple[bytes, bytes]) -> None:
    (message,) = messages(mime(TEXT, part))
    assert message.body.rstrip(b"\n") == b"Hello.\n" + PATCH.rstrip(b"\n")
    assert split_body(message.body, "").message == "Hello."


@pytest.mark.parametrize(
    "part",
    [
        attached(b"\x89PNG\r\n\x1a\n", b"x.png", b"image/png"),
        attached(b"%PDF-1.4\0", b"x.pdf", b"application/pdf"),
        attached(b"CONFIG_X=y\n", b"config", b"application/x-config"),
        attached(gzip.compress(b"\0" * 100), b"dump.gz", b"application/gzip"),
        attached(gzip.compress(PATCH)[:-9][:40], b"log.gz", b"application/gzip"),
        (b"Content-Type: text/html", b"<p>"),
        (b"Content-Type: application/pgp-signature; name=signature.asc", b"-----BEGIN PGP SIGNATURE-----"),
        (b"Content-Type: application/pkcs7-signature; name=smime.p7s", b"MII"),
        (b"Content-Type: multipart/mixed; boundary=C", b""),
    ],
)
def test_attachments_that_are_none(part: tuple[bytes, bytes]) -> None:
    (message,) = messages(mime((b"Content-Type: text/plain", b"Why.\n\n" + PATCH), part))
    assert message.body.strip(b"\n") == b"Why.\n\n" + PATCH.strip(b"\n")


def test_attached_mails_are_patches_of_their_own() -> None:
    first, second = attached(FORMATTED + ONE, b"0001.patch"), attached(FORMATTED + TWO, b"0002.patch", b"text/x-patch")
    series = assemble(messages(mime(TEXT, first, second, subject=b"[PATCH 0/2] mm: both")), where="x")
    assert (series.title, [one.subject for one in series.patches]) == ("mm: both", ["mm: one", "mm: two"])
    forwarded = mime(TEXT, (b"Content-Type: message/rfc822", ONE), (b"Content-Type: message/rfc822", TWO))
    assert [one.subject for one in messages(forwarded)] == ["[PATCH] x", "[PATCH 1/2] mm: one", "[PATCH 2/2] mm: two"]


def test_a_patch_written_and_attached_as_a_file_counts_once() -> None:
    file = FORMATTED + ONE.replace(b" 1/2", b"")
    own = file[file.index(b"\n\n") + 2 :].replace(b"\t", b"    ").replace(b" b/mm", b"\nb/mm")
    read = messages(mime((TEXT[0], own), attached(file, b"0001.patch"), subject=b"[PATCH] mm: what is one"))
    assert [b"@@" in message.body for message in read] == [False, True]
    series = assemble(read, where="x")
    assert (series.title, series.patches[0].diff, series.problems) == ("mm: one", PATCH, ())
    other = mime((TEXT[0], own.replace(b"mm/f.c", b"mm/g.c")), attached(file, b"0001.patch"))
    assert [b"@@" in message.body for message in messages(other)] == [True, True]


def test_many_diffs_written_beside_many_attached_take_no_longer() -> None:
    written = [(TEXT[0], b"--- a/%d\n+++ b/%d\n" % (n, n) + b"x\n" * 200) for n in range(490)]
    files = [attached(b"--- a/f%d\n+++ b/f%d\n" % (n, n) + b"y\n" * 200, b"x.patch") for n in range(490)]
    with within(1):
        assert len(messages(mime(*written, *files))) == 1


def test_what_answers_a_mail_answers_the_patch_that_is_attached() -> None:
    def sent(number: int, text: bytes) -> bytes:
        return b"Message-ID: <%d@x.org>\n" % number + text

    header = b"From: R <r@x.org>\nDate: Thu, 17 Apr 2014 10:00:00 +0000\nSubject: Re: [PATCH] other\n"
    answer = header + b"In-Reply-To: <1@x.org>\n\nReviewed-by: R <r@x.org>\n"
    file = FORMATTED + b"\n".join(line for line in ONE.split(b"\n") if not line.startswith(b"Message-ID"))
    first = sent(1, mime(TEXT, attached(file.replace(b" 1/2", b""), b"0001.patch"), subject=b"[PATCH] other"))
    again = sent(3, mime(TEXT, attached(file.replace(b" 1/2", b" v2"), b"0001.patch"), subject=b"Re: [PATCH v2] other"))
    again = again.replace(b"Date: Thu, 17", b"In-Reply-To: <1@x.org>\nDate: Fri, 18")
    read = [message for data in (first, sent(2, answer), again) for message in messages(data)]
    assert [message.in_reply_to for message in read] == ["", "1@x.org", "1@x.org", "1@x.org", "3@x.org"]
    series = assemble(read, where="x", revision=1)
    assert [(reply.to_patch, reply.subject) for reply in series.replies] == [(1, "Re: [PATCH] other")]
    assert [one.value for one in series.patches[0].trailers if one.source == "reply"] == ["R <r@x.org>"]
    assert assemble(read, where="x").replies == ()


def test_attached_diffs_are_one_patch() -> None:
    series = assemble(messages(mime(TEXT, attached(PATCH, b"a.diff"), attached(OTHER, b"b.diff"))), where="x")
    assert [[file.path for file in one.files] for one in series.patches] == [["mm/f.c", "mm/g.c"]]


@pytest.mark.parametrize("of_patch", [b"utf-8", b"us-ascii", b"iso-8859-2", b"gb2312"])
def test_parts_in_different_charsets(of_patch: bytes) -> None:
    """mailinfo.c converts each by itself."""
    name = "J\u00f6rg" if of_patch != b"us-ascii" else "Jorg"
    signed = f"Signed-off-by: {name} <j@x.org>\n---\n".encode("gb18030" if of_patch == b"gb2312" else of_patch.decode())
    text = (b"Content-Type: text/plain; charset=iso-8859-1", "Gr\u00fc\u00dfe.".encode("latin-1"))
    attached = (b"Content-Type: text/x-patch; charset=" + of_patch, signed + PATCH)
    (message,) = parse(mime(text, attached), "m")
    parts = split_body(message.body, message.charset)
    assert parts.message == f"Gr\u00fc\u00dfe.\nSigned-off-by: {name} <j@x.org>"
    assert parts.diff == PATCH


def test_an_inline_text_with_a_header_of_its_own_is_the_text() -> None:
    body = b"From: A <a@x.org>\nSubject: y\n\nWhy.\n---\n" + PATCH
    (message,) = messages(mime((b"Content-Type: text/plain\nContent-Disposition: inline", body), kind=b"signed"))
    assert split_body(message.body, "").inbody == {"from": "A <a@x.org>", "subject": "y"}


HTML = (
    b"<html><style>p {}</style><body><div>Why &amp; how.</div><pre>---\n"
    + escape(DIFF).encode()
    + b"</pre></body></html>"
)


def test_a_mail_in_html_only() -> None:
    raw = b"From: J <j@x.org>\nSubject: [PATCH] x\nContent-Type: text/html; charset=utf-8\n\n" + HTML
    for data in (
        raw,
        mime((b"Content-Type: text/html", HTML)),
        mime((b"Content-Type: text/html", HTML), kind=b"related"),
    ):
        (message,) = messages(data)
        taken = split_body(message.body, message.charset)
        assert (taken.message, taken.diff, message.damage) == ("Why & how.", PATCH, frozenset())
    (message,) = messages(mime((b"Content-Type: text/html", b"<p>Why.</p>"), attached(PATCH, b"x.patch")))
    assert (split_body(message.body, "").message, split_body(message.body, "").diff) == ("Why.", PATCH)
    lines = b"".join(b"<div>" + escape(line).encode() + b"</div>\n" for line in DIFF.splitlines())
    (message,) = messages(mime((b"Content-Type: text/html", lines)))
    assert message.damage == {Damage.SQUEEZED}


def test_a_patch_that_only_the_html_beside_the_text_has() -> None:
    text = (b"Content-Type: text/plain", b"Please view in HTML.\n")
    page = (b"Content-Type: text/html", HTML)
    packed = (b"Content-Type: text/html\nContent-Transfer-Encoding: base64", base64.encodebytes(HTML))
    for other in (page, packed):
        (message,) = messages(mime(text, other, kind=b"alternative"))
        taken = split_body(message.body, message.charset)
        assert (taken.message, taken.diff, message.damage) == ("Why & how.", PATCH, frozenset())
    quoted = (b"Content-Type: text/plain", b"Fine.\n" + b"".join(b"> " + line for line in PATCH.splitlines(True)))
    plain = (b"Content-Type: text/plain", b"Why.\n---\n" + PATCH)
    for said, other in ((quoted, page), (plain, page), (text, (b"Content-Type: text/html", b"<p>Please."))):
        (message,) = messages(mime(said, other, kind=b"alternative"))
        assert message.body.strip() == said[1].strip()
    (message,) = messages(mime(text, page, attached(PATCH, b"x.patch")))
    assert message.body == b"Please view in HTML.\n\n" + PATCH


def test_unpacking_is_bounded() -> None:
    room = Room(1000)
    assert unpacked(gzip.compress(b"\0" * (80 << 20), 9), room) == b""
    assert unpacked(b"\x1f\x8b junk", room) == b""
    assert unpacked(gzip.compress(PATCH), room) == PATCH  # whatever is broken beside it


@pytest.mark.parametrize("pack", [gzip.compress, lzma.compress, bz2.compress])
def test_what_is_attached_is_unpacked_within_bounds_for_all_of_it(pack: Callable[[bytes], bytes]) -> None:
    packed = pack(PATCH + b"x" * (3 << 20))
    data = mime(TEXT, *[attached(packed, b"x.patch.gz")] * 40)
    (message,) = messages(data)
    assert len(message.body) < max(4 << 20, 64 * len(data))
    assert unpacked(packed, Room(1)) != b""
    room = Room(1)
    room.left = 0
    assert unpacked(packed, room) == b""


def test_nesting_is_bounded() -> None:
    data = PATCH
    for _ in range(500):
        data = b"Content-Type: multipart/mixed; boundary=B\n\n--B\n" + data + b"\n--B--\n"
    with within(2):
        list(parse(b"From: a@b\nSubject: x\n" + data, "x"))


@pytest.mark.parametrize(
    ("value", "charset", "flowed", "delsp"),
    [
        (b"text/plain; charset=UTF-8", "utf-8", False, False),
        (b"text/plain; charset='utf-8'; format=Flowed; DelSp=\"Yes\"", "'utf-8'", True, True),
        (b'text/plain; charset="utf-8; format=flowed"', "utf-8", True, False),
        (b"text/plain;\n\tformat=flowed;\n charset = koi8-r", "koi8-r", True, False),
        (b"text/plain; charset*=us-ascii''utf-8", "utf-8", False, False),
        (b"text/plain; charset=", "", False, False),
        (b"nonsense", "", False, False),
    ],
)
def test_content_types(value: bytes, charset: str, flowed: bool, delsp: bool) -> None:
    content = content_of({"content-type": [value]})
    assert (content.charset, content.flowed, content.delsp) == (charset, flowed, delsp)


@pytest.mark.parametrize(
    ("data", "charset", "text"),
    [
        ("Jörg".encode(), "iso-8859-1", "Jörg"),
        ("Jörg".encode(), "windows-1252", "Jörg"),
        ("Jörg".encode("latin-1"), "utf-8", "Jörg"),
        ("Jörg".encode("latin-1"), "", "Jörg"),
        ("Jörg".encode("latin-1") + " – é".encode(), "utf-8", "Jörg – é"),  # half and half
        (b"\x93x\x94", "iso-8859-1", "“x”"),
        (b"\x81x", "iso-8859-1", "\x81x"),
        ("почему".encode("koi8-r"), "koi8-r", "почему"),
        ("почему".encode("cp1251"), "windows-1251", "почему"),
        ("почему".encode(), "windows-1251", "почему"),
        ("联通".encode("gbk"), "gb2312", "联通"),  # valid UTF-8 by chance
        ("补丁说明在这里".encode(), "gbk", "补丁说明在这里"),
        ("補丁".encode("big5"), "big5", "補丁"),
        ("日本語".encode("shift_jis"), "x-sjis", "日本語"),
        ("한국".encode("cp949"), "ks_c_5601-1987", "한국"),
        ("日本".encode("iso2022_jp"), "ISO-2022-JP", "日本"),
        (b"x", "unknown-8bit", "x"),
        ("é".encode(), "x-unknown", "é"),
        ("é".encode(), "utf-8; format=flowed", "é"),
        ("é".encode(), "'utf-8'", "é"),
        (b"\xed\xa0\x80", "utf-8", "í\xa0€"),
    ],
)
def test_charsets_declared_rightly_and_wrongly(data: bytes, charset: str, text: str) -> None:
    assert decode(data, charset) == text


@pytest.mark.parametrize("codec", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-7"])
def test_charsets_that_are_no_superset_of_ascii(codec: str) -> None:
    text = "é\n" + DIFF
    assert readable(text.encode(codec), codec) == (text.encode(), "utf-8")
    assert readable(text.encode(), "utf-16") == (text.encode(), "utf-8")  # the label is wrong


def test_a_mark_at_the_beginning_is_no_text() -> None:
    (message,) = messages(b"From: a@b\nSubject: x\n\n\xef\xbb\xbfWhy.\n" + PATCH)
    assert message.body.startswith(b"Why.")
    (message,) = messages(mime((b"Content-Type: text/plain", b"\xef\xbb\xbfWhy.\n" + PATCH)))
    assert message.body.startswith(b"Why.")


SIGNED = (
    b"above\n-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\nHash: SHA1\n\n%s"
    b"-----BEGIN PGP SIGNATURE-----\nVersion: x\n\nabc=\n-----END PGP SIGNATURE-----\nbelow\n"
)


def test_armour() -> None:
    text = b"a\n---\n-b\n- c\n--- a/f\n"
    escaped = text.replace(b"\n-", b"\n- -")
    assert opened(SIGNED % escaped) == b"above\n" + text + b"below\n"
    assert opened(SIGNED % text) == b"above\n" + text + b"below\n"  # signed without escaping
    assert opened(text) == text
    assert opened(b"-----BEGIN PGP SIGNED MESSAGE-----\n\nno end\n").endswith(b"no end\n")


def test_a_line_that_an_author_drew_begins_no_footer() -> None:
    drawn = b" VFIO API\n" + b"-" * 79 + b"\n\n"
    text = drawn + b"--\n2.26.3\n\n" + b"_" * 47 + b"\nkvmarm mailing list\n"
    assert footer_start(text) == len(drawn)


@pytest.mark.parametrize(
    "footer",
    [
        "--\nTo unsubscribe from this list: send the line \"unsubscribe linux-kernel\" in\nthe body of a message to\n",
        "-\nTo unsubscribe from this list: send the line\n",
        "--\nTo unsubscribe, send a message with 'unsubscribe linux-mm' in\n",
        "-- \nTo UNSUBSCRIBE, email to debian-x-REQUEST@lists.debian.org\n",
        "_" * 47 + "\nlinux-arm-kernel mailing list\nlinux-arm-kernel@lists.infradead.org\n",
        "_" * 47 + "\nX mailing list -- x@lists.x.org\nTo unsubscribe send an email to x-leave@lists.x.org\n",
        "--\ndm-devel mailing list\ndm-devel@redhat.com\n",
        "-- \nMailing list info: https://lists.linux.it/listinfo/ltp\n",
        "-" * 78 + "\nAn advertisement\nof two lines\n" + "_" * 47 + "\nuser-mode-linux-devel mailing list\nu@x\n",
        "\n-=-=-=-=-=-=-=-=-=-=-=-\nGroups.io Links: You receive all messages sent to this group.\n",
        "-- \nYou received this message because you are subscribed to the Google Groups \"syzkaller\" group.\n",
        "IMPORTANT NOTICE: The contents of this email and any attachments are confidential\n",
        "-- \n2.39.5\n",
        "-- \n2.39.5 (Apple Git-154)\n\n",
        "--\n\n",
    ],
)  # fmt: skip
def test_footers(footer: str) -> None:
    text = b"Thanks.\n\n-- \nJane\n\n-- not one\n__\n"
    assert without_footer(text + footer.encode()).rstrip(b"\n") == text.rstrip(b"\n")
    assert without_footer(text) == text
    mail = b"From: a@b\nSubject: [PATCH] x\n\nWhy.\n---\n" + PATCH + footer.encode()
    (message,) = messages(mail)
    assert split_body(message.body, "").diff == PATCH
    assert split_body(message.body, "", damaged=True).diff.rstrip(b"\n") == PATCH.rstrip(b"\n")


def test_footers_take_linear_time() -> None:
    assert len(FOOTERS) > 10
    with within(3):
        for line in (b"-- \n", b"_" * 47 + b"\n", b"-" * 70 + b"\n", b"-=-=-=-=-=-=\n", b"--\nTo\n", b"_" * 300_000):
            footer_start(line * (300_000 // len(line)))


def test_base64_footers_and_noise() -> None:
    encoded = base64.encodebytes(PATCH)
    assert decoded("base64", encoded + b"\n-- \nlist footer\n") == PATCH + b"-- \nlist footer\n"
    assert decoded("base64", encoded.replace(b"\n", b"\r\n")) == PATCH
    assert decoded("base64", base64.encodebytes(PATCH[:1]) + base64.encodebytes(PATCH[1:])) == PATCH  # two pieces
    assert decoded("7bit", PATCH) == decoded("", PATCH) == decoded("x-unknown", PATCH) == PATCH


def test_flowed_quotations_and_signatures() -> None:
    assert unflow(b">> a \n>> b\n> c \n>> d\ne\n", delsp=False) == b">> a b\n> c \n>> d\ne\n"
    assert unflow(b"a \n-- \nb \n-- ", delsp=False) == b"a \n-- \nb \n-- \n"
    assert unflow(b" >x\n From y\n  z\r\n", delsp=False) == b">x\nFrom y\n z\n"
    with within(2):
        unflow(b"x \n" * 200_000, delsp=False)


FLOWED = b"From: J <j@x.org>\nSubject: [PATCH] x\nContent-Type: text/plain; format=flowed\n\n"
STUFFED = PATCH.replace(b"\n ", b"\n  ")


@pytest.mark.parametrize(
    ("text", "exactness"),
    [
        (b"Why it \nis.\n---\n f | 2 +-\n\n" + PATCH, Exactness.INTACT),  # declared, not applied
        (b"Why it is.\n---\n  f | 2 +-\n\n" + STUFFED, Exactness.DAMAGED),  # applied: a tree can prove it
        (b"Why it is.\n---\n  f | 2 +-\n\n" + STUFFED.replace(b"int a", b"int \na"), Exactness.DAMAGED),
    ],
)
def test_flowed_only_where_the_text_bears_it_out(text: bytes, exactness: Exactness) -> None:
    (message,) = messages(FLOWED + text)
    reading = read_message(message, where="x")
    assert (reading.parts.diff, reading.exactness) == (PATCH, exactness)


def test_the_times_of_diff_1_on_lines_of_their_own() -> None:
    torn = b"diff -upr old/f\nnew/f\n--- old/f\t2019-10-29\n21:33:05.1 +0800\n+++ new/f\t2019-10-29\n21:39:01.2 +0800\n"
    torn += b"@@ -1 +1 @@\n-a\n+b\n"
    (message,) = messages(b"From: J <j@x.org>\nSubject: [PATCH] x\n\nWhy.\n\n" + torn)
    reading = read_message(message, where="x")
    assert [(file.path, file.added, file.removed) for file in reading.files] == [("f", 1, 1)]
    assert reading.exactness is Exactness.DAMAGED and Damage.REWRAPPED in reading.damage


TALK = b"> quoted\n\nHow about this?\n\n"
WITH_LOG = b"It prints\n\n----8<----\nBUG: x\n---->8----\n\nFix it.\n\nSigned-off-by: J <j@x.org>\n---\n"


@pytest.mark.parametrize(
    ("text", "subject", "message", "note"),
    [
        (TALK + b"-- >8 --\nSubject: new\n\nWhy.\n---\nn\n", "new", "Why.", "> quoted\n\nHow about this?\nn"),
        (TALK + b"-- >8 --\nWhy.\n---\n", None, "Why.", "> quoted\n\nHow about this?"),
        (TALK + b"-- >8 --\n", None, "", "> quoted\n\nHow about this?"),
        (b"> -- >8 --\n\nMine.\n---\n", None, "> -- >8 --\n\nMine.", ""),
        # Where git am --scissors would lose what belongs to the message:
        (WITH_LOG, None, WITH_LOG.removesuffix(b"\n---\n").decode(), ""),
        (b"Why.\n\nSigned-off-by: J <j@x.org>\n--- >8 ---\n", None, "Why.\n\nSigned-off-by: J <j@x.org>", ""),
        (b"Why.\n\n-- >8 --\n", None, "Why.", ""),
        (b"It oopses:\n\n8<--- cut here ---\nOops\n", None, "It oopses:\n\n8<--- cut here ---\nOops", ""),
        (b"[   1.2] 8<--- cut here ---\nOops\n---\n", None, "[   1.2] 8<--- cut here ---\nOops", ""),
        (TALK + b"8<--- cut here ---\nSubject: x\n\nWhy.\n", "x", "Why.", "> quoted\n\nHow about this?"),
        (b"A. \n\nAcked-by: A <a@b>\n-- 8< --\nlog\n---\n", None, "A.\n\nAcked-by: A <a@b>\n-- 8< --\nlog", ""),
    ],
)
def test_scissors(text: bytes, subject: str | None, message: str, note: str) -> None:
    taken = split_body(text + PATCH, "")
    assert (taken.inbody.get("subject"), taken.message, taken.note, taken.diff) == (subject, message, note, PATCH)


def test_a_file_below_talk_with_all_the_fields_that_it_may_have() -> None:
    fields = b"From: A <a@b>\nTo: list@b,\n more@b\nCc: c@d\nDate: today\nSubject: [PATCH] x\nMIME-Version: 1.0\n"
    taken = split_body(b"Hello.\n\n" + FORMATTED + fields + b"X-Mailer: y\n\nWhy.\nAs: said\n---\n" + PATCH, "")
    assert taken.inbody == {"from": "A <a@b>", "date": "today", "subject": "[PATCH] x"}
    assert (taken.message, taken.note) == ("Why.\nAs: said", "Hello.")


@pytest.mark.parametrize(
    ("above", "below", "author"),
    [
        (b"From: A <a@b>\n\nI changed it.\n", b"Why.\n", "A <a@b>"),
        (b"From: A <a@b>\n\nI changed it.\n", b"From: C <c@d>\n\nWhy.\n", "C <c@d>"),
        (b"From: A <a@b>\nDate: today\nSubject: x\n\nWhat of this?\n", b"Why.\n", None),  # somebody's mail, quoted
    ],
)
def test_an_author_above_scissors(above: bytes, below: bytes, author: str | None) -> None:
    taken = split_body(above + b"\n-- >8 --\n" + below + b"---\n" + PATCH, "")
    assert (taken.inbody.get("from"), taken.message) == (author, "Why.")
