"""Gives a damaged file diff its bytes back, and proves it with the git blob ids of its `index` line.

Context and removed lines take the bytes of the base. Added lines are read in every likely way (`reading`), and the one
whose file has the blob id the patch names is the author's (`search`). A git blob id is the hash of `blob LENGTH\\0` and
the content (git-hash-object(1)). An abbreviated id of 7 digits is met by chance once in 2^28 readings; at most
Bound.readings are tried, the likeliest first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

from kpatch_tool.diff.apply import Applied, apply_file
from kpatch_tool.diff.blob import blob_id, is_blob, is_pre_image, needs_no_text
from kpatch_tool.diff.model import FileDiff, Hunk, Kind, Line, reversed_diff
from kpatch_tool.diff.undecided import Undecided, undecided_hunk
from kpatch_tool.mail.message import Damage
from kpatch_tool.restore.align import BaseText, Misplaced, PlacedHunk, ReadLine, place_hunks
from kpatch_tool.restore.damaged import comparable
from kpatch_tool.restore.elsewhere import NOTHING, Elsewhere
from kpatch_tool.restore.lettered import File, Lettered, lettered
from kpatch_tool.restore.loosely.telling import added_up
from kpatch_tool.restore.readings.judge import Judge, rows_in
from kpatch_tool.restore.readings.limited import Limit, limited
from kpatch_tool.restore.readings.paths import Alternative, Plan, ReadPath, greedy
from kpatch_tool.restore.readings.reading import Reader, file_reader
from kpatch_tool.restore.readings.rows import Row, Survey, survey_file
from kpatch_tool.restore.readings.search import Bound, search, undecided
from kpatch_tool.restore.spelled import hidden_lines, hides_address, spelled, spelled_out, with_likeliest
from kpatch_tool.restore.versions import squeezed_lines

_UNDECIDED = 9.5  # bits: a reading this much less likely than the chosen one still counts as possible
_NONE_RIGHT = 16.0  # the same where the likely readings were tried and none is right
_ANOTHER = Bound(2_000, 100_000_000, 5_000)  # of the search for a file with less likely letters, or none told
_TOLD = Bound(20_000, 500_000_000, 5_000)  # of the search for a file whose lines another version tells
Inform = Callable[[Reader], Reader]  # puts what is known of the added lines, besides their words, in a reader


@dataclass(frozen=True, slots=True)
class Restoration:
    """What became of one file of a damaged patch.

    `file` is restored, or as received where the hunks have no place. `post` is the file after the patch (None for a
    deleted file and for a failure). `found` says that every context and removed line was found in the base; `proven`
    that `post` has the blob id the patch names. `ambiguous` lists the lines that nothing decided. `undone` says which
    damages were undone (kpatch_tool.mail.message.Damage) in how many lines, as far as that is known.
    """

    file: FileDiff
    post: bytes | None
    found: bool
    proven: bool
    why: str
    ambiguous: tuple[Undecided, ...] = ()
    undone: tuple[tuple[Damage, int], ...] = ()


def restore_file(
    file: FileDiff,
    base: bytes | None,
    bound: Bound | None = None,
    limits: Sequence[Limit] = (),
    beside: Elsewhere = NOTHING,
) -> Restoration:
    """Restore one file diff read by `damaged.parse_damaged`.

    `base` is the content of the file the patch is made for (or near it), None where it is not known or does not exist.
    `limits` are what the received text tells of the added lines, one for each, in order; `beside` is what is known of
    them from outside the file.
    Never raises for what the diff or the base hold: a failure is a Restoration that was not found, with the reason.
    """
    if file.binary:
        return binary_change(file, base)
    if file.old_path is None:
        if base:
            return Restoration(file, None, False, False, "the patch creates it, but the base has it already")
        base = b""
    if base is None:
        return Restoration(file, None, False, False, "not in the base")
    if not file.hunks:
        return unchanged(file, base)
    bound = bound or Bound()

    def read(one: FileDiff, most: Bound = bound) -> Restoration:
        if beside.versions.get(file.path):
            return _restored_with_versions(one, base, most, limits, beside)
        return _restored_by_style(one, base, most, limits, beside)

    return with_letters(lettered(file, base, beside.people), read) or read(file)


def with_letters(ways: Sequence[Lettered[File]], read: Callable[..., Restoration]) -> Restoration | None:
    """The first of these readings of a file that `read` proves; else the likeliest, with the lines listed in which
    letters were replaced. None where there are none."""
    first: Restoration | None = None
    for way in ways:
        found = read(way.file) if first is None and not way.lacks else read(way.file, _ANOTHER)
        if found.found and way.lines:
            found = replace(found, undone=added_up([*found.undone, (Damage.REPLACED, way.lines)]))
        if found.proven:
            return found
        first = first or replace(found, ambiguous=tuple(dict.fromkeys((*way.listed, *found.ambiguous))))
    return first


def _restored_with_versions(
    file: FileDiff, base: bytes, bound: Bound, limits: Sequence[Limit], beside: Elsewhere
) -> Restoration:
    """Restore a file diff whose added lines other versions of the file tell."""
    told = _restored_by_style(file, base, _TOLD, limits, beside)
    if told.proven or not told.found:
        return told
    # Since the patch was taken its lines may have been moved, all of a block by a tab say.
    only = replace(bound, only_proven=True)
    found = _restored_by_style(file, base, only, limits, replace(beside, versions={}))
    return found if found.proven else told


def _restored_by_style(
    file: FileDiff, base: bytes, bound: Bound, limits: Sequence[Limit], beside: Elsewhere
) -> Restoration:
    if hides_address(file):
        return _with_addresses(file, base, bound, beside)
    return _restored_in_place(file, base, bound, partial(limited, limits=limits), beside)


def restore_made(file: FileDiff, base: bytes, made: bytes) -> Restoration | None:
    """Restore one file diff read by `damaged.parse_damaged` whose result is known: `base` and `made` are the contents
    of the blobs that it names. None where what was received does not lead from one to the other."""
    for way in lettered(file, base, made=made):
        if found := _restored_to(way.file, base, made):
            return replace(found, undone=((Damage.REPLACED, way.lines),) if way.lines else ())
    return _restored_to(file, base, made)


def _restored_to(file: FileDiff, base: bytes, made: bytes) -> Restoration | None:
    text = BaseText(base)
    placed = place_hunks(file.hunks, text, file.path, BaseText(made))
    if isinstance(placed, Misplaced) or file.new_path is None:
        return None
    survey = survey_file(file.path, text, placed, NOTHING)
    return _Restorer(file, base, text, placed, survey, lambda reader: reader).made(made)


def _restored_in_place(file: FileDiff, base: bytes, bound: Bound, inform: Inform, beside: Elsewhere) -> Restoration:
    """Restore a file diff with hunks."""
    text = BaseText(base)
    placed = place_hunks(file.hunks, text, file.path)
    if isinstance(placed, Misplaced):
        return Restoration(file, None, False, False, placed.why)
    survey = survey_file(file.path, text, placed, beside)
    return _Restorer(file, base, text, placed, survey, inform).restore(bound)


def _with_addresses(file: FileDiff, base: bytes, bound: Bound, beside: Elsewhere) -> Restoration:
    """Restore a file diff in whose added lines addresses are hidden: only the blob id tells which they are."""
    exact = is_pre_image(base, file)
    seen = squeezed_lines(beside.versions.get(file.path, ()))
    tried = spelled_out(file, base, beside.people, seen) if exact and file.new_blob else None
    only = replace(bound, only_proven=True)
    found = _restored_in_place(tried.file, base, only, partial(spelled, others=tried.others), beside) if tried else None
    if found is not None and (found.proven or bound.only_proven):
        return found
    # Nothing can judge these lines, so that the file is read as if nothing named its blob id.
    left = _restored_in_place(
        replace(with_likeliest(file, base, beside.people, seen), new_blob=None),
        base,
        bound,
        partial(limited, limits=()),
        beside,
    )
    if not left.found:
        return replace(left, file=file)
    why = "the archive hid an e-mail address in an added line" + (f", and {found.why}" if found else "")
    restored = replace(left.file, new_blob=file.new_blob)
    return replace(left, file=restored, why=why, ambiguous=hidden_lines(file) + left.ambiguous)


def other_blob(file: FileDiff, base: bytes) -> str:
    """Why a base that is not the file a patch is made for proves nothing, in words."""
    if not file.old_blob:
        return "the patch names no blob ids"
    have = blob_id(base, file.old_blob)[: len(file.old_blob)]
    return f"the base has blob {have}, the patch is made for {file.old_blob}"


def unchanged(file: FileDiff, base: bytes) -> Restoration:
    """A file diff of which no hunk is there: a rename, a mode change, an empty file, or one that lost its hunks."""
    if file.new_path is None and (base or not is_blob(base, file.old_blob)):
        return Restoration(file, None, False, False, "its removed lines are missing")
    if not needs_no_text(file):
        return Restoration(file, None, False, False, "none of its hunks could be read")
    if file.new_path is None:
        return Restoration(file, None, True, True, "an empty file is removed")
    if (file.renamed or file.copied) and file.similarity is None:
        return Restoration(file, base, True, False, "no text changes, and nothing says that none was lost")
    right = not file.new_blob or is_blob(base, file.new_blob)
    why = "" if right else f", but the base is not blob {file.new_blob}"
    return Restoration(file, base, True, right, "no text changes" + why)


def removal(file: FileDiff, base: bytes, left: bytes) -> Restoration:
    """Restore a diff that removes a file, where `left` is what its hunks leave of `base`. It is proven where `base` is
    the blob that it names, and nothing is left."""
    if not is_blob(base, file.old_blob):
        return Restoration(file, None, True, False, other_blob(file, base))
    if left:
        return Restoration(file, None, False, False, "its hunks do not remove all of the file")
    return Restoration(file, None, True, True, f"removes blob {file.old_blob}")


def binary_change(file: FileDiff, base: bytes | None) -> Restoration:
    """Restore a binary change against `base` (None: no such file): what it makes must have the blob id it names, and
    the way back lead back."""
    outcome = apply_file(base, file)
    if not isinstance(outcome, Applied):
        return Restoration(file, None, False, False, outcome.reason)
    (back,) = reversed_diff((file,))
    again = apply_file(outcome.post, back) if back.payload != file.payload else Applied(base)
    if not isinstance(again, Applied) or again.post != base:
        return Restoration(file, None, False, False, "the binary data does not lead back to the base")
    if outcome.post is None:
        return removal(file, base or b"", b"")
    if not is_blob(outcome.post, file.new_blob):
        return Restoration(file, None, False, False, f"the binary data does not make blob {file.new_blob}")
    return Restoration(file, outcome.post, True, True, f"blob {file.new_blob}")


@dataclass(frozen=True, slots=True)
class _Restorer:
    """The restoration of one file whose hunks have their places: the diff, the file it is made for (`base`, and by
    lines), and what is known of it."""

    file: FileDiff
    base: bytes
    text: BaseText
    placed: tuple[PlacedHunk, ...]
    survey: Survey
    inform: Inform

    @property
    def carriage(self) -> bytes:
        """What lines of the file end in before their newline."""
        return b"\r" if self.text.lines and self.text.lines[0].endswith(b"\r") else b""

    def restore(self, bound: Bound) -> Restoration:
        """The file restored, with as much searching as `bound` allows."""
        file = self.file
        exact = is_pre_image(self.base, self.file)
        wanted = file.new_blob
        if file.new_path is None:
            return self._deleted()
        if not exact or not wanted:
            return self._unproven(exact, bound)
        readings = [placement.readings[0] for placement in self.placed]
        plan, judge = self._prepare(readings, wanted)
        path, plans, right, tried = search(plan, judge, bound, alternatives=self._alternatives(plan))
        if right:
            for other in plans:
                pairs = zip(readings, other.steps, plan.steps, strict=True)
                readings = [steps if steps is not first else mine for mine, steps, first in pairs]
            plan, _ = self._prepare(readings, wanted)
            return self._result(plan, path, proven=True, why=f"blob {wanted} (reading {tried})")
        why = f"none of the {tried} likeliest readings has blob id {wanted}"
        ambiguous = () if bound.only_proven else self._ambiguous(plan, path, _NONE_RIGHT)
        return self._result(plan, path, proven=False, why=why, ambiguous=ambiguous)

    def made(self, content: bytes) -> Restoration | None:
        """The file restored, where `content` is what it makes; None where that cannot be."""
        readings = [placement.readings[0] for placement in self.placed]
        plan, judge = self._prepare(readings, self.file.new_blob or "")
        texts = rows_in(content, judge.pieces, plan.endings)
        if texts is None:
            return None
        return self._result(
            plan, ReadPath(texts, [], []), proven=True, why=f"blob {self.file.new_blob}, found by its id"
        )

    def _alternatives(self, plan: Plan) -> list[Alternative]:
        """The other ways to tell each hunk's context from its changes."""
        rows = [row.hunk for row in plan.reader.rows]
        out: list[Alternative] = []
        for number, placement in enumerate(self.placed):
            if len(placement.readings) < 2:
                continue
            first, last = rows.index(number), len(rows) - 1 - rows[::-1].index(number)
            for steps, cost in zip(placement.readings[1:], placement.costs[1:], strict=True):
                readings = [*plan.steps[:number], steps, *plan.steps[number + 1 :]]
                other = partial(self._other_plan, readings, plan)
                out.append(Alternative(cost, first, last, other))
        return out

    def _other_plan(self, readings: Sequence[tuple[ReadLine, ...]], plan: Plan) -> Plan:
        other, _ = self._prepare(readings, "")
        other.reader.cache = plan.reader.cache
        return other

    def _deleted(self) -> Restoration:
        readings = [placement.readings[0] for placement in self.placed]
        plan, judge = self._prepare(readings, "")
        path = greedy(plan.reader)
        left = judge.content(path.texts, plan.endings)
        return removal(replace(self.file, hunks=self._hunks(plan, path)), self.base, left)

    def _inexact(self) -> str:
        return other_blob(self.file, self.base)

    def _unproven(self, exact: bool, bound: Bound) -> Restoration:
        readings = [placement.readings[0] for placement in self.placed]
        plan, _ = self._prepare(readings, "")
        path = greedy(plan.reader)
        why = "the patch names no blob ids" if exact else self._inexact()
        ambiguous = () if bound.only_proven else self._ambiguous(plan, path, _UNDECIDED)
        return self._result(plan, path, proven=False, why=why, ambiguous=ambiguous)

    def _prepare(self, readings: Sequence[tuple[ReadLine, ...]], wanted: str) -> tuple[Plan, Judge]:
        reader = self.inform(file_reader(self.file.path, self.text, self.placed, readings, self.survey))
        endings = [b"\n"] * len(reader.rows)
        pieces: list[bytes | tuple[int, int]] = []
        lines, at, row = self.text.lines, 0, 0
        for placement, reading in zip(self.placed, readings, strict=True):
            pieces.append(self.text.block(at, placement.start))
            while row < len(reader.rows) and not reader.rows[row].shown:
                row += 1
            first = row
            for step in reading:
                if step.kind is Kind.REMOVED:
                    continue
                if step.kind is Kind.ADDED and step.received is not None:
                    newline = placement.hunk.lines[step.received].newline
                    endings[row] = self.carriage + b"\n" if newline else b""
                elif step.base == self.text.bare:
                    endings[row] = b""
                row += 1
            pieces.append((first, row))
            at = placement.start + placement.hunk.old_count
        pieces.append(self.text.block(at, len(lines)))
        return Plan(reader, endings, readings), Judge(wanted, pieces)

    def _result(
        self,
        plan: Plan,
        path: ReadPath,
        *,
        proven: bool,
        why: str,
        ambiguous: tuple[Undecided, ...] = (),
    ) -> Restoration:
        _, judge = self._prepare(plan.steps, "")
        post = judge.content(path.texts, plan.endings)
        file = replace(self.file, hunks=self._hunks(plan, path))
        return Restoration(file, post, True, proven, why, ambiguous)

    def _hunks(self, plan: Plan, path: ReadPath) -> tuple[Hunk, ...]:
        shown = iter([text for row, text in zip(plan.reader.rows, path.texts, strict=True) if row.shown])
        return tuple(
            self._hunk(placement, reading, shown) for placement, reading in zip(self.placed, plan.steps, strict=True)
        )

    def _hunk(self, placement: PlacedHunk, reading: tuple[ReadLine, ...], shown: Iterator[bytes]) -> Hunk:
        lines: list[Line] = []
        for step in reading:
            if step.kind is Kind.ADDED and step.received is not None:
                newline = placement.hunk.lines[step.received].newline
                lines.append(Line(Kind.ADDED, next(shown) + (self.carriage if newline else b""), newline))
                continue
            if step.kind is Kind.CONTEXT:
                next(shown)
            assert step.base is not None
            lines.append(Line(step.kind, self.text.lines[step.base], step.base != self.text.bare))
        hunk = placement.hunk
        section = _section(hunk.section, self.text, placement.start)
        return replace(hunk, section=section, lines=tuple(lines))

    def _ambiguous(self, plan: Plan, path: ReadPath, bits: float) -> tuple[Undecided, ...]:
        """The added lines that have a second reading within `bits`, also where that follows from another line."""
        out: list[Undecided] = []
        starts = [placement.hunk.new_start for placement in self.placed]
        seen = [0] * len(starts)
        counts = undecided(plan, path, bits, self._alternatives(plan))
        for number, (row, text) in enumerate(zip(plan.reader.rows, path.texts, strict=True)):
            if not row.shown:
                continue
            line = starts[row.hunk] + seen[row.hunk]
            seen[row.hunk] += 1
            if row.text is None and counts.get(number, 1) > 1:
                out.append(Undecided(self.file.path, line, _shown(row, text), f"{counts[number]} readings"))
        for number, placement in enumerate(self.placed, 1):
            if len(placement.readings) > 1:
                ways = len(placement.readings)
                out.append(undecided_hunk(self.file.path, number, placement.hunk.new_start, ways))
        return tuple(out)


def _shown(row: Row, text: bytes) -> str:
    return b" ".join(row.words).decode("utf-8", "replace") or text.decode("utf-8", "replace")


def _section(received: bytes, base: BaseText, start: int) -> bytes:
    """The text after the second @@ with its white space: the line above the hunk that reads so when cut as git does.

    Kept as received where no line does (the author's tree named another function there).
    """
    wanted = comparable(received)
    if not wanted:
        return received
    above = base.section_above(start, wanted, wanted[:12].split(b" ", 1)[0])
    return received if above is None else above
