"""Tells what the lines of a loosely read hunk are: context, removed, added, or the rest of the line above.

The counts in the @@ and, where there is one, the file the patch is made for decide. A reading costs the more, the
stranger it is; the search takes the cheapest first and is bounded by steps.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from heapq import heappop, heappush
from typing import NamedTuple

from kpatch_tool.diff.model import Kind
from kpatch_tool.restore.blanks import bits
from kpatch_tool.restore.damaged import squeeze
from kpatch_tool.restore.likeness import likeness
from kpatch_tool.restore.loosely.fits import AlikeBase, Fit, Taken
from kpatch_tool.restore.loosely.loose import LooseHunk

_MAX_READINGS = 24
_MAX_WITH_LOST = 64  # where blank lines were lost: beside added lines nothing tells their places
_SPREAD = 6.0  # readings that cost this much more than the best do not count
_SPREAD_WITH_LOST = 12.0  # the same, where blank lines were lost
_MOST_PIECES = 8  # lines that one line may be broken into
_MOST_JOINED = 4  # ways to join them that are followed
_SHORT = 40  # no mail program breaks lines this short
_SAME_STATE = 3  # ways to the same point that are followed
_SAME_WITH_LOST = 24  # the same, where blank lines were lost

# What a line costs that is not as a diff has it.
_LOST_COLUMN = 0.3  # a context line without its blank, where the base has it
_LOST_COLUMN_UNSEEN = 2.0  # the same without a base
_LOOKS_CHANGED = 4.0  # a line that begins with + or - and is context
MISSING_BLANK = 1.0  # a blank context line the mail does not have
_EXTRA_BLANK = 1.2  # a blank line that the file does not have
_BROKEN_KNOWN = 0.2  # the rest of a line that the base has whole
_BROKEN = 1.0  # the rest of an added line
_BROKEN_BLANK_FIRST = 1.5  # more, where the rest begins with a blank as a context line does
_BLANK_BEFORE = -0.5  # less, where the line above ends in a blank as flowed lines do
_SOFT_BREAK = -0.3  # less, where it ends as in quoted-printable
_BROKEN_LIKE_CHANGE = 4.0  # more, where it begins with + or -
_BROKEN_SHORT = 2.0  # more, where the line above is short
_COULD_BE_CONTEXT = 2.5  # more, where the base has it as a line
_REST_LOST = 2.0  # the last line, of which the rest is not there
_SECTION_REST = 0.5  # the rest of the @@ line
_SECTION_GONE = 1.0  # more, where nothing of it is left behind the second @@
_SECTION_BLANK_FIRST = 1.5  # more, where it begins with a blank as a context line does
_LEFT_OVER = 3.0  # a line below the hunk that looks like one of it
_LEFT_OVER_LAST = 0.5  # the same of the last hunk, where it hardly does
_RECOUNTED = 6.0  # wrong counts
_ONE_COUNT_RIGHT = -0.5  # less, for each of both counts that holds
_BLANK_LEFT_OUT = 0.1  # more, for each blank line at the end that is left out with it
_SURE = 4.0  # bits: what makes up for the likely places of lost blank lines, so that few readings get cheaper
_ODD_BLANK = 5.0  # more, where it stands beside an added blank one


class Received:
    """The lines of a hunk and what is asked of them again and again."""

    __slots__ = ("blank", "changed", "first", "hunk", "kept", "keys", "lines", "soft", "tail")

    def __init__(self, hunk: LooseHunk, *, kept: bool | None = None) -> None:
        """`kept`: whether the mail kept blank lines, where the hunk does not tell it."""
        self.hunk = hunk
        self.lines = hunk.lines
        known = {line: likeness(line) for line in set(hunk.lines)}  # many are blank, or a brace
        self.keys = [known[line] for line in hunk.lines]
        self.changed = [likeness(line[1:]) if line.startswith((b"+", b"-")) else b"" for line in hunk.lines]
        self.blank = [not text for text in self.keys]
        self.first = [line[:1] for line in hunk.lines]
        # Without the `=` of a soft line break (quoted-printable).
        self.soft = [line.rstrip(b" \t").endswith(b"=") for line in hunk.lines]
        self.tail = _tail(hunk.lines)
        self.kept = any(self.blank[: self.tail]) if kept is None else kept

    def may_lack(self, at: int) -> bool:
        """Whether a blank line may have been lost before line `at`: one at the end may, others only where all were."""
        return at >= self.tail or not (self.kept or self.blank[at])

    def pieces(self, at: int, *, changed: bool) -> Iterator[tuple[int, tuple[bytes, ...]]]:
        """(last, likenesses) of the line that begins at `at`, longer and longer."""
        yield at + 1, (self.changed[at] if changed else self.keys[at],)
        texts = [self.lines[at][1:] if changed else self.lines[at]]
        for last in range(at + 1, min(at + _MOST_PIECES, len(self.lines))):
            more = self.lines[last]
            joined = [text + b" " + more for text in texts] + [text + more for text in texts]
            if self.soft[last - 1]:
                joined = [text.rstrip(b" \t")[:-1] + more for text in texts] + joined[: len(texts)]
            texts = joined[:_MOST_JOINED]
            yield last + 1, tuple(likeness(text) for text in texts)


@lru_cache(maxsize=8192)
def _squeezed(line: bytes) -> bytes:
    """squeeze, remembered: lines are asked for in every reading."""
    return squeeze(line)


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


class _Gap(NamedTuple):
    """What the new file ends in: its last line that is not blank (squeezed), and how many blank ones follow that were
    lost, and that are added."""

    above: bytes = b""
    lost: int = 0
    added: int = 0


@dataclass(slots=True)
class _Path:
    """The lines taken so far, the last first, and what they end in."""

    one: Taken
    before: _Path | None
    gap: _Gap


class _Point(NamedTuple):
    """A point of the search, in the order in which they are followed. `at` is the next received line; where the hunk
    ends before it, -1 - that line. `old` and `new` lines were taken by `path`; `section` lines belong to the @@."""

    cost: float
    serial: int  # no two that may be compared have the same
    at: int
    old: int
    new: int
    section: int
    path: _Path | None


_Move = tuple[float, int, int, int, Taken | None]


class FitSearch:
    """The search for the readings of a hunk at one place, the cheapest first."""

    def __init__(self, received: Received, base: AlikeBase | None, start: int, *, recount: bool = False) -> None:
        self.received = received
        self.hunk = received.hunk
        self.base = base
        self.start = start
        self.recount = recount
        self.loses = base is not None and not received.kept
        lacks = self.hunk.old_count > sum(first != b"+" for first in received.first)
        self.same = _SAME_WITH_LOST if self.loses and lacks else _SAME_STATE
        self.spread = _SPREAD_WITH_LOST if self.loses and lacks else _SPREAD
        self.count = len(received.lines)
        self.steps = self.serial = 0
        self.heap: list[_Point] = []
        self.seen: Counter[tuple[int, int, int]] = Counter()  # how often a point was come to: at, old, new
        self.most_old, self.most_new = self._most(b"+"), self._most(b"-")

    def best(self, bound: int) -> tuple[Fit, ...]:
        """The readings, cheapest first; `bound` is the number of steps that may be taken."""
        found: list[Fit] = []
        seen = self.seen
        for cost, skipped in self._sections():
            heappush(self.heap, _Point(cost, 0, skipped, 0, 0, skipped, None))
        while self.heap and self.steps < bound:
            self.steps += 1
            point = heappop(self.heap)
            if found and point.cost > found[0].cost + self.spread:
                break
            if point.at < 0:
                fit = Fit(point.cost, _in_order(point.path), point.section, -point.at - 1, self.recount)
                if all(fit.taken != other.taken for other in found):
                    found.append(fit)
                if len(found) == (_MAX_READINGS if _whole(fit) else _MAX_WITH_LOST):
                    break
                continue
            state = point[2:5]
            seen[state] += 1
            if seen[state] <= self.same:
                self._follow(point)
        return tuple(self._leveled(found))

    def _leveled(self, found: Sequence[Fit]) -> list[Fit]:
        """The readings as dear as they are against each other, where nothing is held against the first one that its
        blank lines stand where they do."""
        taken = found[0].taken if found else ()
        gap, bits = _Gap(), 0.0
        for one in taken if self.loses else ():
            gap, more = self._after(gap, one)
            bits += more
        bits += _SURE * gap.lost
        return sorted((replace(fit, cost=fit.cost - bits) for fit in found), key=lambda fit: fit.cost)

    def _follow(self, point: _Point) -> None:
        """Put what may come after `point` on the heap."""
        at, old, new = point.at, point.old, point.new
        if self._complete(at, old, new):
            more = self._recounted(at, old, new) if self.recount else self._left_over(at)
            more += _SURE * point.path.gap.lost if point.path else 0.0
            self._push(point, (more, -at - 1, old, new, None))
        for move in self._moves(at, old, new):
            self._push(point, move)

    def _push(self, point: _Point, move: _Move) -> None:
        more, at, old, new, taken = move
        if self.seen.get((at, old, new), 0) >= self.same:
            return  # it would not be followed
        if at >= 0 and (self.most_old[at] < self.hunk.old_count - old or self.most_new[at] < self.hunk.new_count - new):
            return  # what is left does not give the counts
        self.serial += 1
        path = point.path
        if taken:
            gap, bits = self._after(path.gap if path else _Gap(), taken)
            more += bits
            path = _Path(taken, path, gap)
        heappush(self.heap, _Point(point.cost + more, self.serial, at, old, new, point.section, path))

    def _after(self, gap: _Gap, one: Taken) -> tuple[_Gap, float]:
        """What the new file ends in after one more line, and what it costs that blank lines were lost right above it:
        how rarely one stands between two such lines. Where none may be lost, nothing."""
        if not self.loses or one.kind is Kind.REMOVED:
            return gap, 0.0
        if one.first == one.last:
            return gap._replace(lost=gap.lost + 1), 0.0
        text = self._text(one)
        if not text:
            return gap._replace(added=gap.added + 1), 0.0
        return _Gap(text), self._bits(gap, text) if gap.lost else 0.0

    def _text(self, one: Taken) -> bytes:
        """A line of the new file, squeezed."""
        if one.base is not None and self.base is not None:
            return _squeezed(self.base.lines[one.base])
        return _squeezed(b" ".join(self.received.lines[one.first : one.last])[1:])

    def _bits(self, gap: _Gap, below: bytes) -> float:
        """What the lost blank lines of `gap` cost above the line `below`."""
        if gap.added:
            return (_SURE + _ODD_BLANK) * gap.lost
        if not gap.above or self.base is None:
            return _SURE * gap.lost
        there, absent = (bits(gap.above, below, blank=blank, code=self.base.code) for blank in (True, False))
        return _SURE * gap.lost + there - absent

    def _most(self, not_of: bytes) -> list[int]:
        """For every received line, and behind the last, how many old or new lines there may be from it on; `not_of`
        begins a line that is none. With a base blank lines may be lost, and with other counts than the @@ says any
        number is right."""
        if self.base is not None or self.recount:
            return [max(self.hunk.old_count, self.hunk.new_count)] * (self.count + 1)
        most = [0]
        for first in reversed(self.received.first):
            most.append(most[-1] + (first != not_of))
        return most[::-1]

    def _sections(self) -> Iterator[tuple[float, int]]:
        """How many of the first lines belong to the @@ line, and what that costs."""
        yield 0.0, 0
        gone = 0.0 if self.hunk.section else _SECTION_GONE
        for skipped in (1, 2):
            if skipped > len(self.received.lines) or self.received.first[skipped - 1] in (b"+", b"-"):
                return
            if self.received.blank[skipped - 1]:
                return
            like_context = self.received.first[skipped - 1] == b" "
            if like_context and gone:
                return
            yield gone + _SECTION_REST * skipped + (_SECTION_BLANK_FIRST if like_context else 0.0), skipped

    def _complete(self, at: int, old: int, new: int) -> bool:
        if self.recount:
            return at >= self.received.tail and bool(old or new) and self.base is not None
        return old == self.hunk.old_count and new == self.hunk.new_count

    def _recounted(self, at: int, old: int, new: int) -> float:
        """What it costs that the counts are wrong; of blank lines at the end as many are taken as one count says."""
        right = (old == self.hunk.old_count) + (new == self.hunk.new_count)
        return _RECOUNTED + _ONE_COUNT_RIGHT * right + _BLANK_LEFT_OUT * (self.count - at)

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
                cost += _LEFT_OVER_LAST
        return cost

    def _moves(self, at: int, old: int, new: int) -> Iterator[_Move]:
        """(cost, next received line, old lines, new lines, what was taken)."""
        more_old = self.recount or old < self.hunk.old_count
        more_new = self.recount or new < self.hunk.new_count
        index = self.start + old if self.base is not None else None
        known = self.base.keys[index] if self.base and index is not None and index < len(self.base.keys) else None
        if self.base is not None and known is None:
            more_old = False
        if more_old and more_new and known == b"" and self.received.may_lack(at):
            yield MISSING_BLANK, at, old + 1, new + 1, Taken(Kind.CONTEXT, at, at, index)
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
            begun = ways[0].removesuffix(b"=") if self.received.soft[last - 1] else ways[0]
            if last == self.received.tail and known.startswith(begun) and len(begun) >= _SHORT // 2:
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
                cost += _BLANK_BEFORE
            elif before.endswith(b"="):
                cost += _SOFT_BREAK
            elif len(before) < _SHORT:
                cost += _BROKEN_SHORT
            if first in (b"+", b"-"):
                cost += _BROKEN_LIKE_CHANGE
            elif first in (b" ", b"\t"):
                cost += _BROKEN_BLANK_FIRST
            if known and self.received.keys[last] == known:
                cost += _COULD_BE_CONTEXT
            yield cost, last + 1


def _whole(fit: Fit) -> bool:
    return all(one.first < one.last for one in fit.taken)


def _in_order(path: _Path | None) -> tuple[Taken, ...]:
    out: list[Taken] = []
    while path:
        out.append(path.one)
        path = path.before
    return tuple(reversed(out))
