"""Rows of grid tables get their columns from the borders."""

from __future__ import annotations

import pytest

from kpatch_tool.restore.style.gaps import render
from kpatch_tool.restore.style.grids import in_grid

WIDE, NARROW = b"+-----+----------+", b"+-----+----+-----+"


@pytest.mark.parametrize(
    ("above", "below", "row"),
    [
        ([WIDE], [WIDE], b"| one | two      |"),
        ([WIDE, b"| one | two      |"], [], b"|     | and more |"),
        ([], [b"| a | |", WIDE], b"| one | two      |"),
        ([WIDE], [NARROW], b"| one | 2  | 3   |"),
        ([NARROW], [b"| one |"], b"|     +----+-----+"),
        ([b"  " + WIDE], [], b"|     | and more |"),
    ],
)
def test_bars_stand_below_those_of_the_border(above: list[bytes], below: list[bytes], row: bytes) -> None:
    found = in_grid(row.split(), above, below)
    assert found is not None
    assert render(row.split(), b"", found) == row


@pytest.mark.parametrize(
    ("above", "row"),
    [([], b"| one |"), ([WIDE], b"text"), ([WIDE, b""], b"| one | two |"), ([WIDE], b"| far too long | two |")],
)
def test_other_lines_are_left_alone(above: list[bytes], row: bytes) -> None:
    assert in_grid(row.split(), above, []) is None
