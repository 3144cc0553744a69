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
from kpatch_tool.series.restoring.restore import restore_series
from tests.diff_texts import difference

BASE = b"""\
import pytest

@pytest.mark.slow
@pytest.mark.config('spl')
def test_one(console):
    assert console
"""
NEW = BASE + b"\n@pytest.mark.config('spl')\ndef test_two(console):\n    assert console.two\n"
NAMED = b"dnl Author: Jo Doe <jo@example.org>\n" + b"".join(b"\tline %d\n" % number for number in range(20))
# The sign is gone there, too: which line it was is not told.
SIGNLESS = {"linuxlists", "mail-archive"}


def diff(before: bytes, after: bytes, section: bytes = b"") -> bytes:
    file = replace(
        difference(before.split(b"\n")[:-1], after.split(b"\n")[:-1]),
        old_path="t.py",
        new_path="t.py",
        old_blob=blob_id(before)[:12],
        new_blob=blob_id(after)[:12],
    )
    return format_diff([replace(file, hunks=tuple(replace(hunk, section=section) for hunk in file.hunks))])


def page(shape: Shape, sent: bytes) -> str:
    text = f"Why.\n\nSigned-off-by: Jane Doe <jane@example.org>\n---\n t.py | 4 ++++\n\n{sent.decode()}-- \n2.39.5\n"
    when = datetime(2020, 1, 1, tzinfo=UTC)
    return shape.page([Mail("[PATCH] t: two", "Jane Doe", "jane@example.org", when, "<a@b.org>", text)])


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.name)
def test_what_was_hidden_is_seen_and_found(shape: Shape) -> None:
    sent = diff(BASE, NEW)
    series = from_page(page(shape, sent), 1)
    (got,) = series.patches
    assert got.exactness is Exactness.DAMAGED or got.diff == sent
    (done,) = restore_series(series, {"t.py": BASE}.get).patches
    assert done.exactness is not Exactness.PROVEN or done.diff == sent
    if shape.name not in SIGNLESS:
        assert done.diff == sent
        assert done.exactness in {Exactness.PROVEN, Exactness.INTACT}


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.name)
def test_behind_an_at_sign(shape: Shape) -> None:
    sent = diff(NAMED, NAMED.replace(b"line 10", b"line ten"), b"dnl Author: Jo Doe <jo@example.org>")
    series = from_page(page(shape, sent), 1)
    (got,) = series.patches
    assert got.exactness is Exactness.DAMAGED or got.diff == sent
    (done,) = restore_series(series, {"t.py": NAMED}.get).patches
    assert done.diff == sent
