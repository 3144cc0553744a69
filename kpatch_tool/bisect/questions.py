"""What can be asked of a state: does it build, has it a new warning, what does a command say.

bisect.worse asks about tests, bisect.numbers about a number.
"""

from __future__ import annotations

import fnmatch
import hashlib
import json
import os
import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from kpatch_tool.bisect.model import FLAKY, Answer, Observation, Rates
from kpatch_tool.errors import InputError, MachineError
from kpatch_tool.kbuild.build import build_state, known_build
from kpatch_tool.kbuild.model import BuildStatus, StateBuild, new_warnings
from kpatch_tool.progress import Progress, silent
from kpatch_tool.system import lock, process, sandbox
from kpatch_tool.tree.model import State, Tree
from kpatch_tool.tree.worktree import build_lock, worktree_of
from kpatch_tool.workspace import Workspace

if TYPE_CHECKING:
    from kpatch_tool.testing.tester import Tester

SKIP = 125  # git bisect run: this state cannot be asked
_LOCK_SECONDS = 5.0
_LAST_ANSWER = 127  # statuses above are no answer
_KEPT = 1 << 20  # bytes of what a command prints: its last line is looked at


class Question(Protocol):
    """Something to ask of any state."""

    @property
    def identity(self) -> str:
        """Equal for two questions that ask the same."""
        ...

    @property
    def words(self) -> str:
        """Completes "the first patch after which ..."."""
        ...

    @property
    def hint(self) -> str:
        """What else to try when no patch is found."""
        ...

    @property
    def rates(self) -> Rates | None:
        """How often the answer is "bad" with the fault and without it; None where it is always right."""
        ...

    @property
    def base_looks(self) -> int:
        """How often the base is looked at before all else."""
        ...

    @property
    def guests(self) -> Tester | None:
        """What boots the states; None for a question that no guest answers."""
        ...

    def look(self, state: State, times: int, seen: Sequence[Observation] = ()) -> Observation:
        """Ask; `times` is how often `state` was asked before, `seen` all looks so far.

        Raises MachineError when this machine fails at it.
        """
        ...

    def judged(self, seen: Sequence[Observation]) -> tuple[Observation, ...]:
        """All looks with the answers they mean together."""
        ...

    def remark(self, seen: Sequence[Observation], blamed: Sequence[int] = ()) -> str:
        """What else the looks say, a sentence, or "". `blamed` are the patches that were found."""
        ...

    def same(self, one: Observation, other: Observation) -> bool:
        """Whether two bad answers show the same fault."""
        ...


class Plain:
    """A question whose looks each stand for themselves."""

    __slots__ = ()

    @property
    def base_looks(self) -> int:
        return 0

    @property
    def guests(self) -> Tester | None:
        return None

    def judged(self, seen: Sequence[Observation]) -> tuple[Observation, ...]:
        return tuple(seen)

    def remark(self, seen: Sequence[Observation], blamed: Sequence[int] = ()) -> str:
        return ""

    def same(self, one: Observation, other: Observation) -> bool:
        return True


@dataclass(slots=True)
class Builder:
    """Builds the states of one tree, with the user's configuration files (`fragments`)."""

    workspace: Workspace
    tree: Tree
    arch: str
    progress: Progress = silent
    fragments: tuple[Path, ...] = ()

    def build(self, state: State) -> StateBuild:
        """The build of `state`. Raises MachineError where this machine cannot do it."""
        built = build_state(
            self.workspace, self.tree, state, self.arch, fragments=self.fragments, progress=self.progress
        )
        if built.status is BuildStatus.INFRA:
            raise MachineError(built.why, where=f"building patch {state.patch}", todo=f"see {built.log}")
        return built

    def known(self, state: State) -> StateBuild | None:
        """The build of `state` where it was made before."""
        return known_build(self.workspace, self.tree, state, self.arch, fragments=self.fragments)


@dataclass(slots=True)
class Builds(Plain):
    """Does it build?"""

    builder: Builder
    rates: Rates | None = None
    identity: str = "build"
    words: str = "it does not build"
    hint: str = "; `kpt build --each` builds every state"

    def look(self, state: State, times: int, seen: Sequence[Observation] = ()) -> Observation:
        built = self.builder.build(state)
        answer = Answer.GOOD if built.status is BuildStatus.OK else Answer.BAD
        first = built.errors[0].told if built.errors else built.why
        why = "it builds" if answer is Answer.GOOD else first
        return Observation(state.patch, answer, built.seconds, built.cached, why, modules_of(built))

    def same(self, one: Observation, other: Observation) -> bool:
        return _without_line(one.why) == _without_line(other.why)


