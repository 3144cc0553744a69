"""The record of one `kpt run`: what every stage said of every patch. Reports are made of nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from kpatch_tool import errors
from kpatch_tool.depend.model import Dependencies
from kpatch_tool.kbuild.model import Diagnostic, StateBuild, Uncompiled, new_warnings
from kpatch_tool.results.deltas import Delta, comparable, compare, previous_tested, since
from kpatch_tool.series.model import Exactness
from kpatch_tool.suites.model import StateTests
from kpatch_tool.tree.model import ApplyOutcome

NO_DEPENDENCIES = Dependencies(edges=(), order=(), external=())


class Stage(StrEnum):
    """The columns of the table of a run, in order."""

    RESTORE = "restore"
    DEPS = "deps"
    APPLY = "apply"
    BUILD = "build"
    TEST = "test"


class Outcome(StrEnum):
    """What a stage said of a patch."""

    RUNNING = "running"
    WELL = "ok"
    FINDING = "finding"
    INFRA = "infra"  # this machine's fault
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell of the table. `patch` is 0 for the base; `text` is a word or two, `why` a sentence."""

    patch: int
    stage: Stage
    outcome: Outcome
    text: str
    why: str = ""


@dataclass(frozen=True, slots=True)
class PatchRecord:
    """What a report says of a patch itself; `author` is "Name <email>" or the name alone."""

    number: int
    subject: str
    author: str
    exactness: Exactness
    why: str
    ambiguous: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RunRecord:
    """One run. `started` has a time zone; `seconds` is the time of the whole run; `accelerator` is empty when nothing
    was tested. `never_loaded` are the file names of modules that no guest loads on this machine, `uncompiled` the
    source files that no build here compiles. `config` are the lines of configuration that were asked for besides kpt's
    own.

    `builds` and `tests` go over the states, base first; a suite's StateTests of a state that was not run again carries
    the earlier results, `cached`, with the reason in `why`. `problems` are lines for the user (a stage that this
    machine could not do). `sentence` is the answer.
    """

    series: str
    title: str
    revision: int
    tree: str
    base: str
    arch: str
    started: datetime
    seconds: float
    patches: tuple[PatchRecord, ...]
    cells: tuple[Cell, ...]
    sentence: str
    dependencies: Dependencies = NO_DEPENDENCIES
    applied: ApplyOutcome | None = None
    builds: tuple[StateBuild, ...] = ()
    tests: tuple[StateTests, ...] = ()
    problems: tuple[str, ...] = ()
    accelerator: str = ""
    never_loaded: frozenset[str] = frozenset()
    uncompiled: tuple[Uncompiled, ...] = ()
    config: tuple[str, ...] = ()

    def cell(self, patch: int, stage: Stage) -> Cell | None:
        """The cell of a patch (0: the base) and stage."""
        return next((cell for cell in self.cells if (cell.patch, cell.stage) == (patch, stage)), None)

    def base_build(self) -> StateBuild | None:
        """The build of the base."""
        return next((build for build in self.builds if build.patch == 0), None)

    def base_tests(self, suite: str) -> StateTests | None:
        """The results of `suite` on the base."""
        return next((tests for tests in self.tests if tests.patch == 0 and tests.suite == suite), None)

    def new_warnings(self, build: StateBuild) -> tuple[Diagnostic, ...]:
        """The warnings of a build that the base does not have; none for the base itself."""
        return () if build.patch == 0 else new_warnings(build, self.base_build())

    def compared_with(self, tests: StateTests) -> StateTests | None:
        """The base's results that a state's are compared with; None for the base itself, and where this machine could
        not test one of the two."""
        base = None if tests.patch == 0 else self.base_tests(tests.suite)
        return base if base is not None and comparable(tests, base) else None

    def deltas(self, tests: StateTests) -> tuple[Delta, ...]:
        """A state's results against the base's of the same suite; none for the base itself."""
        base = self.compared_with(tests)
        return () if base is None else compare(tests, base)

    def suspects(self, tests: StateTests) -> tuple[int, ...]:
        """The patches that may have done what a state's tests show against those of the nearest state that was tested
        before: its own alone, unless states between were not tested."""
        previous = previous_tested(self.tests, tests)
        start = 0 if previous is None else previous.patch
        return self._behind(start, tests.patch)

    def suspects_of(self, deltas: Sequence[Delta], tests: StateTests) -> list[tuple[int, ...]]:
        """For each of `deltas`, those of a state's tests from the base, the patches that may have done it: those behind
        the last state that could have shown it and did not."""
        base = self.compared_with(tests)
        assert base is not None, "there are no deltas without it"
        return [self._behind(*dates) for dates in since(deltas, self.tests, tests, base)]

    def _behind(self, start: int, end: int) -> tuple[int, ...]:
        return (*(build.patch for build in self.builds if start < build.patch < end), end)

    @property
    def exit_status(self) -> int:
        """What `kpt run` ends with (errors.exit_status)."""
        outcomes = {cell.outcome for cell in self.cells}
        incomplete = Outcome.INFRA in outcomes or bool(self.problems)
        return errors.exit_status(findings=Outcome.FINDING in outcomes, incomplete=incomplete)
