"""Messages -> a series."""

from __future__ import annotations

from dataclasses import replace

import pytest

from kpatch_tool.diff.model import Kind
from kpatch_tool.errors import InputError
from kpatch_tool.mail.message import Damage
from kpatch_tool.mail.read import parse
from kpatch_tool.series.assemble import assemble, slug
from kpatch_tool.series.model import Exactness, Series
from kpatch_tool.text import spelt
from tests.clock import within
from tests.mail_fixtures import DIFF, Mail, linuxlists, mbox, messages, patch


def series(*mails: Mail, revision: int | None = None) -> Series:
    return assemble(messages(*mails), where="thread", revision=revision)


def shape(found: Series) -> list[tuple[int, str]]:
    return [(one.number, one.subject) for one in found.patches]


COVER = Mail("[PATCH 0/2] mm: do it", "Text.\n", "c")
ONE = patch("[PATCH 1/2] mm: one", "p1", minute=1, reply_to="c")
TWO = patch("[PATCH 2/2] mm: two", "p2", minute=2, reply_to="c")


def test_numbers_give_the_order() -> None:
    found = series(TWO, COVER, ONE)
    assert shape(found) == [(1, "mm: one"), (2, "mm: two")]
    assert found.cover is not None
    assert (found.title, found.cover.body, found.total, found.problems) == ("mm: do it", "Text.", 2, ())


def test_a_patch_in_full() -> None:
    one = series(COVER, ONE, TWO).patches[0]
    assert one.message == "Why.\n\nSigned-off-by: Jane Doe <jane@example.org>"
    assert (one.note, one.diff) == (" 1 file changed", DIFF.encode())
    assert (one.exactness, one.message_id) == (Exactness.INTACT, "p1@example.org")
    assert [(t.key, t.source) for t in one.trailers] == [("Signed-off-by", "patch")]
    assert (one.files[0].path, one.files[0].added, one.files[0].old_blob) == ("mm/f.c", 1, "1234567")


def test_the_latest_revision_or_the_one_asked_for() -> None:
    later = [
        Mail("[PATCH v2 0/2] mm: do it", "Again.\n", "d", minute=10),
        patch("[PATCH v2 1/2] mm: one", "q1", minute=11, reply_to="d"),
        patch("[PATCH v2 2/2] mm: two, better", "q2", minute=12, reply_to="d"),
    ]
    thread = [COVER, ONE, TWO, *later]
    assert series(*thread).revision == 2
    assert shape(series(*thread))[1] == (2, "mm: two, better")
    assert shape(series(*thread, revision=1))[1] == (2, "mm: two")
    with pytest.raises(InputError, match=r"no revision 7.*there is: 1, 2"):
        series(*thread, revision=7)


def test_replies_and_their_trailers() -> None:
    thread = [
        COVER,
        ONE,
        TWO,
        Mail("Re: [PATCH 1/2] mm: one", "Acked-by: Joe <joe@x.org>\n", "r1", "p1", "Joe", "joe@x.org", 5),
        Mail("Re: [PATCH 0/2] mm: do it", "Tested-by: Ann <ann@x.org>\n", "r2", "c", "Ann", "ann@x.org", 6),
        Mail("Re: [PATCH 1/2] mm: one", "> Acked-by: Joe <joe@x.org>\nThanks!\n", "r3", "r1", minute=7),
        Mail("Re: something else", "Hm.\n", "r4", "gone", "Bob", "bob@x.org", 8),
    ]
    found = series(*thread)
    assert [(reply.to_patch, reply.author.name) for reply in found.replies] == [(1, "Joe"), (0, "Ann"), (1, "Jane Doe")]
    given = [[(t.key, t.value) for t in one.trailers if t.source == "reply"] for one in found.patches]
    assert given == [
        [("Acked-by", "Joe <joe@x.org>"), ("Tested-by", "Ann <ann@x.org>")],
        [("Tested-by", "Ann <ann@x.org>")],
    ]


def test_a_reply_with_a_diff_is_no_patch() -> None:
    counter = Mail("Re: [PATCH 2/2] mm: two", "Rather:\n\nFixes: 1234\n" + DIFF, "r1", "p2", minute=5)
    found = series(COVER, ONE, TWO, counter)
    assert shape(found) == [(1, "mm: one"), (2, "mm: two")]
    assert len(found.replies) == 1
    assert [t.key for t in found.patches[1].trailers] == ["Signed-off-by"]


