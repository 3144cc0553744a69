"""Tests states of one tree: what is remembered, what is run, and what is run again before anybody is blamed."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path

from kpatch_tool.errors import MachineError
from kpatch_tool.kbuild.build import build_state
from kpatch_tool.kbuild.model import StateBuild
from kpatch_tool.progress import Progress, silent
from kpatch_tool.results.complaints import heard_in, heard_once, merge_complaints, new_complaints
from kpatch_tool.results.deltas import breaks_as_base, not_begun, previous_tested
from kpatch_tool.results.repeats import (
    NOTHING_BEFORE,
    Before,
    all_judged,
    base_durations,
    best_of,
    cut_short,
    hung,
    in_full,
    merge_rerun,
    never_judged,
    newly_passing,
    proven_before,
    second_boot,
    stalled,
    stalls_beside,
    to_repeat,
    without_stalls,
    worse_tests,
)
from kpatch_tool.results.store import Origin, Store
from kpatch_tool.suites import catalogue, jobs, run, selftests
from kpatch_tool.suites.jobs import Plan
from kpatch_tool.suites.model import KERNEL_LOG, Cause, StateTests, SuiteStatus, inherited
from kpatch_tool.suites.run import Options, Subject
from kpatch_tool.text import state_name
from kpatch_tool.tree.model import State, Tree
from kpatch_tool.vm.accel import Choice
from kpatch_tool.workspace import Workspace

_RUNS = 3  # of a test that seems worse, before it counts as worse
_ROUNDS = 5  # of running tests again: more than two where those that were to speak for others were not worse again


@dataclass(frozen=True, slots=True)
class _Judged:
    """A state that was tested, and the base's results that it was compared with."""

    subject: Subject
    plan: Plan
    key: str
    base: StateTests


