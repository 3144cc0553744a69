"""Puts letters that a program replaced back into the lines of a file diff, before anything else of it is restored.

The hunks are placed with such letters left out of the comparison. Then each context and removed line has the letters
of the base's line, and each added line those that something tells; where more than one reading is possible, or none is
told for sure, the blob id judges.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Generic, TypeVar

from kpatch_tool.diff.model import FileDiff, Kind
from kpatch_tool.diff.undecided import Undecided
from kpatch_tool.restore.addresses import Person
from kpatch_tool.restore.align import BaseText, Misplaced, place_hunks
from kpatch_tool.restore.damaged import received_text
from kpatch_tool.restore.letters import MARK, Words, folded, put_back, readings
from kpatch_tool.restore.loosely.fits import AlikeBase, Fitted
from kpatch_tool.restore.loosely.fitting import fit_hunks
from kpatch_tool.restore.loosely.loose import LooseFile, LooseHunk
from kpatch_tool.restore.readings.judge import readings_judged

_MOST = 8  # readings of a file
_FEW = 2  # the same where a short blob id judges them, or nothing says that letters were replaced
_SHORT = 100_000  # readings that an id of seven digits judges

_Texts = tuple[tuple[bytes, ...], ...]  # by hunk
_Place = tuple[int, int]  # of a line: the number of its hunk, and its number there
File = TypeVar("File")


@dataclass(frozen=True, slots=True)
class _Held:
    """A context or removed line: the received lines first..last-1, and what the base has."""

    kind: Kind
    first: int
    last: int
    text: bytes


_Old = Sequence[Sequence[_Held]]  # by hunk


@dataclass(frozen=True, slots=True)
class Lettered(Generic[File]):
    """A file diff with its letters back: in how many lines, and the added lines of which nothing is
    sure. `lacks`: in some of them U+FFFD is left, so that hardly any blob id can be met."""

    file: File
    lines: int
    listed: tuple[Undecided, ...]
    lacks: bool


def lettered(file: FileDiff, base: bytes, people: Iterable[Person] = (), made: bytes = b"") -> list[Lettered[FileDiff]]:
    """What a file diff read by `damaged.parse_damaged` may have been, the likeliest first; () where no letter seems to
    be replaced, or where its hunks have no place. `made` is the file it makes, where that is known."""
    texts = tuple(tuple(received_text(line) for line in hunk.lines) for hunk in file.hunks)
    starts = [hunk.new_start for hunk in file.hunks]
    known, old = partial(_known, base, people, made), partial(_placed, file, base)
    ways = _ways(file, texts, starts, known, old)
    return [Lettered(_with_lines(file, way.file), way.lines, way.listed, way.lacks) for way in ways]


def lettered_loose(
    file: LooseFile, base: bytes, people: Iterable[Person] = (), made: bytes = b""
) -> list[Lettered[LooseFile]]:
    """The same of a loosely read file diff."""
    texts = tuple(hunk.lines for hunk in file.hunks)
    starts = [hunk.new_start for hunk in file.hunks]
    known, old = partial(_known, base, people, made), partial(_fitted, file.hunks, base)
    ways = _ways(file.header, texts, starts, known, old)
    return [
        Lettered(replace(file, hunks=_with_texts(file.hunks, way.file)), way.lines, way.listed, way.lacks)
        for way in ways
    ]


def _ways(
    header: FileDiff,
    texts: _Texts,
    starts: Sequence[int],
    known: Callable[[], Words],
    old: Callable[[], _Old | None],
) -> list[Lettered[_Texts]]:
    """What the lines may have been. The words that are `known` are read, and the places of the `old` lines looked for,
    only where a letter may be replaced: most files have none."""
    if not any(MARK in line or b"?" in line for hunk in texts for line in hunk):
        return []
    words = known()
    placed = old() if _suspected(texts, words) else None
    return [] if placed is None else _Search(header.path, texts, starts, placed, words).ways(header.new_blob)


def _known(base: bytes, people: Iterable[Person], made: bytes) -> Words:
    return Words((made, base, b"\n".join(person.name for person in people)))


def _suspected(texts: _Texts, known: Words) -> bool:
    """Whether a line lacks letters, or may lack some that are known."""
    lines = [line for hunk in texts for line in hunk]
    return any(MARK in line for line in lines) or (bool(known) and any(b"?" in line for line in lines))


def _placed(file: FileDiff, base: bytes) -> _Old | None:
    """The lines that the base has, where the hunks have a place."""
    text = BaseText(base)
    placed = place_hunks(file.hunks, text, file.path)
    if isinstance(placed, Misplaced):
        hunks = tuple(
            replace(hunk, lines=tuple(replace(line, text=folded(line.text)) for line in hunk.lines))
            for hunk in file.hunks
        )
        placed = place_hunks(hunks, BaseText(folded(base)), file.path)
    if isinstance(placed, Misplaced):
        return None
    return [
        [
            _Held(step.kind, step.received, step.received + 1, text.lines[step.base])
            for step in placement.readings[0]
            if step.received is not None and step.base is not None
        ]
        for placement in placed
    ]


def _fitted(hunks: tuple[LooseHunk, ...], base: bytes) -> _Old | None:
    """The same of loosely read hunks, which also find a place where lines are left out."""
    lines = AlikeBase(base).lines
    plain = _with_texts(hunks, tuple(tuple(map(folded, hunk.lines)) for hunk in hunks))
    tried = [fit_hunks(hunks, AlikeBase(base)), fit_hunks(plain, AlikeBase(folded(base)))]
    found = [fitted for fitted in tried if not isinstance(fitted, int)]
    if not found:
        return None
    return [
        [
            _Held(one.kind, one.first, one.last, lines[one.base])
            for one in fitted.fits[0].taken
            if one.base is not None and one.last > one.first
        ]
        for fitted in min(found, key=_cost)
    ]


def _cost(fitted: tuple[Fitted, ...]) -> float:
    return sum(one.fits[0].cost for one in fitted)


def _with_lines(file: FileDiff, texts: _Texts) -> FileDiff:
    hunks = tuple(
        replace(
            hunk,
            lines=tuple(
                replace(line, text=text if line.kind is Kind.CONTEXT else text[1:])
                for line, text in zip(hunk.lines, lines, strict=True)
            ),
        )
        for hunk, lines in zip(file.hunks, texts, strict=True)
    )
    return replace(file, hunks=hunks)


def _with_texts(hunks: tuple[LooseHunk, ...], texts: _Texts) -> tuple[LooseHunk, ...]:
    return tuple(replace(hunk, lines=lines) for hunk, lines in zip(hunks, texts, strict=True))


@dataclass(frozen=True, slots=True)
class _Search:
    """The lines of a file diff as received, where its hunks begin in the new file, what the base has of them, and the
    words that may be meant."""

    path: str
    texts: _Texts
    starts: Sequence[int]
    old: _Old
    known: Words

    def ways(self, wanted: str | None) -> list[Lettered[_Texts]]:
        """What the lines may have been, the likeliest first; as many readings as the blob id judges."""
        mended = tuple(_mended(lines, old) for lines, old in zip(self.texts, self.old, strict=True))
        asked = any(
            MARK not in line and line != other
            for lines, others in zip(self.texts, mended, strict=True)
            for line, other in zip(lines, others, strict=True)
        )
        options = dict(self._options())
        told = asked or any(MARK in line for lines in self.texts for line in lines)
        most = _MOST if told and readings_judged(wanted or "") > _SHORT else _FEW
        found: dict[_Texts, None] = {}
        for chosen in _choices(options, asked=asked):
            found.setdefault(_written(mended, chosen))
            if len(found) == most:
                break
        ways = [self._way(texts, asked=asked) for texts in found]
        return ways if len(ways) > 1 or any(way.lines or way.listed for way in ways) else []

    def _options(self) -> Iterator[tuple[_Place, list[bytes]]]:
        """The readings of each added line that may lack letters, as received the last."""
        for number, (lines, old) in enumerate(zip(self.texts, self.old, strict=True)):
            replaced = [one.text for one in old if one.kind is Kind.REMOVED and not one.text.isascii()]
            near = Words([b"\n".join(replaced)])
            for at in _added(lines, old):
                if MARK in (line := lines[at]) or b"?" in line:
                    found = readings(line[1:], replaced, near, self.known)
                    yield (number, at), [*(b"+" + text for text in found), line]

    def _way(self, texts: _Texts, *, asked: bool) -> Lettered[_Texts]:
        count = 0
        listed: list[Undecided] = []
        for received, lines, old, start in zip(self.texts, texts, self.old, self.starts, strict=True):
            count += sum(before != line for before, line in zip(received, lines, strict=True))
            added = _added(lines, old)
            shown = sorted([*added, *(one.first for one in old if one.kind is Kind.CONTEXT)])
            for at in added:
                line = lines[at]
                if line != received[at] or MARK in line or (asked and b"?" in line):
                    text = " ".join(line[1:].decode("utf-8", "replace").split())
                    listed.append(Undecided(self.path, start + shown.index(at), text, "a letter was replaced in it"))
        lacks = any(MARK in lines[at] for lines, old in zip(texts, self.old, strict=True) for at in _added(lines, old))
        return Lettered(texts, count, tuple(listed), lacks)


def _added(lines: Sequence[bytes], old: Sequence[_Held]) -> list[int]:
    """The numbers of the added lines."""
    held = {at for one in old for at in range(one.first, one.last)}
    return [at for at, line in enumerate(lines) if at not in held and line[:1] == b"+"]


def _mended(lines: Sequence[bytes], old: Sequence[_Held]) -> tuple[bytes, ...]:
    """The lines of a hunk, those that the base has with their letters."""
    out = list(lines)
    for one in old:
        text = b"\n".join(lines[one.first : one.last])
        if MARK in text or b"?" in text:
            out[one.first : one.last] = put_back(text, one.text).split(b"\n")
    return tuple(out)


def _choices(options: Mapping[_Place, list[bytes]], *, asked: bool) -> Iterator[dict[_Place, bytes]]:
    """What to take for each line, the likeliest first. `asked`: letters are known to have become `?`."""
    sure = {place: asked or MARK in texts[-1] for place, texts in options.items()}
    first = {place: texts[0] if sure[place] else texts[-1] for place, texts in options.items()}
    yield first
    yield {place: texts[0] for place, texts in options.items()}
    for place, texts in options.items():
        for text in texts:
            yield {**first, place: text}


def _written(texts: _Texts, chosen: Mapping[_Place, bytes]) -> _Texts:
    return tuple(
        tuple(chosen.get((number, at), line) for at, line in enumerate(lines)) for number, lines in enumerate(texts)
    )
