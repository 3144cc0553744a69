"""The ways a reading of a file can deviate from the likeliest one, in the order of their cost.

Each deviation in one line, with all that follows from it for the lines below, is an `Effect`: the rows that come out
otherwise, and a cost in bits. What one habit explains in many lines (`together`), and readings that no rule gives, are
effects from which nothing else follows; they are looked for in the likeliest reading, and then in the lines that an
effect changed. Effects are made when their turn comes.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from heapq import heappop, heappush
from math import log2
from operator import itemgetter

from kpatch_tool.restore.readings.altered import Altered
from kpatch_tool.restore.readings.odd import ALIKE, BESIDE, Odd, One
from kpatch_tool.restore.readings.paths import Alternative, Plan, ReadPath, read_on
from kpatch_tool.restore.readings.reading import LONE, Candidate
from kpatch_tool.restore.readings.together import LEAST, Joint, Lines, joint
from kpatch_tool.restore.readings.unruled import UNLIKELY

MOST_LINES = 18_000  # read for a file
MAX_COST = 26.0  # bits: readings less likely than one in 2^26 are not tried
_LONGEST = 200  # bytes of a line whose unlikely readings are tried
_FEW_DEVIATIONS = 6_000  # of a file for which two unlikely gaps in one line are tried
_AGAIN = 5.0  # bits: how much less a second unlikely gap in the same line costs
_DEAREST_AGAIN = 16.0
_CHEAPER = 100  # listing what else a line could be is cheaper than reading it by this factor
_KNOWN = 8  # and so is reading a line again as it was read before
_FEW_JOINTS = 32
_LIKELIER = 0.5  # bits: what an effect makes so much likelier is looked at apart
_FOLLOWED = 9.0  # bits: effects that cost more are not looked into again
# So that memory stays small: effects that are looked into again, the lines they may reach over, and what is listed.
_MOST_EXPANDED = 40
_LONGEST_EXPANDED = 120
_MOST_BESIDE = 300
_DEAREST_BESIDE = 15.0
_EXPAND = -1

More = tuple[float, int, Candidate | Joint]  # bits, (first) row, what it has
Listed = Mapping[int, Collection[bytes]]  # texts with line endings, by their rows
Stream = tuple[Sequence[More], int]  # deviations, cheapest first, of which those from that row on are open
_order = itemgetter(0, 1)


@dataclass(slots=True)
class Effect:
    """A deviation with what follows from it: the rows that come out otherwise (text with line ending); `taken` is what
    no other effect may touch that is combined with it: a bit for each of the rows, and behind them for each hunk that
    is read otherwise. `more` are the deviations that are open only after it. `lone` is the row that alone was changed
    by a reading that no rule gives, -1 otherwise, and `what` how that differs."""

    cost: float
    altered: Altered
    taken: int
    path: ReadPath
    plan: Plan
    more: tuple[Stream, ...] = ()
    lone: int = -1
    what: str = ""


@dataclass(frozen=True, slots=True)
class _Fresh:
    """A path that deviates in row `number` and was read anew, here and there, up to row `end`; `mark` is a bit that
    forbids others of its kind."""

    cost: float
    path: ReadPath
    number: int
    end: int
    mark: int = 0


class Effects:
    """All effects in the order of their cost, made one by one."""

    def __init__(
        self,
        plan: Plan,
        likeliest: ReadPath,
        alternatives: Sequence[Alternative],
        *,
        unlikely: bool,
        most_lines: int = MOST_LINES,
        listed: Listed | None = None,
    ) -> None:
        """Those from `likeliest`, the likeliest reading. With `unlikely`, readings that no rule gives are among them;
        when `most_lines` lines were read, nothing more is read below a deviation. With `listed`, which may grow
        meanwhile, deviations to a text that a row has there are left out."""
        self.root = Effect(0.0, Altered(()), 0, likeliest, plan)
        self._most_lines = most_lines
        self._listed: Listed = {} if listed is None else listed
        self._seen: set[int] = set()
        self._pairs: dict[tuple[int, bytes], tuple[int, bytes]] = {}
        self.made: list[Effect] = []
        self.first = [text + end for text, end in zip(self.root.path.texts, plan.endings, strict=True)]
        self._unlikely = unlikely
        self._heap: list[tuple[float, int, Effect, int, int]] = []
        self._others: list[Alternative] = sorted(alternatives, key=lambda other: other.cost)
        self._serial = 0
        self._asked = self._looked = self._expanded = 0
        self._known = len(plan.reader.cache)
        more = self._deviations(self.root, -1, len(self.root.path.options))
        self._joints: list[Joint] = []
        self._odd = Odd(self._all_unruled()) if unlikely else Odd(())
        if unlikely:
            more = sorted([*more, *self._odd.all], key=_order)
            found = joint(_lines(self.root, 0, len(plan.reader.rows)))
            self._joints = [replace(one, cost=one.cost + _spread(found)) for one in reversed(found)]
        self.root.more = ((more, 0),)
        self._few = len(more) <= _FEW_DEVIATIONS
        self._open(self.root)

    @property
    def lines(self) -> int:
        """The lines that were read so far."""
        return len(self.root.plan.reader.cache) - self._known + self._looked + self._asked // _KNOWN

    def get(self, at: int) -> Effect | None:
        """Effect number `at`, None where there are no more."""
        while at >= len(self.made):
            effect = self._next()
            if effect is None:
                return None
            if effect.altered.rows and effect.altered.key not in self._seen:
                self._seen.add(effect.altered.key)
                self.made.append(effect)
        return self.made[at]

    def alone(self) -> Iterator[tuple[Effect]]:
        """Each joint deviation by itself: few readings, which cheap deviations in many lines must not crowd out."""
        for one in reversed(self._joints.copy()):
            yield (self._together(one, one.cost, self.root),)

    def _open(self, effect: Effect) -> None:
        for stream in range(len(effect.more)):
            self._push(effect, stream, 0)

    def _push(self, parent: Effect, stream: int, at: int) -> None:
        """Put the next deviation of a stream on the heap."""
        more, first = parent.more[stream]
        while at < len(more) and more[at][1] < first:
            at += 1
        if at < len(more):
            self._at(parent.cost + more[at][0], parent, stream, at)

    def _at(self, cost: float, parent: Effect, stream: int, at: int = 0) -> None:
        self._serial += 1
        heappush(self._heap, (cost, self._serial, parent, stream, at))

    def _next(self) -> Effect | None:
        while self._heap and self._heap[0][3] == _EXPAND:
            self._expand(heappop(self._heap)[2])
        if self._others and (not self._heap or self._others[0].cost <= self._heap[0][0]):
            return self._other(self._others.pop(0))
        if self._joints and (not self._heap or self._joints[-1].cost <= self._heap[0][0]):
            one = self._joints.pop()
            return self._together(one, one.cost, self.root)
        return self._cheapest() if self._heap else None

    def _cheapest(self) -> Effect | None:
        """What lies on top of the heap, None where that costs too much."""
        cost, _, parent, stream, at = heappop(self._heap)
        if cost > MAX_COST:
            return None
        self._push(parent, stream, at + 1)
        _, number, option = parent.more[stream][0][at]
        if isinstance(option, Joint):
            return self._together(option, cost, parent)
        if option.kind == LONE or self.lines >= self._most_lines:
            return self._lone(cost, number, option, parent)
        if option.text + parent.plan.endings[number] in self._listed.get(number, ()):
            return _also(self.root, cost, ())  # without a row, so that it is passed over
        old = parent.path
        path = ReadPath([*old.texts[:number], option.text], old.options[: number + 1], old.before[: number + 1])
        count, end = read_on(parent.plan.reader, path, old, number)
        self._asked += 1 + count
        return self._effect(_Fresh(cost, path, number, end), parent, parent.plan)

    def _lone(self, cost: float, number: int, option: Candidate, parent: Effect) -> Effect:
        """The effect of a reading from which nothing follows; a second one may be in the same line, and further ones
        near it or of its kind."""
        effect = _also(parent, cost, ((number, option.text),))
        if parent.lone < 0 and option.what:
            effect.lone, effect.what = number, option.what
            self._at(cost + UNLIKELY - _AGAIN, effect, _EXPAND)
        return effect

    def _together(self, one: Joint, cost: float, parent: Effect) -> Effect:
        """The effect of a joint deviation, from which nothing else follows."""
        return _also(parent, cost, one.rows)

    def _other(self, other: Alternative) -> Effect:
        """The effect of another plan: its rows are read from where it differs."""
        plan, old = other.plan(), self.root.path
        path = ReadPath(old.texts[: other.first], old.options[: other.first], old.before[: other.first])
        count, end = read_on(plan.reader, path, old, other.last)
        self._asked += count
        mark = 1 << len(plan.reader.rows) + plan.reader.rows[other.first].hunk
        return self._effect(_Fresh(other.cost, path, other.first - 1, end, mark), self.root, plan)

    def _effect(self, fresh: _Fresh, parent: Effect, plan: Plan) -> Effect:
        """The effect of a path that was read anew in some rows and is `parent`'s in the others."""
        path, number, end = fresh.path, fresh.number, fresh.end
        low = max(0, number)
        above = parent.altered.all()
        rows = [change for change in above if change[0] < low]
        for row in range(low, end):
            text = path.texts[row] + plan.endings[row]
            if text != self.first[row] and plan.reader.rows[row].shown:
                rows.append(self._pairs.setdefault((row, text), (row, text)))
        rows += [change for change in above if change[0] >= end]
        hunks = parent.taken >> len(plan.reader.rows) << len(plan.reader.rows)
        effect = Effect(fresh.cost, Altered(tuple(rows)), _bits(rows) | fresh.mark | hunks, path, plan)
        if rows:
            # Below the rows that were read anew, what was open for the parent still is.
            below = parent.more if parent is not self.root else ()
            own = self._deviations(effect, number, end)
            effect.more = ((own, 0), *((more, max(first, end)) for more, first in below))
            self._open(effect)
            if self._unlikely and fresh.cost <= _FOLLOWED and len(rows) > 1:
                self._at(fresh.cost + LEAST, effect, _EXPAND)
        return effect

    def _deviations(self, effect: Effect, after: int, end: int) -> list[More]:
        """What else could be chosen in the rows between `after` and `end`, where that is not as likely in the greedy
        reading."""
        found: list[More] = []
        path, root = effect.path, self.root.path
        for number in range(after + 1, end):
            options = path.options[number]
            if not options or len(options) < 2:
                continue
            least = options[0].cost
            known: dict[bytes, float] = {}
            if effect is not self.root and not effect.taken >> number & 1:
                others = root.options[number] or []
                if others is options:
                    continue
                known = {other.text: other.cost - others[0].cost - _LIKELIER for other in others}
            found += [
                (option.cost - least, number, option)
                for option in options[1:]
                if option.cost - least < known.get(option.text, MAX_COST)
            ]
        self._looked += (end - after) // _CHEAPER
        found.sort(key=_order)
        return found

    def _all_unruled(self) -> Iterator[One]:
        for number in range(len(self.root.path.options)):
            yield from self._unruled(self.root, number)

    def _unruled(self, effect: Effect, number: int) -> Iterator[One]:
        """The readings of a row that no rule gives, or that a rule makes less likely than if none did."""
        path = effect.path
        options = path.options[number]
        if options is None or len(path.texts[number]) > _LONGEST:
            return
        least = options[0].cost if options else 0.0
        given = {option.text: option.cost - least for option in options}
        for option in effect.plan.reader.unlikely(number, path.texts, _kind(options)):
            if option.cost < given.get(option.text, MAX_COST):
                yield option.cost, number, option

    def _expand(self, effect: Effect) -> None:
        """List for an effect what was not listed when it was made: a second reading of a line that no rule gives, or
        what no rule and what a habit gives for the lines it changed."""
        more = list(self._again(effect) if effect.lone >= 0 else self._beside(effect))
        more.sort(key=_order)
        self._open(replace(effect, more=((more, 0),)))
        if effect.lone >= 0 and not effect.taken & (effect.taken - 1):
            # It is of one row of the likeliest reading.
            below = effect.lone + 1
            near = tuple((beside, below) for beside in self._odd.beside(effect.lone))
            self._open(replace(effect, cost=effect.cost - BESIDE, more=near))
            alike = self._odd.alike(effect.what)
            self._open(replace(effect, cost=effect.cost - ALIKE, more=((alike, below),)))

    def _beside(self, effect: Effect) -> Iterator[More]:
        rows = [row for row, _ in effect.altered.all()]
        low, high = rows[0], rows[-1] + 1
        self._expanded += 1
        if self._expanded > _MOST_EXPANDED or high - low > _LONGEST_EXPANDED or self.lines >= self._most_lines:
            return
        self._looked += high - low
        for row in rows:
            yield from (one for one in self._unruled(effect, row) if one[0] <= _DEAREST_BESIDE)
        found = joint(_lines(effect, low, high))
        beside = [one for one in found if effect.taken & _bits(one.rows)]
        for one in beside[:_MOST_BESIDE]:
            yield one.cost + _spread(found), one.rows[0][0], one

    def _again(self, effect: Effect) -> Iterator[More]:
        if not self._few:
            return
        number = effect.lone
        ending = effect.plan.endings[number]
        text = effect.altered.text(number) or ending
        texts = [*effect.path.texts[:number], text[: len(text) - len(ending)]]
        for one in effect.plan.reader.unlikely(number, texts, _kind(effect.path.options[number]), _DEAREST_AGAIN):
            if one.kind == LONE:
                yield one.cost - _AGAIN, number, one


def _also(parent: Effect, cost: float, changes: Iterable[tuple[int, bytes]]) -> Effect:
    """`parent` with further rows changed, from which nothing else follows."""
    rows = tuple(sorted([(row, text + parent.plan.endings[row]) for row, text in changes]))
    return Effect(cost, parent.altered.also(rows), parent.taken | _bits(rows), parent.path, parent.plan)


def _bits(rows: Iterable[tuple[int, bytes]]) -> int:
    """A bit for each of the rows."""
    taken = 0
    for row, _ in rows:
        taken |= 1 << row
    return taken


def _spread(joints: Sequence[Joint]) -> float:
    """What each of many joint deviations costs more, for the more there are the less likely is each."""
    return log2(max(1.0, len(joints) / _FEW_JOINTS)) / 2.0


def _lines(effect: Effect, low: int, high: int) -> Lines:
    """What joint deviations are made from: the rows low..high-1 as an effect left them."""
    path, rows = effect.path, effect.plan.reader.rows
    states = [state for state, _ in path.before[low:high]]
    return Lines(rows[low:high], path.texts[low:high], path.options[low:high], states, low)


def _kind(options: Sequence[Candidate] | None) -> str:
    return options[0].kind if options else ""