@dataclass(slots=True)
class Tester:
    """Tests states of one tree, remembering what it found; made for kpatch_tool.running.pipeline.Steps.

    `runs` is how often a test that seems worse is run before it counts; `fresh` tests again what is remembered; `keep`
    is False where what was found must not be remembered (one look of a search at a test that may be flaky). Threads may
    test several states at once; whoever builds suites (`prepare`, `fingerprint`) does it in one.
    """

    __test__ = False  # not a pytest class

    workspace: Workspace
    tree: Tree
    store: Store
    arch: str = "x86_64"
    options: Options = field(default_factory=Options)
    fresh: bool = False
    progress: Progress = silent
    runs: int = _RUNS
    keep: bool = True
    _choice: Choice | None = None
    _plans: dict[tuple[str, str], Plan] = field(default_factory=dict)
    _choosing: threading.Lock = field(default_factory=threading.Lock)
    _base: tuple[State, StateBuild] | None = None
    # The base of a suite, where more than one run tells of it.
    _reference: dict[str, StateTests] = field(default_factory=dict)
    # What the base ran once more: suite, test, and whether the base had failed to boot before.
    _asked: set[tuple[str, SuiteStatus, str]] = field(default_factory=set)
    _judged: dict[tuple[int, str], _Judged] = field(default_factory=dict)  # patch, suite
    _asking: threading.Lock = field(default_factory=threading.Lock)

    @property
    def choice(self) -> Choice | None:
        """The acceleration, once a state was tested."""
        return self._choice

    def fingerprint(self, state: State, build: StateBuild, suite: str) -> str:
        """Equal for two states exactly when the suite runs the same programs on the same kernel and modules."""
        return run.fingerprint(self._subject(state, build), self._plan(state, build, suite))

    def choose(self, state: State, build: StateBuild) -> Choice:
        """The acceleration; the first time a trial may boot the state."""
        with self._choosing:
            if self._choice is None:
                self._choice = run.choose_accel(self._subject(state, build), self.options)
            return self._choice

    def about(self, base: State, head: State, suites: Collection[str]) -> None:
        """Where the tree's selftests are among `suites`: have those run, too, that the series from `base` to `head`
        changes. Raises MachineError when git cannot tell which."""
        if catalogue.SELFTESTS in suites:
            touched = selftests.touched(self.tree, base, head, self.arch)
            self.options = replace(self.options, touched=touched)

    def prepare(self, state: State, build: StateBuild, suite: str) -> None:
        """Have the suite's programs for a state built, so that nothing but the guest's time is left for `test`."""
        self._plan(state, build, suite)

    def test(
        self, state: State, build: StateBuild, suites: Sequence[str], before: Before = NOTHING_BEFORE
    ) -> tuple[StateTests, ...]:
        """What each of `suites` says of a state that was built: remembered, or found out in one boot. What seems worse
        than in the results `before` is run again.

        Raises InputError for an unknown suite or variant, MachineError when the guest cannot be run at all.
        """
        if state.patch == 0:
            self._base = (state, build)
        subject = self._subject(state, build)
        choice = self.choose(state, build)
        plans = {suite: self._plan(state, build, suite) for suite in suites}
        keys = {suite: run.tests_key(subject, plan, choice) for suite, plan in plans.items()}
        known = {} if self.fresh else {suite: self._kept(key, state) for suite, key in keys.items()}
        base, found, before = before.known(), dict[str, StateTests](), self._with_reference(before)
        for suite, tests in tuple(known.items()):
            doubtful = self._doubtful(tests, plans[suite], before) if tests is not None else ()
            if tests is None or not doubtful:
                continue
            if tests.status is SuiteStatus.FAILED:
                known[suite] = None
            else:
                found[suite] = self._asked_once_more(subject, plans[suite], tests, before, doubtful)
        missing = {suite: plans[suite] for suite in suites if known.get(suite) is None}
        if missing:
            found |= self._found_out(subject, missing, base, before)
        done = tuple(found.get(suite) or _there(known.get(suite)) for suite in suites)
        if state.patch and self.runs > 1:
            for tests in done:
                self._judge(subject, plans[tests.suite], keys[tests.suite], tests, before)
        if self.keep:  # now that the base is known: what is remembered does not ask it any more
            self._keep(found, keys, {plan.suite: plan.version for plan in plans.values()}, build, choice)
        return done

    def _found_out(
        self, subject: Subject, plans: Mapping[str, Plan], base: Sequence[StateTests], before: Before
    ) -> dict[str, StateTests]:
        """What each suite of `plans` says of a state, in one boot and those that it asks for."""
        choice = self.choose(subject.state, subject.build)
        results = self._booted(subject, [self._to_run(plan, base, choice) for plan in plans.values()], before)
        whole = [self._in_full(subject, plans[tests.suite], tests, base, before) for tests in results]
        calm = [self._stall_confirmed(subject, plans[tests.suite], tests, before) for tests in whole]
        sure = [self._confirmed(subject, plans[tests.suite], tests, before) for tests in calm]
        return {tests.suite: self._heard_again(subject, plans[tests.suite], tests, before) for tests in sure}

    def reconsidered(self, found: Sequence[StateTests]) -> tuple[StateTests, ...]:
        """`found`, results of one series in the order of its states, beside the base as all its runs show it: what
        seems worse than that, and did not when its state was tested, is run again; all of a state that did not boot,
        as the base first did not. Raises as `test` does."""
        done: list[StateTests] = []
        for tests in found:
            if tests.same_as is not None:
                first = next((one for one in done if (one.patch, one.suite) == (tests.same_as, tests.suite)), None)
                done.append(tests if first is None else inherited(first, tests.patch))
            elif not tests.patch:
                done.append(self._reference.get(tests.suite, tests))
            else:
                done.append(self._judged_anew(tests, previous_tested(done, tests)))
        return tuple(done)

    def _judged_anew(self, tests: StateTests, previous: StateTests | None) -> StateTests:
        base, then = self._reference.get(tests.suite), self._judged.get((tests.patch, tests.suite))
        if base is None or then is None or then.base is base:
            return tests
        subject, plan = then.subject, then.plan
        before = Before(base=lambda: (base,), previous=lambda: () if previous is None else (previous,))
        names = self._doubtful(tests, plan, before)
        if not names:
            return tests
        if tests.status is SuiteStatus.FAILED:
            sure = self._found_out(subject, {plan.suite: plan}, (base,), before)[plan.suite]
        else:
            sure = self._asked_once_more(subject, plan, tests, before, names)
        if self.keep:
            choice = self.choose(subject.state, subject.build)
            self._keep({plan.suite: sure}, {plan.suite: then.key}, {plan.suite: plan.version}, subject.build, choice)
        return sure

    def _asked_once_more(
        self, subject: Subject, plan: Plan, tests: StateTests, before: Before, names: Collection[str]
    ) -> StateTests:
        """What is kept of a state, from before the base was tested anew, after those called `names` were run again."""
        calm = self._stall_confirmed(subject, plan, tests, before) if KERNEL_LOG in names else tests
        return self._heard_again(subject, plan, self._confirmed(subject, plan, calm, before, names), before)

    def _with_reference(self, before: Before) -> Before:
        """`before` with the base as all its runs so far show it, waited for where it is asked for, and the same from
        then on."""
        if self.runs == 1:
            return before

        @cache
        def base() -> Sequence[StateTests]:
            return [self._reference.get(one.suite, one) for one in before.base()]

        return replace(before, base=base)

    def _kept(self, key: str, state: State) -> StateTests | None:
        """What the store has for `key`; of a state that is no base also what gave tests less time, in which some hung:
        on a base that would hide what a patch does to them."""
        found = self.store.tests(key, patch=state.patch)
        return found if found or not state.patch else self.store.tests(_in_less_time(key), patch=state.patch)

    def _keep(
        self,
        found: Mapping[str, StateTests],
        keys: Mapping[str, str],
        versions: Mapping[str, str],
        build: StateBuild,
        choice: Choice,
    ) -> None:
        """Keep what was `found` of each suite, and that what is kept is true of this build; a full disk must not cost
        the answer."""
        try:
            for suite, tests in found.items():
                key, other = keys[suite], _in_less_time(keys[suite])
                if tests.patch and hung(tests):
                    key, other = other, key
                self.store.keep_tests(key, tests, Origin(_build_key(build), versions[suite], choice.accel))
                self.store.forget_tests(other)
            for suite, key in keys.items():
                if suite not in found or found[suite].status is not SuiteStatus.INFRA:
                    self._answered(key, build)
        except MachineError as error:
            self.progress(f"not remembered: {error.line()}")

    def speaks_for(self, state: State, build: StateBuild, suites: Sequence[str]) -> None:
        """Note in the store that what is kept of these suites is true of this state as well."""
        subject = self._subject(state, build)
        for suite in suites:
            self._answered(run.tests_key(subject, self._plan(state, build, suite), self.choose(state, build)), build)

    def _answered(self, key: str, build: StateBuild) -> None:
        for one in (key, _in_less_time(key)):
            self.store.answered(one, _build_key(build))

    def _to_run(self, plan: Plan, base: Sequence[StateTests], choice: Choice) -> Plan:
        """`plan` with the patience for each test that its run on the base asks for; where nothing is kept its outputs
        must not take the place of those that belong to what is."""
        took = base_durations(base, plan.suite)
        rows = tuple(jobs.first(row, took[row.name], choice.accel) if row.name in took else row for row in plan.rows)
        return replace(plan, rows=rows, digest=plan.digest if self.keep else f"{plan.digest} not kept")

    def _doubtful(self, tests: StateTests, plan: Plan, before: Before) -> tuple[str, ...]:
        """The tests in which kept results are worse than the base's by one run: the base was tested anew since."""
        base = _of_suite(before.base(), tests.suite) if self.runs > 1 else None
        return () if base is None else never_judged(tests, base, {*_names(plan), KERNEL_LOG})

    def _booted(self, subject: Subject, plans: Sequence[Plan], before: Before) -> tuple[StateTests, ...]:
        """What the suites say of a state. One that failed before they could, and not as the base does, is booted once
        more: a machine with much to do misses the deadline of a boot."""
        choice = self.choose(subject.state, subject.build)
        first = run.test_state(subject, plans, choice, progress=self.progress)
        failed = [tests for tests in first if tests.status is SuiteStatus.FAILED]
        one_look = self.runs == 1 and not self.keep  # of a search, which looks again by itself
        if not failed or one_look or all(breaks_as_base(before.base(), tests) for tests in failed):
            return first
        self.progress(f"booting {state_name(subject.state.patch)} once more, which failed: {failed[0].why}")
        anew = [replace(plan, digest=f"{plan.digest} booted anew") for plan in plans]
        again = run.test_state(subject, anew, choice, progress=self.progress)
        return tuple(map(second_boot, first, again))

    def _in_full(
        self, subject: Subject, plan: Plan, tests: StateTests, base: Sequence[StateTests], before: Before
    ) -> StateTests:
        """`tests` where those that hung on the `base`, and had less time now, were run in all of it if they hung in
        another way than there and on the state before."""
        there = _of_suite(base, tests.suite)
        if there is None:
            return tests
        hanging = {name for name, seconds in base_durations(base, tests.suite).items() if seconds is None}
        choice = self.choose(subject.state, subject.build)
        less = {row.name for row in plan.rows if row.name in hanging and jobs.has_less(row, choice.accel)}
        names = cut_short(tests, there, less) if less else ()
        previous = _of_suite(before.previous(), tests.suite) if names else None
        if previous is not None:
            names = cut_short(tests, previous, names)
        if not names:
            return tests
        rows = tuple(row for row in plan.rows if row.name in names)
        self.progress(f"running in full what hung otherwise than on the base: {', '.join(names)}")
        rest = replace(plan, rows=rows, digest=f"{plan.digest} in full")
        (again,) = run.test_state(subject, [rest], choice, progress=self.progress)
        if again.status is SuiteStatus.FAILED:
            return merge_complaints(tests, again, there, {})
        return in_full(tests, again, there, names)

    def _stall_confirmed(self, subject: Subject, plan: Plan, tests: StateTests, before: Before) -> StateTests:
        """`tests` after all were run again, where the kernel said of this state that something took long; what else it
        complained of stays."""
        base = _of_suite(before.base(), tests.suite) if self.runs > 1 else None
        if base is None or tests.status is SuiteStatus.FAILED:
            return tests
        only = stalled(tests, base)
        if not (only or stalls_beside(tests, base)):
            return tests
        choice = self.choose(subject.state, subject.build)
        repeat = replace(plan, digest=f"{plan.digest} after a stall")
        self.progress(f"running again after patch {subject.state.patch}, whose kernel stalled", 0, 0)
        (again,) = run.test_state(subject, [repeat], choice, progress=self.progress)
        if again.status is SuiteStatus.FAILED:
            return merge_complaints(tests, again, base, {})
        says_more = not only or (worse_tests(again, base, {KERNEL_LOG}) and not stalled(again, base))
        if says_more and again.status is SuiteStatus.OK:
            return without_stalls(merge_complaints(tests, again, base, None), again)
        return merge_rerun(tests, again, base, {KERNEL_LOG: 2})

    def _confirmed(
        self, subject: Subject, plan: Plan, tests: StateTests, before: Before, among: Collection[str] | None = None
    ) -> StateTests:
        """`tests` after those that got worse (`among` these, where given) were run again, until they are not worse or
        have had their runs."""
        base = _of_suite(before.base(), tests.suite)
        names = _names(plan) if among is None else _names(plan).intersection(among)
        if base is None or tests.status is SuiteStatus.FAILED or not worse_tests(tests, base, names):
            return tests
        previous, known = _of_suite(before.previous(), tests.suite), set[str]()
        if previous is not None:
            tests, sure = proven_before(tests, base, previous, names)
            names -= sure
            known |= set(worse_tests(previous, base, names))
        count = Counter(result.test for result in tests.results if not result.case and not not_begun(result))
        for runs in range(2, _ROUNDS + 2) if self.runs > 1 else ():
            suspects = to_repeat(tests, base, names, times=count, most=self.runs, known=known)
            if not suspects:
                break
            names_too = {*suspects, *_left_behind(tests, plan, suspects)}
            self.progress(f"running again what got worse after patch {subject.state.patch}: {', '.join(suspects)}")
            again = self._once_more(subject, replace(plan, digest=f"{plan.digest} run {runs}"), names_too, base)
            if again.status is SuiteStatus.FAILED:
                return merge_complaints(tests, again, base, {})
            count.update(suspects)
            tests = merge_rerun(tests, again, base, {name: count[name] for name in suspects}, previous)
            tests = merge_complaints(tests, again, base, {name: max(count[name], 2) for name in names_too})
            if tests.status is SuiteStatus.INFRA:
                break
        return all_judged(tests, base, names)

    def _once_more(self, subject: Subject, plan: Plan, names: Collection[str], base: StateTests) -> StateTests:
        """Another run of the tests called `names`, with ten times what they took on the `base`."""
        choice = self.choose(subject.state, subject.build)
        took = {result.test: result.seconds for result in base.results if not result.case}
        rows = tuple(jobs.again(row, took.get(row.name, 0.0), choice.accel) for row in plan.rows if row.name in names)
        (again,) = run.test_state(subject, [replace(plan, rows=rows)], choice, progress=self.progress)
        return again

    def _heard_again(self, subject: Subject, plan: Plan, tests: StateTests, before: Before) -> StateTests:
        """`tests` after those were run once more during which the kernel complained of something new, once; all of them
        where it is not known during which."""
        base = _of_suite(before.base(), tests.suite) if self.runs > 1 else None
        if base is None or tests.status is not SuiteStatus.OK or not new_complaints(tests, base):
            return tests
        tests, once = heard_once(tests, base, _of_suite(before.previous(), tests.suite))
        if not once:
            return tests
        names, choice = heard_in(tests, once), self.choose(subject.state, subject.build)
        rest = self._to_run(plan, (base,), choice)
        rows = tuple(row for row in rest.rows if names is None or row.name in names)
        rest = replace(rest, rows=rows, digest=f"{plan.digest} complained")
        told = f": {', '.join(names)}" if names else ""
        self.progress(f"running again after patch {subject.state.patch}, whose kernel complained{told}", 0, 0)
        (again,) = run.test_state(subject, [rest], choice, progress=self.progress)
        if again.status is SuiteStatus.INFRA:
            return merge_rerun(tests, again, base, {KERNEL_LOG: 2})
        return merge_complaints(tests, again, base, None if names is None else dict.fromkeys(names, 2))

    def _judge(self, subject: Subject, plan: Plan, key: str, tests: StateTests, before: Before) -> None:
        """Have the base run once more what is better than there, and note which results of it these are compared
        with: those from before it was."""
        base = _of_suite(before.base(), tests.suite)
        if base is None:
            return
        self._judged[tests.patch, tests.suite] = _Judged(subject, plan, key, base)
        if self._base is None or tests.cached:
            return
        plan = self._plan(*self._base, tests.suite)
        with self._asking:
            base = self._reference.get(tests.suite, base)
            if base.status is SuiteStatus.FAILED:
                base = self._asked_again(tests, base, plan)
            self._asked_again(tests, base, plan)

    def _asked_again(self, tests: StateTests, base: StateTests, plan: Plan) -> StateTests:
        """The `base` after what is better in `tests` was run there once more, if it was not before; `plan` is its."""
        if names := self._to_ask(tests, base, plan):
            self._reference[tests.suite] = self._base_anew(base, plan, names)
            self._asked |= {(tests.suite, base.status, name) for name in names}
        return self._reference.get(tests.suite, base)

    def _to_ask(self, tests: StateTests, base: StateTests, plan: Plan) -> Collection[str]:
        """The tests to run on the base once more: those that are better in `tests`, once; all where it did not boot."""
        better = newly_passing(tests, base, _names(plan))
        names = [name for name in better if (tests.suite, base.status, name) not in self._asked]
        return _names(plan) if names and base.status is SuiteStatus.FAILED else names

    def _base_anew(self, base: StateTests, plan: Plan, names: Collection[str]) -> StateTests:
        """The `base` after the tests called `names` were run there once more; it is kept."""
        assert self._base is not None
        mended = f"running again on the base what seems to be mended: {', '.join(names)}"
        failed = f"booting the base once more, which failed: {base.why}"
        whole = base.status is SuiteStatus.FAILED  # of which what cannot be run is told, too
        rows = tuple(row for row in plan.rows if whole or row.name in names)
        self.progress(failed if whole else mended)
        rest = replace(plan, rows=rows, digest=f"{plan.digest} again")
        subject, choice = self._subject(*self._base), self.choose(*self._base)
        (again,) = run.test_state(subject, [rest], choice, progress=self.progress)
        if again.status is SuiteStatus.INFRA:
            raise MachineError(f"the base could not be run again: {again.why}", where=f"suite {plan.suite}")
        best = best_of(base, again)
        if self.keep and best != base:
            key = {plan.suite: run.tests_key(subject, plan, choice)}
            self._keep({plan.suite: best}, key, {plan.suite: plan.version}, subject.build, choice)
        return best

    def _subject(self, state: State, build: StateBuild) -> Subject:
        return Subject(self.workspace, self.tree, state, build, self.arch)

    def _plan(self, state: State, build: StateBuild, suite: str) -> Plan:
        key = (state.commit, suite)
        if key not in self._plans:
            self._plans[key] = run.plan_suite(self._subject(state, build), suite, self.options, self.progress)
        return self._plans[key]


