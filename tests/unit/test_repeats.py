"""A test that seems worse is believed only when it is worse again."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from kpatch_tool.results.deltas import Change, compare, sentence, since, transition
from kpatch_tool.results.repeats import (
    all_judged,
    base_durations,
    best_of,
    by_chance,
    cut_short,
    flaky_sentences,
    flaky_tests,
    in_full,
    merge_rerun,
    never_judged,
    newly_passing,
    not_confirmed,
    proven_before,
    to_repeat,
    worse_tests,
)
from kpatch_tool.suites.model import CaseResult, Cause, StateTests, SuiteStatus, Verdict
from tests.results_fixtures import KPTS_WORDS, make_tests

NAMES = {"tlb", "vmexit"}


def state(patch: int, **verdicts: str) -> StateTests:
    """Results of a state: each test with one case "a" and the verdict of the whole."""
    results = []
    for test, verdict in verdicts.items():
        results += [CaseResult(test, "a", Verdict(verdict), 1.0), CaseResult(test, "", Verdict(verdict), 1.0, "ended")]
    return StateTests(patch, "s", SuiteStatus.OK, 2.0, tuple(results), "")


BASE = state(0, tlb="pass", vmexit="pass", msr="fail")
BAD = state(1, tlb="fail", vmexit="pass", msr="fail")


def test_only_what_got_worse_is_doubtful() -> None:
    assert worse_tests(BAD, BASE, NAMES) == ("tlb",)
    assert worse_tests(BAD, BASE, {"vmexit"}) == ()
    assert worse_tests(BASE, BASE, NAMES) == ()


def test_what_is_worse_again_stays_worse_and_says_so() -> None:
    kept = merge_rerun(BAD, state(1, tlb="fail"), BASE, {"tlb": 2})
    assert [delta.now for delta in compare(kept, BASE)] == ["fail", "fail"]
    assert kept.results[1].why == "ended; worse in 2 of 2 runs"
    again = merge_rerun(kept, state(1, tlb="fail"), BASE, {"tlb": 3})
    assert again.results[1].why == "ended; worse in 3 of 3 runs"


def test_what_failed_in_one_run_and_ended_before_in_another_is_told_as_it_failed() -> None:
    ended, failed = state(1, tlb="abort", vmexit="pass", msr="fail"), state(1, tlb="fail")
    kept = merge_rerun(ended, failed, BASE, {"tlb": 2})
    assert [(delta.case, delta.now) for delta in compare(kept, BASE)] == [("a", "fail"), ("", "fail")]
    assert [result.test for result in kept.results] == [result.test for result in BAD.results]
    again = merge_rerun(kept, state(1, tlb="abort"), BASE, {"tlb": 3})
    assert (again.results[1].verdict, again.results[1].why) == (Verdict.FAIL, "ended; worse in 3 of 3 runs")


def test_a_run_in_which_the_emulator_died_says_nothing() -> None:
    died = CaseResult("tlb", "", Verdict.ABORT, 1.0, "the emulator died: status 134", Cause.EMULATOR_DIED)
    mute = StateTests(1, "s", SuiteStatus.OK, 2.0, (died,), "")
    assert merge_rerun(BAD, mute, BASE, {"tlb": 2}).results == BAD.results
    assert worse_tests(mute, BASE, {"tlb"}) == ()


def test_what_passes_again_is_unsteady_and_no_delta() -> None:
    kept = merge_rerun(BAD, state(1, tlb="pass"), BASE, {"tlb": 2})
    assert compare(kept, BASE) == ()
    assert [result.test for result in kept.results] == [result.test for result in BAD.results]
    assert kept.results[1].why == "ended; unsteady: worse in 1 of 2 runs"
    assert kept.seconds == 4.0
    assert flaky_sentences(kept) == ("tlb is unsteady: worse in 1 of 2 runs",)
    assert flaky_sentences(BAD) == flaky_sentences(merge_rerun(BAD, BAD, BASE, {"tlb": 2})) == ()


def cases(patch: int, *failing: str) -> StateTests:
    """Results of a state's one test, whose cases are a, b and c."""
    verdicts = {name: Verdict.FAIL if name in failing else Verdict.PASS for name in "abc"}
    results = [CaseResult("tlb", name, verdict, 1.0) for name, verdict in verdicts.items()]
    whole = CaseResult("tlb", "", Verdict.FAIL if failing else Verdict.PASS, 1.0)
    return StateTests(patch, "s", SuiteStatus.OK, 1.0, (*results, whole), "")


