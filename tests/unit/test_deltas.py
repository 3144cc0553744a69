"""A state against the base: what each kind of change means."""

from __future__ import annotations

import pytest

from kpatch_tool.results.deltas import (
    Change,
    case_count,
    classify,
    compare,
    differing,
    name,
    sentence,
    since,
    taken_back,
    telling,
    transition,
)
from kpatch_tool.running import cells
from tests.results_fixtures import make_tests as ran


def test_a_kernel_that_was_not_booted_has_no_log_to_compare_with() -> None:
    """On a base that has none of the tests nothing runs."""
    base, state = ran(0), ran(1, "new=pass", "kernel log=pass")
    assert [(delta.test, delta.change) for delta in compare(state, base)] == [("new", Change.BETTER)]
    assert [(delta.test, delta.change) for delta in compare(base, state)] == [("new", Change.WORSE)]
    complains = ran(1, "new=pass", "kernel log=fail 1 complaint: BUG: x")
    assert [delta.change for delta in compare(complains, base)] == [Change.BETTER, Change.CHANGED]


@pytest.mark.parametrize(
    ("base", "now", "change"),
    [
        ("pass", "fail", Change.WORSE),
        ("pass", "timeout", Change.WORSE),
        ("pass", "abort", Change.WORSE),
        ("pass", "absent", Change.WORSE),
        ("pass", "skip", Change.WORSE),
        ("fail", "pass", Change.BETTER),
        ("skip", "pass", Change.BETTER),
        ("absent", "pass", Change.BETTER),
        ("timeout", "pass", Change.BETTER),
        ("absent", "fail", Change.CHANGED),
        ("fail", "timeout", Change.CHANGED),
        ("skip", "fail", Change.CHANGED),
        ("fail", "absent", Change.CHANGED),
    ],
)
def test_classify(base: str, now: str, change: Change) -> None:
    assert classify(base, now) is change


def test_nothing_differs() -> None:
    base, state = ran(0, "a=pass", "b/1=fail"), ran(1, "b/1=fail", "a=pass")
    assert compare(state, base) == ()
    assert sentence((), 2) == "all 2 test cases are as on the base"


def test_an_emulator_that_died_makes_nothing_worse() -> None:
    base = ran(0, "a=pass", "a/1=pass", "a/2=pass")
    died = ran(1, "a=abort:emulator-died the emulator died: QEMU ended by itself (status 134)", "a/1=fail")
    whole, reported, vanished = compare(died, base)
    assert (whole.change, whole.confidence) == (Change.CHANGED, 0.5)
    assert (reported.change, reported.confidence) == (Change.WORSE, 1.0), "this was said before"
    assert (vanished.now, vanished.change, vanished.confidence) == ("absent", Change.CHANGED, 0.5)
    assert [(delta.change, delta.confidence) for delta in compare(base, died)] == [
        (Change.BETTER, 0.5),
        (Change.BETTER, 1.0),
        (Change.BETTER, 0.5),
    ]


def test_the_order_is_the_state_s_then_what_vanished() -> None:
    base, state = ran(0, "a=pass", "b=pass", "c=fail"), ran(1, "c=pass", "a=fail oops")
    found = compare(state, base)
    assert [(d.test, d.base, d.now, d.change) for d in found] == [
        ("c", "fail", "pass", Change.BETTER),
        ("a", "pass", "fail", Change.WORSE),
        ("b", "pass", "absent", Change.WORSE),
    ]
    assert found[1].why == "oops"
    assert sentence(found, case_count(state, base)) == (
        "of 3 test cases 0 are as on the base, 2 worse (a: pass, now fail; b: pass, now absent), "
        "1 better (c: fail, now pass)"
    )


def test_a_test_that_did_not_build_and_now_gives_a_result_is_better() -> None:
    base = ran(0, "a=pass", "dirty_log_test=skip:unbuilt does not build: TEST_ASSERT_EQ is not defined")
    found = compare(ran(1, "a=pass", "dirty_log_test=pass"), base)
    assert [(d.change, transition(d)) for d in found] == [(Change.BETTER, "does not build, now pass")]
    assert found[0].why == "does not build: TEST_ASSERT_EQ is not defined"
    assert sentence(found, 2) == (
        "of 2 test cases 1 are as on the base, 1 better (dirty_log_test: does not build, now pass)"
    )


