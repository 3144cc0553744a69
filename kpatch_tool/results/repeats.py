"""One bad run is no regression: what a state seems to have made worse is run again before anybody is blamed."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace

from kpatch_tool.results.deltas import Change, compare
from kpatch_tool.suites.model import CaseResult, StateTests

_STEADY = "worse in "
Waiting = Callable[[], Sequence[StateTests]]  # results, waited for where they are found out at the same time


@dataclass(frozen=True, slots=True)
class Before:
    """What the suites say of the base, and of the nearest state before that is tested; nothing where there is none."""

    base: Waiting = tuple
    previous: Waiting = tuple

    def then(self, patch: int, results: Waiting) -> Before:
        """What is before the state after `patch` (0: the base), whose own `results` these are."""
        return Before(results) if patch == 0 else Before(self.base, results)


NOTHING_BEFORE = Before()


def doubtful(tests: StateTests, base: StateTests, names: Collection[str]) -> tuple[str, ...]:
    """Those of the tests called `names` that are worse than on the base, in their order."""
    worse = dict.fromkeys(delta.test for delta in compare(tests, base) if delta.change is Change.WORSE)
    return tuple(test for test in worse if test in names)


def settled(first: StateTests, again: StateTests, base: StateTests, repeated: Collection[str], runs: int) -> StateTests:
    """`first` with what `again`, one more run of the tests called `repeated`, says of them.

    A test that is worse than on the base again keeps its results; one that is not takes those of `again`, and says that
    it is unsteady. `runs` is how often these tests have run now.
    """
    steady = set(doubtful(again, base, repeated))
    results: list[CaseResult] = []
    for result in first.results:
        if result.test not in repeated:
            results.append(result)
        elif result.test in steady:
            results.append(_noted(result, f"{_STEADY}{runs} of {runs} runs") if _is_whole(result) else result)
        elif _is_whole(result):
            results += (_unsteady(case, runs) for case in again.results if case.test == result.test)
    return replace(first, results=tuple(results), seconds=first.seconds + again.seconds)


def _is_whole(result: CaseResult) -> bool:
    return not result.case


def _unsteady(result: CaseResult, runs: int) -> CaseResult:
    return _noted(result, f"unsteady: worse in {runs - 1} of {runs} runs") if _is_whole(result) else result


def _noted(result: CaseResult, note: str) -> CaseResult:
    before = result.why.partition(_STEADY)[0].removesuffix("; ")
    return replace(result, why=f"{before}; {note}" if before else note)
