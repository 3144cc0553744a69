"""The readings of a damaged file diff: which bytes each added line may have had, the likeliest first.

A placed diff becomes rows: known lines (context, with the base's bytes) and added lines. Rows are read from top to
bottom; what was chosen above decides how likely the readings below are, so a deviation in one line carries on to the
lines that follow its style.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from math import log2

from kpatch_tool.diff import gaps, indent
from kpatch_tool.diff.align import BaseText, Placement, Step
from kpatch_tool.diff.cstate import State, indent_of, pad, step, width
from kpatch_tool.diff.damaged import squeeze
from kpatch_tool.diff.model import Kind

_C_LIKE = (
    ".c",
    ".h",
    ".dts",
    ".dtsi",
    ".dtso",
    ".y",
    ".l",
    ".cc",
    ".cpp",
    ".hpp",
    ".lds",
    ".lds.S",
    ".inc",
    ".def",
    ".cocci",
    ".bpf",
)
_NOTE = re.compile(rb"[A-Z][A-Za-z]*:$")
_DOUBLED = re.compile(rb"[a-z)][.?!](  ?)[A-Z]")
_WINDOW = 12  # lines above and below an added line that are looked at
_TELLING = 6  # characters of a line whose twin elsewhere says something
_NEAR = 250  # lines above and below a hunk whose gaps are counted
_MAX_CANDIDATES = 14
_UNLIKELY = 11.0  # bits: what a reading costs that no rule gives
_MAX_COLUMN = 90
_RARE_GAPS = ((b"  ", 0.5), (b"\t", 0.5), (b" ", 0.5), (b"\t\t", 2.0), (b"   ", 1.5), (b"    ", 2.0))
_WIDE_GAPS = (
    *((b"\t" * count, 0.3 * count) for count in range(1, 8)),
    *((b" " * count, 0.2 * count) for count in range(1, 25)),
    *((b"\t" + b" " * count, 1.0 + 0.2 * count) for count in range(1, 8)),
    *((b"\t\t" + b" " * count, 1.5 + 0.2 * count) for count in range(1, 8)),
    (b" \t", 1.0),
)
_BLANKS = re.compile(rb"[ \t]+")
_FLOOR = 2.0**-14  # readings less likely than this are left out


@dataclass(frozen=True, slots=True)
class Memory:
    """What the patch itself did above: its last continuation style, how far removed lines were shifted when they were
    added again, and whether it ends sentences with two blanks."""

    style: str | None = None
    shift: int | None = None
    doubled: bool | None = None


@dataclass(frozen=True, slots=True)
class Model:
    """A removed line that an added line resembles: `alike` 1.0 where they differ in white space at most."""

    line: bytes
    chunks: gaps.Chunks
    alike: float
    same_block: bool


@dataclass(slots=True)
class Row:
    """One line of the post-image within a hunk. `text` is None for an added line, whose `words` (squeezed) and `lead`
    (whether blanks stood before them) are known. `shown` is False for lines of the base above the hunk that are only
    looked at. `start` is the state before the row where it begins a hunk."""

    text: bytes | None
    shown: bool = True
    words: tuple[bytes, ...] = ()
    chunks: gaps.Chunks | None = None
    lead: bool = False
    hunk: int = 0
    start: State | None = None
    model: Model | None = None
    removed: tuple[gaps.Chunks, ...] = ()
    below: tuple[bytes, ...] = ()
    twin: gaps.Chunks | None = None  # the nearest line of the base with the same text


@dataclass(frozen=True, slots=True)
class Candidate:
    """One reading of an added line, with its cost in bits."""

    text: bytes
    cost: float
    kind: str


@lru_cache(maxsize=8192)
def _split(line: bytes) -> gaps.Chunks:
    return gaps.split(line)


@dataclass(slots=True)
class Reader:
    """What reading the added lines of one file needs."""

    is_c: bool
    style: indent.Style
    doubled: float
    rows: list[Row]
    stats: gaps.Stats = field(default_factory=dict)
    pairs: gaps.Pairs = field(default_factory=dict)
    cache: dict[tuple[object, ...], list[Candidate]] = field(default_factory=dict)

    def candidates(self, number: int, state: State, memory: Memory, texts: Sequence[bytes]) -> list[Candidate]:
        """The readings of row `number`, cheapest first, when `texts` are the lines chosen above it."""
        row = self.rows[number]
        if not row.words:
            return [Candidate(b"", 0.0, "blank")]
        low = number
        while low > 0 and number - low < _WINDOW and self.rows[low].start is None:
            low -= 1
        above = texts[low:number]
        key = (number, state, memory, tuple(above))
        found = self.cache.get(key)
        if found is None:
            found = self._candidates(row, state, memory, above)
            self.cache[key] = found
        return found

    def _candidates(self, row: Row, state: State, memory: Memory, above: Sequence[bytes]) -> list[Candidate]:
        assert row.chunks is not None
        text = b" ".join(row.words)
        if self.is_c:
            kind, rule = indent.expected(state, text, self.style, memory.style)
        else:
            kind, rule = indent.expected_text(above, row.below, text)
        indents = self._indents(row, kind, rule, memory, above)
        combos = self._gap_combinations(row, state, memory, above)
        found: dict[bytes, float] = {}
        for start, weight in indents[:8]:
            for share, chosen in combos:
                if weight * share > _FLOOR:
                    line = gaps.render(row.words, start, chosen)
                    found[line] = found.get(line, 0.0) + weight * share
        ranked = sorted(found.items(), key=lambda item: -item[1])[:_MAX_CANDIDATES]
        return [Candidate(line, -log2(min(1.0, share)), kind) for line, share in ranked]

    def unlikely(self, number: int, texts: Sequence[bytes]) -> list[Candidate]:
        """Readings of row `number` that no rule gives: any column, any gap doubled, a blank at the end.

        Typing errors and rare styles are among them. They are tried where the likely readings fail.
        """
        row = self.rows[number]
        known = texts[number]
        if not row.words:
            return [Candidate(text, _UNLIKELY + 1.0, "blank") for text in (b"\t", b" ")]
        start = indent_of(known)
        rest = known[len(start) :]
        found: dict[bytes, float] = {}
        if row.lead:
            for column in range(1, _MAX_COLUMN):
                cost = _UNLIKELY + abs(column - width(start)) / 16.0
                found.setdefault(pad(column) + rest, cost)
                if column >= 8:
                    found.setdefault(b" " * column + rest, cost + 2.0)
        wide = {index for index, key in enumerate(row.chunks.keys if row.chunks else ()) if key}
        for index, match in enumerate(_BLANKS.finditer(rest)):
            for gap, cost in _WIDE_GAPS if index in wide else _RARE_GAPS:
                found.setdefault(start + rest[: match.start()] + gap + rest[match.end() :], _UNLIKELY + cost)
        for end in (b" ", b"\t"):
            found.setdefault(known + end, _UNLIKELY + 2.0)
        found.pop(known, None)
        return [Candidate(text, cost, "unlikely") for text, cost in found.items()]

    def _indents(
        self, row: Row, kind: str, rule: indent.Readings, memory: Memory, above: Sequence[bytes]
    ) -> list[tuple[bytes, float]]:
        """Indentations with their share, likeliest first: the rules mixed with the line it replaces."""
        out: indent.Readings = {}
        total = sum(rule.values()) or 1.0
        trust = _TRUST[kind]
        for start, weight in rule.items():
            out[start] = out.get(start, 0.0) + weight / total * trust
        model = row.model
        if model:
            own = indent_of(model.line)
            weight = 3.5 * model.alike * model.alike
            if memory.shift:
                shifted = pad(max(0, width(own) + memory.shift))
                out[shifted] = out.get(shifted, 0.0) + weight
                weight *= 0.25
            elif memory.shift == 0:
                weight *= 1.6
            out[own] = out.get(own, 0.0) + weight
        if self.is_c:
            _neighbours(out, row, kind, above)
        usable = {start: weight for start, weight in out.items() if bool(start) == row.lead}
        if not usable:
            usable = {b"\t": 0.6, b"\t\t": 0.2, b" ": 0.1, b"    ": 0.1} if row.lead else {b"": 1.0}
        elif row.lead:
            deep = max(usable, key=lambda start: usable[start])
            most = usable[deep]
            for other, weight in ((deep + b"\t", 0.012), (deep[:-1], 0.008), (b"\t", 0.004), (deep + b" ", 0.002)):
                if other:
                    usable[other] = usable.get(other, 0.0) + weight * most
        total = sum(usable.values())
        return sorted(((start, weight / total) for start, weight in usable.items()), key=lambda item: -item[1])

    def _gap_combinations(
        self, row: Row, state: State, memory: Memory, above: Sequence[bytes]
    ) -> list[tuple[float, tuple[gaps.Gap, ...]]]:
        chunks = row.chunks
        assert chunks is not None
        model = row.model
        if model and model.alike >= 1.0:
            copy = tuple(gaps.Gap(gap) for gap in model.chunks.gaps)
            if len(copy) == len(row.words) - 1:
                plain = tuple(gaps.SINGLE for _ in copy)
                copy = tuple(gaps.SINGLE if gap.text == b" " else gap for gap in copy)
                return [(0.93, copy), (0.05, plain)] if copy != plain else [(1.0, copy)]
        copied = self._gap_evidence(row, chunks)
        if not copied and not any(chunks.keys):
            return [(1.0, (gaps.SINGLE,) * (len(row.words) - 1))]
        around = gaps.Around(
            above=[_split(line) for line in reversed(above) if line.strip()],
            removed=row.removed,
            below=[_split(line) for line in row.below if line.strip()],
        )
        doubled = self.doubled if memory.doubled is None else (0.9 if memory.doubled else min(self.doubled, 0.05))
        choices: list[gaps.Options] = []
        for index, key in enumerate(chunks.keys):
            if key == "star" and state.comment:
                choices.append(_star(row.words, state, around))
                continue
            readings = gaps.options(index, chunks, around, doubled, self.stats)
            for gap, weight in copied.get(index, {}).items():
                readings[gap] = readings.get(gap, 0.0) + weight
            choices.append(readings)
        return gaps.combinations(choices)

    def _gap_evidence(self, row: Row, chunks: gaps.Chunks) -> dict[int, gaps.Options]:
        """What lines with the same words say about the gaps: the line replaced, the same line elsewhere, word pairs."""
        out = gaps.copied(chunks, row.model.chunks) if row.model else {}
        sources = [gaps.paired(chunks, self.pairs)]
        if row.twin and len(row.twin.gaps) == len(chunks.keys):
            twin = enumerate(row.twin.gaps)
            sources.append({index: {gaps.Gap(gap): 3.0} for index, gap in twin if gap != b" "})
        for source in sources:
            for index, readings in source.items():
                entry = out.setdefault(index, {})
                for gap, weight in readings.items():
                    entry[gap] = entry.get(gap, 0.0) + weight
        return out

    def after(
        self, number: int, state: State, memory: Memory, candidate: Candidate | None, text: bytes
    ) -> tuple[State, Memory]:
        """State and memory after row `number` was given `text`."""
        if candidate is not None and candidate.kind != "blank":
            memory = self._remember(self.rows[number], state, memory, candidate)
        return (step(state, text) if self.is_c else state), memory

    def _remember(self, row: Row, state: State, memory: Memory, candidate: Candidate) -> Memory:
        text = candidate.text
        inner = state.stack[-1].inner if state.parens else state.continuation
        if candidate.kind in {"paren", "plain"} and inner is None:
            style = indent.continuation_style(state, indent_of(text))
            if style:
                memory = replace(memory, style=style)
        if row.model and row.model.alike >= 1.0 and text.strip() not in {b"}", b"{"}:
            memory = replace(memory, shift=width(indent_of(text)) - width(indent_of(row.model.line)))
        if row.chunks and "sentence" in row.chunks.keys:
            found = _DOUBLED.search(text)
            if found:
                memory = replace(memory, doubled=len(found[1]) == 2)
        return memory


def _neighbours(out: indent.Readings, row: Row, kind: str, above: Sequence[bytes]) -> None:
    """What the lines around an added line of C say about its indentation."""
    if row.words == (b"\\",):
        out.clear()
        for line in [*reversed(above), *row.below]:
            if line.endswith(b"\\"):
                _vote(out, pad(width(line[:-1])), 1.0)
        _vote(out, b"\t", 0.3)
        return
    if kind == "paren":
        if row.below and row.below[0].strip():
            _vote(out, indent_of(row.below[0]), 0.25)
        for chunks in row.removed[:2]:
            _vote(out, pad(chunks.columns[0]), 0.12)
    goes_on = kind in {"paren", "plain"}
    if goes_on and row.twin:
        _vote(out, pad(row.twin.columns[0]), 0.8)
    if goes_on:
        whole = b" ".join(row.words)
        same = next((line for line in reversed(above) if line.strip() == whole), None)
        if same is not None:
            _vote(out, indent_of(same), 1.5)
    first = row.words[0]
    if goes_on or first[:1] == b".":
        for distance, line in enumerate([*reversed(above[-6:]), *row.below[:6]]):
            if line.lstrip().startswith(first) and line.strip() != first:
                _vote(out, indent_of(line), 0.5 / (1 + distance % 6))


def _vote(out: indent.Readings, start: bytes, weight: float) -> None:
    out[start] = out.get(start, 0.0) + weight


# How much the rules weigh against a resembling removed line.
_TRUST = {
    "comment": 8.0,
    "directive": 8.0,
    "close": 5.0,
    "case": 5.0,
    "paren": 2.0,
    "plain": 1.5,
    "label": 3.0,
    "body": 4.0,
    "else": 4.0,
    "statement": 4.0,
    "text": 1.0,
}


def _star(words: tuple[bytes, ...], state: State, around: gaps.Around) -> gaps.Options:
    """Readings of the gap after a comment line's star."""
    comment = state.comment
    assert comment is not None
    out: gaps.Options = {}
    last = comment.gap if comment.gap else b" "
    first = comment.first_gap if comment.first_gap else b" "
    mine = gaps.mark_width(words[1:])
    before = around.above[0].words if around.above else ()
    theirs = gaps.mark_width(before[1:]) if before[:1] in {(b"*",), (b"/**",), (b"/*",)} else 0
    is_doc = len(words) > 1 and words[1].startswith(b"@")
    _weigh(out, first, 6.0 if is_doc or mine else 1.0)
    _weigh(out, b" ", 1.5)
    if before == (b"*",):
        _weigh(out, first, 1.5)
        _weigh(out, last, 1.5)
    else:
        _weigh(out, last, 4.0)
    if theirs and not mine:
        marked = before[1]
        if marked.startswith(b"@"):
            for text, weight in ((b"\t", 1.5), (b"   ", 1.0), (b"  ", 1.0), (b"    ", 0.7), (b"\t\t", 0.2)):
                _weigh(out, text, weight)
            _weigh(out, last + b" " * theirs, 1.0)
        else:
            _weigh(out, last + b" " * theirs, 7.0)
    elif theirs and mine:
        _weigh(out, last, 6.0)
    elif before[:1] == (b"*",) and len(before) > 2 and _NOTE.match(before[1]):
        _weigh(out, last + b" " * (len(before[1]) + 1), 1.2)
    for line in around.above[1:]:
        if line.words[0] == b"*" and len(line.words) > 1:
            alike = mine and gaps.mark_width(line.words[1:])
            _weigh(out, line.gaps[0], 3.0 if alike else 0.15)
    if mine:
        _weigh(out, last + b"  ", 0.4)
        _weigh(out, last + b" ", 0.4)
    for text, weight in ((b"  ", 0.06), (b"   ", 0.06), (b"\t", 0.06), (b"    ", 0.03)):
        _weigh(out, text, weight)
    return out


