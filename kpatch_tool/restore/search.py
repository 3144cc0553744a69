"""Searches the readings of a damaged file for the one whose git blob id the patch names.

The greedy reading takes the likeliest bytes for every line. Each way to deviate from it in one line, with all that
follows from that for the lines below, is an `Effect`: the rows that come out otherwise, and a cost in bits. A reading
is a set of effects that touch different rows; readings are tried in the order of their summed cost. Effects are made
when their turn comes, and a reading costs little more than the SHA-1 of the file behind its first changed line.
The bound is a number of readings, of bytes hashed and of lines read, so that the outcome is the same on any machine.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from heapq import heappop, heappush
from itertools import chain

from kpatch_tool.restore.align import Step
from kpatch_tool.restore.cstate import State
from kpatch_tool.restore.judge import Judge, Variations
from kpatch_tool.restore.reading import LONE, Candidate, Memory, Reader
from kpatch_tool.restore.together import Joint, Lines, joint

_MAX_COST = 26.0  # bits: readings less likely than one in 2^26 are not tried
_LONGEST = 200  # bytes of a line whose unlikely readings are tried
_MOST = 30_000  # unlikely readings of a file
_FEW_DEVIATIONS = 3_000  # of a file for which two unlikely gaps in one line are tried
_AGAIN = 5.0  # bits: how much less a second unlikely gap in the same line costs
_CHEAPER = 100  # listing what else a line could be is cheaper than reading it by this factor
_SAME = 3  # so many equal lines above, and the same state, make the rest the same
_BY_CHANCE = 2_600  # of so many files for which no reading tried is right, at most one is taken for proven
_FEWEST = 2_000
_LISTED = 600  # deviations followed up to list what is not decided
_LISTED_LINES = 4_000  # lines read for that
_NEAR = 16.0  # bits: the limit for a line next to one that is not decided, for odd lines seldom stand alone


@dataclass(frozen=True, slots=True)
class Bound:
    """How much work a search may do: readings tried, bytes hashed, and lines read."""

    readings: int = 100_000
    hashed: int = 2_500_000_000
    lines: int = 25_000

    def for_id(self, wanted: str) -> Bound:
        """This bound, with no more readings than an abbreviated id of that length can tell apart."""
        readings = min(self.readings, max(_FEWEST, 16 ** len(wanted) // _BY_CHANCE))
        return Bound(readings, self.hashed, self.lines)


@dataclass(slots=True)
class Path:
    """One reading of a whole file: the text of every row, with what could have been chosen."""

    texts: list[bytes]
    options: list[list[Candidate] | None]
    before: list[tuple[State, Memory]]


@dataclass(frozen=True, slots=True)
class Plan:
    """The rows of a file with how each line ends: one choice (`steps`, a reading for each hunk) of what is context and
    what is added."""

    reader: Reader
    endings: Sequence[bytes]
    steps: Sequence[tuple[Step, ...]]


@dataclass(frozen=True, slots=True)
class Alternative:
    """Another plan, which differs in the rows first..last alone, and what it costs in bits more."""

    cost: float
    first: int
    last: int
    plan: Callable[[], Plan]


def greedy(reader: Reader) -> Path:
    """The likeliest reading, row by row."""
    path = Path([], [], [])
    _continue(reader, path, None, 0)
    return path


def _continue(reader: Reader, path: Path, parent: Path | None, from_row: int) -> tuple[int, int]:
    """Read the rows left in `path`, taking the parent's where the state is the same again; how many rows were read, and
    the row behind the last of them."""
    if path.before:
        state, memory = _after_last(reader, path)
    else:
        state, memory = State(), Memory()
    count = 0
    number = last = len(path.texts)
    while number < len(reader.rows):
        row = reader.rows[number]
        if row.start is not None:
            state = row.start
        if parent is not None and number > from_row + 1 and parent.before[number][0] == state:
            low = max(0, number - _SAME)
            if path.texts[low:] == parent.texts[low:number]:
                end = len(reader.rows) if parent.before[number][1] == memory else _indifferent(reader, parent, number)
                path.texts += parent.texts[number:end]
                path.options += parent.options[number:end]
                path.before += [(same, memory) for same, _ in parent.before[number:end]]
                if end == len(reader.rows):
                    return count, last
                if end > number:
                    number = end
                    state = parent.before[number][0]
                    continue
        path.before.append((state, memory))
        count += 1
        if row.text is not None:
            path.texts.append(row.text)
            path.options.append(None)
            state, memory = reader.after(number, state, memory, None, row.text)
        else:
            candidates = reader.candidates(number, state, memory, path.texts)
            chosen = candidates[0]
            path.texts.append(chosen.text)
            path.options.append(candidates)
            state, memory = reader.after(number, state, memory, chosen, chosen.text)
        number += 1
        last = number
    return count, last


def _indifferent(reader: Reader, parent: Path, number: int) -> int:
    """The first row from `number` on that another memory can change."""
    while number < len(reader.rows):
        row, options = reader.rows[number], parent.options[number]
        if options and row.chunks:
            told = any(key.startswith("sentence") or key in {"end", "star"} for key in row.chunks.keys)
            if told or row.model is not None or options[0].kind in {"paren", "plain"}:
                break
        number += 1
    return number


def _after_last(reader: Reader, path: Path) -> tuple[State, Memory]:
    number = len(path.texts) - 1
    state, memory = path.before[number]
    options = path.options[number]
    text = path.texts[number]
    candidate = next((option for option in options or () if option.text == text), None)
    return reader.after(number, state, memory, candidate, text)


@dataclass(slots=True)
class Effect:
    """A deviation with what follows from it: `rows` that come out otherwise (text with line ending), in order; `more`
    lists the deviations that are open only after it: (bits, row, option), cheapest first."""

    cost: float
    rows: tuple[tuple[int, bytes], ...]
    numbers: frozenset[int]
    path: Path
    plan: Plan
    more: list[tuple[float, int, Candidate]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Fresh:
    """A path that deviates in row `number` and was read anew, here and there, up to row `end`; `mark` forbids others of
    its kind."""

    cost: float
    path: Path
    number: int
    end: int
    mark: frozenset[int] = frozenset()


class _Effects:
    """All effects in the order of their cost, made one by one."""

    def __init__(self, plan: Plan, alternatives: Sequence[Alternative], *, unlikely: bool) -> None:
        self.root = Effect(0.0, (), frozenset(), greedy(plan.reader), plan)
        self.made: list[Effect] = []
        self.lines = 0
        self.first = [text + end for text, end in zip(self.root.path.texts, plan.endings, strict=True)]
        self._heap: list[tuple[float, int, Effect, int]] = []
        self._others: list[Alternative] = sorted(alternatives, key=lambda other: other.cost)
        self._serial = 0
        self.root.more = self._deviations(self.root, -1, len(self.root.path.options))
        self._joints: list[Joint] = []
        if unlikely:
            self._add_unlikely()
            path = self.root.path
            lines = Lines(plan.reader.rows, path.texts, path.options, [state for state, _ in path.before])
            self._joints = joint(lines)[::-1]
        self._push(self.root, 0)

    def get(self, at: int) -> Effect | None:
        """Effect number `at`, None where there are no more."""
        while at >= len(self.made):
            effect = self._next()
            if effect is None:
                return None
            if effect.rows:
                self.made.append(effect)
        return self.made[at]

    def _push(self, parent: Effect, at: int) -> None:
        if at < len(parent.more):
            self._serial += 1
            heappush(self._heap, (parent.cost + parent.more[at][0], self._serial, parent, at))

    def _next(self) -> Effect | None:
        if self._others and (not self._heap or self._others[0].cost <= self._heap[0][0]):
            return self._other(self._others.pop(0))
        if self._joints and (not self._heap or self._joints[-1].cost <= self._heap[0][0]):
            return self._together(self._joints.pop())
        if not self._heap:
            return None
        cost, _, parent, at = heappop(self._heap)
        if cost > _MAX_COST:
            return None
        self._push(parent, at + 1)
        _, number, option = parent.more[at]
        if option.kind == LONE:
            return self._lone(cost, number, option, parent)
        old = parent.path
        path = Path([*old.texts[:number], option.text], old.options[: number + 1], old.before[: number + 1])
        count, end = _continue(parent.plan.reader, path, old, number)
        self.lines += 1 + count
        return self._effect(_Fresh(cost, path, number, end), parent, parent.plan)

    def _lone(self, cost: float, number: int, option: Candidate, parent: Effect) -> Effect:
        """The effect of a reading from which nothing follows; a second one may be in the same line."""
        row = ((number, option.text + parent.plan.endings[number]),)
        effect = Effect(cost, row, frozenset({number}), parent.path, parent.plan)
        if parent is self.root and len(self.root.more) <= _FEW_DEVIATIONS:
            again = parent.plan.reader.unlikely(number, [*parent.path.texts[:number], option.text])
            effect.more = [(one.cost - _AGAIN, number, one) for one in again if one.kind == LONE]
            effect.more.sort(key=_order)
            self._push(effect, 0)
        return effect

    def alone(self) -> Iterator[tuple[Effect]]:
        """Each joint deviation by itself: few readings, which cheap deviations in many lines must not crowd out."""
        for one in reversed(self._joints.copy()):
            yield (self._together(one),)

    def _together(self, one: Joint) -> Effect:
        """The effect of a joint deviation, from which nothing else follows."""
        endings = self.root.plan.endings
        rows = tuple((row, text + endings[row]) for row, text in one.rows)
        return Effect(one.cost, rows, frozenset(row for row, _ in rows), self.root.path, self.root.plan)

    def _other(self, other: Alternative) -> Effect:
        """The effect of another plan: its rows are read from where it differs."""
        plan, old = other.plan(), self.root.path
        path = Path(old.texts[: other.first], old.options[: other.first], old.before[: other.first])
        count, end = _continue(plan.reader, path, old, other.last)
        self.lines += count
        mark = frozenset({-1 - plan.reader.rows[other.first].hunk})
        return self._effect(_Fresh(other.cost, path, other.first - 1, end, mark), self.root, plan)

    def _effect(self, fresh: _Fresh, parent: Effect, plan: Plan) -> Effect:
        """The effect of a path that was read anew in some rows and is `parent`'s in the others."""
        path, number, end = fresh.path, fresh.number, fresh.end
        low = max(0, number)
        rows = [change for change in parent.rows if change[0] < low]
        for row in range(low, end):
            text = path.texts[row] + plan.endings[row]
            if text != self.first[row] and plan.reader.rows[row].shown:
                rows.append((row, text))
        rows += [change for change in parent.rows if change[0] >= end]
        numbers = frozenset([row for row, _ in rows]) | fresh.mark | {row for row in parent.numbers if row < 0}
        effect = Effect(fresh.cost, tuple(rows), numbers, path, plan)
        if rows:
            effect.more = self._deviations(effect, number, end)
            # Below the rows that were read anew, what was open for the parent still is.
            effect.more += [one for one in parent.more if one[1] >= end] if parent is not self.root else []
            effect.more.sort(key=_order)
            self._push(effect, 0)
        return effect

    def _deviations(self, effect: Effect, after: int, end: int) -> list[tuple[float, int, Candidate]]:
        """What else could be chosen in the rows between `after` and `end`, where that is not the same as in the greedy
        reading."""
        found: list[tuple[float, int, Candidate]] = []
        path, root = effect.path, self.root.path
        for number in range(after + 1, end):
            options = path.options[number]
            if not options or len(options) < 2:
                continue
            if effect is not self.root and number not in effect.numbers:
                others = root.options[number]
                if others is options or (others and _texts(others) == _texts(options)):
                    continue
            least = options[0].cost
            found += [(option.cost - least, number, option) for option in options[1:]]
        self.lines += (end - after) // _CHEAPER
        found.sort(key=_order)
        return found

    def _add_unlikely(self) -> None:
        """List the readings that no rule gives, too."""
        path = self.root.path
        for number, options in enumerate(path.options):
            if options is None or len(path.texts[number]) > _LONGEST or len(self.root.more) > _MOST:
                continue
            given = {option.text for option in options}
            more = [o for o in self.root.plan.reader.unlikely(number, path.texts) if o.text not in given]
            self.root.more += [(option.cost, number, option) for option in more]
        self.root.more.sort(key=_order)


