"""Says in words and counts what a repair did: what was undone, what nothing decided, why a hunk has no place."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

from kpatch_tool.diff.model import Kind
from kpatch_tool.diff.undecided import Undecided, undecided_hunk
from kpatch_tool.mail.message import Damage
from kpatch_tool.restore.hidden import hides, lost
from kpatch_tool.restore.likeness import likeness
from kpatch_tool.restore.loosely.fits import AlikeBase, Taken
from kpatch_tool.restore.loosely.loose import LooseHunk
from kpatch_tool.restore.loosely.plans import HunkPlan
from kpatch_tool.restore.loosely.undoing import UNDOS
from kpatch_tool.restore.loosely.written import FileLine

_UNDECIDED = 2.5  # bits: a reading this much less likely than the chosen one still counts as possible
_LONGEST_SHOWN = 60  # characters of a line that a reason shows

Undone = tuple[tuple[Damage, int], ...]  # (what was done, and the lines in which it was undone)


def why_misplaced(hunks: Sequence[LooseHunk], number: int, base: AlikeBase) -> str:
    """Why the hunk of this number (from 0) has no place, with the first line that the file does not hold."""
    hunk = hunks[number]
    where = f"hunk {number + 1} (@@ {hunk.ranges})"
    old = sum(1 for line in hunk.lines if line[:1] != b"+")
    new = sum(1 for line in hunk.lines if line[:1] != b"-")
    if hunk.last and (old < hunk.old_count or new < hunk.new_count):
        return f"{where} is cut off: {old} of {hunk.old_count} old and {new} of {hunk.new_count} new lines"
    for line in hunk.lines:
        if line[:1] == b"+" or not line.strip():
            continue
        text = likeness(line[1:] if line[:1] == b"-" else line)
        if text not in base.positions:
            return f"{where} does not fit the base: `{_shown(line)}` is not in it"
    return f"{where} does not fit the base: its lines are in it, but not together in this order"


def counts_in_doubt(plan: HunkPlan) -> str:
    """The end of a reason: a hunk whose counts are wrong may as well be one that was cut off. "" where none is."""
    for number, (fitted, fit) in enumerate(plan.fits, 1):
        if fit.recounted or fit.completed:
            hunk, lost = fitted.hunk, fit.completed
            return (
                f"; hunk {number} (@@ {hunk.ranges}) has {fit.old_count() - lost} old and {fit.new_count() - lost}"
                " new lines: cut off, or wrong counts"
            )
    return ""


def groundless(plan: HunkPlan) -> str:
    """The end of a reason: a hunk of a file that is there, of which no line was found in it as it came. "" for none."""
    for number, (fitted, fit) in enumerate(plan.fits, 1):
        received = fit.taken[: len(fit.taken) - fit.completed]
        if fitted.hunk.old_count and all(one.base is None for one in received):
            return f"; hunk {number} (@@ {fitted.hunk.ranges}) does not fit the base: none of its lines is in it there"
    return ""


def undone_by(plan: HunkPlan, base: AlikeBase, rows: Sequence[FileLine], chosen: Mapping[int, int]) -> Undone:
    """What was undone and in how many lines; `chosen` (row -> option) where a row is not its first option."""
    counts: Counter[Damage] = Counter()
    row = 0
    for fitted, fit in plan.fits:
        said = fitted.hunk.old_count, fitted.hunk.new_count
        counts[Damage.COUNTS_WRONG] += fit.recounted and (fit.old_count(), fit.new_count()) != said
        counts[Damage.TRUNCATED] += fit.completed
        counts[Damage.REWRAPPED] += bool(fit.section)
        lines = fitted.hunk.lines
        used = fit.section
        for one in fit.taken[: len(fit.taken) - fit.completed]:
            counts[Damage.BLANK_LINES_DOUBLED] += one.first - used
            used = one.last
            if one.base is None:
                counts.update(rows[row].options[chosen.get(row, 0)].undone)
            else:
                counts.update(_happened(one, lines, base))
            row += one.kind is not Kind.REMOVED
    return added_up(counts.items())


def _happened(one: Taken, lines: tuple[bytes, ...], base: AlikeBase) -> Iterator[Damage]:
    """What happened to a line that the base has."""
    if one.first == one.last:
        yield Damage.BLANK_LINES_DROPPED
        return
    if one.last - one.first > 1:
        yield Damage.REWRAPPED
        return
    line, known = lines[one.first], base.lines[one.base or 0]
    bare = line[1:]
    if bare == known and (one.kind is Kind.REMOVED or line[:1] == b" "):
        return
    if line == known and line[:1] not in (b" ", b"\t", b""):
        yield Damage.FIRST_COLUMN_LOST
        return
    for undo in UNDOS:
        if undo.undo(bare) != bare and undo.undo(known) == known and undo.damage != Damage.HYPHENS_SPACED:
            yield undo.damage
    if b"\t" in known and b"\t" not in bare:
        yield Damage.TABS_TO_BLANKS


def added_up(undone: Iterable[tuple[Damage, int]]) -> Undone:
    """The counts of each damage together, in the order of their names."""
    counts: Counter[Damage] = Counter()
    for name, count in undone:
        counts[name] += count
    return tuple(sorted((name, count) for name, count in counts.items() if count > 0))


def ambiguous(path: str, plan: HunkPlan, rows: Sequence[FileLine]) -> tuple[Undecided, ...]:
    """The added lines that have more than one likely reading, and the hunks of which that is true."""
    out: list[Undecided] = []
    row = 0
    for number, (fitted, fit) in enumerate(plan.fits, 1):
        hunk = fitted.hunk
        shown = [one for one in fit.taken if one.kind is not Kind.REMOVED]
        for line, one in enumerate(shown, hunk.new_start):
            if doubt := _doubt(rows[row], one, hunk.lines):
                out.append(Undecided(path, line, _shown(rows[row].options[0].text), doubt))
            row += 1
        close = sum(1 for other in fitted.fits if other.cost - fit.cost < _UNDECIDED)
        if close > 1:
            out.append(undecided_hunk(path, number, hunk.new_start, close))
    return tuple(out)


def _doubt(row: FileLine, one: Taken, lines: tuple[bytes, ...]) -> str:
    """What nothing decided of a line, in words; "" for nothing."""
    first = row.options[0]
    likely = sum(1 for choice in row.options if choice.cost - first.cost < _UNDECIDED)
    guessed = Damage.ADDRESSES_HIDDEN in first.undone and lost(lines[one.first])
    if one.base is None and (guessed or hides(first.text)):
        return "a hidden address"
    return f"{likely} readings" if likely > 1 else ""


def _shown(line: bytes) -> str:
    return line.strip().decode("utf-8", "replace")[:_LONGEST_SHOWN]
