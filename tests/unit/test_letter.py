"""The draft of a mail: what others wrote cannot become a field, and nothing is vouched for that was not tested."""

from __future__ import annotations

import email
import email.policy
import re
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from kpatch_tool.kbuild.model import Uncompiled
from kpatch_tool.mail.message import Address
from kpatch_tool.mail.read import SourceFile
from kpatch_tool.mail.recipients import Recipients, by_message_id
from kpatch_tool.report.letter import answered, draft, vouches
from kpatch_tool.running.pipeline import run
from kpatch_tool.series.directory.posted import Posted
from kpatch_tool.series.people.given import of_reply
from kpatch_tool.suites.model import Repeats
from tests import report_records as records
from tests.report_records import hostile_record
from tests.results_fixtures import FakeSteps, Recorder, make_applied, make_build, make_tests

ME = Address("Test Person", "test@example.org")
FIELDS = {
    "From", "Date", "Subject", "To", "Cc", "In-Reply-To", "References", "Comments", "MIME-Version", "Content-Type",
    "Content-Transfer-Encoding",
}  # fmt: skip
EVIL = "x\r\nBcc: evil@example.org\n\n\x1b[2J\u202e, <y@z>"


def test_what_others_wrote_cannot_become_a_field() -> None:
    people = (Address(EVIL, "a@example.org"), Address("A", EVIL), Address("", "b@example.org\nBcc: c@d"))
    mail = Posted(0, f"[PATCH] {EVIL}", Address(EVIL, "jane@example.org"), datetime(2014, 4, 17, tzinfo=UTC), EVIL,
                  "id@x\nBcc: evil", ("good@x", f"a b@{EVIL}"), Recipients(people, people))  # fmt: skip
    text = draft(records.clean(), records.three(), mail, ME).text
    read = email.message_from_string(text, policy=email.policy.default)
    assert set(read.keys()) <= FIELDS and "\x1b" not in text and "\u202e" not in text
    assert [one.addr_spec for one in read["To"].addresses] == ["jane@example.org"]
    assert [one.addr_spec for one in read["Cc"].addresses] == ["a@example.org"]
    assert read["In-Reply-To"] is None  # the id is none
    assert "Tested-by: Test Person <test@example.org>\n" in text


def test_evidence_that_is_hostile_stays_text() -> None:
    record = hostile_record()
    series = records.three()
    mail = Posted(answered(record), "[PATCH 1/3] KVM: one", Address("J", "j@example.org"), None, "Why.\n", "p1@x")
    read = email.message_from_string(draft(record, series, mail, ME).text, policy=email.policy.default)
    assert set(read.keys()) <= FIELDS
    body = read.get_content()
    assert "\\x1b[31m" in body and "\x1b" not in body
    assert body.startswith("J wrote:\n> Why.\n\n")


def test_nothing_is_vouched_for_that_was_not_tested(tmp_path: Path) -> None:
    good = {"clean", "one patch", "sixty patches"}
    for kind, record in records.every_kind(tmp_path).items():
        assert vouches(record) == (kind in good), kind
    record = records.clean()
    assert not vouches(replace(record, tests=()))
    assert not vouches(replace(record, tests=tuple(one for one in record.tests if one.patch != 3)))
    assert not vouches(replace(record, tests=tuple(one for one in record.tests if one.patch != 0)))
    elsewhere = replace(record, never_loaded=frozenset({"kvm.ko"}))
    assert not vouches(elsewhere), "whatever the series does to it, the cases are as on the base"
    alike = tuple(replace(one, modules=record.builds[0].modules) for one in record.builds)
    assert vouches(replace(elsewhere, builds=alike)), "it changes no module"
    assert not vouches(replace(record, uncompiled=(Uncompiled(2, ("arch/x86/kvm/xen.c",)),)))
    assert not vouches(replace(record, problems=("no space left",)))
    unsteady = tuple(
        replace(one, results=(replace(one.results[0], repeats=Repeats(2, 1)), *one.results[1:])) for one in record.tests
    )
    assert not vouches(replace(record, tests=unsteady)), "worse in one of two runs is no verdict"
    for cases in ((), ("pmu=skip no PMU", "kernel log=pass")):
        nothing = tuple(make_tests(one.patch, *cases) for one in record.tests)
        assert not vouches(replace(record, tests=nothing)), "nothing was tested"


def test_cases_are_counted_and_not_the_tests_that_have_them() -> None:
    series, builds = records.three(), {patch: make_build(patch, module=str(patch)) for patch in range(4)}
    cases = ("s=pass", "s/one=pass", "kernel log=pass")
    steps = FakeSteps(make_applied(series), builds, {patch: (make_tests(patch, *cases),) for patch in range(4)})
    mail = Posted(0, "[PATCH 0/3] KVM", Address("J", "j@example.org"), None, "Why.\n", "c@x")
    words = " ".join(draft(run(series, steps, Recorder()), series, mail, ME).text.split())
    assert "the one test case is as on the base" in words and "kut (1 case on the base)" in words


