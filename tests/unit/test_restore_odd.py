"""Lines whose white space no rule gives, and how several of them come together."""

from __future__ import annotations

import pytest

from kpatch_tool.restore.readings.odd import Odd
from kpatch_tool.restore.readings.reading import LONE, Candidate
from tests.restoring import restored


def one(cost: float, row: int, what: str) -> tuple[float, int, Candidate]:
    return cost, row, Candidate(f"{row} {what}".encode(), cost, LONE, what)


def test_odd_readings_by_row_and_kind_cheapest_first() -> None:
    wide, deep = one(11.0, 3, "gap"), one(14.0, 4, "columns")
    others = [one(12.5, 4, "gap"), one(13.0, 9, "gap")]
    odd = Odd([others[1], deep, others[0], wide])
    assert odd.all == [wide, others[0], others[1], deep]
    assert odd.alike("gap") == [wide, *others]
    assert odd.beside(3) == [[others[0], deep]]
    assert not odd.beside(9)
    assert not odd.alike("end")


BASE = b"int lamp(int a)\n{\n\treturn a;\n}\n"


@pytest.mark.parametrize(
    ("lines", "why"),
    [
        (b"\ta =  lit(a);\n\ta = dim(a);\n\ta = out(a);\n\ta = on(a);\n\tshow(a);\n\ta =  off(a);\n", "gaps as wide"),
        (b"\tshow_lamps(a,\n\t\t b);\n\thide_lamps(a,\n\t\t     b);\n", "lines one below the other"),
    ],
)
def test_odd_lines_of_a_kind_and_next_to_each_other_are_found(lines: bytes, why: str) -> None:
    assert restored(BASE, BASE.replace(b"\treturn", lines + b"\treturn")).proven, why
