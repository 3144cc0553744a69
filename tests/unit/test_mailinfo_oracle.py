"""Whole mails, each with one of the oddities that git's own tests of mailinfo (t5100, t4256, t3900) are about: kpt
reads what `git mailinfo` reads, but for the rows of BETTER, which say what and why."""

from __future__ import annotations

import base64
import quopri
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from kpatch_tool.errors import InputError
from kpatch_tool.mail import headers
from kpatch_tool.mail.read import parse
from kpatch_tool.series.reading.diffs import read_message
from kpatch_tool.series.reading.split import split_body, strip_space
from kpatch_tool.series.reading.subject import title

DIFF = b"diff --git a/f b/f\nindex 5626abf..f719efd 100644\n--- a/f\n+++ b/f\n@@ -1,2 +1,2 @@\n one\n-two\n+three\n"
STAT = b" f | 2 +-\n 1 file changed, 1 insertion(+), 1 deletion(-)\n\n"
TAIL = b"---\n" + STAT + DIFF + b"-- \n2.39.5\n"
FROM = b"From: A U Thor <author@example.com>\n"
DATE = b"Date: Fri, 9 Jun 2006 00:44:16 -0700\n"
HEAD = FROM + DATE + b"Subject: [PATCH] a subject\n"
BODY = b"Why.\n\nSigned-off-by: A U Thor <author@example.com>\n" + TAIL
ID = b"0123456789abcdef0123456789abcdef01234567"


def plain(header: bytes = b"", body: bytes = BODY) -> bytes:
    return HEAD + header + b"\n" + body


def declared(charset: str, text: str = "", *, data: bytes = b"", encoding: str = "8bit") -> bytes:
    body = (data or text.encode(charset)) + b"\n" + TAIL
    if encoding == "base64":
        body = base64.encodebytes(body)
    elif encoding == "quoted-printable":
        body = quopri.encodestring(body)
    fields = f"Content-Type: text/plain; charset={charset}\nContent-Transfer-Encoding: {encoding}\n"
    return HEAD + fields.encode() + b"\n" + body


def by(author: bytes) -> bytes:
    return b"From: " + author + b"\n" + DATE + b"Subject: s\n\n" + BODY


def about(subject: bytes) -> bytes:
    return FROM + DATE + b"Subject: " + subject + b"\n\n" + BODY


def parts(*parts: tuple[bytes, bytes], kind: bytes = b"mixed", end: bytes = b"--=-b--\n") -> bytes:
    inner = b"".join(b"--=-b\n" + fields + b"\n" + body for fields, body in parts)
    return (
        HEAD + b"MIME-Version: 1.0\nContent-Type: multipart/" + kind + b';\n boundary="=-b"\n\nskipped\n' + inner + end
    )


TEXT = b"Content-Type: text/plain; charset=utf-8\n"
PATCH = b"Content-Type: text/x-patch\nContent-Disposition: attachment; filename=x.patch\n"
ENCODED = PATCH + b"Content-Transfer-Encoding: base64\n"
FLOWED = b"Content-Type: text/plain; charset=utf-8; format=flowed\n"
STUFFED = TAIL.replace(b"\n ", b"\n  ")

