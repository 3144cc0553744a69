"""Trailers of messages (git interpret-trailers is the judge) and of replies."""

from __future__ import annotations

import subprocess

import pytest

from kpatch_tool.mail.message import Address
from kpatch_tool.series.model import Trailer
from kpatch_tool.series.trailers import added, of_message, of_reply

MESSAGES = [
    "Why.\n\nSigned-off-by: A B <a@b.c>",
    "Why.\n\nReviewed-by: A <a@b.c>\nSigned-off-by: A B <a@b.c>\nLink: https://x.org/y",
    "Why.",
    "Why: because",
    'Why.\n\nFixes: 123456789abc ("x: y")\nCc: stable@vger.kernel.org # 5.4+',
    "Why.\n\nnot a trailer\nSigned-off-by: A <a@b.c>",
    "Why.\n\nnot\nall\nare\ntrailers\nSigned-off-by: A <a@b.c>",
    "Why.\n\nnot a trailer\nAcked-by: A <a@b.c>",
    "Why.\n\nTested-by: A <a@b.c>\n[ab: changed it]\nSigned-off-by: B <b@b.c>",
    'Why.\n\nFixes: 123456789abc ("a long\n subject")\nSigned-off-by: B <b@b.c>',
    "Why.\n\nSigned-off-by : B <b@b.c>",
    "Why.\n\nSigned-off-by: B <b@b.c>\n\nTail.",
    "Why.\n\nA: 1\n \nB: 2",
    "Why.\n\n(cherry picked from commit 1234)\nnot\nnot\nA: 1",
    "Signed-off-by: B <b@b.c>",
]


@pytest.mark.parametrize("message", MESSAGES)
def test_like_git_interpret_trailers(message: str) -> None:
    done = subprocess.run(
        ["git", "interpret-trailers", "--parse", "--no-divider"],
        input=f"subject\n\n{message}\n".encode(),
        capture_output=True,
        check=True,
    )
    assert [f"{t.key}: {t.value}" for t in of_message(message)] == done.stdout.decode().splitlines()


def test_without_paragraphs_the_last_lines_count() -> None:
    message = "Why: it\nReviewed-by: A <a@b.c>\nSigned-off-by: B <b@b.c>"
    assert [t.key for t in of_message(message, paragraphs=False)] == ["Reviewed-by", "Signed-off-by"]


JANE = Address("Jane Doe", "jane@example.org")


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        ("Looks good.\n\nReviewed-by: Jane Doe <jane@example.org>\n", ["Reviewed-by"]),
        ("Acked-by: Jane Doe <jd@work.example>\n", ["Acked-by"]),
        ("Acked-by: Doe, Jane (Company) <JANE@EXAMPLE.ORG>\n", ["Acked-by"]),
        ("> Reviewed-by: Jane Doe <jane@example.org>\n", []),
        ("-- \nReviewed-by: Jane Doe <jane@example.org>\n", []),
        ("Signed-off-by: Jane Doe <jane@example.org>\n", []),
        ("Tested-by: Jane Doe <[email protected]>\n", ["Tested-by"]),
        ('Fixes: 1234567890ab ("x")\n', ["Fixes"]),
        ("Note: this\nHello: there\n", []),
        ("Reviewed-by: Jane Doe <jane@example.org>\n\nFixes: 1\n---\ndiff --git a/f b/f\n", ["Reviewed-by"]),
    ],
)
def test_replies(text: str, keys: list[str]) -> None:
    taken, _ = of_reply(text, JANE)
    assert [trailer.key for trailer in taken] == keys
    assert all(trailer.source == "reply" for trailer in taken)


def test_a_trailer_for_somebody_else_is_listed_not_taken() -> None:
    taken, refused = of_reply("Tested-by: Joe <joe@example.org>\n", JANE)
    assert not taken
    assert refused == ["`Tested-by: Joe <joe@example.org>` was sent by Jane Doe: not taken"]


def test_no_duplicates() -> None:
    own = [Trailer("Acked-by", "J <j@x>", "patch")]
    replied = [Trailer("acked-by", "j <J@x>", "reply"), Trailer("Reviewed-by", "J <j@x>", "reply")]
    assert [trailer.key for trailer in added(own, [*replied, *replied])] == ["Acked-by", "Reviewed-by"]