@pytest.mark.parametrize(
    ("previous", "expected"),
    [
        (None, "abc"),  # the test is worse from here on, in what any run shows
        (cases(1), "abc"),
        (cases(1, "a", "b", "c"), "abc"),  # no other patch has done any of it
        (cases(1, "b"), "ab"),  # what the state before did not show must be so in every run
    ],
)
def test_a_test_that_fails_in_other_cases_each_time_is_one_fault(previous: StateTests | None, expected: str) -> None:
    base, state = cases(0), cases(2, "a", "b")
    for runs, failing in ((2, "ac"), (3, "ab")):
        state = merge_rerun(state, cases(2, *failing), base, {"tlb": runs}, previous)
    assert [delta.case for delta in compare(state, base)] == [*expected, ""]
    assert state.results[-1].why == "worse in 3 of 3 runs"


def test_what_was_worse_in_some_runs_only_is_not_taken_back_while_its_test_is_worse() -> None:
    base = cases(0)
    state = merge_rerun(
        merge_rerun(cases(2, "a", "b"), cases(2, "a"), base, {"tlb": 2}), cases(2, "a", "b"), base, {"tlb": 3}
    )
    assert by_chance(state, cases(3, "c"), base) == {("tlb", "b")}, "a was worse in all runs of it"
    assert by_chance(state, cases(3), base) == by_chance(cases(2, "b"), cases(3, "c"), base) == frozenset()


def test_a_case_passes_on_the_base_if_it_did_in_one_run_of_two() -> None:
    best = best_of(cases(0, "a", "b"), cases(0, "b", "c"))
    assert [str(one.verdict) for one in best.results] == ["pass", "fail", "pass", "fail"]
    assert [one.why for one in best.results] == ["passes in one run of two", "", "", ""]
    (worse,) = (delta for delta in compare(cases(1, "a", "b"), best) if delta.case)
    assert (worse.case, worse.change, worse.confidence) == ("a", Change.WORSE, 0.5)
    assert compare(cases(1, "b"), best) == ()


@pytest.mark.parametrize("now", ["t=abort t/a=pass", "t=fail t/a=pass t/b=fail", "t=fail t/a=pass", "t=abort"])
def test_what_the_base_came_to_in_one_run_of_two_is_missed_half_sure(now: str) -> None:
    base = best_of(make_tests(0, "t/a=pass", "t=abort"), make_tests(0, "t/a=pass", "t/b=pass", "t=pass"))
    deltas = compare(make_tests(1, *now.split()), base)
    assert {delta.case for delta in deltas} >= {"", "b"}
    assert {(delta.change, delta.confidence) for delta in deltas} == {(Change.WORSE, 0.5)}


@pytest.mark.parametrize("line", KPTS_WORDS)
def test_words_of_kpt_s_own_that_a_test_prints_say_nothing_of_its_runs(line: str) -> None:
    base, once, passes = make_tests(0, "t=pass"), make_tests(2, f"t=fail {line}"), make_tests(3, f"t=pass {line}")
    assert worse_tests(once, base, {"t"}) == ("t",) and never_judged(once, base, {"t"}) == ("t",), (
        "nothing was run again yet"
    )
    later = replace(once, patch=4)
    assert proven_before(later, base, once, {"t"}) == (later, frozenset())
    twice = merge_rerun(once, once, base, {"t": 2})
    assert twice.results[0].why == f"{line}; worse in 2 of 2 runs"
    assert not by_chance(once, later, base) and not not_confirmed(once, passes, base)
    assert since(compare(later, base), (base, once), later, base) == [(0, 2)]
    assert flaky_tests(once) == flaky_tests(passes) == {}
    # On the base, and when it passes, they count as little.
    assert [(delta.change, transition(delta)) for delta in compare(passes, once)] == [(Change.BETTER, "fail, now pass")]
    assert newly_passing(passes, once, {"t"}) == ("t",)


