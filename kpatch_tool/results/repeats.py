"""One bad run is no regression: what a state seems to have made worse is run again before anybody is blamed."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from kpatch_tool.results.complaints import complaints, with_failed_boot, with_fresh
from kpatch_tool.results.deltas import Change, Delta, compare, emulator_died, not_begun, seen_once
from kpatch_tool.suites.model import (
    KERNEL_LOG,
    CaseResult,
    Cause,
    Repeats,
    StateTests,
    SuiteStatus,
    Verdict,
    repeats_of,
)
from kpatch_tool.vm.console import MOMENTS

_AT_MOST, _AT_LEAST = 8, 2  # tests that are run again at a time
_SECONDS = 60.0  # that a round of them may take, as far as is known, beyond the least
_HANGS = 30.0  # seconds to reckon with for a test that hung, or whose turn did not come because others did
Waiting = Callable[[], Sequence[StateTests]]  # results, waited for where they are found out at the same time


@dataclass(frozen=True, slots=True)
class Before:
    """What the suites say of the base, and of the nearest state before that is tested; nothing where there is none.
    `known` is what they say of the base so far: it does not wait."""

    base: Waiting = tuple
    previous: Waiting = tuple
    known: Waiting = tuple

    def then(self, patch: int, results: Waiting, so_far: Waiting = tuple) -> Before:
        """What is before the state after `patch` (0: the base), whose own `results` these are; `so_far` does not
        wait for them."""
        return Before(results, known=so_far) if patch == 0 else Before(self.base, results, self.known)


NOTHING_BEFORE = Before()


def worse_tests(tests: StateTests, base: StateTests, names: Collection[str]) -> tuple[str, ...]:
    """Those of the tests called `names` that are worse than on the base, in their order."""
    worse = dict.fromkeys(delta.test for delta in _worse(tests, base))
    return tuple(test for test in worse if test in names)


def never_judged(tests: StateTests, base: StateTests, names: Collection[str]) -> tuple[str, ...]:
    """Those of the tests called `names`, of results that were kept, that are worse than on the `base` and were neither
    run again for that nor spoken for: beside the base of that time they were not worse."""
    unjudged = {(one.test, one.case) for one in tests.results if _is_unjudged(one)}
    worse = dict.fromkeys(_judged_with(delta) for delta in _worse(tests, base) if delta.test in names)
    return tuple(dict.fromkeys(test for test, case in worse if (test, case) in unjudged))


def _is_unjudged(result: CaseResult) -> bool:
    """Whether, if it is worse, that is news: a test that was worse in some runs only was not in the last."""
    return result.repeats is None or (result.test != KERNEL_LOG and bool(result.repeats.unsteady))


def _judged_with(delta: Delta) -> tuple[str, str]:
    """The test, and the case "" or that of a complaint of the kernel, of which it is said how often it was worse."""
    alone = delta.test == KERNEL_LOG and delta.case not in MOMENTS
    return delta.test, delta.case if alone else ""


def all_judged(tests: StateTests, base: StateTests, names: Collection[str]) -> StateTests:
    """`tests` after what is worse of those called `names` was run again as often as it is to be: others spoke for those
    that were not (to_repeat)."""
    left = never_judged(tests, base, names)
    results = (replace(one, repeats=Repeats()) if one.test in left and _is_whole(one) else one for one in tests.results)
    return replace(tests, results=tuple(results)) if left else tests


def to_repeat(
    tests: StateTests,
    base: StateTests,
    names: Collection[str],
    *,
    times: Mapping[str, int],
    most: int,
    known: Collection[str],
) -> tuple[str, ...]:
    """Those of the worse tests to run again. `times` has how often each of them has run, `most` how often is enough;
    `known` are those that were worse on the state before, too.

    A test that has run often enough and is worse still speaks for those with the same verdict. Of the others those come
    first that were run again before, then those not known, and of each verdict one before there are two of any: eight
    at most, and fewer, but two and one of each verdict, where each of them costs a timeout and a boot. What did not
    begin waits for what is said of those that hung before it.
    """
    whole = {result.test: result for result in tests.results if _is_whole(result)}
    worse = [name for name in worse_tests(tests, base, names) if name in whole]
    spoken = {whole[name].verdict for name in worse if times.get(name, 0) >= most}
    left = [name for name in worse if times.get(name, 0) < most and whole[name].verdict not in spoken]
    begun = [name for name in left if not not_begun(whole[name])]
    if spoken and not begun:
        return ()
    ordered = sorted(begun or left, key=lambda name: (times.get(name, 0) <= 1, name in known))
    firsts = {whole[name].verdict: name for name in reversed(ordered)}.values()
    return _affordable(
        [*sorted(firsts, key=ordered.index), *(one for one in ordered if one not in firsts)], whole, len(firsts)
    )


def _affordable(names: Sequence[str], whole: Mapping[str, CaseResult], least: int) -> tuple[str, ...]:
    """The first of `names`, `least` and two of them whatever they take."""
    chosen: list[str] = []
    left = _SECONDS
    for name in names[:_AT_MOST]:
        left -= _to_reckon_with(whole[name])
        if left < 0 and len(chosen) >= max(_AT_LEAST, least):
            break
        chosen.append(name)
    return tuple(chosen)


def _to_reckon_with(result: CaseResult) -> float:
    """The seconds that another run of a test may take."""
    hung = result.verdict is Verdict.TIMEOUT or not result.seconds
    return max(result.seconds, _HANGS) if hung else result.seconds


def stalled(tests: StateTests, base: StateTests) -> bool:
    """Whether all that the kernel complains of in `tests`, and not on the `base`, is that something took long (a stall,
    a lockup). A busy machine has such, too."""
    worse = [delta for delta in _worse(tests, base) if delta.test == KERNEL_LOG]
    return bool(worse) and all(not delta.case or delta.case in MOMENTS for delta in worse)


def stalls_beside(tests: StateTests, base: StateTests) -> bool:
    """Whether the kernel complains of a stall or lockup in `tests`, and not on the `base`, whatever else it says."""
    return any(delta.test == KERNEL_LOG and delta.case in MOMENTS for delta in _worse(tests, base))


def without_stalls(tests: StateTests, again: StateTests) -> StateTests:
    """`tests` without the stalls and lockups that another run does not have."""
    gone = MOMENTS - {one.case for one in complaints(again)}
    kept = tuple(one for one in tests.results if not (one.test == KERNEL_LOG and one.case in gone))
    return replace(tests, results=kept)


def base_durations(base: Sequence[StateTests], suite: str) -> dict[str, float | None]:
    """The tests of a suite that passed on the base, and in how many seconds: None for one that hung. One that failed
    there, or was not built, may have ended early: mended it takes longer."""
    wholes = [one for tests in base if tests.suite == suite for one in tests.results if _is_whole(one)]
    passed = {one.test: one.seconds for one in wholes if one.verdict is Verdict.PASS}
    return {**passed, **{one.test: None for one in wholes if one.verdict is Verdict.TIMEOUT}}


def hung(tests: StateTests) -> bool:
    """Whether a test did not end in the time it had."""
    return any(_is_whole(one) and one.verdict is Verdict.TIMEOUT for one in tests.results)


def cut_short(tests: StateTests, base: StateTests, names: Collection[str]) -> tuple[str, ...]:
    """Those of the tests called `names`, which had less time than on the `base`, that hung and not with the very cases
    of the base: with all their time they may say more, as they did there."""
    differ = {delta.test for delta in compare(tests, base)}
    hung = (one.test for one in tests.results if _is_whole(one) and one.verdict is Verdict.TIMEOUT)
    return tuple(test for test in hung if test in names and test in differ)


def proven_before(
    tests: StateTests, base: StateTests, previous: StateTests, names: Collection[str]
) -> tuple[StateTests, frozenset[str]]:
    """`tests`, and those of its tests called `names` that need no other run: worse than on the base in the very way in
    which the `previous` state is, where repeated runs have shown it of them, or of those that spoke for them. Each
    says so.

    For one of them to be no regression, a patch must have mended the fault and the test then have failed by chance in
    the same cases.
    """
    now, then = _worse_cases(tests, base), _worse_cases(previous, base)
    proven = {result.test: repeats_of(result) for result in previous.results if _proven(result)}
    alike = frozenset(name for name in names if name in now and now[name] == then.get(name))
    sure = alike if alike & proven.keys() else frozenset()
    seen = {name: proven.get(name, Repeats()) for name in sure}
    results = tuple(
        _counted(result, seen[result.test].runs, seen[result.test].worse, earlier=True)
        if result.test in sure and _is_whole(result)
        else result
        for result in tests.results
    )
    return replace(tests, results=results), sure


def _worse_cases(tests: StateTests, base: StateTests) -> dict[str, set[tuple[str, str]]]:
    """For each test the cases that are worse than on the base, and what became of them."""
    found: dict[str, set[tuple[str, str]]] = {}
    for delta in _worse(tests, base):
        found.setdefault(delta.test, set()).add((delta.case, delta.now))
    return found


def _worse(tests: StateTests, base: StateTests) -> list[Delta]:
    return [delta for delta in compare(tests, base) if delta.change is Change.WORSE]


def _better(tests: StateTests, base: StateTests) -> list[Delta]:
    return [delta for delta in compare(tests, base) if delta.change is Change.BETTER]


def merge_rerun(
    first: StateTests,
    again: StateTests,
    base: StateTests,
    repeated: Mapping[str, int],
    previous: StateTests | None = None,
) -> StateTests:
    """`first` with what `again`, one more run of the tests in `repeated`, says of them; `repeated` has how often each
    of them has run now.

    A test that is worse than on the base again keeps its results, or takes those of `again` where only these say in
    what it failed; one that is not takes those of `again`, and says that it is unsteady. One whose turn did not come
    before, or that only took longer than it was given, takes them as they are. Of a test that is worse in each run, but
    not in the same cases, those of any run count; where it was worse on the `previous` state, too, one that was not
    counts only if it is worse in all of them. A run in which the emulator died says nothing of a test. Where this
    machine failed at that run there is no verdict: nothing is blamed for a single one.
    """
    if again.status is SuiteStatus.INFRA:
        why = f"what got worse could not be run again ({', '.join(sorted(repeated))}): {again.why}"
        return replace(first, status=SuiteStatus.INFRA, results=(), why=why)
    steady = set(worse_tests(again, base, repeated))
    ended = {result.test for result in first.results if _is_whole(result) and result.verdict is Verdict.ABORT}
    tells = {result.test for result in again.results if _is_whole(result) and result.verdict is Verdict.FAIL} & ended
    silent = {result.test for result in again.results if _is_whole(result) and emulator_died(result)} - steady
    slow = _only_slow(first, again)
    either = _Either(first, again, base, previous)
    results: list[CaseResult] = []
    for result in first.results:
        runs = repeated.get(result.test, 1)
        if result.test not in repeated or result.test in silent:
            results.append(result)
        elif runs == 1 or result.test in slow:
            results += (case for case in again.results if case.test == result.test and _is_whole(result))
        elif result.test in steady - tells:
            results.append(_steady(either.of(result), runs))
        elif _is_whole(result):
            noted = _steady if result.test in steady else _unsteady
            results += (noted(case, runs) for case in again.results if case.test == result.test)
    return replace(first, results=tuple(results), seconds=first.seconds + again.seconds)


def second_boot(first: StateTests, again: StateTests) -> StateTests:
    """What a state comes to of which one boot failed, `first`, and another is `again`: that it failed counts where both
    did, and the one with a trace tells why. Where one did, what the kernel complained of in it counts, and its trace.
    Where this machine failed at the second there is no verdict. A suite that did not fail is what the second says."""
    if first.status is not SuiteStatus.FAILED:
        return again
    if again.status is SuiteStatus.INFRA:
        why = f"{first.why}, and it could not be booted once more: {again.why}"
        return replace(first, status=SuiteStatus.INFRA, results=(), why=why)
    if again.status is SuiteStatus.OK:
        told = with_failed_boot(again, first)
        why = f"{again.why}; unsteady: another boot failed ({first.why})"
        return replace(told, why=why, trace=again.trace or first.trace)
    told = again if again.trace and not first.trace else first
    twice = (_counted(one, 2, 2) if _is_whole(one) or one.test == KERNEL_LOG else one for one in told.results)
    return replace(told, results=tuple(twice)) if told.patch else told


class _Either:
    """The results of two runs of a state; the cases that are worse in each of them, and were on the state before."""

    def __init__(self, first: StateTests, again: StateTests, base: StateTests, previous: StateTests | None) -> None:
        self._again = {(result.test, result.case): result for result in again.results}
        self._worse = [_worse_keys(tests, base) for tests in (first, again)]
        self._before = frozenset() if previous is None else _worse_keys(previous, base)

    def of(self, result: CaseResult) -> CaseResult:
        """What counts of a case with this result in the first run."""
        key = (result.test, result.case)
        was_worse, is_worse = (key in worse for worse in self._worse)
        if not result.case or was_worse == is_worse or key not in self._again:
            return result
        counts = (result.test, "") not in self._before or key in self._before
        taken = result if was_worse == counts else self._again[key]
        return replace(taken, repeats=replace(repeats_of(taken), in_some=True)) if counts else taken


def _worse_keys(tests: StateTests, base: StateTests) -> frozenset[tuple[str, str]]:
    return frozenset((delta.test, delta.case) for delta in _worse(tests, base))


def in_full(first: StateTests, whole: StateTests, base: StateTests, names: Sequence[str]) -> StateTests:
    """`first` with what `whole`, the one run that gave the tests called `names` all their time, says of them, and with
    what the kernel complained of in it."""
    taken = merge_rerun(first, whole, base, dict.fromkeys(names, 1))
    if taken.status is SuiteStatus.INFRA:
        return taken
    outputs = {name: path for name, path in whole.outputs.items() if name in names}
    taken = replace(taken, outputs={**first.outputs, **outputs})
    known = {one.case for one in complaints(first)}
    new = {one.case: one for one in complaints(whole) if one.case not in known}
    return with_fresh(taken, whole, new) if new else taken


def _only_slow(first: StateTests, again: StateTests) -> set[str]:
    """The tests that ended in `again`, which gave them longer, after more time than `first` had for them."""
    cut = {one.test: one.seconds for one in first.results if _is_whole(one) and one.verdict is Verdict.TIMEOUT}
    ended = (one for one in again.results if _is_whole(one) and one.verdict is not Verdict.TIMEOUT)
    return {one.test for one in ended if one.test in cut and one.seconds > cut[one.test]}


def not_confirmed(previous: StateTests, now: StateTests, base: StateTests) -> frozenset[str]:
    """The tests of `previous` whose being worse than on the base is no reason to give the state `now`, in which they
    are not, credit: they were run once, and those run again in their place, with the same verdict (any, for one that
    did not begin), are as bad as they were."""
    whole = {result.test: result for result in previous.results if _is_whole(result)}
    if not any(map(_ran_again, whole.values())):
        return frozenset()
    worse = [name for name in worse_tests(previous, base, whole) if name != KERNEL_LOG]
    proven = {name for name in worse if _proven(whole[name])}
    mended = proven.difference(worse_tests(now, base, whole))
    kinds = {whole[name].verdict for name in mended}
    return frozenset(
        name
        for name in worse
        if name not in proven and not (mended if not_begun(whole[name]) else whole[name].verdict in kinds)
    )


def by_chance(tests: StateTests, later: StateTests, base: StateTests) -> frozenset[tuple[str, str]]:
    """The cases that are worse than on the base in some runs of `tests`, in a test that is worse `later`, too, and what
    the kernel complained of once: that it is not so then is nobody's doing."""
    still = {delta.test for delta in _worse(later, base)}
    return frozenset(
        (result.test, result.case)
        for result in tests.results
        if (result.test == KERNEL_LOG and seen_once(result))
        or (result.case and result.test in still and repeats_of(result).in_some)
    )


