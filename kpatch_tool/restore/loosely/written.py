"""Writes the file and the hunks that a plan gives: every line in each way it may have been.

Context and removed lines take the base's bytes; of an added line there are as many readings as `undoing` gives.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from kpatch_tool.diff.model import FileDiff, Hunk, Kind, Line
from kpatch_tool.restore import addresses
from kpatch_tool.restore.addresses import Person
from kpatch_tool.restore.hidden import hides
from kpatch_tool.restore.likeness import likeness, without_no_break
from kpatch_tool.restore.loosely.fits import AlikeBase, Fit, Fitted, Taken
from kpatch_tool.restore.loosely.plans import HunkPlan
from kpatch_tool.restore.loosely.undoing import Choice, Evidence, as_near, evidence, readings

_LONGEST_HEAD = 120  # bytes of white space at the start of a line
_SECTION_BEGIN = 40  # bytes in which a line of the base has to begin as the text after the second @@ does


@dataclass(frozen=True, slots=True)
class Case:
    """A file diff whose hunks have their places: its header, the file it is made for (`content`, and by lines), and the
    people of the mail. `hidden`: an archive hid an address in an added line."""

    header: FileDiff
    content: bytes
    base: AlikeBase
    placed: tuple[Fitted, ...]
    people: tuple[Person, ...]
    hidden: bool


@dataclass(frozen=True, slots=True)
class FileLine:
    """One line of the file after the patch that a hunk shows: what it may be, and how it ends."""

    options: tuple[Choice, ...]
    ending: bytes


def evidence_of(plan: HunkPlan, base: AlikeBase) -> Evidence:
    """What the context and removed lines tell of what was done to the mail."""
    pairs = [
        (_without_column(fitted, one), base.lines[one.base])
        for fitted, fit in plan.fits
        for one in fit.taken
        if one.base is not None and one.last - one.first == 1
    ]
    added = [line[1:] for line in plan.added()]
    told = evidence(pairs, added)
    if told.lossy:  # each way of keeping a context line's first column
        shifted = [(text.removeprefix(b" "), known) for text, known in pairs]
        stuffed = evidence(shifted, added)
        return replace(told, ways=stuffed.ways, margin=stuffed.margin)
    return told


def rows_of(case: Case, plan: HunkPlan, told: Evidence) -> list[FileLine]:
    """The lines of the file after the patch that the hunks show, in order, if the mail was treated as `told` says."""
    return [row for fitted, fit in plan.fits for row in _hunk_rows(case, fitted, fit, told)]


def _hunk_rows(case: Case, fitted: Fitted, fit: Fit, told: Evidence) -> Iterator[FileLine]:
    hunk, base = fitted.hunk, case.base
    people: tuple[Person, ...] = ()
    if case.hidden:
        removed = [base.lines[one.base] for one in fit.taken if one.base is not None and one.kind is Kind.REMOVED]
        people = addresses.pool(case.people, b"\n".join(removed), case.content)
    heads = _heads(fitted, fit, base) if any(told.ways) else []
    for place, one in enumerate(fit.taken):
        if one.kind is Kind.REMOVED:
            continue
        if one.base is not None:
            yield FileLine((Choice(0.0, base.lines[one.base]),), b"" if one.base == base.bare else b"\n")
            continue
        first, *rest = hunk.lines[one.first : one.last]
        options = readings((first[1:], *rest), told, people)
        if heads:
            nearest = sorted(heads, key=lambda head: (abs(head[0] - place), head[0]))
            options = as_near(options, _head(first[1:]), [head for _, *head in nearest])
        yield FileLine(tuple(options), b"" if one.last - 1 in hunk.bare else b"\n")


def _heads(fitted: Fitted, fit: Fit, base: AlikeBase) -> list[tuple[int, bytes, bytes]]:
    """(place, white space at the start as received, the same in the base) of the lines that the base has."""
    return [
        (place, head, _head(base.lines[one.base]))
        for place, one in enumerate(fit.taken)
        if one.base is not None and one.last > one.first and (head := _head(_without_column(fitted, one)))
    ]


def _head(text: bytes) -> bytes:
    """The white space at the start of a line; no-break spaces as blanks."""
    text = without_no_break(text[:_LONGEST_HEAD])
    return text[: len(text) - len(text.lstrip(b" \t"))]


def _without_column(fitted: Fitted, one: Taken) -> bytes:
    """The first received line of a context or removed one; a context line may have lost its first column."""
    line = fitted.hunk.lines[one.first]
    return line[1:] if one.kind is Kind.REMOVED or line[:1] == b" " else line


def texts_of(rows: Sequence[FileLine], choice: Mapping[int, int]) -> list[bytes]:
    """The text of every row: the option that `choice` (row -> option) names, else the likeliest."""
    return [row.options[choice.get(number, 0)].text for number, row in enumerate(rows)]


def pieces_of(plan: HunkPlan, base: AlikeBase) -> list[bytes | tuple[int, int]]:
    """The file after the patch, as `search.Judge` wants it: known bytes, and ranges of rows."""
    pieces: list[bytes | tuple[int, int]] = []
    at = row = 0
    for fitted, fit in plan.fits:
        start = fitted.start or 0
        pieces.append(base.block(at, start))
        pieces.append((row, row + fit.new_count()))
        row += fit.new_count()
        at = start + fit.old_count()
    pieces.append(base.block(at, len(base.lines)))
    return pieces


def hunks_of(
    plan: HunkPlan, base: AlikeBase, texts: Sequence[bytes], endings: Sequence[bytes] | None = None
) -> tuple[Hunk, ...]:
    """The hunks with `texts` for their rows; lines end as `endings` say (None: as received)."""
    hunks: list[Hunk] = []
    row = 0
    for fitted, fit in plan.fits:
        end = row + fit.new_count()
        hunks.append(_hunk(fitted, fit, base, texts[row:end], None if endings is None else endings[row:end]))
        row = end
    return tuple(hunks)


def _hunk(fitted: Fitted, fit: Fit, base: AlikeBase, texts: Sequence[bytes], endings: Sequence[bytes] | None) -> Hunk:
    hunk = fitted.hunk
    lines: list[Line] = []
    row = 0
    for one in fit.taken:
        if one.base is not None:
            lines.append(Line(one.kind, base.lines[one.base], one.base != base.bare))
        else:
            newline = one.last - 1 not in hunk.bare if endings is None else endings[row] != b""
            lines.append(Line(Kind.ADDED, texts[row], newline))
        row += one.kind is not Kind.REMOVED
    section = _section(received_section(fitted, fit), base, fitted.start or 0)
    return Hunk(hunk.old_start, fit.old_count(), hunk.new_start, fit.new_count(), section, tuple(lines))


def received_section(fitted: Fitted, fit: Fit) -> bytes:
    """The text after the second @@ as received, with the lines it was broken into."""
    return b" ".join((fitted.hunk.section, *(line.strip() for line in fitted.hunk.lines[: fit.section])))


def with_sections(file: FileDiff, content: bytes) -> FileDiff:
    """`file` with what stands behind an @@ as its base `content` has it, where an archive hid an address in that."""
    if not any(hides(hunk.section) for hunk in file.hunks):
        return file
    base = AlikeBase(content)
    return replace(
        file,
        hunks=tuple(
            replace(hunk, section=_section(hunk.section, base, hunk.old_start - 1)) if hides(hunk.section) else hunk
            for hunk in file.hunks
        ),
    )


def _section(received: bytes, base: AlikeBase, start: int) -> bytes:
    """The text after the second @@ as the base has it, cut as git does; as received where no line reads so."""
    wanted = likeness(received)
    if not wanted:
        return received.strip()
    above = base.section_above(start, wanted, wanted[:_SECTION_BEGIN])
    return received if above is None else above
