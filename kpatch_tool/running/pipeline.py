"""What `kpt run` does: restore, deps, apply, build, test, each for every patch; what is built is tested while the next
is being built.

A stage that fails for one patch goes on with the next; a stage that this machine cannot do leaves the later ones to do
what they can without it. The stages themselves are the rooms'; this file only decides their order, which states are
built and tested, and what goes into the record.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from enum import StrEnum
from functools import partial
from typing import Protocol

from kpatch_tool.depend.model import Dependencies
from kpatch_tool.errors import KptError, MachineError
from kpatch_tool.kbuild.later import explained
from kpatch_tool.kbuild.model import BuildStatus, StateBuild, Uncompiled
from kpatch_tool.results.answer import answer
from kpatch_tool.results.record import (
    NO_DEPENDENCIES,
    Cell,
    Outcome,
    PatchRecord,
    RunRecord,
    Stage,
)
from kpatch_tool.results.repeats import Before
from kpatch_tool.running.cells import build_cell, needs_cell, patch_records, tests_cell, untested
from kpatch_tool.series.model import Exactness, Patch, Series
from kpatch_tool.suites.model import StateTests
from kpatch_tool.system.parallel import Threads, ahead
from kpatch_tool.testing.turns import Turn, Turns
from kpatch_tool.text import state_name
from kpatch_tool.tree.model import ApplyOutcome, ApplyStatus, State


class Which(StrEnum):
    """Which states are tested. All of them are built."""

    CHANGED = "changed"  # the base, and every state whose kernel, modules or suite differ from those tested before
    HEAD = "head"  # the base and the last state
    EACH = "each"  # every state, even where nothing changed


class Steps(Protocol):
    """What a run needs of the other rooms. Every method may raise KptError."""

    @property
    def tree(self) -> str:
        """The name of the kernel tree."""

    @property
    def base(self) -> str:
        """The commit of its base."""

    @property
    def arch(self) -> str:
        """The architecture that is built for."""

    @property
    def config(self) -> tuple[str, ...]:
        """The lines of configuration that were asked for besides kpt's own."""

    @property
    def suites(self) -> tuple[str, ...]:
        """The suites to run, in order."""

    @property
    def guests(self) -> int:
        """How many states to test at once."""

    @property
    def accelerator(self) -> str:
        """What the guests ran with; empty before the first."""

    @property
    def never_loaded(self) -> frozenset[str]:
        """The file names of modules that no guest loads on this machine."""

    @property
    def unbuildable(self) -> str:
        """Why the tree cannot be built ("it is made of the series' own lines"), empty where it can."""

    @property
    def lacking(self) -> str:
        """Which tree was wanted and is not here, so that one that cannot be built stands in; empty elsewhere."""

    def restore(self, series: Series) -> Series:
        """The series with its white space back, as far as the tree can tell; the same where nothing is to be done."""

    def dependencies(self, series: Series) -> Dependencies:
        """Which patch needs which, and what from outside."""

    def apply(self, series: Series) -> ApplyOutcome:
        """The series put on the tree, or where it does not fit. Raises InputError where it is not to be tried."""

    def states(self) -> tuple[State, ...]:
        """The states that applying left, base first."""

    def build(self, state: State) -> StateBuild:
        """The state built, or as it was built before. A failure is in what is returned."""

    def not_compiled(self, states: Sequence[State], builds: Sequence[StateBuild]) -> tuple[Uncompiled, ...]:
        """The source files that each patch changes and its build left out."""

    def fingerprint(self, state: State, build: StateBuild, suite: str) -> str:
        """Equal for two states exactly when the suite runs the same programs on the same kernel and modules."""

    def test(self, state: State, build: StateBuild, suites: tuple[str, ...], before: Before) -> tuple[StateTests, ...]:
        """What each of `suites` said of the state (one boot), in their order. `before` has the results of the states
        before. Several states are tested at once, by threads."""

    def reconsidered(self, found: Sequence[StateTests]) -> tuple[StateTests, ...]:
        """`found`, all that was tested, beside what further runs of the base have shown of it; the same where there
        were none."""

    def speaks_for(self, state: State, build: StateBuild, suites: tuple[str, ...]) -> None:
        """Note that what `suites` said of an earlier state is true of this one, too."""


