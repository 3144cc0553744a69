"""A state against the base, case by case. A verdict is always such a comparison: TCG is not a CPU, and a test that
fails on the untouched base says nothing about the series."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from kpatch_tool.suites.model import (
    KERNEL_LOG,
    UNBUILT,
    CaseResult,
    Cause,
    StateTests,
    SuiteStatus,
    Verdict,
    counted_cases,
)
from kpatch_tool.text import plural
from kpatch_tool.vm.console import MOMENTS

ABSENT = "absent"
_CUT_SHORT = frozenset({str(Verdict.TIMEOUT), str(Verdict.ABORT)})
_NO_TURN = frozenset({Cause.NOT_BEGUN, Cause.NOT_LOADED, Cause.LEFT_BEHIND})
_CERTAIN = 1.0
HALF_SURE = 0.5  # this machine may have done it: it was busy, or its emulator died; or it comes and goes
_NAMED_AT_MOST = 3
_LARGE_NUMBER = re.compile(r"\b(?:0x[0-9a-fA-F]{5,}|\d{5,})\b")


class Change(StrEnum):
    """What a delta means for the series. Only `worse` is a finding."""

    # It passed on the base and does not any more (skipped and vanished cases included; not where QEMU itself died, nor
    # where a test that runs out of its time on both does not come as far).
    WORSE = "worse"
    # It passes and did not in any run of the base, or did not even build there.
    BETTER = "better"
    CHANGED = "changed"  # neither: fail became timeout, a test the base does not have fails, ...


@dataclass(frozen=True, slots=True)
class Delta:
    """A case whose verdict differs from the base's; "absent" stands for a case that was not reported.

    `confidence` is between 0 and 1: how sure it is that the two states differ. `why` is what is known of the reason,
    empty where nothing is; it may be the guest's own words, and `cause` is what kpt itself knows. `follows` is set on a
    case that vanished, or appeared, only because its test was cut short (timeout, abort) in one of the two states: the
    delta of the test as a whole says it already. Where that is not worse (it failed or hung on the base, too), the
    first of the cases that passed there and vanished stands for them. `counted`: it is one of those that `case_count`
    counts, not the verdict of a test that has cases, nor what the kernel said.
    """

    test: str
    case: str
    base: str
    now: str
    confidence: float
    change: Change = Change.CHANGED
    why: str = ""
    follows: bool = False
    cause: Cause = Cause.OWN
    counted: bool = True


def compare(state: StateTests, base: StateTests) -> tuple[Delta, ...]:
    """The cases of `state` that differ from `base`, in the order of `state`, then the vanished ones.

    Nothing is compared when this machine failed in one of them (status "infra").
    """
    if not comparable(state, base):
        return ()
    before = _by_case(base)
    after = _in_names_of(before, _by_case(state))
    before, after = _with_silence(before, after), _with_silence(after, before)
    keys = [*after, *(key for key in before if key not in after)]
    keys = [key for key in keys if _differs(key, _word(before.get(key)), _word(after.get(key)))]
    cut = _behind(before, after) | _behind(after, before)
    deltas = _one_stands_for_all([_delta(key, before, after, follows=key in cut) for key in keys])
    counted = counted_cases([*before, *after])
    return tuple(replace(delta, counted=(delta.test, delta.case) in counted) for delta in deltas)


def _behind(cases: _Cases, others: _Cases) -> frozenset[tuple[str, str]]:
    """Those of `cases` that are not among `others` because their test was cut short there: they come after the last
    one that is."""
    found: dict[str, list[tuple[str, str]]] = {}
    for key in cases:
        if key[1] and key in others:
            found[key[0]] = []
        elif key[1] and _word(others.get((key[0], ""))) in _CUT_SHORT:
            found.setdefault(key[0], []).append(key)
    return frozenset(key for keys in found.values() for key in keys)


def _one_stands_for_all(deltas: Sequence[Delta]) -> tuple[Delta, ...]:
    """`deltas` so that each test of which cases are gone that passed has one that says so and follows from no other."""
    told = {delta.test for delta in deltas if delta.change is Change.WORSE and not delta.follows}
    gone = [delta for delta in deltas if (delta.base, delta.now) == (Verdict.PASS, ABSENT) and delta.test not in told]
    first = {delta.test: delta for delta in reversed(gone)}
    return tuple(replace(delta, follows=False) if first.get(delta.test) is delta else delta for delta in deltas)


def _differs(key: tuple[str, str], before: str, after: str) -> bool:
    """Whether a case is another in two states. A kernel that was not booted in one of them, for want of a test, has
    no log there: that the other's is clean is no difference."""
    return before != after and not (key == (KERNEL_LOG, "") and {before, after} == {ABSENT, Verdict.PASS})


