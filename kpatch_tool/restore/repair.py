"""Undoes what mail programs and archives did to a diff, against the file it is made for.

Steps: `loose` reads the lines, `fitting` says what they are, `plans` puts the hunks together, `written` gives the file
with `undoing`'s readings of the added lines, and the blob id of the `index` line decides (git-hash-object(1)). Where
white space was lost so that the received text does not tell it, `by_style` reads it from the code's style. `telling`
says what was done.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from kpatch_tool.diff.blob import is_pre_image
from kpatch_tool.diff.model import FileDiff, Kind
from kpatch_tool.mail.message import Damage
from kpatch_tool.restore.addresses import Person
from kpatch_tool.restore.by_style import MOST_READINGS, restore_by_style
from kpatch_tool.restore.choosing import choices
from kpatch_tool.restore.hidden import hides
from kpatch_tool.restore.lettered import lettered_loose
from kpatch_tool.restore.loosely.fits import AlikeBase, Fitted
from kpatch_tool.restore.loosely.fitting import fit_hunks
from kpatch_tool.restore.loosely.loose import LooseFile
from kpatch_tool.restore.loosely.plans import HunkPlan, plan_making, plans_of
from kpatch_tool.restore.loosely.telling import (
    added_up,
    ambiguous,
    counts_in_doubt,
    groundless,
    undone_by,
    why_misplaced,
)
from kpatch_tool.restore.loosely.undoing import UNDOS, Choice, Evidence
from kpatch_tool.restore.loosely.written import Case, FileLine, evidence_of, hunks_of, pieces_of, rows_of, texts_of
from kpatch_tool.restore.readings.judge import Judge, readings_judged, rows_in
from kpatch_tool.restore.readings.search import Bound
from kpatch_tool.restore.styled import (
    Restoration,
    binary_change,
    other_blob,
    removal,
    restore_file,
    unchanged,
    with_letters,
)

_BOUND = Bound(6_000, 200_000_000, 2_500)
_FEW = 200  # readings tried for each supposition before the likeliest gets the whole bound
_MOST_PLACES = 512  # combinations of places of lost blank lines that are tried before other readings of the lines
_MOST_WAYS = 6  # of losing tabs that are tried one by one
_NO_IDS = "the patch names no blob ids"
_WIDTH = 80  # bytes of a line: one read costs as much as one more of the bound's lines for each of them
_FIXED = 10  # rows with one reading that cost as much as one with more


def restore_loose(
    file: LooseFile, base: bytes | None, people: Iterable[Person] = (), bound: Bound | None = None
) -> Restoration:
    """Restore one loosely read file diff against `base` (None: no such file).

    `people` are those of the mail: addresses that an archive may have hidden in an added line. Never raises for what
    the diff or the base hold: a failure is a Restoration that was not found, with the reason.
    """
    header = file.header
    if header.binary:
        return binary_change(header, base)
    if why := _unfit(file, base):
        return Restoration(header, None, False, False, why)
    content, known = base or b"", tuple(people)
    if not file.hunks:
        return unchanged(header, content)

    def read(one: LooseFile, most: Bound = bound or _BOUND) -> Restoration:
        return _restored(one, content, known, most)

    return with_letters(lettered_loose(file, content, known), read) or read(file)


def repair_made(file: LooseFile, base: bytes, made: bytes) -> Restoration | None:
    """Restore one loosely read file diff whose result is known: `base` and `made` are the contents of the blobs that it
    names. None where what was received does not lead from one to the other."""
    if file.header.binary or file.header.new_path is None or not file.hunks:
        return None
    for way in lettered_loose(file, base, made=made):
        if found := _led(way.file, base, made):
            return replace(found, undone=added_up([*found.undone, (Damage.REPLACED, way.lines)]))
    return _led(file, base, made)


def _led(file: LooseFile, base: bytes, made: bytes) -> Restoration | None:
    alike = AlikeBase(base, file.header.path)
    for anew in (False, True):
        placed = fit_hunks(file.hunks, alike, anew=anew)
        if isinstance(placed, int):
            continue
        plan = plan_making(placed, alike, AlikeBase(made))
        if plan and (found := _made(Case(file.header, base, alike, placed, (), False), plan, made)):
            return found
    return None


def _made(case: Case, plan: HunkPlan, content: bytes) -> Restoration | None:
    """The file restored, where `content` is what it makes and its hunks are read as `plan` says."""
    rows = rows_of(case, plan, evidence_of(plan, case.base))
    for _, ended in _ended(rows, plan, case.base):
        texts = rows_in(content, pieces_of(plan, case.base), [row.ending for row in ended])
        if texts is not None:
            known = [replace(row, options=(Choice(0.0, text),)) for row, text in zip(ended, texts, strict=True)]
            return _result(case, plan, known, {}, proven=True, why=f"blob {case.header.new_blob}, found by its id")
    return None


def _unfit(file: LooseFile, base: bytes | None) -> str:
    """Why nothing can be restored, "" where it may be."""
    header = file.header
    if header.old_path and header.new_path and header.old_path != header.new_path and not _moved(header):
        return f"the names in its header disagree: {header.old_path} and {header.new_path}"
    if header.old_path is None and base:
        return "the patch creates it, but the base has it already"
    if header.old_path is not None and base is None:
        return "not in the base"
    return ""


def _moved(header: FileDiff) -> bool:
    return header.renamed or header.copied


def _restored(file: LooseFile, content: bytes, people: tuple[Person, ...], bound: Bound) -> Restoration:
    base = AlikeBase(content, file.header.path)
    placed = fit_hunks(file.hunks, base)
    if isinstance(placed, int):
        return Restoration(file.header, None, False, False, why_misplaced(file.hunks, placed, base))
    hidden = any(hides(line) for hunk in file.hunks for line in hunk.lines if line[:1] == b"+")

    def repaired(hunks: tuple[Fitted, ...], most: Bound) -> Restoration:
        return _Repair(Case(file.header, content, base, hunks, people, hidden), most).restore()

    found = repaired(placed, bound)
    if found.proven or not is_pre_image(content, file.header):
        return found
    counted = fit_hunks(file.hunks, base, anew=True)
    if isinstance(counted, int) or counted == placed:
        return found
    again = repaired(counted, replace(_BOUND, readings=_FEW))
    return again if again.proven else found


class _Repair:
    """The repair of one file: the search for the reading that has the blob id, within a bound."""

    def __init__(self, case: Case, bound: Bound) -> None:
        self.case = case
        self.plans = plans_of(case.placed, case.base)
        self.bound = bound
        self.judged = readings_judged(case.header.new_blob or "")
        self.tried = self.hashed = self.read = 0

    def restore(self) -> Restoration:
        case, header, likeliest = self.case, self.case.header, self.plans[0]
        exact = is_pre_image(case.content, header)
        if header.new_path is None:
            return _removed(case, likeliest)
        if not exact or not header.new_blob:
            why = other_blob(header, case.content) if header.old_blob and not exact else _NO_IDS
            cut = counts_in_doubt(likeliest)
            return _unproven(case, likeliest, why, cut)
        found = self._proven()
        if found is not None:
            return found
        cut = counts_in_doubt(likeliest)
        count = f"{self.tried} " if self.tried else ""  # those of `by_style` are not counted
        why = f"none of the {count}likeliest readings has blob id {header.new_blob}{cut}"
        return _unproven(case, likeliest, why)

    def _proven(self) -> Restoration | None:
        """The reading of the file that has the blob id, if one is found."""
        first = self.plans[0]
        told = [evidence_of(plan, self.case.base) for plan in self.plans]
        cut = first.unsure()  # most likely nothing will be found
        if not told[0].lossy and (found := self._search(first, told[0], _FEW)):
            return found
        if not told[0].lossy and (found := self._elsewhere(told[0])):
            return found
        if found := self._supposed(told):
            return found
        styled = not cut and self.judged >= MOST_READINGS  # a short id cannot judge so many
        if styled and (found := restore_by_style(self.case, self.plans, told)):
            return found
        return None if cut or told[0].lossy or self._spent() else self._search(first, told[0], self.bound.readings)

    def _supposed(self, told: Sequence[Evidence]) -> Restoration | None:
        """The reading with one open question answered for all lines at once; quick, and mostly enough."""
        for plan, one in zip(self.plans, told, strict=True):
            for supposed in [] if one.lossy else _suppositions(plan, one)[plan is self.plans[0] :]:
                if self._spent():
                    return None
                if found := self._search(plan, supposed, _FEW):
                    return found
        return None

    def _elsewhere(self, told: Evidence) -> Restoration | None:
        """The likeliest reading of the lines, with lost blank lines in other places."""
        if not any(fit.lost() for _, fit in self.plans[0].fits):
            return None
        for plan in plans_of(self.case.placed, self.case.base, _MOST_PLACES)[1:]:
            if self._spent():
                return None
            if found := self._search(plan, told, 1):
                return found
        return None

    def _spent(self) -> bool:
        """Whether as much was tried as is worth while."""
        return self.tried > self.bound.readings or self.hashed > self.bound.hashed or self.read > self.bound.lines

    def _search(self, plan: HunkPlan, told: Evidence, most: int) -> Restoration | None:
        """The reading of `plan` with the blob id, among the `most` likeliest."""
        case, wanted = self.case, self.case.header.new_blob or ""
        rows = rows_of(case, plan, told)
        self.read += sum(1 + len(row.options[0].text) // _WIDTH for row in rows if len(row.options) > 1)
        self.read += len(rows) // _FIXED
        for as_received, ended in _ended(rows, plan, case.base):
            judge = Judge(wanted, pieces_of(plan, case.base))
            endings = [row.ending for row in ended]
            first = texts_of(rows, {})
            for choice in chosen(rows, most if as_received else _FEW):
                if self.tried >= self.judged:
                    return None
                self.tried += 1
                texts = list(first)
                for row, option in choice.items():
                    texts[row] = rows[row].options[option].text
                if judge.right(texts, endings):
                    return _result(case, plan, ended, choice, proven=True, why=f"blob {wanted}")
                if self.hashed + judge.hashed > self.bound.hashed:
                    break
            self.hashed += judge.hashed
        return None


def chosen(rows: Sequence[FileLine], most: int) -> Iterator[Mapping[int, int]]:
    """The likeliest readings of `rows` (row -> option where not the first): first such that read lines alike that were
    received alike, then any; at most `most` of each."""
    alike: dict[tuple[Choice, ...], list[int]] = {}
    for number, row in enumerate(rows):
        alike.setdefault(row.options, []).append(number)
    tied = [numbers for options, numbers in alike.items() if len(options) > 1]
    alone = [[number] for numbers in tied for number in numbers]
    for groups in [tied, alone] if tied != alone else [alone]:
        costs = [[choice.cost for choice in rows[numbers[0]].options] for numbers in groups]
        for _, choice in choices(costs, most):
            yield {number: option for at, option in choice.items() for number in groups[at]}


def _suppositions(plan: HunkPlan, told: Evidence) -> list[Evidence]:
    """What may have been done: as the lines show it, then with one open question answered for all lines at once."""
    out = [told]
    text = b"\n".join(plan.added())
    for undo in UNDOS:
        if undo.undo(text) != text:
            out += [told.supposing(undo.damage, True), told.supposing(undo.damage, False)]
    out += [replace(told, ways=(way,)) for way in told.ways[:_MOST_WAYS] if len(told.ways) > 1]
    return out


def _ended(rows: Sequence[FileLine], plan: HunkPlan, base: AlikeBase) -> Iterator[tuple[bool, Sequence[FileLine]]]:
    """The rows with the ends that the file may have: as received (True), and each way where its last line is an added
    one."""
    yield True, rows
    fitted, fit = plan.fits[-1]
    added = fit.taken and fit.taken[-1].kind is Kind.ADDED
    if added and (fitted.start or 0) + fit.old_count() >= len(base.lines):
        for end in (b"", b"\n"):
            yield False, [*rows[:-1], replace(rows[-1], ending=end)]


def _unproven(case: Case, plan: HunkPlan, why: str, cut: str = "") -> Restoration:
    """The likeliest reading of `plan`, with the lines that nothing decided; `cut` is added to the reason where the diff
    may have been cut off."""
    if astray := groundless(plan):
        return Restoration(case.header, None, False, False, f"{why}{astray}")
    if plan.unsure_at_end():
        return Restoration(case.header, None, False, False, f"{why}{cut}")
    told = evidence_of(plan, case.base)
    rows = rows_of(case, plan, told)
    doubts = ambiguous(case.header.path, plan, rows)
    if told.lossy:
        file = replace(case.header, hunks=hunks_of(plan, case.base, texts_of(rows, {})))
        styled = restore_file(file, case.content, Bound(1))
        if not styled.found:
            return styled
        undone = added_up([*undone_by(plan, case.base, rows, {}), (Damage.SQUEEZED, len(rows))])
        return replace(styled, why=why, ambiguous=(*doubts, *styled.ambiguous), undone=undone)
    return replace(_result(case, plan, rows, {}, proven=False, why=why), ambiguous=doubts)


def _removed(case: Case, plan: HunkPlan) -> Restoration:
    """What became of a file that the diff removes."""
    rows = rows_of(case, plan, evidence_of(plan, case.base))
    read = _result(case, plan, rows, {}, proven=False, why="")
    left = Judge("", pieces_of(plan, case.base)).content(texts_of(rows, {}), [row.ending for row in rows])
    return replace(removal(read.file, case.content, left), undone=read.undone)


def _result(
    case: Case, plan: HunkPlan, rows: Sequence[FileLine], choice: Mapping[int, int], *, proven: bool, why: str
) -> Restoration:
    """The file with the options of `choice` (row -> option; the first where it names none)."""
    texts, endings = texts_of(rows, choice), [row.ending for row in rows]
    file = replace(case.header, hunks=hunks_of(plan, case.base, texts, endings))
    post = Judge("", pieces_of(plan, case.base)).content(texts, endings) if file.new_path is not None else None
    undone = undone_by(plan, case.base, rows, choice)
    return Restoration(file, post, True, proven, why, undone=undone)
