"""Mails that share a message id and are no copies: authors edit a file of git format-patch and send it once more."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from kpatch_tool.mail.read import read_sources
from kpatch_tool.series.assemble import assemble
from kpatch_tool.series.model import Series
from tests.listed_postings import from_index, whole
from tests.mail_fixtures import Mail, mbox, patch

ANSWER = "Thanks.\n\nReviewed-by: {0} <{0}@example.org>\n"
OLD = patch("[PATCH v7] mm: one", "p")
NEW = replace(patch("[PATCH v8] mm: one", "p", trailers="Cc: stable@example.org\n"), day=20)


def answer(who: str, day: int) -> Mail:
    return Mail("Re: [PATCH] mm: one", ANSWER.format(who), f"r{who}", "p", who, f"{who}@example.org", day=day)


def given(tmp_path: Path, *mails: Mail, revision: int | None = None) -> Series:
    path = tmp_path / "thread.mbox"
    path.write_bytes(mbox(*mails))
    return assemble(read_sources([str(path)]).messages, where="thread", revision=revision)


def reviewers(series: Series) -> list[str]:
    return [trailer.value.split()[0] for trailer in series.patches[0].trailers if trailer.source == "reply"]


@pytest.mark.parametrize(("revision", "who"), [(None, ["late"]), (7, ["early"]), (8, ["late"])])
def test_each_is_a_version_with_the_answers_it_got(tmp_path: Path, revision: int | None, who: list[str]) -> None:
    series = given(tmp_path, OLD, answer("early", 18), NEW, answer("late", 21), revision=revision)
    assert series.revision == (revision or 8)
    assert ("Cc: stable" in series.patches[0].message) is (series.revision == 8)
    assert reviewers(series) == who


def test_a_correction_without_a_version(tmp_path: Path) -> None:
    fixed = replace(NEW, subject="[PATCH 6.6] mm: one", day=17, minute=4)
    series = given(tmp_path, replace(OLD, subject="[PATCH] mm: one"), fixed)
    assert "Cc: stable" in series.patches[0].message
    assert series.problems[0].startswith("also posted as v1")


def test_a_copy_that_another_list_sent_is_none(tmp_path: Path) -> None:
    footer = "_______________________________________________\nlist mailing list\nlist@example.org\n"
    notice = "This mail is confidential.\n"
    copies = (
        replace(OLD, body=OLD.body + footer),
        replace(OLD, body=OLD.body + notice, minute=5),
        replace(OLD, subject=f"[Kvm] {OLD.subject}", minute=6),
        answer("bob", 18),
        replace(answer("bob", 18), body=answer("bob", 18).body + notice, minute=7),
    )
    series = given(tmp_path, OLD, *copies)
    assert not series.problems
    assert len(series.patches) == len(series.replies) == 1


def test_an_answer_sent_under_the_id_of_the_patch(tmp_path: Path) -> None:
    series = given(tmp_path, OLD, Mail(OLD.subject, "> Why.\n\nWhy not?\n", "p", "p", "Bob", "bob@x.org", day=18))
    assert [reply.author.name for reply in series.replies] == ["Bob"]
    assert not series.problems


def test_the_list_of_a_mailbox_has_each(tmp_path: Path) -> None:
    path = tmp_path / "list.mbox"
    path.write_bytes(mbox(OLD, OLD, NEW, NEW, answer("late", 21), *(patch("[PATCH] mm: b", "b", minute=9),)))
    listed = from_index(path, tmp_path / "i.sqlite")
    assert listed == whole(path)
    assert [one[1] for one in listed] == [7, 1, 8]
