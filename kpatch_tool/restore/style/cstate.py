"""Follows the structure of C text line by line, as far as indentation depends on it.

A `State` says what is open before a line: brackets, a comment, a statement under way, `if` without braces, a macro.
The reader is tolerant: it never fails, and text that is not C only makes it less useful.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

_DEEPEST = 100  # open brackets that are followed
TAB = 8  # the kernel's Documentation/process/coding-style.rst, chapter 1

_TOKEN = re.compile(
    rb"""/\*|//|"(?:\\.|[^"\\])*"?|'(?:\\.|[^'\\])*'?|[A-Za-z_]\w*|[0-9][\w.]*|[(){}\[\];:,?]|[^\s\w(){}\[\];:,?"'/]+|/"""
)
_CONTROL = re.compile(
    rb"^(if|for|while|switch|[a-z_0-9]*for_each\w*|[a-z_]*for_each_\w+|__?if\w*|scoped_(?:cond_)?guard)$"
)
_LABEL = re.compile(rb"^[A-Za-z_]\w*\s*:$")
_CASE = re.compile(rb"^(case\b.*|default\s*):")
_COLONS = frozenset({b":", b"::"})  # what the operands of inline assembly begin with
_COMMENTS = frozenset({b"//", b"/*"})
_RELATIONS = frozenset({b"<", b">", b"<=", b">=", b"==", b"!=", b"=", b"?", b"&&", b"||", b"|=", b"+="})
_DIRECTIVE = re.compile(
    rb"#\s*(define|undef|if|ifdef|ifndef|el\w+|endif|include|error|warning|pragma|line|import)\b|#$"
)
_LIST_BEFORE = frozenset({b"=", b"(", b",", b"enum", b"{", b")"})


def width(text: bytes, start: int = 0) -> int:
    """The column after `text` that begins at column `start`, tabs being 8 wide."""
    if b"\t" not in text:  # nearly every text
        return start + len(text)
    *before_tabs, last = text.split(b"\t")
    column = start
    for part in before_tabs:
        column = (column + len(part)) // TAB * TAB + TAB
    return column + len(last)


def indent_of(line: bytes) -> bytes:
    """The white space a line begins with."""
    return line[: len(line) - len(line.lstrip(b" \t"))]


def by_tabs(lines: Iterable[bytes]) -> bool:
    """Whether any of the lines is indented by a tab."""
    return any(line.startswith(b"\t") for line in lines)


