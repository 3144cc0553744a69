"""`kpt bisect` as a whole: names and a question in, the patch that changes the answer out."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace

from kpatch_tool.bisect.asked import Request, check, question_of
from kpatch_tool.bisect.inputs import inputs_of
from kpatch_tool.bisect.journal import Journal
from kpatch_tool.bisect.model import Answer, Belief, Observation
from kpatch_tool.bisect.questions import Builder, Builds, Question
from kpatch_tool.bisect.search import Search, belief, contradictory, next_state, settled
from kpatch_tool.bisect.sets import Minimal, Reduction
from kpatch_tool.depend.graph import dependencies
from kpatch_tool.errors import InputError
from kpatch_tool.kbuild.later import edges_of, explained
from kpatch_tool.kbuild.model import BuildStatus
from kpatch_tool.progress import Progress, silent
from kpatch_tool.results.answer import out_of_reach
from kpatch_tool.results.store import Store
from kpatch_tool.series.directory import store as series_store
from kpatch_tool.system import lock
from kpatch_tool.text import spelt, state_name
from kpatch_tool.tree.applied import load_applied
from kpatch_tool.tree.catalogue import Catalogue
from kpatch_tool.tree.model import Applied, State, Tree
from kpatch_tool.tree.sets import SetStates
from kpatch_tool.vm.host import never_loaded
from kpatch_tool.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Found:
    """What came of it. `culprits` are the states blamed (several where those between could not be asked), empty when
    nobody is; `why` says it in a sentence. `minimal` is None where nobody asked for it, or there is no one culprit."""

    applied: Applied
    culprits: tuple[State, ...]
    confidence: float
    seen: tuple[Observation, ...]
    resumed: int
    why: str
    minimal: Minimal | None = None


def bisect_request(workspace: Workspace, request: Request, progress: Progress = silent) -> Found:
    """Search the states of a series for the patch after which the answer is bad.

    Raises InputError for names that mean nothing and for no question or two; MachineError when this machine cannot
    build, boot or run, or another kpt searches this tree (the looks so far are kept, and the next call goes on).
    """
    whole = load_applied(workspace, request.series, tree=request.tree)
    applied = _upto(whole, request.bad)
    tree = Catalogue(workspace).get(applied.tree)
    check(request, tree)
    with lock.held(workspace.lock(f"bisect-{tree.name}")), Store(workspace) as store:
        builder = Builder(workspace, tree, request.arch, progress, request.fragments)
        question = question_of(builder, request, applied, store)
        identity = json.dumps([question.identity, request.once, *inputs_of(builder, request)])
        journal = Journal(workspace, applied.series, applied.states, identity)
        if request.restart:
            journal.forget()
        before = journal.read()
        rates = None if request.once else question.rates
        search = Search(len(applied.states) - 1, rates, request.confidence)
        hunt = _Hunt(search, question, applied.states, journal, progress)
        seen = hunt.go_on(before)
        found = _found(applied, search, question, question.judged(seen), len(before), upto=request.bad)
        if isinstance(question, Builds) and (told := _of_builds(builder, whole, found)):
            found = replace(found, why=f"{found.why}; {told}")
        if missed := _not_tested(builder, question, applied.states):
            found = replace(found, why=f"{found.why}; {missed}")
        if request.minimal and len(found.culprits) == 1:
            return replace(found, minimal=_minimal(workspace, tree, hunt, found, seen))
        return found


def _not_tested(builder: Builder, question: Question, states: Sequence[State]) -> str:
    """What the series changes where no guest of this machine sees it, where guests were asked."""
    if question.guests is None:
        return ""
    known = [(state, build) for state in states if (build := builder.known(state)) is not None]
    booted = [(state, build) for state, build in known if build.status is BuildStatus.OK]
    if not booted:
        return ""
    choice = question.guests.choose(*booted[-1])
    return out_of_reach([build for _, build in known], never_loaded(choice.accel), [one.patch for one in states[1:]])


def _of_builds(builder: Builder, whole: Applied, found: Found) -> str:
    """What is known besides of a series that does not build: what the patch that is blamed lacks and a later one
    brings, and the patch after which it builds again; where nobody is blamed, the patches after which it did not."""
    known = [(state.patch, build) for state in whole.states if (build := builder.known(state)) is not None]
    broken = [(patch, build) for patch, build in known if patch and build.status is BuildStatus.FAILED]
    if not found.culprits:
        numbers = [patch for patch, _ in broken]
        if not numbers or known[-1][1].status is not BuildStatus.OK:
            return ""
        after = f"patch{'es' if len(numbers) > 1 else ''} {spelt(numbers)}"
        return f"it is known not to build after {after}: --bad {numbers[0]} says why"
    blamed = found.culprits[-1].patch
    mine = [build for patch, build in broken if patch == blamed]
    edges = edges_of(builder.workspace, whole.series, mine)
    told = [explained(build, edges).later for build in mine]
    again = next((patch for patch, build in known if patch > blamed and build.status is BuildStatus.OK), None)
    if again is not None:
        seen = {patch for patch, _ in known}
        gap = any(blamed < state.patch < again and state.patch not in seen for state in whole.states)
        told.append(f"it builds again after patch {again}{' at the latest' if gap else ''}")
    return "; ".join(one for one in told if one)


def _upto(applied: Applied, bad: int | None) -> Applied:
    """`applied` without the states after patch `bad`."""
    if bad is None:
        return applied
    numbers = [state.patch for state in applied.states[1:]]
    if bad not in numbers:
        todo = f"there are {', '.join(map(str, numbers))}"
        raise InputError(f"no state after patch {bad}", where=f"--bad {bad}", todo=todo)
    return replace(applied, states=applied.states[: numbers.index(bad) + 2])


def _minimal(workspace: Workspace, tree: Tree, hunt: _Hunt, found: Found, seen: Sequence[Observation]) -> Minimal:
    series = series_store.load(series_store.find(workspace, found.applied.series))
    with SetStates(tree, series, found.applied) as sets:
        return Reduction(
            sets=sets,
            graph=dependencies(series),
            question=hunt.question,
            search=hunt.search,
            states=found.applied.states,
            seen=seen,
            blamed=found.culprits[0],
            journal=hunt.journal,
            progress=hunt.progress,
        ).run()


@dataclass(frozen=True, slots=True)
class _Hunt:
    """A search while it goes on: every look is kept before the next begins."""

    search: Search
    question: Question
    states: Sequence[State]
    journal: Journal
    progress: Progress

    def go_on(self, before: Sequence[Observation]) -> tuple[Observation, ...]:
        """All looks, as they were made: those from `before`, and the new ones."""
        seen = list(before)
        while (at := self._next(seen)) is not None:
            state = self.states[at]
            times = sum(1 for one in seen if one.patch == state.patch)
            self.progress(f"looking at {state_name(state.patch)}" + (f" once more ({times + 1})" if times else ""))
            seen.append(self.question.look(state, times, seen))
            self.journal.write(seen)
            said = self.question.judged(seen)[-1]
            self.progress(f"{state_name(state.patch)}: {said.answer} ({said.why})")
        return tuple(seen)

    def _next(self, seen: Sequence[Observation]) -> int | None:
        base = self.states[0].patch
        if sum(1 for one in seen if one.patch == base) < self.question.base_looks:
            return 0
        return next_state(self.search, _by_place(self.states, self.question.judged(seen)))


def _by_place(states: Sequence[State], seen: Sequence[Observation]) -> list[Observation]:
    """`seen` with the places of the states (0, 1, 2, ...) for the numbers of the patches, which may have gaps."""
    places = {state.patch: place for place, state in enumerate(states)}
    return [replace(one, patch=places[one.patch]) for one in seen]


def _found(
    applied: Applied,
    search: Search,
    question: Question,
    seen: tuple[Observation, ...],
    resumed: int,
    *,
    upto: int | None,
) -> Found:
    by_place = _by_place(applied.states, seen)
    found = belief(search, by_place)
    culprits: tuple[State, ...] = ()
    confidence = found.confidence
    if not settled(search, by_place):
        why = _undecided(found, applied, seen)
    elif found.base >= search.threshold:
        why, confidence = _already(applied, question, found), found.base
    elif found.none >= search.threshold:
        why, confidence = _nothing(applied, question, found, upto), found.none
    else:
        culprits = tuple(applied.states[place] for place in found.candidates)
        why = _blame(culprits, question, seen, upto)
    remark = question.remark(seen, [state.patch for state in culprits])
    return Found(applied, culprits, confidence, seen, resumed, f"{why}; {remark}" if remark else why)


def _already(applied: Applied, question: Question, found: Belief) -> str:
    first = applied.states[found.ends[0] if found.ends else 0]
    if not first.patch or found.ends == (0, 0):
        return f"on the base already: {question.words}"
    return f"from the first state on that can be asked, the one after patch {first.patch}: {question.words}"


def _nothing(applied: Applied, question: Question, found: Belief, upto: int | None) -> str:
    last = applied.states[found.ends[1] if found.ends else -1]
    whole = "with all patches" if upto is None else f"up to patch {upto}"
    where = whole if last is applied.head else f"up to patch {last.patch}, the last that can be asked,"
    how = "; where an earlier patch shows it, --bad K searches up to that one"
    return f"nothing to find: {where} it is not so that {question.words}{question.hint}{how}"


def _blame(culprits: Sequence[State], question: Question, seen: Sequence[Observation], upto: int | None) -> str:
    evidence = _evidence(culprits[-1], seen)
    last = "the last looked at" if culprits[-1].patch == upto else f"looking no further than patch {upto}"
    reach = "on" if upto is None else f"on, {last}"
    said = f"{question.words} from {state_name(culprits[-1].patch)} {reach}{f' ({evidence})' if evidence else ''}"
    if len(culprits) == 1:
        return said
    between = ", ".join(str(state.patch) for state in culprits[:-1])
    return f"{said}; the states after {between} could not be asked"


def _evidence(blamed: State, seen: Sequence[Observation]) -> str:
    """What the last bad look at a state said, or at one that runs the very same."""
    same = {one.fingerprint for one in seen if one.patch == blamed.patch} - {""}
    bad = [one for one in reversed(seen) if one.answer is Answer.BAD]
    mine = next((one.why for one in bad if one.patch == blamed.patch), "")
    other = next((one for one in bad if one.fingerprint in same), None)
    return mine or (f"{other.why}; seen after patch {other.patch}, which runs the very same" if other else "")


def _undecided(found: Belief, applied: Applied, seen: Sequence[Observation]) -> str:
    if all(one.answer is Answer.SKIP for one in seen):
        return "no state could be asked: " + (seen[-1].why if seen else "there is none")
    if contradictory(found):
        return f"the answers contradict one another ({_contradiction(seen)}); --restart asks anew"
    if found.none > found.confidence:
        return f"the answers disagree too much to be sure; likeliest is that no patch does it ({found.none:.0%})"
    likeliest = ", ".join(str(applied.states[place].patch) for place in found.candidates)
    return f"the answers disagree too much to blame a patch; likeliest is {likeliest} ({found.confidence:.0%})"


def _contradiction(seen: Sequence[Observation]) -> str:
    """Two looks that cannot both be right, in words: a good one behind a bad one, or behind what runs the very same."""
    first, last = ({one.patch: end(_equal(one, seen)) for one in seen} for end in (min, max))
    bad = min((one for one in seen if one.answer is Answer.BAD), key=lambda one: (first[one.patch], one.patch))
    good = max((one for one in seen if one.answer is Answer.GOOD), key=lambda one: (last[one.patch], one.patch))
    told = f"{state_name(bad.patch)} is bad, {state_name(good.patch)} good"
    if bad.patch <= good.patch:
        return told
    if good.patch in _equal(bad, seen):
        return f"{told}, and they run the very same"
    pairs = ((bad.patch, first[bad.patch]), (good.patch, last[good.patch]))
    alike = [f"{state_name(one)} runs the very same as {state_name(other)}" for one, other in pairs if one != other]
    return ", and ".join((told, *alike))


def _equal(look: Observation, seen: Sequence[Observation]) -> set[int]:
    """The states known to run the very same as that of `look`, itself among them."""
    return {look.patch, *(one.patch for one in seen if one.fingerprint and one.fingerprint == look.fingerprint)}
