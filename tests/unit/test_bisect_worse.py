"""The question about tests, against a simulated guest: what is run where, and what the base is taken to say."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from kpatch_tool.bisect import worse
from kpatch_tool.bisect.model import Answer, Observation
from kpatch_tool.bisect.questions import Builder
from kpatch_tool.bisect.worse import Worse
from kpatch_tool.errors import InputError
from kpatch_tool.kbuild.model import StateBuild
from kpatch_tool.results.repeats import NOTHING_BEFORE, Before
from kpatch_tool.suites.model import CaseResult, Cause, StateTests, SuiteStatus, Verdict
from kpatch_tool.suites.run import Options
from kpatch_tool.tree.model import State
from tests.results_fixtures import KPTS_WORDS, make_build

STATES = tuple(State(patch, f"{patch:040x}", f"{patch:040x}") for patch in range(5))
TESTS = {"kut": ("hyper", "hyper@shadow", "tlb"), "self": ("state_test",)}
Fails = Callable[[int, str, int], bool]  # patch, test, how often it ran there before


@dataclass
class Guest:
    """A Tester whose tests fail where `fails` says. `ran` is what was run, in order, over all its copies."""

    workspace: object
    tree: object
    store: object
    arch: str
    options: Options
    fresh: bool = False
    progress: object = None
    runs: int = 3
    keep: bool = True
    fails: Fails = field(default=lambda patch, test, before: False)
    dead: tuple[int, ...] = ()  # states that do not boot
    ran: list[tuple[int, str]] = field(default_factory=list)
    known: list[tuple[int, int]] = field(default_factory=list)  # of what state, how many suites of the base were known

    def test(
        self, state: State, build: StateBuild, suites: Sequence[str], before: Before = NOTHING_BEFORE
    ) -> tuple[StateTests, ...]:
        self.known.append((state.patch, len(before.known())))
        return tuple(self._suite(state, suite) for suite in suites)

    def fingerprint(self, state: State, build: StateBuild, suite: str) -> str:
        return f"{state.patch} {suite}"

    def _suite(self, state: State, suite: str) -> StateTests:
        if state.patch in self.dead:
            return StateTests(state.patch, suite, SuiteStatus.FAILED, 1.0, (), "the guest did not boot")
        results = [self._case(state.patch, test) for test in TESTS[suite] if self._chosen(test)]
        return StateTests(state.patch, suite, SuiteStatus.OK, 1.0, tuple(results), "ran")

    def _chosen(self, test: str) -> bool:
        name, _, way = test.partition("@")
        ways = self.options.variants
        return (not self.options.tests or name in self.options.tests) and (not ways or (way or "default") in ways)

    def _case(self, patch: int, test: str) -> CaseResult:
        before = self.ran.count((patch, test))
        self.ran.append((patch, test))
        return CaseResult(test, "", Verdict.FAIL if self.fails(patch, test, before) else Verdict.PASS, 0.5)


@pytest.fixture
def ask(monkeypatch: pytest.MonkeyPatch) -> Callable[[Fails], tuple[Worse, Guest]]:
    def make(fails: Fails) -> tuple[Worse, Guest]:
        guest = Guest(None, None, None, "x86_64", Options(), fails=fails)

        def another(*args: object, **words: object) -> Guest:
            options = next(arg for arg in args if isinstance(arg, Options))
            return replace(guest, options=options)

        monkeypatch.setattr(worse, "Tester", another)
        monkeypatch.setattr(Builder, "build", lambda self, state: make_build(state.patch))
        nothing: Any = None
        tester: Any = guest
        return Worse(Builder(nothing, nothing, "x86_64"), tester, STATES[0], STATES[-1], ("kut", "self")), guest

    return make


def test_only_what_got_worse_is_run_in_the_states_before(ask: Callable[[Fails], tuple[Worse, Guest]]) -> None:
    question, guest = ask(lambda patch, test, before: patch >= 3 and test == "hyper@shadow")
    seen: list[Observation] = [question.look(STATES[4], 0, ())]
    assert (seen[0].answer, seen[0].about) == (Answer.BAD, ("hyper@shadow",))
    assert len(guest.ran) == 8  # the base and the last state, in full
    assert guest.known == [(0, 0), (4, 2)], "how long a test takes on the base says when it hangs"
    seen.append(question.look(STATES[0], 0, seen))
    assert seen[-1].answer is Answer.GOOD and len(guest.ran) == 8  # the base was run already
    for patch, answer in ((2, Answer.GOOD), (3, Answer.BAD), (3, Answer.BAD)):
        seen.append(question.look(STATES[patch], sum(one.patch == patch for one in seen), seen))
        assert seen[-1].answer is answer
    assert guest.ran[8:] == [(2, "hyper@shadow"), (3, "hyper@shadow"), (3, "hyper@shadow")]
    question.look(STATES[4], 1, seen)
    assert len(guest.ran) == 11 + 4  # the last state is always run in full


@pytest.mark.parametrize(
    ("case", "worse"), [("*", ["or", "and", "shl"]), ("a*", ["and"]), ("mov", [])], ids=["any", "one", "as it was"]
)
def test_cases_that_a_test_which_failed_before_no_longer_reaches_are_worse(
    ask: Callable[[Fails], tuple[Worse, Guest]], case: str, worse: list[str]
) -> None:
    """A test that fails on the base and now hangs has cases that passed and are gone."""

    def ran(patch: int, verdict: Verdict, *cases: str) -> StateTests:
        results = (CaseResult("emulator", name, Verdict.PASS, 1.0) for name in cases)
        return StateTests(
            patch, "kut", SuiteStatus.OK, 1.0, (CaseResult("emulator", "", verdict, 1.0), *results), "ran"
        )

    question, _ = ask(lambda patch, test, before: False)
    question.case, question._reference = case, {"kut": ran(0, Verdict.FAIL, "mov", "or", "and", "shl")}
    seen = question._judged(STATES[1], [ran(1, Verdict.TIMEOUT, "mov")], 1.0, "", ())
    assert seen.answer is (Answer.BAD if worse else Answer.GOOD)
    assert seen.why == ("; ".join(f"emulator: {name}: pass, now absent" for name in worse) or "as on the base")


def test_what_tests_leave_behind_is_looked_for_with_all_of_them(
    ask: Callable[[Fails], tuple[Worse, Guest]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Alone, in a boot of their own, the tests of the next variant would find nothing in their way."""
    question, guest = ask(lambda patch, test, before: patch >= 3 and test == "hyper@shadow")
    case = Guest._case

    def left(self: Guest, patch: int, test: str) -> CaseResult:
        return replace(case(self, patch, test), cause=Cause.LEFT_BEHIND if test == "hyper@shadow" else Cause.OWN)

    monkeypatch.setattr(Guest, "_case", left)
    seen = [question.look(STATES[4], 0, ())]
    assert (seen[0].answer, seen[0].about) == (Answer.BAD, ())
    assert question.look(STATES[3], 0, seen).answer is Answer.BAD
    assert [test for patch, test in guest.ran if patch == 3] == ["hyper", "hyper@shadow", "tlb", "state_test"]