def _in_less_time(key: str) -> str:
    """Where results are kept in which a test hung: a state's tests have less time than those of a base (jobs.first)."""
    return f"{key} in less time"


def _left_behind(tests: StateTests, plan: Plan, suspects: Collection[str]) -> list[str]:
    """The tests in variants before that of a suspect whose modules could not be loaded because theirs would not go:
    alone it would find nothing in its way."""
    blocked = {one.test for one in tests.results if one.test in suspects and one.cause is Cause.LEFT_BEHIND}
    ways = list(dict.fromkeys(row.variant.name for row in plan.rows))
    last = max((ways.index(row.variant.name) for row in plan.rows if row.name in blocked), default=0)
    return [row.name for row in plan.rows if row.variant.name in ways[:last]]


def _build_key(build: StateBuild) -> str:
    """The key that the build is kept by: its directory's name."""
    assert build.artifacts is not None
    return build.artifacts.name


def _names(plan: Plan) -> set[str]:
    """The tests that a plan runs."""
    return {row.name for row in plan.rows if row.job}


def _of_suite(results: Sequence[StateTests], suite: str) -> StateTests | None:
    return next((tests for tests in results if tests.suite == suite), None)


def _there(tests: StateTests | None) -> StateTests:
    assert tests is not None
    return tests


def build_for(tester: Tester, state: State, fragments: Sequence[Path]) -> StateBuild:
    """The build of a state that `tester` is to test, as kbuild.build.build_state makes it; guests of the states before
    may run beside it, but for the base's."""
    return build_state(
        tester.workspace,
        tester.tree,
        state,
        tester.arch,
        fragments=fragments,
        progress=tester.progress,
        aside=state.patch != 0,
    )
