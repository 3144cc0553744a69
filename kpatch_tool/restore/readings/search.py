"""Searches the readings of a damaged file for the one whose git blob id the patch names.

The greedy reading takes the likeliest bytes for every line. A reading is a set of deviations from it (`effects`) that
touch different rows; readings are tried in the order of their summed cost (but for `BAND` bits), each at little more
than the SHA-1 of the file behind its first changed line. The bound is a number of readings, of bytes hashed and of
lines read, so that the outcome is the same on any machine.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain

from kpatch_tool.restore.readings.effects import MAX_COST, MOST_LINES, Effect, Effects
from kpatch_tool.restore.readings.judge import Judge, Variations, readings_judged
from kpatch_tool.restore.readings.paths import Alternative, Plan, ReadPath, greedy

# Where so many readings were tried and none costs that many bits more than the likeliest, so many lines are open that
# the right reading is not among the next ones either.
_MANY, _SHALLOW = 20_000, 3.0
BAND = 0.125  # bits: sets that differ less in cost are tried in any order
_MOST_EFFECTS = 100_000  # combined with each other
_MOST_TOGETHER = 30  # effects of a set
_MOST_SETS = 4_000_000  # sets of deviations looked at, with those that touch the same rows
_LISTED = 600  # deviations followed up to list what is not decided
_LISTED_LINES = 4_000  # lines read for that
_NEAR = 16.0  # bits: the limit for a line next to one that is not decided, for odd lines seldom stand alone


@dataclass(frozen=True, slots=True)
class Bound:
    """How much work a search may do: readings tried, bytes hashed, and lines read. With `only_proven` the lines that
    nothing decided are not looked for, which takes as long as the search: what is not proven is not taken."""

    readings: int = 700_000
    hashed: int = 5_000_000_000
    lines: int = MOST_LINES
    only_proven: bool = False

    def for_id(self, wanted: str) -> Bound:
        """This bound, with no more readings than an abbreviated id of that length can tell apart."""
        return replace(self, readings=min(self.readings, readings_judged(wanted)))


class _Sets:
    """Sets of effects that touch different rows, by their cost in bands."""

    def __init__(self, get: Callable[[int], Effect | None]) -> None:
        self._get = get
        self._made: list[Effect] = []
        self._costs: list[float] = []
        self.looked = 0  # sets looked at, with those whose effects touch the same rows

    def band(self, low: float, high: float) -> Iterator[tuple[Effect, ...]]:
        """The sets that cost at least `low` and less than `high` bits."""
        while len(self._made) < _MOST_EFFECTS:
            effect = self._get(len(self._made))
            if effect is None or effect.cost >= high:
                break
            self._made.append(effect)
            # One that was found late counts as dear as those made before it.
            self._costs.append(max(effect.cost, low, *self._costs[-1:]))
        return self._sets((low, high), 0, ())

    def _sets(self, band: tuple[float, float], first: int, numbers: tuple[int, ...]) -> Iterator[tuple[Effect, ...]]:
        """The sets of the effects with these numbers and further ones, from number `first` on."""
        made, costs = self._made, self._costs
        chosen = tuple([made[number] for number in numbers])
        spent = sum([costs[number] for number in numbers])
        taken = 0
        for effect in chosen:
            taken |= effect.taken
        begin, end = (bisect_left(costs, limit - spent, first) for limit in band)
        self.looked += end - begin
        for effect in made[begin:end]:
            if not effect.taken & taken:
                yield (*chosen, effect)
        if len(numbers) == _MOST_TOGETHER:
            return
        most = band[1] - spent
        for at in range(first, len(made) - 1):
            if costs[at] + costs[at + 1] >= most or self.looked > _MOST_SETS:
                return
            if not made[at].taken & taken:
                yield from self._sets(band, at + 1, (*numbers, at))


def sets_by_cost(get: Callable[[int], Effect | None]) -> Iterator[tuple[Effect, ...]]:
    """Sets of effects that touch different rows, the cheapest first but for `BAND` bits; `get` gives the effects in the
    order of their cost by number, None behind the last."""
    first = get(0)
    if first is None:
        return
    sets = _Sets(get)
    low = first.cost
    while low <= MAX_COST and sets.looked <= _MOST_SETS:
        yield from sets.band(low, low + BAND)
        low += BAND


def search(
    plan: Plan,
    judge: Judge,
    bound: Bound,
    *,
    alternatives: Sequence[Alternative] = (),
    unlikely: bool = True,
) -> tuple[ReadPath, tuple[Plan, ...], bool, int]:
    """The reading the judge accepts, or the likeliest; the plans it takes rows from (later ones over earlier ones);
    whether it was accepted; how many readings were tried.

    With `unlikely`, single deviations that no rule gives are tried too, in their turn.
    """
    root = greedy(plan.reader)
    variations = Variations(judge, root.texts, plan.endings)
    tried = 1
    if variations.right([]):  # as it mostly is, and before anything is made of the other readings
        return root, (plan,), True, tried
    effects = Effects(plan, root, alternatives, unlikely=unlikely, most_lines=bound.lines)
    bound = bound.for_id(judge.wanted)
    for chosen in chain(effects.alone(), sets_by_cost(effects.get)):
        right = variations.right([effect.altered for effect in chosen])
        if right is None:
            continue
        tried += 1
        if right:
            return _merged(effects.root, chosen), tuple(effect.plan for effect in chosen), True, tried
        if tried == _MANY and sum(effect.cost for effect in chosen) < _SHALLOW:
            break
        if tried >= bound.readings or judge.hashed >= bound.hashed:
            break
    return root, (plan,), False, tried


def _merged(root: Effect, chosen: Sequence[Effect]) -> ReadPath:
    """The reading with all these effects."""
    path = ReadPath(list(root.path.texts), root.path.options, root.path.before)
    for effect in chosen:
        for row, text in effect.altered.all():
            ending = effect.plan.endings[row]
            path.texts[row] = text[: len(text) - len(ending)]
    return path


def undecided(plan: Plan, likeliest: ReadPath, bits: float, alternatives: Sequence[Alternative] = ()) -> dict[int, int]:
    """The rows that a reading at most `bits` less likely than the likeliest has otherwise, also where that only follows
    from another line; and how many readings each has. A row next to one of them is held to a stricter limit."""
    found: dict[int, set[bytes]] = {}
    # A text that another line's deviation gave a row opens, by itself, hardly anything that is not open already.
    effects = Effects(plan, likeliest, alternatives, unlikely=False, listed=found)
    at = 0
    while at < _LISTED and effects.lines < _LISTED_LINES and (effect := effects.get(at)) and effect.cost <= bits:
        for row, text in effect.altered.all():
            found.setdefault(row, {effects.first[row]}).add(text)
        at += 1
    for row in range(len(plan.reader.rows)):
        _open_readings(effects, row, bits, found)
    for row in sorted(found):
        for beside in (row - 1, row + 1):
            if 0 <= beside < len(plan.reader.rows) and beside not in found:
                _open_readings(effects, beside, max(bits, _NEAR), found)
    return {row: len(texts) for row, texts in found.items()}


def _open_readings(effects: Effects, row: int, bits: float, found: dict[int, set[bytes]]) -> None:
    """Add to `found` the readings of a row within `bits` of its likeliest, where there is more than one."""
    root = effects.root
    options = root.path.options[row]
    near = {option.text for option in options or () if option.cost - (options or [option])[0].cost <= bits}
    if len(near) > 1 and root.plan.reader.rows[row].shown:
        found.setdefault(row, set()).update(text + root.plan.endings[row] for text in near)