def test_trailers_in_answers_to_replies() -> None:
    """They are for the patch at the top, but for those that answer a counter-patch; what is there is not told again."""
    joe = ("Joe", "joe@x.org")
    thread = [
        COVER,
        ONE,
        TWO,
        Mail("Re: [PATCH 1/2] mm: one", "Hm?\n", "r1", "p1", *joe, 5),
        Mail("Re: [PATCH 1/2] mm: one", "So.\n", "r2", "r1", minute=6),
        Mail("Re: [PATCH 1/2] mm: one", "Acked-by: Joe <joe@x.org>\nAcked-by: Ann <ann@x.org>\n", "r3", "r2", *joe, 7),
        Mail("Re: [PATCH 2/2] mm: two", f"Rather:\n\n{DIFF}", "r4", "p2", *joe, 8),
        Mail("Re: [PATCH 2/2] mm: two", "Reviewed-by: Bob <bob@x.org>\n", "r5", "r4", "Bob", "bob@x.org", 9),
        Mail("Re: [PATCH 1/2] mm: one", "Acked-by: Ann <ann@x.org>\n", "r6", "p1", "Ann", "ann@x.org", 10),
    ]
    found = series(*thread)
    given = [[t.value for t in one.trailers if t.source == "reply"] for one in found.patches]
    assert given == [["Joe <joe@x.org>", "Ann <ann@x.org>"], []]
    assert found.problems == ("`Reviewed-by: Bob <bob@x.org>` answers a counter-patch: not taken",)


def test_what_a_reply_quotes_tells_on_a_page_that_it_answers_a_counter_patch() -> None:
    better = DIFF.replace("+", "+better_")
    counter = Mail("Re: [PATCH 2/2] mm: two", f"> {DIFF}\nRather:\n\n{better}", "r1", "p2", "Joe", "joe@x.org", 5)

    def review(quoted: str, who: str, minute: int) -> Mail:
        body = "".join(f"> {line}\n" for line in quoted.splitlines()) + f"\nReviewed-by: {who} <[email protected]>\n"
        return Mail("Re: [PATCH 2/2] mm: two", body, "", "", who, "", minute)

    replies = [
        review(f"> {DIFF.replace(chr(10), chr(10) + '> ')}\nRather:\n\n{better}", "Bob", 6),
        review(DIFF, "Ann", 7),
        review("", "Eve", 8),
    ]
    found = assemble(list(parse(linuxlists(COVER, ONE, TWO, counter, *replies), "page")), where="x")
    assert [t.value[:3] for t in found.patches[1].trailers if t.source == "reply"] == ["Ann", "Eve"]
    assert found.problems == ("`Reviewed-by: Bob <[email protected]>` answers a counter-patch: not taken",)


def test_reviews_of_a_series_sent_again_in_part_hold_for_what_was_not_sent_again() -> None:
    thread = [
        COVER,
        ONE,
        TWO,
        Mail("Re: [PATCH 0/2] mm: do it", "Acked-by: Joe <joe@x.org>\n", "r1", "c", "Joe", "joe@x.org", 5),
        patch("[PATCH v2 2/2] mm: two", "q2", minute=9, reply_to="p2"),
    ]
    given = [[t.value for t in one.trailers if t.source == "reply"] for one in series(*thread).patches]
    assert given == [["Joe <joe@x.org>"], []]


def test_a_reply_to_a_cover_letter_that_is_not_there_goes_to_all() -> None:
    acked = Mail("Re: [PATCH 0/2] mm: do it", "Acked-by: Joe <joe@x.org>\n", "r", "c", "Joe", "joe@x.org", 5)
    found = series(ONE, TWO, acked)
    assert [[t.value for t in one.trailers if t.source == "reply"] for one in found.patches] == [
        ["Joe <joe@x.org>"],
        ["Joe <joe@x.org>"],
    ]
    assert [one.to_patch for one in found.replies] == [0]
    other = replace(messages(acked)[0], subject="Re: [PATCH v2 0/2] mm: do it")
    assert [one.to_patch for one in assemble([*messages(ONE, TWO), other], where="x").replies] == [None]


def test_a_reply_to_a_patch_that_is_not_there_is_not_taken_for_the_covers() -> None:
    reply = messages(Mail("Re: [PATCH 2/2] mm: two", "Acked-by: Joe <joe@x.org>\n", "r", "p2", "Joe", "joe@x.org", 5))
    thread = [*messages(COVER, ONE), *reply]
    found = assemble(thread, where="x")
    assert found.problems[0] == "patch 2 is not in the source (of 2)"
    assert [t.source for one in found.patches for t in one.trailers] == ["patch"]