def _weigh(out: gaps.Options, text: bytes, weight: float) -> None:
    gap = gaps.SINGLE if text == b" " else gaps.Gap(text)
    out[gap] = out.get(gap, 0.0) + weight


def file_reader(path: str, base: BaseText, placed: Sequence[Placement], readings: Sequence[tuple[Step, ...]]) -> Reader:
    """Prepare reading the added lines of a file; `readings` holds one reading of each placed hunk."""
    is_c = path.endswith(_C_LIKE)
    states, style = _survey(base, [placement.start for placement in placed], path)
    rows: list[Row] = []
    floor = 0
    removed_lines = [
        base.lines[s.base] for reading in readings for s in reading if s.kind is Kind.REMOVED and s.base is not None
    ]
    pool = _Pool(removed_lines)
    for number, (placement, reading) in enumerate(zip(placed, readings, strict=True)):
        low = max(floor, placement.start - _WINDOW)
        lead_in = [Row(line, shown=False, hunk=number) for line in base.lines[low : placement.start]]
        hunk_rows = lead_in + _hunk_rows(number, placement, reading, base, pool)
        if hunk_rows:
            hunk_rows[0].start = states.get(low, State())
        rows += hunk_rows
        floor = placement.start + placement.hunk.old_count
    pairs = gaps.wide_pairs(base.lines) if any(row.chunks for row in rows) else {}
    return Reader(is_c, style, _doubled_share(base), rows, _stats(base, placed, rows), pairs)