def noise_between(tests: StateTests, later: StateTests, base: StateTests) -> Callable[[Delta], bool]:
    """Tells of a difference that `tests` have whether it says nothing of a patch that it is not there `later`: its test
    was run only once (not_confirmed), or its case was worse in some runs only (by_chance)."""
    once, chance = not_confirmed(tests, later, base), by_chance(tests, later, base)
    return lambda delta: delta.test in once or (delta.test, delta.case) in chance


def newly_passing(tests: StateTests, base: StateTests, names: Collection[str]) -> tuple[str, ...]:
    """Those of the tests called `names` that are better than on the `base`, where they ran: eight at most, and fewer,
    but one, where they take long. The base is run but once, and may have failed by chance."""
    ran = {one.test: one for one in base.results if _is_whole(one) and one.cause is not Cause.UNBUILT}
    better = dict.fromkeys(delta.test for delta in _better(tests, base))
    return _affordable([name for name in better if name in ran and name in names], ran, 1)


def best_of(base: StateTests, again: StateTests) -> StateTests:
    """What the base is taken to say after some of its tests were run once more: a case passes there if it did in one
    run of two, and says so. One unlucky run of the base would hide every fault. A base that had failed to boot is what
    the run says that did boot."""
    if (base.status, again.status) == (SuiteStatus.FAILED, SuiteStatus.OK):
        return second_boot(base, again)
    passed = {(one.test, one.case): one for one in again.results if one.verdict is Verdict.PASS}
    known = {(one.test, one.case) for one in base.results}
    kept = [_lucky(passed.get((one.test, one.case), one)) if is_open(one) else one for one in base.results]
    new = [_lucky(one) for key, one in passed.items() if key not in known and one.test != KERNEL_LOG]
    return replace(base, results=(*kept, *new))


