"""Any bytes give a result or one line of error, in bounded time."""

from __future__ import annotations

import time

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kpatch_tool.errors import InputError
from kpatch_tool.mail import headers
from kpatch_tool.mail.read import SourceFile, read_files
from kpatch_tool.series import files, subject, trailers
from kpatch_tool.series.assemble import assemble
from kpatch_tool.series.split import split_body
from kpatch_tool.series.view import document, patch_text, text
from tests.mail_fixtures import DIFF, Mail, linuxlists, mbox, patch

PIECES = [
    b"\n",
    b"\r\n",
    b" ",
    b"\t",
    b"\x00",
    b"\xff\xfe",
    b"\xc2\xa0",
    b"From mboxrd@z Thu Jan  1 00:00:00 1970\n",
    b"From: Jane <jane@example.org>\n",
    b"Subject: [PATCH v2 1/2] x\n",
    b"Subject: Re: [PATCH 1/2] x\n",
    b"Date: Thu, 17 Apr 2014 09:05:45 +0000\n",
    b"Message-ID: <a@b>\n",
    b"In-Reply-To: <a@b>\n",
    b"Content-Type: multipart/mixed; boundary=b\n",
    b"Content-Type: text/plain; charset=hex; format=flowed; delsp=yes\n",
    b"Content-Type: message/rfc822\n",
    b"Content-Transfer-Encoding: base64\n",
    b"Content-Transfer-Encoding: quoted-printable\n",
    b"--b\n",
    b"--b--\n",
    b"---\n",
    b"-- \n2.39\n",
    b"=?utf-8?q?=C3?=",
    b"2014-04-17 09:05:45\n\nby Jane\n\n[permalink] [raw]\nSubject: [PATCH] x\n\n",
    b"Reviewed-by: Jane <jane@example.org>\n",
    b"> quoted\n",
    DIFF.encode(),
    DIFF[:90].encode(),
    mbox(patch("[PATCH 1/1] x", "p")),
    linuxlists(Mail("[PATCH 1/1] x", "W.\n---\n" + DIFF)),
]
INPUTS = st.one_of(
    st.binary(max_size=400),
    st.lists(st.one_of(st.sampled_from(PIECES), st.binary(max_size=12)), max_size=14).map(b"".join),
)


def whole(data: bytes) -> None:
    try:
        series = assemble(read_files([SourceFile("x", data)], where="x").messages, where="x")
    except InputError as error:
        assert "\n" not in error.line()
        return
    document(series)
    list(text(series))
    for one in series.patches:
        list(patch_text(series, one))
        files.patch_text(one, series.revision, series.total)


@settings(max_examples=400, deadline=2000, suppress_health_check=[HealthCheck.too_slow])
@given(INPUTS)
def test_any_bytes(data: bytes) -> None:
    whole(data)


@settings(max_examples=150, deadline=2000)
@given(st.integers(0, 10**6), st.integers(0, 3), st.binary(max_size=3))
def test_a_thread_cut_or_changed_anywhere(at: int, lost: int, put: bytes) -> None:
    data = mbox(Mail("[PATCH 0/1] c", "t\n", "c"), patch("[PATCH 1/1] x", "p", reply_to="c"))
    at %= len(data)
    whole(data[:at] + put + data[at + lost :])
    whole(data[:at])


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
        start = time.perf_counter()
        whole(piece * (300_000 // len(piece)))
        assert time.perf_counter() - start < 15, piece
