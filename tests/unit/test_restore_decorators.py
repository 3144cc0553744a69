"""Decorators of Python at the beginning of an added line, which archives take for addresses: the sign of the diff and
the name look like one."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from benchmarks.archive_shapes import SHAPES, Mail, Shape
from benchmarks.restore_pages import from_page
from kpatch_tool.diff.blob import blob_id
from kpatch_tool.diff.printer import format_diff
from kpatch_tool.series.model import Exactness
from kpatch_tool.series.restore import restore_series
from tests.diff_texts import difference

BASE = b"""\
import pytest

@pytest.mark.slow
@pytest.mark.config('spl')
def test_one(console):
    assert console
"""
NEW = BASE + b"\n@pytest.mark.config('spl')\ndef test_two(console):\n    assert console.two\n"
FILE = replace(
    difference(BASE.split(b"\n")[:-1], NEW.split(b"\n")[:-1]),
    old_path="t.py",
    new_path="t.py",
    old_blob=blob_id(BASE)[:12],
    new_blob=blob_id(NEW)[:12],
)
SENT = format_diff([FILE])
TEXT = f"Why.\n\nSigned-off-by: Jane Doe <jane@example.org>\n---\n t.py | 4 ++++\n\n{SENT.decode()}-- \n2.39.5\n"
MAIL = Mail("[PATCH] t: two", "Jane Doe", "jane@example.org", datetime(2020, 1, 1, tzinfo=UTC), "<a@b.org>", TEXT)
# The sign is gone there, too: which line it was is not told.
SIGNLESS = {"linuxlists", "mail-archive"}


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.name)
def test_what_was_hidden_is_seen_and_found(shape: Shape) -> None:
    series = from_page(shape.page([MAIL]), 1)
    (got,) = series.patches
    assert got.exactness is Exactness.DAMAGED or got.diff == SENT
    (done,) = restore_series(series, {"t.py": BASE}.get).patches
    assert done.exactness is not Exactness.PROVEN or done.diff == SENT
    if shape.name not in SIGNLESS:
        assert done.diff == SENT
        assert done.exactness in {Exactness.PROVEN, Exactness.INTACT}
