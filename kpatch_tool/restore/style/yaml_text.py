"""How far a line of YAML is indented: from the keys, lists and blocks of text that are open above it.

YAML 1.2.2, chapters 6 to 8; the habits are those of device tree schemas (Documentation/devicetree/bindings/
writing-schema.rst and example-schema.yaml): two blanks a level, four in the examples' device trees.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from kpatch_tool.restore.style import braces
from kpatch_tool.restore.style.braces import Columns
from kpatch_tool.restore.style.cstate import indent_of, width
from kpatch_tool.restore.style.weights import add, shares

YAML = (".yaml", ".yml")  # how the names of such files end
_KEY = re.compile(rb"(\"[^\"]*\"|'[^']*'|[^\s#'\"\-{\[][^\s:]*|[#\-][^\s:]+)\s?:(?:\s+(.*))?$")
_BLOCK = re.compile(rb"[|>][-+\d]*$")
_COMMENT = re.compile(rb"(?:^|\s)#.*")
# What describes a property, against the names of properties.
_WORDS = frozenset(
    b"additionalItems additionalProperties allOf anyOf const contains default dependencies dependentRequired"
    b" dependentSchemas deprecated description else enum examples exclusiveMaximum exclusiveMinimum format if items"
    b" maintainers maxItems maxLength maxProperties maximum minItems minLength minProperties minimum multipleOf not"
    b" oneOf pattern patternProperties properties propertyNames readOnly required select then title type"
    b" unevaluatedItems unevaluatedProperties uniqueItems $id $ref $schema".split()
)
_TOP = frozenset(
    b"additionalProperties allOf anyOf dependencies description examples maintainers oneOf patternProperties properties"
    b" required select title unevaluatedProperties $id $schema".split()
)
_AFTER_IF = frozenset({b"then", b"else"})
_STEP = 2
_OUTWARD, _OUTWARD_AFTER_BLANK = 0.3, 0.6  # what a level weighs against the one inside it
_OTHER_KIND = 0.06  # what a level of properties weighs for a word, and the reverse
_NEVER = 0.003
_ONLY = 300.0
_CHOICES = frozenset({b"oneOf", b"anyOf", b"allOf"})
_BRACKET = re.compile(rb"\[(?=[^\[\]]*$)\s*")
_TOP_AFTER_BLANK = 6.0


@dataclass(slots=True)
class _Level:
    """A list ("-") or a mapping that is open: its column, its last key (of a list, the one its last item begins with,
    b"" for none), and the key that holds a list."""

    column: int
    is_list: bool
    key: bytes = b""
    held: bytes = b""


@dataclass(slots=True)
class _Open:
    """What is open below some lines. A column of -1 means that there is no such thing."""

    levels: list[_Level] = field(default_factory=list)  # from the outside in
    waits: int = -1  # the column of a key or mark that waits for what it holds
    block: list[bytes] | None = None  # the lines of a block of text,
    hangs: int = -1  # and the column it hangs on
    text: int = -1  # the column of text that goes on over lines


def expected_columns(above: Sequence[bytes], text: bytes) -> Columns:
    """The columns that `text` may stand at below the lines `above`, with weights of one in sum; {} where nothing is
    known."""
    state = _Open()
    for line in above:
        _take(state, line)
    blank = bool(above) and not above[-1].strip()
    out = _in_block(state, text, blank) if state.block is not None else _outside(state, text, blank)
    return shares(out)


def _take(state: _Open, line: bytes) -> None:
    stripped, column = line.strip(), width(indent_of(line))
    if state.block is not None:
        if not stripped or column > state.hangs:
            state.block.append(line)
            return
        state.block = None
    if not stripped or stripped.startswith((b"# ", b"%", b"---", b"...")):
        return
    state.text = state.waits = -1
    while stripped.startswith(b"- "):
        rest = stripped[2:].lstrip()
        _open(state, _Level(column, True, _key_of(rest)))
        column += len(stripped) - len(rest)
        stripped = rest
    _take_content(state, stripped, column)


def _key_of(text: bytes) -> bytes:
    key = _KEY.match(text)
    return key[1] if key else b""


def _take_content(state: _Open, text: bytes, column: int) -> None:
    key = _KEY.match(text)
    if key:
        _open(state, _Level(column, False, key[1]))
    value = (key[2] or b"") if key else text
    if _BLOCK.match(value):
        state.block, state.hangs = [], column if key else column - _STEP
    elif key and not _COMMENT.sub(b"", value).strip():
        state.waits = column
    elif bracket := _BRACKET.search(value):
        state.text = column + len(text) - len(value) + bracket.end()
    else:
        state.text = column + _STEP if key else column


def _open(state: _Open, level: _Level) -> None:
    """Open a level, or go on with it; deeper ones are over."""
    kept = [
        one
        for one in state.levels
        if one.column < level.column or (one.column == level.column and (not one.is_list or level.is_list))
    ]
    if kept and kept[-1].column == level.column and kept[-1].is_list == level.is_list:
        level.held = kept.pop().held
    elif kept and level.is_list:
        level.held = kept[-1].key
    state.levels = [*kept, level]


def _in_block(state: _Open, text: bytes, blank: bool) -> Columns:
    """In a block of text: it goes on, or is over."""
    lines = [line for line in state.block or () if line.strip()]
    leaving = _leaves(text, blank, bool(lines))
    inside: Columns = {state.hangs + _STEP: 0.97, state.hangs + 2 * _STEP: 0.03}
    if lines:
        last = width(indent_of(lines[-1]))
        inside = {last: 0.97}
        for line in lines:
            inside.setdefault(width(indent_of(line)), 0.03)
        if any(map(braces.is_code, lines)):
            inside = braces.columns(lines, text) or inside
    out = {column: weight * (1.0 - leaving) for column, weight in inside.items()}
    for column, weight in shares(_outside(state, text, blank)).items():
        add(out, column, weight * leaving)
    return out


def _leaves(text: bytes, blank: bool, begun: bool) -> float:
    """How likely a block of text is over above `text`."""
    key = _KEY.match(text)
    if not begun:
        return 0.005
    if key and key[1] in _WORDS:
        return 0.97 if blank else 0.9
    if text.startswith(b"- |") or text == b"...":
        return 0.95
    if key and not key[2]:
        return 0.95 if blank else 0.3
    return 0.08 if blank and text.startswith(b"- ") else 0.02


def _outside(state: _Open, text: bytes, blank: bool) -> Columns:
    is_list = text.startswith(b"- ")
    key = _KEY.match(text[2:].lstrip() if is_list else text)
    word = key[1] if key else b""
    out: Columns = {}
    if state.waits >= 0:
        add(out, state.waits + _STEP, 0.9)
        add(out, state.waits + 2 * _STEP, 0.02)
        add(out, state.waits, 0.1 if is_list else 0.0)
        return out
    if state.text >= 0 and not is_list and not key:
        add(out, state.text, 1.0)
    comment = text.startswith(b"# ")
    weight = 1.0
    for level in reversed(state.levels):
        if level.is_list == is_list and (is_list or key):
            add(out, level.column, weight * (_item_fits(level, word) if is_list else _key_fits(level, word)))
            weight *= _OUTWARD_AFTER_BLANK if blank else _OUTWARD
        elif comment:
            add(out, level.column, weight)
            weight *= _OUTWARD_AFTER_BLANK
    if key and not is_list and word in _TOP and blank:
        add(out, 0, _TOP_AFTER_BLANK)
    if not out:
        add(out, 0, 1.0)
    return out


def _key_fits(level: _Level, key: bytes) -> float:
    """How well a key fits a mapping, as its last one tells."""
    if key in _AFTER_IF:
        return _ONLY if level.key in {b"if", b"then"} else _NEVER
    return 1.0 if (level.key in _WORDS) == (key in _WORDS) else _OTHER_KIND


def _item_fits(level: _Level, key: bytes) -> float:
    """How well an item that begins with `key` fits a list, as its last one and what holds it tell."""
    if bool(key) != bool(level.key) or (key == b"items" and level.held == b"items"):
        return _NEVER
    if key == b"if" and level.held != b"allOf":
        return _NEVER
    return 1.0 if key == level.key or level.held in _CHOICES else 0.5