@pytest.mark.parametrize("page", [False, True])
def test_a_reply_to_a_patch_with_the_number_of_the_cover(page: bool) -> None:
    first = replace(ONE, subject="[PATCH 0/2] mm: one")
    reply = Mail(f"Re: {first.subject}", "Acked-by: Joe <joe@x.org>\n", "r", "p1", "Joe", "joe@x.org", 5)
    mails = (COVER, first, TWO, reply)
    found = assemble(list(parse(linuxlists(*mails), "page")) if page else messages(*mails), where="x")
    assert shape(found) == [(1, "mm: one"), (2, "mm: two")]
    assert ([one.to_patch for one in found.replies], found.problems) == ([1], ("patch 1 was sent as 0/2",))


def test_a_reply_to_a_patch_that_is_not_on_the_page_is_listed() -> None:
    reply = messages(Mail("Re: [PATCH 2/2] mm: two", "No.\n", "r", "p2", "Joe", "joe@x.org", 5))[0]
    thread = [replace(one, archive="lore") for one in (*messages(COVER, ONE), reply, replace(reply, subject="Re: x"))]
    assert [one.to_patch for one in assemble(thread, where="x").replies] == [None]


@pytest.mark.parametrize(
    ("who", "tag", "sent"),
    [
        ("Joe", "[PATCH 1/2]", 0),
        ("Joe", "[PATCH v2 1/2]", 0),
        ("Jane Doe", "[PATCH 1/2]", 0),
        ("Jane Doe", "[PING] [PATCH 1/2]", 0),
        ("Jane Doe", "[PATCH v2 1/2]", 1),
    ],
)
def test_a_reply_without_re_that_quotes_the_patch_is_none(who: str, tag: str, sent: int) -> None:
    """Of its sender a later version is another patch, whatever his mail program did to it."""
    address = f"{who.partition(' ')[0].lower()}@example.org"
    said = "".join(f"> {line}\n" for line in ONE.body.split("\n"))
    mail = Mail(f"{tag} mm: one", "On Monday, Jane wrote:\n" + said, "r", "p1", who, address, 5)
    found = assemble(messages(COVER, ONE, TWO, mail), where="x")
    assert [reply.to_patch for reply in found.replies] == [1] * (1 - sent)
    assert found.problems == ("v2 was sent in part; taken from v1: 2",) * sent
    assert found.patches[0].exactness is (Exactness.DAMAGED if sent else Exactness.INTACT)


def test_on_a_page_what_was_said_of_a_patch_before_another_was_sent_again_counts() -> None:
    reply = Mail("Re: [PATCH 1/2] mm: one", "Acked-by: Joe <joe@x.org>\n", "r", "p1", "Joe", "joe@x.org", 5)
    early = Mail("Re: [PATCH v2 2/2] mm: two", "Which?\n", "s", "x", "Joe", "joe@x.org", 6)
    to_all = Mail("Re: [PATCH 0/2] mm: do it", "Tested-by: Joe <joe@x.org>\n", "t", "c", "Joe", "joe@x.org", 7)
    again = patch("[PATCH v2 2/2] mm: two", "q2", minute=9, reply_to="p2")
    found = assemble(list(parse(linuxlists(COVER, ONE, TWO, reply, early, to_all, again), "page")), where="x")
    assert found.problems == ("v2 was sent in part; taken from v1: 1",)
    given = [[t.key for t in one.trailers if t.source == "reply"] for one in found.patches]
    assert given == [["Acked-by", "Tested-by"], []]
    assert [reply.to_patch for reply in found.replies] == [1, None, 0]


@pytest.mark.parametrize(
    ("subjects", "expected"),
    [
        (["[PATCH 1/1] a", "[PATCH 2/1] b"], [1, 2]),
        (["[PATCH v4 1/1] a", "[PATCH v4 2/1] b"], [1, 2]),
        (["[PATCH 1/2] a", "[PATCH 2/2] b", "[PATCH 3/2] c"], [1, 2, 3]),
        (["[PATCH 1/2] a", "[PATCH 2/2] b", "[PATCH 1/2] a", "[PATCH 2/2] b"], [1, 2]),
    ],
)
def test_numbering_that_grew(subjects: list[str], expected: list[int]) -> None:
    found = series(*(patch(subject, f"p{i}", minute=i) for i, subject in enumerate(subjects)))
    assert [one.number for one in found.patches] == expected