@pytest.mark.parametrize("line", KPTS_WORDS)
def test_a_test_that_prints_words_of_kpt_s_own_is_looked_for_as_any_other(
    ask: Callable[[Fails], tuple[Worse, Guest]], monkeypatch: pytest.MonkeyPatch, line: str
) -> None:
    question, guest = ask(lambda patch, test, before: patch >= 3 and test == "tlb")
    case = Guest._case
    monkeypatch.setattr(Guest, "_case", lambda self, patch, test: replace(case(self, patch, test), said=line))
    seen = [question.look(STATES[4], 0, ())]
    assert (seen[0].answer, seen[0].about) == (Answer.BAD, ("tlb",))
    assert [question.look(STATES[patch], 0, seen).answer for patch in (2, 3)] == [Answer.GOOD, Answer.BAD]
    assert [test for patch, test in guest.ran if patch in (2, 3)] == ["tlb", "tlb"]


def test_what_a_later_patch_did_is_told(ask: Callable[[Fails], tuple[Worse, Guest]]) -> None:
    first = {"hyper": 1, "tlb": 3, "hyper@shadow": 3, "state_test": 4}
    question, _ = ask(lambda patch, test, before: patch >= first[test])
    seen: list[Observation] = []
    for patch in (4, 1, 0, 1):
        seen.append(question.look(STATES[patch], sum(one.patch == patch for one in seen), seen))
    assert question.remark(seen, [1]) == (
        "patch 4 is worse in tlb, state_test as well, patch 1 is not: "
        "`--test tlb --test state_test` looks for what did that"
    )
    assert question.remark(seen, [4]) == question.remark(seen) == ""


