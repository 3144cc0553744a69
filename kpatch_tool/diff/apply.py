"""Put the hunks of one file on its text, the way `git apply` places them.

Source of the rules: git's apply.c (find_pos, match_fragment, apply_one_fragment). A hunk is looked for at the line its
header says, then ever farther away, below before above; no line may differ. A hunk that starts at line 1 must match
at the start of the file, one without trailing context at its end. One without any context (`git diff -U0`) goes where
its header says, as with `git apply --unidiff-zero`: where the lines it removes stand there, or where the file is the
very one it was made for. What git refuses may be tried with fuzz, like patch(1): up to two context lines at the ends of
the hunk are left out, and the placement says so.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import accumulate
from operator import itemgetter

from kpatch_tool.diff import binary, nearest
from kpatch_tool.diff.blob import is_blob, is_pre_image
from kpatch_tool.diff.model import FileDiff, Hunk, Kind, Line, reversed_diff
from kpatch_tool.diff.printer import hunk_header

MAX_FUZZ = 2
_COUNTED = 4096  # bytes
_TELLING = re.compile(rb"\w{2}")


@dataclass(frozen=True, slots=True)
class Placement:
    """Where hunk `hunk` (from 0) went: `line` (from 1) in the text before, `offset` lines away from where its header
    says, leaving out `fuzz` context lines at its ends (or its tie to the start or end of the file)."""

    hunk: int
    line: int
    offset: int
    fuzz: int


@dataclass(frozen=True, slots=True)
class Applied:
    """The text after; None where the file is deleted. One placement a hunk, in the hunks' order."""

    post: bytes | None
    placements: tuple[Placement, ...] = ()


@dataclass(frozen=True, slots=True)
class Conflict:
    """Why a file cannot take its diff. `hunk` (from 0) and `header` name the failing hunk, None and "" where the whole
    file is refused. `near` is the place in the file most like the hunk and what differs there, None if nothing is."""

    reason: str
    hunk: int | None = None
    header: str = ""
    near: nearest.Nearest | None = None


@dataclass(frozen=True, slots=True)
class _Place:
    """A hunk that has its place: bytes start..end of the text before, those of the lines compared, become `new`. `line`
    is the hunk's first one, from 0, context left out by fuzz included; `end_line` the one at `end`; `delta` how many
    lines the text grows."""

    start: int
    end: int
    line: int
    end_line: int
    new: bytes
    delta: int


class _PlacedHunks:
    """The hunks that have their places, in the order of the text. None lies over another: git does not let a hunk match
    lines that an earlier hunk of the same file matched or made."""

    __slots__ = ("_grown", "_spans", "last", "places")

    def __init__(self) -> None:
        self.places: list[_Place] = []
        self.last: _Place | None = None  # of the hunk before
        self._spans: list[tuple[int, int]] = []
        self._grown = [0]  # lines that the first places add, by how many they are

    def add(self, place: _Place) -> None:
        """One more hunk."""
        at = bisect_right(self._spans, (place.start, place.end))
        self._spans.insert(at, (place.start, place.end))
        self.places.insert(at, place)
        self._grown = [0, *accumulate(one.delta for one in self.places)]
        self.last = place

    @property
    def end(self) -> int:
        """Where the last one in the text ends."""
        return self._spans[-1][1] if self._spans else 0

    @property
    def grown(self) -> int:
        """How many lines all of them add."""
        return self._grown[-1]

    def grown_before(self, at: int) -> int:
        """How many lines those before an offset add."""
        return self._grown[bisect_right(self._spans, (at, at))]

    def over(self, at: int, length: int) -> tuple[int, int] | None:
        """The first place (start, end) that lies over `length` bytes at `at`."""
        number = bisect_right(self._spans, at, key=itemgetter(1))
        found = self._spans[number] if number < len(self._spans) else None
        return found if found and found[0] < at + length else None