def test_a_test_that_builds_no_more_is_worse_and_says_so() -> None:
    base = ran(0, "state_test=pass", "slow=timeout")
    why = "does not build: stages.h: No such file or directory"
    found = compare(ran(1, *(f"{test}=fail:unbuilt {why}" for test in ("state_test", "slow", "new"))), base)
    assert [(d.change, transition(d)) for d in found] == [
        (Change.WORSE, "pass, now does not build"),
        (Change.CHANGED, "timeout, now does not build"),
        (Change.CHANGED, "absent, now does not build"),
    ]


def test_cases_that_vanish_because_the_test_was_cut_short_follow_from_it() -> None:
    base = ran(0, "msr=pass", "msr/one=pass", "msr/two=pass", "msr/three=pass")
    state = ran(1, "msr/one=pass", "msr=timeout no answer in 30 s")
    found = compare(state, base)
    assert [(name(d), d.follows, d.why) for d in found] == [
        ("msr", False, "no answer in 30 s"),
        ("msr: two", True, "no answer in 30 s"),
        ("msr: three", True, "no answer in 30 s"),
    ]
    assert found[0].confidence < 1.0, "a timeout may be the load of the machine"
    total = case_count(state, base)
    assert sentence(found, total) == "of 3 test cases 1 are as on the base, 2 worse (msr: pass, now timeout)"


def test_cases_missing_on_a_base_that_was_cut_short_are_no_regressions() -> None:
    base = ran(0, "msr/one=pass", "msr=abort")
    state = ran(1, "msr/one=pass", "msr/two=fail", "msr/three=pass", "msr=fail")
    found = compare(state, base)
    assert [(d.case, d.change, d.follows) for d in found] == [
        ("two", Change.CHANGED, True),
        ("three", Change.BETTER, True),
        ("", Change.CHANGED, False),
    ]


@pytest.mark.parametrize(("whole", "change"), [("fail", Change.WORSE), ("timeout", Change.CHANGED)])
def test_one_case_stands_for_those_that_a_test_which_failed_before_no_longer_reaches(
    whole: str, change: Change
) -> None:
    """Of emulator, which has a case that fails on every base under emulation, 140 cases vanish where it now hangs. How
    far svm comes in the 90 s that it has, which never are enough, is as the machine has time."""
    base = ran(0, f"emulator={whole}", "emulator/1=pass", "emulator/2=fail", "emulator/3=pass", "emulator/4=pass")
    found = compare(ran(1, "emulator=timeout hung", "emulator/1=pass"), base)
    assert [(d.case, d.change, d.follows) for d in found if d.case] == [
        ("2", Change.CHANGED, True),
        ("3", change, False),
        ("4", change, True),
    ]
    count = 2 if change is Change.WORSE else 3
    assert f"{count} {change} (emulator: 3: pass, now absent" in sentence(found, 5)


def test_what_a_patch_does_to_a_case_that_the_base_does_not_reach_is_told() -> None:
    base = ran(0, "emulator=timeout", "emulator/or=pass")
    before = ran(1, "emulator=fail", "emulator/or=pass", "emulator/cmov=pass")
    now = ran(2, "emulator=fail", "emulator/or=pass", "emulator/cmov=fail")
    assert [delta.follows for delta in compare(now, base) if delta.case] == [True]
    (own,) = taken_back(compare(now, before), compare(now, base))
    assert (own.case, own.change, own.base, own.now) == ("cmov", Change.WORSE, "pass", "fail")
    assert taken_back(compare(before, base), compare(before, base)) == []


def test_a_case_before_one_that_is_reported_did_not_vanish_by_the_cut() -> None:
    """The names of some have what was read: `CR8: f` of apic."""
    base = ran(0, "apic=timeout", "apic/CR8: 0=pass", "apic/CR8: f=pass", "apic/ipi=pass", "apic/nmi=pass")
    found = compare(ran(1, "apic=timeout", "apic/CR8: 0=pass", "apic/CR8: 7=fail", "apic/ipi=pass"), base)
    assert [(d.case, d.change, d.follows) for d in found] == [
        ("CR8: 7", Change.CHANGED, False),
        ("CR8: f", Change.WORSE, False),
        ("nmi", Change.CHANGED, True),
    ]


def test_a_case_that_vanishes_while_its_test_ends_well_does_not_follow() -> None:
    (found,) = compare(ran(1, "a=pass"), ran(0, "a=pass", "a/x=pass"))
    assert (found.change, found.follows) == (Change.WORSE, False)


@pytest.mark.parametrize("broken", [0, 1])
def test_this_machine_s_failures_are_not_compared(broken: int) -> None:
    pair = [ran(0, "a=pass"), ran(1, "a=pass")]
    pair[broken] = ran(broken, status="infra")
    assert compare(pair[1], pair[0]) == ()


