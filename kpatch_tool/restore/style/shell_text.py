"""How far a line of a shell script is indented: from the blocks, brackets and strings that are open above it.

The Open Group Base Specifications, 2 (Shell Command Language); what authors do was counted in the 772
scripts of Linux 6.1.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from kpatch_tool.restore.style.cstate import indent_of
from kpatch_tool.restore.style.weights import Readings

_TOKEN = re.compile(
    rb"""\\.|'[^']*'|"(?:\\.|[^"\\])*"|['"]|(?<![^\s;])\#.*|\$\{[^{}]*\}|\$[#?!*@$0-9-]"""
    rb"""|<<(-?)\s*\\?["']?(\w+)["']?|;;&?|;&|&&|\|\||[;&|(){}]|[^\s;&|(){}<>'"\\$]+|\S""",
    re.DOTALL,
)
_STRING = {b"'": re.compile(rb"[^']*'"), b'"': re.compile(rb'(?:\\.|[^"\\])*"', re.DOTALL)}
_OPENS = {b"if": b"fi", b"for": b"done", b"while": b"done", b"until": b"done", b"select": b"done", b"case": b"esac"}
_BRACKETS = {b"(": b")", b"{": b"}"}
_ENDS = frozenset({*_OPENS.values(), *_BRACKETS.values()})
_INSIDE = {b"then": b"fi", b"else": b"fi", b"elif": b"fi", b"do": b"done"}  # words that stand as deep as the block
_BEFORE_COMMAND = frozenset(b"; ;; & && | || ! ( { if while until then do else elif".split())
_ANYWHERE = frozenset(b"( ) ;;".split())  # what counts wherever it stands
_GOES_ON = frozenset({b"|", b"&&", b"||"})
_ITEM = b";;"  # what ends an item of `case`
_FIRST_WORD = re.compile(rb"[\w]+|[})]|;;")
_LONGEST = 1_000  # bytes of a line that are looked at
_STEPS = ((b"\t", 0.86), (b" " * 4, 0.07), (b" " * 2, 0.03), (b" " * 8, 0.01))  # of the first block
_SURE = 0.985  # of what closes a block, and of the second statement of one
_AS_DEEP = 0.96  # of the other blocks, which are as deep as those above
_AS_COMMENT = 0.99  # of statements below a comment
_PATTERNS = (0.6, 0.36)  # of the patterns of `case`: as it, one level deeper
_ENDS_ITEM = (0.88, 0.06)  # of `;;`: as the commands, as the pattern
_CONTINUED = 0.9  # of the second and later lines that go on with a statement: as the one above
_FIRST_CONTINUED = ((1, 0.68), (0, 0.05), (2, 0.02))  # of the first: so many levels deeper


@dataclass(slots=True)
class _Block:
    """An open block: what ends it, the indentation of the statement that began it, and that of what is inside."""

    end: bytes
    start: bytes
    inner: bytes | None = None


@dataclass(frozen=True, slots=True)
class _Words:
    """What a line has outside of strings: the words that open or end something, the quote of a string it leaves open,
    the word that ends a document that begins below, and whether tabs may stand before that; whether it goes on."""

    told: tuple[bytes, ...]
    quote: bytes = b""
    document: bytes | None = None
    tabs: bool = False
    goes_on: bool = False


@dataclass(slots=True)
class _Open:
    """What is open below some lines."""

    blocks: list[_Block] = field(default_factory=list)  # from the outside in
    quote: bytes = b""  # of a string; b"" for none
    document: bytes | None = None  # the word that ends a document in the text,
    tabs: bool = False  # and whether tabs may stand before it
    goes_on: bool = False  # the statement does
    statement: bytes = b""  # the indentation it began with,
    continued: bytes | None = None  # and that of the line that first continues it
    comment: bytes | None = None
    last: bytes = b""
    steps: Counter[bytes] = field(default_factory=Counter)

    @property
    def unit(self) -> bytes:
        """One level of indentation, as the blocks above have it."""
        most = self.steps.most_common(1)
        return most[0][0] if most else _STEPS[0][0]

    def opened(self, end: bytes) -> _Block | None:
        """The innermost block that ends so."""
        return next((block for block in reversed(self.blocks) if block.end == end), None)


def expected(above: Sequence[bytes], text: bytes) -> Readings:
    """The indentations `text` may have below the lines `above`, with weights of at most one in sum; {} where they tell
    nothing."""
    now = _Open()
    for line in above:
        _take(now, line)
    if now.document is not None:
        return {now.statement if now.tabs else b"": 0.9} if text == now.document else {}
    if now.quote:
        return {}
    if now.goes_on:
        return _continued(now)
    return _statement(now, text)


