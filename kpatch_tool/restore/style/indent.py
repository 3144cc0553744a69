"""How far an added line is likely to be indented: readings with weights, from the structure around it.

Weights are relative; the caller mixes them with other evidence (the removed line it replaces). The rules are those of
the kernel's Documentation/process/coding-style.rst and of what stands in the file; the figures were tuned with
benchmarks/restore_corpus.py.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field

from kpatch_tool.restore.style.cstate import TAB, State, is_directive, pad, width
from kpatch_tool.restore.style.weights import Readings, add, shares

_CASE = re.compile(rb"^(case\b|default\s*:)")
_LABEL = re.compile(rb"^[A-Za-z_]\w*\s*:(\s*/\*.*\*/)?$")
CONTINUES = frozenset({"paren", "plain"})  # the kinds of lines that continue a statement
_CONTROLS = frozenset({b"if", b"while", b"for", b"switch"})
# How the first continuation line is indented, by where it stands (`situation`): shares counted in 1,200 files of
# Linux 6.1, of which the rest has a column of its own.
_PRIORS = {
    "call": {"align": 0.78, "tab2": 0.077, "tab1": 0.069, "floor": 0.014, "ceil": 0.012, "four": 0.003, "half": 0.001},
    "control": {"align": 0.863, "tab1": 0.057, "tab2": 0.045, "four": 0.003, "floor": 0.002, "half": 0.001},
    "inner": {"align": 0.82, "tab2": 0.067, "four": 0.024, "tab1": 0.019, "ceil": 0.019, "floor": 0.005},
    "head": {"align": 0.79, "tab1": 0.041, "tab2": 0.04, "ceil": 0.02, "floor": 0.012},
    "open": {"tab1": 0.56, "four": 0.09, "tab2": 0.17, "tab3": 0.07, "tab4": 0.015, "same": 0.03, "half": 0.005},
    "value": {
        **{"align": 0.43, "tab1": 0.235, "tab2": 0.073, "same": 0.07, "ceil": 0.024, "four": 0.016},
        **{"floor": 0.011, "half": 0.01},
    },
    "assign": {"tab1": 0.69, "tab2": 0.11, "four": 0.09, "floor": 0.02, "same": 0.02, "half": 0.005},
    "return": {"tab1": 0.484, "align": 0.328, "tab2": 0.086, "four": 0.031, "floor": 0.008, "half": 0.004},
    "top": {"same": 0.975, "half": 0.011, "tab1": 0.006, "four": 0.002},
    "other": {"tab1": 0.361, "same": 0.281, "tab2": 0.048, "four": 0.048, "half": 0.011},
}
# What the share of "align" is multiplied with where an aligned line ends behind column 80 (same count).
_TOO_LONG = {"call": 0.3, "inner": 0.3, "head": 0.08, "value": 0.22, "return": 0.3}
_MANY_TABS = (3, 4, 5, 6)
# All styles; the first that fits is what a line has.
_STYLES = (
    *("align", "tab1", "tab2", "four", "floor", "ceil", "half", "same"),
    *("short", "beyond", "less", "more", "tab3", "tab4", "tab5", "tab6"),
)
# Shares of the styles that no table above names (counted in 500 files of Linux 5.15).
_RARE = {
    **{"beyond": 0.007, "short": 0.005, "less": 0.004, "more": 0.003},
    **{"tab3": 0.004, "tab4": 0.003, "tab5": 0.003, "tab6": 0.002},
}
_PARENS = frozenset({"call", "control", "inner", "head"})
_PLAIN = frozenset({"value", "return", "assign", "other"})
_WIDE = 80  # coding-style.rst, chapter 2
_PRIOR_LINES = 4.0  # how many lines of the file the shares above weigh as much as
_MOST_LINES = 30.0  # what the lines of the file weigh at most
_OTHER_SITUATION = 0.15  # what a line of another situation weighs
# Of lines below a `prop = <a>,` of a device tree, the share that stands below the `<`; of those below a `prop = <`, the
# share one tab deeper; of those that begin with `>`, the share as deep as the property (6.12 has 9,000 of each).
_DTS_ALIGNED = 0.95
_DTS_DEEPER = 0.97
_DTS_CLOSED = 0.96
# What a block's first line stands deeper by, in lines' worth; below one that is indented by blanks.
_STEPS = {b"\t": 1.0, b"    ": 0.02, b"        ": 0.01, b"  ": 0.005}
_STEPS_BELOW_BLANKS = {b"\t": 0.3, b"    ": 3.0, b"        ": 0.2, b"  ": 0.3}
_TRACED = 60.0
_ASSEMBLY = frozenset({b"asm", b"__asm__", b"__asm", b"asm_volatile_goto", b"asm_inline"})
_OPERAND = 60.0  # an operand of inline assembly that stands below the one after the colon
_AS_BLOCK = 0.15  # a label that stands as deep as the block it is in
_SAME_STEP = 12.0  # what the patch's own last step weighs
_RARE_STEP = 0.001


@dataclass(frozen=True, slots=True)
class Style:
    """What the file itself does: counts of (situation, style of continuation), and of what the first line of a block
    stands deeper by, apart for blocks that begin at the left edge (the key)."""

    counts: Counter[tuple[str, str]]
    is_dts: bool = False
    unit: bytes = b"\t"
    steps: Counter[tuple[bool, bytes]] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True)
class Recent:
    """What the patch itself did last: the style of a continuation line and its situation ("" for none yet), and what
    the first line of a block at the left edge stood deeper by."""

    where: str = ""
    how: str = ""
    step: bytes = b""


NOTHING_YET = Recent()


def situation(state: State) -> str:
    """Where a continuation line stands: inside the parentheses of a call, of an `if`, of a function's head, ..."""
    if state.parens:
        if state.stack[-1].column < 0:
            return "open"
        if state.head in _CONTROLS:
            return "control" if state.parens == 1 else "inner"
        in_body = bool(state.statement) or any(entry.char == b"{" for entry in state.stack)
        return "call" if in_body else "head"
    if state.head == b"return":
        return "return"
    if state.assign >= 0:
        return {b"=": "assign", b"<": "open"}.get(state.last, "value")  # `reg = <` of a device tree opens a list
    outside = "other" if state.statement or state.stack else "top"
    return outside if state.listed < 0 else "value"


