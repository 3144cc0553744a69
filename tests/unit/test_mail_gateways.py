"""What gateways, companies and mail programs do to mails on their way, and the mailboxes they are kept in."""

from __future__ import annotations

import base64
import quopri
from dataclasses import replace
from html import escape

import pytest

from kpatch_tool.errors import InputError
from kpatch_tool.mail.footers import BANNERS, banner_end
from kpatch_tool.mail.message import Address, Damage, Message
from kpatch_tool.mail.read import parse
from kpatch_tool.mail.transfer import decoded
from kpatch_tool.mail.unpack import unpacked
from kpatch_tool.series.assemble import assemble
from kpatch_tool.series.model import Exactness
from kpatch_tool.series.reading.subject import parse as parse_subject
from tests.clock import within
from tests.mail_fixtures import DIFF, Mail, mbox, patch

ONE, TWO = patch("[PATCH 1/2] mm: one", "p1"), patch("[PATCH 2/2] mm: two", "p2", file="mm/g.c", minute=1)
RAW = [mail.rfc5322().encode() for mail in (ONE, TWO)]
PATCH = DIFF.encode()


def read(data: bytes) -> list[Message]:
    return list(parse(data, "x"))


def test_mailboxes_of_other_kinds() -> None:
    wanted = [(message.subject, message.body.rstrip()) for message in read(mbox(ONE, TWO))]
    mark = b"\1\1\1\1\n"
    mmdf = b"".join(mark + mail + mark for mail in RAW)
    utf16 = mbox(ONE, TWO).decode().replace("\n", "\r\n").encode("utf-16")
    for data in (mmdf, utf16, mbox(ONE, TWO).replace(b"\n", b"\r")):
        assert [(message.subject, message.body.rstrip()) for message in read(data)] == wanted
    marked = b"".join(b"From a@b Thu Apr 17 09:00:00 2014\n\xef\xbb\xbf" + mail + b"\n" for mail in RAW)
    assert [message.subject for message in read(marked)] == [subject for subject, _ in wanted]
    emlx = b"%d      \n" % len(RAW[0]) + RAW[0] + b'<?xml version="1.0"?>\n<plist version="1.0"><dict/></plist>\n'
    assert [(message.subject, message.body.rstrip()) for message in read(emlx)] == wanted[:1]


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"BABYL OPTIONS: -*- rmail -*-\n", "Rmail"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", r"\.msg"),
        (b"!BDN\0\0", r"\.pst"),
        (b"\x78\x9f\x3e\x22\0", "winmail"),
    ],
)
def test_what_only_another_program_reads(data: bytes, what: str) -> None:
    with pytest.raises(InputError, match=what):
        unpacked(data, "x")


def test_a_digest_holds_whole_mails() -> None:
    inner = b"".join(b"--DD\n\n" + mail + b"\n" for mail in RAW)
    digest = (
        b"From: kvm-request@example.org\nSubject: kvm Digest, Vol 1, Issue 2\nDate: Thu, 17 Apr 2014 12:00:00 +0000\n"
        b'Content-Type: multipart/mixed; boundary="BB"\n\n--BB\nContent-Type: text/plain\n\nToday\'s topics:\n\n--BB\n'
        b'Content-Type: multipart/digest; boundary="DD"\n\n' + inner + b"--DD--\n\n--BB--\n"
    )
    series = assemble(read(digest), where="x")
    assert [(one.number, one.subject, one.diff) for one in series.patches] == [
        (1, "mm: one", PATCH),
        (2, "mm: two", DIFF.replace("mm/f.c", "mm/g.c").encode()),
    ]


def test_a_patch_that_a_program_calls_html() -> None:
    mail = (
        b'From: J <j@x.org>\nSubject: [PATCH] x\nContent-Type: multipart/mixed; boundary="BB"\n\n--BB\n'
        b"Content-Type: text/plain\n\nWhy.\n\n--BB\n"
        b'Content-Type: text/html; name="fix.diff"\nContent-Transfer-Encoding: base64\n\n'
    ) + base64.encodebytes(PATCH)
    assert assemble(read(mail + b"--BB--\n"), where="x").patches[0].diff == PATCH


