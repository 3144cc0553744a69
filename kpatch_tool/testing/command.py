"""`kpt test` as a whole: names in; states built, booted and tested, or remembered; results beside the base's out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from kpatch_tool import doctor
from kpatch_tool.errors import InputError, MachineError
from kpatch_tool.kbuild import arch as archs
from kpatch_tool.kbuild.model import BuildStatus, StateBuild
from kpatch_tool.progress import Progress, silent, told
from kpatch_tool.results.answer import out_of_reach
from kpatch_tool.results.deltas import Delta, compare, is_finding, lost_to_emulator, previous_tested
from kpatch_tool.results.repeats import (
    Before,
)
from kpatch_tool.results.store import Store
from kpatch_tool.suites import catalogue, named, run, variants
from kpatch_tool.suites.model import StateTests, SuiteStatus
from kpatch_tool.suites.run import Options
from kpatch_tool.system import limits, process
from kpatch_tool.system.parallel import Threads, ahead
from kpatch_tool.testing.tester import Tester, build_for
from kpatch_tool.testing.turns import Turns
from kpatch_tool.tree.applied import base_state, load_applied
from kpatch_tool.tree.catalogue import Catalogue
from kpatch_tool.tree.model import State, Tree
from kpatch_tool.vm import accel, host
from kpatch_tool.workspace import Workspace


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
        """Whether any state is worse than the base (its kernel's complaints are tests, too), or cannot be tested, and
        not only as the base cannot."""
        return any(is_finding(self.states, tests) for tests in self.states)

    @property
    def untested(self) -> bool:
        """Whether this machine failed at any of it."""
        return any(tests.status is SuiteStatus.INFRA or self._lost(tests) for tests in self.states)

    def _lost(self, tests: StateTests) -> list[str]:
        base = self.base_of(tests)
        return [] if base is None else lost_to_emulator(tests, base)


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
    options = request.options
    if options.tests:
        known = named.tests_of(workspace, tree, states, suites, request.arch, progress=progress)
        options = replace(options, tests=named.chosen(options.tests, known))
    with Store(workspace) as store:
        tester = Tester(workspace, tree, store, request.arch, options, fresh=request.fresh, progress=progress)
        tester.about(*whole, suites)
        testing = _Testing(tester, suites, guests_at_once(request.jobs), request.fragments)
        found, builds = testing.run(states)
    choice = tester.choice
    if choice is None:
        return Tested(found, "", "")
    return Tested(found, choice.accel, choice.why, out_of_reach(builds, host.never_loaded(choice.accel), patches))


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
            found = [tests for part in parts for tests in part()]
        return self.tester.reconsidered(found), builds

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
        with suppress(MachineError):  # for `kpt results` alone
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


def _untested(state: State, suite: str, status: SuiteStatus, build: StateBuild) -> StateTests:
    return StateTests(state.patch, suite, status, 0.0, (), f"it was not built: {build.why}")
