"""`kpt bisect` as a whole: names and a question in, the patch that changes the answer out."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass, field

from kpatch_tool import doctor, testing
from kpatch_tool.bisect.journal import Journal
from kpatch_tool.bisect.model import Belief, Observation
from kpatch_tool.bisect.questions import Builder, Builds, Question, Runs, Warns, Worse
from kpatch_tool.bisect.search import Search, belief, next_state, settled
from kpatch_tool.errors import InputError
from kpatch_tool.progress import Progress, silent
from kpatch_tool.results.store import Store
from kpatch_tool.suites import catalogue
from kpatch_tool.suites.run import Options
from kpatch_tool.tree.applied import load_applied
from kpatch_tool.tree.catalogue import Catalogue
from kpatch_tool.tree.model import Applied, State, Tree
from kpatch_tool.workspace import Workspace

_SURE = (0.5, 0.9999)


@dataclass(frozen=True, slots=True)
class Request:
    """What the user asked: a series (None: the one applied last) on `tree`, and one question: `build`, `warning` (a
    glob), `suites`/`tests`/`case`, or `run` (a command line; with `build` each state is built first). `once`: answers
    are always right. `restart`: forget what an earlier search found."""

    series: str | None = None
    tree: str | None = None
    arch: str = "x86_64"
    build: bool = False
    warning: str | None = None
    suites: tuple[str, ...] = ()
    case: str | None = None
    run: str | None = None
    confidence: float = 0.95
    once: bool = False
    restart: bool = False
    options: Options = field(default_factory=Options)


@dataclass(frozen=True, slots=True)
class Found:
    """What came of it. `culprits` are the states blamed (several where those between could not be asked), empty when
    nobody is; `why` says it in a sentence."""

    applied: Applied
    culprits: tuple[State, ...]
    confidence: float
    seen: tuple[Observation, ...]
    resumed: int
    why: str


def bisect_request(workspace: Workspace, request: Request, progress: Progress = silent) -> Found:
    """Search the states of a series for the patch after which the answer is bad.

    Raises InputError for names that mean nothing and for no question or two; MachineError when this machine cannot
    build, boot or run (the looks so far are kept, and the next call goes on).
    """
    applied = load_applied(workspace, request.series, tree=request.tree)
    tree = Catalogue(workspace).get(applied.tree)
    _check(workspace, request, tree, progress)
    with Store(workspace) as store:
        builder = Builder(workspace, tree, request.arch, progress)
        question = _question(builder, request, applied.states[0], store)
        journal = Journal(workspace, applied.series, applied.states, question.identity)
        if request.restart:
            journal.forget()
        before = journal.read()
        search = Search(len(applied.states) - 1, None if request.once else question.rates, request.confidence)
        seen = _Hunt(search, question, applied.states, journal, progress).go_on(before)
    return _found(applied, search, question, seen, len(before))


@dataclass(frozen=True, slots=True)
class _Hunt:
    """A search while it goes on: every look is kept before the next begins."""

    search: Search
    question: Question
    states: Sequence[State]
    journal: Journal
    progress: Progress

    def go_on(self, before: Sequence[Observation]) -> tuple[Observation, ...]:
        """All looks: those from `before`, and the new ones."""
        seen = list(before)
        while (at := next_state(self.search, _by_place(self.states, seen))) is not None:
            state = self.states[at]
            times = sum(1 for one in seen if one.patch == state.patch)
            self.progress(f"looking at {_called(state)}" + (f" once more ({times + 1})" if times else ""))
            seen.append(self.question.look(state, times))
            self.journal.write(seen)
            self.progress(f"{_called(state)}: {seen[-1].answer} ({seen[-1].why})")
        return tuple(seen)


def _by_place(states: Sequence[State], seen: Sequence[Observation]) -> list[Observation]:
    """`seen` with the places of the states (0, 1, 2, ...) for the numbers of the patches, which may have gaps."""
    places = {state.patch: place for place, state in enumerate(states)}
    return [
        Observation(places[one.patch], one.answer, one.seconds, one.cached, one.why, one.fingerprint) for one in seen
    ]


def _found(applied: Applied, search: Search, question: Question, seen: tuple[Observation, ...], resumed: int) -> Found:
    by_place = _by_place(applied.states, seen)
    found = belief(search, by_place)
    if settled(search, by_place):
        if found.base >= search.threshold:
            return Found(applied, (), found.base, seen, resumed, f"on the base already: {question.words}")
        if found.none >= search.threshold:
            why = f"nothing to find: with all patches it is not so that {question.words}{question.hint}"
            return Found(applied, (), found.none, seen, resumed, why)
        culprits = tuple(applied.states[place] for place in found.candidates)
        return Found(applied, culprits, found.confidence, seen, resumed, _blame(culprits, question, seen))
    return Found(applied, (), found.confidence, seen, resumed, _undecided(found, applied, seen))


def _blame(culprits: Sequence[State], question: Question, seen: Sequence[Observation]) -> str:
    evidence = next((one.why for one in reversed(seen) if one.patch == culprits[-1].patch and one.answer == "bad"), "")
    after = _called(culprits[-1])
    if len(culprits) == 1:
        return f"{question.words} from {after} on ({evidence})"
    between = ", ".join(str(state.patch) for state in culprits[:-1])
    return f"{question.words} from {after} on ({evidence}); the states after {between} could not be asked"


def _undecided(found: Belief, applied: Applied, seen: Sequence[Observation]) -> str:
    if not any(one.answer != "skip" for one in seen):
        return "no state could be asked: " + (seen[-1].why if seen else "there is none")
    likeliest = ", ".join(str(applied.states[place].patch) for place in found.candidates)
    return f"the answers disagree too much to blame a patch; likeliest is {likeliest} ({found.confidence:.0%})"


def _called(state: State) -> str:
    return f"patch {state.patch}" if state.patch else "the base"


def _check(workspace: Workspace, request: Request, tree: Tree, progress: Progress) -> None:
    tests = bool(request.suites or request.options.tests or request.case is not None)
    asked = [request.build and request.run is None, request.warning is not None, tests, request.run is not None]
    if sum(asked) != 1:
        what = "two questions at once" if sum(asked) else "no question"
        raise InputError(what, todo="give one of --build, --warning, --suite/--test, --run CMD")
    low, high = _SURE
    if not low <= request.confidence <= high:
        raise InputError("not a probability to stop at", where="--confidence", todo=f"between {low} and {high}")
    if tree.skeleton and not (asked[3] and not request.build):
        what = "is made of the series' own lines: there is nothing to build"
        raise InputError(what, where=f"tree {tree.name}", todo="`kpt tree add debian-6.1` brings a kernel")
    doctor.require("test" if tests else "apply" if asked[3] and not request.build else "build")
    for suite in request.suites:
        catalogue.get(workspace, suite, progress)


def _words(command: str) -> tuple[str, ...]:
    try:
        return tuple(shlex.split(command))
    except ValueError as error:
        raise InputError(f"cannot be taken apart: {error}", where="--run", todo="close the quotation") from error


def _question(builder: Builder, request: Request, base: State, store: Store) -> Question:
    workspace, tree, progress = builder.workspace, builder.tree, builder.progress
    if request.run is not None:
        argv = _words(request.run)
        if not argv:
            raise InputError("an empty command", where="--run", todo="give a program and its arguments")
        return Runs(workspace, tree, argv, builder if request.build else None, progress=progress)
    if request.build:
        return Builds(builder)
    if request.warning is not None:
        return Warns(builder, base, request.warning)
    tester = testing.Tester(workspace, tree, store, request.arch, request.options, progress=progress)
    tester.runs, tester.keep = 1, False
    suites = request.suites or testing.default_suites(workspace)
    return Worse(builder, tester, base, suites, request.case or "*")