def test_many_are_named_up_to_three() -> None:
    base, state = ran(0, *(f"t{n}=pass" for n in range(9))), ran(1, *(f"t{n}=fail" for n in range(9)))
    text = sentence(compare(state, base), 9)
    assert text.endswith("9 worse (t0: pass, now fail; t1: pass, now fail; t2: pass, now fail; 6 more)")


def test_since_when() -> None:
    base, last = ran(0, "a=pass", "b=pass", "c=pass"), ran(9, "a=fail", "b=fail", "c=timeout")
    between = [
        ran(1, "a=fail", "b=pass", "c=pass"),
        ran(2, "a=pass", "b=pass", "c=fail"),
        ran(3, status="infra"),
        ran(5, "a=fail", "b=pass", "c=fail"),
        ran(7, "a=fail", "b=fail", "c=fail"),
    ]
    found = compare(last, base)
    dates = since(found, [base, *between, last], last, base)
    assert dict(zip(map(name, found), dates, strict=True)) == {
        "a": (2, 5),  # that it was so after patch 1, too, is another row; patch 3 could not be tested
        "b": (5, 7),
        "c": (7, 9),  # fail became timeout
    }
    assert since(found, [base, last], last, base) == [(0, 9)] * 3


def test_no_state_that_came_less_far_makes_a_later_patch_the_one_that_did_it() -> None:
    """Patch 2 stops the tests, patch 4 breaks a case that is not reached then, patch 6 mends what patch 2 did."""
    base = ran(0, "a=pass", "a/1=pass", "a/2=pass", "b=pass", "c=pass", "d=pass", "d/1=pass")
    stopped = [
        "a=abort",
        "a/1=pass",
        "b=abort:not-loaded its modules are not loaded: kvm: no such device",
        "c=abort:not-begun not begun: given up",
        "d=fail",
    ]
    last = ran(6, "a=fail", "a/1=pass", "a/2=fail", "b=fail", "c=fail", "d=pass", "d/1=fail", "e=fail")
    states = [base, ran(1, "a=pass", "a/1=pass", "a/2=pass", "b=pass", "c=pass", "d=pass", "d/1=pass")]
    states += [ran(patch, *stopped) for patch in (2, 3, 4, 5)]
    found = compare(last, base)
    dates = dict(zip(map(name, found), since(found, [*states, last], last, base), strict=True))
    assert dates.pop("e") == (5, 6), "a test that the series adds"
    assert dates == dict.fromkeys(["a", "a: 2", "b", "c", "d: 1"], (1, 6))
    # One that was seen before it was stopped did not come later.
    earlier = ran(1, *(f"{one}=fail" for one in ("a", "a/2", "b", "c")), "a/1=pass", "d=pass", "d/1=fail")
    assert set(since(found, [base, earlier, *states[2:], last], last, base)) == {(0, 1), (5, 6)}


def test_cases_are_told_by_the_patch_that_did_it() -> None:
    base, state = ran(0, "a=pass", "a/1=pass", "b=pass"), ran(3, "a=fail", "a/1=fail", "b=fail")
    found = compare(state, base)
    total = case_count(state, base)
    assert sentence(found, total, ["from patch 2 on"] * 3) == (
        "of 2 test cases 0 are as on the base, 2 worse from patch 2 on (a: pass, now fail; b: pass, now fail)"
    )
    assert sentence(found, total, ["from patch 1 on", "from patch 1 on", "from patch 2 on"]).endswith(
        ", 1 worse from patch 1 on (a: pass, now fail), 1 worse from patch 2 on (b: pass, now fail)"
    )


def test_what_to_look_for_in_a_log() -> None:
    base, case = ran(0, "a=pass", "a/1=pass", "kernel log=pass"), "BUG: NULL pointer in f"
    state = ran(
        1, "a=fail", "a/1=fail", "kernel log=fail 1 complaint: BUG: x", f"kernel log/{case}=fail BUG: NULL at 0"
    )
    whole, first, *log = compare(state, base)
    assert (telling([whole, first]), telling([first, whole])) == ("", "1")
    assert telling(log) == telling(log[::-1]) == "BUG: NULL at 0", "its case has no numbers, and is in no log"
    assert telling(log[:1]) == ""
    assert sentence(log, case_count(state, base)) == (
        "of 1 test case 1 are as on the base, 1 worse (kernel log: BUG: NULL pointer in f: pass, now fail)"
    )