def is_open(result: CaseResult) -> bool:
    """Whether another run of the base could say something better."""
    return result.test != KERNEL_LOG and result.verdict not in (Verdict.PASS, Verdict.SKIP)


def _lucky(result: CaseResult) -> CaseResult:
    passes = result.verdict is Verdict.PASS
    return replace(result, repeats=replace(repeats_of(result), failed_once=True)) if passes else result


def flaky_sentences(tests: StateTests) -> tuple[str, ...]:
    """What is said of each test that was worse than on the base in some of its runs, and then was not."""
    return tuple(f"{test} is unsteady: {said}" for test, said in flaky_tests(tests).items())


def flaky_tests(tests: StateTests) -> dict[str, str]:
    """The tests that were worse than on the base in some of their runs, and then were not; with what is said of it. Not
    the kernel's log where it complained in one of them: that counts, and says so itself."""
    complained = any(one.test == KERNEL_LOG and one.case and one.repeats for one in tests.results)
    found = ((result.test, repeats_of(result).unsteady) for result in tests.results if _is_whole(result))
    return {test: said for test, said in found if said and not (complained and test == KERNEL_LOG)}


def _is_whole(result: CaseResult) -> bool:
    return not result.case


def _ran_again(result: CaseResult) -> bool:
    """Whether a test was run more than once, or an earlier state's that is worse in the same way."""
    return _is_whole(result) and repeats_of(result).runs > 0


def _proven(result: CaseResult) -> bool:
    """Whether a test was worse in every run of several."""
    return _is_whole(result) and repeats_of(result).proven


def _steady(result: CaseResult, runs: int) -> CaseResult:
    return _counted(result, runs, runs) if _is_whole(result) else result


def _unsteady(result: CaseResult, runs: int) -> CaseResult:
    return _counted(result, runs, runs - 1) if _is_whole(result) else result


def _counted(result: CaseResult, runs: int, worse: int, *, earlier: bool = False) -> CaseResult:
    return replace(result, repeats=replace(repeats_of(result), runs=runs, worse=worse, earlier=earlier))
