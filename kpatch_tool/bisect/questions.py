"""What can be asked of a state: does it build, has it a new warning, is a case worse, what does a command say."""

from __future__ import annotations

import fnmatch
import hashlib
import json
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from kpatch_tool import process
from kpatch_tool.bisect.model import FLAKY, Answer, Observation, Rates
from kpatch_tool.errors import InputError, MachineError
from kpatch_tool.kbuild.build import build_state
from kpatch_tool.kbuild.model import BuildStatus, StateBuild, new_warnings
from kpatch_tool.progress import Progress, silent
from kpatch_tool.results.deltas import Change, compare
from kpatch_tool.suites.model import StateTests
from kpatch_tool.testing import Tester
from kpatch_tool.tree.model import State, Tree
from kpatch_tool.tree.worktree import worktree_of
from kpatch_tool.workspace import Workspace

_SKIP = 125  # git bisect run: this state cannot be asked
_LAST_ANSWER = 127  # statuses above are no answer
_NAMED = 3  # cases named in the evidence


class Question(Protocol):
    """Something to ask of any state. `identity` is equal for two questions that ask the same; `words` completes "the
    first patch after which ..."; `hint` says what else to try when no patch is found; `rates` is None where the answer
    is always right."""

    @property
    def identity(self) -> str: ...

    @property
    def words(self) -> str: ...

    @property
    def hint(self) -> str: ...

    @property
    def rates(self) -> Rates | None: ...

    def look(self, state: State, times: int) -> Observation:
        """Ask; `times` is how often `state` was asked before. Raises MachineError when this machine fails at it."""
        ...


@dataclass(slots=True)
class Builder:
    """Builds the states of one tree."""

    workspace: Workspace
    tree: Tree
    arch: str
    progress: Progress = silent

    def build(self, state: State) -> StateBuild:
        """The build of `state`. Raises MachineError where this machine cannot do it."""
        built = build_state(self.workspace, self.tree, state, self.arch, progress=self.progress)
        if built.status is BuildStatus.INFRA:
            raise MachineError(built.why, where=f"building patch {state.patch}", todo=f"see {built.log}")
        return built


@dataclass(slots=True)
class Builds:
    """Does it build?"""

    builder: Builder
    rates: Rates | None = None
    identity: str = "build"
    words: str = "it does not build"
    hint: str = "; `kpt build --each` builds every state"

    def look(self, state: State, times: int) -> Observation:
        built = self.builder.build(state)
        answer = Answer.GOOD if built.status is BuildStatus.OK else Answer.BAD
        first = next((f"{error.file}:{error.line}: {error.message}" for error in built.errors), built.why)
        why = "it builds" if answer is Answer.GOOD else first
        return Observation(state.patch, answer, built.seconds, built.cached, why, _modules(built))


@dataclass(slots=True)
class Warns:
    """Has it a warning that the base does not have? `pattern` is a glob on "file: message [option]"."""

    builder: Builder
    base: State
    pattern: str = "*"
    rates: Rates | None = None
    hint: str = "; `kpt build --each` shows the warnings of every state"

    @property
    def identity(self) -> str:
        return f"warning {self.pattern}"

    @property
    def words(self) -> str:
        return "there is a new warning" + ("" if self.pattern == "*" else f" like {self.pattern}")

    def look(self, state: State, times: int) -> Observation:
        built = self.builder.build(state)
        if built.status is not BuildStatus.OK:
            return Observation(state.patch, Answer.SKIP, built.seconds, built.cached, f"it does not build: {built.why}")
        base = self.builder.build(self.base)
        texts = [f"{one.file}: {one.message} [{one.option}]" for one in new_warnings(built, base)]
        found = [text for text in texts if fnmatch.fnmatchcase(text, self.pattern)]
        why = found[0] if found else "no such warning"
        return Observation(state.patch, Answer.BAD if found else Answer.GOOD, built.seconds, built.cached, why)