def deeper(indent: bytes, style: Style, recent: Recent) -> Readings:
    """One level below `indent`: a tab, or what the file and the patch do instead."""
    weights = dict(_STEPS_BELOW_BLANKS if indent.endswith(b" ") else _STEPS)
    for (at_edge, step), count in style.steps.items():
        if at_edge == (not indent):
            weights[step] = weights.get(step, 0.0) + count
    if recent.step and not indent:
        weights[recent.step] = weights.get(recent.step, 0.0) + _SAME_STEP
    total = sum(weights.values())
    out: Readings = {}
    for step, weight in weights.items():
        if weight / total > _RARE_STEP:
            # Below blanks a tab is no blanks with a tab behind them, but tabs up to the next stop.
            tabs = step == b"\t" and indent.endswith(b" ")
            add(out, b"\t" * (width(indent) // TAB + 1) if tabs else indent + step, weight / total)
    return out


def block_step(state: State, line: bytes) -> tuple[bool, bytes] | None:
    """What `line` stands deeper by where it is the first one of a block, and whether the block begins at the left
    edge; None where it is none, or does not stand deeper."""
    if state.controls:
        outer = state.controls[-1]
    elif state.statement is None and state.stack and state.stack[-1].char == b"{" and state.stack[-1].inner is None:
        outer = state.stack[-1].indent
    else:
        return None
    own = line[: len(line) - len(line.lstrip(b" \t"))]
    known = bool(line.strip()) and own.startswith(outer) and len(own) > len(outer)
    return (not outer, own[len(outer) :]) if known else None


def style_options(state: State) -> dict[str, bytes]:
    """The indentation each style gives to a continuation line."""
    statement = state.statement or b""
    column = state.stack[-1].column if state.parens else max(state.assign, state.listed)
    options = {
        "tab1": statement + b"\t",
        "tab2": statement + b"\t\t",
        **{f"tab{count}": statement + b"\t" * count for count in _MANY_TABS},
        "four": statement + b"    ",
        "half": statement + b"  ",
        "same": statement,
    }
    if column >= 0:
        options["align"] = (
            pad(column)
            if not statement or statement.startswith(b"\t")
            else statement + b" " * (column - width(statement))
        )
        options["floor"] = b"\t" * (column // TAB)
        options["ceil"] = b"\t" * (-(-column // TAB))
        options["short"] = b"\t" * max(0, column // TAB - 1)
        options["beyond"] = b"\t" * (-(-column // TAB) + 1)
        options["less"], options["more"] = pad(column - 1), pad(column + 1)
    return options


def continuation_style(state: State, indent: bytes) -> str | None:
    """Which style a continuation line has that is indented so; None where it is none of ours."""
    options = style_options(state)
    return next((name for name in _STYLES if options.get(name) == indent), None)


def expected(state: State, text: bytes, style: Style, recent: Recent) -> tuple[str, Readings]:
    """The kind of line `text` (squeezed) is after `state`, and its likely indentations with weights.

    `recent` is the continuation style the patch itself used last.
    """
    kind = _kind(state, text)
    return kind, _RULES[kind](state, text, style, recent)


def _kind(state: State, text: bytes) -> str:
    """What kind of line `text` is after `state`."""
    tests = (
        ("comment", state.comment is not None),
        ("directive", is_directive(text) and not state.macro),
        ("condition", state.directive),
        ("close", text.startswith(b"}")),
        ("case", state.statement is None and bool(_CASE.match(text))),
        ("paren", bool(state.parens)),
        ("plain", state.statement is not None),
        ("label", bool(_LABEL.match(text)) and not text.startswith(b"default")),
        ("body", bool(state.controls)),
        ("else", text.startswith(b"else") and bool(state.ended)),
    )
    return next((kind for kind, is_so in tests if is_so), "statement")


def _directive(state: State, _text: bytes, _style: Style, _recent: Recent) -> Readings:
    return {b"": 1.0, **({state.sibling: 0.02} if state.sibling else {})}


def _condition(state: State, _text: bytes, _style: Style, _recent: Recent) -> Readings:
    """A preprocessor line goes on: below the text after `#if `, or a tab deeper."""
    out: Readings = {b"    ": 0.45, b"\t": 0.4, b"     ": 0.08, b"\t\t": 0.04, b"  ": 0.02, b"": 0.01}
    if state.continuation is not None:
        add(out, state.continuation, 12.0)
    return out


def _label(state: State, text: bytes, style: Style, recent: Recent) -> Readings:
    out: Readings = {b"": 0.9, b" ": 0.3}
    _all(out, _statement(state, text, style, recent), 0.2)
    if state.stack:
        add(out, state.stack[-1].indent, _AS_BLOCK)
    return out


def _comment(state: State, text: bytes, _style: Style, _recent: Recent) -> Readings:
    comment = state.comment
    assert comment is not None
    out: Readings = {}
    if text.startswith(b"*"):
        if comment.last is not None:
            out[comment.last] = 0.99
        add(out, pad(comment.column + 1), 0.97 if comment.last is None else 0.004)
        add(out, pad(comment.column), 0.01 if comment.last is None else 0.002)
        return out
    if comment.last is not None:
        add(out, comment.last, 0.7)
    for offset, weight in ((3, 0.2), (0, 0.05), (1, 0.05), (2, 0.03), (8, 0.03)):
        add(out, pad(comment.column + offset), weight)
    return out


def _all(out: Readings, more: Readings, scale: float) -> None:
    for indent, weight in more.items():
        add(out, indent, weight * scale)


def _closing(state: State, _text: bytes, style: Style, recent: Recent) -> Readings:
    braces = [entry for entry in state.stack if entry.char == b"{"]
    if not braces:
        return {b"": 0.6, state.sibling or b"\t": 0.3}
    out = {braces[-1].indent: 0.97}
    if braces[-1].inner is not None:
        add(out, braces[-1].inner, 0.02)
    _all(out, deeper(braces[-1].indent, style, recent), 0.01)
    return out


def _case(state: State, _text: bytes, style: Style, recent: Recent) -> Readings:
    braces = [entry for entry in state.stack if entry.char == b"{"]
    if not braces:
        if state.sibling:
            return {state.sibling[:-1]: 0.7, state.sibling: 0.2}
        return {b"\t": 0.8, b"\t\t": 0.2}
    entry = braces[-1]
    out: Readings = {}
    if entry.case is not None:
        out[entry.case] = 0.95
    add(out, entry.indent, 0.05 if out else 0.9)
    _all(out, deeper(entry.indent, style, recent), 0.02 if entry.case is not None else 0.08)
    return out


def _parens(state: State, text: bytes, style: Style, recent: Recent) -> Readings:
    entry = state.stack[-1]
    out: Readings = {}
    if entry.inner is not None:
        out[entry.inner] = 12.0
    if text.startswith(b")"):
        # It stands below the line that opened it, where nothing followed the parenthesis there.
        outer = state.stack[-2] if len(state.stack) > 1 else None
        opened = outer.inner if outer and outer.char != b"{" and outer.inner is not None else entry.indent
        if entry.column < 0:
            return {opened: 0.9, **{indent: 0.1 for indent in out if indent != opened}}
        add(out, opened, 6.0)
    if text.startswith(b"TP_"):
        # The parts of a trace event (include/trace/events) stand one tab deep, whatever other calls do.
        add(out, (state.statement or b"") + b"\t", _TRACED)
    scale = 0.6 if entry.inner is not None else 1.0
    for indent, weight in _styled(state, text, style, recent).items():
        add(out, indent, weight * scale)
    if entry.operand >= 0:
        operand = state.head in _ASSEMBLY and text.startswith((b"[", b'"'))
        add(out, pad(entry.operand), _OPERAND if operand else 0.15)
    if state.continuation is not None and entry.inner is None:
        # A parenthesis opened on a continuation line: aligned to it, or one deeper than the lines before it.
        add(out, state.continuation, 0.2)
        add(out, state.continuation + b"\t", 6.0 if entry.column < 0 else 0.4)
    return shares(out)


def _plain(state: State, text: bytes, style: Style, recent: Recent) -> Readings:
    out: Readings = {}
    if state.continuation is not None:
        out[state.continuation] = 12.0
    if text == b"{":
        add(out, state.statement or b"", 20.0)
    if style.is_dts and text.startswith(b">"):
        return {state.statement or b"": _DTS_CLOSED, state.continuation or b"\t": 1.0 - _DTS_CLOSED}
    scale = 0.6 if state.continuation is not None else 1.0
    for indent, weight in _styled(state, text, style, recent).items():
        add(out, indent, weight * scale)
    return shares(out)


def _styled(state: State, text: bytes, style: Style, recent: Recent) -> Readings:
    """Indentations by style of continuation, weighted by how often the file and the kernel use it; 10 in sum."""
    where = situation(state)
    options = style_options(state)
    lines = {name: style.counts[where, name] + _OTHER_SITUATION * _elsewhere(style, where, name) for name in options}
    scale = min(1.0, _MOST_LINES / (sum(lines.values()) or 1.0))
    prior = _PRIORS[where]
    weights = {name: lines[name] * scale + prior.get(name, _RARE.get(name, 0.002)) * _PRIOR_LINES for name in options}
    if style.is_dts:
        name, share = ("tab1", _DTS_DEEPER) if where == "open" else ("align", _DTS_ALIGNED)
        if name in options:
            weights[name] += share * _PRIOR_LINES * 3
    if "align" in options and width(options["align"]) + len(text) > _WIDE:
        weights["align"] *= _TOO_LONG.get(where, 1.0)
    total = sum(weights.values())
    out: Readings = {}
    for name, indent in options.items():
        weight = weights[name] / total * 10.0
        if name == recent.how:
            weight = weight * 2 + 4.0 if recent.where == where else weight * 1.2 + 0.5
        add(out, indent, weight)
    return out


def _elsewhere(style: Style, where: str, name: str) -> int:
    """How often the file uses a style in the other situations of its kind."""
    kind = _PARENS if where in _PARENS else _PLAIN
    return sum(style.counts[other, name] for other in kind if other != where)


def _body(state: State, text: bytes, style: Style, recent: Recent) -> Readings:
    control = state.controls[-1]
    out: Readings = {}
    if text.startswith(b"{"):
        out[control] = 0.97
        _all(out, deeper(control, style, recent), 0.02)
        return out
    _all(out, deeper(control, style, recent), 0.975)
    add(out, control, 0.01)
    add(out, control + b"    ", 0.004)
    return out


def _else(state: State, _text: bytes, _style: Style, _recent: Recent) -> Readings:
    out: Readings = {}
    weight = 0.8
    for control in reversed(state.ended):
        add(out, control, weight)
        weight *= 0.4
    if state.sibling is not None:
        add(out, state.sibling, 0.2)
    return out


def _statement(state: State, _text: bytes, style: Style, recent: Recent) -> Readings:
    out: Readings = {}
    if state.sibling is not None:
        out[state.sibling] = 0.95
    if state.stack:
        entry = state.stack[-1]
        if entry.inner is not None:
            add(out, entry.inner, 0.02 if out else 0.9)
        elif entry.column >= 0:
            add(out, pad(entry.column), 2.0)
        _all(out, deeper(entry.indent, style, recent), 0.01 if out else 0.9)
        add(out, entry.indent, 0.004)
        if entry.case is not None:
            _all(out, deeper(entry.case, style, recent), 0.01)
    elif state.macro:
        add(out, b"\t", 0.5)
        add(out, b"", 0.05)
    else:
        add(out, b"", 0.9)
        add(out, b"\t", 0.1)
    return out


_RULES = {
    "comment": _comment,
    "directive": _directive,
    "condition": _condition,
    "close": _closing,
    "case": _case,
    "paren": _parens,
    "plain": _plain,
    "label": _label,
    "body": _body,
    "else": _else,
    "statement": _statement,
}
