"""Two revisions of a series compared patch by patch: what stayed, what changed, and whose reviews still hold.

Patches are paired by their diffs (diff.pairing, the rules of `git range-diff`). What is compared is the author, the
commit message and the diff without line numbers and blob ids, also as there; Date and the text below `---` are not.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from kpatch_tool.diff import linediff, pairing
from kpatch_tool.diff.pairing import Text
from kpatch_tool.mail.message import Damage
from kpatch_tool.series.model import Exactness, Patch, Series, Trailer
from kpatch_tool.series.people import persons, trailers

_MASKED = re.compile(
    rb"<?[\w.+-]{1,64}(?:@| at )(?:[\w-]{1,63}\.|\.\.\.|x{3,})[\w.-]{0,63}>?|<?\[email[ \xa0\xc2]{1,3}protected\]>?"
)
_NBSP = b"\xc2\xa0"
_TELLING = re.compile(rb"\w{3}")  # a line that is not found everywhere, as a brace is
_ADDRESSES = frozenset({Damage.ADDRESSES_HIDDEN})


class Change(StrEnum):
    """What became of a patch, the gravest first that applies."""

    DROPPED = "dropped"
    ADDED = "added"
    CHANGED = "changed"  # the lines it adds or removes, the files, or their places are others
    MESSAGE = "message"  # the diff is the same; the message, the subject or the author is not
    CONTEXT = "context"  # the same lines added and removed at the same places, among other context
    TRAILERS = "trailers"  # nothing but trailers
    UNCHANGED = "unchanged"


class Part(StrEnum):
    """A part of a patch that differs."""

    AUTHOR = "author"
    SUBJECT = "subject"
    MESSAGE = "message"
    TRAILERS = "trailers"
    CONTEXT = "context"
    DIFF = "diff"


@dataclass(frozen=True, slots=True)
class Pair:
    """A patch of A and the one of B that it became; one of them is None for a dropped or added patch.

    `parts` are all that differ; `similarity` (0 to 1) is the share of lines that the diffs have in common; `diff` the
    difference of both patches as a unified diff of their text, lines without newline, its hunks begun by "@@ section".
    `moved` says that the patch changed places with others that are in both. `squeezed` says that it was compared with
    white space squeezed, since an archive damaged one of the two. `namesake` is the number in the other series of a
    patch with the same subject that this one was not paired with.
    """

    a: Patch | None
    b: Patch | None
    change: Change
    parts: tuple[Part, ...] = ()
    similarity: float = 0.0
    diff: tuple[bytes, ...] = ()
    moved: bool = False
    squeezed: bool = False
    namesake: int | None = None

    @property
    def patch(self) -> Patch:
        """The patch of B, or the dropped one of A."""
        patch = self.b or self.a
        if patch is None:
            raise ValueError("a pair of nothing")
        return patch


@dataclass(frozen=True, slots=True)
class CarryOver:
    """Reviews of A's patch `source` that hold for B's unchanged patch `number` and are missing there."""

    number: int
    source: int
    trailers: tuple[Trailer, ...]


@dataclass(frozen=True, slots=True)
class RangeDiff:
    """The comparison of two series. `pairs` are in the order of `git range-diff`: B's, dropped ones where they were."""

    a: Series
    b: Series
    pairs: tuple[Pair, ...]
    carry_over: tuple[CarryOver, ...]


def compare(a: Series, b: Series, creation_factor: int = pairing.CREATION_FACTOR) -> RangeDiff:
    """Pair the patches of two series and say what changed. `creation_factor` is as in git range-diff, in percent."""
    lossy = any(_lost(patch) for series in (a, b) for patch in series.patches)
    texts = [
        [_diff_text(patch, squeezed=lossy, masked=False, data=False) for patch in series.patches] for series in (a, b)
    ]
    places = pairing.pair(texts[0], texts[1], creation_factor)
    order = _in_place([one for one, other in places if one is not None and other is not None])
    pairs = []
    for one, other in places:
        if one is not None and other is not None:
            pairs.append(_compared(a.patches[one], b.patches[other], moved=one not in order))
        elif one is not None:
            pairs.append(Pair(a.patches[one], None, Change.DROPPED, namesake=_namesake(a.patches[one], b)))
        elif other is not None:
            pairs.append(Pair(None, b.patches[other], Change.ADDED, namesake=_namesake(b.patches[other], a)))
    return RangeDiff(a, b, tuple(pairs), tuple(found for pair in pairs if (found := _carried(pair))))


