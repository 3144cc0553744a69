"""`--minimal`: the states of sets of patches, built and asked like any other, and why each patch is in or out."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from kpatch_tool.bisect.journal import Journal
from kpatch_tool.bisect.minimal import Tried, decided, reduced
from kpatch_tool.bisect.model import Answer, Observation, Rates
from kpatch_tool.bisect.questions import Question
from kpatch_tool.bisect.search import Search
from kpatch_tool.depend.model import Dependencies
from kpatch_tool.progress import Progress
from kpatch_tool.text import spelt
from kpatch_tool.tree.model import State
from kpatch_tool.tree.sets import SetStates


@dataclass(frozen=True, slots=True)
class SetLook:
    """One look at the state of a set of patches."""

    patches: tuple[int, ...]
    seen: Observation


@dataclass(frozen=True, slots=True)
class Reason:
    """A patch and why it is in the set, or not."""

    state: State
    why: str


@dataclass(frozen=True, slots=True)
class Minimal:
    """The smallest set, in the order applied, and its state; the patches `dropped` (all others); the looks at sets."""

    state: State
    kept: tuple[Reason, ...]
    dropped: tuple[Reason, ...]
    looks: tuple[SetLook, ...]

    @property
    def numbers(self) -> tuple[int, ...]:
        return tuple(reason.state.patch for reason in self.kept)


@dataclass(slots=True)
class Reduction:
    """Finds the smallest set. `states` are the series' own, `seen` the looks of the search that blamed `blamed`."""

    sets: SetStates
    graph: Dependencies
    question: Question
    search: Search
    states: Sequence[State]
    seen: Sequence[Observation]
    blamed: State
    journal: Journal
    progress: Progress
    _looks: list[SetLook] = field(default_factory=list)
    _tried: dict[tuple[int, ...], Tried] = field(default_factory=dict)

    def run(self) -> Minimal:
        """Raises what looking at a state raises; the looks so far are kept then, and the next call goes on."""
        self._looks = list(self._kept_looks())
        prefix = self._prefix()
        numbers, tried = reduced(prefix, self.blamed.patch, self._needs(), self._probe)
        state = self.sets.state(numbers)
        assert isinstance(state, State)
        kept = tuple(Reason(one, self._why_in(one, tried)) for one in self._those(numbers))
        others = [one.patch for one in self.states[1:] if one.patch not in numbers]
        dropped = tuple(Reason(one, self._why_out(one, prefix, numbers)) for one in self._those(others))
        raw = [look.seen for look in self._looks]
        judged = self.question.judged([*self.seen, *raw])[len(self.seen) :]
        looks = tuple(SetLook(look.patches, seen) for look, seen in zip(self._looks, judged, strict=True))
        return Minimal(state, kept, dropped, looks)

    def _prefix(self) -> list[int]:
        numbers = [state.patch for state in self.states[1:]]
        return numbers[: numbers.index(self.blamed.patch) + 1]

    def _those(self, numbers: Sequence[int]) -> list[State]:
        return [state for state in self.states[1:] if state.patch in numbers]

    def _needs(self) -> Mapping[int, set[int]]:
        needs: dict[int, set[int]] = defaultdict(set)
        for edge in self.graph.edges:
            if not edge.made_on:  # it applies without the other one, too
                needs[edge.patch].add(edge.needs)
        return needs

    # Asking a set

    def _probe(self, numbers: tuple[int, ...]) -> Tried:
        if numbers not in self._tried:
            self._tried[numbers] = self._ask(numbers)
        return self._tried[numbers]

    def _ask(self, numbers: tuple[int, ...]) -> Tried:
        state = self.sets.state(numbers) if numbers else self.states[0]
        if isinstance(state, str):
            return Tried(False, f"it does not apply: {state}")
        if (known := self._known(state)) is not None:
            return known
        while (tried := self._decided(looks := self._of(numbers))) is None:
            times = len(looks)
            self.progress(f"looking at patches {spelt(numbers)}" + (f" once more ({times + 1})" if times else ""))
            self._looks.append(SetLook(numbers, self.question.look(state, times, self.seen)))
            self.journal.write_sets([(look.patches, look.seen) for look in self._looks])
            self.progress(f"patches {spelt(numbers)}: {self._of(numbers)[-1].answer}")
        return tried

    def _known(self, state: State) -> Tried | None:
        """What the search said of the same tree."""
        same = [one.patch for one in self.states if one.tree_id == state.tree_id]
        answers = [one for one in self.question.judged(self.seen) if one.patch in same]
        if not answers or answers[-1].answer is Answer.SKIP:
            return None
        place = next(at for at, one in enumerate(self.states) if one.patch == same[0])
        blamed = next(at for at, one in enumerate(self.states) if one.patch == self.blamed.patch)
        return Tried(place >= blamed, answers[-1].why)

    def _of(self, numbers: tuple[int, ...]) -> tuple[Observation, ...]:
        mine = [look.seen for look in self._looks if look.patches == numbers]
        return self.question.judged([*self.seen, *mine])[len(self.seen) :]

    def _decided(self, looks: Sequence[Observation]) -> Tried | None:
        if looks and looks[-1].answer is Answer.BAD and not self._same_fault(looks[-1]):
            return Tried(False, f"it shows another fault: {looks[-1].why}")
        return decided(looks, self._rates(), self.search.threshold, self.search.looks)

    def _same_fault(self, one: Observation) -> bool:
        faults = [other for other in self.seen if other.patch == self.blamed.patch and other.answer is Answer.BAD]
        return not faults or any(self.question.same(one, fault) for fault in faults)

    def _rates(self) -> Rates | None:
        """The belief of the search with what it saw on both sides of the blamed patch."""
        rates = self.search.rates
        if rates is None:
            return None
        places = {state.patch: at for at, state in enumerate(self.states)}
        at = places[self.blamed.patch]
        counts = {Answer.GOOD: [0.0, 0.0], Answer.BAD: [0.0, 0.0]}  # by side; each (bad, good)
        for one in self.question.judged(self.seen):
            if one.answer is not Answer.SKIP:
                side = Answer.BAD if places[one.patch] >= at else Answer.GOOD
                counts[side][one.answer is Answer.GOOD] += 1
        (a, b), (c, d) = rates.good, rates.bad
        good, bad = counts[Answer.GOOD], counts[Answer.BAD]
        return Rates(good=(a + good[0], b + good[1]), bad=(c + bad[0], d + bad[1]))

    def _kept_looks(self) -> Sequence[SetLook]:
        return [SetLook(patches, seen) for patches, seen in self.journal.read_sets()]

    # Saying why

    def _why_in(self, one: State, tried: Mapping[int, str]) -> str:
        if one.patch == self.blamed.patch:
            return "the answer is bad from this patch on, and was not before"
        edge = next((edge for edge in self.graph.edges if edge.needs == one.patch and edge.patch in tried), None)
        edge = edge or next((e for e in self.graph.edges if (e.needs, e.patch) == (one.patch, self.blamed.patch)), None)
        because = f" (patch {edge.patch} needs it: {edge.why})" if edge is not None else ""
        return f"without it, {tried[one.patch]}{because}"

    def _why_out(self, one: State, prefix: Sequence[int], numbers: Sequence[int]) -> str:
        if one.patch not in prefix:
            return "comes after the patch that is blamed"
        if self.sets.commute(numbers, [one.patch]):
            return "commutes: it can come after the others as well, and they show it without it"
        return "not needed: the others show it without it"