def comparable(state: StateTests, base: StateTests) -> bool:
    """Whether both were tested: where this machine failed, that nothing differs would say nothing."""
    return SuiteStatus.INFRA not in (state.status, base.status)


def previous_tested(states: Iterable[StateTests], tests: StateTests) -> StateTests | None:
    """The same suite's results on the nearest earlier state that it ran to its end on; None where there is none."""
    earlier = [
        one for one in states if one.suite == tests.suite and one.patch < tests.patch and one.status is SuiteStatus.OK
    ]
    return max(earlier, key=lambda one: one.patch, default=None)


def why_broken(states: Iterable[StateTests], tests: StateTests) -> str:
    """Why a state could not be tested; where an earlier state's results are its own, what that one's say."""
    same = (one for one in states if one.suite == tests.suite and one.patch == tests.same_as)
    return next((one.why for one in same), tests.why)


def breaks_as_base(states: Sequence[StateTests], tests: StateTests) -> bool:
    """Whether a state that does not get through a suite is like the base in that, for the same reason, and is not worse
    in what it did get to; never true of the base itself. `states` are the base's results, and the others'."""
    base = next((one for one in states if one.patch == 0 and one.suite == tests.suite), None)
    if tests.patch == 0 or base is None or not tests.status is base.status is SuiteStatus.FAILED:
        return False
    return why_broken(states, tests) == base.why and not any(
        delta.change is Change.WORSE for delta in compare(tests, base)
    )


def is_broken(states: Sequence[StateTests], tests: StateTests) -> bool:
    """Whether a state does not get through a suite, and not only as the base does not; `states` as there. A base that
    does not is broken itself."""
    return tests.status is SuiteStatus.FAILED and not breaks_as_base(states, tests)


def is_finding(states: Sequence[StateTests], tests: StateTests) -> bool:
    """Whether something is wrong with a state: it is broken, or worse than the base; `states` as there."""
    if tests.patch == 0 or is_broken(states, tests):
        return is_broken(states, tests)
    bases = (one for one in states if one.patch == 0 and one.suite == tests.suite)
    return any(delta.change is Change.WORSE for base in bases for delta in compare(tests, base))


def identity(delta: Delta) -> tuple[str, str, str]:
    """What makes two states differ from the base in the same way: the case, and what became of it."""
    return (delta.test, delta.case, delta.now)


def taken_back(since_previous: Iterable[Delta], from_base: Iterable[Delta]) -> list[Delta]:
    """What a state has otherwise than the tested one before it that its comparison with the base does not show: it took
    an earlier patch's doing back, or did something to a case that the base does not reach."""
    shown = {identity(delta) for delta in from_base if not delta.follows}
    return [delta for delta in since_previous if not delta.follows and identity(delta) not in shown]


def telling(deltas: Sequence[Delta]) -> str:
    """The words by which the first of `deltas` is found in its test's log: its case, or what the kernel said."""
    first = deltas[0].test
    return next((d.why for d in deltas if d.case and d.test == first), "") if first == KERNEL_LOG else deltas[0].case


def since(
    deltas: Sequence[Delta], states: Sequence[StateTests], tests: StateTests, base: StateTests
) -> list[tuple[int, int]]:
    """Since when each of `deltas`, those of `tests` against `base`, is so; `states` are results of the same series.

    The second number is the first patch of the row of tested states up to `tests` that have the delta, the first one
    that of the tested state before it that does not (0: the base): those between them were not tested, or did not come
    so far in the test that they could tell. A row goes on over a state that cannot tell.
    """
    first = {identity(delta): tests.patch for delta in deltas}
    found: dict[tuple[str, str, str], tuple[int, int]] = {}
    at, on_base = tests, _by_case(base)
    while first and (before := previous_tested(states, at)) is not None:
        cases = _by_case(before)
        there = {identity(delta) for delta in compare(before, base)} if before.patch else set()
        for key in tuple(first):
            if key in there:
                first[key] = before.patch
            elif not before.patch or key[:2] not in on_base or _could_tell(cases, key):
                found[key] = (before.patch, first.pop(key))
        at = before
    found |= {key: (0, patch) for key, patch in first.items()}
    return [found[identity(delta)] for delta in deltas]


def _could_tell(cases: _Cases, key: tuple[str, str, str]) -> bool:
    """Whether a state with `cases` could have shown the case and verdict of `key`, had it been so: not where the test
    did not begin, or ended before it came to that."""
    test, case, now = key
    whole = cases.get((test, ""))
    if now == ABSENT or (whole is not None and test == KERNEL_LOG):
        return True
    if whole is None or whole.cause in _NO_TURN:
        return False
    ended_well = whole.verdict is Verdict.PASS
    return (ended_well or (test, case) in cases) if case else ended_well or str(whole.verdict) not in _CUT_SHORT