@pytest.mark.parametrize(
    ("kind", "what"),
    [
        (b'application/ms-tnef; name="winmail.dat"', r"winmail\.dat"),
        (b"application/pgp-encrypted", "encrypted"),
        (b'application/pkcs7-mime; smime-type=enveloped-data; name="smime.p7m"', "S/MIME"),
        (b'application/octet-stream; name="Patches.ZIP"', r"an attached \.zip file"),
    ],
)
def test_what_is_sealed_is_named(kind: bytes, what: str) -> None:
    mail = (
        b'From: J <j@x.org>\nSubject: [PATCH] x\nContent-Type: multipart/mixed; boundary="BB"\n\n--BB\n'
        b"Content-Type: text/plain\n\nSee the attachment.\n--BB\nContent-Type: " + kind + b"\n\nAAAA\n--BB--\n"
    )
    with pytest.raises(InputError, match=what):
        assemble(read(mail), where="x")


@pytest.mark.parametrize(
    "banner",
    [
        "CAUTION: This email originated from outside of the organization. Do not click links or open attachments"
        " unless you can\nconfirm the sender and know the content is safe.\n\n\n\n",
        "EXTERNAL EMAIL: Do not click links or open attachments unless you know the content is safe\n\n",
        "Caution: This message originated from an External Source. Use proper caution when opening attachments,"
        " clicking links, or responding.\n\n\n",
        "External email: Use caution opening links or attachments\n\n\n",
        "CAUTION: External Email. Do not click any links or open any attachments.\n\n",
        "WARNING: This email has been sent from outside of the company.\n\n",
        "CAUTION: This email originates from outside our organisation.\n\n",
        "Caution: this email comes from an external source; do not open any attachment.\n\n",
        "EXTERNAL: This e-mail was received from outside. Beware of links and attachments\n\n",
        "[AMD Official Use Only - General]\n\n",
        "\n[Public]\n\nCaution: This message originated from an External Source.\n\n",
    ],
)
def test_banners_are_no_text_of_the_author(banner: str) -> None:
    head, _, body = patch("[PATCH] mm: one").rfc5322().partition("\n\n")
    mail = f"{head}\n\n{banner}From: Ann Other <ann@example.org>\n\n{body}"
    (one,) = assemble(read(mail.encode()), where="x").patches
    assert one.message == "Why.\n\nSigned-off-by: Jane Doe <jane@example.org>"
    assert one.author == Address("Ann Other", "ann@example.org")


@pytest.mark.parametrize(
    "text",
    [
        b"Warning: the message queue is full when it is not.\n\nFix it.\n",
        b"External message links are leaked by foo_put(). Free them.\n\nSo.\n",
        b"Warning: GCC emits a message about accesses outside of the array\nwhen it is short.\n\nSo.\n",
        b"External sources of the clock are ignored.\n\nSo.\n",
        b"[Public] keys are read.\n\nSo.\n",
        b"CAUTION: This email originated from outside of the organization.\n",  # nothing follows it
    ],
)
def test_what_only_looks_like_a_banner(text: bytes) -> None:
    assert banner_end(text) == 0


