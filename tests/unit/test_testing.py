"""What the results of several states mean together."""

from __future__ import annotations

import pytest

from kpatch_tool.suites.model import CaseResult, StateTests, Verdict
from kpatch_tool.testing import Tested


def suite_results(patch: int, verdict: Verdict = Verdict.PASS, status: str = "ok", trace: str = "") -> StateTests:
    return StateTests(patch, "s", status, 1.0, (CaseResult("t", "", verdict, 1.0),), "why", trace=trace)


@pytest.mark.parametrize(
    ("states", "findings", "untested"),
    [
        ((suite_results(0), suite_results(1)), False, False),
        ((suite_results(0), suite_results(1, Verdict.FAIL)), True, False),
        ((suite_results(0, Verdict.FAIL), suite_results(1, Verdict.FAIL)), False, False),
        ((suite_results(0, Verdict.FAIL), suite_results(1)), False, False),
        ((suite_results(0), suite_results(1, status="failed")), True, False),
        ((suite_results(0), suite_results(1, Verdict.FAIL, status="infra")), False, True),
        ((suite_results(0), suite_results(1, trace="Kernel panic")), True, False),
        ((suite_results(0),), False, False),
    ],
)
def test_what_is_a_finding(states: tuple[StateTests, ...], findings: bool, untested: bool) -> None:
    done = Tested(states, "tcg", "asked for")
    assert (done.findings, done.untested) == (findings, untested)


def test_each_suite_has_its_own_base() -> None:
    other = StateTests(0, "other", "ok", 1.0, (), "why")
    done = Tested((other, suite_results(0), suite_results(1, Verdict.TIMEOUT)), "tcg", "asked for")
    assert done.base_of(done.states[2]) is done.states[1]
    assert [(delta.base, delta.now) for delta in done.deltas(done.states[2])] == [("pass", "timeout")]
    assert done.deltas(done.states[1]) == ()