class Watcher(Protocol):
    """Sees a run go by (report.live has one for a terminal and one for a log)."""

    def patches(self, patches: Sequence[PatchRecord]) -> None:
        """The patches as now known; again after they were restored."""

    def cell(self, cell: Cell) -> None:
        """A stage began (outcome "running") or ended for a patch."""


def run(series: Series, steps: Steps, watcher: Watcher, *, which: Which = Which.CHANGED) -> RunRecord:
    """Do it all and return the record.

    Raises InputError when the series cannot be applied at all for what the user gave (a damaged patch); conflicts,
    failed builds and regressions are in the record, and so is what this machine could not do.
    """
    return _Run(series, steps, watcher, which).record()


@dataclass(frozen=True, slots=True)
class _Built:
    """A state that was built, and for each suite what it would run on it; or why that is not known."""

    state: State
    build: StateBuild
    prints: Mapping[str, str] = field(default_factory=dict)
    trouble: MachineError | None = None


@dataclass(slots=True)
class _Run:
    series: Series
    steps: Steps
    watcher: Watcher
    which: Which
    cells: dict[tuple[int, Stage], Cell] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    needs: Dependencies = NO_DEPENDENCIES
    applied: ApplyOutcome | None = None
    builds: list[StateBuild] = field(default_factory=list)
    tests: list[StateTests] = field(default_factory=list)
    uncompiled: tuple[Uncompiled, ...] = ()
    _unbuildable: MachineError | None = None
    _untestable: MachineError | None = None

    def record(self) -> RunRecord:
        started, clock = datetime.now(UTC), time.monotonic()
        self.watcher.patches(patch_records(self.series))
        if self.steps.lacking:
            self.problems.append(self.steps.lacking)
        self._restore()
        self._dependencies()
        self._apply()
        if self.applied is not None and not self.applied.conflicts and not self.steps.unbuildable:
            self._build_and_test()
        self._blank_cells()
        return RunRecord(
            series=self.series.name,
            title=self.series.title,
            revision=self.series.revision,
            tree=self.steps.tree,
            base=self.steps.base,
            arch=self.steps.arch,
            config=self.steps.config,
            started=started,
            seconds=time.monotonic() - clock,
            patches=patch_records(self.series),
            cells=tuple(self.cells.values()),
            sentence=self._sentence(),
            dependencies=self.needs,
            applied=self.applied,
            builds=tuple(self.builds),
            tests=tuple(self.tests),
            problems=tuple(self.problems),
            accelerator=self.steps.accelerator,
            never_loaded=self.steps.never_loaded,
            uncompiled=self.uncompiled,
        )

    def _sentence(self) -> str:
        said = answer(
            self.series.name,
            self.steps.tree,
            self.applied,
            self.builds,
            self.tests,
            never_loaded=self.steps.never_loaded,
            uncompiled=self.uncompiled,
        )
        if self.applied is None or self.applied.conflicts or not self.steps.unbuildable:
            return said
        return f"{said.removesuffix('.')}; nothing was built: {self.steps.unbuildable}."

    # The stages

    def _restore(self) -> None:
        self._running(Stage.RESTORE)
        try:
            self.series = self.steps.restore(self.series)
        except KptError as error:
            self._cannot(Stage.RESTORE, error)
            return
        self.watcher.patches(patch_records(self.series))
        for patch in self.series.patches:
            damaged = patch.exactness is Exactness.DAMAGED
            outcome = Outcome.FINDING if damaged else Outcome.WELL
            self._cell(patch.number, Stage.RESTORE, outcome, str(patch.exactness), patch.why)

    def _dependencies(self) -> None:
        self._running(Stage.DEPS)
        try:
            self.needs = self.steps.dependencies(self.series)
        except KptError as error:
            self._cannot(Stage.DEPS, error)
            return
        for patch in self.series.patches:
            self._put(needs_cell(patch, self.needs))

    def _apply(self) -> None:
        self._running(Stage.APPLY)
        try:
            self.applied = self.steps.apply(self.series)
        except MachineError as error:
            self._cannot(Stage.APPLY, error)
            return
        outcomes = {ApplyStatus.CONFLICT: Outcome.FINDING, ApplyStatus.SKIPPED: Outcome.SKIPPED}
        for patch in self.applied.patches:
            outcome = outcomes.get(patch.status, Outcome.FINDING if patch.hidden else Outcome.WELL)
            why = "; ".join((patch.why, *patch.hidden))
            self._cell(patch.number, Stage.APPLY, outcome, str(patch.status), why)

    def _build_and_test(self) -> None:
        """One state is built while others are tested; what a suite said of one counts for every other that runs the
        very same programs."""
        try:
            states = self.steps.states()
        except MachineError as error:
            self._cannot(Stage.BUILD, error)
            return
        waiting: deque[tuple[int, Turn | MachineError]] = deque()
        with Threads(self.steps.guests) as pool, closing(self._build(states)) as built:
            turns = Turns(pool)
            for one in map(self._printed, _wanted(built, self.which)):
                waiting.append((one.state.patch, self._begin(one, turns)))
                while waiting and (isinstance(turn := waiting[0][1], MachineError) or turn.is_over):
                    self._finish(*waiting.popleft())
            for begun in waiting:
                self._finish(*begun)
        self._reconsider()
        with suppress(MachineError):  # it is in the problems already
            self.uncompiled = self.steps.not_compiled(states, self.builds)

    def _build(self, states: Sequence[State]) -> Generator[_Built, None, None]:
        """Build every state; those that can be booted, each as soon as it is there."""
        with closing(ahead(self._ready, states)) as ready:
            try:
                yield from (one for one in ready if one.build.status is BuildStatus.OK)
                return
            except MachineError as error:
                trouble = error
        self._cannot(Stage.BUILD, trouble, (state.patch for state in states[len(self.builds) :]))

    def _ready(self, state: State) -> _Built:
        """A state built, and its suites, too, where it is sure to be tested: they are built in the same checkout."""
        if self._unbuildable is not None:
            raise self._unbuildable
        self._cell(state.patch, Stage.BUILD, Outcome.RUNNING, "...")
        try:
            build = explained(self.steps.build(state), self.needs.edges)
        except MachineError as error:  # whatever it is, the next state would meet it too
            self._unbuildable = error
            raise
        self.builds.append(build)
        self._put(build_cell(build, self.builds[0]))
        if build.status is BuildStatus.INFRA:
            self.problems.append(f"{state_name(state.patch)} could not be built: {build.why}")
        one = _Built(state, build)
        sure = self.which is not Which.HEAD or state.patch == 0
        return self._printed(one) if sure and build.status is BuildStatus.OK else one

    def _printed(self, one: _Built) -> _Built:
        if one.prints or one.trouble:
            return one
        try:
            prints = {suite: self.steps.fingerprint(one.state, one.build, suite) for suite in self.steps.suites}
        except MachineError as error:
            return replace(one, trouble=error)
        return replace(one, prints=prints)

    def _begin(self, one: _Built, turns: Turns) -> Turn | MachineError:
        """Have a state tested as far as it differs from those before; or why this machine cannot."""
        trouble = one.trouble or self._untestable
        if trouble is not None:
            return trouble
        always = self.which is Which.EACH
        turn = turns.begin(one.state.patch, one.prints, partial(self._tested, one), always=always)
        with suppress(MachineError):  # for `kpt results` alone; whoever tests meets the trouble, too
            self.steps.speaks_for(one.state, one.build, turn.inherits)
        return turn

    def _tested(self, one: _Built, suites: tuple[str, ...], before: Before) -> tuple[StateTests, ...]:
        self._cell(one.state.patch, Stage.TEST, Outcome.RUNNING, "...")
        return self.steps.test(one.state, one.build, suites, before)

    def _finish(self, patch: int, turn: Turn | MachineError) -> None:
        """Wait for the results of a state and note them."""
        if isinstance(turn, MachineError):
            self._cannot_test(patch, turn)
            return
        try:
            now = self._results(turn)
        except MachineError as error:
            self._cannot_test(patch, error)
            return
        self.tests += now
        self._put_tests(patch, now)

    def _put_tests(self, patch: int, now: Sequence[StateTests]) -> None:
        told = untested(patch, now, self.tests)
        self.problems += [one for one in told if one not in self.problems]
        same = [tests.same_as for tests in now if tests.same_as is not None]
        self._put(tests_cell(patch, now, self.tests, same_as=max(same) if len(same) == len(now) else None))

    def _reconsider(self) -> None:
        """Take what the states come to beside the base as all its runs show it."""
        try:
            anew = self.steps.reconsidered(self.tests)
        except MachineError as error:
            self.problems.append(f"{Stage.TEST}: {error.line()}")
            return
        if [*anew] == self.tests:
            return
        self.tests = [*anew]
        for patch in dict.fromkeys(tests.patch for tests in self.tests):
            self._put_tests(patch, [tests for tests in self.tests if tests.patch == patch])

    def _results(self, turn: Turn) -> list[StateTests]:
        if self._untestable is not None and not turn.is_over:  # what another state found out at the same time counts
            raise self._untestable
        return [turn.result(suite) for suite in turn.runs]

    def _cannot_test(self, patch: int, trouble: MachineError) -> None:
        if self._untestable is None:
            self.problems.append(f"{Stage.TEST}: {trouble.line()}")
        self._untestable = self._untestable or trouble
        self._cell(patch, Stage.TEST, Outcome.INFRA, "cannot", trouble.line())

    # Cells

    def _put(self, cell: Cell) -> None:
        self.cells[cell.patch, cell.stage] = cell
        self.watcher.cell(cell)

    def _cell(self, patch: int, stage: Stage, outcome: Outcome, text: str, why: str = "") -> None:
        self._put(Cell(patch, stage, outcome, text, why))

    def _running(self, stage: Stage) -> None:
        for patch in self.series.patches:
            self._cell(patch.number, stage, Outcome.RUNNING, "...")

    def _cannot(self, stage: Stage, error: KptError, patches: Iterable[int] | None = None) -> None:
        self.problems.append(f"{stage}: {error.line()}")
        for number in (patch.number for patch in self.series.patches) if patches is None else patches:
            self._cell(number, stage, Outcome.INFRA, "cannot", error.line())

    def _blank_cells(self) -> None:
        """Give every patch that a stage left out a cell that says why."""
        for patch in self.series.patches:
            for stage in Stage:
                if (patch.number, stage) not in self.cells:
                    self._cell(patch.number, stage, Outcome.SKIPPED, "-", self._why_left_out(patch, stage))

    def _why_left_out(self, patch: Patch, stage: Stage) -> str:
        if self.applied is None:
            return "the series was not applied"
        if self.applied.conflicts:
            return "the series does not apply"
        if self.steps.unbuildable:
            return self.steps.unbuildable
        if not any(row.number == patch.number and row.commit for row in self.applied.patches):
            return "it made no commit, so there is no state of its own"
        return "not asked for" if self._was_built(patch.number) else "not built"

    def _was_built(self, patch: int) -> bool:
        return any(build.patch == patch and build.status is BuildStatus.OK for build in self.builds)


def _wanted(built: Iterable[_Built], which: Which) -> Iterator[_Built]:
    """Those to test, each as soon as that is sure."""
    last = None
    for one in built:
        if which is not Which.HEAD or one.state.patch == 0:
            yield one
        else:
            last = one
    if last is not None:
        yield last