def test_a_resend_replaces_and_is_mentioned() -> None:
    again = [patch("[PATCH RESEND 1/2] mm: one", "q1", minute=9), patch("[PATCH RESEND 2/2] mm: two", "q2", minute=10)]
    found = series(ONE, TWO, *again)
    assert [one.message_id for one in found.patches] == ["q1@example.org", "q2@example.org"]
    assert found.problems[0].startswith('also posted as v1: "mm: one" by Jane Doe, 1-2 of 2')


@pytest.mark.parametrize("letter", ["[PATCH v2 0/2] mm: do it", "[RFC][PATCHES v2] mm: do it"])
def test_of_what_one_run_sent_the_one_with_a_letter_is_meant(letter: str) -> None:
    run = "20140417090546.1234"
    cover = Mail(letter, "Text.\n", f"{run}-1-jane")
    ours = [patch(f"[PATCH v2 {n}/2] mm: {n}", f"{run}-{2 * n}-jane", minute=n, reply_to=cover.id) for n in (1, 2)]
    stray = patch("[PATCH v2 1/1] fs: 1", f"{run}-3-jane", minute=2, reply_to=ours[0].id)
    found = series(cover, *ours, stray)
    assert shape(found) == [(1, "mm: 1"), (2, "mm: 2")]
    assert found.problems[0].endswith("by Jane Doe, 1 of 1, 2014-04-17 (--series 2)")


def test_of_what_one_run_sent_without_a_letter_the_first_is_meant() -> None:
    run = "20140417090546.1234"
    mails = [patch(f"[PATCH] mm: {n}", f"{run}-{n}-jane", minute=n) for n in (1, 2, 3)]
    assert shape(series(*mails)) == [(1, "mm: 1")]


def test_a_revision_of_one_patch_keeps_the_others() -> None:
    found = series(COVER, ONE, TWO, patch("[PATCH v2 2/2] mm: two", "q2", minute=9, reply_to="p2"))
    assert (found.revision, [one.message_id for one in found.patches]) == (2, ["p1@example.org", "q2@example.org"])
    assert found.problems == ("v2 was sent in part; taken from v1: 1",)


def test_a_cover_whose_version_differs() -> None:
    mails = [
        Mail("[PATCH v3 0/2] mm: do it", "Text.\n", "c"),
        patch("[PATCH v2 1/2] mm: one", "p1", minute=1),
        patch("[PATCH v2 2/2] mm: two", "p2", minute=2),
    ]
    found = series(*mails)
    assert (found.revision, found.title) == (2, "mm: do it")
    assert found.problems == ("the cover letter says v3, the patches v2",)


def test_another_series_is_left_out_and_named() -> None:
    other = Mail("[PATCH] net: other", "W.\n---\n" + DIFF, "o", name="Bob", email="bob@x.org", minute=30)
    found = series(COVER, ONE, TWO, other)
    assert len(found.patches) == 2
    assert found.problems == ('another series is in the source: "net: other" by Bob, 1 of 1, 2014-04-17 (--series 2)',)


def test_dates_at_the_ends_of_the_calendar() -> None:
    """Of a cover letter something is subtracted."""
    for year in ("0001", "9999"):
        mails = [mail.rfc5322().replace("2014", year) for mail in (COVER, ONE, TWO)]
        found = [message for mail in mails for message in parse(mail.encode(), "mail")]
        assert shape(assemble(found, where="thread")) == [(1, "mm: one"), (2, "mm: two")]


def test_copies_count_once() -> None:
    assert shape(series(COVER, ONE, TWO, ONE, COVER)) == [(1, "mm: one"), (2, "mm: two")]


@pytest.mark.parametrize(
    ("subject", "number"),
    [
        ("Other things, was Re: [PATCH 0/2] mm: do it", 0),
        ("Re: Other things [Was: Re: [PATCH 2/2] mm: two]", 2),
        ("Other (was: [PATCH 1/2] mm: one)", 1),
        ("Re: it was [PATCH 3/2] mm: one", None),
    ],
)
def test_on_a_page_a_reply_may_say_what_its_subject_was(subject: str, number: int | None) -> None:
    reply = Mail(subject, "Hm.\n", name="Joe Roe", minute=9)
    found = assemble(list(parse(linuxlists(COVER, ONE, TWO, reply), "page")), where="page")
    assert [one.to_patch for one in found.replies] == [number]