MAILS = {
    # Headers (samples 1-3, 9, 15; comment, quoted-string, info-from, embed-from, quoted-from)
    "plain": plain(),
    "folded subject": about(b"[PATCH] a very\n long\n\tsubject"),
    "subject folded onto nothing": about(b"\n [PATCH] late"),
    "blank continuation": about(b"[PATCH] s\n \n more"),
    "no blank after the colon": HEAD.replace(b": ", b":") + b"\n" + BODY,
    "fields in capitals": HEAD.upper().replace(b"EXAMPLE", b"example") + b"\n" + BODY,
    "field twice": HEAD + b"Subject: the last counts\nFrom: B <b@example.com>\n\n" + BODY,
    "envelope line": b"From author@example.com Fri Jun  9 00:46:20 2006\n" + plain(),
    "quoted envelope line in the header": b"Received: x\n>From nobody Fri Jun  9 00:46:20 2006\n" + plain(),
    "no space in From": by(b"<author@example.com>"),
    "comment": by(b"A (not B) U Thor <author@example.com>"),
    "nested comment": by(b"(a (b \\) \"c\") d) A U Thor <author@example.com>"),
    "address first": by(b"author@example.com (A U Thor)"),
    "quoted pair": by(b'"A \\"quoted\\" U \\\\ Thor" <author@example.com>'),
    "quoted comma": by(b'"Thor, A U" <author@example.com>'),
    "address only": by(b"author@example.com"),
    "local address": by(b"A U Thor <author>"),
    "name too long": by(b"A" * 61 + b" <author@example.com>"),
    "name with an address": by(b'"x@y.org" <author@example.com>'),
    "blanks in From": by(b"A   U\tThor    <author@example.com>   "),
    "Re: and tags": about(b"Re: [PATCH 3/7] [fs] Re: a subject [not this]"),
    "only a tag": about(b"[PATCH]"),
    "tag without end": about(b"[PATCH a subject"),
    "not a header": FROM + DATE + b"Subject: s\nthis is text\n\n" + BODY,
    # RFC 2047 (rfc2047-samples; samples 4-7)
    "Q": about(b"=?ISO-8859-1?Q?Patr=E9_=5Bx=5D?= rest"),
    "B": about(b"=?iso-2022-jp?B?GyRCRnxLXBsoQg==?= rest"),
    "two charsets": about(b"=?ISO-8859-1?Q?a?= =?utf-8?Q?=C3=A9?= c"),
    "words meet": about(b"=?ISO-8859-1?Q?a?==?ISO-8859-1?Q?b?="),
    "character split between words": about(b"=?utf-8?B?w6nD?= =?utf-8?B?qQ==?= x"),
    "words folded": about(b"=?ISO-8859-1?Q?a?=\n\t=?ISO-8859-1?Q?b?="),
    "word between text": about(b"a =?ISO-8859-1?Q?b_c?= d"),
    "word in parentheses": by(b"(=?ISO-8859-1?Q?a?= b) <author@example.com>"),
    "word in quotes": by(b'"=?UTF-8?q?J=C3=B6?= X" <author@example.com>'),
    "comma inside a word": by(b"=?UTF-8?Q?Thor=2C_A?= <author@example.com>"),
    "address inside a word": by(b"=?UTF-8?Q?A_=3Cauthor=40example=2Ecom=3E?="),
    "Q with blanks": about(b"=?utf-8?q?a b c?= d"),
    "tag inside a word": about(b"=?UTF-8?q?=5BPATCH_1/2=5D_x?="),
    "word that holds a word": about(b"=?utf-8?q?=3D=3Futf-8=3Fq=3Fx=3F=3D?="),
    # Transfer encodings and charsets (samples 4-7, 10, 13; t3900; nul-plain, nul-b64, quoted-cr)
    "latin-1": declared("iso-8859-1", "é ü"),
    "latin-1, quoted-printable": declared("iso-8859-1", "é ü = x", encoding="quoted-printable"),
    "utf-8, base64": declared("utf-8", "é 日本", encoding="base64"),
    "iso-2022-jp": declared("iso-2022-jp", "日本語"),
    "euc-jp": declared("euc-jp", "日本語"),
    "gb2312": declared("gb2312", "补丁说明"),
    "big5": declared("big5", "補丁說明", encoding="base64"),
    "koi8-r": declared("koi8-r", "почему"),
    "windows-1251": declared("windows-1251", "почему", encoding="quoted-printable"),
    "windows-1252": declared("windows-1252", "“quotes”"),
    "charset in quotes": plain(b'Content-Type: text/plain; charset="iso-8859-1"\n', b"\xe9\n" + TAIL),
    "QP in lower case, odd codes": plain(
        b"Content-Transfer-Encoding: quoted-printable\n", b"=c3=a9 =3d =zz soft=\n end\n" + TAIL.replace(b"=", b"=3D")
    ),
    "QP with blanks at line ends": plain(
        b"Content-Transfer-Encoding: Quoted-Printable\n", b"a \nb\t\n" + TAIL.replace(b" one", b" one=20")
    ),
    "base64 without padding": plain(
        b"Content-Transfer-Encoding: base64\n",
        base64.encodebytes(b"W" * (3 - len(TAIL) % 3) + b"\n" + TAIL).rstrip(b"=\n"),
    ),
    "base64 with foreign characters": plain(
        b"Content-Transfer-Encoding: base64\n", base64.encodebytes(BODY).replace(b"\n", b"!\n", 2)
    ),
    "base64 in long lines": plain(b"Content-Transfer-Encoding: base64\n", base64.b64encode(BODY) + b"\n"),
    "NUL in the diff": plain(b"", BODY.replace(b"three", b"th\0ree")),
    "latin-1 in the diff of utf-8 text": declared("utf-8", "é").replace(b"three", b"thr\xe9e"),
    "CR inside a line": plain(b"", BODY.replace(b"three", b"th\rree")),
    "U+FEFF in the middle": plain(b"", "Wh\ufeffy\n".encode() + TAIL),
    "no-break space": plain(b"", "Wh\xa0y\n".encode() + TAIL),
    # Multipart (samples 6, 7, 13)
    "two parts": parts((TEXT, b"Why.\n---\n"), (PATCH, DIFF)),
    "patch in base64": parts((TEXT, b"Why.\n---\n"), (ENCODED, base64.encodebytes(DIFF))),
    "quoted-printable part": parts(
        (TEXT + b"Content-Transfer-Encoding: quoted-printable\n", quopri.encodestring("é\n".encode()) + TAIL)
    ),
    "part without fields": parts((b"", BODY)),
    "missing end": parts((TEXT, BODY), end=b""),
    "signed with S/MIME": parts((TEXT, BODY), kind=b"signed; micalg=sha-256"),
    "last blank line of a diff": parts((TEXT, BODY.partition(DIFF)[0] + DIFF.replace(b",2", b",3") + b"\n")),
    # In-body headers (samples 8, 11, 12, 14-18)
    "in-body": plain(
        b"", b"From: In Body <in@body.org>\nSubject: other\nDate: Sat, 27 Apr 2019 12:00:00 +0300\n\n" + BODY
    ),
    "in-body From only": plain(b"", b"From: In Body <in@body.org>\n\n" + BODY),
    "in-body, folded": plain(b"", b"Subject: a very\n  long\n\tone\n\n" + BODY),
    "in-body, encoded and folded": plain(b"", b"From: =?utf-8?q?J=C3=B6?=\n =?utf-8?q?rg?= <j@x.org>\n\n" + BODY),
    "in-body, encoded latin-1": plain(b"", b"Subject: =?ISO-8859-1?Q?=E9?=\n\n" + BODY),
    "in-body without a blank line": plain(b"", b"From: In Body <in@body.org>\n" + BODY),
    "in-body, blank lines around": plain(b"", b"\n\nFrom: In Body <in@body.org>\n\n\n" + BODY),
    "in-body twice": plain(b"", b"From: B <b@x.org>\nFrom: C <c@x.org>\n\n" + BODY),
    "in-body after text": plain(b"", b"Text.\nFrom: B <b@x.org>\n\n" + BODY),
    "in-body, unknown field": plain(b"", b"X-Field: y\nFrom: B <b@x.org>\n\n" + BODY),
    "in-body, unknown field behind": plain(b"", b"From: B <b@x.org>\nX-Field: y\n\n" + BODY),
    "in-body [PATCH]": plain(b"", b"[PATCH] in the body\nFrom: B <b@x.org>\n\n" + BODY),
    "in-body [PATCH] and a blank line": plain(b"", b"[PATCH] in the body\n\nFrom: B <b@x.org>\n\n" + BODY),
    "in-body behind >From ID": plain(b"", b">From " + ID + b" Mon Sep 17 00:00:00 2001\nFrom: B <b@x.org>\n\n" + BODY),
    ">From in the text": plain(b"", b">From here on\n" + BODY),
    "in-body, CR": plain(b"", b"From: B <b@x.org>\r\nSubject: y\r\n\r\n" + BODY),
    # Where the message ends (samples 2, 10, 17)
    "no separator": plain(b"", b"Why.\n" + DIFF),
    "separator with blanks": plain(b"", b"Why.\n---   \nnote\n---\n" + DIFF),
    "dashes that are none": plain(b"", b"Why.\n----\n --- a\n---x\n--\nMore.\n" + TAIL),
    "old patch": plain(b"", b"Why.\n--- a/f\n+++ b/f\n@@ -1,2 +1,2 @@\n one\n-two\n+three\n"),
    "no message": plain(b"", TAIL),
    "only in-body headers": plain(b"", b"Subject: x\n\n" + TAIL),
    "trailing blanks": plain(b"", b"Why. \t \n\n\n\nMore.  \n\n\n" + TAIL),
    # format=flowed (t4256)
    "flowed, nothing to join": plain(FLOWED, BODY.partition(TAIL)[0] + STUFFED),
    "flowed message": plain(FLOWED, b"A long \nsentence \nends.\n  indented\n" + STUFFED),
    "flowed header line of the diff": plain(FLOWED, b"W.\n" + STUFFED.replace(b"a/f b/f", b"a/f \nb/f")),
    "flowed hunk": plain(FLOWED, b"W.\n" + STUFFED.replace(b"+three", b"+three \nfour \nfive")),
    "flowed, delsp": plain(
        FLOWED.replace(b"flowed", b"flowed; delsp=yes"),
        b"a lo \nng w \nord\n" + STUFFED.replace(b"+three", b"+thr \nee"),
    ),
    "flowed in base64": plain(
        FLOWED + b"Content-Transfer-Encoding: base64\n", base64.encodebytes(b"a \nb\n" + STUFFED)
    ),
    "flowed declared in quotes": plain(b'Content-Type: text/plain; format="flowed"\n', b"a \nb\n" + STUFFED),
}  # fmt: skip

