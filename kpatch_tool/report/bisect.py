"""A search for the terminal and as JSON."""

from __future__ import annotations

from kpatch_tool.bisect.command import Found
from kpatch_tool.bisect.model import Answer, Observation
from kpatch_tool.text import plural, printable

_WHY_COLUMNS = 52


def text(found: Found) -> str:
    """What was looked at, then who did it, for a person."""
    lines = [_step(one) for one in found.seen]
    if found.resumed:
        lines.insert(found.resumed, f"  (the {plural(found.resumed, 'look', 'looks')} above: from an earlier search)")
    for state in found.culprits:
        lines.append(f"culprit: patch {state.patch} {state.commit[:12]} {printable(state.subject)}")
    sure = f"confidence {found.confidence:.1%}, {plural(len(found.seen), 'look', 'looks')}"
    return "\n".join([*lines, f"{printable(found.why)}", sure])


def document(found: Found) -> dict[str, object]:
    """What `kpt bisect --json` prints (design, section 3), with all `culprits` where several cannot be told apart."""
    culprits = [{"patch": state.patch, "subject": state.subject, "commit": state.commit} for state in found.culprits]
    return {
        "culprit": culprits[0] if len(culprits) == 1 else None,
        "culprits": culprits,
        "confidence": round(found.confidence, 4),
        "steps": [
            {
                "patch": one.patch,
                "verdict": str(one.answer),
                "cached": one.cached or place < found.resumed,
                "seconds": round(one.seconds, 2),
                "why": one.why,
            }
            for place, one in enumerate(found.seen)
        ],
        "why": found.why,
    }


def _step(one: Observation) -> str:
    where = f"patch {one.patch}" if one.patch else "base"
    why = printable(one.why)
    short = why if len(why) <= _WHY_COLUMNS else why[: _WHY_COLUMNS - 1] + "…"
    return f"  {where:<10} {Answer(one.answer):<5} {one.seconds:6.1f} s  {short}"
