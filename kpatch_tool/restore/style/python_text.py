"""How far a line of Python is indented: from the blocks, brackets and strings that are open above it.

The Python Language Reference, 2.1 (Line structure); what authors do was counted in the 144 files of Linux 6.1.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from kpatch_tool.restore.style.cstate import by_tabs, indent_of, pad, width
from kpatch_tool.restore.style.weights import Readings, add

_TOKEN = re.compile(
    rb"""[rRbBfFuU]{0,2}(?:\"{3}|'{3})|[rRbBfFuU]{0,2}(?:"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*')|#.*|[()\[\]{}]"""
)
_STRING = {b'"""': re.compile(rb'(?:\\.|[^\\])*?"""', re.DOTALL), b"'''": re.compile(rb"(?:\\.|[^\\])*?'''", re.DOTALL)}
_CLOSE = {b")": b"(", b"]": b"[", b"}": b"{"}
_BRACKETS = frozenset({*_CLOSE, *_CLOSE.values()})
_LEAVES = re.compile(rb"(?:return|break|continue|raise|pass)\b|(?:sys\.)?exit\(")
_BEGINS = re.compile(rb"(?:def|class|async def)\b|@\w")
_DEFINES = frozenset({b"def", b"class", b"async"})
_GOES_ON = re.compile(rb"(else|elif|except|finally)\b")
_MAY_GO_ON = {
    b"else": frozenset({b"if", b"elif", b"for", b"while", b"except"}),
    b"elif": frozenset({b"if", b"elif"}),
    b"except": frozenset({b"try", b"except"}),
    b"finally": frozenset({b"try", b"except", b"else"}),
}
_FIRST_WORD = re.compile(rb"\w+")
_BLANKS = b" " * 4
_MOST_LEVELS = 8
_LONGEST = 1_000  # bytes of a line that are looked at
_UNKNOWN = 0.02  # what is left for anything else
# How often a block ends before a statement that nothing tells the place of: a function or class; another block by how
# many statements it has (one, more); one around another that ended; each without and with an empty line before it.
_ENDS = {"definition": (0.001, 0.03), "one": (0.36, 0.9), "more": (0.16, 0.6), "around": (0.33, 0.6)}
_LEFT = 0.99  # the same of the innermost one after return and the like
_INNERMOST = 0.86  # the share of else and its like that belong to the innermost block there is for it
_TOPMOST = 0.9  # the share of statements below two empty lines that no block is around
_AS_COMMENT = 0.97  # of statements, and lines of comments, that stand as the comment above


@dataclass(frozen=True, slots=True)
class _Tokens:
    """What a line has outside of strings: its brackets, each with the column behind it (-1 where it ends the line), the
    quotes of a string that it leaves open; whether it ends in a colon, and in a backslash."""

    brackets: tuple[tuple[bytes, int], ...]
    quotes: bytes = b""
    opens: bool = False
    goes_on: bool = False


@dataclass(slots=True)
class _Bracket:
    """An open bracket: the indentation of its line, the column behind it (-1 where it ends its line), and the
    indentation of the first line inside."""

    char: bytes
    start: bytes
    column: int
    inner: bytes | None = None


@dataclass(slots=True)
class _Block:
    """An open block: the indentation of its statements, the word that opened it (b"" where it began above the lines at
    hand), and how many statements it has."""

    start: bytes
    word: bytes
    statements: int = 0


@dataclass(slots=True)
class _Open:
    """What is open below some lines."""

    blocks: list[_Block] = field(default_factory=list)  # from the outside in
    brackets: list[_Bracket] = field(default_factory=list)  # from the outside in
    quotes: bytes = b""  # of a string; b"" for none
    quoted: bytes = b""  # the indentation of the line it begins in
    statement: bytes | None = None  # the indentation of the statement under way,
    continued: bytes | None = None  # and of the line that first continues it
    word: bytes = b""  # the first one of the last statement
    opens: bool = False  # the last statement opens a block
    decorated: bool = False  # it is a decorator
    leaves: bool = False  # the last statement leaves its block
    comment: bytes | None = None  # indentation of the comment right above
    last: bytes = b""
    blank: int = 0  # empty lines right above
    tabs: bool = False  # lines are indented by tabs
    steps: Counter[bytes] = field(default_factory=Counter)

    @property
    def unit(self) -> bytes:
        """One level of indentation, as the blocks above have it."""
        most = self.steps.most_common(1)
        return most[0][0] if most else b"\t" if self.tabs else _BLANKS

    def around(self) -> list[_Block]:
        """The blocks from the inside out, with those that began above the lines at hand, of which nothing is known but
        where they stand."""
        out = self.blocks[::-1] or [_Block(b"", b"")]
        while out[-1].start.endswith(self.unit) and len(out) < _MOST_LEVELS:
            out.append(_Block(out[-1].start.removesuffix(self.unit), b""))
        return out