def test_banners_take_linear_time() -> None:
    assert len(BANNERS) == 2
    with within(3):
        for line in (b"\n", b"[Public]\n", b"caution email links\n", b"[* ", b"external " * 30 + b"\n"):
            banner_end(line * (300_000 // len(line)))


@pytest.mark.parametrize(
    ("fields", "author"),
    [
        (  # Google Groups
            "From: 'Jane Doe' via kasan-dev <kasan-dev@googlegroups.com>\nX-Original-From: Jane Doe <jane@x.org>",
            Address("Jane Doe", "jane@x.org"),
        ),
        (  # Mailman
            'From: "Jane Doe via kvm" <kvm@lists.x.org>\nReply-To: kvm@lists.x.org, "Doe, Jane" <jane@x.org>',
            Address("Jane Doe", "jane@x.org"),
        ),
        (  # B4 Relay
            "From: Jane Doe via B4 Relay <devnull+jane.x.org@kernel.org>\nReply-To: jane@x.org",
            Address("Jane Doe", "jane@x.org"),
        ),
        (  # nothing says who
            "From: Jane Doe via kvm <kvm@lists.x.org>\nReply-To: John Roe <john@x.org>",
            Address("Jane Doe via kvm", "kvm@lists.x.org"),
        ),
        ("From: Jane Doe <jane@x.org>\nReply-To: Jane Doe <kvm@x.org>", Address("Jane Doe", "jane@x.org")),
        (  # comments deeper than Python's reader of addresses can follow
            f"From: Jane Doe via kvm <kvm@lists.x.org>\nReply-To: {'(' * 20_000}",
            Address("Jane Doe via kvm", "kvm@lists.x.org"),
        ),
    ],
)
def test_mails_sent_in_the_name_of_a_list(fields: str, author: Address) -> None:
    (message,) = read(f"{fields}\nSubject: [PATCH] x\n\nWhy.\n---\n{DIFF}".encode())
    assert message.author == author


@pytest.mark.parametrize(
    "warning", ["*****SPAM***** ", "{Spam?} ", "EXT: ", "[EXTERNAL] ", "(Spam): ", "***SPAM*** Re: "]
)
def test_what_filters_put_before_a_subject(warning: str) -> None:
    tag = parse_subject(f"{warning}[PATCH v2 3/7] mm: fix")
    assert (tag.revision, tag.number, tag.total, tag.title, tag.patch) == (2, 3, 7, "mm: fix", True)
    assert tag.reply is ("Re:" in warning)


def test_a_subsystem_is_no_filter() -> None:
    assert parse_subject("ext: x").title == "ext: x"
    assert parse_subject("** why ** x").title == "** why ** x"


def test_a_header_that_says_quoted_printable_of_a_decoded_text() -> None:
    """Patchwork's mbox keeps the header of the mail and decodes the text."""
    text = b"+\tif (a == 0x20 && b=40)\n+\t\tx =\n+\t\t\ty;\n" + b"+/* " + b"long " * 20 + b"*/\n"
    assert decoded("quoted-printable", text) == text
    assert decoded("quoted-printable", quopri.encodestring(text)) == text
    assert decoded("quoted-printable", b"a =\nb == c\n") == b"a b == c\n"  # nothing says that it is not encoded


MAILMAN = b"_______________________________________________\nlinux-foo mailing list\nhttp://l.x.org/?a=zz&b=c\n"
HUNK = b"@@ -1 +1 @@\n-a\n+/* Ren\xe9 */\n"
LONG = b"@@ -1 +1 @@\n-a\n+" + b"call(b, " * 15 + b"c)\n"


@pytest.mark.parametrize(
    ("text", "charset", "footer"),
    [
        (HUNK, "iso-8859-1", MAILMAN),
        (HUNK, "iso-8859-15", b"a footer that nobody knows: http://l.x.org/?a=zz\n"),
        (HUNK, "", MAILMAN),
        (LONG, "utf-8", MAILMAN + b"https://l.x.org/" + b"z" * 100 + b"\n"),
    ],
)
def test_a_footer_that_is_not_encoded_below_a_text_that_is(text: bytes, charset: str, footer: bytes) -> None:
    assert decoded("quoted-printable", quopri.encodestring(text) + footer, charset) == text + footer


@pytest.mark.parametrize(
    "text", [b"+a =BASE;\n+b = c;\n", b"+x=FALSE\n+y=z\n", b"+a = b;\n+c =E9 \n", HUNK + b"+a=zz\n"]
)
def test_a_text_decoded_from_a_charset_of_one_byte(text: bytes) -> None:
    assert decoded("quoted-printable", text, "iso-8859-1") == text


INNER = "Why.\n\nSigned-off-by: Jane Doe <jane@example.org>\n---\n" + DIFF
GMAIL = (
    "FYI\n\n---------- Forwarded message ---------\nFrom: Jane Doe <jane@example.org>\n"
    "Date: Thu, Apr 17, 2014 at 10:00 AM\nSubject: [PATCH v2 1/2] mm: one\nTo: <kvm@vger.kernel.org>\n"
    "Cc: A <a@x.org>,\n  B <b@x.org>\n\n\n"
)
THUNDERBIRD = (
    "\n\n-------- Weitergeleitete Nachricht --------\nBetreff: \t[PATCH v2 1/2] mm:\n one\n"
    "Datum: \tThu, 17 Apr 2014 12:00:00 +0200\nVon: \tJane Doe <jane@example.org>\nAn: \tkvm@vger.kernel.org\n\n\n"
)
OUTLOOK = (
    "-----Original Message-----\nFrom: Jane Doe <jane@example.org>\nSent: Thursday, April 17, 2014 10:00 AM\n"
    "To: kvm@vger.kernel.org\nSubject: [PATCH v2 1/2] mm: one\n\n"
)
WEB_OUTLOOK = "Look:\n\n________________________________\n" + OUTLOOK.partition("\n")[2]
FRENCH = WEB_OUTLOOK.replace("From:", "De\u00a0:").replace("Sent", "Envoy\u00e9").replace("Subject", "Objet")
APPLE = (
    "Look:\n\nBegin forwarded message:\n\nFrom: Jane Doe <jane@example.org>\nSubject: [PATCH v2 1/2] mm: one\n"
    "Date: 17 April 2014 at 10:00:00 GMT\nTo: kvm@vger.kernel.org\n\n"
)
SQUEEZED = GMAIL.replace("\n  B", "\nB").replace("\n\n", "\n")  # as a page shows it that dropped blank lines


def forward(text: str, subject: str = "Fwd: [PATCH v2 1/2] mm: one") -> bytes:
    head = (
        f"From: Bob Roe <bob@x.org>\nDate: Mon, 21 Apr 2014 08:00:00 +0000\nSubject: {subject}\nMessage-ID: <f@x>\n\n"
    )
    return (head + text).encode()


@pytest.mark.parametrize(
    ("text", "date"),
    [
        (GMAIL + INNER, "2014-04-17T10:00:00+00:00"),
        (THUNDERBIRD + INNER, "2014-04-17T12:00:00+02:00"),
        (OUTLOOK + INNER, "2014-04-17T10:00:00+00:00"),
        (WEB_OUTLOOK + INNER, "2014-04-17T10:00:00+00:00"),
        (FRENCH.replace("Envoy\u00e9:", "Envoy\u00e9\u00a0:") + INNER, "2014-04-17T10:00:00+00:00"),
        (SQUEEZED + INNER, "2014-04-17T10:00:00+00:00"),
        (APPLE.replace("17 April 2014 at 10:00:00 GMT", "soon") + INNER, "2014-04-21T08:00:00+00:00"),
    ],
    ids=["gmail", "thunderbird", "outlook", "outlook, no words", "outlook, French", "squeezed", "apple, no date"],
)
def test_what_is_forwarded_is_its_authors(text: str, date: str) -> None:
    series = assemble(read(forward(text)), where="x")
    (one,) = series.patches
    assert (series.revision, one.number, one.subject, one.message) == (
        2,
        1,
        "mm: one",
        "Why.\n\nSigned-off-by: Jane Doe <jane@example.org>",
    )
    assert (one.author, one.date and one.date.isoformat()) == (Address("Jane Doe", "jane@example.org"), date)
    assert "forwarded by Bob Roe: author and date are those that the text gives" in series.problems


@pytest.mark.parametrize("margin", ["", "> ", "    "])
def test_what_mutt_forwards_is_its_authors(margin: str) -> None:
    mail = "From: Jane Doe <jane@example.org>\nDate: Thu, 17 Apr 2014 10:00:00 +0000\n"
    mail = f"{mail}Subject: [PATCH v2 1/2] mm: one\nTo: kvm@vger.kernel.org\n\n{INNER}-- \n2.39.2\n"
    shown = "".join(f"{margin}{line}" if line.strip() else line for line in mail.splitlines(keepends=True))
    mark = "Look:\n\n----- Forwarded message from Jane Doe <jane@example.org> -----\n\n"
    text = f"{mark}{shown}\n----- End forwarded message -----\n"
    series = assemble(read(forward(text, "[jane@example.org: [PATCH v2 1/2] mm: one]")), where="x")
    (one,) = series.patches
    assert (series.revision, one.number, one.subject) == (2, 1, "mm: one")
    assert one.author == Address("Jane Doe", "jane@example.org")
    assert [file.path for file in one.files] == ["mm/f.c"]


def test_what_is_no_forwarded_mail() -> None:
    (one,) = assemble(read(forward("It is this:\n\n" + INNER)), where="x").patches
    assert one.author == Address("Bob Roe", "bob@x.org")  # no header of another mail
    (one,) = assemble(read(forward("----- Original Message -----\nHm.\n\n" + INNER)), where="x").patches
    assert one.author == Address("Bob Roe", "bob@x.org")
    answer = read(forward("Thanks.\n\n" + OUTLOOK + INNER, "RE: [PATCH v2 1/2] mm: one"))
    with pytest.raises(InputError, match="reply"):  # Outlook's way to quote
        assemble(answer, where="x")


def test_only_quoted_diffs_are_said_to_be_that() -> None:
    quoted = "".join(f"> {line}\n" for line in INNER.splitlines())
    with pytest.raises(InputError, match="1 mail quotes a diff; import the mails that they answer"):
        assemble(read(forward("On Thu, Jane wrote:\n" + quoted + "Fine.\n", "Re: [PATCH 1/2] mm: one")), where="x")


def parts(kind: str, *found: tuple[str, str]) -> bytes:
    inner = "".join(f"--BB\nContent-Type: {fields}\n\n{body}\n" for fields, body in found)
    head = f'From: J <j@x.org>\nSubject: [PATCH] x\nContent-Type: multipart/{kind}; boundary="BB"\n\n'
    return (head + inner + "--BB--\n").encode()


@pytest.mark.parametrize("written", [INNER, INNER.replace("\t", "        "), INNER.replace("\n", "\r\n")])
def test_a_patch_written_and_attached_is_one_patch(written: str) -> None:
    attached = ('text/x-patch; name="x.patch"\nContent-Transfer-Encoding: base64', base64.b64encode(PATCH).decode())
    (one,) = assemble(read(parts("mixed", ("text/plain", written), attached)), where="x").patches
    assert (one.message, one.diff) == ("Why.\n\nSigned-off-by: Jane Doe <jane@example.org>", PATCH)
    other = ('text/x-patch; name="x.patch"', DIFF.replace("mm/f.c", "mm/g.c"))
    (one,) = assemble(read(parts("mixed", ("text/plain", INNER), other)), where="x").patches
    assert [file.path for file in one.files] == ["mm/f.c", "mm/g.c"]


def test_html_beside_an_empty_text() -> None:
    mail = parts("alternative", ("text/plain", "\n"), ("text/html", f"<pre>{escape(INNER)}</pre>"))
    assert assemble(read(mail), where="x").patches[0].diff == PATCH


def test_no_break_spaces_in_the_place_of_all_blanks() -> None:
    text = INNER.replace(" ", "\xa0")
    head = "From: J <j@x.org>\nSubject: [PATCH] x\nContent-Type: text/plain; charset=utf-8\n\n"
    (one,) = assemble(read((head + text).encode()), where="x").patches
    assert (one.message, one.diff) == ("Why.\n\nSigned-off-by: Jane Doe <jane@example.org>", PATCH)
    assert [trailer.value for trailer in one.trailers] == ["Jane Doe <jane@example.org>"]
    assert Damage.NO_BREAK_SPACES in one.damage
    assert one.exactness is Exactness.DAMAGED


def outlook(line: str) -> str:
    shown = escape(line).replace("\t", "&nbsp;" * 7 + " ").replace("  ", "&nbsp; ") if line.strip() else "&nbsp;"
    shown = "&nbsp;" + shown[1:] if shown.startswith(" ") else shown
    return f'<p class="MsoNormal">{shown}<o:p></o:p></p>\n'


def test_html_of_outlook_keeps_lines_and_runs_of_blanks() -> None:
    page = "".join(map(outlook, INNER.split("\n")))
    mail = f"From: J <j@x.org>\nSubject: [PATCH] x\nContent-Type: text/html; charset=utf-8\n\n<html>{page}</html>"
    (one,) = assemble(read(mail.encode()), where="x").patches
    assert one.message == "Why.\n\nSigned-off-by: Jane Doe <jane@example.org>"
    assert Damage.SQUEEZED not in one.damage
    assert Damage.NO_BREAK_SPACES in one.damage


def test_answers_to_a_patch_that_was_sent_twice_count() -> None:
    """What was resent without a change keeps its reviews; what changed does not."""
    first, cover = patch("[PATCH 1/1] mm: one", "p1", reply_to="p0"), Mail("[PATCH 0/1] mm: all", "All.\n", "p0")
    again = patch("[PATCH RESEND 1/1] mm: one", "q1", minute=9, reply_to="q0")
    letter = Mail("[PATCH RESEND 0/1] mm: all", "All.\n", "q0", minute=8)
    acked = Mail(
        "Re: [PATCH 1/1] mm: one", "Acked-by: John Roe <john@x.org>\n", "r1", "p1", "John Roe", "john@x.org", 2
    )
    ann = ("Ann Poe", "ann@x.org", 3)
    tested = Mail("Re: [PATCH 0/1] mm: all", "Tested-by: Ann Poe <ann@x.org>\n", "r2", "p0", *ann)
    series = assemble(read(mbox(cover, first, acked, tested, letter, again)), where="x")
    assert [trailer.value for trailer in series.patches[0].trailers if trailer.source == "reply"] == [
        "John Roe <john@x.org>",
        "Ann Poe <ann@x.org>",
    ]
    changed = replace(again, body=again.body.replace("return  2", "return  3"))
    series = assemble(read(mbox(cover, first, acked, tested, letter, changed)), where="x")
    assert all(trailer.source == "patch" for trailer in series.patches[0].trailers)


def test_a_digest_in_one_text() -> None:
    """As Mailman sends it to who asked for no MIME."""
    rule, long = "-" * 30, "-" * 70
    shown = "".join(f"Message: {n}\n{mail.decode().rstrip()}\n\n\n{rule}\n\n" for n, mail in enumerate(RAW, start=1))
    digest = (
        "From: kvm-request@x.org\nSubject: kvm Digest, Vol 1, Issue 2\nDate: Thu, 17 Apr 2014 12:00:00 +0000\n\n"
        f"Send kvm mailing list submissions to\n\tkvm@x.org\n\nToday's Topics:\n\n   1. [PATCH 1/2] mm: one\n\n\n"
        f"{long}\n\n{shown}Subject: Digest Footer\n\n{'_' * 47}\nkvm mailing list\nkvm@x.org\n\n{rule}\n\n"
        "End of kvm Digest, Vol 1\n"
    )
    series = assemble(read(digest.encode()), where="x")
    assert [(one.number, one.subject, one.author.name) for one in series.patches] == [
        (1, "mm: one", "Jane Doe"),
        (2, "mm: two", "Jane Doe"),
    ]
    assert series.patches[0].diff == PATCH


@pytest.mark.parametrize(
    "above",
    [
        "Original Message\nMessage ID\t<x@y>\nFrom:\tA <a@x.org>\nSubject:\t[PATCH] x\n\nDownload Original\n",
        "Please try this:\n\n",
        "From: Ann Other <ann@x.org>\n\nLook.\n\n",
    ],
)
def test_a_mails_source_below_something_else(above: str) -> None:
    mail = "Delivered-To: me@x.org\nReceived: by x with SMTP id y;\n        Thu, 17 Apr 2014\n" + RAW[0].decode()
    (one,) = assemble(read((above + mail).encode()), where="x").patches
    assert (one.number, one.subject, one.author.name, one.diff) == (1, "mm: one", "Jane Doe", PATCH)


@pytest.mark.parametrize("subject", ["[PATCH] mm: one of the two", "[PATCH] mm: one of the three"])
def test_a_subject_in_the_text_that_a_program_broke_is_as_the_mail_has_it(subject: str) -> None:
    body = f"Subject: [PATCH] mm: one of\nThe two\n\n{ONE.body}"
    (one,) = assemble(read(mbox(replace(ONE, subject=subject, body=body))), where="x").patches
    whole = subject.endswith("two")
    assert one.subject == ("mm: one of the two" if whole else "mm: one of")
    assert one.message.startswith("Why." if whole else "The two\n\nWhy.")
