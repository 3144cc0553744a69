"""When a verdict of kpt counts as the one that upstream's run_tests.sh printed."""

from __future__ import annotations

import pytest

from benchmarks.unittests_verdicts import Said, agree
from kpatch_tool.suites.model import CaseResult, Verdict

TIMEOUT = "timeout; duration=90s"


@pytest.mark.parametrize(
    ("word", "text", "verdict", "why", "same"),
    [
        ("PASS", "3 tests", Verdict.PASS, "3 tests", True),
        ("PASS", "", Verdict.PASS, "", True),
        ("PASS", "3 tests", Verdict.PASS, "2 tests", False),
        ("PASS", "3 tests", Verdict.FAIL, "3 tests", False),
        ("SKIP", "i386 only", Verdict.SKIP, "i386 only", True),
        ("SKIP", "i386 only", Verdict.SKIP, "x86_64 only", False),
        ("SKIP", "QEMU Aborted", Verdict.SKIP, "QEMU Aborted: assertion", True),
        ("FAIL", TIMEOUT, Verdict.TIMEOUT, TIMEOUT, True),
        ("FAIL", TIMEOUT, Verdict.TIMEOUT, "timeout; duration=30s", False),
        ("FAIL", TIMEOUT, Verdict.FAIL, TIMEOUT, False),
        ("FAIL", "", Verdict.TIMEOUT, TIMEOUT, False),
        ("FAIL", "terminated on SIGKILL", Verdict.TIMEOUT, TIMEOUT, True),
        ("FAIL", "terminated on SIGABRT", Verdict.TIMEOUT, TIMEOUT, False),
        ("FAIL", "terminated on SIGABRT", Verdict.ABORT, "terminated on SIGABRT", True),
        ("FAIL", "", Verdict.ABORT, "QEMU ended by itself with status 0", True),
        ("FAIL", "9 tests, 1 unexpected failures", Verdict.FAIL, "9 tests, 1 unexpected failures", True),
        ("?", "", Verdict.FAIL, "", False),
    ],
)
def test_agreement(word: str, text: str, verdict: Verdict, why: str, same: bool) -> None:
    assert agree(Said(word, text, 92.0, 4), CaseResult("t", "", verdict, 90.0, why), 4) is same


def test_cases_are_counted_but_of_tests_that_were_cut_short() -> None:
    passed = CaseResult("t", "", Verdict.PASS, 1.0, "3 tests")
    assert agree(Said("PASS", "3 tests", 2.0, 3), passed, 3)
    assert not agree(Said("PASS", "3 tests", 2.0, 3), passed, 2)
    late = CaseResult("t", "", Verdict.TIMEOUT, 90.0, TIMEOUT)
    assert agree(Said("FAIL", TIMEOUT, 92.0, 3), late, 2)
