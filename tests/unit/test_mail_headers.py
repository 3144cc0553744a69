"""The header of a mail."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

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


_MOMENT = datetime(2024, 1, 1, 9, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "moment", "hours"),  # what git reads of each: git commit --date, git log --format=%ad
    [
        ("Mon, 1 Jan 2024 10:00:00 +0100", _MOMENT, 1),
        ("Mon, 1 Jan 2024 09:00:00 GMT", _MOMENT, 0),
        ("Mon, 1 Jan 2024 10:00:00 +01:00", _MOMENT, 1),
        ("Mon, 1 Jan 2024 10:00:00 +01:00 (CET)", _MOMENT, 1),
        ("Mon, 1 Jan 2024 10:00:00 GMT+0100", _MOMENT, 1),
        ("Mon, 1 Jan 2024 04:00:00 UTC-05:00", _MOMENT, -5),
        ("1 Jan 2024 10:00:00 CET", _MOMENT, 1),
        ("1 Jan 2024 11:00:00 CEST", _MOMENT, 2),
        ("1 Jan 2024 11:00:00 cest", _MOMENT, 2),
        ("1 Jan 2024 11:00:00 (CEST)", _MOMENT, 2),
        ("Mon, 1 Jan 2024 18:00:00 JST", _MOMENT, 9),
        ("Mon, 1 Jan 2024 10:00:00 BST", _MOMENT, 1),
        ("Mon, 1 Jan 2024 22:00:00 NZDT", _MOMENT, 13),
        ("Mon Jan 1 11:00:00 CEST 2024", _MOMENT, 2),
        ("Mon Jan 1 11:00:00 2024 +02:00", _MOMENT, 2),
        ("2024-01-01 10:00:00 +0100", _MOMENT, 1),
        ("2024-01-01T10:00:00+01:00", _MOMENT, 1),
        ("2024-01-01T10:00:00.5+01:00", _MOMENT, 1),
        ("2024-01-01T09:00:00Z", _MOMENT, 0),
        ("2024-01-01 10:00 CET", _MOMENT, 1),
        ("1704099600 +0100", _MOMENT, 1),
        ("@1704099600 +0100", _MOMENT, 1),
        ("1704099600", _MOMENT, 0),
        ("@0 +0000", datetime(1970, 1, 1, tzinfo=UTC), 0),
        ("Sat, 31 Dec 2016 23:59:60 +0000", datetime(2017, 1, 1, tzinfo=UTC), 0),
        ("2016-12-31T23:59:60+01:00", datetime(2016, 12, 31, 23, tzinfo=UTC), 1),
        # A zone that nobody knows is UTC for kpt, for git the reader's own.
        ("Mon, 1 Jan 2024 09:00:00 XYZ", _MOMENT, 0),
        ("Mon, 1 Jan 2024 09:00:00", _MOMENT, 0),
    ],
)
def test_dates(value: str, moment: datetime, hours: int) -> None:
    read = headers.date(value)
    assert read is not None
    assert (read, read.utcoffset()) == (moment, timedelta(hours=hours))


@pytest.mark.parametrize(
    "value",
    [
        "", "yesterday", "Thu, 99 Apr 2014 09:05:45 +0000", "Thu, 1 Apr 2014 09:05:45 +9999999", "2024-13-01 10:00:00",
        "Fri, 31 Dec 9999 23:59:60 +0000", "999999999999 +0000", "@1704099600 +9900",
        "201405061200", "20140506120000",
    ],
)  # fmt: skip
def test_no_dates(value: str) -> None:
    assert headers.date(value) is None


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
