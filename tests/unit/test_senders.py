"""One person whom a page shows under a name and under an address."""

from __future__ import annotations

from dataclasses import replace

import pytest

from kpatch_tool.mail.read import parse
from kpatch_tool.series.assemble import assemble
from kpatch_tool.series.postings.gathering import gather
from kpatch_tool.series.postings.received import read_posts
from tests.mail_fixtures import Mail, linuxlists, messages, patch


def by(name: str, mail: Mail) -> Mail:
    return replace(mail, name=name)


def thread(cover: str, *patches: str) -> bytes:
    """A page with a cover letter and patches; who is shown as the sender of each."""
    mails = [
        by(name, patch(f"[PATCH v2 {number}/{len(patches)}] mm: part {number}", minute=number))
        for number, name in enumerate(patches, start=1)
    ]
    return linuxlists(by(cover, Mail(f"[PATCH v2 0/{len(patches)}] mm: parts", "Hello.\n")), *mails)


@pytest.mark.parametrize(
    ("name", "address"),
    [("Paul E. McKenney", "paulmck@example.org"), ("Ira Weiny", "ira.weiny@example.com"), ("Åsa Öl", "åsa@example.se")],
)
def test_an_address_that_is_made_of_the_name(name: str, address: str) -> None:
    for senders in [(name, address, address), (name, name, address, name), (address, name, name)]:
        (one,) = gather(read_posts(parse(thread(*senders), "page")))
        assert (one.title, one.complete, one.cover is not None) == ("mm: parts", True, True)


def test_the_address_stays_the_author() -> None:
    series = assemble(list(parse(thread("Ira Weiny", "ira.weiny@example.com", "Ira Weiny"), "page")), where="page")
    assert [one.author.email for one in series.patches] == ["ira.weiny@example.com", ""]


@pytest.mark.parametrize("address", ["list@example.org", "ed@example.org", "info@paul.example.org"])
def test_an_address_that_is_not(address: str) -> None:
    assert len(gather(read_posts(parse(thread("Paul E. Ed", "Paul E. Ed", address), "page")))) == 2


def test_an_address_that_could_be_two_people_s() -> None:
    page = thread("Paul Smith", "paul@example.org", "Paul Smith") + linuxlists(by("Paul Jones", Mail("Re: x", "No.\n")))
    assert len(gather(read_posts(parse(page, "page")))) == 2


def test_a_review_by_somebody_whom_the_page_shows_by_the_address() -> None:
    review = by("ira.weiny@example.com", Mail("Re: [PATCH] mm: one", "Reviewed-by: Ira Weiny <ira@example.com>\n"))
    page = linuxlists(
        patch("[PATCH] mm: one"), replace(review, minute=1), by("Ira Weiny", Mail("Re: other", "Hi.\n", minute=2))
    )
    (one,) = assemble(list(parse(page, "page")), where="page").patches
    assert [trailer.key for trailer in one.trailers if trailer.key != "Signed-off-by"] == ["Reviewed-by"]


def test_a_letter_whose_subject_stands_in_its_text() -> None:
    letter = Mail("", "Subject: [PATCH v10 0/2] mm: all of it\n\nWhy.\n", "c")
    patches = [patch(f"[PATCH v10 {n}/2] mm: part {n}", f"p{n}", minute=n, reply_to="c") for n in (1, 2)]
    mails = messages(letter, *patches)
    assert assemble(mails, where="x").title == "mm: all of it"
    assert assemble(messages(replace(letter, body="Why.\n"), *patches), where="x").title == "mm: part 1"
    assert [one.title for one in gather(read_posts(mails))] == ["mm: part 1"]
