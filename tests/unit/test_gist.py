"""What a reply says first."""

from __future__ import annotations

import pytest

from kpatch_tool.series.views.gist import gist
from tests.clock import within


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("Applied, thanks.", "Applied, thanks."),
        ("On Monday, Jane wrote:\n> one\n\nNo.", "No."),
        ("On Thu, 1 Dec 2022 10:49:11 +0000,\nJane Doe <jane@example.org> wrote:\n>\n> one\n\nWhy?", "Why?"),
        ("On Sun, 23 Jan 2022\nJane Doe <jane@example.org>\nwrote:\n\n> one\nWhy?", "Why?"),
        ("* Jane Doe <jane@example.org> wrote:\n\n> one\n\nThis:\n\n> two", "This:"),
        ("Hi,\n\nOn Thu, 1 Dec 2022,\nJane Doe <jane@example.org> wrote:\n\n[...]\nNo.", "No."),
        ("Hi Jane,\n\n> one\n\nThanks for this.", "Thanks for this."),
        ("Hello!\n", "Hello!"),
        ("...\n[snip]\n<...>\n> one\nGood.", "Good."),
        ("> one\n| two\n", ""),
        ("", ""),
        ("All of these are wrong.\n> x", "All of these are wrong."),
        ("I think this is it:\n\n\tcode();\n", "I think this is it:"),
    ],
)
def test_the_first_own_line(body: str, said: str) -> None:
    assert gist(body) == said


def test_any_text_takes_linear_time() -> None:
    with within(5):
        for piece in ("hi ", "...", "> a\n", "On a:\n> b\n", "[", "\n", "a\n"):
            gist(piece * 50_000)
