"""Reads the added lines of a repaired diff by the style of the code, where the mail lost white space for good.

What the received text still tells of a line limits the readings (`limited`); which words it has is tried here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from kpatch_tool.mail.message import Damage
from kpatch_tool.restore.choosing import choices
from kpatch_tool.restore.damaged import squeeze
from kpatch_tool.restore.loosely.plans import HunkPlan
from kpatch_tool.restore.loosely.telling import added_up, undone_by
from kpatch_tool.restore.loosely.undoing import Choice, Evidence
from kpatch_tool.restore.loosely.written import Case, FileLine, hunks_of, rows_of
from kpatch_tool.restore.readings.limited import Limit
from kpatch_tool.restore.readings.search import Bound
from kpatch_tool.restore.styled import Restoration, restore_file

_BOUND = Bound(3_000, 100_000_000, 20_000, only_proven=True)  # of the search for the likeliest spelling of the lines
_LATER = Bound(3_000, 100_000_000, 1_000, only_proven=True)  # for another one, or in another plan with the same lines
_LIGHT = 6_000  # bytes of added lines that these bounds are meant for
_TOO_HEAVY = 12  # times as many
_MOST_PLANS = 2  # ways to tell context from changes that are tried
_SPELLINGS = (_BOUND, *(_LATER,) * 11)  # of the added lines that are tried for each, with the bound of each search
MOST_READINGS = _MOST_PLANS * sum(bound.readings for bound in _SPELLINGS)  # tried in all
_UNLIKELY = 8.0  # bits: that white space at the margin is as received


def restore_by_style(case: Case, plans: Sequence[HunkPlan], told: Sequence[Evidence]) -> Restoration | None:
    """The reading that has the blob id, None where none is found; `told` is what the lines tell in each of `plans`."""
    tried: list[list[FileLine]] = []
    for plan, one in list(zip(plans, told, strict=True))[:_MOST_PLANS]:
        if not any(one.ways[:1]) and not one.lossy:
            continue
        rows = rows_of(case, plan, replace(one, ways=one.ways[:1]))
        added = [row for row, known in zip(rows, plan.known(), strict=True) if not known]
        heavy = max(1, sum(len(row.options[0].text) for row in added) // _LIGHT)
        if heavy > _TOO_HEAVY:
            return None
        bounds = (_LATER,) if added in tried else _SPELLINGS
        tried.append(added)
        found = _spelled(case, plan, one, rows, [_lighter(bound, heavy) for bound in bounds])
        if found is not None:
            name, lines = (Damage.SQUEEZED, len(added)) if one.lossy else (Damage.TABS_TO_BLANKS, 0)
            return replace(found, undone=added_up([*undone_by(plan, case.base, rows, {}), (name, lines)]))
    return None


def _lighter(bound: Bound, by: int) -> Bound:
    """A bound for a file so many times as heavy as it is meant for."""
    return replace(bound, readings=bound.readings // by, hashed=bound.hashed // by, lines=bound.lines // by)


def _spelled(
    case: Case, plan: HunkPlan, told: Evidence, rows: Sequence[FileLine], bounds: Sequence[Bound]
) -> Restoration | None:
    """The first of the likeliest spellings of the added lines for which a reading has the blob id; as many are tried
    as there are `bounds`, each within its own."""
    words = [_spellings(row.options) for row in rows]
    known = plan.known()
    likeliest = choices([[cost for cost, _ in row] for row in words], len(bounds))
    for bound, (_, choice) in zip(bounds, likeliest, strict=False):
        texts = [row[choice.get(number, 0)][1] for number, row in enumerate(words)]
        limits = [_limit(row, text, told) for row, text, base in zip(rows, texts, known, strict=True) if not base]
        file = replace(case.header, hunks=hunks_of(plan, case.base, texts))
        result = restore_file(file, case.content, bound, limits)
        if result.proven:
            return result
    return None


def _spellings(options: Sequence[Choice]) -> list[tuple[float, bytes]]:
    """The readings of a line that differ in more than white space."""
    found: dict[bytes, tuple[float, bytes]] = {}
    for choice in options:
        found.setdefault(squeeze(choice.text), (choice.cost, choice.text))
    return list(found.values())


def _limit(row: FileLine, text: bytes, told: Evidence) -> Limit:
    """What is known of an added line that was received as `text`."""
    squeezed = squeeze(text)
    options = tuple((one.cost, one.text) for one in row.options if squeeze(one.text) == squeezed)
    way = told.ways[0] if told.ways else None
    if way is not None:
        received = way.forward(options[0][1]).rstrip()
        return Limit(lambda reading: way.forward(reading).rstrip() == received, options)
    if told.margin:
        bare = text.strip()
        return Limit(lambda reading: reading.strip() == bare, ((_UNLIKELY, text),))
    return Limit(lambda _reading: True, ())
