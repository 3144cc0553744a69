"""What strangers write takes a time that grows with its length, not with its square, also in one long line or run."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from kpatch_tool.bisect.threshold import printed
from kpatch_tool.kbuild.config import depends_on
from kpatch_tool.mail.archives.table import ARCHIVES
from kpatch_tool.mail.flowed import unflow
from kpatch_tool.restore import blanks
from kpatch_tool.restore.addresses import people_in
from kpatch_tool.restore.letters import MARK, Words, readings
from kpatch_tool.restore.loosely.fit_search import Received
from kpatch_tool.restore.loosely.loose import read_loose
from kpatch_tool.restore.loosely.undoing import without_hyphen_blanks
from kpatch_tool.series.model import Trailer
from kpatch_tool.series.people import persons, trailers
from kpatch_tool.series.reading.split import split_body
from tests.clock import within

LENGTH = 40_000
SECONDS = 1.0  # of processor time; by its square each of them took 1 to 50 s
DIFF = b"diff --git a/a.c b/a.c\n--- a/a.c\n+++ b/a.c\n@@ -1 +1 @@\n-a\n+b\n"
NOWHERE = Words([])


def of(part: bytes) -> bytes:
    return part * (LENGTH // len(part))


CASES: dict[str, Callable[[], object]] = {
    "blank lines in a note": lambda: split_body(b"x\n---\nx" + of(b"\n") + b"x\n" + DIFF, "utf-8"),
    "addresses in a link": lambda: trailers.identity(Trailer("Link", of(b"https://").decode(), "patch")),
    "slashes in a link": lambda: trailers.identity(Trailer("Link", f"https://a{of(b'/').decode()}x", "patch")),
    "a word for a person": lambda: persons.name_of(of(b"x").decode()),
    "an entry of CREDITS": lambda: people_in(of(b"N: a\n") + b"X: jane@example.org\n"),
    "names of a file": lambda: read_loose(b"diff --git a/x" + of(b" b/x") * 8 + b"y\n" + DIFF),
    "hyphens": lambda: without_hyphen_blanks(of(b"a - ")),
    "a macro": lambda: blanks.kind(of(b"A"), code=True),
    "a loop": lambda: blanks.kind(of(b"for_each_") * 3, code=True),
    "a word beside a letter that was lost": lambda: readings(of(b"a") + b" " + MARK, (), NOWHERE, NOWHERE),
    "a word beside another letter": lambda: Words([of(b"a") + b" \xc3\xa4"]),
    "blank lines of an entry in Kconfig": lambda: depends_on(f"config KVM\n{of(b' ' + bytes([10])).decode()}", "KVM"),
    "a line that a test prints": lambda: printed(f"! {of(b' ').decode()}x"),
}


def test_a_hunk_of_blank_lines_costs_little() -> None:
    text = DIFF.replace(b"@@ -1 +1 @@", b"@@ -1,99999 +1,99999 @@") + of(b"\n") * 8
    with within(0.45):
        ((hunk,),) = (one.hunks for one in read_loose(text))
        Received(hunk)
        unflow(text, delsp=False)


@pytest.mark.parametrize("case", CASES)
def test_time_grows_with_the_length(case: str) -> None:
    with within(SECONDS):
        CASES[case]()


@pytest.mark.parametrize("archive", [archive.name for archive in ARCHIVES])
def test_a_page_that_nearly_begins_a_mail(archive: str) -> None:
    """In a field of the header that has no end."""
    (start,) = (one.start for one in ARCHIVES if one.name == archive)
    heads = (b"", b"x\n\nFrom: ", b"* From: ", b"List: kvm\nSubject: ", b"List: kvm\nSubject: x\nFrom: ", b"Date: ")
    with within(SECONDS):
        for head in heads:
            for part in (b" ", b"a", b"<", b"a@b ", b"\n", b"Subject: x\n"):
                assert not [*start.finditer(head + of(part))]


def test_every_kind_of_line_has_its_odds_beside_every_other() -> None:
    for table, kinds in ((blanks._CODE_ODDS, blanks.KINDS[True]), (blanks._TEXT_ODDS, blanks.KINDS[False])):
        assert list(table) == kinds
        assert {len(row) for row in table.values()} == {len(kinds)}
