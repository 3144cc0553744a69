"""Every form in which series are posted (tests/thread_texts.py), read from mails and from pages without ids."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from kpatch_tool.errors import InputError
from kpatch_tool.mail.message import Message
from kpatch_tool.mail.read import parse
from kpatch_tool.series.assemble import assemble
from kpatch_tool.series.postings import gathering
from kpatch_tool.series.postings.posts import Posting, threads_above
from kpatch_tool.series.postings.received import read_posts
from kpatch_tool.series.postings.topics import topics
from kpatch_tool.text import spelt
from tests.clock import within
from tests.mail_fixtures import Mail, linuxlists, messages, patch
from tests.thread_texts import THREADS, Thread

# Series that only ids connect; a page that shows none cannot tell them apart.
ONLY_BY_IDS = {
    "rerolls of several patches, each an answer to its own",
    "a letter before a single patch",
    "a letter before a single patch, by its id",
    "a patch whose subject lost its number",
    "a patch with another total",
    "the number of the patch before",
    "a first patch sent twice, below a cover letter",
    "the earlier version of a patch sent with the new one",
    "a later patch sent as 0/3",
    "some patches kept the total of an earlier posting",
    "most patches kept the total of an earlier posting",
    "the number of a patch behind",
    "patches of several series in one run",
    "two series of a person within the hour, of one the cover is missing",
    "two series of a person, a patch dated before the one it answers",
}


def shown(one: Posting) -> str:
    return f"{one.label} {spelt(one.own)}/{one.total}{' c' if one.cover else ''}"


def postings(mails: Sequence[Message]) -> tuple[str, ...]:
    return tuple(map(shown, gathering.gather(read_posts(mails))))


@pytest.mark.parametrize("thread", THREADS, ids=lambda thread: thread.name)
def test_forms(thread: Thread) -> None:
    mails = messages(*thread.mails())
    assert postings(mails) == thread.postings
    series = assemble(mails, where="thread")
    assert " ".join(patch.message_id.partition("@")[0] or "-" for patch in series.patches) == thread.chosen
    assert len(series.problems) == len(thread.says), series.problems
    assert all(piece in line for piece, line in zip(thread.says, series.problems, strict=True)), series.problems


@pytest.mark.parametrize("thread", THREADS, ids=lambda thread: thread.name)
def test_the_order_in_the_source_does_not_matter(thread: Thread) -> None:
    backwards = messages(*reversed(thread.mails()))
    assert set(postings(backwards)) == set(thread.postings)


@pytest.mark.parametrize("thread", [one for one in THREADS if one.name not in ONLY_BY_IDS], ids=lambda one: one.name)
def test_forms_on_a_page(thread: Thread) -> None:
    page = list(parse(linuxlists(*thread.mails()), "page"))
    assert postings(page) == thread.postings
    by_mail = assemble(messages(*thread.mails()), where="thread")
    series = assemble(page, where="page")
    assert [one.subject for one in series.patches] == [one.subject for one in by_mail.patches]
    assert (series.title, series.revision, series.total) == (by_mail.title, by_mail.revision, by_mail.total)


@pytest.mark.parametrize(
    "name", ["patches dated before their cover", "a second posting, with a cover and without a version"]
)
def test_on_a_page_with_ids_dates_tell_what_a_cover_is_about(name: str) -> None:
    (thread,) = (one for one in THREADS if one.name == name)
    page = parse(linuxlists(*thread.mails()), "page")
    assert postings([replace(one, message_id=f"{n}@x.org") for n, one in enumerate(page)]) == thread.postings


def test_on_a_page_an_earlier_version_is_completed_after_a_later_one() -> None:
    (thread,) = (
        one for one in THREADS if one.name == "an earlier version of some patches after a later one of another"
    )
    series = assemble(list(parse(linuxlists(*thread.mails()), "page")), where="page", revision=5)
    assert [one.number for one in series.patches] == [1, 2, 3, 4]
    assert "v5 was sent in part; taken from v4: 2" in series.problems


def thread_of(name: str) -> list[Message]:
    return messages(*next(one for one in THREADS if one.name == name).mails())


def test_a_forgotten_tag_on_a_page_without_dates() -> None:
    """Patches that stand together are of one run; one behind a reply is not."""
    run = [patch("[PATCH v3 1/3] mm: a"), patch("[PATCH v3 2/3] mm: b")]
    later = [patch("[PATCH 2/3] mm: b"), patch("[PATCH 3/3] mm: c")]
    for mails, expected in [
        ([*run, Mail("Re: [PATCH v3 2/3] mm: b", "No.\n"), *later], ("v3 1-2/3", "v1 2-3/3")),
        ([*run, later[1]], ("v3 1-3/3",)),
    ]:
        page = [replace(mail, date=None) for mail in parse(linuxlists(*mails), "page")]
        assert postings(page) == expected


def test_the_later_of_two_parts_on_a_page_without_dates() -> None:
    first = [patch(f"[PATCH {n}/3] mm: {n}") for n in (1, 2)]
    later = [patch(f"[PATCH {n}/3] mm: {n}", file="mm/g.c") for n in (2, 3)]
    mails = [*first, Mail("Re: [PATCH 2/3] mm: 2", "No.\n"), *later]
    page = [replace(mail, date=None) for mail in parse(linuxlists(*mails), "page")]
    assert [one.subject for one in assemble(page, where="page").patches] == ["mm: 2", "mm: 3"]


def test_a_patch_that_is_in_two_versions_of_a_page_without_dates_and_ids() -> None:
    first, changed = ([patch("[PATCH 1/2] mm: 1"), patch("[PATCH 2/2] mm: 2", file=file)] for file in ("f.c", "g.c"))
    covers = [Mail(f"[PATCH {version}0/2] mm: do it", "Text.\n") for version in ("", "v2 ")]
    mails = [covers[0], *first, covers[1], *changed]
    page = [replace(mail, date=None) for mail in parse(linuxlists(*mails), "page")]
    assert postings(page) == ("v1 1-2/2 c", "v2 1-2/2 c")
    copy = [replace(mail, origin=mail.origin.replace("page", "copy")) for mail in page]
    assert postings([*page, *page, *copy]) == ("v1 1-2/2 c", "v2 1-2/2 c")


def test_a_mail_that_a_page_without_dates_and_ids_shows_twice() -> None:
    one, two = patch("[PATCH 1/2] mm: 1"), patch("[PATCH 2/2] mm: 2")
    mails = [Mail("[PATCH 0/2] mm: do it", "Text.\n"), one, one, two]
    page = [replace(mail, date=None) for mail in parse(linuxlists(*mails), "page")]
    assert postings(page) == ("v1 1-2/2 c",)


@pytest.mark.parametrize(("seconds", "dated", "covered"), [(1, True, True), (59, True, False), (1, False, False)])
def test_the_letter_of_a_single_patch_on_a_page_without_ids(seconds: int, dated: bool, covered: bool) -> None:
    letter, one = parse(linuxlists(Mail("Do it", "Text.\n"), patch("[PATCH] mm: one")), "page")
    later = letter.date + timedelta(seconds=seconds) if letter.date and dated else None
    page = [replace(letter, date=letter.date if dated else None), replace(one, date=later)]
    assert (assemble(page, where="page").cover is not None) is covered


def test_choosing_a_series() -> None:
    """By its number (as the problems name it), a message id or a part of the title."""
    mails = thread_of("another one's series in the thread, and a fix")
    for pick in ("2", "b2@example.org", "<b1@example.org>", "on top of"):
        found = assemble(mails, where="x", pick=pick)
        assert [one.message_id for one in found.patches] == ["b1@example.org", "b2@example.org"]
        assert any('"mm: do all of it" by Jane' in line for line in found.problems)
    for pick in ("nothing", "9" * 5000):
        with pytest.raises(InputError, match=f"no series matches `{pick}`"):
            assemble(mails, where="x", pick=pick)
    with pytest.raises(InputError, match="several series match `mm`"):
        assemble(mails, where="x", pick="mm")
    with pytest.raises(InputError, match="no revision 4"):
        assemble(mails, where="x", pick="2", revision=4)


def test_choosing_what_goes_on_takes_what_came_before() -> None:
    found = assemble(thread_of("numbers that go on under another total"), where="x", pick="2")
    assert [one.number for one in found.patches] == [1, 2, 3, 4]
    assert found.problems == ('3-4 of 4 go on from "mm: do all of it" (1-2 of 2, 2014-04-17); taken from it: 1-2',)
    assert found.title == "mm: do all of it"


def test_a_part_sent_again_in_answer_to_a_mail_that_is_not_there() -> None:
    one, two = patch("[PATCH 1/2] mm: one", "p1", minute=1), patch("[PATCH 2/2] mm: two", "p2", minute=2, reply_to="p1")
    again = patch("[PATCH v2 2/2] mm: two", "n2", minute=40, reply_to="review")
    *earlier, last = messages(one, two, again)
    assert postings([*earlier, last]) == ("v1 1-2/2", "v2 2/2")
    named = replace(last, references=("p1@example.org", "p2@example.org", "review@example.org"))
    (_, later) = gathering.gather(read_posts([*earlier, named]))
    assert (shown(later), sorted(later.patches)) == ("v2 2/2", [1, 2])


def test_choosing_an_earlier_revision_by_number() -> None:
    mails = thread_of("revisions, each with a cover")
    assert assemble(mails, where="x", pick="1").revision == 1
    assert assemble(mails, where="x", pick="1", revision=3).revision == 3


def test_many_unrelated_series_ask_for_a_choice() -> None:
    many = messages(*(patch(f"[PATCH] net: {word} this", word, minute=i) for i, word in enumerate("abcdefg")))
    with pytest.raises(InputError) as caught:
        assemble(many, where="box.mbox")
    assert "7 series are here" in caught.value.line()
    assert '1: "net: a this", 2: "net: b this"' in caught.value.line()
    assert "--series" in caught.value.line()
    assert assemble(many, where="box.mbox", pick="net: e").title == "net: e this"


@pytest.mark.parametrize("lacking", ["absent", "empty"])
def test_files_of_many_people_of_which_one_is_lacking(lacking: str) -> None:
    """As git format-patch writes them, days apart by their commits' dates."""
    files = [
        replace(patch(f"[PATCH {k}/6] mm: {k}"), name=f"Person {k}", email=f"p{k}@example.org", day=3 * k)
        for k in range(1, 7)
    ]
    files[3] = replace(files[3], body="Nothing.\n")
    found = assemble(messages(*(one for one in files if lacking == "empty" or "4/6" not in one.subject)), where="x")
    assert [one.number for one in found.patches] == [1, 2, 3, 5, 6]
    assert found.problems == ("patch 4 is not in the source (of 6)",)