def _take(now: _Open, line: bytes) -> None:
    stripped, start = line.strip(), indent_of(line)
    if now.document is not None:
        if (stripped if now.tabs else line) == now.document:
            now.document = None
        return
    if not stripped:
        now.comment = None
        return
    if not now.quote:
        if stripped.startswith(b"#"):
            now.comment = start
            return
        if not now.goes_on:
            _begin(now, stripped, start)
        elif now.continued is None:
            now.continued = start
    now.comment, now.last = None, start
    _scan(now, line)


def _begin(now: _Open, text: bytes, start: bytes) -> None:
    """A statement begins."""
    now.statement, now.continued = start, None
    word = _FIRST_WORD.match(text)
    inside = word is None or (word[0] not in _ENDS and word[0] not in _INSIDE)
    block = now.blocks[-1] if now.blocks else None
    if block is not None and block.inner is None and inside:
        block.inner = start
        if block.end != b"esac" and start.startswith(block.start) and len(start) > len(block.start):
            now.steps[start[len(block.start) :]] += 1


def _scan(now: _Open, line: bytes) -> None:
    """Follow strings, words and brackets through a line."""
    command = not now.goes_on
    now.goes_on = False
    if now.quote:
        end = _STRING[now.quote].match(line)
        if end is None:
            return
        now.quote, line, command = b"", line[end.end() :], False
    found = _words(line[:_LONGEST], command)
    for token in found.told:
        _word(now, token)
    now.quote, now.goes_on = found.quote, found.goes_on
    if found.document is not None:
        now.document, now.tabs = found.document, found.tabs


@lru_cache(maxsize=8192)
def _words(line: bytes, command: bool) -> _Words:
    """The words of a line that open or end something; with `command` it begins with a command."""
    told: list[bytes] = []
    document, tabs, last = None, False, b""
    for found in _TOKEN.finditer(line):
        token = found[0]
        if token.startswith(b"#") and token != b"#":
            break
        if token in _STRING:
            return _Words(tuple(told), quote=token, document=document, tabs=tabs)
        if found[2]:
            document, tabs = found[2], bool(found[1])
        if token in _ANYWHERE or (command and (token in _OPENS or token in _ENDS or token == b"{")):
            told.append(token)
        command, last = token in _BEFORE_COMMAND, token
    return _Words(tuple(told), b"", document, tabs, goes_on=last in _GOES_ON or line.endswith(b"\\"))


def _word(now: _Open, token: bytes) -> None:
    """A word or a bracket that opens or ends something."""
    innermost = now.blocks[-1].end if now.blocks else b""
    if end := _OPENS.get(token) or _BRACKETS.get(token):
        now.blocks.append(_Block(end, now.statement))
    elif token == b")" and innermost == b"esac":
        now.blocks.append(_Block(_ITEM, now.statement))
    else:
        _end(now, token)


def _end(now: _Open, token: bytes) -> None:
    """The innermost block that ends so is over, with all inside it."""
    for at in range(len(now.blocks) - 1, -1, -1):
        if now.blocks[at].end == token:
            del now.blocks[at:]
            return


def _continued(now: _Open) -> Readings:
    if now.continued is not None:
        return {now.last: _CONTINUED}
    return {now.statement + now.unit * levels: share for levels, share in _FIRST_CONTINUED}


def _statement(now: _Open, text: bytes) -> Readings:
    word = _FIRST_WORD.match(text)
    first = word[0] if word else b""
    block = now.blocks[-1] if now.blocks else None
    if first in _ENDS or first in _INSIDE:
        closed = now.opened(_INSIDE.get(first, first))
        return {closed.start: _SURE} if closed else {}
    if now.comment is not None:
        return {now.comment: _AS_COMMENT}
    return _inside(now, block, first) if block else {}


def _inside(now: _Open, block: _Block, first: bytes) -> Readings:
    """Where a command stands that begins with the word `first` in that block."""
    if block.inner is not None and first == _ITEM == block.end:
        return dict(zip((block.inner, block.start), _ENDS_ITEM, strict=True)) if block.inner != block.start else {}
    if block.inner is not None:
        return {block.inner: _SURE}
    deeper = block.start + now.unit
    if block.end == b"esac":
        return dict(zip((block.start, deeper), _PATTERNS, strict=True))
    return {deeper: _AS_DEEP} if now.steps else {block.start + step: share for step, share in _STEPS}
