"""What gateways, companies and mail programs do to mails on their way, and the mailboxes they are kept in."""

from __future__ import annotations

import base64
import quopri
import time

import pytest

from kpatch_tool.errors import InputError
from kpatch_tool.mail.footers import BANNERS, banner_end
from kpatch_tool.mail.message import Address, Message
from kpatch_tool.mail.read import parse
from kpatch_tool.mail.transfer import decoded
from kpatch_tool.mail.unpack import unpacked
from kpatch_tool.series.assemble import assemble
from kpatch_tool.series.subject import parse as parse_subject
from tests.mail_fixtures import DIFF, mbox, patch

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
        b"External sources of the clock are ignored.\n\nSo.\n",
        b"[Public] keys are read.\n\nSo.\n",
        b"CAUTION: This email originated from outside of the organization.\n",  # nothing follows it
    ],
)
def test_what_only_looks_like_a_banner(text: bytes) -> None:
    assert banner_end(text) == 0


def test_banners_take_linear_time() -> None:
    assert len(BANNERS) == 2
    start = time.process_time()
    for line in (b"\n", b"[Public]\n", b"caution email links\n", b"[* ", b"external " * 30 + b"\n"):
        banner_end(line * (300_000 // len(line)))
    assert time.process_time() - start < 3


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
