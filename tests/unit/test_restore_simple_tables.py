"""Simple tables of reStructuredText: rows have their cells below the columns of the border."""

from __future__ import annotations

from dataclasses import replace

import pytest

from kpatch_tool.restore.readings.search import Bound
from kpatch_tool.restore.style import simple_tables
from kpatch_tool.restore.style.gaps import render
from kpatch_tool.restore.styled import restore_file
from tests.clock import within
from tests.restoring import changed, damaged

BORDER = b"  =======  ========  =============="


@pytest.mark.parametrize(
    "row",
    [
        b"  -EINVAL  (int64)   a flag is wrong",
        b"  exactly  8 bytes   and a remark",
        b"  a b      c         d",
    ],
)
def test_cells_stand_below_the_columns_of_the_border(row: bytes) -> None:
    table = simple_tables.open_table([b"Errors:", b"", BORDER])
    assert table is not None
    found = simple_tables.cells(tuple(row.split()), table)
    assert row in [render(row.split(), b"  ", chosen) for _, chosen in found[:3]]
    assert sum(share for share, _ in found) < 1.0


def test_wide_characters_take_two_columns() -> None:
    border = b"=" * 19 + b" " + b"=" * 15 + b" " + b"=" * 12
    row = "可移植的0           含义            跨调用保持".encode()
    table = simple_tables.open_table([border])
    assert table is not None
    assert [simple_tables.shown(part) for part in row.split()] == [9, 4, 10]
    assert render(row.split(), b"", simple_tables.cells(tuple(row.split()), table)[0][1]) == row


def test_a_row_that_goes_on_begins_at_a_later_column_with_single_blanks() -> None:
    table = simple_tables.open_table([BORDER, b"  -EINVAL  (int64)   a flag is"])
    assert table is not None
    words = tuple(b"not known here".split())
    starts = simple_tables.starts(words, [BORDER, b"  -EINVAL  (int64)   a flag is"], table)
    assert {b"  ", b" " * 11, b" " * 21, b"\t\t     "} <= set(starts)
    share, chosen = simple_tables.cells(words, table)[0]
    assert share > 0.5 and render(words, b" " * 21, chosen) == b" " * 21 + b"not known here"


@pytest.mark.parametrize("above", [[], [b"text"], [BORDER, b""], [b"======="], [b"a = b"]])
def test_elsewhere_no_table_is_open(above: list[bytes]) -> None:
    assert simple_tables.open_table(above) is None


def test_a_border_is_as_the_one_above_and_as_wide_everywhere() -> None:
    words = BORDER.split()
    assert simple_tables.is_border(words) and not simple_tables.is_border([b"====="])
    ((_, chosen),) = simple_tables.border(words, [BORDER, b"  row", b""])
    assert render(words, b"  ", chosen) == BORDER
    first = [render(words, b"  ", chosen) for _, chosen in simple_tables.border(words, [])]
    assert first[1] == BORDER and len(first) == 6


def test_a_new_table_is_found_by_its_blob_id() -> None:
    base = b"Lamps\n=====\n\nErrors:\n\nEnd.\n"
    table = b"  =======  =====================\n  -EINVAL  the lamp is not known\n  -EBUSY   it is lit\n"
    new = base.replace(b"End.", table + b"  =======  =====================\n\nEnd.")
    file = replace(changed(base, new), old_path="lamps.rst", new_path="lamps.rst")
    assert restore_file(damaged(file), base, Bound(readings=2_000)).proven


def test_a_row_of_many_words_under_many_columns_takes_no_time() -> None:
    table = simple_tables.open_table([b"  ".join([b"=" * 60] * 12)])
    assert table is not None
    with within(5.0):
        simple_tables.cells((b"ab",) * 30, table)
