"""What counts as an address that an archive hid."""

from __future__ import annotations

import pytest

from kpatch_tool.restore.hidden import hides


@pytest.mark.parametrize(
    ("text", "hidden"),
    [
        (b"Jane <jane@xxxxxxxxxxx>", True),
        (b" * Jane Doe, jane@xxxxxxxxxxx.", True),
        (b"see jane@xxx.example.org", False),
        (b"@xxxxxxxxxxxxxxxx('spl')", True),
        (b"@...est.mark.config('spl')", True),
        (b" at pytest.mark.config('spl')", True),
        (b"@pytest.mark.config('spl')", False),
    ],
)
def test_hides(text: bytes, hidden: bool) -> None:
    assert hides(text) is hidden