def classify(base: str, now: str) -> Change:
    """What it means that a case went from `base` to `now` (words of Verdict, or "absent")."""
    if base == Verdict.PASS:
        return Change.WORSE
    return Change.BETTER if now == Verdict.PASS else Change.CHANGED


def case_count(state: StateTests, base: StateTests) -> int:
    """How many cases the two states have between them (StateTests.cases says what is one)."""
    before = _by_case(base)
    return len(counted_cases([*before, *_in_names_of(before, _by_case(state))]))


def differing(deltas: Collection[Delta]) -> int:
    """How many cases `deltas` are: what the kernel said, or the verdict of a test none of whose cases is among them, is
    one as well."""
    tests = {delta.test for delta in deltas if delta.counted}
    return sum(delta.counted or delta.test not in tests for delta in deltas if not _is_in_complaints(delta, deltas))


def _is_in_complaints(delta: Delta, deltas: Iterable[Delta]) -> bool:
    """Whether it is the kernel log's verdict beside the complaints that it is for."""
    if (delta.test, delta.case) != (KERNEL_LOG, ""):
        return False
    return any(one.test == KERNEL_LOG and one.case for one in deltas)


def name(delta: Delta) -> str:
    """The case in words: "vmexit: cpuid", or the test alone where the delta is the whole test's."""
    return f"{delta.test}: {delta.case}" if delta.case else delta.test


def transition(delta: Delta) -> str:
    """What happened, in words: "pass, now fail"; "does not build, now pass"; "pass, now does not build"."""
    if delta.cause is not Cause.UNBUILT:
        return f"{delta.base}, now {delta.now}"
    # What is not built fails; were it the base's reason as well, nothing would differ.
    return f"{delta.base}, now {UNBUILT}" if delta.now == Verdict.FAIL else f"{UNBUILT}, now {delta.now}"


def reason(delta: Delta) -> str:
    """Why, as far as `transition` does not say it already; "" where nothing more is known."""
    return delta.why.removeprefix(f"{UNBUILT}: ") if delta.cause is Cause.UNBUILT else delta.why


def in_words(delta: Delta) -> str:
    """The case, what happened and why: "xapic: does not build, now fail (timed out)"."""
    why = reason(delta)
    return f"{name(delta)}: {transition(delta)}{f' ({why})' if why else ''}"


def sentence(deltas: Sequence[Delta], total: int, when: Sequence[str] = ()) -> str:
    """The comparison of `total` cases in words, without a full stop: "all 142 test cases are as on the base",
    "of 142 test cases 140 are as on the base, 1 worse (vmexit: pass, now fail), 1 better (...)".

    `when` says of each delta since when it is so ("from patch 4 on"); nothing where that does not matter.
    """
    if total == 0 and not deltas:
        return "no test case was reported"
    if not deltas:
        return f"all {total} test cases are as on the base" if total > 1 else "the one test case is as on the base"
    groups: dict[tuple[Change, str], list[Delta]] = {}
    for delta, told in zip(deltas, when or [""] * len(deltas), strict=True):
        groups.setdefault((delta.change, told), []).append(delta)
    order = sorted(groups, key=lambda group: list(Change).index(group[0]))  # stable: as the deltas came
    parts = [_part(change, told, groups[change, told]) for change, told in order]
    alike = total - sum(delta.counted for delta in deltas)
    return f"of {plural(total, 'test case')} {alike} are as on the base, " + ", ".join(parts)


def _part(change: Change, when: str, deltas: Sequence[Delta]) -> str:
    telling = [delta for delta in deltas if not delta.follows] or deltas
    # The whole test's delta stands for its cases, but what the kernel said stands for itself.
    whole = {delta.test for delta in telling if not delta.case and delta.test != KERNEL_LOG}
    said = {KERNEL_LOG for delta in telling if delta.case and delta.test == KERNEL_LOG}
    telling = [delta for delta in telling if delta.test not in (whole if delta.case else said)]
    telling.sort(key=lambda delta: delta.cause is Cause.NOT_BEGUN)  # those tell nothing of themselves
    named = [f"{name(delta)}: {transition(delta)}" for delta in telling[:_NAMED_AT_MOST]]
    more = len(telling) - len(named)
    told = f" {when}" if when else ""
    return f"{differing(deltas)} {change}{told} ({'; '.join([*named, f'{more} more'] if more else named)})"


_Cases = Mapping[tuple[str, str], CaseResult]


def _by_case(tests: StateTests) -> _Cases:
    return {(result.test, result.case): result for result in tests.results}