@dataclass(frozen=True, slots=True)
class _Attempt:
    """A way to look for a hunk: without `lead` and `trail` of its outer lines, tied to the file's ends or not."""

    fuzz: int
    lead: int
    trail: int
    at_start: bool
    at_end: bool
    no_offset: bool = False


@dataclass(frozen=True, slots=True)
class _Sought:
    """The bytes looked for, the line (from 0) wanted for them, and whether they must end the file: a line without its
    newline can only be a file's last."""

    old: bytes
    wanted: int
    attempt: _Attempt
    at_end: bool


def apply_file(pre: bytes | None, file: FileDiff, *, fuzz: int = MAX_FUZZ) -> Applied | Conflict:
    """`pre` (None: no such file) after `file`; a Conflict when it does not fit. `fuzz`: 0 (git's rule) to 2."""
    refused = _refused(pre, file)
    if refused is not None:
        return refused
    text = pre or b""
    if file.binary:
        return _binary(pre, file)
    if not file.hunks:
        return _finished(text, file, ())
    bare = any(not hunk.count(Kind.CONTEXT) for hunk in file.hunks)
    exact = bare and file.old_path is not None and is_blob(text, file.old_blob)
    placed = _PlacedHunks()
    placements = []
    for index, hunk in enumerate(file.hunks):
        found = _find_place(text, hunk, placed, fuzz, exact=exact)
        if found is None:
            return _conflict(text, file, index)
        place, offset, used = found
        placed.add(place)
        placements.append(Placement(index, place.line + 1, offset, used))
    return _finished(_joined(text, placed.places), file, tuple(placements))


def is_already(pre: bytes | None, file: FileDiff) -> bool:
    """Whether `pre` (the file under its new name; None: no such file) has the change already: taken backwards, every
    hunk fits without fuzz. A change of names or modes alone leaves no trace in a text: False."""
    traceless = not file.hunks and not file.binary and file.old_path is not None and file.new_path is not None
    return not traceless and isinstance(apply_file(pre, reversed_diff((file,))[0], fuzz=0), Applied)


def _refused(pre: bytes | None, file: FileDiff) -> Conflict | None:
    """The whole file is there, or not there, against what the diff says."""
    if file.old_path is None:
        return Conflict("the patch creates the file, but it exists already") if pre is not None else None
    return Conflict("there is no such file") if pre is None else None


def _finished(post: bytes, file: FileDiff, placements: tuple[Placement, ...]) -> Applied | Conflict:
    if file.new_path is not None:
        return Applied(post, placements)
    # `git format-patch -D` names what it deletes by its blob id alone.
    if post and (file.hunks or not is_blob(post, file.old_blob)):
        return Conflict("the patch deletes the file, but the file holds more than the patch removes")
    return Applied(None, placements)


def _binary(pre: bytes | None, file: FileDiff) -> Applied | Conflict:
    """A binary change, between the two files that its blob ids name and no others (git's apply_binary)."""
    post = binary.patched(pre or b"", file.payload)
    if isinstance(post, str):
        return Conflict(post)
    if not is_pre_image(pre, file):
        return Conflict("the binary file is not the one that the patch changes, by its blob id")
    if file.new_path is not None and not is_blob(post, file.new_blob):
        return Conflict("the binary patch does not make the file that its blob id names")
    return _finished(post, replace(file, hunks=()), ())


def _find_place(
    text: bytes, hunk: Hunk, placed: _PlacedHunks, fuzz: int, *, exact: bool = False
) -> tuple[_Place, int, int] | None:
    """The hunk's place, its offset and the fuzz it took. `exact`: the file is the one the patch was made for."""
    for attempt in _attempts(hunk, fuzz, exact=exact):
        lines = hunk.lines[attempt.lead : len(hunk.lines) - attempt.trail]
        old, new = _text(lines, Kind.ADDED), _text(lines, Kind.REMOVED)
        wanted = max(0, hunk.new_start - (1 if hunk.new_count else 0)) + attempt.lead
        sought = _Sought(old, wanted, attempt, at_end=attempt.at_end or not _ended(old) or not _ended(new))
        found = _search(text, sought, placed) if old else _insertion(text, sought, placed)
        if found is not None and (found[2] == wanted or not attempt.no_offset):
            at, line, current = found
            delta = hunk.new_count - hunk.old_count
            first, end_line = max(0, line - attempt.lead), line + old.count(b"\n")
            place = _Place(at, at + len(old), first, end_line, new, delta)
            return place, current - wanted, attempt.fuzz
    return None