@dataclass(slots=True)
class Warns(Plain):
    """Has it a warning that the base does not have? `pattern` is a glob on "file: message [option]". A state that
    does not build may have it all the same; one that was not compiled to the end tells nothing by its absence. `look`
    raises InputError where the base does not build."""

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

    def look(self, state: State, times: int, seen: Sequence[Observation] = ()) -> Observation:
        built = self.builder.build(state)
        base = self.builder.build(self.base)
        if base.status is not BuildStatus.OK:
            what = f"the base has no warnings to compare with: {base.why}"
            raise InputError(what, where="--warning", todo="ask --build first")
        found_all = new_warnings(built, base)
        texts = [f"{one.file}: {one.message}{f' [{one.option}]' if one.option else ''}" for one in found_all]
        found = [text for text in texts if fnmatch.fnmatchcase(text, self.pattern)]
        if not found and not built.compiled:
            return unbuilt(state, built)
        why = found[0] if found else "no such warning"
        return Observation(state.patch, Answer.BAD if found else Answer.GOOD, built.seconds, built.cached, why)


@dataclass(slots=True)
class CommandRun:
    """A command in a checkout of a state, with KPT_PATCH, KPT_COMMIT and KPT_SOURCE set; and, with `builder`, once the
    state is built, with KPT_ARTIFACTS (the directory of bzImage and modules)."""

    workspace: Workspace
    tree: Tree
    argv: tuple[str, ...]
    builder: Builder | None = None
    progress: Progress = silent

    @property
    def words(self) -> str:
        return shlex.join(self.argv)

    def run(self, state: State) -> tuple[StateBuild | None, process.Finished | None]:
        """The build (None where nobody asked for one) and the command that ended with 0 to 127 (None where the state
        does not build). Raises InputError for a program that is not there and a status that is no answer, MachineError
        when another kpt took the checkout away meanwhile."""
        built = None if self.builder is None else self.builder.build(state)
        if built is not None and built.status is not BuildStatus.OK:
            return built, None
        worktree = worktree_of(self.workspace, self.tree)
        with lock.held(build_lock(self.workspace, self.tree), wait_seconds=_LOCK_SECONDS):  # no make is at work in it
            source = worktree.move_to(state, self.progress, litters=True)
        known = {"KPT_PATCH": str(state.patch), "KPT_COMMIT": state.commit, "KPT_SOURCE": str(source)}
        if built is not None and built.artifacts is not None:
            known["KPT_ARTIFACTS"] = str(built.artifacts)
        program = self.argv[0]
        if "/" in program and not os.access(source / program, os.X_OK):
            what = "no such program, here or in the checkout, that may be executed"
            raise InputError(what, where=program, todo="see --run")
        self.progress(f"patch {state.patch}: running {program}")
        words, env = sandbox.guarded(self.argv), {**os.environ, **known}
        done = process.run(words, cwd=source, env=env, sweep=True, most=_KEPT)
        if worktree.holds != state.tree_id:
            todo = "run the command again when no other kpt works on this tree"
            raise MachineError("the checkout was moved while the command ran", where=str(source), todo=todo)
        if done.status < 0 or done.status > _LAST_ANSWER:
            what = f"the command ended with status {done.status}, which is no answer: {done.last_line()}"
            raise InputError(what, where=f"patch {state.patch}", todo="make it end with 0 (good), 1-127 (bad) or 125")
        return built, done


@dataclass(slots=True)
class Runs(Plain):
    """What does a command say? Its exit status is read as git bisect run does (git-bisect(1)): 0 good, 125 skip, 1-127
    bad; above that the search ends."""

    command: CommandRun
    rates: Rates | None = FLAKY
    hint: str = ""

    @property
    def identity(self) -> str:
        return json.dumps(["run", self.command.argv, self.command.builder is not None])

    @property
    def words(self) -> str:
        return f"`{self.command.words}` fails"

    def look(self, state: State, times: int, seen: Sequence[Observation] = ()) -> Observation:
        built, done = self.command.run(state)
        if done is None:
            return unbuilt(state, built)
        answer = Answer.SKIP if done.status == SKIP else Answer.BAD if done.status else Answer.GOOD
        said = done.last_line() if done.stdout.strip() or done.stderr.strip() else ""
        why = f"exit status {done.status}" + (f": {said}" if said else "")
        return Observation(state.patch, answer, done.seconds, False, why)


def unbuilt(state: State, built: StateBuild | None) -> Observation:
    """The look at a state that does not build."""
    if built is None:
        return Observation(state.patch, Answer.SKIP, why="it was not built")
    why = f"it does not build: {built.why.removeprefix('does not build: ')}"
    return Observation(state.patch, Answer.SKIP, built.seconds, built.cached, why)


def modules_of(built: StateBuild) -> str:
    """Of a build that went well: what the machine code is. A state that does not build is like no other."""
    if built.status is not BuildStatus.OK or not built.modules:
        return ""
    return hashlib.sha256("\n".join(f"{one.path} {one.sha256}" for one in built.modules).encode()).hexdigest()


def _without_line(error: str) -> str:
    """ "file:12: message" without the number."""
    return re.sub(r"^([^:]+):\d+:", r"\1:", error)