def expected(above: Sequence[bytes], text: bytes) -> Readings:
    """The indentations `text` may have below the lines `above`, with weights of at most one in sum; {} where they tell
    nothing."""
    now = _Open(tabs=by_tabs(above))
    # The lines above may begin inside of a string; those of a definition hardly ever are.
    first = next((number for number, line in enumerate(above) if _BEGINS.match(line.lstrip())), 0)
    for line in above[first:]:
        _take(now, line)
    if now.quotes:
        return _in_string(now, text)
    if now.brackets:
        return _in_brackets(now, text)
    if now.statement is not None:
        return _continued(now)
    return _statement(now, text) if above else {}


def _take(now: _Open, line: bytes) -> None:
    stripped, start = line.strip(), indent_of(line)
    now.blank = 0 if stripped else now.blank + 1
    if not stripped:
        now.comment = None
        return
    if not now.quotes:
        if now.statement is None:
            if stripped.startswith(b"#"):
                now.comment = now.last = start
                return
            _begin(now, stripped, start)
        elif now.brackets and now.brackets[-1].inner is None and stripped[:1] not in _CLOSE:
            now.brackets[-1].inner = start
        elif not now.brackets and now.continued is None:
            now.continued = start
    now.comment, now.last = None, start
    _scan(now, line, start)


def _begin(now: _Open, text: bytes, start: bytes) -> None:
    """A statement begins."""
    if now.opens and (not now.blocks or width(start) > width(now.blocks[-1].start)):
        above = now.blocks[-1].start if now.blocks else b""
        if start.startswith(above):
            now.steps[start[len(above) :]] += 1
        now.blocks.append(_Block(start, now.word))
    else:
        while now.blocks and width(now.blocks[-1].start) > width(start):
            now.blocks.pop()
        if not now.blocks:
            now.blocks.append(_Block(start, b""))
    now.blocks[-1].statements += 1
    word = _FIRST_WORD.match(text)
    now.word = word[0] if word else b""
    now.decorated = text.startswith(b"@")
    now.leaves = bool(_LEAVES.match(text))
    now.statement, now.continued = start, None


def _scan(now: _Open, line: bytes, start: bytes) -> None:
    """Follow strings and brackets through a line of a statement."""
    at = 0
    if now.quotes:
        end = _STRING[now.quotes].match(line)
        if end is None:
            return
        now.quotes, at = b"", end.end()
    found = _tokens(line[:_LONGEST], at)
    for char, column in found.brackets:
        if char not in _CLOSE:
            now.brackets.append(_Bracket(char, start, column))
        elif now.brackets and now.brackets[-1].char == _CLOSE[char]:
            now.brackets.pop()
    if found.quotes:
        now.quotes, now.quoted = found.quotes, start
    elif not now.brackets and not found.goes_on:
        now.opens, now.statement = found.opens, None


@lru_cache(maxsize=8192)
def _tokens(line: bytes, at: int) -> _Tokens:
    """What a line has from byte `at` on, where no string is open."""
    brackets: list[tuple[bytes, int]] = []
    code = b""
    while found := _TOKEN.search(line, at):
        token = found[0]
        code += line[at : found.start()] + token[:1].replace(b"#", b"")
        at = found.end()
        if token.startswith(b"#"):
            at = len(line)
        elif token[-3:] in _STRING:
            end = _STRING[token[-3:]].match(line, at)
            if end is None:
                return _Tokens(tuple(brackets), quotes=token[-3:])
            at = end.end()
        elif token in _BRACKETS:
            behind = line[at:].strip()
            brackets.append((token, width(line[:at]) if behind and not behind.startswith(b"#") else -1))
    code = (code + line[at:]).rstrip()
    return _Tokens(tuple(brackets), opens=code.endswith(b":"), goes_on=code.endswith(b"\\"))


