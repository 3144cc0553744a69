"""Deviations that one habit of an author explains: the same in all lines of a kind at once.

Each changes a reading of a file in some rows and costs about as much as a deviation in one line. Nothing further is
read for them, so that they can be tried in great numbers.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from kpatch_tool.restore.readings import unruled
from kpatch_tool.restore.readings.reading import Candidate
from kpatch_tool.restore.readings.rows import Row, split_cached
from kpatch_tool.restore.style import gaps, indent, notes
from kpatch_tool.restore.style.cstate import TAB, State, by_tabs, indent_of, pad, width

LEAST = 7.0  # bits: what joint deviations cost at least, but for lines with the same text
_SHIFT = 10.0  # bits: a run of lines that stands elsewhere as a whole
_ALIKE = 1.0  # bits more: all lines with the same text have the same other reading
_MOST_READINGS = 8  # of a text that many lines have
_DEAREST_ODD = 13.5  # bits: a reading that no rule gives, of lines with the same text
_PLAIN_GAPS = LEAST
_DEPTH = LEAST  # bits: another indentation of all lines that have the same
_STARS = 9.0  # bits: stars of comments right below the slash
_STYLE = 7.0  # bits: a style of continuation of the author's own
_GAPS = 8.0  # bits: one width or column of all gaps of a kind
_TABLE = 8.0  # bits: columns behind commas
_COLUMN_KEYS = frozenset({*gaps.TABLE_KEYS, "end", "kdoc"})  # kinds of gap that can end at one column
_ASSEMBLY = frozenset({"quote", "instruction"})  # kinds of gap that are alike in inline assembly
_ANY_DEPTH = frozenset({"backslash", "trailing"})  # kinds of gap whose column lines of any indentation share
_WORDS = 9.5  # bits: words in columns
_ALIGNED_WORDS = 4  # so many words of a line
_APART = (1, 2, 3)  # blanks behind the longest word
_FARTHEST = 8  # columns that a run is shifted by
_LONG_RUN = 60  # lines: longer runs are shifted as a whole only, not from each of their lines on
_MOST_ROWS = 500_000  # of all joint deviations together: some 100 MB
_GAP_TEXTS = (*(b"\t" * count for count in range(1, 6)), *(b" " * count for count in range(1, 5)))
_COLUMNS = range(TAB, 81, TAB)
_NO_COLUMN = 1 << 30
_FIRST = 4  # column that blanks fill up to
_OF_RUN, _OF_BLOCK = 0.5, 1.0  # bits more: a habit of some lines alone
_BY_BLANKS = 10.0  # bits: blanks for tabs


@dataclass(frozen=True, slots=True)
class Joint:
    """Rows with the text they have together, in order, and what that costs in bits."""

    cost: float
    rows: tuple[tuple[int, bytes], ...]


@dataclass(frozen=True, slots=True)
class Lines:
    """A reading of a file, or of some lines of it: the rows with their text, what else they could be (None for a known
    row), and the state of C before each; `first` is the number of the first one."""

    rows: Sequence[Row]
    texts: Sequence[bytes]
    options: Sequence[Sequence[Candidate] | None]
    states: Sequence[State]
    first: int = 0

    def added(self) -> list[int]:
        """The added rows that are not empty."""
        return [number for number, row in enumerate(self.rows) if row.text is None and row.words]


def joint(lines: Lines) -> list[Joint]:
    """The joint deviations of at least two rows, the cheapest first, each once."""
    found: dict[tuple[tuple[int, bytes], ...], float] = {}
    left = _MOST_ROWS
    for source in _SOURCES:
        for cost, texts in source(lines):
            rows = tuple((lines.first + row, text) for row, text in sorted(texts.items()) if text != lines.texts[row])
            left -= len(rows)
            if left < 0:
                break
            if len(rows) > 1:
                found[rows] = min(cost, found.get(rows, cost))
    return sorted((Joint(cost, rows) for rows, cost in found.items()), key=lambda one: one.cost)


_Found = Iterator[tuple[float, Mapping[int, bytes]]]
_Place = tuple[int, int]  # the number of a row, that of a gap in it


def _same_text(lines: Lines) -> _Found:
    """Lines with the same text take the same other reading."""
    by_words: dict[tuple[bytes, ...], list[int]] = {}
    blanks = not by_tabs(lines.texts)
    for number in lines.added():
        by_words.setdefault(lines.rows[number].words, []).append(number)
    for numbers in by_words.values():
        options = lines.options[numbers[0]] or ()
        for option in options[1:_MOST_READINGS] if len(numbers) > 1 else ():
            cost = option.cost - options[0].cost + _ALIKE
            yield cost, dict.fromkeys(numbers, option.text)
            rest = option.text[len(indent_of(option.text)) :]
            yield cost, {number: indent_of(lines.texts[number]) + rest for number in numbers}
        if len(numbers) > 1 and lines.options[numbers[0]]:
            yield from _same_odd(lines, numbers, blanks=blanks)


def _same_odd(lines: Lines, numbers: Sequence[int], *, blanks: bool) -> _Found:
    """Lines with the same text have the same reading that no rule gives; `blanks`: lines are indented by blanks."""
    row, text = lines.rows[numbers[0]], lines.texts[numbers[0]]
    kind = (lines.options[numbers[0]] or [Candidate(text, 0.0, "")])[0].kind
    for other, (cost, _) in unruled.readings(row, text, kind, blanks=blanks).items():
        if cost <= _DEAREST_ODD:
            yield cost + _ALIKE, dict.fromkeys(numbers, other)


def _plain(lines: Lines) -> _Found:
    """Gaps of no kind that are wide, since a line that was removed or another one has them so, are single blanks."""
    texts: dict[int, bytes] = {}
    for number in lines.added():
        own = split_cached(lines.texts[number])
        every = [gaps.Gap(gap) if key else gaps.SINGLE for gap, key in zip(own.gaps, own.keys, strict=True)]
        if own.gaps and len(every) == len(lines.rows[number].words) - 1:
            texts[number] = gaps.render(lines.rows[number].words, indent_of(lines.texts[number]), every)
    yield _PLAIN_GAPS, texts


def _depths(lines: Lines) -> _Found:
    """All lines that stand at one indentation stand at another, and those that stand deeper with them."""
    by_start: dict[bytes, list[int]] = {}
    for number in lines.added():
        by_start.setdefault(indent_of(lines.texts[number]), []).append(number)
    for old, numbers in by_start.items():
        options = [option for number in numbers for option in (lines.options[number] or ())[:_MOST_READINGS]]
        starts = dict.fromkeys(indent_of(option.text) for option in options)
        deeper = [number for start, more in by_start.items() if old and start.startswith(old) for number in more]
        for start in starts if old else ():
            yield _DEPTH, {number: start + lines.texts[number][len(old) :] for number in numbers}
            yield _DEPTH, {number: start + lines.texts[number][len(old) :] for number in deeper}


def _stars(lines: Lines) -> _Found:
    """In all comments, or all of one depth, the stars stand right below the slash, not a blank further on."""
    below: dict[bytes, dict[int, bytes]] = {}
    for number in lines.added():
        text = lines.texts[number]
        start = indent_of(text)
        if lines.states[number].comment and start.endswith(b" ") and text[len(start) :].startswith(b"*"):
            below.setdefault(start, {})[number] = start[:-1] + text[len(start) :]
    for texts in below.values():
        yield _STARS, texts
    yield _STARS, {number: text for texts in below.values() for number, text in texts.items()}


def _continuations(lines: Lines) -> _Found:
    """Lines that continue a statement in the same situation, or a call of the same function, do so in the same
    style."""
    begins: dict[str, list[int]] = {}
    styles: dict[int, dict[str, bytes]] = {}
    for number in lines.added():
        state, options = lines.states[number], lines.options[number]
        inner = state.stack[-1].inner if state.parens else state.continuation
        if options and options[0].kind in indent.CONTINUES and inner is None:
            where = indent.situation(state)
            begins.setdefault(where, []).append(number)
            if where == "call":
                begins.setdefault(f"{where} of {state.head!r}", []).append(number)
            styles[number] = indent.style_options(state)
    for numbers in [*begins.values(), sorted(styles)]:
        names = dict.fromkeys(name for number in numbers for name in styles[number])
        for name in names if len(numbers) > 1 else ():
            texts: dict[int, bytes] = {}
            for number in numbers:
                if (start := styles[number].get(name)) is not None:
                    texts.update(_moved(lines, number, start))
            yield _STYLE, texts


def _moved(lines: Lines, first: int, start: bytes) -> Mapping[int, bytes]:
    """Row `first` with another indentation, and the rows below it that had the same one."""
    old = indent_of(lines.texts[first])
    texts: dict[int, bytes] = {}
    for number in range(first, len(lines.rows)):
        row, text = lines.rows[number], lines.texts[number]
        if row.text is not None or not row.words or indent_of(text) != old:
            break
        texts[number] = start + text[len(old) :]
    return texts


def _gaps(lines: Lines) -> _Found:
    """All gaps of a kind have the same width, or end at the same column: in the whole file, in one run of lines, and in
    lines one below the other."""
    for more, key, places in _places(lines):
        for rank, text in enumerate(_GAP_TEXTS):
            yield _GAPS + more + rank / 8, _with_gaps(lines, places, gaps.Gap(text))
        if key not in _COLUMN_KEYS:
            continue
        for column in _COLUMNS:
            gap = gaps.Gap(b"\t", column)
            yield _GAPS + more + 1.0, _with_gaps(lines, places, gap)
            for full in (column - 1, column):
                yield _GAPS + more + 1.5, _with_gaps(lines, places, gap, full=full)
        for column in range(_FIRST, _COLUMNS.stop) if more else ():
            yield _GAPS + more + 2.5, _with_gaps(lines, places, gaps.Gap(b" ", column))


def _own_columns(lines: Lines) -> _Found:
    """The gaps of a kind end behind the longest text of the lines between two empty ones that stand as deep, so in the
    whole file: at a tab stop by tabs or by blanks, or one blank behind it."""
    parts = _parts(lines)
    for more, key, places in _places(lines):
        if more or key not in _COLUMN_KEYS:
            continue
        runs: dict[tuple[int, bytes], list[_Place]] = {}
        for number, at in places:
            deep = b"" if key in _ANY_DEPTH else indent_of(lines.texts[number])
            runs.setdefault((parts[number], deep), []).append((number, at))
        for cost, text, step in ((0.0, b"\t", TAB), (1.0, b" ", TAB), (1.0, b" ", 1)):
            texts: dict[int, bytes] = {}
            for run in runs.values():
                edge = max(_edge(lines, place) for place in run)
                texts.update(_with_gaps(lines, run, gaps.Gap(text, (edge // step + 1) * step)))
            yield _GAPS + cost, texts


def _edge(lines: Lines, place: _Place) -> int:
    """The column at which the text before a gap ends."""
    number, at = place
    own = split_cached(lines.texts[number])
    return width(own.words[at], own.columns[at])


def _words(lines: Lines) -> _Found:
    """Lines one below the other that stand as deep have their first, second, ... words in columns, by blanks."""
    block: list[int] = []
    for number in [*lines.added(), len(lines.rows)]:
        last = block[-1] if block else number
        goes_on = number == last + 1 < len(lines.rows) and indent_of(lines.texts[number]) == indent_of(
            lines.texts[last]
        )
        if not goes_on:
            for at in range(_ALIGNED_WORDS if len(block) > 1 else 0):
                places = [(one, at) for one in block if len(lines.rows[one].words) > at + 1]
                edge = max((_edge(lines, place) for place in places), default=0)
                for blanks in _APART:
                    yield _WORDS + at / 2 + blanks / 2, _with_gaps(lines, places, gaps.Gap(b" ", edge + blanks))
            block = []
        if number < len(lines.rows):
            block.append(number)


def _places(lines: Lines) -> Iterator[tuple[float, str, Sequence[_Place]]]:
    """Gaps of a kind, at least two: all of the file, of a run, of lines one below the other that stand as deep; with
    what it costs more that only these have a habit."""
    kinds: dict[tuple[float, str, int], list[_Place]] = {}
    block: dict[str, tuple[int, bytes, int]] = {}  # its last line by kind: number, start, first one
    for number, run in _runs(lines):
        chunks, start = lines.rows[number].chunks, indent_of(lines.texts[number])
        note = notes.goes_on(lines.states[number], lines.texts[number])
        for at, key in enumerate(chunks.keys if chunks else ()):
            own = f"star of {note[0]}" if note and key == "star" else key.rstrip("?")
            for kind in _kinds(own, chunks.words[at], start) if chunks and own else ():
                above, deep, first = block.get(kind, (-1, b"", -1))
                goes_on = above == number or (above == number - 1 and (deep == start or key == "backslash"))
                block[kind] = number, start, first if goes_on else number
                for more, which in ((0.0, -1), (_OF_RUN, run), (_OF_BLOCK, block[kind][2])):
                    kinds.setdefault((more, kind, which), []).append((number, at))
    yield from ((more, kind, places) for (more, kind, _), places in kinds.items() if len(places) > 1)


def _kinds(own: str, before: bytes, start: bytes) -> Iterator[str]:
    """The kinds of a gap of kind `own` behind the word `before` that may have a habit each; its line begins with the
    white space `start`."""
    yield own
    if own in _ASSEMBLY:
        yield "assembly"
    elif own == "star":
        # Above functions many write otherwise than inside of them.
        yield f"star {before.decode('latin-1')} at {width(start)}"
    elif own.startswith("sentence") or (own == "end" and before[-1:] in b".?!"):
        yield "stop"


def _with_gaps(lines: Lines, places: Sequence[_Place], gap: gaps.Gap, full: int = _NO_COLUMN) -> Mapping[int, bytes]:
    """The rows with that gap at each of the places; one blank where the text before it reaches column `full`."""
    texts: dict[int, bytes] = {}
    for number, at in places:
        text = texts.get(number, lines.texts[number])
        own = split_cached(text)
        if len(own.gaps) != len(lines.rows[number].words) - 1:
            continue
        edge = width(own.words[at], own.columns[at])
        wanted = gaps.SINGLE if edge >= full else gap
        end = len(indent_of(text)) + sum(map(len, own.words[: at + 1])) + sum(map(len, own.gaps[:at]))
        rest = text[end + len(own.gaps[at]) :].rstrip(b" \t")
        texts[number] = text[:end] + wanted.render(edge, own.columns[0]) + rest
    return texts


def _blanks(lines: Lines) -> _Found:
    """The lines of a run, or between two empty ones, have blanks where others have tabs: to indent, or everywhere, or
    as many as in a diff, where a sign stands before the line."""
    parts: dict[tuple[str, int], list[int]] = {}
    part_of = _parts(lines)
    for number, run in _runs(lines):
        parts.setdefault(("run", run), []).append(number)
        parts.setdefault(("part", part_of[number]), []).append(number)
    for numbers in parts.values():
        yield _BY_BLANKS, {number: _indented_by_blanks(lines.texts[number]) for number in numbers}
        yield _BY_BLANKS + 1.0, {number: lines.texts[number].expandtabs(TAB) for number in numbers}
        yield _BY_BLANKS + 1.5, {number: (b"+" + lines.texts[number]).expandtabs(TAB)[1:] for number in numbers}


def _parts(lines: Lines) -> dict[int, int]:
    """Each added row that is not empty, with the number of its part: rows that no empty or known one parts."""
    out: dict[int, int] = {}
    part = 0
    for number, _ in _runs(lines):
        part = part if number and lines.rows[number - 1].words else number
        out[number] = part
    return out


def _indented_by_blanks(text: bytes) -> bytes:
    start = indent_of(text)
    return start.expandtabs(TAB) + text[len(start) :]


def _tables(lines: Lines) -> _Found:
    """Lines one after another with as many commas between words are a table: what follows a comma stands in columns."""
    group: list[int] = []
    for number, row in [*enumerate(lines.rows), (len(lines.rows), None)]:
        cells = _cells(row.words) if row is not None and row.text is None else ()
        if group and len(cells) != len(_cells(lines.rows[group[-1]].words)):
            yield from _aligned(lines, group)
            group = []
        if len(cells) > 1:
            group.append(number)


def _cells(words: Sequence[bytes]) -> tuple[bytes, ...]:
    """The parts of a line that end in a comma, and its rest."""
    out: list[list[bytes]] = [[]]
    for at, word in enumerate(words):
        out[-1].append(word)
        if word.endswith(b",") and at + 1 < len(words):
            out.append([])
    return tuple(b" ".join(cell) for cell in out)


def _aligned(lines: Lines, numbers: Sequence[int]) -> _Found:
    """The lines of a table with all of its columns aligned, or one of them, by blanks or tabs."""
    if len(numbers) < 2:
        return
    rows = [_cells(lines.rows[number].words) for number in numbers]
    last = len(rows[0]) - 1
    for wide in ({*range(last)}, *({at} for at in range(last) if last > 1)):
        for tabs in (False, True):
            texts = [indent_of(lines.texts[number]) + row[0] for number, row in zip(numbers, rows, strict=True)]
            for at in range(last):
                edge = max(width(text) for text in texts) + 1
                gap = gaps.Gap(b"\t", -(-edge // TAB) * TAB) if tabs else gaps.Gap(b" ", edge)
                used = gap if at in wide else gaps.SINGLE
                texts = [text + used.render(width(text)) + row[at + 1] for text, row in zip(texts, rows, strict=True)]
            yield _TABLE + tabs, dict(zip(numbers, texts, strict=True))


def _shifts(lines: Lines) -> _Found:
    """A line and those below it that stand as deep, or deeper, all stand elsewhere."""
    run_of = dict(_runs(lines))
    for first, run in run_of.items():
        text = lines.texts[first]
        if not lines.rows[first].lead:
            continue
        edge = width(indent_of(text))
        inside = run_of.get(first - 1) == run and width(indent_of(lines.texts[first - 1])) >= edge
        below = [first]
        for number in range(first + 1, len(lines.rows)):
            if run_of.get(number) != run and lines.rows[number].words:
                break
            if inside and len(below) > _LONG_RUN:
                break
            if number in run_of:
                if width(indent_of(lines.texts[number])) < edge or not lines.rows[number].lead:
                    break
                below.append(number)
        if inside and len(below) > _LONG_RUN:
            continue
        for column in range(max(1, edge - _FARTHEST), edge + _FARTHEST + 1):
            cost = _SHIFT + abs(column - edge) / 8.0
            yield cost, _moved(lines, first, pad(column))
            yield cost + 0.5, {number: _shifted(lines.texts[number], column - edge) for number in below}


def _shifted(text: bytes, by: int) -> bytes:
    start = indent_of(text)
    return pad(max(0, width(start) + by)) + text[len(start) :]


def _runs(lines: Lines) -> Iterator[tuple[int, int]]:
    """Each added row that is not empty, with the number of its run: added rows that no known one parts."""
    run = 0
    for number, row in enumerate(lines.rows):
        if row.text is not None:
            run += 1
        elif row.words:
            yield number, run


_SOURCES = (
    _same_text,
    _plain,
    _depths,
    _stars,
    _continuations,
    _gaps,
    _own_columns,
    _words,
    _tables,
    _blanks,
    _shifts,
)