def test_many_series_in_one_thread_are_no_question() -> None:
    first = patch("[PATCH] net: root this", "r")
    answers = [patch(f"[PATCH] net: {word} this", word, minute=i, reply_to="r") for i, word in enumerate("abcdefg", 1)]
    found = assemble(messages(first, *answers), where="x")
    assert found.title == "net: root this"
    assert found.problems[-1] == "and 2 more series"


def test_a_crowded_thread_takes_linear_time() -> None:
    with within(20):
        answers = [patch(f"[PATCH] mm: thing {i} of many", f"p{i}", minute=i % 60, reply_to="r") for i in range(1500)]
        again = [patch("[PATCH 2/3] mm: the same", f"q{i}", minute=i % 60) for i in range(1500)]
        revisions = [patch(f"[PATCH v{i} 1/2] net: one", f"v{i}", minute=i % 60, reply_to="r") for i in range(1, 900)]
        mails = messages(patch("[PATCH] mm: the root of it", "r"), *answers, *again, *revisions)
        assert assemble(mails, where="x", pick="1").title == "mm: the root of it"


def test_many_patches_whose_titles_begin_alike() -> None:
    alike = (patch(f"[PATCH] mm: {'a' * 40}{i:04}", f"p{i}", minute=i % 60) for i in range(2000))
    posts = read_posts(messages(*alike))
    found = gathering.gather(posts)
    with within(0.6):
        assert len(topics(found, list(map(threads_above(posts), found)))) == 2000


