"""The white space inside an added line: a blank of the squeezed text may have been a tab, tabs to a column, or blanks.

Most gaps are one blank. Some kinds of gap are often wider (the value of a #define, a trailing comment, the last
backslash of a macro's line, columns of a table): for those the neighbouring lines say how wide. Readings carry
weights; the figures were tuned with benchmarks/restore_corpus.py.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice

from kpatch_tool.restore.style import licences
from kpatch_tool.restore.style.cstate import TAB, width

_SPACE = re.compile(rb"[ \t\f\v\r]+")
_ASSIGN = frozenset({b"=", b"+=", b":=", b"?=", b"|=", b"-=", b"&="})
_MEMBER = re.compile(
    rb"^(?:[A-Za-z_]\w*[\s*]+)+\(?\*{0,3}[A-Za-z_]\w*(?:\[[^\]]*\])*(?:\s?:\s?\d+)?(?:\s__\w+(?:\([^)]*\))?)?[;,]"
)
_SENTENCE_BEGINS = frozenset({b"_", b"`", b"%", b"@"})  # besides letters: names
_DOUBLED = {"sentence": 1.0, "sentence?": 0.7, "sentence*/": 0.4}  # of those who end sentences with two blanks
_SENTENCE_END = re.compile(rb"[\w)\]\"'`>*%][.?!]$")
_MARK = re.compile(rb"^([-*+o\xe2]|\(?\d{1,2}[.):]|[a-z][.)]|@[\w.]+:)$")
_FIELD = re.compile(rb"(?:BIT|BIT_ULL|GENMASK|GENMASK_ULL)\(")  # what bits of a register are defined with
_ASM_DIRECTIVE = re.compile(rb"\.[a-z]\w*$")
_ASM_LABEL = re.compile(rb'"\d+:(?:\\t)?$')
_INSTRUCTION = re.compile(rb"(?:\\t)?[a-z][\w.]*$")
_MARKS = frozenset({b"*", b"#", b"/", b'"', b":", b"."})
_REMARKS = frozenset({b"#", b"@", b";"})  # what comments of assembly and scripts begin with
_OPERATORS = frozenset({b"||", b"&&", b"|"})
_DIRECTIVES = frozenset(
    {b"#if", b"#ifdef", b"#ifndef", b"#elif", b"#else", b"#endif", b"#undef", b"#error", b"#include"}
)
# What an entry of Documentation/ABI consists of (its README). Their texts stand at column 16 in nearly all lines of
# Linux 6.1, in 93 of 100 by tabs.
TAGS = frozenset({b"What:", b"Date:", b"KernelVersion:", b"Contact:", b"Description:", b"Users:"})
TAGGED = 16
STARS = frozenset({b"*", b"/*", b"/**", b"//", b"#"})
_ABBREVIATIONS = frozenset({b"i.e.", b"e.g.", b"etc.", b"vs.", b"cf.", b"(i.e.", b"(e.g.", b"Dr.", b"St."})
MAX_WORDS = 200  # a line of more words is taken as single-spaced
_MAX_OPTIONS = 14
_MAX_COMBINATIONS = 28
_LEAST = 2.0**-14  # the share of a combination that is still kept


@dataclass(frozen=True, slots=True)
class Chunks:
    """A line by its words: `words` and the gaps between them (one less), `columns` where each word begins."""

    words: tuple[bytes, ...]
    gaps: tuple[bytes, ...]
    columns: tuple[int, ...]
    keys: tuple[str, ...]


def split(line: bytes) -> Chunks:
    """The words of a line with its own white space."""
    words: list[bytes] = []
    gaps: list[bytes] = []
    columns: list[int] = []
    column = at = 0
    stripped = line.rstrip(b" \t\r\n\f\v")
    lead = True
    for match in _SPACE.finditer(stripped):
        word = stripped[at : match.start()]
        if word or not lead:
            words.append(word)
            columns.append(column)
            gaps.append(match[0])
            column = width(word, column)
        lead = False
        column = width(match[0], column)
        at = match.end()
    words.append(stripped[at:])
    columns.append(column)
    return Chunks(tuple(words), tuple(gaps), tuple(columns), keys(tuple(words)))


def keys(words: tuple[bytes, ...]) -> tuple[str, ...]:
    """What kind of gap follows each word but the last; "" for one that is a single blank nearly always."""
    if len(words) < 2:
        return ()
    if len(words) > MAX_WORDS:
        return ("",) * (len(words) - 1)
    out = [_local_key(words, index) for index in range(len(words) - 1)]
    if out.count("trailing") > 1:
        begins = out.index("trailing")
        out = [key if key != "trailing" or index == begins else "" for index, key in enumerate(out)]
    _by_first_word(words, out)
    if words[0] not in _DIRECTIVES:
        out[0] = out[0] or ("instruction" if _ASM_DIRECTIVE.match(words[0]) else "first")
    return tuple(out)


def _by_first_word(words: tuple[bytes, ...], out: list[str]) -> None:
    """Put in the kinds of gaps that the beginning of the line tells."""
    first = words[0]
    if first == b"#define" and len(words) > 2:
        at = 1 if b"(" not in words[1] or b")" in words[1] else _closing(words)
        out[at] = out[at] or "define"
        if at == 1 and _FIELD.match(words[2]):
            out[0] = "field"
    elif first == b"#" and words[1] == b"define" and len(words) > 3:
        out[0], out[2] = "hash", out[2] or "define"
    elif first in TAGS:
        out[0] = "tag"
    elif first in STARS:
        out[0] = out[0] if out[0] == "backslash" else "hash" if first == b"#" else "star"
        if len(words) > 2 and words[1].startswith(b"@") and words[1].endswith(b":"):
            out[1] = "kdoc"
    elif _MEMBER.match(b" ".join(words)):
        name = _declarator(words)
        if name is not None:
            out[name] = out[name] or "member"
    elif first[:1] == b'"':
        _in_string(words, out)
    elif first[-1:] == b":" and first[:-1].isalnum():
        out[0], out[1:] = out[0] or "label", keys(words[1:])
    elif first.startswith((b"{", b"[")) or first[-1:] in {b",", b":"}:
        out[:] = [key or f"table{index}" for index, key in enumerate(out)]
    if out[0] == "assign":
        out[0] = _assigned(words)


def _assigned(words: tuple[bytes, ...]) -> str:
    """What a line gives a value to with its first two words: a member or an element in an initialiser, an enumerator,
    anything else."""
    first = words[0]
    if first[:1] in {b".", b"["}:
        return "initialiser"
    return "enumerator" if words[-1][-1:] == b"," and first.isupper() else "assign"


def _in_string(words: tuple[bytes, ...], out: list[str]) -> None:
    """The gaps of a line that is a string: after its quote, and after the instruction of inline assembly."""
    at = 0
    if words[0] == b'"' or _ASM_LABEL.match(words[0]):
        out[0], at = "quote", 1
    if at < len(out) and _INSTRUCTION.match(words[at].lstrip(b'"')):
        out[at] = out[at] or "instruction"


def _local_key(words: tuple[bytes, ...], index: int) -> str:
    """The kind of a gap as the words beside it tell."""
    left, right = words[index], words[index + 1]
    tests = (
        ("trailing", right.startswith((b"/*", b"//")) or (right in _REMARKS and index > 0)),
        ("end", right == b"*/" and words[0] not in STARS),
        ("backslash", right == b"\\" and index == len(words) - 2),
        ("assign", right in _ASSIGN),
        ("value", left in _ASSIGN),
        ("colon", right == b":" and words[0][:1] not in _MARKS),
        ("operator", right in _OPERATORS and index == len(words) - 2),
    )
    for key, is_so in tests:
        if is_so:
            return key
    ends = _SENTENCE_END.search(left) and not (left[:-1].isdigit() and index <= (words[0] in STARS))  # no list's mark
    if ends and right == b"*/":
        return "sentence*/"
    if (
        ends
        and (right[:1].isalpha() or right[:1] in _SENTENCE_BEGINS)
        and (left not in _ABBREVIATIONS or (left == b"etc." and right[:1].isupper()))
    ):
        return "sentence" if right[:1].isupper() else "sentence?"
    return ""


def _closing(words: tuple[bytes, ...]) -> int:
    """The gap after a macro's parameters."""
    for index, word in enumerate(words[:-1]):
        if index and b")" in word:
            return index
    return len(words) - 2