def test_what_others_spoke_for_is_judged_and_what_was_as_bad_on_the_base_is_not() -> None:
    base, bad = many(0, "pass", 1.0, 4), many(1, "fail", 1.0, 4)
    hidden = replace(base, results=(*base.results[:3], bad.results[3]))
    twice = merge_rerun(bad, many(1, "fail", 1.0, 1), base, {"t0": 2})
    assert never_judged(twice, base, ALL) == ("t1", "t2", "t3")
    judged = all_judged(twice, hidden, ALL)
    assert never_judged(judged, hidden, ALL) == () and never_judged(judged, base, ALL) == ("t3",)
    assert [one.why for one in judged.results] == [one.why for one in twice.results]


def test_what_could_not_be_run_again_is_no_verdict() -> None:
    gone = StateTests(1, "s", SuiteStatus.INFRA, 0.0, (), "QEMU ended by itself (status 1)")
    kept = merge_rerun(BAD, gone, BASE, {"tlb": 2})
    assert (kept.status, kept.results) == ("infra", ())
    assert kept.why == "what got worse could not be run again (tlb): QEMU ended by itself (status 1)"
    assert compare(kept, BASE) == ()


def test_what_an_earlier_state_proved_needs_no_other_run() -> None:
    earlier = merge_rerun(BAD, state(1, tlb="fail"), BASE, {"tlb": 3})
    later, sure = proven_before(state(2, tlb="fail", vmexit="fail"), BASE, earlier, NAMES)
    assert sure == {"tlb"}, "vmexit was not worse before"
    assert later.results[1].why == "ended; worse as in 3 of 3 runs of an earlier state"
    assert later.results[3].why == "ended"
    last, sure = proven_before(state(3, tlb="fail", vmexit="pass"), BASE, later, NAMES)
    assert sure == {"tlb"}
    assert last.results[1].why == "ended; worse as in 3 of 3 runs of an earlier state"


def test_what_is_worse_in_another_way_or_was_never_repeated_is_run_again() -> None:
    assert proven_before(state(2, tlb="fail"), BASE, BAD, NAMES)[1] == set()
    earlier = merge_rerun(BAD, state(1, tlb="fail"), BASE, {"tlb": 3})
    assert proven_before(state(2, tlb="timeout"), BASE, earlier, NAMES)[1] == set()
    unsteady = merge_rerun(BAD, state(1, tlb="pass"), BASE, {"tlb": 2})
    assert proven_before(state(2, tlb="fail"), BASE, unsteady, NAMES)[1] == set()


def many(patch: int, verdict: str, seconds: float, count: int = 12) -> StateTests:
    """Results of a state in which each of many tests took so long."""
    results = tuple(CaseResult(f"t{number}", "", Verdict(verdict), seconds, "ended") for number in range(count))
    return StateTests(patch, "s", SuiteStatus.OK, 1.0, results, "")


ALL = {result.test for result in many(0, "pass", 1.0).results}


def chosen(
    tests: StateTests,
    base: StateTests,
    times: Mapping[str, int] | None = None,
    *,
    names: Collection[str] = ALL,
    known: Collection[str] = (),
) -> tuple[str, ...]:
    """What is run again where each test, but for those in `times`, has run once, and three runs are enough."""
    return to_repeat(tests, base, names, times={**dict.fromkeys(ALL, 1), **(times or {})}, most=3, known=known)


@pytest.mark.parametrize(
    ("verdict", "seconds", "count"),
    [
        *(("fail", 1.0, 8), ("fail", 7.0, 8), ("fail", 20.0, 3), ("fail", 30.0, 2), ("fail", 100.0, 2)),
        ("abort", 0.0, 2),  # never begun, the guest was given up
        ("timeout", 10.0, 2),  # which another run gives half a minute
    ],
)
def test_the_first_speak_for_all_and_fewer_where_each_takes_long(verdict: str, seconds: float, count: int) -> None:
    bad, base = many(1, verdict, seconds), many(0, "pass", 1.0)
    assert chosen(bad, base) == tuple(f"t{number}" for number in range(count))
    assert chosen(bad, base, names={"t4"}) == ("t4",)
    assert chosen(base, base) == ()
    assert chosen(bad, base, {"t1": 3}) == (), "it speaks for the others"