@dataclass(slots=True)
class Worse:
    """Is a case worse than on the base? Of `suites`, and of the tests and cases (globs) chosen.

    `tester` must neither repeat nor keep results: a search does its own repeating.
    """

    builder: Builder
    tester: Tester
    base: State
    suites: tuple[str, ...]
    case: str = "*"
    rates: Rates | None = FLAKY
    hint: str = "; `kpt test --each` tests every state"
    _reference: tuple[StateTests, ...] = ()

    @property
    def identity(self) -> str:
        options = self.tester.options
        return json.dumps(["tests", self.suites, options.tests, options.variants, options.timeout, self.case])

    @property
    def words(self) -> str:
        tests = " ".join(self.tester.options.tests)
        return f"{tests or ' '.join(self.suites)} is worse than on the base"

    def look(self, state: State, times: int) -> Observation:
        started = time.monotonic()
        built = self.builder.build(state)
        if built.status is not BuildStatus.OK:
            return Observation(state.patch, Answer.SKIP, built.seconds, built.cached, f"it does not build: {built.why}")
        if not self._reference:
            self.tester.fresh = False
            self._reference = self._run(self.base, self.builder.build(self.base))
        # What was the base's reference cannot be compared with itself: the base is looked at anew.
        self.tester.fresh = times > 0 or state.patch == self.base.patch
        found = self._run(state, built)
        programs = "".join(self.tester.fingerprint(state, built, suite) for suite in self.suites)
        answer, why = self._judged(found)
        cached = all(tests.cached for tests in found)
        fingerprint = hashlib.sha256(programs.encode()).hexdigest()
        return Observation(state.patch, answer, time.monotonic() - started, cached, why, fingerprint)

    def _run(self, state: State, built: StateBuild) -> tuple[StateTests, ...]:
        found = self.tester.test(state, built, self.suites)
        broken = next((tests for tests in found if tests.status == "infra"), None)
        if broken is not None:
            raise MachineError(broken.why, where=f"testing patch {state.patch}")
        return found

    def _judged(self, found: Sequence[StateTests]) -> tuple[Answer, str]:
        failed = next((tests for tests in found if tests.status == "failed"), None)
        if failed is not None:
            return Answer.BAD, failed.trace.splitlines()[0] if failed.trace else failed.why
        worse = [
            f"{delta.test}{f' {delta.case}' if delta.case else ''}: {delta.base}, now {delta.now}"
            for tests, base in zip(found, self._reference, strict=True)
            for delta in compare(tests, base)
            if delta.change is Change.WORSE and not delta.follows and fnmatch.fnmatchcase(delta.case, self.case)
        ]
        return (Answer.BAD, "; ".join(worse[:_NAMED])) if worse else (Answer.GOOD, "as on the base")


@dataclass(slots=True)
class Runs:
    """What does a command say? It runs in a checkout of the state, with KPT_PATCH, KPT_COMMIT and KPT_SOURCE set; and,
    with `builder`, once the state is built, with KPT_ARTIFACTS (the directory of bzImage and modules).

    Its exit status is read as git bisect run does (git-bisect(1)): 0 good, 125 skip, 1-127 bad; above that the search
    ends.
    """

    workspace: Workspace
    tree: Tree
    argv: tuple[str, ...]
    builder: Builder | None = None
    rates: Rates | None = FLAKY
    progress: Progress = silent
    hint: str = ""

    @property
    def identity(self) -> str:
        return json.dumps(["run", self.argv, self.builder is not None])

    @property
    def words(self) -> str:
        return f"`{' '.join(self.argv)}` fails"

    def look(self, state: State, times: int) -> Observation:
        built = None if self.builder is None else self.builder.build(state)
        if built is not None and built.status is not BuildStatus.OK:
            return Observation(state.patch, Answer.SKIP, built.seconds, built.cached, f"it does not build: {built.why}")
        done = self._run(state, built)
        if done.status < 0 or done.status > _LAST_ANSWER:
            what = f"the command ended with status {done.status}, which is no answer: {done.last_line()}"
            raise InputError(what, where=f"patch {state.patch}", todo="make it end with 0 (good), 1-127 (bad) or 125")
        answer = Answer.SKIP if done.status == _SKIP else Answer.BAD if done.status else Answer.GOOD
        said = done.last_line() if done.stdout.strip() or done.stderr.strip() else ""
        why = f"exit status {done.status}" + (f": {said}" if said else "")
        return Observation(state.patch, answer, done.seconds, False, why)

    def _run(self, state: State, built: StateBuild | None) -> process.Finished:
        source = worktree_of(self.workspace, self.tree).move_to(state, self.progress)
        known = {"KPT_PATCH": str(state.patch), "KPT_COMMIT": state.commit, "KPT_SOURCE": str(source)}
        if built is not None and built.artifacts is not None:
            known["KPT_ARTIFACTS"] = str(built.artifacts)
        self.progress(f"patch {state.patch}: running {self.argv[0]}")
        return process.run(self.argv, cwd=source, env={**os.environ, **known})


def _modules(built: StateBuild) -> str:
    """Of a build that went well: what the machine code is. A state that does not build is like no other."""
    if built.status is not BuildStatus.OK or not built.modules:
        return ""
    return hashlib.sha256("\n".join(f"{one.path} {one.sha256}" for one in built.modules).encode()).hexdigest()