# Sample 14 and its like: read with `git mailinfo --scissors`.
REPLY = b"On Monday B wrote:\n> why?\n\nHow about this.\n\n"
SCISSORS = {
    "above a subject": REPLY + b"-- >8 --\nSubject: [PATCH] new\n\n" + BODY,
    "above author and subject": REPLY + b"8< ---------- 8< ----------\nFrom: B <b@x.org>\nSubject: x\n\n" + BODY,
    "above a message": REPLY + b"--- >8 ---\n" + BODY,
    "dashes on one side": REPLY + b">8------\n" + BODY,
    "percent": REPLY + b"-- >% --\n" + BODY,
    "percent, other way": REPLY + b"---%<---\n" + BODY,
    "with words": REPLY + b"- - >8 - - - cut here - - - >8 - -\n" + BODY,
    "in-body headers above": b"Subject: old\n\nHi.\n-- >8 --\nSubject: new\n\n" + BODY,
    "only headers above": b"Subject: old\n-- >8 --\n" + BODY,
    "no scissors: too short": REPLY + b"->8-\n" + BODY,
    "no scissors: mostly words": REPLY + b"see >8 for the whole story of it\n" + BODY,
    "no scissors: mostly blanks": REPLY + b"-     >8     -\n" + BODY,
    "no scissors: no mark": REPLY + b"----------\n" + BODY,
    "below the separator": b"Why.\n---\n-- >8 --\n" + DIFF,
    "below the diff": b"Why.\n" + TAIL + b"-- >8 --\n",
}