def test_what_is_run_again_is_new_and_of_each_verdict() -> None:
    verdicts = ["timeout", "timeout", "timeout", "abort", "fail", "fail"]
    bad = many(1, "pass", 30.0, 6)
    bad = replace(
        bad, results=tuple(replace(r, verdict=Verdict(v)) for r, v in zip(bad.results, verdicts, strict=True))
    )
    base = many(0, "pass", 1.0, 6)
    assert chosen(bad, base) == ("t0", "t3", "t4")
    assert chosen(bad, base, known={"t0", "t4"}) == ("t1", "t3", "t5")
    assert chosen(bad, base, {"t2": 2}) == ("t2", "t3", "t4"), "what was begun is brought to its end"
    assert chosen(bad, base, {"t2": 3}) == ("t3", "t4")
    assert chosen(bad, base, {"t2": 3, "t3": 3, "t4": 3}) == ()


def test_what_did_not_begin_waits_for_those_that_hung_before_it() -> None:
    base, hung = many(0, "pass", 1.0, 3), many(1, "timeout", 10.0, 2)
    idle = CaseResult("t2", "", Verdict.ABORT, 0.0, "not begun: 2 before it hung, one after another", Cause.NOT_BEGUN)
    first = replace(hung, results=(*hung.results, idle))
    assert chosen(first, base, {"t2": 0}) == ("t0", "t1")
    assert chosen(first, base, {"t0": 3, "t1": 3, "t2": 0}) == (), "they speak for it"
    assert chosen(merge_rerun(first, many(1, "pass", 1.0, 2), base, {"t0": 2, "t1": 2}), base, {"t2": 0}) == ("t2",)


def test_what_was_run_once_is_mended_only_with_what_spoke_for_it() -> None:
    base, first = many(0, "pass", 1.0, 4), many(1, "timeout", 30.0, 4)
    bad = merge_rerun(first, many(1, "timeout", 30.0, 2), base, {"t0": 3, "t1": 3})
    other = replace(many(2, "pass", 1.0, 4), results=(*bad.results[:2], *many(2, "pass", 1.0, 4).results[2:]))
    assert not_confirmed(bad, other, base) == {"t2", "t3"}, "t0 and t1 hang as before"
    assert not_confirmed(bad, many(2, "pass", 1.0, 4), base) == set(), "all are mended together"
    assert not_confirmed(first, other, base) == set(), "nothing was run again: nothing spoke for others"
    failing = replace(bad, results=(*bad.results[:3], replace(bad.results[3], verdict=Verdict.FAIL)))
    assert not_confirmed(failing, many(2, "pass", 1.0, 4), base) == {"t3"}, "what hung says nothing of what failed"
    never = CaseResult("t3", "", Verdict.ABORT, 0.0, "not begun: hung", Cause.NOT_BEGUN)
    idle = replace(bad, results=(*bad.results[:3], never))
    assert not_confirmed(idle, many(2, "pass", 1.0, 4), base) == set()
    assert not_confirmed(idle, other, base) == {"t2", "t3"}


def test_what_others_spoke_for_needs_no_other_run_later() -> None:
    base, again = many(0, "pass", 1.0), {"t0": 3, "t1": 3}
    earlier = merge_rerun(many(1, "timeout", 30.0), many(1, "timeout", 30.0, 2), base, again)
    later, sure = proven_before(many(2, "timeout", 30.0), base, earlier, ALL)
    assert sure == ALL
    assert later.results[1].why == "ended; worse as in 3 of 3 runs of an earlier state"
    assert later.results[2].why == "ended; worse as in an earlier state"
    assert proven_before(many(3, "timeout", 30.0), base, later, ALL)[1] == ALL
    assert proven_before(many(3, "fail", 30.0), base, later, ALL)[1] == set()


def test_what_took_longer_than_its_first_run_had_for_it_did_not_hang() -> None:
    base, first = many(0, "pass", 0.5, 2), many(1, "timeout", 10.0, 2)
    slow = many(1, "pass", 12.0, 1).results[0]
    again = StateTests(1, "s", SuiteStatus.OK, 1.0, (slow, many(1, "pass", 0.5, 2).results[1]), "")
    done = merge_rerun(first, again, base, {"t0": 2, "t1": 2})
    assert [(one.seconds, one.why) for one in done.results] == [
        (12.0, "ended"),
        (0.5, "ended; unsteady: worse in 1 of 2 runs"),
    ]


