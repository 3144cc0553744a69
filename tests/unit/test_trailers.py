"""Trailers of messages (git interpret-trailers is the judge) and of replies."""

from __future__ import annotations

import subprocess

import pytest

from kpatch_tool.series.model import Trailer
from kpatch_tool.series.people.trailers import added, of_message, without

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
    "Why.\n\nSigned-off-by: B <b@b.c>\n\nConflicts:\n\tmm/a.c\n\tmm/b.c",
    "Why.\n\nSigned-off-by: B <b@b.c>\nConflicts:\n\tmm/a.c\n# Conflicts:\n#\tmm/b.c",
    "Why.\n\nSigned-off-by: B <b@b.c>\n\nConflicts: mm/a.c",
    "Conflicts:",
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


@pytest.mark.parametrize(
    ("between", "keys"),
    [
        ("Bugzilla: https://bugs.example.org/7", ["Reported-by", "Bugzilla", "Signed-off-by"]),
        ("jd: reworded", ["Reported-by", "jd", "Signed-off-by"]),
        ("Reviewed by: C <c@b.c>", ["Reported-by", "Signed-off-by"]),
        ("and so on", ["Signed-off-by"]),
    ],
)
def test_without_paragraphs_other_lines_may_stand_between(between: str, keys: list[str]) -> None:
    message = f"Why: it\nReported-by: A <a@b.c>\n{between}\nSigned-off-by: B <b@b.c>"
    assert [t.key for t in of_message(message, paragraphs=False)] == keys
    numbered = "Why: it\nTime: 12\nCoverity-id: 1234\nSigned-off-by: B <b@b.c>"
    assert without(numbered, paragraphs=False) == "Why: it\nTime: 12"


@pytest.mark.parametrize(
    "between",
    ["[B: changed it]", "(cherry picked from commit 0123456789ab)", "[B:\n- changed it: a lot\n- and more]", "Link: x"],
)
def test_without_paragraphs_what_the_next_one_changed_may_stand_between(between: str) -> None:
    message = f"Why: it\n[A: not this]\nSigned-off-by: A <a@b.c>\n{between}\nSigned-off-by: B <b@b.c>"
    assert [t.value for t in of_message(message, paragraphs=False) if t.key != "Link"] == ["A <a@b.c>", "B <b@b.c>"]
    assert without(message, paragraphs=False) == "Why: it\n[A: not this]"


@pytest.mark.parametrize(
    ("below", "keys"),
    [
        ("To: the-list@example.org", ["Signed-off-by", "To"]),
        ("Jane Doe <j@example.org>", ["Signed-off-by"]),
        ("Tested-on: x\nCases:\n1. one\n2. two\n3. three", ["Signed-off-by", "Tested-on", "Cases"]),
        ("one\ntwo\nthree\nfour", []),
    ],
)
def test_without_paragraphs_other_lines_may_stand_below_a_sign_off(below: str, keys: list[str]) -> None:
    damaged = f"Why: it\nSigned-off-by: A <a@b.c>\n{below}"
    assert [t.key for t in of_message(damaged, paragraphs=False)] == keys
    assert [t.key for t in of_message(damaged.replace("it\n", "it\n\n"))] == keys


def test_the_message_without_its_trailers() -> None:
    assert without("Why.\n\nSigned-off-by: A <a@b.c>") == "Why."
    assert without("Why.\n\nNot: all\nare trailers") == "Why.\n\nNot: all\nare trailers"
    assert without("Why: it\nSigned-off-by: B <b@b.c>", paragraphs=False) == "Why: it"
    assert without("Signed-off-by: B <b@b.c>") == ""


SAME = [
    ("Acked-by", "J <j@x.org>", "acked-by", "j <J@x.org>"),
    ("Acked-by", "Jane Doe <j@x.org>", "Acked-by", '"Doe, Jane" <j@x.org>'),
    ("Acked-by", "Jane Doe <j@x.org>", "Acked-by", "Jane Doe <j@x.org> # for the mm part"),
    ("Acked-by", "Jane Doe <[email protected]>", "Acked-by", "Doe, Jane <[email\xa0protected]>"),
    ("Fixes", '1234567890ab ("x")', "Fixes", '1234567890abcdef ("x y")'),
    ("Link", "https://lore.kernel.org/r/1@x.org", "Link", "https://patch.msgid.link/1@x.org"),
    ("Link", "https://x.org/a/", "Link", "http://x.org/a"),
]


@pytest.mark.parametrize(("key", "value", "other_key", "other"), SAME)
def test_what_says_the_same_is_added_once(key: str, value: str, other_key: str, other: str) -> None:
    own = [Trailer(key, value, "patch")]
    again = Trailer(other_key, other, "reply")
    news = Trailer("Reviewed-by", "Joe <joe@x.org>", "reply")
    assert added(own, [again, news, news]) == (own[0], news)


def test_of_one_persons_two_replies_the_one_with_a_name_is_kept() -> None:
    bare = Trailer("Tested-by", "jane@example.org", "reply")
    named = Trailer("Tested-by", "Jane Doe <jane@example.org>", "reply")
    assert added([], [bare, named]) == added([], [named, bare]) == (named,)
    sent = Trailer("Tested-by", "jane@example.org", "patch")
    assert added([sent], [named]) == (sent,)


def test_what_differs_is_added() -> None:
    own = [Trailer("Acked-by", "J <j@x.org>", "patch"), Trailer("Closes", "https://x.org/a", "patch")]
    news = [
        Trailer("Reviewed-by", "J <j@x.org>", "reply"),
        Trailer("Acked-by", "J <j@y.org>", "reply"),
        Trailer("Link", "https://x.org/a", "reply"),
    ]
    assert added(own, news) == (*own, *news)
    twice = [own[0], own[0]]
    assert added(twice, []) == tuple(twice)  # the patch's own stay as they are