@dataclass(frozen=True, slots=True)
class Read:
    """What a reader takes from a mail."""

    name: str
    email: str
    subject: str
    date: str
    message: str


# name -> the mail, what kpt reads of it, and why not as git does
BETTER: dict[str, tuple[bytes, dict[str, str], str]] = {
    "character split between words": (
        about(b"=?gbk?B?yNU=?= =?gbk?B?1w==?= =?gbk?B?0w==?= x"),
        {"subject": "日子 x"},
        "git decodes each word for itself and refuses half a character",
    ),
    "nested": (
        parts(
            (b'Content-Type: multipart/mixed; boundary="in"\n', b"--in\n" + TEXT + b"\nWhy.\n--in--\n"), (PATCH, TAIL)
        ),
        {"message": "Why."},
        "git takes the first inner boundary for text",
    ),
    "CRLF": (
        plain().replace(b"\n", b"\r\n"),
        {},
        "git's mailinfo leaves a CR on every line of the diff",
    ),
    "unknown charset of a word": (
        by(b"=?x-unknown?q?J=C3=B6?= <author@example.com>"),
        {"name": "Jö"},
        "git refuses the mail",
    ),
    "unknown charset": (
        plain(b"Content-Type: text/plain; charset=x-unknown\n", "é\n".encode() + TAIL),
        {"message": "é"},
        "git refuses the mail",
    ),
    "two parameters in one quote": (
        plain(b'Content-Type: text/plain; charset="utf-8; format=flowed"\n', "é \ny\n".encode() + STUFFED),
        {"message": "é y"},
        "git takes all of it for a charset and refuses the mail",
    ),
    "utf-8 declared latin-1": (
        plain(b"Content-Type: text/plain; charset=iso-8859-1\n", "é\n".encode() + TAIL),
        {"message": "é"},
        "git believes the label: Ã©",
    ),
    "latin-1 declared utf-8": (
        plain(b"Content-Type: text/plain; charset=utf-8\n", b"\xe9\n" + TAIL),
        {"message": "é"},
        "git keeps the byte, which is no UTF-8",
    ),
    "latin-1 declared us-ascii": (
        plain(b"Content-Type: text/plain; charset=us-ascii\n", b"\xe9\n" + TAIL),
        {"message": "é"},
        "git refuses the mail",
    ),
    "windows-1252 declared latin-1": (
        plain(b"Content-Type: text/plain; charset=iso-8859-1\n", b"\x93x\x94\n" + TAIL),
        {"message": "“x”"},
        "git makes control characters of them",
    ),
    "gbk characters declared gb2312": (
        plain(b"Content-Type: text/plain; charset=gb2312\n", "镕\n".encode("gbk") + TAIL),
        {"message": "镕"},
        "git refuses what is not in the older table",
    ),
    "raw gbk in the header": (
        b"From: " + "王五".encode("gbk") + b" <author@example.com>\n" + DATE
        + b"Subject: s\nContent-Type: text/plain; charset=gbk\n\n" + BODY,
        {"name": "王五"},
        "git keeps the bytes",
    ),
    "utf-7": (
        plain(b"Content-Type: text/plain; charset=utf-7\n", BODY.replace(b"+", b"+-").replace(b"Why", b"+AOk-")),
        {"message": "é.\n\nSigned-off-by: A U Thor <author@example.com>"},
        "git leaves the diff in UTF-7",
    ),
    "utf-16": (
        plain(
            b"Content-Type: text/plain; charset=utf-16\nContent-Transfer-Encoding: base64\n",
            base64.encodebytes(("é\n" + TAIL.decode()).encode("utf-16")),
        ),
        {"message": "é"},
        "git looks for line ends in bytes",
    ),
    "U+FEFF first": (
        plain(b"", b"\xef\xbb\xbfFrom: In Body <in@body.org>\n\n" + BODY),
        {"name": "In Body", "email": "in@body.org"},
        "git does not see the header behind the mark",
    ),
    "control characters in the subject": (
        about(b"[PATCH] a\x1b[31m \x00b\x07 =?utf-8?q?=EF=BB=BF?="),
        {"subject": "a [31m b"},
        "git keeps them, and refuses NUL",
    ),
    "a name without an address": (by(b"A U Thor"), {"name": "A U Thor", "email": ""}, "git has nobody"),
    "base64 with CRLF": (
        plain(b"Content-Transfer-Encoding: base64\n", base64.encodebytes(BODY.replace(b"\n", b"\r\n"))),
        {},
        "git leaves a CR on every line of the diff unless told --quoted-cr=strip",
    ),
    "soft line end with a blank": (
        plain(b"Content-Transfer-Encoding: quoted-printable\n", b"a= \nb\n" + TAIL),
        {"message": "ab"},
        "git takes `= ` for text (RFC 2045, 6.7 (3): the blank was added on the way)",
    ),
    "From ID unquoted in the text": (
        plain(b"", b"From " + ID + b" Mon Sep 17 00:00:00 2001\nFrom: B <b@x.org>\nSubject: y\n\n" + BODY),
        {"name": "B", "email": "b@x.org", "subject": "y"},
        "git wants the > that mboxrd's reader took off",
    ),
    "a whole file in the text": (
        plain(
            b"",
            b"From " + ID + b" Mon Sep 17 00:00:00 2001\nFrom: B <b@x.org>\nSubject: y\nMIME-Version: 1.0\n"
            b"Content-Type: text/plain;\n charset=UTF-8\n\n" + BODY,
        ),
        {"name": "B", "email": "b@x.org", "subject": "y"},
        "git takes it all for the message",
    ),
    "signed in the clear": (
        plain(
            b"",
            b"-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA512\n\n"
            + BODY.replace(b"\n-", b"\n- -")
            + b"-----BEGIN PGP SIGNATURE-----\n\nabc\n-----END PGP SIGNATURE-----\n",
        ),
        {},
        "git keeps the armour and the escaped dashes",
    ),
    "alternative in HTML": (
        parts((TEXT, BODY), (b"Content-Type: text/html\n", b"<p>Why.</p>\n"), kind=b"alternative"),
        {},
        "git puts the HTML below the diff",
    ),
    "HTML first": (
        parts((b"Content-Type: text/html\n", b"<p>Why.</p>\n"), (TEXT, BODY), kind=b"alternative"),
        {},
        "git puts the HTML into the message",
    ),
    "signature above an attached patch": (
        parts((TEXT, b"Why.\n\n-- \nA U Thor\n"), (PATCH, DIFF)),
        {"message": "Why."},
        "git puts it into the message",
    ),
    "picture": (
        parts((TEXT, b"Why.\n"), (b"Content-Type: image/png\n", b"\x89PNG\n"), (PATCH, DIFF)),
        {"message": "Why."},
        "git puts it into the message",
    ),
    "footer behind base64": (
        plain(
            b"Content-Transfer-Encoding: base64\n",
            base64.encodebytes(BODY.replace(b"-- \n2.39.5\n", b"")) + b"_" * 47 + b"\nlist mailing list\nlist@x.org\n",
        ),
        {},
        "git decodes it as base64",
    ),
    "other boundary than declared": (
        parts((TEXT, BODY)).replace(b'boundary="=-b"', b'boundary="=-other"'),
        {"message": "Why.\n\nSigned-off-by: A U Thor <author@example.com>"},
        "git finds no part",
    ),
    "quoted flowed lines": (
        plain(FLOWED, b"> a \n> b\nc \nd\n" + STUFFED),
        {"message": "> a b\nc d"},
        "git leaves the mark in the middle of the line",
    ),
    "flowed declared, not applied": (
        plain(FLOWED, b"Why.\n" + TAIL.replace(b" one\n", b" one \n")),
        {"message": "Why."},
        "git joins lines of the diff that end in a blank of their own",
    ),
}  # fmt: skip