def test_a_mailbox_that_repeats_its_threads_with_other_ids_takes_linear_time() -> None:
    """What the copies answer is not there, so that every cover may belong to every copy of its patches."""
    cover = [Mail("[PATCH v2 0/3] mm: all", "Text.\n", f"c{i}", "") for i in range(1500)]
    parts = [
        patch(f"[PATCH v2 {number}/3] mm: {number}", f"p{number}.{i}", reply_to="gone")
        for i in range(1500)
        for number in (1, 2, 3)
    ]
    mails = read_posts(messages(*cover, *parts))
    with within(10):
        found = gathering.gather(mails)
    assert sum(len(one.patches) for one in found) == 4500


def test_hundreds_of_revisions_in_one_thread() -> None:
    """Each answers the one before: what a revision is told by does not grow with all that lies above it."""
    mails = (patch(f"[PATCH v{n}] mm: one", f"r{n}", reply_to=f"r{n - 1}" if n > 1 else "") for n in range(1, 801))
    posts = read_posts(messages(*mails))
    found = gathering.gather(posts)
    threads = list(map(threads_above(posts), found))
    assert sum(map(len, threads)) < 800 * 202
    assert [len(group) for group in topics(found, threads)] == [800]


def test_thousands_of_patches_of_one_title() -> None:
    sent = (patch(f"[PATCH v{n % 999}] mm: one thing of many", f"r{n}", minute=n % 60) for n in range(2000))
    posts = read_posts(messages(*sent))
    found = gathering.gather(posts)
    threads = list(map(threads_above(posts), found))
    with within(0.3):
        assert len(topics(found, threads)) < 2000


def test_a_sender_of_many_series() -> None:
    """A number too many, sent without headers of a thread, finds its posting among all that its sender sent later."""
    later = "".join(
        f"""
        r{day}.{number} jane {day}:{number} [PATCH {number}/3] mm: of day {day}, part {number}"""
        for day in range(1, 29)
        for number in (1, 2, 3)
    )
    many = Thread("", later + "\n x jane 3:9 [PATCH 4/3] mm: one more", (), "")
    found = gathering.gather(read_posts(messages(*many.mails())))
    assert [shown(one) for one in found if 4 in one.patches] == ["v1 1-4/3"]
    assert len(found) == 28
