"""Tells what the lines of a loosely read hunk are: context, removed, added, or the rest of the line above.

The counts in the @@ and, where there is one, the file the patch is made for decide. A reading costs the more, the
stranger it is; the search takes the cheapest first and is bounded by steps.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from heapq import heappop, heappush

from kpatch_tool.diff.model import Kind
from kpatch_tool.restore.likeness import likeness
from kpatch_tool.restore.loose import LooseHunk

_MAX_STEPS = 40_000  # of the search at one place
TEXT_STEPS = 600_000  # of the searches for all hunks of a text without a base: about a second
_ALL_STEPS = 120_000  # of the searches at all places of a hunk
_MAX_PLACES = 80
_MAX_READINGS = 24
_MAX_WITH_LOST = 64  # where blank lines were lost: beside added lines nothing tells their places
_SPREAD = 6.0  # readings that cost this much more than the best do not count
_MOST_PIECES = 8  # lines that one line may be broken into
_SHORT = 40  # no mail program breaks lines this short
_SAME_STATE = 3  # ways to the same point that are followed

# What a line costs that is not as a diff has it.
_LOST_COLUMN = 0.3  # a context line without its blank, where the base has it
_LOST_COLUMN_UNSEEN = 2.0  # the same without a base
_LOOKS_CHANGED = 4.0  # a line that begins with + or - and is context
_MISSING_BLANK = 1.0  # a blank context line the mail does not have
_INSIDE_RUN = 3.0  # more, where it stands between added lines
_EXTRA_BLANK = 1.2  # a blank line that the file does not have
_BROKEN_KNOWN = 0.2  # the rest of a line that the base has whole
_BROKEN = 1.0  # the rest of an added line
_BROKEN_BLANK_FIRST = 1.5  # more, where the rest begins with a blank as a context line does
_BROKEN_LIKE_CHANGE = 4.0  # more, where it begins with + or -
_BROKEN_SHORT = 2.0  # more, where the line above is short
_COULD_BE_CONTEXT = 2.5  # more, where the base has it as a line
_REST_LOST = 2.0  # the last line, of which the rest is not there
_SECTION_REST = 0.5  # the rest of the @@ line
_LEFT_OVER = 3.0  # a line below the hunk that looks like one of it
_RECOUNTED = 6.0  # wrong counts
_EASY = 0.9  # a reading that costs more than this is not believed before all places were looked at


@dataclass(frozen=True, slots=True)
class Taken:
    """One line of the file: the received lines first..last-1 are it (none: a blank context line that the mail lost).
    `base` is its index in the base, None for an added line and where there is no base."""

    kind: Kind
    first: int
    last: int
    base: int | None


@dataclass(frozen=True, slots=True)
class Fit:
    """One reading of a hunk. `section` are the received lines (from 0) that belong to the @@; `used` how many were
    read; `recounted` says that the counts in the @@ are wrong, `completed` how many context lines were added at the end
    because the mail lost them."""

    cost: float
    taken: tuple[Taken, ...]
    section: int
    used: int
    recounted: bool = False
    completed: int = 0

    def old_count(self) -> int:
        return sum(1 for one in self.taken if one.kind is not Kind.ADDED)

    def new_count(self) -> int:
        return sum(1 for one in self.taken if one.kind is not Kind.REMOVED)


@dataclass(frozen=True, slots=True)
class Fitted:
    """A hunk at its place (`start`: index of its first old line in the base, None without one), best reading first."""

    hunk: LooseHunk
    start: int | None
    fits: tuple[Fit, ...]


class AlikeBase:
    """A file by lines, with the likeness of each."""

    __slots__ = ("alike", "ends_with_newline", "lines", "positions")

    def __init__(self, content: bytes) -> None:
        self.lines = content.split(b"\n")
        self.ends_with_newline = not self.lines[-1]
        if self.ends_with_newline:
            self.lines.pop()
        self.alike = [likeness(line) for line in self.lines]
        self.positions: dict[bytes, list[int]] = {}
        for number, text in enumerate(self.alike):
            self.positions.setdefault(text, []).append(number)


def fit_blind(hunk: LooseHunk, left: list[int]) -> Fitted | None:
    """Read a hunk by its counts alone; None where no reading has them. `left` holds the steps that are left for the
    whole text (TEXT_STEPS at first); those taken here are taken off."""
    search = _Search(_Received(hunk), None, 0)
    fits = search.best(min(_MAX_STEPS, left[0]))
    left[0] -= search.steps
    return Fitted(hunk, None, fits) if fits else None


def fit_hunks(hunks: tuple[LooseHunk, ...], base: AlikeBase, *, anew: bool = False) -> tuple[Fitted, ...] | int:
    """Every hunk at its place in the base, in order and none over another; the index of the first that has none.

    With `anew` readings that have other counts than the @@ says come first.
    """
    placed: list[Fitted] = []
    floor = drift = 0
    for number, hunk in enumerate(hunks):
        wanted = hunk.old_start - (1 if hunk.old_count else 0)
        found = _place(hunk, base, wanted + drift, floor, anew=anew)
        if found is None:
            return number
        assert found.start is not None
        drift = found.start - wanted
        floor = found.start + found.fits[0].old_count()
        placed.append(found)
    return tuple(placed)


def _place(hunk: LooseHunk, base: AlikeBase, wanted: int, floor: int, *, anew: bool) -> Fitted | None:
    received = _Received(hunk)
    places = list(_places(received, base, wanted, floor))
    if not places:
        return None
    left = [_ALL_STEPS]
    here = _first(received, base, places[:1], left, recount=anew)
    if here is not None and here.fits[0].cost <= _EASY:
        return here
    elsewhere = _first(received, base, places[1:], left, recount=anew)
    if elsewhere is not None and elsewhere.fits[0].cost <= _EASY:
        return elsewhere
    if here is not None:
        return here
    # Wrong counts at the right place, rather than lost lines at another.
    return (
        _first(received, base, places[:1], left, recount=not anew)
        or elsewhere
        or _first(received, base, places[1:], left, recount=not anew)
    )


def _first(received: _Received, base: AlikeBase, places: list[int], left: list[int], *, recount: bool) -> Fitted | None:
    """The hunk at the first of `places` where it has an easy reading, else where it has the cheapest; `left` holds the
    steps that may be taken yet."""
    best: Fitted | None = None
    for start in places:
        if left[0] <= 0:
            break
        search = _Search(received, base, start, recount=recount)
        fits = search.best(min(_MAX_STEPS, left[0]))
        left[0] -= search.steps
        if fits and (best is None or fits[0].cost < best.fits[0].cost):
            best = Fitted(received.hunk, start, fits)
            if fits[0].cost <= _EASY:
                break
    return best


class _Received:
    """The lines of a hunk and what is asked of them again and again."""

    __slots__ = ("alike", "below", "blank", "changed", "first", "hunk", "kept", "lines", "soft", "tail")

    def __init__(self, hunk: LooseHunk) -> None:
        self.hunk = hunk
        self.lines = hunk.lines
        self.alike = [likeness(line) for line in hunk.lines]
        self.changed = [likeness(line[1:]) if line[:1] in b"+-" else b"" for line in hunk.lines]
        self.blank = [not text for text in self.alike]
        self.first = [line[:1] for line in hunk.lines]
        # Without the `=` of a soft line break (quoted-printable).
        self.soft = [line.rstrip(b" \t").endswith(b"=") for line in hunk.lines]
        self.tail = _tail(hunk.lines)
        self.kept = any(self.blank[: self.tail])

    def may_lack(self, at: int) -> bool:
        """Whether a blank line may have been lost before line `at`: one at the end may, others only where all were."""
        return at >= self.tail or not (self.kept or self.blank[at])

    def pieces(self, at: int, *, changed: bool) -> Iterator[tuple[int, tuple[bytes, ...]]]:
        """(last, likenesses) of the line that begins at `at`, longer and longer."""
        yield at + 1, (self.changed[at] if changed else self.alike[at],)
        texts = [self.lines[at][1:] if changed else self.lines[at]]
        for last in range(at + 1, min(at + _MOST_PIECES, len(self.lines))):
            more = self.lines[last]
            joined = [text + b" " + more for text in texts] + [text + more for text in texts]
            if self.soft[last - 1]:
                joined = [text.rstrip(b" \t")[:-1] + more for text in texts] + joined[: len(texts)]
            texts = joined[:4]
            yield last + 1, tuple(likeness(text) for text in texts)


def _may_begin(known: bytes, begin: bytes) -> bool:
    """Whether a line may begin so; an address or a code may be broken itself."""
    begin = begin.split(b"@", 1)[0].split(b"=", 1)[0].split(b"&", 1)[0]
    return known.startswith(begin)


def _tail(lines: tuple[bytes, ...]) -> int:
    """How many lines there are before the blank ones at the end."""
    count = len(lines)
    while count and not lines[count - 1].strip():
        count -= 1
    return count


def _places(received: _Received, base: AlikeBase, wanted: int, floor: int) -> Iterator[int]:
    """Where the hunk may start, nearest to `wanted` first."""
    highest = len(base.lines)
    if floor <= wanted <= highest:
        yield wanted
    rare: list[tuple[int, int, bytes]] = []
    for number, text in enumerate(received.alike):
        if received.first[number] == b"+" or not text:
            continue
        for way in {text, received.changed[number]}:
            count = len(base.positions.get(way, ()))
            if way and count:
                rare.append((count, number, way))
    rare.sort(key=lambda one: one[:2])
    starts: set[int] = set()
    for _, number, text in rare[:3]:
        most = sum(1 for at in range(number) if received.first[at] != b"+")
        least = sum(1 for at in range(number) if received.first[at] in (b" ", b"-", b"\t"))
        for offset in range(max(least - 2, most - 8, 0), most + 3):
            starts.update(place - offset for place in base.positions[text][:200])
    usable = (start for start in starts if floor <= start <= highest and start != wanted)
    yield from sorted(usable, key=lambda start: (abs(start - wanted), start))[:_MAX_PLACES]


@dataclass(slots=True)
class _Path:
    one: Taken
    before: _Path | None


_Move = tuple[float, int, int, int, Taken | None]


class _Search:
    """The search for the readings of a hunk at one place, the cheapest first."""

    def __init__(self, received: _Received, base: AlikeBase | None, start: int, *, recount: bool = False) -> None:
        self.received = received
        self.hunk = received.hunk
        self.base = base
        self.start = start
        self.recount = recount
        self.count = len(received.lines)
        self.steps = 0

    def best(self, bound: int) -> tuple[Fit, ...]:
        found: list[Fit] = []
        seen: dict[tuple[int, int, int], int] = {}
        heap: list[tuple[float, int, int, int, int, int, _Path | None]] = []
        for cost, skipped in self._sections():
            heappush(heap, (cost, 0, skipped, 0, 0, skipped, None))
        serial = 0
        while heap and self.steps < bound:
            self.steps += 1
            cost, _, at, old, new, section, path = heappop(heap)
            if found and cost > found[0].cost + _SPREAD:
                break
            if at < 0:  # ended before, with what it costs to leave the rest out
                used = -at - 1
                fit = Fit(cost, _in_order(path), section, used, self.recount)
                if all(fit.taken != other.taken for other in found):
                    found.append(fit)
                if len(found) == (_MAX_READINGS if _whole(fit) else _MAX_WITH_LOST):
                    break
                continue
            key = (at, old, new)
            seen[key] = seen.get(key, 0) + 1
            if seen[key] > _SAME_STATE:
                continue
            added = path is not None and path.one.kind is Kind.ADDED
            if self._complete(at, old, new):
                serial += 1
                more = self._recounted(at, old, new) if self.recount else self._left_over(at)
                heappush(heap, (cost + more, serial, -at - 1, old, new, section, path))
            for more, next_at, next_old, next_new, taken in self._moves(at, old, new, added=added):
                serial += 1
                step = _Path(taken, path) if taken else path
                heappush(heap, (cost + more, serial, next_at, next_old, next_new, section, step))
        if any(one.first == one.last for fit in found for one in fit.taken):
            found = [replace(fit, cost=fit.cost + _oddness(fit.taken, self.received)) for fit in found]
            found.sort(key=lambda fit: fit.cost)
        return tuple(found)

    def _sections(self) -> Iterator[tuple[float, int]]:
        """How many of the first lines belong to the @@ line, and what that costs."""
        yield 0.0, 0
        if not self.hunk.section:
            return
        for skipped in (1, 2):
            if skipped > len(self.received.lines) or self.received.first[skipped - 1] in (b"+", b"-"):
                return
            if self.received.blank[skipped - 1]:
                return
            bold = 0.0 if self.received.first[skipped - 1] != b" " else 1.5
            yield _SECTION_REST * skipped + bold, skipped

    def _complete(self, at: int, old: int, new: int) -> bool:
        if self.recount:
            return at >= self.received.tail and bool(old or new) and self.base is not None
        return old == self.hunk.old_count and new == self.hunk.new_count

    def _recounted(self, at: int, old: int, new: int) -> float:
        """What it costs that the counts are wrong; of blank lines at the end as many are taken as one count says."""
        right = (old == self.hunk.old_count) + (new == self.hunk.new_count)
        return _RECOUNTED - 0.5 * right + 0.1 * (self.count - at)

    def _left_over(self, at: int) -> float:
        """What it costs to leave out the lines from `at` on."""
        cost = 0.0
        for number in range(at, min(self.received.tail, at + 3)):
            line = self.received.lines[number]
            if not line.strip():
                continue
            if not self.hunk.last or (line[:1] in b"+- \t" and line[:2] != b"--"):
                cost += _LEFT_OVER
            elif self.received.lines[at].strip() and not line.startswith(b"--"):
                cost += 0.5
        return cost

    def _moves(self, at: int, old: int, new: int, *, added: bool) -> Iterator[_Move]:
        """(cost, next received line, old lines, new lines, what was taken); `added`: so was the line before."""
        more_old = self.recount or old < self.hunk.old_count
        more_new = self.recount or new < self.hunk.new_count
        index = self.start + old if self.base is not None else None
        known = self.base.alike[index] if self.base and index is not None and index < len(self.base.alike) else None
        if self.base is not None and known is None:
            more_old = False
        if more_old and more_new and known == b"" and self.received.may_lack(at):
            cost = _MISSING_BLANK + (_INSIDE_RUN if added and self.received.first[at : at + 1] == [b"+"] else 0.0)
            yield cost, at, old + 1, new + 1, Taken(Kind.CONTEXT, at, at, index)
        if at >= self.count:
            return
        first = self.received.first[at]
        if self.received.blank[at]:
            if more_old and more_new and (self.base is None or known == b""):
                yield 0.0, at + 1, old + 1, new + 1, Taken(Kind.CONTEXT, at, at + 1, index)
            yield _EXTRA_BLANK, at + 1, old, new, None
            return
        if first == b"+" and more_new:
            for cost, last in self._added(at, known):
                yield cost, last, old, new + 1, Taken(Kind.ADDED, at, last, None)
        if first == b"-" and more_old:
            for cost, last in self._old(at, known, changed=True):
                yield cost, last, old + 1, new, Taken(Kind.REMOVED, at, last, index)
        if more_old and more_new:
            column = self._column(first)
            if column is not None:
                for cost, last in self._old(at, known, changed=False):
                    yield cost + column, last, old + 1, new + 1, Taken(Kind.CONTEXT, at, last, index)

    def _column(self, first: bytes) -> float | None:
        """What a context line costs by its first column."""
        if first in (b" ", b"\t") or first >= b"\x80":
            return 0.0
        if first in (b"+", b"-"):
            return _LOOKS_CHANGED if self.base is not None else None
        return _LOST_COLUMN if self.base is not None else _LOST_COLUMN_UNSEEN

    def _old(self, at: int, known: bytes | None, *, changed: bool) -> Iterator[tuple[float, int]]:
        """Where a context or removed line that begins at `at` may end."""
        if self.base is None:
            yield from self._added(at, None)
            return
        if known is None:
            return
        for last, ways in self.received.pieces(at, changed=changed):
            if any(way == known or (way[:2] == b".." and way[1:] == known) for way in ways):
                yield _BROKEN_KNOWN * (last - at - 1), last
                return
            if not any(_may_begin(known, way) for way in ways):
                return
            if last == self.received.tail and known.startswith(ways[0]) and len(ways[0]) >= _SHORT // 2:
                yield _REST_LOST, last

    def _added(self, at: int, known: bytes | None) -> Iterator[tuple[float, int]]:
        """Where an added line may end: at once, or after what looks like the rest of it."""
        yield 0.0, at + 1
        cost = 0.0
        for last in range(at + 1, min(at + _MOST_PIECES, self.count)):
            if self.received.blank[last]:
                return
            before = self.received.lines[last - 1]
            first = self.received.first[last]
            cost += _BROKEN
            if before.endswith(b" ") and before.strip():
                cost -= 0.5
            elif before.endswith(b"="):
                cost -= 0.3
            elif len(before) < _SHORT:
                cost += _BROKEN_SHORT
            if first in (b"+", b"-"):
                cost += _BROKEN_LIKE_CHANGE
            elif first in (b" ", b"\t"):
                cost += _BROKEN_BLANK_FIRST
            if known and self.received.alike[last] == known:
                cost += _COULD_BE_CONTEXT
            yield cost, last + 1


def _whole(fit: Fit) -> bool:
    return all(one.first < one.last for one in fit.taken)


def _oddness(taken: tuple[Taken, ...], received: _Received) -> float:
    """How unusual the places of lost blank lines are beside added ones: git ends a run of added lines with a blank one
    that stands before a blank line's place, and begins it with one that stands after."""
    cost = 0.0
    for index, one in enumerate(taken):
        if one.first < one.last:
            continue
        before = index > 0 and taken[index - 1].kind is Kind.ADDED
        after = index + 1 < len(taken) and taken[index + 1].kind is Kind.ADDED
        if after and not before:
            cost += _run_cost(taken, received, index + 1, 1, 0.5)
        elif before and not after:
            cost += _run_cost(taken, received, index - 1, -1, 1.0)
    return cost


def _run_cost(taken: tuple[Taken, ...], received: _Received, at: int, way: int, plain: float) -> float:
    """The cost of a blank line beside the run of added lines that begins at `at` and goes on in direction `way`."""
    last = at
    while 0 <= last + way < len(taken) and taken[last + way].kind is Kind.ADDED:
        last += way
    near, far = (not received.changed[taken[end].first] for end in (at, last))
    return 3.0 if near else 0.0 if far else plain


def _in_order(path: _Path | None) -> tuple[Taken, ...]:
    out: list[Taken] = []
    while path:
        out.append(path.one)
        path = path.before
    return tuple(reversed(out))