def test_a_case_of_the_same_test_that_a_later_patch_broke_is_told_and_can_be_looked_for(
    ask: Callable[[Fails], tuple[Worse, Guest]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Patch 1 stops tlb before its second case, which patch 2 breaks; patch 3 lets it end again."""
    suite = Guest._suite

    def with_cases(self: Guest, state: State, name: str) -> StateTests:
        tests = suite(self, state, name)
        if name != "kut":
            return tests
        fails = {"first": state.patch >= 1, "second [x]": state.patch >= 2}
        reached = ["first"] if state.patch in (1, 2) else [*fails]
        cases = [CaseResult("tlb", case, Verdict.FAIL if fails[case] else Verdict.PASS, 0.0) for case in reached]
        return replace(tests, results=(*tests.results, *cases))

    monkeypatch.setattr(Guest, "_suite", with_cases)
    question, _ = ask(lambda patch, test, before: patch >= 1 and test == "tlb")
    seen = [question.look(STATES[patch], 0, ()) for patch in (4, 1)]
    assert question.remark(seen, [1]) == (
        "patch 4 is worse in tlb: second [x] as well, which patch 1 does not show: "
        "`--test tlb --case 'second [[]x]'` looks for what did that"
    )
    assert question.remark(seen, [4]) == ""
    question.case = "second [[]x]"
    seen = []
    for patch in (4, 2, 1, 3, 0):
        seen.append(question.look(STATES[patch], 0, seen))
    assert [one.answer for one in seen] == [Answer.BAD, Answer.SKIP, Answer.SKIP, Answer.BAD, Answer.GOOD]
    assert seen[1].why == "not reached: tlb: second [x]: pass, now absent"


def test_where_the_emulator_dies_nothing_is_known(
    ask: Callable[[Fails], tuple[Worse, Guest]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A state called good for it would have the next one blamed."""
    suite = Guest._suite

    def died(self: Guest, state: State, name: str) -> StateTests:
        tests = suite(self, state, name)
        dead = state.patch in dying
        gone = CaseResult("tlb", "", Verdict.ABORT, 0.1, "the emulator died", Cause.EMULATOR_DIED)
        return replace(tests, results=tuple(gone if dead and one.test == "tlb" else one for one in tests.results))

    monkeypatch.setattr(Guest, "_suite", died)
    dying = {2, 3}
    question, _ = ask(lambda patch, test, before: patch == 4 and test == "tlb")
    seen = [question.look(STATES[4], 0, ())]
    seen += [question.look(STATES[patch], 0, seen) for patch in (2, 1)]
    assert [one.answer for one in seen] == [Answer.BAD, Answer.SKIP, Answer.GOOD]
    assert seen[1].why == "the emulator died in tlb"
    dying.add(0)
    question, _ = ask(lambda patch, test, before: False)
    assert question.look(STATES[2], 0, ()).answer is Answer.GOOD, "as on the base"


def test_what_the_kernel_says_is_looked_for_alone(
    ask: Callable[[Fails], tuple[Worse, Guest]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where an earlier patch makes a test fail and a later one the kernel warn, the first search finds the one."""
    suite = Guest._suite

    def logged(self: Guest, state: State, name: str) -> StateTests:
        tests = suite(self, state, name)
        warns = ("WARNING: at f",) if state.patch >= 3 else ()
        verdict = Verdict.FAIL if warns else Verdict.PASS
        log = (CaseResult("kernel log", case, verdict, 0.0) for case in ("", *warns))
        return replace(tests, results=(*tests.results, *log))

    monkeypatch.setattr(Guest, "_suite", logged)
    question, guest = ask(lambda patch, test, before: patch >= 1 and test == "tlb")
    seen = [question.look(STATES[patch], 0, ()) for patch in (4, 1)]
    assert question.remark(seen, [1]).endswith("`--test 'kernel log'` looks for what did that")
    log, identity = replace(question, log_only=True, case="WARNING: at *", _reference={}), question.identity
    assert [log.look(STATES[patch], 0, ()).answer for patch in (4, 3, 2)] == [Answer.BAD, Answer.BAD, Answer.GOOD]
    assert log.identity != identity and log.words == "kernel log is worse than on the base"
    assert {test for patch, test in guest.ran if patch == 2} == {name for names in TESTS.values() for name in names}


def test_one_unlucky_run_of_the_base_hides_nothing(ask: Callable[[Fails], tuple[Worse, Guest]]) -> None:
    question, guest = ask(lambda patch, test, before: test == "tlb" and (patch >= 2 or not before))
    assert question.look(STATES[4], 0, ()).answer is Answer.BAD
    assert guest.ran.count((0, "tlb")) == 2 and guest.ran.count((0, "hyper")) == 1


def test_what_fails_on_the_base_is_no_fault_of_the_series(ask: Callable[[Fails], tuple[Worse, Guest]]) -> None:
    question, _ = ask(lambda patch, test, before: test == "tlb")
    assert question.look(STATES[4], 0, ()).answer is Answer.GOOD
    assert question.look(STATES[0], 1, ()).answer is Answer.GOOD


def test_a_base_that_does_not_boot_is_bad_itself(ask: Callable[[Fails], tuple[Worse, Guest]]) -> None:
    """Else the first patch would be blamed for what it found."""
    question, guest = ask(lambda patch, test, before: False)
    guest.dead = (0, 1, 2, 3, 4)
    for state in (STATES[4], STATES[0]):
        seen = question.look(state, 0, ())
        assert (seen.answer, seen.why) == (Answer.BAD, "the guest did not boot")


def test_a_patch_that_stops_the_boot_for_a_while_is_not_blamed_for_a_test(
    ask: Callable[[Fails], tuple[Worse, Guest]],
) -> None:
    """Patch 1 keeps the kernel from booting, patch 2 mends that, patch 3 makes tlb worse."""
    question, guest = ask(lambda patch, test, before: patch >= 3 and test == "tlb")
    guest.dead = (1,)
    seen: list[Observation] = []
    for patch in (4, 0, 1, 2, 3):
        seen.append(question.look(STATES[patch], 0, seen))
    assert [one.answer for one in seen] == [Answer.BAD, Answer.GOOD, Answer.SKIP, Answer.GOOD, Answer.BAD]
    assert seen[2].why == "the guest did not boot"


def test_a_later_patch_that_stops_the_boot_is_told_and_can_be_looked_for(
    ask: Callable[[Fails], tuple[Worse, Guest]],
) -> None:
    question, guest = ask(lambda patch, test, before: patch >= 1 and test == "tlb")
    guest.dead = (3, 4)
    seen: list[Observation] = []
    for patch in (4, 0, 2, 1, 3):
        seen.append(question.look(STATES[patch], 0, seen))
    assert [one.answer for one in seen] == [Answer.BAD, Answer.GOOD, Answer.BAD, Answer.BAD, Answer.BAD]
    assert question.remark(seen, [1]) == (
        "patch 4 runs no test at all (the guest did not boot), patch 1 does: "
        "`--test 'kernel log'` looks for what did that"
    )
    assert question.remark(seen, [3]) == ""
    log = replace(question, log_only=True, _reference={})
    assert [log.look(STATES[patch], 0, ()).answer for patch in (4, 3, 2)] == [Answer.BAD, Answer.BAD, Answer.GOOD]


def test_a_case_that_is_not_there(ask: Callable[[Fails], tuple[Worse, Guest]]) -> None:
    question, _ = ask(lambda patch, test, before: False)
    question.case = "nosuch*"
    with pytest.raises(InputError, match="no case on the base is called"):
        question.look(STATES[4], 0, ())