def mailinfo(mail: bytes, where: Path, *options: str) -> tuple[Read | None, bytes]:
    """What git reads, None where it refuses; and the patch."""
    command = ["git", "mailinfo", "-u", *options, "m", "p"]
    done = subprocess.run(command, input=mail, cwd=where, capture_output=True, check=False)
    if done.returncode:
        return None, b""
    said = dict(line.split(": ", 1) for line in done.stdout.decode("utf-8", "replace").splitlines() if ": " in line)
    message = strip_space((where / "m").read_bytes().decode("utf-8", "replace"))
    author, email, subject = (said.get(key, "") for key in ("Author", "Email", "Subject"))
    date = str(headers.date(said.get("Date", "").strip()))
    return Read(author, email, subject, date, message), (where / "p").read_bytes()


def ours(mail: bytes) -> tuple[Read, bytes]:
    message = next(parse(mail, "x"))
    try:
        split = read_message(message, where="x").parts
    except InputError:
        split = split_body(message.body, message.charset)
    inbody = split.inbody
    author = headers.address(inbody["from"]) if "from" in inbody else message.author
    date = headers.date(inbody["date"]) if "date" in inbody else message.date
    subject = title(inbody.get("subject") or message.subject)
    return Read(author.name, author.email, subject, str(date), split.message), split.diff


