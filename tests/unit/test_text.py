"""Foreign text on its way to a terminal."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kpatch_tool.mail.message import Address
from kpatch_tool.report import mailbox
from kpatch_tool.series.mailboxes.listing import Listed
from kpatch_tool.series.model import Series
from kpatch_tool.series.views.view import table
from kpatch_tool.text import cut, plural, printable, printable_bytes, some_of, width


@pytest.mark.parametrize(
    ("given_text", "shown"),
    [
        ("KVM: MMU: flush", "KVM: MMU: flush"),
        ("Zażółć 漢字 é", "Zażółć 漢字 é"),
        ("\x1b[31mred\x1b]0;title\x07", "\\x1b[31mred\\x1b]0;title\\x07"),
        ("\u202egnp.exe", "\\u202egnp.exe"),
        ("a\u200bb\ufeff", "a\\u200bb\\ufeff"),
        ("\x9b2J", "\\x9b2J"),
        ("one\ntwo\r\n", "one\\x0atwo\\x0d\\x0a"),
        ("\udcff", "\\udcff"),
        ("\U000e0041", "\\U000e0041"),
        ("x\U000e0130\ufe01", "x\\U000e0130\\ufe01"),  # variation selectors, 256 of which make a byte each
        ("a\ufff0", "a\\ufff0"),
        ("\u26a0\ufe0f \u2705", "\u26a0\ufe0f \u2705"),
    ],
)
def test_a_line(given_text: str, shown: str) -> None:
    assert printable(given_text) == shown


def test_lines_keep_their_layout() -> None:
    assert printable("\tif (x)\r\n\x1b[1mbold\rover", lines=True) == "\tif (x)\n\\x1b[1mbold\\x0dover"


def test_bytes_of_either_encoding() -> None:
    assert printable_bytes("é".encode()) == "é"
    assert printable_bytes(b"\xe9\x1b") == "é\\x1b"


@given(st.text())
def test_nothing_invisible_gets_through(text: str) -> None:
    shown = printable(text)
    shown.encode()
    assert not [c for c in shown if unicodedata.category(c) in {"Cc", "Cs", "Zl", "Zp"}]
    assert not [c for c in shown if unicodedata.bidirectional(c) in {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI"}]
    assert printable(shown) == shown


def test_plural() -> None:
    assert [plural(1, "patch", "patches"), plural(3, "patch", "patches"), plural(0, "case")] == [
        "1 patch",
        "3 patches",
        "0 cases",
    ]


def test_some_names_of_many_in_a_message() -> None:
    names = [f"tree-{number}" for number in range(100)]
    assert some_of(names[:3], "x", others="kpt tree list") == "tree-0, tree-1, tree-2"
    said = some_of(names, "tre-42", others="kpt tree list")
    assert "tree-42" in said and said.endswith(", and 92 more (`kpt tree list`)")


@pytest.mark.parametrize(
    ("line", "most", "shown"),
    [
        ("KVM: MMU: flush", 15, "KVM: MMU: flush"),
        ("KVM: MMU: flush", 14, "KVM: MMU: f..."),
        ("漢字漢字", 8, "漢字漢字"),
        ("漢字漢字", 7, "漢字..."),
        ("漢字漢字", 6, "漢..."),
        ("e\u0301tat", 4, "e\u0301tat"),
        ("x e\u0301tats", 6, "x e\u0301..."),
    ],
)
def test_a_line_is_cut_by_the_columns_it_takes(line: str, most: int, shown: str) -> None:
    assert cut(line, most) == shown
    assert width(shown) <= most


def test_columns_of_a_list_stand_below_one_another() -> None:
    titles, names = ("標題" * 20, "mm: a thing", "é" * 60), ("漢字" * 6, "Jané", "J" * 30)
    listed = [
        Listed(1, title, 1, Address(name, ""), None, (1,), 1, False, "", (), 0.0)
        for title, name in zip(titles, names, strict=True)
    ]
    *rows, _ = mailbox.lines(listed, 3)
    starts = {width(row[: row.index(title[:2])]) for row, title in zip(rows, titles, strict=True)}
    assert len(starts) == 1
    assert max(map(width, rows)) <= 80


def test_a_title_of_wide_letters_fits_the_list_of_series() -> None:
    series = Series("a-name", "標題" * 40, 1, 1, None, (), (), ())
    (row,) = table([series])
    assert width(row) in (79, 80)