def _in_place(order: Sequence[int]) -> frozenset[int]:
    """The longest run of A's places that rises through B: what is not in it was moved."""
    runs: list[list[int]] = [[]]
    for place in order:
        _, before = max((len(run), run) for run in runs if not run or run[-1] < place)
        runs.append([*before, place])
    return frozenset(max((len(run), run) for run in runs)[1])


def _namesake(patch: Patch, series: Series) -> int | None:
    return next((other.number for other in series.patches if other.subject == patch.subject), None)


def _compared(a: Patch, b: Patch, *, moved: bool) -> Pair:
    squeezed = _lost(a) or _lost(b)
    masked = _masked(a) or _masked(b)
    texts = [_diff_text(patch, squeezed=squeezed, masked=masked) for patch in (a, b)]
    rewritten = bool((a.damage | b.damage) - _ADDRESSES)  # restoring gives the diff's bytes back, not the message's
    parts = tuple(part for part, differs in _differences(a, b, texts, rewritten, masked) if differs)
    similarity = 1.0 if texts[0] == texts[1] else linediff.likeness(*texts)
    diff: tuple[bytes, ...] = ()
    if parts:
        told = (a, b) if {*parts} - {Part.DIFF, Part.CONTEXT} else (a, a)  # a message wrapped anew is the same
        headings = [_heading(patch, rewritten, masked) for patch in told]
        diff = unified(headings[0] + texts[0], headings[1] + texts[1])
    return Pair(a, b, _change(parts), parts, similarity, diff, moved, squeezed)


def _change(parts: Sequence[Part]) -> Change:
    if Part.DIFF in parts:
        return Change.CHANGED
    if {Part.AUTHOR, Part.SUBJECT, Part.MESSAGE}.intersection(parts):
        return Change.MESSAGE
    if Part.CONTEXT in parts:
        return Change.CONTEXT
    return Change.TRAILERS if parts else Change.UNCHANGED


def _differences(
    a: Patch, b: Patch, texts: Sequence[Text], rewritten: bool, masked: bool
) -> tuple[tuple[Part, bool], ...]:
    bodies = [_message(_without_trailers(patch), rewritten, masked) for patch in (a, b)]
    wholes = [_message(patch.message, rewritten, masked) for patch in (a, b)]
    lines = _same_lines(texts[0], texts[1])
    return (
        (Part.AUTHOR, not _same_author(a, b)),
        (Part.SUBJECT, a.subject.split() != b.subject.split()),
        (Part.MESSAGE, wholes[0] != wholes[1] and bodies[0] != bodies[1]),
        (Part.TRAILERS, wholes[0] != wholes[1] and (bodies[0] == bodies[1] or (_own(a) != _own(b) and not masked))),
        (Part.CONTEXT, texts[0] != texts[1] and lines),
        (Part.DIFF, not lines),
    )


def _lost(patch: Patch) -> bool:
    """Whether the white space of a patch's diff is not what its author sent."""
    return patch.exactness is Exactness.DAMAGED and bool(patch.damage - _ADDRESSES)


def _masked(patch: Patch) -> bool:
    return Damage.ADDRESSES_HIDDEN in patch.damage or not patch.author.email


def _same_author(a: Patch, b: Patch) -> bool:
    if a.author.email and b.author.email and not (_masked(a) or _masked(b)):
        return (a.author.name, a.author.email) == (b.author.name, b.author.email)
    return persons.same_name(a.author.name, b.author.name) or a.author.name == b.author.name


def _without_trailers(patch: Patch) -> str:
    return trailers.without(patch.message, paragraphs=Damage.BLANK_LINES_DROPPED not in patch.damage)


def _own(patch: Patch) -> list[tuple[str, str]]:
    return [(trailer.key, trailer.value) for trailer in patch.trailers if trailer.source == "patch"]


def _message(text: str, rewritten: bool, masked: bool) -> Text:
    """The lines of a message as they are compared: as git keeps them, or its words where a mail program or an archive
    rewrote its lines."""
    data = text.encode("utf-8", "replace")
    if masked:
        data = _MASKED.sub(b"<@>", data)
    if rewritten:
        return tuple(data.replace(_NBSP, b" ").split())
    return tuple(line.rstrip() for line in data.split(b"\n")) if data else ()