def test_a_base_that_cannot_be_tested_is_said_and_not_that_nothing_was() -> None:
    series, builds = records.three(), {patch: make_build(patch, module=str(patch)) for patch in range(4)}
    tests = {patch: (make_tests(patch, "vmexit=pass"),) for patch in range(1, 4)}
    tests[0] = (make_tests(0, status="failed", why="the kernel does not boot"),)
    record = run(series, FakeSteps(make_applied(series), builds, tests), Recorder())
    mail = Posted(0, "[PATCH 0/3] KVM", Address("J", "j@example.org"), None, "Why.\n", "c@x")
    text = draft(record, series, mail, ME).text
    assert "does not boot" in text and "Tested-by" not in text and "It was not tested." not in text
    text = draft(replace(record, tests=record.tests[:1]), series, mail, ME).text
    assert "Tested-by" not in text and "It was not tested." in text


@pytest.mark.parametrize(
    ("kind", "number"),
    [("clean", 0), ("infra", 0), ("lacking", 1), ("conflict", 2), ("hiding", 2), ("panicking", 3), ("damaged", 1)],
)
def test_which_patch_is_answered(kind: str, number: int, tmp_path: Path) -> None:
    assert answered(records.every_kind(tmp_path)[kind]) == number


def test_a_patch_that_could_not_be_restored_is_not_called_restored(tmp_path: Path) -> None:
    record = records.every_kind(tmp_path)["damaged"]
    mail = Posted(1, "[PATCH 1/3] KVM: one", Address("J", "j@example.org"), None, "Why.\n", "p1@x")
    text = draft(record, records.three(), mail, ME).text
    assert "damaged" in text
    assert "restored" not in text


def test_recipients_are_read_as_received() -> None:
    mbox = (
        b"From mboxrd@z Thu Jan  1 00:00:00 1970\nFrom: a@example.org\nMessage-ID: <1@x>\nSubject: s\n"
        b'To: =?utf-8?q?J=C3=BCrgen?= <j@example.org>, undisclosed-recipients:;,\n "Doe, Jane" <jane@example.org>\n'
        b"Cc: kvm@vger.example.org, Somebody <some@xxxxxxxx>\n\ntext\n"
    )
    (found,) = by_message_id([SourceFile("t.mbox", mbox)]).values()
    assert found.to == (Address("J\u00fcrgen", "j@example.org"), Address("Doe, Jane", "jane@example.org"))
    assert (found.cc, found.hidden) == ((Address("", "kvm@vger.example.org"),), 1)
    for junk in (b"\n\n", b"\xef\xbb\xbf"):
        assert by_message_id([SourceFile("t", junk + mbox)]) == {"1@x": found}
    raw = mbox.split(b"\n", 1)[1]
    for kept in (b"\1\1\1\1\n" + raw + b"\1\1\1\1\n", b"%d\n%s<?xml?>\n" % (len(raw), raw)):  # MMDF, Apple's Mail
        assert by_message_id([SourceFile("t", kept)]) == {"1@x": found}
    assert by_message_id([SourceFile("page.txt", b"2014-04-17\n\nby Jane\n\n[permalink]\n")]) == {}


FORGED = (
    f"{'x' * 80} Cc: evil@example.org {'y' * 80} Reviewed-by: Evil <evil@example.org> {'y' * 80} From: evil@a.org ",
    "\n\nCc: evil@example.org\n\nReviewed-by: Evil <evil@example.org>\n\n---\ndiff --git a/x b/x\n--- a/x\n+++ b/x\n",
    f"{'y' * 80} From mboxrd@z Thu Jan  1 00:00:00 1970 {'z' * 80} -- ",
    "Reviewed-by: Evil <evil@example.org> ",
    "x" * 3000,
    "\U0001f600" * 1000,
)
READ = re.compile(r"\s*(?:[\w-]+-by|cc|from|fixes)\s*:|From \S+ .*\d:\d\d|-- ?$|---|diff ", re.IGNORECASE)


@pytest.mark.parametrize("poison", FORGED)
def test_no_line_of_the_body_is_taken_for_more_than_words(poison: str, tmp_path: Path) -> None:
    """Wherever wrapping puts somebody's words: git send-email mails to who stands in a line `Cc: ...` or `...-by: ...`,
    others collect these."""
    for kind, clean in records.every_kind(tmp_path).items():
        if kind == "sixty patches":
            continue
        record, series = records.poisoned(clean, poison), records.poisoned(records.three(), poison)
        who = Address(f"{poison}A", "a@example.org")
        mail = Posted(answered(record), f"[PATCH] {poison}", who, None, f"{poison}Why.\n", "p1@x", ("a@x", "b" * 999),
                      Recipients((who, Address("", f"{'a' * 300}@example.org")), ()))  # fmt: skip
        text = draft(record, series, mail, ME).text
        read = email.message_from_bytes(text.encode(), policy=email.policy.default)
        assert set(read.keys()) <= FIELDS and [one.addr_spec for one in read["To"].addresses] == ["a@example.org"]
        assert max(len(line.encode()) for line in text.splitlines()) <= 998  # RFC 5322, 2.1.1
        own = "Tested-by: Test Person <test@example.org>"
        assert [line for line in read.get_content().splitlines() if READ.match(line) and line != own] == []
        assert {one.value for one in of_reply(read.get_content(), ME).taken} <= {own.removeprefix("Tested-by: ")}