def _stats(base: BaseText, placed: Sequence[Placement], rows: Sequence[Row]) -> gaps.Stats:
    """The widths of gaps in the file around the hunks, where an added line has a gap of such a kind."""
    if not any(key for row in rows if row.chunks for key in row.chunks.keys):
        return {}
    wanted: set[int] = set()
    for placement in placed[:20]:
        wanted.update(range(max(0, placement.start - _NEAR), min(len(base.lines), placement.start + _NEAR)))
    return gaps.survey(base.lines[number] for number in sorted(wanted))


def _survey(base: BaseText, starts: Sequence[int], path: str) -> tuple[dict[int, State], indent.Style]:
    """The states before the lines hunks begin at (and _WINDOW above), and the file's own continuation style."""
    is_c, is_dts = path.endswith(_C_LIKE), path.endswith((".dts", ".dtsi", ".dtso"))
    states: dict[int, State] = {}
    parens: Counter[str] = Counter()
    plain: Counter[str] = Counter()
    if is_c:
        wanted: set[int] = set()
        for start in starts:
            wanted.update(range(max(0, start - _WINDOW), start + 1))
        state = State()
        for number, line in enumerate(base.lines):
            if number in wanted:
                states[number] = state
            if state.statement is not None and not state.comment and line.strip():
                kind = parens if state.parens else plain
                inner = state.stack[-1].inner if state.parens else state.continuation
                if inner is None and (style := indent.continuation_style(state, indent_of(line))):
                    kind[style] += 1
            state = step(state, line)
        states[len(base.lines)] = state
    return states, indent.Style(parens, plain, is_dts)


