"""The readings of a damaged file diff: which bytes each added line may have had, the likeliest first.

A placed diff becomes rows: known lines (context, with the base's bytes) and added lines. Rows are read from top to
bottom; what was chosen above decides how likely the readings below are, so a deviation in one line carries on to the
lines that follow its style.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from math import inf, log2
from operator import attrgetter, itemgetter

from kpatch_tool.restore.align import BaseText, PlacedHunk, ReadLine
from kpatch_tool.restore.readings import unruled
from kpatch_tool.restore.readings.rows import (
    C_LIKE,
    DOUBLED,
    WINDOW,
    Model,
    Row,
    Survey,
    file_rows,
    split_cached,
    window_of,
)
from kpatch_tool.restore.style import alongside, gaps, indent, licences, notes, repeated, simple_tables, word_pairs
from kpatch_tool.restore.style.cstate import State, by_tabs, indent_of, pad, step, width
from kpatch_tool.restore.style.grids import in_grid
from kpatch_tool.restore.style.outline import Structure, expected_text, structure_of
from kpatch_tool.restore.style.weights import INDENTS, Readings, add, gap_power, sharpened
from kpatch_tool.restore.style.yaml_text import YAML

_MAX_CANDIDATES = 40
_MAX_INDENTS = 12
_Read = tuple[float, tuple[gaps.Gap, ...]]  # a reading of the gaps of a line, with its share
LONE = "lone"  # the kind of a reading from which nothing follows for other lines
# The share of added lines whose very bytes are removed in the same block of changes (git would have called them
# context) among those whose squeezed text is: 1 of 236 between Debian's 6.1.187 and 6.1.190.
_KEPT_BYTES = 0.005
_IN_GRID = 0.97  # the share of a grid table's rows whose bars stand below those of its border
_SAME_NOTE = 1.5  # what the gap after the star weighs in a line with the same text elsewhere, against all else
_AS_REMOVED = 0.93  # the share of lines that are added again with the gaps they had
_WHERE_MOVED = 0.3  # the same where the line above has another column than the one it replaces
_AS_TOLD, _UNLIKE_TOLD = 0.02, 6.0  # bits: that a line is, or is not, as another version of the file has it
_FLOOR = 2.0**-14  # readings less likely than this are left out


@dataclass(frozen=True, slots=True)
class Memory:
    """What the patch itself did above: its last continuation style, how far removed lines were shifted when they were
    added again, whether it ends sentences with two blanks, how its comments go on under a description, and the last
    gap of some kinds."""

    style: indent.Recent = indent.NOTHING_YET
    shift: int | None = None
    doubled: bool | None = None
    notes: tuple[notes.Note, ...] = ()
    last: repeated.Last = ()


@dataclass(frozen=True, slots=True)
class Candidate:
    """One reading of an added line, with its cost in bits; `what` is how it differs where no rule gives it."""

    text: bytes
    cost: float
    kind: str
    what: str = ""


@dataclass(slots=True)
class Reader:
    """What reading the added lines of one file needs."""

    is_c: bool
    style: indent.Style
    doubled: float
    rows: list[Row]
    stats: gaps.Stats = field(default_factory=dict)
    pairs: word_pairs.Pairs = field(default_factory=dict)
    habits: notes.Habits = field(default_factory=dict)
    cache: dict[tuple[object, ...], list[Candidate]] = field(default_factory=dict)
    steps: dict[tuple[State, bytes], State] = field(default_factory=dict)
    yaml: bool = False
    structure: Structure | None = None
    window: int = WINDOW
    read: dict[tuple[object, ...], list[_Read]] = field(default_factory=dict)
    rendered: dict[tuple[object, ...], list[Candidate]] = field(default_factory=dict)
    looked_at: tuple[Sequence[bytes], bool] = ((), True)

    def candidates(self, number: int, state: State, memory: Memory, texts: Sequence[bytes]) -> list[Candidate]:
        """The readings of row `number`, cheapest first, when `texts` are the lines chosen above it."""
        row = self.rows[number]
        if not row.words:
            return [Candidate(b"", 0.0, "blank")]
        low = number
        while low > 0 and number - low < self.window and self.rows[low].start is None:
            low -= 1
        above = texts[low:number]
        key = (number, row.words, state, memory, tuple(above))
        found = self.cache.get(key)
        if found is None:
            found = self._candidates(number, state, memory, above)
            self.cache[key] = found
        return found

    def _candidates(self, number: int, state: State, memory: Memory, above: Sequence[bytes]) -> list[Candidate]:
        row = self.rows[number]
        text = b" ".join(row.words)
        if self.is_c:
            kind, rule = indent.expected(state, text, self.style, memory.style)
        else:
            kind, rule = expected_text(above, row.below, text, self.style.unit, self.structure)
            if table := self._table(above):
                rule = {**rule, **simple_tables.starts(row.words, above, table)}
        indents = self._indents(row, (kind, rule), state, memory, above)[:_MAX_INDENTS]
        combos = self._gap_combinations(number, state, memory, above)
        # Most of what changes above a line changes neither of them.
        key = (number, kind, tuple(indents), tuple(combos) if len(combos) < 2 else id(combos))
        found = self.rendered.get(key)
        if found is None:
            found = _rendered(row, kind, indents, combos)
            found = self.rendered[key] = found if row.told is None else _told_first(found, row.told, kind)
        ways = {} if row.told is not None else licences.copies(text, above[-1] if above else b"")
        return _as_copied(found, ways, kind) if ways else found

    def unlikely(self, number: int, texts: Sequence[bytes], kind: str, most: float = inf) -> list[Candidate]:
        """Readings of row `number`, a line of that kind, that no rule gives: any column, any gap doubled, a blank at
        the end; those that cost at most so many bits.

        Typing errors and rare styles are among them. They are tried where the likely readings fail.
        """
        row = self.rows[number]
        known = texts[number]
        if not row.words:
            return [Candidate(text, unruled.UNLIKELY + 1.0, LONE) for text in (b"\t", b" ")]
        more = _unlike_known(row)
        found = unruled.readings(row, known, kind, blanks=self._by_blanks(texts))
        return [Candidate(text, cost + more, LONE, what) for text, (cost, what) in found.items() if cost + more <= most]

    def _by_blanks(self, texts: Sequence[bytes]) -> bool:
        """Whether lines are indented by blanks in a text that is not C; looked up once where all rows of a reading are
        asked for one after another."""
        if self.is_c or self.yaml:
            return self.yaml
        if texts is not self.looked_at[0]:
            self.looked_at = texts, not by_tabs(texts)
        return self.looked_at[1]

    def _indents(
        self, row: Row, ruled: tuple[str, Readings], state: State, memory: Memory, above: Sequence[bytes]
    ) -> list[tuple[bytes, float]]:
        """Indentations with their share, likeliest first: the rules mixed with the line it replaces."""
        kind, rule = ruled
        out: Readings = {}
        total = sum(rule.values()) or 1.0
        trust = _TRUST[kind]
        if kind == "paren" and _begun(state):
            trust *= _GOES_ON
        if row.model and row.model.regular and kind in _STRUCTURAL:
            # The structure explains the line that was removed, so it does explain this one.
            trust *= _REGULAR
        for start, weight in rule.items():
            add(out, start, weight / total * trust)
        # A line that YAML has from a text with tabs stands where the structure of YAML puts it.
        if row.model and not (self.yaml and b"\t" in indent_of(row.model.line)):
            _resemble(out, row.model, kind, state, memory)
        if self.is_c:
            _neighbours(out, row, kind, above)
        usable: Readings = {}
        for start, weight in out.items():
            if bool(start) == row.lead:
                add(usable, self._start(start), weight)
        if not usable:
            usable = {b"\t": 0.6, b"\t\t": 0.2, b" ": 0.1, b"    ": 0.1} if row.lead else {b"": 1.0}
        elif row.lead:
            deep = max(usable, key=lambda start: usable[start])
            most = usable[deep]
            for other, weight in ((deep + b"\t", 0.012), (deep[:-1], 0.008), (b"\t", 0.004), (deep + b" ", 0.002)):
                if other:
                    add(usable, self._start(other), weight * most)
        return sorted(sharpened(usable, INDENTS[kind]).items(), key=lambda item: -item[1])

    def _start(self, start: bytes) -> bytes:
        return unruled.start(start, blanks=self.yaml)

    def _gap_combinations(self, number: int, state: State, memory: Memory, above: Sequence[bytes]) -> list[_Read]:
        row = self.rows[number]
        same = _as_removed(row)
        if len(same) == 1:
            return same
        profile = tuple(above) if state.comment or not self.is_c else tuple(map(_profile, above))
        last = tuple(one for one in memory.last if row.chunks and one[0] in row.chunks.keys)
        key = (number, state.comment, memory.doubled, memory.notes, last, profile)
        found = self.read.get(key)
        if found is None:
            before = self.rows[number - 1] if number else row
            read = self._gaps_read(row, before, state, memory, above)
            read = self._in_table(row.words, above, read)
            if not self.is_c and (grid := in_grid(row.words, above, self._below(number))) is not None:
                read = [(_IN_GRID, grid)] + [(share * (1.0 - _IN_GRID), gap) for share, gap in read]
            if same:
                assert row.chunks is not None
                as_removed = _WHERE_MOVED if any(_moved(before, above, key) for key in row.chunks.keys) else _AS_REMOVED
                kept = [(share * as_removed, gap) for share, gap in same]
                read = kept + [(share * (1.0 - as_removed), gap) for share, gap in read]
            found = self.read[key] = read
        return found

    def _table(self, above: Sequence[bytes]) -> simple_tables.Table | None:
        """The table of reStructuredText that is open below these lines."""
        return None if self.is_c or self.yaml else simple_tables.open_table(above)

    def _in_table(self, words: tuple[bytes, ...], above: Sequence[bytes], read: list[_Read]) -> list[_Read]:
        """`read` with the gaps of a row of an open table, or of a border, where the words are such."""
        if self.is_c or self.yaml:
            return read
        table = simple_tables.open_table(above)
        if simple_tables.is_border(words):
            told = simple_tables.border(words, above)
        else:
            told = list(simple_tables.cells(words, table)) if table else []
        rest = 1.0 - sum(share for share, _ in told)
        return told + [(share * rest, gap) for share, gap in read]

    def _below(self, number: int) -> Iterator[bytes]:
        """The lines below a row, those that are added with single blanks."""
        for row in self.rows[number + 1 : number + 1 + WINDOW]:
            yield b" ".join(row.words) if row.text is None else row.text

    def _gaps_read(self, row: Row, before: Row, state: State, memory: Memory, above: Sequence[bytes]) -> list[_Read]:
        """Combinations of what the rules say of each gap; `before` is the row above."""
        chunks = row.chunks
        assert chunks is not None
        copied = self._gap_evidence(row, chunks, above)
        near = [split_cached(line) for line in [*above[:-3:-1], *row.below[:1]] if line.strip()]
        _merge(copied, alongside.tabular(chunks, near, plain_only=self.is_c and not state.comment))
        if not copied and not any(chunks.keys):
            return [(1.0, (gaps.SINGLE,) * (len(row.words) - 1))]
        around = gaps.Around(
            above=[split_cached(line) for line in reversed(above) if line.strip()],
            removed=row.removed,
            below=[split_cached(line) for line in row.below if line.strip()],
        )
        doubled = self.doubled if memory.doubled is None else (0.9 if memory.doubled else 0.03)
        over = around.above[0].keys if around.above and above[-1].strip() else ()
        choices: list[gaps.Options] = []
        for index, key in enumerate(chunks.keys):
            if key == "star" and state.comment:
                star = notes.star(row.words, state, around, self.habits, memory.notes)
                if row.twin and len(row.twin.gaps) == len(chunks.keys):
                    gaps.vote(star, row.twin.gaps[index], sum(star.values()) * _SAME_NOTE)
                choices.append(sharpened(star, gap_power(key, over)))
                continue
            readings = gaps.options(index, chunks, around, doubled, stats=self.stats, edge=row.edges.get(key, 0))
            for gap, weight in copied.get(index, {}).items():
                readings[gap] = readings.get(gap, 0.0) + weight
            if key:
                told = index in copied and not _moved(before, above, key)
                repeated.as_above(readings, index, chunks, around, told=told)
                if key == "member" and not told:
                    repeated.as_first_member(readings, above, row.edges.get(key, 0))
                if key not in over and not told:
                    repeated.as_last(readings, key, memory.last, row.edges.get(key, 0))
            choices.append(gaps.by_blanks(sharpened(readings, gap_power(key, over))))
        return gaps.combinations(choices)

    def _gap_evidence(self, row: Row, chunks: gaps.Chunks, above: Sequence[bytes]) -> dict[int, gaps.Options]:
        """What lines with the same words say about the gaps: the line replaced, the same line elsewhere, word pairs."""
        out = alongside.copied(chunks, row.model.chunks) if row.model else {}
        sources = [word_pairs.paired(chunks, self.pairs), word_pairs.paired(chunks, word_pairs.wide_pairs(above))]
        if row.twin and len(row.twin.gaps) == len(chunks.keys):
            twin = enumerate(row.twin.gaps)
            sources.append({index: {gaps.Gap(gap): 3.0} for index, gap in twin if gap != b" "})
        for source in sources:
            _merge(out, source)
        return out

    def after(
        self, number: int, state: State, memory: Memory, candidate: Candidate | None, text: bytes
    ) -> tuple[State, Memory]:
        """State and memory after row `number` was given `text`."""
        if candidate is not None and candidate.kind != "blank":
            memory = self._remember(self.rows[number], state, memory, candidate)
        if not self.is_c:
            return state, memory
        key = (state, text)
        found = self.steps.get(key)
        if found is None:
            found = self.steps[key] = step(state, text)
        return found, memory

    def _remember(self, row: Row, state: State, memory: Memory, candidate: Candidate) -> Memory:
        text = candidate.text
        if candidate.kind in indent.CONTINUES and not _begun(state):
            style = indent.continuation_style(state, indent_of(text))
            if style:
                memory = replace(memory, style=replace(memory.style, where=indent.situation(state), how=style))
        if self.is_c and (block := indent.block_step(state, text)) and block[0]:
            memory = replace(memory, style=replace(memory.style, step=block[1]))
        moved = row.model and row.model.alike >= 1.0 and text.strip() not in {b"}", b"{"}
        if row.model and moved and candidate.kind not in indent.CONTINUES:
            memory = replace(memory, shift=width(indent_of(text)) - width(indent_of(row.model.line)))
        if row.chunks and "sentence" in row.chunks.keys and not licences.has_end(row.words):
            found = DOUBLED.search(text)
            if found:
                memory = replace(memory, doubled=len(found[1]) == 2)
        if row.chunks and not repeated.KEPT.isdisjoint(row.chunks.keys):
            last = repeated.remembered(memory.last, split_cached(text))
            memory = memory if last is memory.last else replace(memory, last=last)
        note = notes.goes_on(state, text)
        if note:
            memory = replace(memory, notes=(*(one for one in memory.notes if one[0] != note[0]), note))
        return memory


def _rendered(
    row: Row, kind: str, indents: Sequence[tuple[bytes, float]], combos: Sequence[tuple[float, tuple[gaps.Gap, ...]]]
) -> list[Candidate]:
    """The likeliest lines these indentations and gaps give, cheapest first."""
    pairs = [
        (weight * share, start, chosen)
        for start, weight in indents
        for share, chosen in combos
        if weight * share > _FLOOR
    ]
    pairs.sort(key=itemgetter(0), reverse=True)
    found: dict[bytes, float] = {}
    plain = b" ".join(row.words)
    for share, start, chosen in pairs[:_MAX_CANDIDATES]:
        single = chosen.count(gaps.SINGLE) == len(chosen)
        line = start + plain if single else gaps.render(row.words, start, chosen)
        found[line] = found.get(line, 0.0) + (share * _KEPT_BYTES if line in row.gone else share)
    ranked = sorted(found.items(), key=lambda item: -item[1])
    return [Candidate(line, -log2(min(1.0, share)), kind) for line, share in ranked]


def _told_first(found: Sequence[Candidate], told: bytes, kind: str) -> list[Candidate]:
    """The readings of a line that another version of the file has: nearly always as it stands there."""
    others = (replace(one, cost=one.cost + _UNLIKE_TOLD) for one in found if one.text != told)
    return [Candidate(told, _AS_TOLD, kind), *others]


def _as_copied(found: Sequence[Candidate], ways: Mapping[bytes, float], kind: str) -> list[Candidate]:
    """The readings of a line that licences have: mostly as in one of their copies."""
    out = {one.text: replace(one, cost=one.cost + licences.UNLIKE_COPIES) for one in found}
    for text, share in ways.items():
        known = out.get(text, Candidate(text, inf, kind))
        out[text] = replace(known, cost=min(known.cost, -log2(share)))
    return sorted(out.values(), key=attrgetter("cost"))


def _unlike_known(row: Row) -> float:
    """What it costs in bits that a line stands as in no other version of the file, or in no copy of its licence."""
    if row.told is not None:
        return _UNLIKE_TOLD
    return licences.UNLIKE_COPIES if licences.has_copies(b" ".join(row.words)) else 0.0


@lru_cache(maxsize=8192)
def _profile(line: bytes) -> bytes:
    """What a line says about the gaps of others: where all of its own are single, its indentation says nothing."""
    bare = line.strip(b" \t")
    return line if b"  " in bare or b"\t" in bare else bare


def _as_removed(row: Row) -> list[_Read]:
    """The gaps of the removed line with the same text, if there is one: as they are, with the column of its last
    backslash or comment kept, and single; one reading where every gap of it is single."""
    model = row.model
    if not model or model.alike < 1.0 or len(model.chunks.gaps) != len(row.words) - 1:
        return []
    copy = tuple(gaps.SINGLE if gap == b" " else gaps.Gap(gap) for gap in model.chunks.gaps)
    plain = tuple(gaps.SINGLE for _ in copy)
    if copy == plain and not any(key in gaps.TABLE_KEYS for key in model.chunks.keys):
        return [(1.0, copy)]
    kept = tuple(
        gaps.Gap(gap.text, column) if key in _COLUMN_KEPT and gap.text != b" " else gap
        for gap, key, column in zip(copy, model.chunks.keys, model.chunks.columns[1:], strict=True)
    )
    return [(0.55, kept), (0.4, copy), (0.05, plain)] if kept != copy else [(0.95, copy), (0.05, plain)]


def _moved(before: Row, above: Sequence[bytes], key: str) -> bool:
    """Whether the line above (row `before`) has a gap of a kind up to another column than the line it replaces."""
    if before.text is not None or before.model is None or not above or key not in gaps.TABLE_KEYS:
        return False
    mine, theirs = split_cached(above[-1]), before.model.chunks
    if key not in mine.keys or key not in theirs.keys:
        return False
    return mine.columns[mine.keys.index(key) + 1] != theirs.columns[theirs.keys.index(key) + 1]


def _merge(out: dict[int, gaps.Options], source: dict[int, gaps.Options]) -> None:
    """Add the weights of `source`."""
    for index, readings in source.items():
        entry = out.setdefault(index, {})
        for gap, weight in readings.items():
            entry[gap] = entry.get(gap, 0.0) + weight


def _begun(state: State) -> bool:
    """Whether the line above continues the same brackets or the same statement."""
    return (state.stack[-1].inner if state.parens else state.continuation) is not None


def _resemble(out: Readings, model: Model, kind: str, state: State, memory: Memory) -> None:
    """What the line that was removed says about the indentation."""
    own = indent_of(model.line)
    weight = 3.5 * model.alike * model.alike
    continues = kind in indent.CONTINUES
    if kind not in {"text", "structured"} and continues != model.continues and (continues or model.regular):
        weight *= _OTHER_PLACE
    if continues and model.style and (same := indent.style_options(state).get(model.style)) is not None:
        # A continuation line keeps its style rather than its column, where the line above it was changed.
        add(out, same, weight * _SAME_STYLE)
        weight *= 1.0 - _SAME_STYLE
    if memory.shift:
        part = _CONTINUED_SHIFT if continues else 1.0
        add(out, pad(max(0, width(own) + memory.shift)), weight * part)
        weight *= 0.25
    elif memory.shift == 0:
        weight *= 1.6
    add(out, own, weight)


def _neighbours(out: Readings, row: Row, kind: str, above: Sequence[bytes]) -> None:
    """What the lines around an added line of C say about its indentation."""
    if row.words == (b"\\",):
        out.clear()
        for line in [*reversed(above), *row.below]:
            if line.endswith(b"\\"):
                add(out, pad(width(line[:-1])), 1.0)
        add(out, b"\t", 0.3)
        return
    if kind == "paren":
        if row.below and row.below[0].strip():
            add(out, indent_of(row.below[0]), 0.25)
        for chunks in row.removed[:2]:
            add(out, pad(chunks.columns[0]), 0.12)
    goes_on = kind in indent.CONTINUES
    if goes_on and row.twin:
        add(out, pad(row.twin.columns[0]), 0.8)
    if goes_on:
        whole = b" ".join(row.words)
        same = next((line for line in reversed(above) if line.strip() == whole), None)
        if same is not None:
            add(out, indent_of(same), 1.5)
    first = row.words[0]
    if goes_on or first[:1] == b".":
        for distance, line in enumerate([*reversed(above[-6:]), *row.below[:6]]):
            if line.lstrip().startswith(first) and line.strip() != first:
                add(out, indent_of(line), 0.5 / (1 + distance % 6))


_STRUCTURAL = frozenset({"statement", "body", "close", "else", "case"})
_REGULAR = 12.0  # how much more the structure weighs where it explains the removed line
_GOES_ON = 6.0  # how much more the rules weigh in brackets in which a line above goes on already
_SAME_STYLE = 0.7
_OTHER_PLACE = 0.1  # what a removed line weighs that began a statement, for a line that continues one, and the reverse
_CONTINUED_SHIFT = 0.5
_COLUMN_KEPT = frozenset({"backslash", "trailing"})


# How much the rules weigh against a resembling removed line.
_TRUST = {
    "comment": 8.0,
    "directive": 8.0,
    "condition": 4.0,
    "close": 5.0,
    "case": 5.0,
    "paren": 2.0,
    "plain": 1.5,
    "label": 3.0,
    "body": 4.0,
    "else": 4.0,
    "statement": 4.0,
    "text": 1.0,
    "structured": 4.0,
}


def file_reader(
    path: str, base: BaseText, placed: Sequence[PlacedHunk], readings: Sequence[tuple[ReadLine, ...]], survey: Survey
) -> Reader:
    """Prepare reading the added lines of a file; `readings` holds one reading of each placed hunk."""
    window = window_of(path)
    rows = file_rows(base, placed, readings, survey, window)
    return Reader(
        path.endswith(C_LIKE),
        survey.style,
        survey.doubled,
        rows,
        survey.stats,
        survey.pairs,
        survey.habits,
        yaml=path.endswith(YAML),
        structure=structure_of(path),
        window=window,
    )
