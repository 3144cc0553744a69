"""Which suites are run on a state: those that would run other programs there than on any state before."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import partial

from kpatch_tool.results.repeats import NOTHING_BEFORE, Before
from kpatch_tool.suites.model import StateTests, SuiteStatus, inherited
from kpatch_tool.system.parallel import Threads

Results = tuple[StateTests, ...]
Test = Callable[[tuple[str, ...], Before], Results]
"""What each of some suites says of a state, in their order, beside what they said before."""


@dataclass(frozen=True, slots=True)
class Turn:
    """The state after `patch` (0: the base), under way: for each suite the run that answers, an earlier state's where
    the suite is not among `fresh`. `before` is what its results are compared with, `test` what runs a suite on it."""

    patch: int
    test: Test
    runs: Mapping[str, Future[Results]]
    fresh: tuple[str, ...]
    before: Before

    @property
    def is_over(self) -> bool:
        """Whether all results are there."""
        return all(run.done() for run in self.runs.values())

    @property
    def inherits(self) -> tuple[str, ...]:
        """The suites for which an earlier state's run answers."""
        return tuple(suite for suite in self.runs if suite not in self.fresh)

    def result(self, suite: str) -> StateTests:
        """What a suite says of the state, waited for; raises what its run raised. Where this machine failed in an
        earlier state's run, the suite is run now."""
        tests = of_suite(self.runs[suite].result(), suite)
        if suite in self.fresh:
            return tests
        if tests.status is SuiteStatus.INFRA:
            return of_suite(self.test((suite,), self.before), suite)
        return inherited(tests, self.patch)


@dataclass(slots=True)
class Turns:
    """States one after another, the base first, tested by the threads of `pool`."""

    pool: Threads
    _said: dict[tuple[str, str], Future[Results]] = field(default_factory=dict)
    _before: Before = NOTHING_BEFORE

    def begin(self, patch: int, prints: Mapping[str, str], test: Test, *, always: bool = False) -> Turn:
        """Have a state tested. `prints` has each suite's fingerprint, equal for two states where it runs the very same
        programs on them; `always` runs it all the same."""
        known = {} if always else self._said
        fresh = tuple(suite for suite, print_ in prints.items() if (suite, print_) not in known)
        before = self._before
        if fresh:
            future = self.pool.submit(partial(test, fresh, before))
            self._said |= {(suite, prints[suite]): future for suite in fresh}
            self._before = before.then(patch, future.result, partial(_so_far, future))
        runs = {suite: self._said[suite, print_] for suite, print_ in prints.items()}
        return Turn(patch, test, runs, fresh, before)


def _so_far(run: Future[Results]) -> Results:
    """What a run said, nothing where it is under way or failed."""
    over = run.done() and not run.cancelled() and run.exception() is None
    return run.result() if over else ()


def of_suite(results: Results, suite: str) -> StateTests:
    """Those of a suite, which are among them."""
    return next(tests for tests in results if tests.suite == suite)