def pad(column: int) -> bytes:
    """Indentation to `column` in the kernel's way: tabs, then blanks."""
    return b"\t" * (column // TAB) + b" " * (column % TAB)


def is_directive(text: bytes) -> bool:
    """Whether a line (without leading blanks) is one of the preprocessor's; `#clock-cells` of a device tree is not."""
    return bool(_DIRECTIVE.match(text))


class Open(NamedTuple):
    """An open bracket. `indent` is the indentation of the line its statement begins on, `column` that of the text
    after it (-1 where it ends its line), `inner` the indentation of the first line inside it."""

    char: bytes
    indent: bytes
    column: int
    inner: bytes | None = None
    is_list: bool = False
    case: bytes | None = None
    operand: int = -1  # column after the last comparison, assignment or colon at the beginning of a line inside it


class Comment(NamedTuple):
    """An open comment: the column of its `/*`, the indentation and gap after the star of its last line.

    `about` says what its text is about, in a kernel-doc comment: "begin" after the opening line, "title" and "param"
    where the name or a parameter is described, "" elsewhere.
    """

    column: int
    last: bytes | None
    gap: bytes | None
    first_gap: bytes | None
    about: str = ""


class Outer(NamedTuple):
    """What is kept while inside a macro or a conditional."""

    stack: tuple[Open, ...]
    statement: bytes | None
    controls: tuple[bytes, ...]
    sibling: bytes | None


class State(NamedTuple):
    """What is open before a line."""

    stack: tuple[Open, ...] = ()
    statement: bytes | None = None  # indentation of the statement under way
    controls: tuple[bytes, ...] = ()  # indentations of the if, for, else whose body comes next
    ended: tuple[bytes, ...] = ()  # indentations of the controls of the statement that just ended
    sibling: bytes | None = None  # indentation of the last statement on this level
    continuation: bytes | None = None  # indentation of the last continuation line of this statement
    assign: int = -1  # column after the statement's `=` or `return`
    comment: Comment | None = None
    macro: Outer | None = None
    conditionals: tuple[Outer, ...] = ()
    last: bytes = b""  # the last token of code
    head: bytes = b""  # the first word of the statement under way
    directive: bool = False  # a preprocessor line goes on

    @property
    def parens(self) -> int:
        """How many ( and [ are open within the innermost brace."""
        count = 0
        for entry in reversed(self.stack):
            if entry.char == b"{":
                break
            count += 1
        return count

    @property
    def listed(self) -> int:
        """The column of the text after the brace of a list that is open with text behind it, -1 where none is."""
        return self.stack[-1].column if self.stack and self.stack[-1].char == b"{" else -1

    def outer(self) -> Outer:
        return Outer(self.stack, self.statement, self.controls, self.sibling)


def step(state: State, line: bytes) -> State:
    """The state after `line`."""
    stripped = line.strip(b" \t\r")
    if not stripped:
        return _resumed(state, state.macro)._replace(macro=None) if state.macro else state
    indent = indent_of(line)
    if state.comment:
        return _in_comment(state, line, stripped, indent)
    if is_directive(stripped) and not state.macro:
        return _directive(state, stripped)
    if state.directive:
        goes_on = stripped.endswith(b"\\")
        return state._replace(directive=goes_on, continuation=indent if goes_on else None)
    goes_on = stripped.endswith(b"\\")
    after = _code(state, line[: line.rindex(b"\\")].rstrip() if goes_on else line, indent)
    if state.macro and not goes_on:
        return _resumed(after, state.macro)._replace(macro=None)
    return after


def _resumed(state: State, outer: Outer) -> State:
    """`state` with what was kept in `outer`."""
    return state._replace(
        stack=outer.stack,
        statement=outer.statement,
        controls=outer.controls,
        sibling=outer.sibling,
        continuation=None,
    )


def _in_comment(state: State, line: bytes, stripped: bytes, indent: bytes) -> State:
    comment = state.comment
    assert comment is not None
    end = line.find(b"*/")
    if end >= 0:
        after = state._replace(comment=None)
        rest = line[end + 2 :]
        return _code(after, b" " * width(line[: end + 2]) + rest, indent) if rest.strip(b" \t\r\\") else after
    gap = comment.gap
    if stripped.startswith(b"*") and len(stripped) > 1:
        gap = indent_of(stripped[1:])
    first, about = comment.first_gap or gap, _about(comment, stripped)
    return state._replace(comment=comment._replace(last=indent, gap=gap, first_gap=first, about=about))


def _about(comment: Comment, stripped: bytes) -> str:
    """What the text of a comment is about after this line."""
    text = stripped[1:].lstrip() if stripped.startswith(b"*") else stripped
    if not text:
        return ""
    if text.startswith(b"@"):
        return "param"
    if comment.about == "begin":
        return "title" if b" - " in text else ""
    return comment.about


def _directive(state: State, stripped: bytes) -> State:
    word = stripped[1:].lstrip()
    goes_on = stripped.endswith(b"\\")
    conditionals = state.conditionals
    if word.startswith(b"if"):
        return state._replace(conditionals=(*conditionals, state.outer()), directive=goes_on, continuation=None)
    if word.startswith(b"el") and conditionals:
        return _resumed(state, conditionals[-1])._replace(directive=goes_on, continuation=None)
    if word.startswith(b"endif") and conditionals:
        return state._replace(conditionals=conditionals[:-1], directive=goes_on)
    if word.startswith(b"define") and goes_on:
        inside = State(macro=state.outer(), conditionals=conditionals)
        # The value may open brackets on the first line: `#define X do { \`.
        parts = re.match(rb"define\s+\w+(\([^)]*\))?", word)
        head = stripped[: len(stripped) - len(word) + parts.end()] if parts else stripped
        rest = b" " * width(head) + word[parts.end() : -1] if parts else b""
        after = _code(inside, rest, b"") if rest.strip() else inside
        return after if after.sibling or after.stack else after._replace(statement=None, sibling=None)
    if b"/*" in word and b"*/" not in word:
        column = width(stripped[: stripped.index(b"/*")])
        return state._replace(comment=Comment(column, None, None, None))
    return state._replace(directive=goes_on)


class _Run:
    """The state while the tokens of one line are read."""

    __slots__ = (
        "assign",
        "comment",
        "controls",
        "ended",
        "head",
        "indent",
        "last",
        "low",
        "sibling",
        "stack",
        "statement",
    )

    def __init__(self, state: State, indent: bytes) -> None:
        self.stack = list(state.stack)
        self.statement = state.statement
        self.controls = list(state.controls)
        self.ended = state.ended
        self.sibling = state.sibling
        self.assign = state.assign
        self.last = state.last
        self.head = state.head
        self.indent = indent
        self.comment: Comment | None = None
        self.low = len(self.stack)  # the fewest brackets open at any place in the line

    def in_parens(self) -> bool:
        return bool(self.stack) and self.stack[-1].char != b"{"

    def _begin(self, word: bytes) -> None:
        """A token of code begins a statement where none is under way."""
        if self.statement is None:
            self.statement = self.indent
            self.head = word
            self.assign = -1
            self.ended = ()

    def end(self) -> None:
        """The statement is over."""
        if self.statement is not None and not self.in_parens():
            self.sibling = self.controls[0] if self.controls else self.statement
        self.ended = tuple(self.controls)
        self.controls = []
        self.statement = None
        self.assign = -1

    def _control(self) -> None:
        """The head of an if, for, else or do is over: its body follows."""
        self.controls.append(self.statement if self.statement is not None else self.indent)
        self.statement = None
        self.assign = -1

    def _open_paren(self, token: bytes, column: int, rest: bytes) -> None:
        self._begin(token)
        text = rest.lstrip(b" \t")
        blank = not text.strip(b" \t\r")
        if len(self.stack) >= _DEEPEST:
            return
        self.stack.append(Open(token, self.statement or b"", -1 if blank else column + len(rest) - len(text)))
        self.last = token

    def _close_paren(self, token: bytes, _column: int, rest: bytes) -> None:
        self.last = token
        if not self.in_parens():
            return
        self.stack.pop()
        self.low = min(self.low, len(self.stack))
        is_head = token == b")" and not self.in_parens() and self.statement is not None
        if is_head and _CONTROL.match(self.head) and not rest.lstrip().startswith(b";"):
            self._control()

    def _open_brace(self, token: bytes, column: int, rest: bytes) -> None:
        if len(self.stack) >= _DEEPEST:
            return
        is_list = self.last in _LIST_BEFORE or self.head == b"enum"
        if self.last == b")" and self.assign < 0 and not self.in_parens():
            is_list = False
        if self.statement is None and self.controls:
            indent = self.controls[-1]
        else:
            indent = self.statement if self.statement is not None else self.indent
        text = rest.lstrip(b" \t")
        follows = is_list and text.strip(b" \t\r\\") and not text.startswith((b"/*", b"//"))
        self.stack.append(Open(b"{", indent, column + len(rest) - len(text) if follows else -1, None, is_list))
        self.statement, self.controls, self.assign, self.sibling = None, [], -1, None
        self.last = token

    def _close_brace(self, token: bytes, _column: int, _rest: bytes) -> None:
        while self.in_parens():
            self.stack.pop()
        if self.stack:
            entry = self.stack.pop()
            self.statement, self.controls, self.head = entry.indent, [], b"}"
        self.low = min(self.low, len(self.stack))
        self.assign = -1
        self.last = token

    def _semicolon(self, token: bytes, _column: int, _rest: bytes) -> None:
        if not self.in_parens():
            self._begin(token)
            self.end()
        self.last = token

    def _comma(self, token: bytes, _column: int, _rest: bytes) -> None:
        self.plain(token)
        if self.stack and self.stack[-1].is_list:
            self.end()

    def _else(self, token: bytes, _column: int, _rest: bytes) -> None:
        self._begin(token)
        self._control()
        self.last = token

    def plain(self, token: bytes) -> None:
        """A token of which nothing more is to be known."""
        if self.statement is None:
            self._begin(token)
        self.last = token

    def _tells(self, token: bytes, column: int, _rest: bytes) -> None:
        """A token that the lines below may be aligned with."""
        self.plain(token)
        if token == b"return" or (token == b"=" and self.assign < 0 and not self.in_parens()):
            self.assign = column + 1
        begins = token in _COLONS and column == width(self.indent) + len(token)
        if (token in _RELATIONS or begins) and self.in_parens():
            entry = self.stack[-1]
            self.stack[-1] = Open(
                entry.char, entry.indent, entry.column, entry.inner, entry.is_list, entry.case, column + 1
            )

    def close_line(self, stripped: bytes, first: bool) -> bool:
        """Decide whether the statement under way ends with its line; True for a label."""
        if self.in_parens() or self.statement is None:
            return False
        if first and self.last == b":" and _CASE.match(stripped):
            self.sibling = self.statement + b"\t"
            self.statement, self.controls = None, []
            return True
        if first and _LABEL.match(stripped):
            self.statement = None
            return True
        # A function's head, or a macro used as a statement, has no semicolon.
        is_macro = self.head.isupper() or stripped.startswith(b"__")
        if self.last == b"}" or (self.last == b")" and (not self.stack or (is_macro and not self.controls))):
            self.end()
        return False

    def onto(self, state: State) -> State:
        """`state` with what was read of the line so far."""
        return self.over(state, state.continuation, state.comment, directive=state.directive)

    def over(self, state: State, continuation: bytes | None, comment: Comment | None, *, directive: bool) -> State:
        """`state` with what was read of the line; written out, as this is done for every line of every reading."""
        return State(
            tuple(self.stack),
            self.statement,
            tuple(self.controls),
            self.ended,
            self.sibling,
            continuation,
            self.assign,
            comment,
            state.macro,
            state.conditionals,
            self.last,
            self.head,
            directive,
        )


# What reads a token of code, given the column where it ends and the text after it; `_Run.plain` reads any other.
_HANDLERS = {
    **dict.fromkeys((b"return", *_COLONS, *_RELATIONS), _Run._tells),
    b"(": _Run._open_paren,
    b"[": _Run._open_paren,
    b")": _Run._close_paren,
    b"]": _Run._close_paren,
    b"{": _Run._open_brace,
    b"}": _Run._close_brace,
    b";": _Run._semicolon,
    b",": _Run._comma,
    b"else": _Run._else,
    b"do": _Run._else,
}


def _code(state: State, line: bytes, indent: bytes) -> State:
    """The state after a line of code."""
    run = _Run(state, indent)
    lead = len(indent_of(line))
    shift = width(line[:lead]) - lead if line.find(b"\t", lead) < 0 else -1
    for match in _TOKEN.finditer(line, lead):
        token = match[0]
        read = _HANDLERS.get(token)
        if read is None and token not in _COMMENTS:
            run.plain(token)
            continue
        at = match.end()
        column = at + shift if shift >= 0 else width(line[:at])
        if read is not None:
            read(run, token, column, line[at:])
            continue
        if token == b"//":
            break
        tail = line[at:]
        end = tail.find(b"*/")
        if end < 0:
            gap = indent_of(tail) if tail.strip(b" \t\r*") else None
            about = "begin" if tail.strip(b" \t\r") == b"*" else ""
            run.comment = Comment(column - len(token), None, gap, None, about)
            break
        rest = tail[end + 2 :]
        if rest.strip(b" \t\r"):
            return _code(run.onto(state), b" " * width(tail[: end + 2], column) + rest, indent)
        break
    return _line_over(state, run, line.strip(b" \t\r"), indent)


def _line_over(state: State, run: _Run, stripped: bytes, indent: bytes) -> State:
    first = state.statement is None
    label = run.close_line(stripped, first)
    if run.stack and not label and len(run.stack) <= run.low and run.stack[-1].inner is None:
        entry = run.stack[-1]
        run.stack[-1] = Open(entry.char, entry.indent, entry.column, indent, entry.is_list, entry.case, entry.operand)
    if label and run.stack and _CASE.match(stripped):
        run.stack[-1] = run.stack[-1]._replace(case=indent)
    goes_on = run.statement is not None or run.in_parens()
    continuation = indent if goes_on and not first else None
    return run.over(state, continuation, run.comment, directive=False)