def _texts(options: Sequence[Candidate]) -> list[bytes]:
    return [option.text for option in options]


def _order(deviation: tuple[float, int, Candidate]) -> tuple[float, int]:
    return deviation[:2]


def _combined(effects: _Effects) -> Iterator[tuple[Effect, ...]]:
    """Sets of effects that touch different rows, the cheapest first, without end but that of the effects."""
    first = effects.get(0)
    if first is None:
        return
    serial = 0
    # Each entry is a set by the numbers of its effects; those without the last one are known not to touch.
    heap: list[tuple[float, int, tuple[int, ...], float, frozenset[int]]] = [(first.cost, 0, (0,), 0.0, frozenset())]
    while heap:
        cost, _, chosen, spent, taken = heappop(heap)
        if cost > _MAX_COST:
            return
        last = effects.made[chosen[-1]]
        usable = taken.isdisjoint(last.numbers)
        if usable:
            yield tuple([effects.made[at] for at in chosen])
        following = effects.get(chosen[-1] + 1)
        if following is None:
            continue
        serial += 1
        at = chosen[-1] + 1
        heappush(heap, (spent + following.cost, serial, (*chosen[:-1], at), spent, taken))
        if usable:
            serial += 1
            heappush(heap, (cost + following.cost, serial, (*chosen, at), cost, taken | last.numbers))