def _doubled_share(base: BaseText) -> float:
    """How often the file ends a sentence with two blanks; a small share where it has few sentences."""
    ends = Counter(match[1] for match in _DOUBLED.finditer(b"\n".join(base.lines)))
    single, double = ends[b" "] + 2.0, ends[b"  "] + 0.1
    return min(0.98, double / (single + double))


class _Pool:
    """All removed lines of a file, to find the one an added line resembles."""

    def __init__(self, lines: Sequence[bytes]) -> None:
        self.exact: dict[bytes, bytes] = {}
        for line in lines:
            text = squeeze(line)
            if text:
                self.exact.setdefault(text, line)

    def model(self, words: tuple[bytes, ...], block: Sequence[bytes]) -> Model | None:
        """The best resembling line: of the same block, or the same text anywhere."""
        text = b" ".join(words)
        mine = _pieces(text)
        best: Model | None = None
        for line in block:
            squeezed = squeeze(line)
            if not squeezed:
                continue
            if squeezed == text:
                return Model(line, _split(line), 1.0, True)
            alike = _alike(mine, _pieces(squeezed))
            if alike >= 0.5 and (best is None or alike > best.alike):
                best = Model(line, _split(line), min(0.95, alike), True)
        if text in self.exact and len(text) > 1:
            line = self.exact[text]
            return Model(line, _split(line), 1.0, False)
        return best


