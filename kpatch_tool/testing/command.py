"""`kpt test` as a whole: names in; states built, booted and tested, or remembered; results beside the base's out."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from kpatch_tool import doctor
from kpatch_tool.errors import InputError
from kpatch_tool.kbuild import arch as archs
from kpatch_tool.kbuild.build import build_state
from kpatch_tool.kbuild.model import BuildStatus, StateBuild
from kpatch_tool.progress import Progress, silent, told
from kpatch_tool.results.answer import out_of_reach
from kpatch_tool.results.deltas import Change, Delta, compare, not_begun, previous_tested
from kpatch_tool.results.repeats import (
    NOTHING_BEFORE,
    Before,
    cut_short,
    doubtful,
    in_full,
    not_mended,
    proven_before,
    seems_mended,
    seen_alone,
    settled,
    to_repeat,
    took_on,
)
from kpatch_tool.results.store import Origin, Store
from kpatch_tool.suites import catalogue, jobs, run, selftests, variants
from kpatch_tool.suites.model import Cause, StateTests, SuiteStatus, Verdict
from kpatch_tool.suites.run import Options, Plan, Subject
from kpatch_tool.system import limits, process
from kpatch_tool.system.parallel import Threads, ahead
from kpatch_tool.testing.turns import Turns
from kpatch_tool.tree.applied import base_state, load_applied
from kpatch_tool.tree.catalogue import Catalogue
from kpatch_tool.tree.model import State, Tree
from kpatch_tool.vm import accel
from kpatch_tool.vm.accel import Choice
from kpatch_tool.workspace import Workspace

_RUNS = 3  # of a test that seems worse, before it counts as worse
_ROUNDS = 5  # of running tests again: more than two where those that were to speak for others were not worse again


@dataclass(frozen=True, slots=True)
class Request:
    """What the user asked for. `patches` are the states wanted besides the base; `each`: all of them; `base`: the base
    alone; neither: the last one. `fresh`: test again what is remembered. `fragments` are files of configuration to
    build the states with. `jobs`: guests at once (None: as many as this machine carries)."""

    series: str | None = None
    tree: str | None = None
    arch: str = "x86_64"
    suites: tuple[str, ...] = ()
    patches: tuple[int, ...] = ()
    each: bool = False
    base: bool = False
    fresh: bool = False
    options: Options = field(default_factory=Options)
    fragments: tuple[Path, ...] = ()
    jobs: int | None = None


@dataclass(frozen=True, slots=True)
class Tested:
    """What came of it: the base's results first, then each state's, a value for each suite. `not_tested` is what the
    series changes where no guest of this machine sees it, a sentence or ""."""

    __test__ = False  # not a pytest class

    states: tuple[StateTests, ...]
    accel: str
    why_accel: str
    not_tested: str = ""

    def base_of(self, tests: StateTests) -> StateTests | None:
        """The results that `tests` are compared with."""
        return next((base for base in self.states if base.patch == 0 and base.suite == tests.suite), None)

    def deltas(self, tests: StateTests) -> tuple[Delta, ...]:
        """How a state differs from the base."""
        base = self.base_of(tests)
        return () if base is None or tests.patch == 0 else compare(tests, base)

    def previous_of(self, tests: StateTests) -> StateTests | None:
        """The results of the nearest state before that was tested: what the state's own patch shows against."""
        return previous_tested(self.states, tests)

    def deltas_previous(self, tests: StateTests) -> tuple[Delta, ...]:
        """How a state differs from the one before it."""
        previous = self.previous_of(tests)
        return () if previous is None else compare(tests, previous)

    @property
    def findings(self) -> bool:
        """Whether any state is worse than the base (its kernel's complaints are tests, too), or cannot be tested."""
        return any(self._is_finding(tests) for tests in self.states if tests.status is not SuiteStatus.INFRA)

    @property
    def untested(self) -> bool:
        """Whether this machine failed at any of it."""
        return any(tests.status is SuiteStatus.INFRA for tests in self.states)

    def _is_finding(self, tests: StateTests) -> bool:
        if tests.status is SuiteStatus.FAILED:
            return True
        return any(delta.change is Change.WORSE for delta in self.deltas(tests))


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
    _again: dict[tuple[str, str], frozenset[str]] = field(default_factory=dict)  # suite, test: see _of_base
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
        known = {} if self.fresh else {suite: self.store.tests(key, patch=state.patch) for suite, key in keys.items()}
        base = before.known()
        missing = [self._to_run(plans[suite], base, choice) for suite in suites if known.get(suite) is None]
        found: dict[str, StateTests] = {}
        for suite, tests in known.items():
            if tests is not None and self._is_doubtful(tests, plans[suite], before):
                found[suite] = self._confirmed(subject, plans[suite], tests, before)
        if missing:
            results = run.test_state(subject, missing, choice, progress=self.progress)
            whole = [self._in_full(subject, plans[tests.suite], tests, base, before) for tests in results]
            sure = [self._confirmed(subject, plans[tests.suite], tests, before) for tests in whole]
            found |= {tests.suite: self._not_by_chance(tests, before) for tests in sure}
        for suite, tests in found.items() if self.keep else ():
            origin = Origin(_build_key(build), plans[suite].version, choice.accel)
            self.store.keep_tests(keys[suite], tests, origin)
        answer = tuple(found.get(suite) or _there(known.get(suite)) for suite in suites)
        for tests in answer if self.keep else ():
            if tests.status is not SuiteStatus.INFRA:
                self.store.answered(keys[tests.suite], _build_key(build))
        return answer

    def speaks_for(self, state: State, build: StateBuild, suites: Sequence[str]) -> None:
        """Note in the store that what is kept of these suites is true of this state as well."""
        subject = self._subject(state, build)
        for suite in suites:
            key = run.tests_key(subject, self._plan(state, build, suite), self.choose(state, build))
            self.store.answered(key, _build_key(build))

    def _to_run(self, plan: Plan, base: Sequence[StateTests], choice: Choice) -> Plan:
        """`plan` with the patience for each test that its run on the base asks for; where nothing is kept its outputs
        must not take the place of those that belong to what is."""
        took = took_on(base, plan.suite)
        rows = tuple(jobs.first(row, took[row.name], choice.accel) if row.name in took else row for row in plan.rows)
        return replace(plan, rows=rows, digest=plan.digest if self.keep else f"{plan.digest} not kept")

    def _is_doubtful(self, tests: StateTests, plan: Plan, before: Before) -> bool:
        """Whether kept results are worse than the base's in what was run but once: the base was tested anew since."""
        base = _of_suite(before.base(), tests.suite) if self.runs > 1 else None
        return base is not None and seen_alone(tests, base, _names(plan))

    def _in_full(
        self, subject: Subject, plan: Plan, tests: StateTests, base: Sequence[StateTests], before: Before
    ) -> StateTests:
        """`tests` where those that hung on the `base`, and had less time now, were run in all of it if they hung in
        another way than there and on the state before."""
        there = _of_suite(base, tests.suite)
        if there is None:
            return tests
        hung = {name for name, seconds in took_on(base, tests.suite).items() if seconds is None}
        choice = self.choose(subject.state, subject.build)
        less = {row.name for row in plan.rows if row.name in hung and jobs.has_less(row, choice.accel)}
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
        return tests if again.status is SuiteStatus.FAILED else in_full(tests, again, there, names)

    def _confirmed(self, subject: Subject, plan: Plan, tests: StateTests, before: Before) -> StateTests:
        """`tests` after those that got worse were run again, until they are not worse or have had their runs."""
        base, names = _of_suite(before.base(), tests.suite), _names(plan)
        if base is None or not doubtful(tests, base, names):
            return tests
        previous, known = _of_suite(before.previous(), tests.suite), set[str]()
        if previous is not None:
            tests, sure = proven_before(tests, base, previous, names)
            names -= sure
            known |= set(doubtful(previous, base, names))
        took = {result.test: result.seconds for result in base.results if not result.case}
        count = Counter(result.test for result in tests.results if not result.case and not not_begun(result))
        for runs in range(2, _ROUNDS + 2) if self.runs > 1 else ():
            suspects = to_repeat(tests, base, names, times=count, most=self.runs, known=known)
            if not suspects:
                break
            choice = self.choose(subject.state, subject.build)
            again_too = {*suspects, *_left_behind(tests, plan, suspects)}
            rows = tuple(
                jobs.again(row, took.get(row.name, 0.0), choice.accel) for row in plan.rows if row.name in again_too
            )
            repeat = replace(plan, rows=rows, digest=f"{plan.digest} run {runs}")
            self.progress(f"running again what got worse after patch {subject.state.patch}: {', '.join(suspects)}")
            (again,) = run.test_state(subject, [repeat], choice, progress=self.progress)
            if again.status is SuiteStatus.FAILED:
                break
            count.update(suspects)
            tests = settled(tests, again, base, {name: count[name] for name in suspects}, previous)
            if tests.status is SuiteStatus.INFRA:
                break
        return tests

    def _not_by_chance(self, tests: StateTests, before: Before) -> StateTests:
        """`tests` after what seems to be mended was run on the base once more: what passes there, too, says so."""
        base = _of_suite(before.base(), tests.suite) if self.runs > 1 else None
        if base is None or self._base is None:
            return tests
        plan = self._plan(*self._base, tests.suite)
        mended = seems_mended(tests, base, _names(plan))
        with self._asking:
            names = [name for name in mended if (tests.suite, name) not in self._again]
            self._again |= {(tests.suite, name): cases for name, cases in self._of_base(plan, names).items()}
        passed = {(name, case) for name in mended for case in self._again[tests.suite, name]}
        return not_mended(tests, base, passed)

    def _of_base(self, plan: Plan, names: Collection[str]) -> dict[str, frozenset[str]]:
        """The cases of each of the tests called `names` that pass on the base in another run ("": all of the test)."""
        assert self._base is not None
        if not names:
            return {}
        self.progress(f"running again on the base what seems to be mended: {', '.join(names)}")
        rows = tuple(row for row in plan.rows if row.name in names)
        rest = replace(plan, rows=rows, digest=f"{plan.digest} again")
        (again,) = run.test_state(self._subject(*self._base), [rest], self.choose(*self._base), progress=self.progress)
        passed = [one for one in again.results if one.verdict is Verdict.PASS]
        return {name: frozenset(one.case for one in passed if one.test == name) for name in names}

    def _subject(self, state: State, build: StateBuild) -> Subject:
        return Subject(self.workspace, self.tree, state, build, self.arch)

    def _plan(self, state: State, build: StateBuild, suite: str) -> Plan:
        key = (state.commit, suite)
        if key not in self._plans:
            self._plans[key] = run.plan_suite(self._subject(state, build), suite, self.options, self.progress)
        return self._plans[key]