def test_on_a_page_a_reply_to_the_cover_may_lack_its_re() -> None:
    review = Mail(COVER.subject, "Tested-by: Joe Roe <joe@example.org>\n", name="Joe Roe", minute=9)
    found = assemble(list(parse(linuxlists(COVER, ONE, TWO, review), "page")), where="page")
    assert [reply.to_patch for reply in found.replies] == [0]
    assert [[t.key for t in one.trailers if t.source == "reply"] for one in found.patches] == [["Tested-by"]] * 2


@pytest.mark.parametrize("first", [True, False])
def test_of_two_copies_the_one_with_the_patch_counts(first: bool) -> None:
    emptied = replace(ONE, body="This mail was scanned.\n")
    found = series(COVER, *((emptied, ONE) if first else (ONE, emptied)), TWO)
    assert (shape(found), found.problems) == ([(1, "mm: one"), (2, "mm: two")], ())


def test_patch_files_without_numbers_keep_their_order() -> None:
    mails = [patch(f"[PATCH] mm: {name}") for name in ("z", "a", "m")]
    assert shape(series(*mails)) == [(1, "mm: z"), (2, "mm: a"), (3, "mm: m")]
    quilt = assemble(messages(*(patch(f"[PATCH 1/9] {name}") for name in "zam")), where="x", in_order=True)
    assert shape(quilt) == [(1, "z"), (2, "a"), (3, "m")]


def test_files_below_a_patch_or_in_a_cover_letter_are_patches() -> None:
    """In the mail as on a page; `git am` of a patch file that holds two would make two commits."""
    files = [
        f"From {'1' * 40} Mon Sep 17 00:00:00 2001\nFrom: Jane Doe <jane@example.org>\n"
        f"Date: Thu, 17 Apr 2014 09:0{n}:00 +0000\nSubject: [PATCH {n}/2] mm: {n}\n\nWhy.\n---\n{DIFF}"
        for n in (1, 2)
    ]
    below = Mail("[PATCH 1/2] mm: 1", f"Why.\n---\n{DIFF}-- \n2.39.5\n\n{files[1]}", "p1")
    letter = Mail("[PATCH 0/2] mm: both", "Text.\n\n" + "\n".join(files), "c")
    for mail in (below, letter):
        for found in (series(mail), assemble(list(parse(linuxlists(mail), "page")), where="page")):
            assert shape(found) == [(1, "mm: 1"), (2, "mm: 2")]
            assert all(b"Subject" not in one.diff for one in found.patches)
    (reply,) = messages(Mail("Re: [PATCH 0/2] mm: both", "No.\n\n" + "\n".join(files), "r", "c"))[:1]
    assert b"Subject: [PATCH 1/2]" in reply.body


def test_a_signed_patch_numbered_as_a_cover_letter() -> None:
    signed = f"Why.\n\nSigned-off-by: Jane <jane@example.org>\n---\n{DIFF}"
    found = series(Mail("[PATCH 0/1] mm: one", signed, "c"))
    assert (shape(found), found.problems) == ([(1, "mm: one")], ("patch 1 was sent as 0/1",))
    both = series(Mail("[PATCH 0/1] mm: all", signed, "c"), patch("[PATCH 1/1] mm: one", "p", reply_to="c", minute=1))
    assert (shape(both), both.title) == ([(1, "mm: one")], "mm: all")
    assert "0/1, the cover letter, is a signed patch as well, which is not taken" in both.problems


def test_what_is_sent_again_stands_behind_it_on_a_page_without_dates() -> None:
    again = Mail("[PATCH 2/2] mm: two", f"Better.\n---\n{DIFF}", "p3")
    shown = [
        replace(
            one, date=None, message_id="", in_reply_to="", references=(), archive="spinics", origin=f"p, message {n}"
        )
        for n, one in enumerate(messages(COVER, ONE, TWO, again), start=1)
    ]
    found = assemble(shown, where="page")
    assert (shape(found), found.patches[1].message) == ([(1, "mm: one"), (2, "mm: two")], "Better.")
    assert "sent again in part: 2; taken from the posting before: 1" in found.problems


