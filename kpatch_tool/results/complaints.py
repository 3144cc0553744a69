"""What the kernel complained of in one run of a state's tests, and in others: once, it may be anybody's doing.

Stalls and lockups, which a busy machine has, are not meant here (repeats.stalled). Pure.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace

from kpatch_tool.results.deltas import Change, compare
from kpatch_tool.suites.model import KERNEL_LOG, CaseResult, Repeats, StateTests, SuiteStatus, Verdict, repeats_of
from kpatch_tool.text import plural
from kpatch_tool.vm.console import MOMENTS

_TWICE = 2


def complaints(tests: StateTests) -> list[CaseResult]:
    """All that the kernel complained of in `tests`, stalls and lockups too."""
    return [one for one in tests.results if one.test == KERNEL_LOG and one.case and one.verdict is Verdict.FAIL]


def new_complaints(tests: StateTests, base: StateTests) -> dict[str, CaseResult]:
    """What the kernel complained of in `tests` and not on the `base`, by the names of the cases."""
    worse = {delta.case for delta in compare(tests, base) if delta.test == KERNEL_LOG and delta.change is Change.WORSE}
    return {one.case: one for one in complaints(tests) if one.case in worse - MOMENTS}


def heard_once(tests: StateTests, base: StateTests, previous: StateTests | None) -> tuple[StateTests, tuple[str, ...]]:
    """`tests`, and those of its new complaints that ask for another run: heard in the one run there was. Those that the
    `previous` state had in several say so, and do not."""
    once = {case: one for case, one in new_complaints(tests, base).items() if not repeats_of(one).runs}
    there = {} if previous is None else new_complaints(previous, base)
    seen = {case: repeats_of(there[case]) for case in once if case in there}
    proven = {case: replace(one, earlier=True) for case, one in seen.items() if one.worse >= _TWICE}
    whole = {"": _best(proven.values())} if proven else {}
    return _with(tests, {**proven, **whole}), tuple(case for case in once if case not in proven)


def heard_in(tests: StateTests, cases: Collection[str]) -> tuple[str, ...] | None:
    """The tests during which the complaints called `cases` came; None where that is not known of all."""
    found = [tests.heard.get(case, "") for case in cases]
    return tuple(dict.fromkeys(found)) if all(found) else None


def merge_complaints(
    first: StateTests, again: StateTests, base: StateTests, runs: Mapping[str, int] | None
) -> StateTests:
    """`first` with what the kernel complained of in `again`, one more run of the tests in `runs`, which has how often
    each has run now (None: of all, twice).

    A complaint counts, be it in one run only; it says in how many of those that could have it. One that only `again`
    has counts if it came during a test: what another suite answers for, as the guest boots, is no news, but where the
    guest died of it. One that did not boot was no run of the tests.
    """
    known, now = new_complaints(first, base), new_complaints(again, base)
    if again.status is SuiteStatus.FAILED:
        runs = {}
    asked = {case for case in known if case in now or runs is None or first.heard.get(case) in runs}
    counted = {case: _one_more(repeats_of(known[case]), heard=case in now) for case in asked}
    fresh = {
        case: replace(one, repeats=Repeats((runs or {}).get(again.heard.get(case, ""), _TWICE), 1))
        for case, one in now.items()
        if case not in known and (case in again.heard or _kept_from_booting(again, one))
    }
    told = _with(first, counted)
    if fresh:
        told = with_fresh(told, again, fresh)
    seen = [repeats_of(one) for one in new_complaints(told, base).values()]
    return _with(told, {"": _best(seen)}) if seen and (counted or fresh) else told


def with_failed_boot(tests: StateTests, failed: StateTests) -> StateTests:
    """`tests` with what the kernel complained of in another boot of the state, in which it `failed` before any test
    began: it counts, as in one run of two."""
    had = {one.case for one in complaints(tests)}
    said = {one.case: one for one in complaints(failed) if one.case not in MOMENTS}
    counted = {case: Repeats(_TWICE, 1 + (case in had)) for case in said}
    fresh = {case: replace(one, repeats=counted[case]) for case, one in said.items() if case not in had}
    told = with_fresh(tests, failed, fresh) if fresh else tests
    return _with(told, {**counted, "": _best(counted.values())}) if counted else told


def _kept_from_booting(tests: StateTests, complaint: CaseResult) -> bool:
    """Whether a state did not boot for what its kernel complained of."""
    return tests.status is SuiteStatus.FAILED and complaint.said in tests.trace


def _best(seen: Iterable[Repeats]) -> Repeats:
    """Those of several complaints that tell most of the log as a whole."""
    return max(seen, key=lambda one: (one.worse, one.runs))


def with_fresh(first: StateTests, again: StateTests, fresh: Mapping[str, CaseResult]) -> StateTests:
    """`first` with complaints of `again`, and with the log that has them, which as a whole names the first."""
    each = (*complaints(first), *fresh.values())
    said = f"{plural(len(each), 'complaint')}: {next(iter(fresh.values())).said}"
    whole = CaseResult(KERNEL_LOG, "", Verdict.FAIL, 0.0, said)
    outputs = {name: path for name, path in again.outputs.items() if name == KERNEL_LOG}
    return replace(
        first,
        results=(*(one for one in first.results if one.test != KERNEL_LOG), whole, *each),
        outputs={**first.outputs, **outputs},
        trace=first.trace or again.trace,
        heard={**first.heard, **{case: again.heard[case] for case in fresh if case in again.heard}},
    )


def _with(tests: StateTests, repeats: Mapping[str, Repeats]) -> StateTests:
    """`tests` with `repeats` for cases of the kernel's log."""
    results = (
        replace(one, repeats=repeats[one.case]) if one.test == KERNEL_LOG and one.case in repeats else one
        for one in tests.results
    )
    return replace(tests, results=tuple(results))


def _one_more(repeats: Repeats, *, heard: bool) -> Repeats:
    runs, worse = (repeats.runs, repeats.worse) if repeats.runs else (1, 1)
    return replace(repeats, runs=runs + 1, worse=worse + heard)