def guests_at_once(wanted: int | None) -> int:
    """How many guests to run: `wanted`, or as many as there are processors for; no more than there is memory for.

    A guest whose processors wait for one another needs them all at a time: two guests that share them are no faster
    than one after the other, and their tests take longer.
    """
    free, _ = limits.memory()
    carried = max(1, process.processors() // run.GUEST_CPUS)
    return min(wanted or carried, max(1, (free >> 20) // run.GUEST_MEMORY))


def default_suites(workspace: Workspace) -> tuple[str, ...]:
    """What is run where no suite is named: kpt's own, the tree's, and every one the user added."""
    return (*catalogue.BUILT_IN, *(suite.name for suite in catalogue.added(workspace)))


def test_request(workspace: Workspace, request: Request, progress: Progress = silent) -> Tested:
    """Build and test what was asked for, the base always with it.

    Raises InputError for names that mean nothing, MachineError when this machine cannot do it.
    """
    tree, states, patches, whole = _states(workspace, request)
    suites = tuple(dict.fromkeys(request.suites)) or default_suites(workspace)
    _check(workspace, request, tree, suites, progress)
    with Store(workspace) as store:
        tester = Tester(workspace, tree, store, request.arch, request.options, fresh=request.fresh, progress=progress)
        tester.about(*whole, suites)
        testing = _Testing(tester, suites, guests_at_once(request.jobs), request.fragments)
        found, builds = testing.run(states)
    choice = tester.choice
    if choice is None:
        return Tested(found, "", "")
    return Tested(found, choice.accel, choice.why, out_of_reach(builds, run.never_loaded(choice.accel), patches))


@dataclass(frozen=True, slots=True)
class _Testing:
    """The states of a request in turn: one is built while others are tested, `guests` of them at once."""

    tester: Tester
    suites: tuple[str, ...]
    guests: int
    fragments: tuple[Path, ...] = ()

    def run(self, states: Sequence[State]) -> tuple[tuple[StateTests, ...], list[StateBuild]]:
        """The results of all `states`, base first, one a suite each; and their builds."""
        self.tester.progress("")
        builds = []
        with Threads(self.guests) as pool, closing(ahead(self._ready, states)) as built:
            turns, parts = Turns(pool), []
            for state, build in built:
                builds.append(build)
                parts.append(self._begin(state, build, turns))
            return tuple(tests for part in parts for tests in part()), builds

    def _ready(self, state: State) -> tuple[State, StateBuild]:
        with told(self.tester.progress):
            return self._built(state)

    def _built(self, state: State) -> tuple[State, StateBuild]:
        tester = self.tester
        build = build_for(tester, state, self.fragments)
        if build.status is BuildStatus.OK:
            for suite in self.suites:
                tester.prepare(state, build, suite)
        return state, build

    def _begin(self, state: State, build: StateBuild, turns: Turns) -> Callable[[], list[StateTests]]:
        """Have the state tested as far as it differs from those before; a function that waits for the results."""
        if build.status is not BuildStatus.OK:
            status = SuiteStatus.INFRA if build.status is BuildStatus.INFRA else SuiteStatus.FAILED
            return lambda: [_untested(state, suite, status, build) for suite in self.suites]
        prints = {suite: self.tester.fingerprint(state, build, suite) for suite in self.suites}
        turn = turns.begin(state.patch, prints, partial(self._tested, state, build))
        self.tester.speaks_for(state, build, turn.inherits)
        return lambda: [turn.result(suite) for suite in self.suites]

    def _tested(
        self, state: State, build: StateBuild, suites: tuple[str, ...], before: Before
    ) -> tuple[StateTests, ...]:
        with told(self.tester.progress):
            return self.tester.test(state, build, suites, before)


def _check(workspace: Workspace, request: Request, tree: Tree, suites: Sequence[str], progress: Progress) -> None:
    """Find out what is wrong with the request before a kernel is built for it."""
    archs.load(request.arch)
    if request.options.accel is not None:
        accel.check(request.options.accel)
    if tree.skeleton:
        what = "is made of the series' own lines: there is nothing to boot"
        raise InputError(what, where=f"tree {tree.name}", todo="`kpt tree add debian-6.1` brings a kernel")
    doctor.require("test")
    for suite in suites:
        catalogue.get(workspace, suite, progress)
        variants.of_suite(suite, request.options.variants)


def _states(workspace: Workspace, request: Request) -> tuple[Tree, tuple[State, ...], list[int], tuple[State, State]]:
    """The tree, the states to test, base first, the numbers of the patches that are applied, and the first and the last
    of all states."""
    if bool(request.patches) + request.each + request.base > 1:
        raise InputError("--patch, --each and --base exclude one another", todo="give one of them")
    catalogue_ = Catalogue(workspace)
    if request.base and request.series is None:
        tree = catalogue_.resolve(request.tree)
        base = base_state(tree)
        return tree, (base,), [], (base, base)
    applied = load_applied(workspace, request.series, tree=request.tree)
    tree = catalogue_.get(applied.tree)
    base, *later = applied.states
    whole = base, applied.head
    numbers = [state.patch for state in later]
    if request.base:
        return tree, (base,), numbers, whole
    if request.each:
        return tree, (base, *later), numbers, whole
    if not request.patches:
        return tree, (base, *later[-1:]), numbers, whole
    for number in request.patches:
        if applied.state(number) is None:
            there = ", ".join(str(state.patch) for state in applied.states)
            raise InputError(
                f"no state after patch {number}", where=applied.series, todo=f"there are {there} (0: the base)"
            )
    return tree, (base, *(state for state in later if state.patch in request.patches)), numbers, whole


def _left_behind(tests: StateTests, plan: Plan, suspects: Collection[str]) -> list[str]:
    """The tests in variants before that of a suspect whose modules could not be loaded because theirs would not go:
    alone it would find nothing in its way."""
    blocked = {one.test for one in tests.results if one.test in suspects and one.cause is Cause.LEFT_BEHIND}
    ways = list(dict.fromkeys(row.variant.name for row in plan.rows))
    last = max((ways.index(row.variant.name) for row in plan.rows if row.name in blocked), default=0)
    return [row.name for row in plan.rows if row.variant.name in ways[:last]]


def _untested(state: State, suite: str, status: SuiteStatus, build: StateBuild) -> StateTests:
    return StateTests(state.patch, suite, status, 0.0, (), f"it was not built: {build.why}")


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
