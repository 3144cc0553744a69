"""Any bytes give a result or one line of error, in bounded time."""

from __future__ import annotations

import base64
import quopri

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kpatch_tool.mail import headers
from kpatch_tool.mail.read import parse
from kpatch_tool.series.directory import files
from kpatch_tool.series.people import trailers
from kpatch_tool.series.reading import subject
from kpatch_tool.series.reading.diffs import read_message
from kpatch_tool.series.reading.split import split_body
from tests.clock import within
from tests.fuzz.inputs import PIECES
from tests.fuzz.targets import mail
from tests.mail_fixtures import Mail, mbox, patch

INPUTS = st.one_of(
    st.binary(max_size=400),
    st.lists(st.one_of(st.sampled_from(PIECES), st.binary(max_size=12)), max_size=14).map(b"".join),
)


@settings(max_examples=400, deadline=2000, suppress_health_check=[HealthCheck.too_slow])
@given(INPUTS)
def test_any_bytes(data: bytes) -> None:
    mail(data)


@settings(max_examples=150, deadline=2000)
@given(st.integers(0, 10**6), st.integers(0, 3), st.binary(max_size=3))
def test_a_thread_cut_or_changed_anywhere(at: int, lost: int, put: bytes) -> None:
    data = mbox(Mail("[PATCH 0/1] c", "t\n", "c"), patch("[PATCH 1/1] x", "p", reply_to="c"))
    at %= len(data)
    mail(data[:at] + put + data[at + lost :])
    mail(data[:at])


@settings(max_examples=200, deadline=1000)
@given(st.text(max_size=80), st.binary(max_size=80))
def test_the_small_parts(words: str, data: bytes) -> None:
    subject.parse(words)
    headers.address(words)
    headers.date(words)
    headers.decode_words(data)
    headers.decode(data, words)
    trailers.of_message(words)
    split_body(data, "")
    files.encoded(words)


def test_long_inputs_take_linear_time() -> None:
    for piece in PIECES:
        with within(15):
            mail(piece * (300_000 // len(piece)))


# A patch in all the clothes that mail programs and lists give it comes out as it was sent.
LINES = st.text(st.characters(exclude_characters="\n\r", exclude_categories=["Cs"]), max_size=60)
CHARSETS = ("utf-8", "iso-8859-1", "koi8-r", "gb18030", "big5", "euc-jp", "utf-7", "utf-16", "us-ascii", "x-unknown")
FOOTERS = (
    b"",
    b"-- \n2.39.5\n",
    b"_" * 47 + b"\nlist mailing list\nlist@example.org\n",
    b'--\nTo unsubscribe from this list: send the line "unsubscribe x" in\n',
)


def encoded(data: bytes, encoding: str) -> bytes:
    if encoding == "base64":
        return base64.encodebytes(data)
    return quopri.encodestring(data) if encoding == "quoted-printable" else data


@settings(max_examples=250, deadline=2000)
@given(
    lines=st.lists(LINES, min_size=1, max_size=6),
    charset=st.sampled_from(CHARSETS),
    encoding=st.sampled_from(["8bit", "base64", "quoted-printable"]),
    footer=st.sampled_from(FOOTERS),
    shape=st.sampled_from(["plain", "signed", "nested", "attached", "crlf"]),
)
def test_a_patch_comes_out_as_it_was_sent(
    lines: list[str], charset: str, encoding: str, footer: bytes, shape: str
) -> None:
    added = "".join(f"+{line}\n" for line in lines)
    known = charset not in ("x-unknown", "us-ascii")
    codec = charset if known and added.encode(charset, "replace").decode(charset, "replace") == added else "utf-8"
    label = charset if codec == charset or not known else codec
    diff = f"diff --git a/f b/f\n--- a/f\n+++ b/f\n@@ -1 +1,{len(lines) + 1} @@\n same\n{added}".encode(codec)
    wide = codec in ("utf-7", "utf-16")  # what is no superset of ASCII is converted whole
    text = "Why.\n---\n".encode(codec) + (diff.removeprefix(b"\xff\xfe") if codec == "utf-16" else diff)
    wanted = diff.decode(codec).encode() if wide else diff
    if not wide:
        text += footer
    if shape == "crlf":
        text = text.replace(
            "\n".encode(codec.replace("utf-16", "utf-16-le")), "\r\n".encode(codec.replace("utf-16", "utf-16-le"))
        )
    if codec == "utf-16" and encoding == "8bit":
        encoding = "base64"
    part = f"Content-Type: text/plain; charset={label}\nContent-Transfer-Encoding: {encoding}\n\n".encode()
    part += encoded(text, encoding)
    raw = b"From: A <a@b.c>\nSubject: [PATCH] x\n" + dressed(part, shape)
    reading = read_message(next(parse(raw, "x")), where="x")
    assert reading.parts.diff == wanted
    assert reading.parts.message == "Why."


def dressed(part: bytes, shape: str) -> bytes:
    if shape in ("plain", "crlf"):
        return part
    signature = b"\n--B\nContent-Type: application/pgp-signature\n\n-----BEGIN PGP SIGNATURE-----\n--B--\n"
    signed = b"Content-Type: multipart/signed; boundary=B\n\n--B\n" + part + signature
    if shape == "signed":
        return signed
    outer = b'Content-Type: multipart/mixed; boundary="=_o"\n\npreamble\n--=_o\n'
    if shape == "nested":
        return outer + signed + b"\n--=_o\nContent-Type: text/plain\n\nfooter\n--=_o--\n"
    return outer + b"Content-Disposition: attachment; filename=x.patch\n" + part + b"\n--=_o--\n"