def search(
    plan: Plan,
    judge: Judge,
    bound: Bound,
    *,
    alternatives: Sequence[Alternative] = (),
    unlikely: bool = True,
) -> tuple[Path, tuple[Plan, ...], bool, int]:
    """The reading the judge accepts, or the likeliest; the plans it takes rows from (later ones over earlier ones);
    whether it was accepted; how many readings were tried.

    With `unlikely`, single deviations that no rule gives are tried too, in their turn.
    """
    effects = _Effects(plan, alternatives, unlikely=unlikely)
    root = effects.root.path
    variations = Variations(judge, root.texts, plan.endings)
    tried = 1
    bound = bound.for_id(judge.wanted)
    if variations.right(()):
        return root, (plan,), True, tried
    for chosen in chain(effects.alone(), _combined(effects)):
        rows = chosen[0].rows if len(chosen) == 1 else tuple(sorted(row for effect in chosen for row in effect.rows))
        tried += 1
        if variations.right(rows):
            return _merged(effects.root, chosen), tuple(effect.plan for effect in chosen), True, tried
        if tried >= bound.readings or judge.hashed >= bound.hashed or effects.lines >= bound.lines:
            break
    return root, (plan,), False, tried


def _merged(root: Effect, chosen: Sequence[Effect]) -> Path:
    """The reading with all these effects."""
    path = Path(list(root.path.texts), root.path.options, root.path.before)
    for effect in chosen:
        for row, text in effect.rows:
            ending = effect.plan.endings[row]
            path.texts[row] = text[: len(text) - len(ending)]
    return path