@pytest.mark.parametrize(
    ("base", "state", "count", "worse"),
    [
        (["a=pass"], ["a=fail"], 1, 1),
        (["a=pass", "kernel log=pass"], ["a=pass", "kernel log=fail"], 1, 1),
        (["a=pass", "a/1=pass", "kernel log=pass"], ["a=fail", "a/1=fail", "kernel log=pass"], 1, 1),
        (["a=pass", "a/1=pass", "a/2=pass", "b=pass"], ["a=fail", "a/1=pass", "a/2=pass", "b=pass"], 3, 1),
        (
            ["a=pass", "a/1=pass", "b=pass", "kernel log=pass"],
            ["a=fail", "a/1=fail", "b=pass", "kernel log=fail", "kernel log/x=fail"],
            2,
            2,
        ),
        (["a=pass", "a/1=pass"], ["a=skip"], 1, 1),
        (["kernel log=pass"], ["kernel log=fail", "kernel log/x=fail"], 0, 1),
    ],
)
def test_what_counts_as_a_case(base: list[str], state: list[str], count: int, worse: int) -> None:
    """Neither the verdict of a test that has cases nor what the kernel says; but what is worse is told."""
    known, now = ran(0, *base), ran(1, *state)
    assert (len(known.cases), case_count(now, known)) == (count, count)
    found = [delta for delta in compare(now, known) if delta.change is Change.WORSE]
    assert differing(found) == worse
    assert f", {worse} worse (" in sentence(found, count)
    assert cells.tests_cell(1, [now], [known]).text.startswith(f"{worse} worse")


def test_small_numbers() -> None:
    assert sentence((), 0) == "no test case was reported"
    assert sentence((), 1) == "the one test case is as on the base"


def test_cases_named_after_a_number_drawn_by_chance_are_the_same_cases() -> None:
    base = ran(0, "x=abort", "x/get(0x9f7271fa00000000)=pass", "x/get(0xb1f7a59e00000000)=pass", "x/leaf 7=pass")
    same = ran(1, "x=abort", "x/get(0x746a41dc00000000)=pass", "x/get(0x8298cb9d00000000)=pass", "x/leaf 7=pass")
    assert compare(same, base) == ()
    assert case_count(same, base) == 3
    worse = ran(1, "x=abort", "x/get(0x746a41dc00000000)=pass", "x/get(0x8298cb9d00000000)=fail", "x/leaf 7=pass")
    assert [(delta.case, delta.base, delta.now) for delta in compare(worse, base)] == [
        ("get(0xb1f7a59e00000000)", "pass", "fail")
    ]
    fewer = ran(1, "x=abort", "x/get(0x746a41dc00000000)=pass", "x/leaf 8=pass")
    assert [(delta.case, delta.now) for delta in compare(fewer, base)] == [
        ("leaf 8", "pass"), ("get(0xb1f7a59e00000000)", "absent"), ("leaf 7", "absent"),
    ]  # fmt: skip


LOG, OLD, NEW = "kernel log", "WARNING: at a.c f", "WARNING: at b.c g"


@pytest.mark.parametrize(
    ("base", "now", "changes"),
    [
        ([f"{LOG}=fail", f"{LOG}/{OLD}=fail"], [f"{LOG}=fail", f"{LOG}/{OLD}=fail"], {}),
        ([f"{LOG}=fail", f"{LOG}/{OLD}=fail"], [f"{LOG}=fail", f"{LOG}/{NEW}=fail"], {NEW: "worse", OLD: "better"}),
        ([f"{LOG}=pass"], [f"{LOG}=fail", f"{LOG}/{NEW}=fail"], {"": "worse", NEW: "worse"}),
        ([f"{LOG}=fail", f"{LOG}/{OLD}=fail"], [f"{LOG}=pass"], {"": "better", OLD: "better"}),
        # Of stalls and lockups no case is made: that one was in the log is no reason not to know what was not.
        ([f"{LOG}=fail"], [f"{LOG}=fail", f"{LOG}/{NEW}=fail"], {NEW: "worse"}),
        ([f"{LOG}=fail", f"{LOG}/{OLD}=fail"], [f"{LOG}=fail"], {OLD: "better"}),
        ([], [f"{LOG}=fail", f"{LOG}/{NEW}=fail"], {"": "changed", NEW: "changed"}),
    ],
)
def test_a_new_complaint_of_the_kernel_is_worse_beside_old_ones(
    base: list[str], now: list[str], changes: dict[str, str]
) -> None:
    found = compare(ran(1, *now), ran(0, *base))
    assert {delta.case: str(delta.change) for delta in found} == changes
