"""What is known before the added lines of a file are read: the rows of its hunks, and a survey of the file itself.

A placed diff becomes rows: known lines (context, with the base's bytes) and added lines, each with the removed line
it resembles and the lines around it.
"""

from __future__ import annotations

import re
from bisect import bisect
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from kpatch_tool.diff.model import Kind
from kpatch_tool.restore.align import BaseText, PlacedHunk, ReadLine
from kpatch_tool.restore.damaged import squeeze
from kpatch_tool.restore.elsewhere import NOTHING, TELLING, Elsewhere
from kpatch_tool.restore.readings.resembling import Resembling
from kpatch_tool.restore.style import gaps, indent, notes, structure, word_pairs
from kpatch_tool.restore.style.cstate import State, indent_of
from kpatch_tool.restore.style.yaml_text import YAML
from kpatch_tool.restore.versions import told_by

C_LIKE = (
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
_UNITS = (((".yaml", ".yml", ".rst", ".txt", ".json", ".rb"), b"  "), ((".py", ".rs", ".pl"), b"    "))
DOUBLED = re.compile(rb"[A-Za-z_)'\"][.?!](  ?)[A-Z]")
WINDOW = 12  # lines above and below an added line that are looked at
# The same above, where the beginning of what is open tells more.
_WINDOWS = ((YAML, 160), ((".py", ".sh", ".bash"), 80), ((".rst", ".txt"), 24))
_NEAR = 250  # lines above and below a hunk whose gaps are counted


@dataclass(frozen=True, slots=True)
class Model:
    """A removed line that an added line resembles: `alike` 1.0 where they differ in white space at most.

    `regular` says that the structure of C explains its indentation, `continues` that it continues a statement, and
    `style` in which style it does.
    """

    line: bytes
    chunks: gaps.Chunks
    alike: float
    regular: bool = False
    continues: bool = False
    style: str | None = None


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
    gone: frozenset[bytes] = frozenset()  # the removed lines of its block
    twin: gaps.Chunks | None = None  # the nearest line of the base with the same text
    edges: dict[str, int] = field(default_factory=dict)  # the widest column before each kind of gap in its run of lines
    told: bytes | None = None  # the line that another version of the file has in its place


@lru_cache(maxsize=32768)
def split_cached(line: bytes) -> gaps.Chunks:
    """gaps.split, remembered."""
    return gaps.split(line)


@dataclass(frozen=True, slots=True)
class Survey:
    """What is known of the file itself before its hunks are read."""

    states: dict[int, State]  # of its structure, before the lines that hunks begin at and WINDOW above
    style: indent.Style  # of its continuation lines
    doubled: float  # the share of its sentences that end in two blanks
    stats: gaps.Stats  # how wide its gaps are
    pairs: word_pairs.Pairs  # the words that they are between
    habits: notes.Habits = field(default_factory=dict)  # how its comments go on under a description
    elsewhere: Elsewhere = NOTHING  # what is known from outside it
    versions: Sequence[bytes] = ()  # the file in other kernels


def survey_file(path: str, base: BaseText, placed: Sequence[PlacedHunk], beside: Elsewhere = NOTHING) -> Survey:
    """Read the file once for all readings of its hunks; `beside` is what is known from outside it."""
    recent = beside.recent or structure.RecentFiles()
    read = recent.read(path, base.lines) if path.endswith(C_LIKE) else None
    states = {} if read is None else _states(read, placed)
    style, habits = _layout(read or structure.Structure(), path)
    near: set[int] = set()
    for placement in placed[:20]:
        near.update(range(max(0, placement.start - _NEAR), min(len(base.lines), placement.start + _NEAR)))
    stats = gaps.survey(base.lines[number] for number in sorted(near))
    pairs = word_pairs.wide_pairs(base.lines)
    versions = beside.versions.get(path, ())
    return Survey(states, style, _doubled_share(base), stats, pairs, habits, beside, versions)


def window_of(path: str) -> int:
    """How many lines above an added line are looked at in a file of that name."""
    return next((lines for ends, lines in _WINDOWS if path.endswith(ends)), WINDOW)


def file_rows(
    base: BaseText, placed: Sequence[PlacedHunk], readings: Sequence[tuple[ReadLine, ...]], survey: Survey, window: int
) -> list[Row]:
    """The rows of all hunks, with `window` lines above each; `readings` holds one reading of each placed hunk."""
    rows: list[Row] = []
    floor = 0
    removed = [s.base for reading in readings for s in reading if s.kind is Kind.REMOVED and s.base is not None]
    pool = _Pool(base, removed, survey)
    for number, (placement, reading) in enumerate(zip(placed, readings, strict=True)):
        low = max(floor, placement.start - window)
        lead_in = [Row(line, shown=False, hunk=number) for line in base.lines[low : placement.start]]
        hunk_rows = lead_in + _hunk_rows(number, placement, reading, base, pool)
        if hunk_rows:
            hunk_rows[0].start = survey.states.get(low, State())
        rows += hunk_rows
        floor = placement.start + placement.hunk.old_count
    if survey.versions:
        _tell(rows, survey.versions)
    return rows


def _tell(rows: Sequence[Row], versions: Sequence[bytes]) -> None:
    """Put into added lines what other versions of the file have in their places."""
    hunks: dict[int, list[Row]] = {}
    for row in rows:
        if row.shown:
            hunks.setdefault(row.hunk, []).append(row)
    shown = list(hunks.values())
    squeezed = [[squeeze(row.text) if row.text is not None else b" ".join(row.words) for row in one] for one in shown]
    for (number, at), line in told_by(squeezed, versions).items():
        row = shown[number][at]
        if row.text is None and row.words and row.lead == bool(indent_of(line)) and line not in row.gone:
            row.told = line


def _states(read: structure.Structure, placed: Sequence[PlacedHunk]) -> dict[int, State]:
    """The states before the lines of hunks (and WINDOW above)."""
    count = len(read.lines)
    return {number: read.seen[number].before for number in _near(placed, count)} | {count: read.end}


def _layout(read: structure.Structure, path: str) -> tuple[indent.Style, notes.Habits]:
    """The file's own continuation style, and its comments'."""
    counts = Counter(seen.style for seen in read.seen if seen.style)
    steps = Counter(seen.block for seen in read.seen if seen.block)
    habits: notes.Habits = {}
    for about, gap in (seen.note for seen in read.seen if seen.note):
        habits.setdefault(about, Counter())[gap] += 1
    return indent.Style(counts, path.endswith((".dts", ".dtsi", ".dtso")), _unit(path), steps), habits


def _near(placed: Sequence[PlacedHunk], count: int) -> set[int]:
    """The places of a file of `count` lines that hunks hold, WINDOW above them and one below."""
    near: set[int] = set()
    for placement in placed:
        end = min(count, placement.start + placement.hunk.old_count + 1)
        near.update(range(max(0, placement.start - WINDOW), end))
    return near


def _unit(path: str) -> bytes:
    """What one level of indentation is in files of that name."""
    return next((unit for ends, unit in _UNITS if path.endswith(ends)), b"\t")


def _doubled_share(base: BaseText) -> float:
    """How often the file ends a sentence with two blanks; a small share where it has few sentences."""
    ends = Counter(match[1] for match in DOUBLED.finditer(b"\n".join(base.lines)))
    single, double = ends[b" "] + 3.0, ends[b"  "] + 0.3
    # The patch's author may be another than the file's.
    return max(0.08, min(0.98, double / (single + double)) * 0.65)


@dataclass(frozen=True, slots=True)
class _Block:
    """The removed lines of a block of changes: (place in the hunk, number in the base) of each, their texts to find the
    likest, and their bytes."""

    removed: tuple[tuple[int, int], ...]
    lines: Resembling
    gone: frozenset[bytes]

    def nearest(self, index: int) -> list[int]:
        """The numbers of those nearest to a place in the hunk, at most WINDOW."""
        at = bisect(self.removed, (index,))
        near = sorted(self.removed[max(0, at - WINDOW) : at + WINDOW], key=lambda one: abs(one[0] - index))
        return [number for _, number in near[:WINDOW]]


class _Pool:
    """All removed lines of a file, to find the one an added line resembles."""

    def __init__(self, base: BaseText, removed: Sequence[int], survey: Survey) -> None:
        self.base = base
        self.survey = survey
        self.exact: dict[bytes, int] = {}
        for at in removed:
            if text := squeeze(base.lines[at]):
                self.exact.setdefault(text, at)

    def model(self, words: tuple[bytes, ...], block: _Block) -> Model | None:
        """The best resembling line: of the same block, or the same text anywhere."""
        text = b" ".join(words)
        if (same := block.lines.same(text)) is not None:
            return self._model(same, 1.0)
        if text in self.exact and len(text) > 1:
            return self._model(self.exact[text], 1.0)
        if (line := self.survey.elsewhere.moved.get(text)) is not None:
            return Model(line, split_cached(line), 1.0)
        best = block.lines.likest(text)
        return self._model(best[1], min(0.95, best[0])) if best else None

    def _model(self, at: int, alike: float) -> Model:
        line = self.base.lines[at]
        state = self.survey.states.get(at)
        regular = continues = False
        style = None
        if state is not None:
            kind, rule = indent.expected(state, squeeze(line), self.survey.style, indent.NOTHING_YET)
            own = indent_of(line)
            regular = rule.get(own, 0.0) >= 0.9 * max(rule.values())
            continues = kind in indent.CONTINUES
            if continues:
                style = indent.continuation_style(state, own)
        return Model(line, split_cached(line), alike, regular, continues, style)


def _hunk_rows(
    number: int, placement: PlacedHunk, reading: Sequence[ReadLine], base: BaseText, pool: _Pool
) -> list[Row]:
    rows: list[Row] = []
    blocks = _blocks(reading, base)
    end = placement.start + placement.hunk.old_count
    after = base.lines[end : end + WINDOW]
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
            row.chunks = split_cached(text)
            block = blocks[index]
            row.model = pool.model(row.words, block)
            row.gone = block.gone
            row.removed = tuple(split_cached(base.lines[number]) for number in block.nearest(index))
            row.twin = _twin(base, text, placement.start, pool.survey.elsewhere)
            below = [line for line in known[index + 1 : index + 40] if line is not None]
            row.below = tuple([*below, *after][:WINDOW])
        rows.append(row)
    _find_edges(rows)
    return rows


def _find_edges(rows: Sequence[Row]) -> None:
    """For added lines that make up a table (defines, members, initialisers): how far the texts before a gap reach.

    Only tables of more than one line count; indentation is not known yet and left out.
    """
    for key in (*gaps.TABLE_KEYS, "kdoc"):
        run: list[Row] = []
        edge = 0
        for row in [*rows, None]:
            at = row.chunks.keys.index(key) if row and row.chunks and key in row.chunks.keys else None
            if row and row.chunks and at is not None:
                run.append(row)
                edge = max(edge, len(b" ".join(row.words[: at + 1])))
            elif row is None or ((row.words or row.text) and not (key == "kdoc" and row.words[:1] == (b"*",))):
                for member in run if len(run) > 1 else []:
                    member.edges[key] = edge
                run, edge = [], 0


def _twin(base: BaseText, text: bytes, near: int, beside: Elsewhere) -> gaps.Chunks | None:
    """The line of the base nearest to `near` that has this text, where the text says something; else another file's."""
    found = base.positions.get(text) if len(text) >= TELLING else None
    if found:
        return split_cached(base.lines[min(found, key=lambda at: abs(at - near))])
    line = beside.seen.get(text)
    return None if line is None else split_cached(line)


def _blocks(reading: Sequence[ReadLine], base: BaseText) -> dict[int, _Block]:
    """For each added line the removed lines of its block of changes."""
    out: dict[int, _Block] = {}
    at = 0
    while at < len(reading):
        if reading[at].kind is Kind.CONTEXT:
            at += 1
            continue
        end = at
        while end < len(reading) and reading[end].kind is not Kind.CONTEXT:
            end += 1
        removed = {i: reading[i].base or 0 for i in range(at, end) if reading[i].kind is Kind.REMOVED}
        lines = {number: base.lines[number] for number in removed.values()}
        block = _Block(
            tuple(removed.items()),
            Resembling({number: squeeze(line) for number, line in lines.items()}),
            frozenset(lines.values()),
        )
        out.update(dict.fromkeys(range(at, end), block))
        at = end
    return out