def test_what_passed_on_the_base_and_in_how_many_seconds() -> None:
    verdicts = {"a": "pass", "b": "fail", "c": "timeout", "d": "abort", "e": "skip"}
    assert base_durations([state(0, **verdicts)], "s") == {"a": 1.0, "c": None}, "b ended early"
    assert base_durations([many(0, "fail", 0.0, 1)], "s") == {}, "it was not built"
    assert base_durations([many(0, "timeout", 90.0, 2)], "s") == {"t0": None, "t1": None}
    assert base_durations([state(0, **verdicts)], "other") == base_durations([], "s") == {}


def test_what_hung_as_on_the_base_needs_no_more_time() -> None:
    base = state(0, same="timeout", more="timeout", ended="timeout", mended="timeout", other="timeout")
    now = state(1, same="timeout", more="timeout", ended="fail", mended="pass", other="timeout")
    now = replace(now, results=(*now.results, CaseResult("more", "b", Verdict.PASS, 1.0)))
    fewer = replace(now, results=tuple(one for one in now.results if (one.test, one.case) != ("other", "a")))
    assert cut_short(now, base, {"same", "more", "ended", "mended", "other"}) == ("more",)
    assert cut_short(fewer, base, {"same", "more", "other"}) == ("more", "other")
    assert cut_short(fewer, base, {"same", "other"}) == ("other",), "more had all its time"


@pytest.mark.parametrize(("before", "after"), [((), ("x",)), (("x",), ("x",)), (("x",), ("y",)), ((), ())])
def test_what_had_its_whole_time_counts_with_what_the_kernel_said_meanwhile(
    before: tuple[str, ...], after: tuple[str, ...]
) -> None:
    def logged(tests: StateTests, output: str, complaints: tuple[str, ...]) -> StateTests:
        verdict = Verdict.FAIL if complaints else Verdict.PASS
        log = [CaseResult("kernel log", case, verdict, 0.0) for case in ("", *complaints)]
        outputs = {name: Path(output) for name in ("a", "b", "kernel log")}
        return replace(tests, results=(*tests.results, *log), outputs=outputs)

    base = state(0, a="timeout", b="pass")
    first, whole = logged(state(1, a="timeout", b="pass"), "cut", before), logged(state(1, a="fail"), "whole", after)
    done = in_full(first, whole, base, ["a"])
    assert [(one.test, one.verdict, one.why) for one in done.results if not one.case][:2] == [
        ("a", Verdict.FAIL, "ended"),
        ("b", Verdict.PASS, "ended"),
    ]
    log = [(one.case, one.verdict) for one in done.results if one.test == "kernel log"]
    assert log == [
        (case, Verdict.FAIL if before or after else Verdict.PASS) for case in ("", *sorted({*before, *after}))
    ]
    newer = "whole" if {*after} - {*before} else "cut"
    assert {name: str(path) for name, path in done.outputs.items()} == {"a": "whole", "b": "cut", "kernel log": newer}


def test_each_test_has_its_own_number_of_runs() -> None:
    base, bad = many(0, "pass", 1.0), many(1, "fail", 1.0)
    done = merge_rerun(bad, many(1, "fail", 1.0, 2), base, {"t0": 3, "t1": 2})
    assert [result.why for result in done.results[:3]] == [
        "ended; worse in 3 of 3 runs",
        "ended; worse in 2 of 2 runs",
        "ended",
    ]


def test_a_test_whose_turn_did_not_come_has_not_run() -> None:
    base = many(0, "pass", 1.0, 2)
    idle = CaseResult("t1", "", Verdict.ABORT, 0.0, "not begun: 3 before it hung, one after another", Cause.NOT_BEGUN)
    first = StateTests(1, "s", SuiteStatus.OK, 1.0, (CaseResult("t0", "", Verdict.TIMEOUT, 30.0, "ended"), idle), "")
    done = merge_rerun(first, many(1, "pass", 1.0, 2), base, {"t0": 2, "t1": 1})
    assert [result.why for result in done.results] == ["ended; unsteady: worse in 1 of 2 runs", "ended"]
    worse = merge_rerun(first, many(1, "fail", 1.0, 2), base, {"t0": 2, "t1": 1})
    assert [result.why for result in worse.results] == ["ended; worse in 2 of 2 runs", "ended"]
    said = sentence(compare(first, base), 2)
    assert said.endswith("2 worse (t0: pass, now timeout; t1: pass, now abort)")
    assert sentence(compare(first, base)[::-1], 2) == said, "what tells nothing of itself comes last"
