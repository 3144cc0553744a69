"""A search for the terminal and as JSON."""

from __future__ import annotations

import re
import textwrap
from collections import defaultdict
from collections.abc import Iterator

from kpatch_tool.bisect.command import Found
from kpatch_tool.bisect.model import Observation
from kpatch_tool.bisect.sets import Minimal, Reason
from kpatch_tool.text import columns, cut, plural, printable, short_state_name, spelt

_WHY_COLUMNS = 49
_JOINT = "\0"


def text(found: Found) -> str:
    """What was looked at, then who did it, for a person."""
    lines = [_step(short_state_name(one.patch), one) for one in found.seen]
    if found.resumed:
        lines.insert(found.resumed, f"  (the {plural(found.resumed, 'look', 'looks')} above: from an earlier search)")
    for state in found.culprits:
        lines.append(f"culprit: patch {state.patch} {state.commit[:12]} {printable(state.subject)}")
    lines += _wrapped(printable(found.why))
    lines.append(f"confidence {found.confidence:.1%}, {plural(len(found.seen), 'look', 'looks')}")
    if found.minimal is not None:
        lines += _minimal(found.minimal, found.applied.series)
    return "\n".join(lines)


def document(found: Found) -> dict[str, object]:
    """What `kpt bisect --json` prints (design, section 3), with all `culprits` where several cannot be told apart.

    A step's `value` is the number measured, or null. `minimal` is null where nobody asked for it.
    """
    culprits = [{"patch": state.patch, "subject": state.subject, "commit": state.commit} for state in found.culprits]
    return {
        "culprit": culprits[0] if len(culprits) == 1 else None,
        "culprits": culprits,
        "confidence": round(found.confidence, 4),
        "steps": [
            {"patch": one.patch, **_step_document(one, known=place < found.resumed)}
            for place, one in enumerate(found.seen)
        ],
        "why": found.why,
        "minimal": None if found.minimal is None else _minimal_document(found.minimal),
    }


def _step_document(one: Observation, *, known: bool = False) -> dict[str, object]:
    return {
        "verdict": str(one.answer),
        "cached": one.cached or known,
        "seconds": round(one.seconds, 2),
        "value": one.value,
        "why": one.why,
    }


def _minimal_document(minimal: Minimal) -> dict[str, object]:
    return {
        "commit": minimal.state.commit,
        "patches": [_reason_document(reason) for reason in minimal.kept],
        "dropped": [_reason_document(reason) for reason in minimal.dropped],
        "steps": [{"patches": [*look.patches], **_step_document(look.seen)} for look in minimal.looks],
    }


def _reason_document(reason: Reason) -> dict[str, object]:
    return {"patch": reason.state.patch, "subject": reason.state.subject, "why": reason.why}


def _minimal(minimal: Minimal, series: str) -> Iterator[str]:
    for look in minimal.looks:
        yield _step(spelt(look.patches) or "base", look.seen)
    yield f"smallest set that shows it: {plural(len(minimal.kept), 'patch', 'patches')}"
    for reason in minimal.kept:
        yield from _wrapped(f"{reason.state.patch:3} {printable(reason.state.subject)}", "  ", "      ")
        yield from _wrapped(printable(reason.why), "      ", "      ")
    groups: dict[str, list[int]] = defaultdict(list)
    for reason in minimal.dropped:
        groups[reason.why].append(reason.state.patch)
    for why, patches in groups.items():
        yield from _wrapped(f"dropped {spelt(patches)}: {printable(why)}", "", "  ")
    numbers = ",".join(map(str, minimal.numbers))
    yield f"to have it on branch kpt/{series}: kpt apply {series} --patches {numbers} --no-deps"


def _step(where: str, one: Observation) -> str:
    why = cut(printable(one.why), _WHY_COLUMNS, "…")
    return f"  {where:<10} {one.answer:<5} {one.seconds:6.1f} s  {why}"


def _wrapped(sentence: str, first: str = "", rest: str = "  ") -> list[str]:
    """Lines that fit the terminal; what stands between backticks, to be typed, is not broken where that can be."""
    joined = re.sub(r"`[^`]*`", lambda found: found[0].replace(" ", _JOINT), sentence)
    lines = textwrap.wrap(
        joined, columns(), initial_indent=first, subsequent_indent=rest, break_long_words=False, break_on_hyphens=False
    )
    return [line.replace(_JOINT, " ") for line in lines]