def test_a_version_in_one_title_parts_no_series() -> None:
    """As most of drivers/gpu/drm has: only a tag is every patch's."""
    names = ("one", "two (v2)", "three", "v3: four")
    wanted = [(number, f"mm: {name}") for number, name in enumerate(names, start=1)]
    numbered = [patch(f"[PATCH {n}/4] mm: {name}") for n, name in enumerate(names, start=1)]
    plain = [patch(f"[PATCH] mm: {name}") for name in names]
    unthreaded = [patch(f"[PATCH {n}/4] mm: {name}", f"p{n}", minute=n) for n, name in enumerate(names, start=1)]
    for mails in (numbered, plain, unthreaded, unthreaded[::-1], [*unthreaded[1:], unthreaded[0]]):
        found = series(*mails)
        assert (shape(found), found.revision) == (wanted, 1)
        assert not [problem for problem in found.problems if not problem.startswith("tagged v")]
    twice = [
        replace(patch(f"[PATCH v2 {n}/3] mm: {n}{' (v2)' if n == 2 else ''}"), name=f"P{n}", email=f"p{n}@x.org")
        for n in (1, 2, 3)
    ]
    assert shape(series(*twice)) == [(1, "mm: 1"), (2, "mm: 2 (v2)"), (3, "mm: 3")]
    assert shape(series(patch("[PATCH v2] mm: z"), patch("[PATCH v2] mm: a (v2)"))) == [(1, "mm: z"), (2, "mm: a (v2)")]
    versions = series(patch("[PATCH] mm: one"), patch("[PATCH] mm: one (v2)"))
    assert (shape(versions), versions.revision) == ([(1, "mm: one (v2)")], 2)
    rerolled = [patch(f"[PATCH {n}/2] mm: {n} (v2)", f"q{n}", minute=9 + n) for n in (1, 2)]
    again = series(*(patch(f"[PATCH {n}/2] mm: {n}", f"p{n}", minute=n) for n in (1, 2)), *rerolled)
    assert (shape(again), again.revision) == ([(1, "mm: 1 (v2)"), (2, "mm: 2 (v2)")], 2)


def test_patch_files_of_several_authors_are_one_series() -> None:
    """git format-patch writes the author into From, and no Message-Id; dates need not rise."""
    people = [Mail(f"[PATCH {n}/3] mm: {n}", f"W.\n---\n{DIFF}", "", name=f"P{n}", email=f"p{n}@x.org", minute=9 - n)
              for n in (1, 2, 3)]  # fmt: skip
    cover = Mail("[PATCH 0/3] mm: all", "Text.\n", "", name="Maintainer", email="m@x.org", minute=59)
    found = series(cover, *people)
    assert shape(found) == [(1, "mm: 1"), (2, "mm: 2"), (3, "mm: 3")]
    assert found.title == "mm: all"
    assert not found.problems


def test_a_forward_is_read_where_there_is_nothing_else() -> None:
    found = series(patch("Fwd: [PATCH] mm: one", "f"))
    assert found.title == "mm: one"
    assert "forwarded" in found.problems[0]


def test_the_author_inside_the_text_wins() -> None:
    inside = Mail("[PATCH] s", "From: Al <al@x.org>\nDate: Mon, 1 Jan 2018 00:00:00 +0100\n\nW.\n---\n" + DIFF, "p")
    one = series(inside).patches[0]
    assert (one.author.email, one.date.isoformat() if one.date else "") == ("al@x.org", "2018-01-01T00:00:00+01:00")


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (("+\treturn  2;\n", ""), "line 5 of the diff), which has 4 of 4 old and 3 of 4 new lines"),
        (("@@ -1,4 +1,4 @@", "@@ -1,4 +1,5 @@"), "mm/f.c: the text ends in hunk 1 (@@ -1,4 +1,5, line 5 of the diff)"),
        (("@@ -1,4 +1,4 @@", "@@ -1,3 +1,3 @@"), "of the mail: a hunk that changes nothing"),
    ],
)
def test_a_broken_diff_is_damaged_with_its_place(change: tuple[str, str], why: str) -> None:
    bad = Mail("[PATCH] s", "Why.\n\nMore.\n---\n\n" + DIFF.replace(*change) + "-- \n2.39\n", "p")
    (one,) = series(bad).patches
    assert one.exactness is Exactness.DAMAGED
    assert why in one.why
    assert [file.path for file in one.files] == ["mm/f.c"]


def test_nothing_to_import() -> None:
    with pytest.raises(InputError, match="only the cover letter is here"):
        assemble(messages(COVER), where="x")
    with pytest.raises(InputError, match="no patch found in 1 message"):
        series(Mail("Hello", "Hello.\n"))
    with pytest.raises(InputError, match="1 message has a diff, but it is a reply"):
        series(Mail("Re: Hello", "Hello.\n" + DIFF))


