"""Undoes what mail programs and archives did to a diff, against the file it is made for.

Steps: `loose` reads the lines, `fitting` says what they are, `undoing` what the added ones may have been, and the blob
id of the `index` line decides (git-hash-object(1)). Context and removed lines take the base's bytes. Where white space
was lost so that the received text does not tell it, `styled.restore_file` reads it from the code's style.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice, product

from kpatch_tool.diff.model import FileDiff, Hunk, Kind, Line
from kpatch_tool.restore import addresses
from kpatch_tool.restore.addresses import Person
from kpatch_tool.restore.choosing import choices
from kpatch_tool.restore.damaged import squeeze
from kpatch_tool.restore.fitting import AlikeBase, Fit, Fitted, Taken, fit_hunks
from kpatch_tool.restore.likeness import likeness, without_no_break
from kpatch_tool.restore.limited import Limit
from kpatch_tool.restore.loose import LooseFile, LooseHunk
from kpatch_tool.restore.search import Bound, Judge
from kpatch_tool.restore.styled import Restoration, is_blob, other_blob, restore_file, unchanged
from kpatch_tool.restore.tabs import looks_detabbed
from kpatch_tool.restore.undoing import UNDOS, Choice, Evidence, as_near, evidence, readings

_UNDECIDED = 2.5  # bits: a reading this much less likely than the chosen one still counts as possible
_MAX_COMBINED = 64  # combinations of the hunks' readings that are tried
_FEW = 200  # readings tried for each of them before the likeliest gets the whole bound
_BOUND = Bound(6_000, 200_000_000, 2_500)
_STYLED = Bound(3_000, 100_000_000, 20_000)  # of the search by style, for one spelling of the added lines
_LIGHT = 6_000  # bytes of added lines that this bound is meant for
_TOO_HEAVY = 12  # times as many
_SPELLINGS = 12  # of the added lines that are given to it
_MOST_LOST = 12  # context lines at the end of a hunk that are put back
_LONGEST_HEAD = 120  # bytes of white space at the start of a line
_MOST_WAYS = 6  # of losing tabs that are tried one by one
_UNLIKELY = 8.0  # bits: that white space at the margin is as received
_DIGITS = 7  # a shorter blob id proves nothing
_SECTION = 80  # git cuts the text after the second @@ here (xdiff-interface.c, def_ff)


@dataclass(frozen=True, slots=True)
class _Row:
    """One line of the file after the patch that a hunk shows: what it may be, and how it ends."""

    options: tuple[Choice, ...]
    ending: bytes


@dataclass(frozen=True, slots=True)
class _Plan:
    """One way to read all hunks: (hunk, reading) in order."""

    cost: float
    fits: tuple[tuple[Fitted, Fit], ...]


def restore_loose(
    file: LooseFile, base: bytes | None, people: Iterable[Person] = (), bound: Bound | None = None
) -> Restoration:
    """Restore one loosely read file diff against `base` (None: no such file).

    `people` are those of the mail: addresses that an archive may have hidden in an added line. Never raises for what
    the diff or the base hold: a failure is a Restoration that was not found, with the reason.
    """
    header = file.header
    why = ""
    if header.binary:
        why = "a binary patch cannot be restored from damaged text"
    elif header.old_path and header.new_path and header.old_path != header.new_path and not _moved(header):
        why = f"the names in its header disagree: {header.old_path} and {header.new_path}"
    elif not file.hunks and _changes_text(header):
        why = "none of its hunks could be read"
    elif header.old_path is None and base:
        why = "the patch creates it, but the base has it already"
    elif header.old_path is not None and base is None:
        why = "not in the base"
    if why:
        return Restoration(header, None, False, False, why)
    content = base or b""
    return _restored(file, content, tuple(people), bound or _BOUND) if file.hunks else unchanged(header, content)


def _changes_text(header: FileDiff) -> bool:
    """Whether a file diff without hunks lacks them: it is no rename or copy, changes no mode, makes no empty file."""
    made = header.old_path is None or header.new_path is None
    return not (_moved(header) or made or header.old_mode != header.new_mode)


def _moved(header: FileDiff) -> bool:
    return header.renamed or header.copied


def _restored(file: LooseFile, base: bytes, people: tuple[Person, ...], bound: Bound) -> Restoration:
    alike = AlikeBase(base)
    placed = fit_hunks(file.hunks, alike)
    if isinstance(placed, int):
        return Restoration(file.header, None, False, False, _why_not(file.hunks, placed, alike))
    found = _Repair(file.header, base, placed, people, bound).restore(alike)
    if found.proven or not is_blob(base, file.header.old_blob):
        return found
    counted = fit_hunks(file.hunks, alike, anew=True)
    if isinstance(counted, int) or counted == placed:
        return found
    again = _Repair(file.header, base, counted, people, replace(_BOUND, readings=_FEW)).restore(alike)
    return again if again.proven else found


def _why_not(hunks: Sequence[LooseHunk], number: int, base: AlikeBase) -> str:
    """Why a hunk has no place, with the first line that the file does not hold."""
    hunk = hunks[number]
    where = f"hunk {number + 1} (@@ {hunk.ranges})"
    received = sum(1 for line in hunk.lines if line[:1] != b"+"), sum(1 for line in hunk.lines if line[:1] != b"-")
    if hunk.last and (received[0] < hunk.old_count or received[1] < hunk.new_count):
        return (
            f"{where} is cut off: {received[0]} of {hunk.old_count} old and {received[1]} of {hunk.new_count} new lines"
        )
    for line in hunk.lines:
        if line[:1] == b"+" or not line.strip():
            continue
        text = likeness(line[1:] if line[:1] == b"-" else line)
        if text not in base.positions:
            return f"{where} does not fit the base: `{_shown(line.strip())}` is not in it"
    return f"{where} does not fit the base: its lines are in it, but not together in this order"


def _shown(text: bytes) -> str:
    return text.decode("utf-8", "replace")[:60]


class _Repair:
    """The repair of one file whose hunks have their places."""

    def __init__(
        self, header: FileDiff, base: bytes, placed: tuple[Fitted, ...], people: tuple[Person, ...], bound: Bound
    ) -> None:
        self.header = header
        self.base = base
        self.placed = placed
        self.people = people
        self.bound = bound
        self.hidden = any(addresses.hides(line) for one in placed for line in one.hunk.lines if line[:1] == b"+")
        self.tried = self.hashed = self.read = 0

    def restore(self, alike: AlikeBase) -> Restoration:
        """The file restored; `alike` is the base."""
        self.alike = alike
        self.last = len(alike.lines) - 1 if not alike.ends_with_newline else -1
        header = self.header
        exact = header.old_path is None or is_blob(self.base, header.old_blob)
        plans = self._plans()
        if header.new_path is None:
            why = f"removes blob {header.old_blob}" if exact else other_blob(header, self.base)
            return self._result(plans[0], {}, proven=exact, why=why)
        if not exact or not header.new_blob or len(header.new_blob) < _DIGITS:
            why = "the patch names no blob ids" if exact or not header.old_blob else other_blob(header, self.base)
            return self._unproven(plans[0], why)
        found = self._proven(plans)
        if found is not None:
            return found
        return self._unproven(
            plans[0], f"none of the {self.tried} likeliest readings has blob id {header.new_blob}{self._cut()}"
        )

    def _cut(self) -> str:
        """A hunk whose counts are wrong may as well be one that was cut off."""
        for number, (fitted, fit) in enumerate(self._plans()[0].fits, 1):
            if fit.recounted or fit.completed:
                hunk, lost = fitted.hunk, fit.completed
                return (
                    f"; hunk {number} (@@ {hunk.ranges}) has {fit.old_count() - lost} old and {fit.new_count() - lost}"
                    " new lines: cut off, or wrong counts"
                )
        return ""

    def _plans(self) -> list[_Plan]:
        found = [
            _Plan(
                sum(one.fits[at].cost for one, at in zip(self.placed, choice, strict=True)),
                tuple((one, self._whole(one, one.fits[at])) for one, at in zip(self.placed, choice, strict=True)),
            )
            for choice in islice(product(*(range(len(one.fits)) for one in self.placed)), 4096)
        ]
        found.sort(key=lambda plan: plan.cost)
        return found[:_MAX_COMBINED]

    def _whole(self, fitted: Fitted, fit: Fit) -> Fit:
        """With the context lines at the end that the mail lost, where the counts say how many they are."""
        hunk, start = fitted.hunk, fitted.start or 0
        lost = hunk.old_count - fit.old_count()
        end = start + fit.old_count()
        if not fit.recounted or not 0 < lost <= _MOST_LOST or lost != hunk.new_count - fit.new_count():
            return fit
        if end + lost > len(self.alike.lines):
            return fit
        more = tuple(Taken(Kind.CONTEXT, fit.used, fit.used, end + number) for number in range(lost))
        return replace(fit, taken=(*fit.taken, *more), recounted=False, completed=lost)

    # Searching

    def _proven(self, plans: Sequence[_Plan]) -> Restoration | None:
        """The reading of the file that has the blob id, if one is found."""
        told = [self._evidence(plan) for plan in plans]
        cut = any(fit.recounted or fit.completed for _, fit in plans[0].fits)  # most likely nothing will be found
        if not told[0].lossy and (found := self._search(plans[0], told[0], _FEW)):
            return found
        if not cut and (found := self._styled(plans, told)):
            return found
        for plan, one in zip(plans, told, strict=True):
            for supposed in [] if one.lossy else self._supposing(plan, one)[plan is plans[0] :]:
                if self._spent():
                    return None
                if found := self._search(plan, supposed, _FEW):
                    return found
        return None if cut or told[0].lossy else self._search(plans[0], told[0], self.bound.readings)

    def _spent(self) -> bool:
        """Whether as much was tried as is worth while."""
        return self.tried > self.bound.readings or self.hashed > self.bound.hashed or self.read > self.bound.lines

    def _supposing(self, plan: _Plan, told: Evidence) -> list[Evidence]:
        """What may have been done: as the lines show it, then with one open question answered for all lines at once."""
        out = [told]
        text = b"\n".join(self._added(plan))
        for undo in UNDOS:
            if undo.undo(text) != text:
                out += [told.supposing(undo.name, True), told.supposing(undo.name, False)]
        out += [replace(told, ways=(way,)) for way in told.ways[:_MOST_WAYS] if len(told.ways) > 1]
        return out

    def _added(self, plan: _Plan) -> Iterator[bytes]:
        for fitted, fit in plan.fits:
            for one in fit.taken:
                if one.kind is Kind.ADDED:
                    yield from fitted.hunk.lines[one.first : one.last]

    def _search(self, plan: _Plan, told: Evidence, most: int) -> Restoration | None:
        """The reading of `plan` with the blob id, among the `most` likeliest."""
        rows = self._rows(plan, told)
        first = [row.options[0].text for row in rows]
        costs = [[choice.cost for choice in row.options] for row in rows]
        self.read += sum(1 + len(row.options[0].text) // 80 for row in rows if len(row.options) > 1) + len(rows) // 10
        for end in self._ends(plan):
            judge = Judge(self.header.new_blob or "", self._pieces(plan))
            ended = rows if end is None else [*rows[:-1], replace(rows[-1], ending=end)]
            endings = [row.ending for row in ended]
            for _, choice in choices(costs, most if end is None else _FEW):
                self.tried += 1
                texts = list(first)
                for row, option in choice.items():
                    texts[row] = rows[row].options[option].text
                if judge.right(texts, endings):
                    return self._result(plan, choice, proven=True, why=f"blob {self.header.new_blob}", rows=ended)
                if self.hashed + judge.hashed > self.bound.hashed:
                    break
            self.hashed += judge.hashed
        return None

    def _ends(self, plan: _Plan) -> tuple[bytes | None, ...]:
        """How the file may end where its last line is an added one: as received, and the other way."""
        fitted, fit = plan.fits[-1]
        if not fit.taken or fit.taken[-1].kind is not Kind.ADDED:
            return (None,)
        at_end = (fitted.start or 0) + fit.old_count() >= len(self.alike.lines)
        return (None, b"", b"\n") if at_end else (None,)

    def _styled(self, plans: Sequence[_Plan], told: Sequence[Evidence]) -> Restoration | None:
        """Added lines whose white space the received text does not tell for sure, read by the style of the code."""
        for plan, one in list(zip(plans, told, strict=True))[:2]:
            way = one.ways[0] if one.ways else None
            if way is None and not one.lossy:
                continue
            rows = self._rows(plan, replace(one, ways=one.ways[:1]))
            added = [row for row, known in zip(rows, self._kinds(plan), strict=True) if not known]
            words = [_spellings(row.options) for row in rows]
            heavy = max(1, sum(len(row.options[0].text) for row in added) // _LIGHT)
            if heavy > _TOO_HEAVY:
                return None
            bound = Bound(_STYLED.readings // heavy, _STYLED.hashed // heavy, _STYLED.lines // heavy)
            for _, choice in choices([[cost for cost, _ in row] for row in words], _SPELLINGS):
                texts = [row[choice.get(number, 0)][1] for number, row in enumerate(words)]
                chosen = [text for text, known in zip(texts, self._kinds(plan), strict=True) if not known]
                limits = [_limit(row, text, one) for row, text in zip(added, chosen, strict=True)]
                hunks = self._hunks(plan, iter(texts))
                result = restore_file(replace(self.header, hunks=hunks), self.base, bound, limits)
                if result.proven:
                    undone = self._undone(plan, rows, {})
                    name = "squeezed" if one.lossy else "tabs-to-blanks"
                    lines = len(added) if one.lossy else 0
                    return replace(result, undone=_added_up([*undone, (name, lines)]))
        return None

    def _kinds(self, plan: _Plan) -> list[bool]:
        """For each row, whether the base has it."""
        return [one.base is not None for _, fit in plan.fits for one in fit.taken if one.kind is not Kind.REMOVED]

    # Building

    def _evidence(self, plan: _Plan) -> Evidence:
        """What the context and removed lines tell of what was done to the mail."""
        pairs = []
        for fitted, fit in plan.fits:
            for one in fit.taken:
                if one.base is None or one.last - one.first != 1:
                    continue
                line = fitted.hunk.lines[one.first]
                known = self.alike.lines[one.base]
                text = line[1:] if one.kind is Kind.REMOVED or line[:1] == b" " else line
                pairs.append((text, known))
        indented = looks_detabbed(line[1:] for line in self._added(plan))
        told = evidence(pairs, indented=indented)
        if told.lossy:  # each way of keeping a context line's first column
            shifted = [(text.removeprefix(b" "), known) for text, known in pairs]
            stuffed = evidence(shifted, indented=indented)
            return replace(told, ways=stuffed.ways, margin=stuffed.margin)
        return told

    def _rows(self, plan: _Plan, told: Evidence) -> list[_Row]:
        rows: list[_Row] = []
        for fitted, fit in plan.fits:
            hunk = fitted.hunk
            removed = b"\n".join(
                self.alike.lines[one.base] for one in fit.taken if one.base is not None and one.kind is Kind.REMOVED
            )
            people = addresses.pool(self.people, removed, self.base) if self.hidden else ()
            known = self._heads(fitted, fit) if any(told.ways) else []
            for place, one in enumerate(fit.taken):
                if one.kind is Kind.REMOVED:
                    continue
                if one.base is not None:
                    text = self.alike.lines[one.base]
                    rows.append(_Row((Choice(0.0, text),), b"" if one.base == self.last else b"\n"))
                    continue
                pieces = hunk.lines[one.first : one.last]
                options = readings((pieces[0][1:], *pieces[1:]), told, people)
                if known:
                    options = as_near(options, _head(pieces[0][1:]), [head for _, *head in _near(known, place)])
                rows.append(_Row(tuple(options), b"" if one.last - 1 in hunk.bare else b"\n"))
        return rows

    def _heads(self, fitted: Fitted, fit: Fit) -> list[tuple[int, bytes, bytes]]:
        """(place, white space at the start as received, the same in the base) of the lines that the base has."""
        found = []
        for place, one in enumerate(fit.taken):
            if one.base is not None and one.last > one.first:
                line = fitted.hunk.lines[one.first]
                text = line[1:] if one.kind is Kind.REMOVED or line[:1] == b" " else line
                if head := _head(text):
                    found.append((place, head, _head(self.alike.lines[one.base])))
        return found

    def _pieces(self, plan: _Plan) -> list[bytes | tuple[int, int]]:
        """The file after the patch, as Judge wants it: known bytes, and ranges of rows."""
        pieces: list[bytes | tuple[int, int]] = []
        at = row = 0
        for fitted, fit in plan.fits:
            start = fitted.start or 0
            pieces.append(self._known(at, start))
            pieces.append((row, row + fit.new_count()))
            row += fit.new_count()
            at = start + fit.old_count()
        pieces.append(self._known(at, len(self.alike.lines)))
        return pieces

    def _known(self, start: int, end: int) -> bytes:
        """Lines of the base that no hunk touches."""
        if start >= end:
            return b""
        text = b"\n".join(self.alike.lines[start:end])
        return text + b"\n" if end < len(self.alike.lines) or self.alike.ends_with_newline else text

    def _unproven(self, plan: _Plan, why: str) -> Restoration:
        told = self._evidence(plan)
        rows = self._rows(plan, told)
        ambiguous = self._ambiguous(plan, rows)
        if any((fit.recounted or fit.completed) and fitted.hunk.last for fitted, fit in plan.fits):
            # Whether changes are missing at the end, nothing tells.
            return Restoration(self.header, None, False, False, f"{why}{self._cut() if 'cut off' not in why else ''}")
        if told.lossy:
            texts = [row.options[0].text for row in rows]
            loose = replace(self.header, hunks=self._hunks(plan, iter(texts)))
            result = restore_file(loose, self.base, Bound(1))
            return replace(result, why=why, ambiguous=(*ambiguous, *result.ambiguous), undone=_added_up(
                [*self._undone(plan, rows, {}), ("squeezed", len(rows))]
            )) if result.found else result  # fmt: skip
        return self._result(plan, {}, proven=False, why=why, rows=rows, ambiguous=ambiguous)

    def _result(
        self,
        plan: _Plan,
        choice: Mapping[int, int],
        *,
        proven: bool,
        why: str,
        rows: list[_Row] | None = None,
        ambiguous: tuple[str, ...] = (),
    ) -> Restoration:
        rows = rows if rows is not None else self._rows(plan, self._evidence(plan))
        texts = [row.options[choice.get(number, 0)].text for number, row in enumerate(rows)]
        endings = [row.ending for row in rows]
        post = Judge("", self._pieces(plan)).content(texts, endings) if self.header.new_path is not None else None
        file = replace(self.header, hunks=self._hunks(plan, iter(texts), iter(endings)))
        return Restoration(file, post, True, proven, why, ambiguous, self._undone(plan, rows, choice))

    def _hunks(self, plan: _Plan, texts: Iterator[bytes], endings: Iterator[bytes] | None = None) -> tuple[Hunk, ...]:
        return tuple(self._hunk(fitted, fit, texts, endings) for fitted, fit in plan.fits)

    def _hunk(self, fitted: Fitted, fit: Fit, texts: Iterator[bytes], endings: Iterator[bytes] | None) -> Hunk:
        hunk = fitted.hunk
        lines: list[Line] = []
        for one in fit.taken:
            if one.base is not None:
                lines.append(Line(one.kind, self.alike.lines[one.base], one.base != self.last))
                if one.kind is Kind.CONTEXT:
                    next(texts)
                    if endings is not None:
                        next(endings)
                continue
            ending = next(endings) if endings is not None else b"" if one.last - 1 in hunk.bare else b"\n"
            lines.append(Line(Kind.ADDED, next(texts), ending != b""))
        received = b" ".join((hunk.section, *(line.strip() for line in hunk.lines[: fit.section])))
        section = self._section(received, fitted.start or 0)
        old, new = fit.old_count(), fit.new_count()
        return Hunk(hunk.old_start, old, hunk.new_start, new, section, tuple(lines))

    def _section(self, received: bytes, start: int) -> bytes:
        """The text after the second @@ as the base has it, cut as git does; as received where no line reads so."""
        wanted = likeness(received)
        if not wanted:
            return received.strip()
        for number in range(min(start, len(self.alike.lines)) - 1, -1, -1):
            if self.alike.alike[number].startswith(wanted[:40]):
                line = self.alike.lines[number].rstrip()
                for text in (line[:_SECTION], line.lstrip()[:_SECTION]):
                    if likeness(text) == wanted:
                        return text.rstrip()
        return received

    # Telling

    def _undone(self, plan: _Plan, rows: Sequence[_Row], chosen: Mapping[int, int]) -> tuple[tuple[str, int], ...]:
        """What was undone and in how many lines."""
        counts: Counter[str] = Counter()
        row = 0
        for fitted, fit in plan.fits:
            counts["counts-wrong"] += fit.recounted
            counts["truncated"] += fit.completed
            lines = fitted.hunk.lines
            used = fit.section
            counts["rewrapped"] += bool(fit.section)
            for one in fit.taken[: len(fit.taken) - fit.completed]:
                counts["blank-lines-doubled"] += one.first - used
                used = one.last
                if one.kind is not Kind.REMOVED:
                    number, row = row, row + 1
                if one.base is None:
                    for name in rows[number].options[chosen.get(number, 0)].undone:
                        counts[name] += 1
                else:
                    for name in self._told(one, lines):
                        counts[name] += 1
        return _added_up(list(counts.items()))

    def _told(self, one: Taken, lines: tuple[bytes, ...]) -> Iterator[str]:
        """What happened to a line that the base has."""
        if one.first == one.last:
            yield "blank-lines-dropped"
        elif one.last - one.first > 1:
            yield "rewrapped"
        else:
            line, known = lines[one.first], self.alike.lines[one.base or 0]
            bare = line[1:]
            if bare == known and (one.kind is Kind.REMOVED or line[:1] == b" "):
                return
            if line == known and line[:1] not in (b" ", b"\t", b""):
                yield "first-column-lost"
                return
            for undo in UNDOS:
                if undo.undo(bare) != bare and undo.undo(known) == known and undo.name != "hyphens-spaced":
                    yield undo.name
            if b"\t" in known and b"\t" not in bare:
                yield "tabs-to-blanks"

    def _ambiguous(self, plan: _Plan, rows: Sequence[_Row]) -> tuple[str, ...]:
        """The added lines that have more than one likely reading."""
        out: list[str] = []
        path, row = self.header.path, 0
        for number, (fitted, fit) in enumerate(plan.fits, 1):
            line = fitted.hunk.new_start
            for one in fit.taken:
                if one.kind is Kind.REMOVED:
                    continue
                options = rows[row].options
                likely = sum(1 for choice in options if choice.cost - options[0].cost < _UNDECIDED)
                guessed = "addresses-hidden" in options[0].undone and not addresses.told(fitted.hunk.lines[one.first])
                if one.base is None and (guessed or addresses.hides(options[0].text)):
                    out.append(f"{path}:+{line} `{_shown(options[0].text.strip())}`: a hidden address")
                elif likely > 1:
                    out.append(f"{path}:+{line} `{_shown(options[0].text.strip())}`: {likely} readings")
                row, line = row + 1, line + 1
            close = sum(1 for other in fitted.fits if other.cost - fit.cost < _UNDECIDED)
            if close > 1:
                where = f"{path}: hunk {number} (+{fitted.hunk.new_start})"
                out.append(f"{where}: {close} ways to tell its context from its changes")
        return tuple(out)


def _head(text: bytes) -> bytes:
    """The white space at the start of a line; no-break spaces as blanks."""
    text = without_no_break(text[:_LONGEST_HEAD])
    return text[: len(text) - len(text.lstrip(b" \t"))]


def _near(known: Sequence[tuple[int, bytes, bytes]], place: int) -> list[tuple[int, bytes, bytes]]:
    """`known` from the nearest to `place` on, those above first."""
    return sorted(known, key=lambda one: (abs(one[0] - place), one[0]))


def _limit(row: _Row, text: bytes, told: Evidence) -> Limit:
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


def _spellings(options: Sequence[Choice]) -> list[tuple[float, bytes]]:
    """The readings of a line that differ in more than white space."""
    found: dict[bytes, tuple[float, bytes]] = {}
    for choice in options:
        found.setdefault(squeeze(choice.text), (choice.cost, choice.text))
    return list(found.values())


def _added_up(undone: Sequence[tuple[str, int]]) -> tuple[tuple[str, int], ...]:
    counts: Counter[str] = Counter()
    for name, count in undone:
        counts[name] += count
    return tuple(sorted((name, count) for name, count in counts.items() if count > 0))