def _attempts(hunk: Hunk, fuzz: int, *, exact: bool = False) -> Iterator[_Attempt]:
    """The strict way first, then without the tie to the file's ends, then with ever fewer context lines."""
    kinds = [line.kind for line in hunk.lines]
    lead = next((at for at, kind in enumerate(kinds) if kind is not Kind.CONTEXT), 0)
    trail = next((at for at, kind in enumerate(reversed(kinds)) if kind is not Kind.CONTEXT), 0)
    at_start, at_end = hunk.old_start <= 1, trail == 0
    # git would move a hunk without any context to the end of the file; `git diff -U0` makes them.
    yield _Attempt(0, 0, 0, at_start, at_end, no_offset=not hunk.count(Kind.CONTEXT))
    # At the first line it may as well be the whole of a small file, which must then be there as a whole.
    if not hunk.count(Kind.CONTEXT) and ((hunk.count(Kind.REMOVED) and not at_start) or exact):
        yield _Attempt(0, 0, 0, False, False, no_offset=True)
    if fuzz and (at_start or at_end):
        yield _Attempt(1, 0, 0, False, False)
    longer = max(lead, trail)
    for used in range(1, min(fuzz, MAX_FUZZ, longer) + 1):
        drop_lead, drop_trail = max(0, used + lead - longer), max(0, used + trail - longer)
        kept = hunk.lines[drop_lead : len(hunk.lines) - drop_trail]
        # Braces and blank lines alone fit anywhere.
        if any(line.kind is not Kind.ADDED and _TELLING.search(line.text) for line in kept):
            yield _Attempt(used, drop_lead, drop_trail, False, False)


def _ended(text: bytes) -> bool:
    return not text or text.endswith(b"\n")


def _search(text: bytes, sought: _Sought, placed: _PlacedHunks) -> tuple[int, int, int] | None:
    """The nearest place: its offset in bytes, its line in `text`, that line counted with the placed hunks' changes."""
    old, wanted = sought.old, sought.wanted
    if sought.attempt.at_start or sought.at_end:
        return _at_the_ends(text, sought, placed)
    last = placed.last
    if last is not None:
        # The common case: the next hunk stands where its header says, below the one before.
        for found in _occurrences(text, old, last.end, last.end_line, placed):
            if found[2] >= wanted:
                if found[2] == wanted:
                    return found
                break
    # git lets hunks change places; with context left out that would be a guess too many (patch(1) never does).
    low = placed.end if sought.attempt.fuzz else 0
    return _nearest(text, sought, placed, low)


def _nearest(text: bytes, sought: _Sought, placed: _PlacedHunks, low: int) -> tuple[int, int, int] | None:
    """The place from offset `low` on that is nearest to the wanted line, the lower one of two. Looked for from there in
    both directions, as git does: lines that are found everywhere make no difference."""
    old, wanted = sought.old, sought.wanted
    middle = max(low, _offset_of(text, max(0, wanted - placed.grown)))
    line = text.count(b"\n", 0, middle)
    above: tuple[int, int, int] | None = None
    below: tuple[int, int, int] | None = None
    for found in _occurrences(text, old, middle, line, placed):
        if found[2] >= wanted:
            below = found
            break
        above = found
    counted = middle
    end = middle + len(old) - 1
    while above is None and (at := text.rfind(old, low, end)) >= 0:
        over = placed.over(at, len(old))
        end = over[0] if over else at + len(old) - 1
        if over or not _line_start(text, at):
            continue
        line -= text.count(b"\n", at, counted)
        counted = at
        found = (at, line, line + placed.grown_before(at))
        if found[2] >= wanted:
            below = found
        else:
            above = found
    if above is None or below is None:
        return below or above
    return below if below[2] - wanted <= wanted - above[2] else above