def _declarator(words: tuple[bytes, ...]) -> int | None:
    """The gap before the name a declaration declares."""
    for index, word in enumerate(words):
        if word[-1:] in {b";", b","}:
            if word in {b";", b","}:
                return None
            at = index
            while at > 1 and (
                words[at][:1].isdigit() or words[at] == b":" or words[at - 1] == b":" or words[at].startswith(b"__")
            ):
                at -= 1
            return at - 1 if at >= 1 else None
    return None


@dataclass(frozen=True, slots=True)
class Gap:
    """One reading of a gap: `text` as it is, or, with `column` >= 0, filled up to that column (with `text`'s kind of
    white space). With `beyond` >= 0 the column is that many behind the indentation; tabs go on from there to as many
    tab stops as `text` has."""

    text: bytes
    column: int = -1
    beyond: int = -1

    def render(self, at: int, indent: int = 0) -> bytes:
        if self.beyond >= 0:
            return self._behind(at, indent + self.beyond)
        if self.column < 0:
            return self.text
        if b"\t" not in self.text:
            return b" " * max(1, self.column - at)
        if at >= self.column:
            return b"\t"
        tabs = self.column // TAB - at // TAB
        if not tabs:
            return b" " * (self.column - at)
        return b"\t" * tabs + b" " * (self.column % TAB)

    def _behind(self, at: int, edge: int) -> bytes:
        if b"\t" not in self.text:
            return b" " * max(1, edge + len(self.text) - at)
        return b"\t" * max(1, edge // TAB + len(self.text) - at // TAB)


SINGLE = Gap(b" ")
Options = dict[Gap, float]


@dataclass(frozen=True, slots=True)
class Around:
    """The lines around an added line: above (nearest first), removed ones of its block, known ones below (nearest
    first)."""

    above: Sequence[Chunks]
    removed: Sequence[Chunks]
    below: Sequence[Chunks]


# Weight of one blank where no neighbour says otherwise, and of a tab.
_SINGLE = {
    "define": (0.5, 0.5),
    "trailing": (0.65, 0.35),
    "end": (0.96, 0.02),
    "operator": (0.98, 0.02),
    "backslash": (0.6, 0.2),
    "assign": (0.97, 0.03),
    "initialiser": (0.8, 0.2),
    "enumerator": (0.8, 0.2),
    "value": (0.995, 0.005),
    "colon": (0.97, 0.02),
    "quote": (0.55, 0.3),
    "instruction": (0.85, 0.13),
    "member": (0.96, 0.04),
    "sentence": (0.97, 0.0),
    "star": (0.95, 0.02),
    "hash": (0.95, 0.02),
    "kdoc": (0.8, 0.1),
    "first": (0.985, 0.015),
    "field": (0.95, 0.0),
    "label": (0.6, 0.4),
    "tag": (0.04, 0.02),
}
_TABLE = (0.96, 0.04)
_BY_BLANKS = 0.008  # the share of gaps up to a column that are blanks where tabs would do
_CALLED = 0.6  # more weight of one blank after a macro's parameters


# Columns that values and comments often stand at, with weights.
COLUMNS = {
    "define": ((32, 0.06), (40, 0.06), (24, 0.05), (48, 0.03), (56, 0.01)),
    "backslash": ((72, 0.16), (64, 0.03), (56, 0.02), (80, 0.015), (48, 0.01)),
    "trailing": ((40, 0.04), (32, 0.03), (48, 0.03), (24, 0.01), (56, 0.02)),
}
_USUAL = {
    **{key: tuple((Gap(b"\t", column), weight) for column, weight in columns) for key, columns in COLUMNS.items()},
    "tag": ((Gap(b"\t", TAGGED), 0.9), (Gap(b" ", TAGGED), 0.06)),
    "field": ((Gap(b"  "), 0.03), (Gap(b"   "), 0.015)),  # the names of a register's bits are set in from its own
}
# Of macros with a line that reaches past the usual column of backslashes, most end that line in one blank.
_FARTHEST = 72
_PAST = 0.9
# Weights of the columns behind a table's longest text: the first three tab stops, and by one blank. Of 2,100 comments
# in Linux 6.1 that describe parameters one in ten has the first.
_ALIGNED = (0.2, 0.06, 0.03, 0.06)
_DESCRIBED = (0.1, 0.02, 0.005, 0.02)
# Kinds of gap that make columns.
TABLE_KEYS = ("define", "member", "assign", "initialiser", "enumerator", "colon", "trailing", "backslash", "operator")
Stats = dict[str, Counter["Gap"]]
# The share of one blank where the text of a table's line reaches its column, and where it ends just before that
# (counted in 36,900 added lines of mails to six lists of the kernel, of which 73 do; of enumerators there were too
# few). Nearly all other lines have tabs there.
_PAST_COLUMN = {"member": 0.9, "initialiser": 0.9, "enumerator": 0.8}
_BEFORE_COLUMN = {"member": 0.4, "initialiser": 0.6}
_OTHERS_PAST = (0.5, 0.1)
_SAYS_LITTLE = 0.2  # what such a line weighs for the next one
_TABLE_LINES = 4  # above it, one of which shows the column


def survey(lines: Iterable[bytes]) -> Stats:
    """How wide the gaps of each kind are in the file itself, and at which columns they end."""
    out: Stats = {}
    for line in lines:
        chunks = split(line)
        for key, gap, column in zip(chunks.keys, chunks.gaps, chunks.columns[1:], strict=True):
            if key not in _SINGLE or key in {"star", "sentence"}:
                continue
            counts = out.setdefault(key, Counter())
            counts[SINGLE if gap == b" " else Gap(gap)] += 1
            if key in COLUMNS and len(gap) + gap.count(b"\t") > 1:
                counts[Gap(gap[-1:], column)] += 1
    return out


def _from_file(out: Options, counts: Counter[Gap]) -> None:
    total = sum(count for gap, count in counts.items() if gap.column < 0) + 6.0
    for gap, count in counts.most_common(6):
        add(out, gap, count / total * 0.8)


def _beyond(out: Options, edge: int, key: str) -> None:
    """The columns behind the longest text of a table's lines. Backslashes and comments stand in one column whatever
    their lines are indented by; one tab is what most are."""
    if key in {"backslash", "trailing"}:
        reach = edge + TAB
        tabs = [Gap(b"\t", (reach // TAB + count) * TAB) for count in (1, 2, 3)]
        blank = Gap(b" ", reach + 1)
    else:
        tabs = [Gap(b"\t" * count, beyond=edge) for count in (1, 2, 3)]
        blank = Gap(b" ", beyond=edge)
    shares = _DESCRIBED if key == "kdoc" else _ALIGNED
    for gap, weight in zip((*tabs, blank), shares, strict=True):
        add(out, gap, weight * (0.1 if key == "operator" else 1.0))


def options(
    index: int, chunks: Chunks, around: Around, doubled: float, *, stats: Stats | None = None, edge: int = 0
) -> Options:
    """The readings of gap `index` of an added line. `doubled` is the share of sentence ends followed by two blanks."""
    key = chunks.keys[index]
    if not key:
        return {SINGLE: 1.0}
    out: Options = {}
    single, tab = _SINGLE.get(key, _TABLE)
    # 71 % of macros with parameters that stand alone have one blank, 38 % of those without (counted in Linux 6.1).
    called = key == "define" and _has_parameters(chunks, index)
    if key.startswith("sentence"):
        licensed = licences.doubled(*chunks.words[index : index + 2])
        share = licensed if licensed is not None else doubled * _DOUBLED[key]
        return {SINGLE: 1.0 - share, Gap(b"  "): share}
    if key == "end" and chunks.words[index][-1:] in b".?!":
        add(out, Gap(b"  "), doubled)
    add(out, SINGLE, single * 0.5 + (_CALLED if called and not edge else 0.0))
    add(out, Gap(b"\t"), tab * 0.5)
    add(out, SINGLE, _past_columns(index, chunks))
    for gap, weight in _USUAL.get(key, ()):
        add(out, gap, weight)
    if edge:
        _beyond(out, edge, key)
    if stats and key in stats:
        _from_file(out, stats[key])
    _from_around(out, index, chunks, around, called=called)
    return out


def _from_around(out: Options, index: int, chunks: Chunks, around: Around, *, called: bool) -> None:
    """What the gaps of the same kind in the lines around say, the nearer the more. `called`: the line is a macro with
    parameters."""
    key = chunks.keys[index]
    for lines, scale in ((around.removed, 2.0), (around.above, 1.4), (around.below, 1.2)):
        for distance, line in enumerate(lines, 1):
            at = same_gap(line, key, index)
            if at is None:
                continue
            weight = scale / (distance * 0.7 + 0.3)
            if key == "define" and _has_parameters(line, at) != called:
                weight *= 0.4
            if key in {"first", "field"} and line.gaps[at] == b" " and line.words[at] != chunks.words[index]:
                weight *= 0.3
            if lines is around.above and runs_past(lines, distance - 1, key, at):
                weight *= _SAYS_LITTLE
            blank = blank_past(line, at, key, chunks.words[: index + 1])
            add(out, SINGLE, weight * blank)
            _vote(out, line, at, key, weight * (1.0 - blank))


def by_blanks(out: Options) -> Options:
    """The readings with blanks up to the columns that tabs reach as further ones."""
    for gap, weight in list(out.items()):
        if gap.column > 0 and gap.text[:1] == b"\t":
            add(out, Gap(b" ", gap.column), weight * _BY_BLANKS)
    return out


def _past_columns(index: int, chunks: Chunks) -> float:
    """More weight of one blank before a backslash that no usual column can take."""
    long = chunks.keys[index] == "backslash" and len(b" ".join(chunks.words[: index + 1])) > _FARTHEST
    return _PAST if long else 0.0


def _has_parameters(chunks: Chunks, index: int) -> bool:
    """Whether the macro whose value follows gap `index` has parameters."""
    return any(b"(" in word for word in chunks.words[1 : index + 1])


def same_gap(line: Chunks, key: str, index: int) -> int | None:
    """Which gap of a line is of the kind that gap `index` of another one has."""
    if key in {"star", "hash", "label", "quote"}:
        return 0 if line.keys and line.keys[0] == key else None
    if key.startswith("table"):
        return index if index < len(line.keys) and line.keys[index] == key else None
    return line.keys.index(key) if key in line.keys else None


def runs_past(above: Sequence[Chunks], number: int, key: str, at: int) -> bool:
    """Whether line `number` of those above has one blank because its text reaches the column of its table, or all but:
    that of the next line up that has a tab."""
    line = above[number]
    if line.gaps[at] != b" " or key not in TABLE_KEYS:
        return False
    for other in above[number + 1 : number + 1 + _TABLE_LINES]:
        there = same_gap(other, key, at)
        if there is None:
            return False
        if b"\t" in other.gaps[there]:
            return width(line.words[at], line.columns[at]) >= other.columns[there + 1] - 1
    return False


def blank_past(line: Chunks, at: int, key: str, words: Sequence[bytes]) -> float:
    """The share of one blank where `words`, indented as `line` is, reach the column behind its gap, or all but; 0.0
    where they do not."""
    if key not in TABLE_KEYS or b"\t" not in line.gaps[at]:
        return 0.0
    left = line.columns[at + 1] - line.columns[0] - len(b" ".join(words))
    return 0.0 if left > 1 else (_PAST_COLUMN if left < 1 else _BEFORE_COLUMN).get(key, _OTHERS_PAST[left == 1])


def _vote(out: Options, line: Chunks, at: int, key: str, weight: float) -> None:
    """Count what a neighbour's gap says."""
    gap = line.gaps[at]
    if gap == b" ":
        add(out, SINGLE, weight)
        return
    if key in {"star", "hash"}:
        add(out, Gap(gap), weight)
        return
    add(out, Gap(gap, line.columns[at + 1]), weight * 0.8)
    add(out, Gap(gap), weight * 0.2)
    if b"\t" in gap and len(gap) > 1:
        add(out, Gap(b"\t"), weight * 0.03)


def add(out: Options, gap: Gap, weight: float) -> None:
    """Add to the weight of a reading."""
    if weight > 0:
        out[gap] = out.get(gap, 0.0) + weight


def vote(out: Options, text: bytes, weight: float) -> None:
    """Count a gap as wide as `text`."""
    add(out, SINGLE if text == b" " else Gap(text), weight)


def render(words: Sequence[bytes], indent: bytes, gaps: Sequence[Gap]) -> bytes:
    """The line these gaps give after `indent`."""
    out = [indent, words[0]]
    start = width(indent)
    for word, gap in zip(words[1:], gaps, strict=True):
        fixed = gap.column < 0 and gap.beyond < 0
        out += (gap.text if fixed else gap.render(width(b"".join(out)), start), word)
    return b"".join(out)


def combinations(choices: Sequence[Options]) -> list[tuple[float, tuple[Gap, ...]]]:
    """The likeliest combinations of the gaps' readings with their probability, best first."""
    best: list[tuple[float, tuple[Gap, ...]]] = [(1.0, ())]
    for readings in choices:
        total = sum(readings.values())
        if len(readings) == 1:
            (gap,) = readings
            best = [(weight, (*gaps, gap)) for weight, gaps in best]
            continue
        ranked = sorted(readings.items(), key=lambda item: -item[1])
        top = list(islice(((gap, weight / total) for gap, weight in ranked), _MAX_OPTIONS))
        least = min(_LEAST, best[0][0] * top[0][1])
        best = [(p * q, (*gaps, gap)) for p, gaps in best for gap, q in top if p * q >= least]
        best.sort(key=lambda item: -item[0])
        del best[_MAX_COMBINATIONS:]
    return best


def mark_width(words: Sequence[bytes]) -> int:
    """How wide a list item's mark is with its blank (`2) `), 0 where `words` do not begin with one."""
    return len(words[0]) + 1 if words and _MARK.match(words[0]) else 0
