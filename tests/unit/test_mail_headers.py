"""The header of a mail."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from kpatch_tool.mail import headers
from kpatch_tool.mail.message import Address


def test_split_unfolds_and_keeps_order() -> None:
    fields, body = headers.split(b"From a@b Mon\nSubject: one\n two\nReceived: x\nreceived: y\n\nbody\n")
    assert fields["received"] == [b"x", b"y"]
    assert headers.text(fields, "subject") == "one two"
    assert body == b"body\n"


def test_a_line_that_is_no_field_belongs_to_the_body() -> None:
    fields, body = headers.split(b"Subject: s\nnot a field\nFrom: x\n")
    assert (sorted(fields), body) == (["subject"], b"not a field\nFrom: x\n")


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b"plain", "plain"),
        (b"=?UTF-8?q?caf=C3=A9_au?= lait", "café au lait"),
        (b"=?UTF-8?B?Y2Fmw6k=?=", "café"),
        (b"=?utf-8?q?a?= =?utf-8?q?b?=", "ab"),
        (b"=?utf-8?q?a?=\n =?iso-8859-1?q?=E9?= c", "aé c"),
        # A character split between two words, as some senders do.
        (b"=?utf-8?B?w6nD?= =?utf-8?B?qQ==?=", "éé"),
        (b"=?gb2312?B?yNXX09M=?= x", "日子"),
        (b"=?utf-8*en?q?x?=", "x"),
        (b"=?nonsense?q?x=E9?=", "xé"),
        (b"raw \xe9", "raw é"),
        (b"=?utf-8?q?unfinished", "=?utf-8?q?unfinished"),
        (b"x =?utf-8?q?y?= z", "x y z"),
    ],
)
def test_rfc_2047(raw: bytes, text: str) -> None:
    assert headers.decode_words(raw).startswith(text)


@pytest.mark.parametrize(
    ("value", "name", "email"),
    [
        ("Jane Doe <jane@example.org>", "Jane Doe", "jane@example.org"),
        ('"Doe, Jane" <jane@example.org>', "Doe, Jane", "jane@example.org"),
        ("jane@example.org (Jane Doe)", "Jane Doe", "jane@example.org"),
        ("Jane (x) Doe <jane@example.org> (work)", "Jane (x) Doe (work)", "jane@example.org"),
        ("jane@example.org", "jane@example.org", "jane@example.org"),
        ("Jane Doe", "Jane Doe", ""),
        ("Jane Doe <jane>", "Jane Doe", "jane"),
        ('Jane "without end Doe <jane@example.org>', "Jane without end Doe", "jane@example.org"),
        ("Jane (without end Doe <jane@example.org>", "Jane (without end Doe", "jane@example.org"),
        ('(a "b" (c) \\) d) Jane <jane@example.org>', '(a "b" (c) ) d) Jane', "jane@example.org"),
        ("", "", ""),
    ],
)
def test_address(value: str, name: str, email: str) -> None:
    assert headers.address(value) == Address(name, email)


def test_dates() -> None:
    assert headers.date("Thu, 17 Apr 2014 17:05:45 +0800") == datetime(
        2014, 4, 17, 17, 5, 45, tzinfo=timezone(timedelta(hours=8))
    )
    assert headers.date("Thu, 17 Apr 2014 09:05:45 GMT") == datetime(2014, 4, 17, 9, 5, 45, tzinfo=UTC)
    for unreadable in ("", "yesterday", "Thu, 99 Apr 2014 09:05:45 +0000", "Thu, 1 Apr 2014 09:05:45 +9999999"):
        assert headers.date(unreadable) is None


@pytest.mark.parametrize(
    ("data", "charset", "text"),
    [
        ("é".encode(), "", "é"),
        (b"\xe9", "", "é"),
        (b"\xe9", "utf-8", "é"),
        ("é".encode(), "us-ascii", "é"),
        ("日".encode("gbk"), "gb2312", "日"),
        ("日".encode("iso2022_jp"), "iso-2022-jp", "日"),
        (b"x", "no-such-charset", "x"),
        (b"x", "hex", "x"),
        (b"x", "idna", "x"),
        (b"x", "nul\x00l", "x"),
    ],
)
def test_charsets(data: bytes, charset: str, text: str) -> None:
    assert headers.decode(data, charset) == text


def test_broken_base64_gives_what_it_can() -> None:
    assert headers.decode_base64(b"Y2Fm\nw6k") == "café".encode()
    assert headers.decode_base64(b"Y") == b""