def test_a_page_that_lost_white_space() -> None:
    reply = Mail("Re: [PATCH v5 1/2] mm: one", "Applied, thanks.\n", name="Joe", minute=20)
    page = linuxlists(
        Mail("[PATCH v5 0/2] mm: do it", "Text.\n"),
        patch("[PATCH v5 2/2] mm: two", minute=2),
        patch("[PATCH v5 1/2] mm: one", minute=1, trailers="Acked-by: Joe <joe@x.org>\n"),
        reply,
    )
    found = assemble(list(parse(page, "page")), where="page")
    one, two = found.patches
    assert shape(found) == [(1, "mm: one"), (2, "mm: two")]
    assert (one.exactness, one.damage) == (Exactness.DAMAGED, frozenset({Damage.SQUEEZED, Damage.ADDRESSES_HIDDEN}))
    assert (one.author.name, one.author.email) == ("Jane Doe", "")
    assert [t.value for t in one.trailers] == ["Joe <[email protected]>", "Jane Doe <[email protected]>"]
    added = [line.text.strip() for line in one.files[0].hunks[0].lines if line.kind is Kind.ADDED]
    assert added == [b"return 2;"]
    assert [(r.to_patch, r.body) for r in found.replies] == [(1, "Applied, thanks.")]
    assert two.date is not None
    assert two.date.isoformat() == "2014-04-17T09:02:00+00:00"


def test_a_wrapped_diff_is_joined_and_not_called_intact() -> None:
    wrapped = (
        DIFF.replace("diff --git a/mm/f.c b", "diff --git a/mm/f.c \nb").replace("\n ", "\n  ").replace("\n\t", "\n \t")
    )
    raw = mbox(Mail("[PATCH] s", "Why.\n---\n\n" + wrapped, "p"))
    flowed = raw.replace(b"Subject:", b"Content-Type: text/plain; format=flowed\nSubject:")
    one = assemble(list(parse(flowed, "x")), where="x").patches[0]
    assert (one.exactness, one.damage) == (Exactness.DAMAGED, frozenset({Damage.REWRAPPED}))
    assert one.diff == DIFF.encode()
    assert assemble(list(parse(raw, "x")), where="x").patches[0].exactness is Exactness.DAMAGED


def test_flowed_that_is_not_true_is_left_alone() -> None:
    raw = mbox(Mail("[PATCH] s", "Why.\n---\n\n" + DIFF, "p"))
    flowed = raw.replace(b"Subject:", b"Content-Type: text/plain; format=flowed\nSubject:")
    one = assemble(list(parse(flowed, "x")), where="x").patches[0]
    assert (one.exactness, one.diff) == (Exactness.INTACT, DIFF.encode())


def test_names() -> None:
    assert slug("KVM: x86: flush tlb", 5) == "kvm-x86-flush-tlb-v5"
    assert slug("***", 1) == "series"
    assert len(slug("word " * 50, 1)) <= 40
    assert spelt([1, 2, 3, 6]) == "1-3, 6"


@pytest.mark.parametrize("date", ["", "Date: Sun, 13 Apr 2014 10:00:00 +0000\n"])
def test_a_patch_attached_to_an_answer_is_not_the_series(date: str) -> None:
    file = f"From: Jane Doe <jane@example.org>\n{date}Subject: [PATCH] mm: try this\n\n{ONE.body}"
    header = "Content-Type: text/x-diff; name=try.patch\nContent-Disposition: attachment"
    answer = Mail("Re: [PATCH 1/2] mm: one", "", "r", "p1", minute=9).rfc5322()
    mail = f"""{answer.rstrip()}
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary="=_b"

--=_b

Does it help?
--=_b
{header}

{file}
--=_b--
"""
    thread = mbox(COVER, ONE, TWO) + b"From mboxrd@z Thu Jan  1 00:00:00 1970\n" + mail.encode()
    read = list(parse(thread, "thread.mbox"))
    found = assemble(read, where="thread")
    assert (found.title, shape(found)) == ("mm: do it", [(1, "mm: one"), (2, "mm: two")])
    (other,) = found.problems
    assert '"mm: try this" by Jane Doe, 1 of 1, 2014-04-1' in other
    tried = assemble(read, where="thread", pick="try this").patches[0]
    assert tried.date is not None
    assert tried.date.day == (13 if date else 17)