def _in_names_of(before: _Cases, after: _Cases) -> _Cases:
    """`after` with the names of `before` where only a large number in them differs: an address, or one drawn by chance
    (`XGETBV(0x9f7271fa00000000)` of kvm-unit-tests' xsave). Of several such names the first goes with the first."""
    missing: dict[tuple[str, str], deque[tuple[str, str]]] = {}
    for test, case in before:
        if (test, case) not in after:
            missing.setdefault((test, _LARGE_NUMBER.sub("N", case)), deque()).append((test, case))
    if not missing:
        return after
    named: dict[tuple[str, str], CaseResult] = {}
    for (test, case), result in after.items():
        alike = missing.get((test, _LARGE_NUMBER.sub("N", case))) if (test, case) not in before else None
        named[alike.popleft() if alike else (test, case)] = result
    return named


def _with_silence(one: _Cases, other: _Cases) -> _Cases:
    """`one` with the complaints of the kernel that only `other` has, as cases that passed: what is not in a log that
    was read did not happen."""
    log = one.get((KERNEL_LOG, ""))
    was_read = log is not None and log.verdict in (Verdict.PASS, Verdict.FAIL)
    if not was_read:
        return one
    silent = {key: CaseResult(*key, Verdict.PASS, 0.0) for key in other if key[0] == KERNEL_LOG and key not in one}
    return {**one, **silent}


def _word(result: CaseResult | None) -> str:
    return ABSENT if result is None else str(result.verdict)


def _delta(key: tuple[str, str], before: _Cases, after: _Cases, *, follows: bool) -> Delta:
    test, case = key
    base, now = _word(before.get(key)), _word(after.get(key))
    change = classify(base, now)
    if follows and {_word(cases.get((test, ""))) for cases in (before, after)} == {Verdict.TIMEOUT}:
        change = Change.CHANGED  # how far it comes in its time is as the machine has time
    died = [emulator_died(cases.get((test, ""))) and (not case or follows) for cases in (before, after)]
    if died[1] and change is Change.WORSE:
        change = Change.CHANGED
    lucky = change is Change.BETTER and (_is_of_a_moment(key) or (test == KERNEL_LOG and seen_once(before.get(key))))
    if lucky:
        change = Change.CHANGED
    vanished = key not in after and _failed_once(before.get((test, "")))
    shaky = _failed_once(before.get(key)) or vanished or seen_once(after.get(key))
    doubtful = lucky or shaky or any(died) or Verdict.TIMEOUT in (base, now)
    confidence = HALF_SURE if doubtful else _CERTAIN
    why, cause = _why(key, before, after)
    return Delta(test, case, base, now, confidence, change, why, follows, cause)


def _is_of_a_moment(key: tuple[str, str]) -> bool:
    """Whether a case is a stall or a lockup: that a state has none where the base had is nobody's doing."""
    return key[0] == KERNEL_LOG and key[1] in MOMENTS


def emulator_died(result: CaseResult | None) -> bool:
    """Whether a test's verdict is the end of QEMU itself: nobody is to blame for it, and it says nothing of the
    kernel."""
    return result is not None and result.cause is Cause.EMULATOR_DIED


def lost_to_emulator(tests: StateTests, base: StateTests) -> list[str]:
    """The tests in which QEMU itself ended, each time, on a state and not on the base: it was not tested with them.
    None where the state is worse in others, which says enough of it."""
    if any(delta.change is Change.WORSE for delta in compare(tests, base)):
        return []
    known = {one.test for one in base.results if not one.case and not emulator_died(one)}
    return [one.test for one in tests.results if not one.case and emulator_died(one) and one.test in known]


def not_begun(result: CaseResult) -> bool:
    """Whether a test's turn never came: its verdict is no answer of the kernel's."""
    return result.cause is Cause.NOT_BEGUN


def seen_once(result: CaseResult | None) -> bool:
    """Whether it is so in one run of several: a complaint of the kernel, which counts all the same."""
    return result is not None and result.repeats is not None and result.repeats.worse == 1 < result.repeats.runs


def _failed_once(result: CaseResult | None) -> bool:
    """Whether the base passes a case in one run of two: what fails there now, or is not reached, may be as unlucky."""
    return result is not None and result.repeats is not None and result.repeats.failed_once


def _why(key: tuple[str, str], before: _Cases, after: _Cases) -> tuple[str, Cause]:
    """The reason of the worse side; where a case is not there at all, that of its test."""
    whole = (key[0], "")
    if key not in after:
        found = after.get(whole)
        return (found.why, found.cause) if found is not None else ("not reported by this state", Cause.OWN)
    if key not in before or before[key].verdict is not Verdict.PASS:
        found = before.get(key) or before.get(whole)
        if found is not None and found.cause is Cause.UNBUILT:
            return found.why, found.cause
    return after[key].why, after[key].cause