def agrees(mail: bytes, where: Path, *options: str) -> None:
    theirs, patch = mailinfo(mail, where, *options)
    read, diff = ours(mail)
    assert read == theirs
    assert b"\n+" in diff
    assert diff in patch
    assert patch.partition(diff)[2].strip(b"\n").removeprefix(b"-- \n2.39.5").strip() in (b"", b"-- >8 --")


@pytest.mark.parametrize("name", MAILS)
def test_read_as_git_reads_it(name: str, tmp_path: Path) -> None:
    agrees(MAILS[name], tmp_path)


@pytest.mark.parametrize("name", SCISSORS)
def test_cut_where_git_cuts(name: str, tmp_path: Path) -> None:
    agrees(plain(b"", SCISSORS[name]), tmp_path, "--scissors")


@pytest.mark.parametrize("name", BETTER)
def test_read_better_than_git_reads_it(name: str, tmp_path: Path) -> None:
    mail, wanted, why = BETTER[name]
    assert why
    read, diff = ours(mail)
    whole = {"name": "A U Thor", "email": "author@example.com"}
    assert {key: getattr(read, key) for key in {**whole, **wanted}} == {**whole, **wanted}
    assert diff == DIFF.replace(b" one", b" one " if "not applied" in name else b" one")
    theirs, patch = mailinfo(mail, tmp_path)
    same_patch = diff in patch and patch.partition(diff)[2].strip().removeprefix(b"-- \n2.39.5").strip() == b""
    assert theirs != read or not same_patch, "git reads it so by now: move it to MAILS"