def test_files_attached_again_without_a_change_are_of_the_later_posting_too() -> None:
    def answer(id_: str, parent: str, minute: int, texts: dict[int, str]) -> bytes:
        mail = Mail("Re: make it fast", "", id_, parent, minute=minute).rfc5322()
        files = "".join(
            f"--=_b\nContent-Type: text/x-diff; name={n}.patch\nContent-Disposition: attachment\n\n"
            f"From {n:040} Mon Sep 17 00:00:00 2001\nFrom: Jane Doe <jane@example.org>\n"
            f"Date: Sun, 13 Apr 2014 10:00:00 +0000\nSubject: [PATCH {n}/2] mm: a{n}\n\n{text}\n{ONE.body}\n"
            for n, text in texts.items()
        )
        head = 'MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary="=_b"\n\n--=_b\n\nHere.\n'
        return f"From mboxrd@z Thu Jan  1 00:00:00 1970\n{mail.rstrip()}\n{head}{files}--=_b--\n\n".encode()

    first, second = answer("r1", "c", 1, {1: "One.", 2: "Two."}), answer("r2", "r1", 9, {1: "One!", 2: "Two."})
    found = assemble(list(parse(first + second, "thread.mbox")), where="thread")
    assert [(patch.number, patch.message[:4]) for patch in found.patches] == [(1, "One!"), (2, "Two.")]
    again = assemble(list(parse(first + second + second, "thread.mbox")), where="thread")
    assert again.problems == found.problems


def test_a_chain_of_many_replies_takes_linear_time() -> None:
    given = "Acked-by: Joe Roe <joe@example.org>\n"
    replies = [
        Mail("Re: [PATCH] mm: one", given, f"r{at + 1}", f"r{at}", "Joe Roe", "joe@example.org") for at in range(4000)
    ]
    with within(3):
        found = series(patch("[PATCH] mm: one", "r0"), *replies)
    assert [(one.key, one.source) for one in found.patches[0].trailers[1:]] == [("Acked-by", "reply")]
    assert {reply.to_patch for reply in found.replies} == {1}


def test_a_mailbox_of_many_series_takes_linear_time() -> None:
    with within(20):
        many = [
            patch(f"[PATCH {number}/2] mm: {topic} {number}", f"m{topic}.{number}", minute=topic % 60)
            for topic in range(1500)
            for number in (1, 2)
        ]
        found = assemble(messages(*many), where="box", pick="700")
        assert [one.number for one in found.patches] == [1, 2]
        assert found.problems[-1] == "and 1494 more series"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("diff --cc mm/f.c\nindex 1,2..3\n--- a/mm/f.c\n+++ b/mm/f.c\n@@@ -1 -1 +1 @@@\n- 1\n++one\n", "shows a merge"),
        ("-- a/mm/f.c\n+++ b/mm/f.c\n@@ -1,2 +1,2 @@\n-1\n+one\n 2\n", "lost a hyphen"),
    ],
)
def test_what_only_looks_like_a_diff_is_named(text: str, why: str) -> None:
    with pytest.raises(InputError, match=why):
        series(Mail("[PATCH] mm: one", f"Why.\n\nSigned-off-by: Jane Doe <jane@example.org>\n---\n\n{text}"))


@pytest.mark.parametrize("line", ["From: the start of it all was bad.", "Date: of the release is near."])
def test_a_sentence_that_begins_like_a_field_is_text(line: str) -> None:
    (one,) = series(Mail("[PATCH] mm: one", f"{line}\n\nWhy.\n---\n{DIFF}-- \n2.39\n", "p")).patches
    assert one.message == f"{line}\n\nWhy."
    assert one.author.name == "Jane Doe"


NAMES = [
    "Bob Ämer",
    "Bob O. Other-Name",
    "Ludwig van der Hoven",
    "José de la Cruz",
    "kernel test robot",
    "Bob via B4 Relay",
]


@pytest.mark.parametrize("who", ["B <b@x.org>", "B <[email protected]>", "b at x.org", "\n Bob <b@x.org>", *NAMES])
def test_an_author_named_in_the_text(who: str) -> None:
    (one,) = series(Mail("[PATCH] mm: one", f"From: {who}\n\nWhy.\n---\n{DIFF}-- \n2.39\n", "p")).patches
    assert one.message == "Why."
    assert one.author.name != "Jane Doe"