_PIECE = re.compile(rb"\w+|[^\w\s]")


@lru_cache(maxsize=8192)
def _pieces(text: bytes) -> Counter[bytes]:
    return Counter(_PIECE.findall(text))


def _alike(mine: Counter[bytes], theirs: Counter[bytes]) -> float:
    """How many pieces two lines share, 0 to 1; the first pieces count twice as both begin alike."""
    total = sum(mine.values()) + sum(theirs.values())
    common = sum((mine & theirs).values())
    return 2.0 * common / total if total else 0.0


def _hunk_rows(number: int, placement: Placement, reading: Sequence[Step], base: BaseText, pool: _Pool) -> list[Row]:
    rows: list[Row] = []
    blocks = _blocks(reading)
    end = placement.start + placement.hunk.old_count
    after = base.lines[end : end + _WINDOW]
    known = [base.lines[s.base] if s.kind is Kind.CONTEXT and s.base is not None else None for s in reading]
    for index, entry in enumerate(reading):
        if entry.kind is Kind.REMOVED:
            continue
        if entry.kind is Kind.CONTEXT:
            rows.append(Row(known[index], hunk=number))
            continue
        assert entry.received is not None
        received = placement.hunk.lines[entry.received].text
        text = squeeze(received)
        row = Row(None, hunk=number, lead=received[:1] in {b" ", b"\t"})
        if text:
            row.words = tuple(text.split(b" "))
            row.chunks = _split(text)
            block = [base.lines[reading[at].base or 0] for at in blocks[index]]
            row.model = pool.model(row.words, block)
            order = _nearest_first(blocks[index], index)
            row.removed = tuple(_split(base.lines[reading[at].base or 0]) for at in order[:_WINDOW])
            row.twin = _twin(base, text, placement.start)
            below = [line for line in known[index + 1 : index + 40] if line is not None]
            row.below = tuple([*below, *after][:_WINDOW])
        rows.append(row)
    return rows


def _twin(base: BaseText, text: bytes, near: int) -> gaps.Chunks | None:
    """The line of the base nearest to `near` that has this text, where the text says something."""
    found = base.positions.get(text) if len(text) >= _TELLING else None
    return _split(base.lines[min(found, key=lambda at: abs(at - near))]) if found else None


def _nearest_first(block: Sequence[int], index: int) -> list[int]:
    return sorted(block, key=lambda at: abs(at - index))


def _blocks(reading: Sequence[Step]) -> dict[int, list[int]]:
    """For each added line the indices of the removed lines of its block of changes."""
    out: dict[int, list[int]] = {}
    at = 0
    while at < len(reading):
        if reading[at].kind is Kind.CONTEXT:
            at += 1
            continue
        end = at
        while end < len(reading) and reading[end].kind is not Kind.CONTEXT:
            end += 1
        removed = [i for i in range(at, end) if reading[i].kind is Kind.REMOVED]
        for index in range(at, end):
            out[index] = removed
        at = end
    return out