def _in_string(now: _Open, text: bytes) -> Readings:
    if text.startswith(now.quotes):
        return {now.quoted: 0.95}
    return {now.last: 0.5, now.quoted: 0.3} if now.blank and now.last != now.quoted else {now.last: 0.85}


def _in_brackets(now: _Open, text: bytes) -> Readings:
    bracket = now.brackets[-1]
    out: Readings = {}
    if text[:1] in _CLOSE:
        add(out, bracket.start, 0.8)
        add(out, bracket.inner if bracket.inner is not None else now.last, 0.12)
    elif bracket.inner is not None:
        add(out, bracket.inner, 0.94)
    else:
        behind = bracket.column >= 0
        for tabs in (True, False) if behind else ():
            aligned = pad(bracket.column) if tabs else b" " * bracket.column
            add(out, aligned, 0.72 if tabs is now.tabs else 0.08)
        add(out, bracket.start + now.unit, 0.1 if behind else 0.85)
        add(out, bracket.start + now.unit * 2, 0.04 if behind else 0.08)
    return out


def _continued(now: _Open) -> Readings:
    assert now.statement is not None
    if now.continued is not None:
        return {now.last: 0.92}
    return {now.statement + now.unit: 0.6, now.statement + now.unit * 2: 0.12}


def _statement(now: _Open, text: bytes) -> Readings:
    out: Readings = {}
    if now.comment is not None:
        return {now.comment: _AS_COMMENT}
    if now.opens:
        start = now.blocks[-1].start if now.blocks else b""
        if now.steps:
            return {start + now.unit: 1.0 - _UNKNOWN}
        return {start + _BLANKS: 0.62, start + b"\t": 0.3, start + b"  ": 0.06}
    if (word := _GOES_ON.match(text)) and (fitting := _fitting(now, word[1])):
        add(out, fitting[0], _INNERMOST)
        for start in fitting[1:3]:
            add(out, start, (1.0 - _INNERMOST) / 2)
        return out
    if now.blank > 1 or text.startswith(b"if __name__"):
        return {b"": _TOPMOST}
    return _definition(now) if _BEGINS.match(text) else _below(now)


def _below(now: _Open) -> Readings:
    """Where a statement stands that nothing tells the place of: in the innermost block, or behind blocks that end."""
    out: Readings = {}
    share, ends = 1.0 - _UNKNOWN, _LEFT
    for number, block in enumerate(now.around()):
        if number or not now.leaves:
            kind = "around" if number else "one" if block.statements == 1 else "more"
            ends = _ENDS["definition" if block.word in _DEFINES else kind][now.blank > 0] if block.start else 0.0
        add(out, block.start, share * (1.0 - ends))
        share *= ends
    return out


def _fitting(now: _Open, word: bytes) -> list[bytes]:
    """The indentations of the statements that `else` and its like may go on with, from the inside out."""
    out = [now.blocks[-1].start] if now.word in _MAY_GO_ON[word] and now.blocks else []  # `if a: b`, in one line
    for block, outer in zip(now.around(), now.around()[1:], strict=False):
        if block.word in _MAY_GO_ON[word]:
            out.append(outer.start)
    return out


def _definition(now: _Open) -> Readings:
    """Where a function or class begins: in the innermost class, or at the top."""
    if now.decorated:
        return {now.around()[0].start: 1.0 - _UNKNOWN}
    around = now.around()[now.leaves :]  # what is left is no class
    out: Readings = {}
    classes = (block.start for block in around if block.word == b"class" or (block.start and not block.word))
    inner = next(classes, None)
    if inner is not None:
        add(out, inner, 0.8)
        add(out, b"", 0.16)
    else:
        add(out, b"", 0.9)
        add(out, now.around()[0].start, 0.07)
    return out
