"""Finds where the hunks of a loosely read diff stand in a file, and what their lines are (`fit_search`).

A hunk's place is looked for at its own line number first, by the offset of the hunk before it, then nearest to it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from kpatch_tool.restore.loosely.fit_search import MISSING_BLANK, FitSearch, Received
from kpatch_tool.restore.loosely.fits import AlikeBase, Fitted
from kpatch_tool.restore.loosely.loose import LooseHunk

TEXT_STEPS = 600_000  # of the searches for all hunks of a text without a base: about a second
_MAX_STEPS = 40_000  # of the search at one place
_ALL_STEPS = 120_000  # of the searches at all places of a hunk
_MAX_PLACES = 80
_ALL_PLACES = 20_000  # of all hunks of a file, but the first place of each
_EASY = 0.9  # a reading that costs more than this is not believed before all places were looked at
_RAREST = 3  # lines of a hunk that are looked up in the base
_MAX_OCCURRENCES = 200  # of such a line
_GLUED = re.compile(rb"  (?=[+-])| (?=  \t)")


def fit_blind(hunk: LooseHunk, left: list[int]) -> Fitted | None:
    """Read a hunk by its counts alone; None where no reading has them. `left` holds the steps that are left for the
    whole text (TEXT_STEPS at first); those taken here are taken off."""
    for one in filter(None, (hunk, unglued(hunk))):
        search = FitSearch(Received(one), None, 0)
        fits = search.best(min(_MAX_STEPS, left[0]))
        left[0] -= search.steps
        if fits:
            return Fitted(one, None, fits)
    return None


def unglued(hunk: LooseHunk) -> LooseHunk | None:
    """The hunk with every blank context line set apart again that a mail program joined with the line behind it, as
    their blanks are what flowed lines end in (RFC 3676): "  +added", or "   " and a tab where context lines have two
    blanks. None where there is none."""
    lines: list[bytes] = []
    bare: set[int] = set()
    for number, line in enumerate(hunk.lines):
        glued = _GLUED.match(line)
        lines += [b"", line[glued.end() :]] if glued else [line]
        if number in hunk.bare:
            bare.add(len(lines) - 1)
    return replace(hunk, lines=tuple(lines), bare=frozenset(bare)) if len(lines) > len(hunk.lines) else None


def fit_hunks(hunks: tuple[LooseHunk, ...], base: AlikeBase, *, anew: bool = False) -> tuple[Fitted, ...] | int:
    """Every hunk at its place in the base, in order and none over another; the index of the first that has none.

    With `anew` readings that have other counts than the @@ says come first.
    """
    placed: list[Fitted] = []
    floor = drift = 0
    tries = [_ALL_PLACES]
    for number, hunk in enumerate(hunks):
        wanted = hunk.old_start - (1 if hunk.old_count else 0)
        found = _place(hunk, base, wanted + drift, floor, tries, anew=anew)
        if found is None:
            return number
        assert found.start is not None
        drift = found.start - wanted
        floor = found.start + found.fits[0].old_count()
        placed.append(found)
    return tuple(placed)


def _place(hunk: LooseHunk, base: AlikeBase, wanted: int, floor: int, tries: list[int], *, anew: bool) -> Fitted | None:
    received = Received(hunk)
    found = _placed(received, base, wanted, floor, tries, anew=anew)
    apart = unglued(hunk) if found is None or found.fits[0].cost > _EASY else None
    if apart is None:
        return found
    other = _placed(Received(apart, kept=received.kept), base, wanted, floor, tries, anew=anew)
    return min((one for one in (found, other) if one), key=lambda one: one.fits[0].cost, default=None)


def _placed(
    received: Received, base: AlikeBase, wanted: int, floor: int, tries: list[int], *, anew: bool
) -> Fitted | None:
    places = list(_places(received, base, wanted, floor))[: max(1, tries[0])]
    tries[0] -= len(places)
    if not places:
        return None
    left = [_ALL_STEPS]
    here = _first(received, base, places[:1], left, recount=anew)
    if here is not None and here.fits[0].cost - MISSING_BLANK * here.fits[0].lost() <= _EASY:
        return here  # no place is likelier for what lacks nothing but blank lines
    elsewhere = _first(received, base, places[1:], left, recount=anew)
    if elsewhere is not None and elsewhere.fits[0].cost <= _EASY:
        return elsewhere
    if here is not None:
        return here
    # Wrong counts at the right place, rather than lost lines at another; whatever the search there took.
    return (
        _first(received, base, places[:1], [_MAX_STEPS], recount=not anew)
        or elsewhere
        or _first(received, base, places[1:], left, recount=not anew)
    )


def _first(received: Received, base: AlikeBase, places: list[int], left: list[int], *, recount: bool) -> Fitted | None:
    """The hunk at the first of `places` where it has an easy reading, else where it has the cheapest; `left` holds the
    steps that may be taken yet."""
    best: Fitted | None = None
    for start in places:
        if left[0] <= 0:
            break
        search = FitSearch(received, base, start, recount=recount)
        fits = search.best(min(_MAX_STEPS, left[0]))
        left[0] -= search.steps
        if fits and (best is None or fits[0].cost < best.fits[0].cost):
            best = Fitted(received.hunk, start, fits)
            if fits[0].cost <= _EASY:
                break
    return best


def _places(received: Received, base: AlikeBase, wanted: int, floor: int) -> Iterator[int]:
    """Where the hunk may start, nearest to `wanted` first."""
    highest = len(base.lines)
    if floor <= wanted <= highest:
        yield wanted
    rare: list[tuple[int, int, bytes]] = []
    for number, text in enumerate(received.keys):
        if received.first[number] == b"+" or not text:
            continue
        for way in {text, received.changed[number]}:
            count = len(base.positions.get(way, ()))
            if way and count:
                rare.append((count, number, way))
    rare.sort(key=lambda one: one[:2])
    starts: set[int] = set()
    for _, number, text in rare[:_RAREST]:
        most = sum(1 for at in range(number) if received.first[at] != b"+")
        least = sum(1 for at in range(number) if received.first[at] in (b" ", b"-", b"\t"))
        for offset in range(max(least - 2, most - 8, 0), most + 3):
            starts.update(place - offset for place in base.positions[text][:_MAX_OCCURRENCES])
    usable = (start for start in starts if floor <= start <= highest and start != wanted)
    yield from sorted(usable, key=lambda start: (abs(start - wanted), start))[:_MAX_PLACES]