def _heading(patch: Patch, rewritten: bool, masked: bool) -> Text:
    """What stands above a patch's diff where two patches are shown against each other (git's range-diff.c)."""
    author = patch.author.name if masked else f"{patch.author.name} <{patch.author.email}>"
    data = patch.message.encode("utf-8", "replace")
    lines = (_MASKED.sub(b"<@>", data) if masked else data).split(b"\n")
    if rewritten:
        lines = [shown for line in lines if (shown := b" ".join(line.replace(_NBSP, b" ").split()))]
    body = [b"", *(b"    " + line if line else b"" for line in lines)] if data else []
    return (
        b" ## Metadata ##",
        f"Author: {author}".encode("utf-8", "replace"),
        b"",
        b" ## Commit message ##",
        b"    " + patch.subject.encode("utf-8", "replace"),
        *body,
        b"",
    )


def _diff_text(patch: Patch, *, squeezed: bool, masked: bool, data: bool = True) -> Text:
    """The lines of a patch's diff as they are compared."""
    lines = pairing.diff_text(patch.files, data=data) or tuple(patch.diff.rstrip(b"\n").split(b"\n"))
    if masked:
        lines = tuple(_MASKED.sub(b"<@>", line) for line in lines)
    return tuple(_squeezed(line) for line in lines if line[1:].strip()) if squeezed else lines


def _squeezed(line: bytes) -> bytes:
    """A line of a diff without its white space. In a damaged diff only the base tells context that begins with + or -
    from changes (`++kvm->stat.x;`), and so it does not count here."""
    shown = (line[:1] + b" ".join(line[1:].replace(_NBSP, b" ").split())).strip()
    return shown if shown.startswith((b"+", b"-", b"@@")) else b" " + shown


def _same_lines(a: Text, b: Text) -> bool:
    """Whether two diffs add and remove the same lines at the same places of the same files: a place is the same where
    the nearest telling line above or below it is; where there is none, where the function is."""
    one, other = _groups(a), _groups(b)
    return len(one) == len(other) and all(_same_group(x, y) for x, y in zip(one, other, strict=True))


@dataclass(slots=True)
class _Group:
    """Lines that a diff adds and removes in one place, with what stands around."""

    heading: bytes
    section: bytes
    above: bytes
    lines: list[bytes]
    below: bytes = b""


def _groups(text: Text) -> list[_Group]:
    found: list[_Group] = []
    heading = section = above = b""
    adjoining = False
    waiting: list[_Group] = []  # for the line below
    for line in text:
        changed = line.startswith((b"+", b"-"))
        if line.startswith((b" ## ", b"@@")):
            section, above, waiting = line, b"", []
            if line.startswith(b" ## "):
                heading = line
                found.append(_Group(heading, b"", b"", []))  # a file may have no lines: mode changes, renames
        elif changed:
            if not adjoining:
                found.append(_Group(heading, section, above, []))
                waiting.append(found[-1])
            found[-1].lines.append(line)
        elif _TELLING.search(line):
            for group in waiting:
                group.below = line
            above, waiting = line, []
        adjoining = changed
    return found


def _same_group(one: _Group, other: _Group) -> bool:
    if (one.heading, one.lines) != (other.heading, other.lines):
        return False
    around = [(x, y) for x, y in ((one.above, other.above), (one.below, other.below)) if x or y]
    return any(x == y for x, y in around) if around else one.section == other.section


def unified(a: Text, b: Text) -> tuple[bytes, ...]:
    """The unified diff of two patches' texts; each hunk begins with "@@ " and the section of A that it stands in."""
    steps = linediff.script(a, b)
    lines: list[bytes] = []
    for start, end in linediff.hunks(steps):
        place = next((step.place for step in steps[start:end] if step.sign != "+"), 0)
        lines.append(b"@@ " + _section(a, place))
        for step in steps[start:end]:
            lines.append(step.sign.encode() + (b if step.sign == "+" else a)[step.place])
    return tuple(lines)


def _section(text: Text, place: int) -> bytes:
    """The nearest heading above a line: "Commit message", "mm/f.c", "mm/f.c: f(void)" (as git's section_headers)."""
    for line in reversed(text[:place]):
        if found := re.match(rb" ## (.*) ##$|.?@@ (.*)$", line):
            return found[1] or found[2]
    return b""


def _carried(pair: Pair) -> CarryOver | None:
    """The reviews of A's patch that hold for B's, where nothing but trailers differs."""
    if pair.a is None or pair.b is None or pair.change not in (Change.UNCHANGED, Change.TRAILERS):
        return None
    known = {trailers.identity(trailer) for trailer in pair.b.trailers}
    held = [trailer for trailer in pair.a.trailers if trailers.is_review(trailer)]
    missing = tuple(trailer for trailer in held if trailers.identity(trailer) not in known)
    return CarryOver(pair.b.number, pair.a.number, missing) if missing else None