def _occurrences(text: bytes, old: bytes, at: int, line: int, placed: _PlacedHunks) -> Iterator[tuple[int, int, int]]:
    """Every place of `old` from offset `at` (in line `line`) on that begins a line and touches no placed hunk."""
    counted = at
    while (at := text.find(old, at)) >= 0:
        over = placed.over(at, len(old))
        if over is None and _line_start(text, at):
            line += text.count(b"\n", counted, at)
            counted = at
            yield at, line, line + placed.grown_before(at)
        at = over[1] if over else at + 1


def _at_the_ends(text: bytes, sought: _Sought, placed: _PlacedHunks) -> tuple[int, int, int] | None:
    at = 0 if sought.attempt.at_start else len(text) - len(sought.old)
    if at < 0 or not text.startswith(sought.old, at) or not _line_start(text, at):
        return None
    if (sought.at_end and at + len(sought.old) != len(text)) or placed.over(at, len(sought.old)):
        return None
    line = text.count(b"\n", 0, at)
    return at, line, line + placed.grown_before(at)


def _insertion(text: bytes, sought: _Sought, placed: _PlacedHunks) -> tuple[int, int, int] | None:
    """A hunk without old lines: the start of an empty file, the end of one, or (with fuzz) its line number alone."""
    wanted, attempt = sought.wanted, sought.attempt
    if not text:
        return 0, 0, wanted
    total = text.count(b"\n")
    line = wanted - placed.grown
    if line == total and text.endswith(b"\n"):
        return None if attempt.at_start else (len(text), total, wanted)
    if attempt.at_start or attempt.at_end or not 0 <= line <= total:  # before a last line without its newline, too
        return None
    at = _offset_of(text, line)
    return None if placed.over(at, 0) else (at, line, wanted)


def _offset_of(text: bytes, line: int) -> int:
    """Where a line (from 0) begins; the end of the text where it has no such line."""
    low, high = 0, len(text)
    while high - low > _COUNTED:  # counting is a hundred times as fast as going from line to line
        middle = (low + high) // 2
        lines = text.count(b"\n", low, middle)
        if lines < line:
            low, line = middle, line - lines
        else:
            high = middle
    at = low
    for _ in range(line):
        at = text.find(b"\n", at) + 1
        if not at:
            return len(text)
    return at


def _line_start(text: bytes, at: int) -> bool:
    return at == 0 or text[at - 1] == 0x0A


def _joined(text: bytes, placed: Iterable[_Place]) -> bytes:
    parts: list[bytes] = []
    at = 0
    for place in placed:
        parts += (text[at : place.start], place.new)
        at = place.end
    return b"".join((*parts, text[at:]))


def _text(lines: Iterable[Line], without: Kind) -> bytes:
    return b"".join(line.text + (b"\n" if line.newline else b"") for line in lines if line.kind is not without)


def _conflict(text: bytes, file: FileDiff, index: int) -> Conflict:
    hunk = file.hunks[index]
    made = _text(hunk.lines, Kind.REMOVED)
    header = hunk_header(hunk)
    there = (
        next(_occurrences(text, made, 0, 0, _PlacedHunks()), None)
        if hunk.new_count > hunk.count(Kind.CONTEXT)
        else None
    )
    if there is not None:
        return Conflict(f"what this hunk makes is there already, at line {there[1] + 1}", index, header)
    near = nearest.nearest_place(text, hunk)
    if near is None:
        return Conflict("no place in the file is like this hunk", index, header)
    if near.white_space_only:
        return Conflict(f"line {near.line} on differs in white space only", index, header, near)
    return Conflict(f"the nearest place, line {near.line}, differs", index, header, near)
