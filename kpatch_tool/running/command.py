"""`kpt run` as a whole: names in; the record of the run and its reports out. Gives the pipeline the real rooms."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from kpatch_tool import doctor
from kpatch_tool.depend.model import Dependencies
from kpatch_tool.errors import InputError, MachineError
from kpatch_tool.kbuild import arch as archs
from kpatch_tool.kbuild.compiled import not_compiled
from kpatch_tool.kbuild.model import StateBuild, Uncompiled
from kpatch_tool.kbuild.plan import make_plan
from kpatch_tool.progress import Progress, told
from kpatch_tool.report import reports
from kpatch_tool.results.record import RunRecord
from kpatch_tool.results.repeats import Before
from kpatch_tool.results.store import Store
from kpatch_tool.running import pipeline
from kpatch_tool.running.pipeline import Which
from kpatch_tool.series.directory import store as series_store
from kpatch_tool.series.model import Series
from kpatch_tool.series.restoring.restore import needs_restoring
from kpatch_tool.suites import catalogue
from kpatch_tool.suites.model import StateTests
from kpatch_tool.system import atomic
from kpatch_tool.testing.command import default_suites, guests_at_once
from kpatch_tool.testing.tester import Tester, build_for
from kpatch_tool.tree.applied import load_applied
from kpatch_tool.tree.apply import apply_series
from kpatch_tool.tree.catalogue import Catalogue
from kpatch_tool.tree.command import stood_in
from kpatch_tool.tree.doubts import doubted
from kpatch_tool.tree.model import ApplyOutcome, State, Tree
from kpatch_tool.tree.needs import dependencies_on
from kpatch_tool.tree.restoring import better_against
from kpatch_tool.vm.host import never_loaded
from kpatch_tool.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Request:
    """What the user asked for: a series by name or directory, and where None or empty the usual tree and suites.
    `fragments` are files of configuration to build the states with."""

    series: str
    tree: str | None = None
    arch: str = "x86_64"
    suites: tuple[str, ...] = ()
    which: Which = Which.CHANGED
    fragments: tuple[Path, ...] = ()
    jobs: int | None = None  # guests at once; as many as this machine carries where None


@dataclass(frozen=True, slots=True)
class RunOutcome:
    """The record, and the report files made of it."""

    record: RunRecord
    reports: tuple[Path, ...]


class Watcher(pipeline.Watcher, Protocol):
    """Sees a run go by, and what goes on inside a stage."""

    def progress(self, what: str, done: int = 0, total: int = 0) -> None: ...


def which(each: bool, head: bool) -> Which:
    """The states to test, from the options of the command line. Raises InputError for both."""
    if each and head:
        raise InputError("--each and --head exclude each other", todo="give one of them")
    return Which.EACH if each else Which.HEAD if head else Which.CHANGED


def run_series(workspace: Workspace, request: Request, watcher: Watcher) -> RunOutcome:
    """Run every stage for a series, keep the record, write the reports to .kpt/reports/SERIES/.

    Raises InputError for names that mean nothing and for a series that cannot be applied at all; MachineError when a
    tool is missing. What else goes wrong is in the record.
    """
    directory = series_store.find(workspace, request.series)
    series = series_store.load(directory)
    tree = Catalogue(workspace).resolve(request.tree, series, skeleton=True)
    doctor.require("apply" if tree.skeleton else "run")
    suites = request.suites or default_suites(workspace)
    for suite in suites:
        catalogue.get(workspace, suite, watcher.progress)
    with Store(workspace, note=watcher.progress) as store:
        tester = Tester(workspace, tree, store, request.arch, progress=watcher.progress)
        rooms = Rooms(
            workspace,
            directory,
            tree,
            request.arch,
            suites,
            tester,
            guests_at_once(request.jobs),
            watcher.progress,
            request.fragments,
            () if tree.skeleton else make_plan(tree, archs.load(request.arch), request.fragments).added,
            stood_in(tree, request.tree, series.tree),
        )
        record = pipeline.run(series, rooms, watcher, which=request.which)
        return _kept(workspace, record, store, watcher.progress)


def _kept(workspace: Workspace, record: RunRecord, store: Store, progress: Progress) -> RunOutcome:
    """Keep the record; a full disk at this point must not cost the user the answer."""
    try:
        store.record_run(record)
        return RunOutcome(record, reports.write_all(workspace, record, workspace.state / "reports" / record.series))
    except MachineError as error:
        progress(f"no report was kept: {error.line()}")
        return RunOutcome(record, ())


@dataclass(frozen=True, slots=True)
class Rooms:
    """pipeline.Steps, done by the rooms, for the series in `directory` on `kernel`."""

    workspace: Workspace
    directory: Path
    kernel: Tree
    arch: str
    suites: tuple[str, ...]
    tester: Tester
    guests: int
    progress: Progress
    fragments: tuple[Path, ...] = ()
    config: tuple[str, ...] = ()
    lacking: str = ""

    @property
    def tree(self) -> str:
        return self.kernel.name

    @property
    def base(self) -> str:
        return self.kernel.base

    @property
    def accelerator(self) -> str:
        choice = self.tester.choice
        return "" if choice is None else choice.accel

    @property
    def never_loaded(self) -> frozenset[str]:
        return never_loaded(self.accelerator)

    @property
    def unbuildable(self) -> str:
        return f"{self.kernel.name} is made of the series' own lines" if self.kernel.skeleton else ""

    def restore(self, series: Series) -> Series:
        if self.kernel.skeleton:
            return series
        with self._room():
            if not needs_restoring(series):
                planned = apply_series(self.workspace, self.kernel, series, check=True)
                if not doubted(self.kernel, series, planned):
                    return series
            self.progress(f"restoring against {self.kernel.name}")
            restored = better_against(self.kernel, series, self.directory, Catalogue(self.workspace).here())
            if restored is not series:
                series_store.save_patches(self.directory, restored)
        return restored

    def dependencies(self, series: Series) -> Dependencies:
        with self._room():
            return dependencies_on(self.kernel, series, self.workspace)

    def apply(self, series: Series) -> ApplyOutcome:
        with self._room():
            self.progress(f"applying to {self.kernel.name}")
            return apply_series(self.workspace, self.kernel, series)

    def states(self) -> tuple[State, ...]:
        with self._room():
            applied = load_applied(self.workspace, self.directory.name, tree=self.kernel.name)
            self.tester.about(applied.states[0], applied.head, self.suites)
            return applied.states

    def build(self, state: State) -> StateBuild:
        with self._room():
            return build_for(self.tester, state, self.fragments)

    def not_compiled(self, states: Sequence[State], builds: Sequence[StateBuild]) -> tuple[Uncompiled, ...]:
        with self._room():
            return not_compiled(self.workspace, self.kernel, self.arch, states, builds, fragments=self.fragments)

    def fingerprint(self, state: State, build: StateBuild, suite: str) -> str:
        with self._room():
            return self.tester.fingerprint(state, build, suite)

    def test(self, state: State, build: StateBuild, suites: tuple[str, ...], before: Before) -> tuple[StateTests, ...]:
        with self._room():
            return self.tester.test(state, build, suites, before)

    def reconsidered(self, found: Sequence[StateTests]) -> tuple[StateTests, ...]:
        with self._room():
            return self.tester.reconsidered(found)

    def speaks_for(self, state: State, build: StateBuild, suites: tuple[str, ...]) -> None:
        with self._room():
            self.tester.speaks_for(state, build, suites)

    @contextlib.contextmanager
    def _room(self) -> Iterator[None]:
        """A full disk, wherever a room meets it, is this machine's fault: it ends the stage, not the run."""
        with told(self.progress), atomic.machine_errors(self.workspace.state):
            yield