def undecided(plan: Plan, bits: float, alternatives: Sequence[Alternative] = ()) -> dict[int, int]:
    """The rows that a reading at most `bits` less likely than the likeliest has otherwise, also where that only follows
    from another line; and how many readings each has. A row next to one of them is held to a stricter limit."""
    effects = _Effects(plan, alternatives, unlikely=False)
    found: dict[int, set[bytes]] = {}
    at = 0
    while at < _LISTED and effects.lines < _LISTED_LINES and (effect := effects.get(at)) and effect.cost <= bits:
        for row, text in effect.rows:
            found.setdefault(row, {effects.first[row]}).add(text)
        at += 1
    for row in range(len(plan.reader.rows)):
        _open_readings(effects, row, bits, found)
    for row in sorted(found):
        for beside in (row - 1, row + 1):
            if 0 <= beside < len(plan.reader.rows) and beside not in found:
                _open_readings(effects, beside, max(bits, _NEAR), found)
    return {row: len(texts) for row, texts in found.items()}


def _open_readings(effects: _Effects, row: int, bits: float, found: dict[int, set[bytes]]) -> None:
    """Add to `found` the readings of a row within `bits` of its likeliest, where there is more than one."""
    root = effects.root
    options = root.path.options[row]
    near = {option.text for option in options or () if option.cost - (options or [option])[0].cost <= bits}
    if len(near) > 1 and root.plan.reader.rows[row].shown:
        found.setdefault(row, set()).update(text + root.plan.endings[row] for text in near)
