"""How far an added line is likely to be indented: readings with weights, from the structure around it.

Weights are relative; the caller mixes them with other evidence (the removed line it replaces). The rules are those of
the kernel's Documentation/process/coding-style.rst and of what stands in the file; the figures were tuned with
benchmarks/restore_corpus.py.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass

from kpatch_tool.restore.cstate import TAB, State, is_directive, pad, width

Readings = dict[bytes, float]

_CASE = re.compile(rb"^(case\b|default\s*:)")
_LABEL = re.compile(rb"^[A-Za-z_]\w*\s*:(\s*/\*.*\*/)?$")
# How continuation lines are indented where the file does not say: see continuation_style.
_PRIOR = {"align": 6.0, "tab1": 2.5, "tab2": 1.0, "floor": 0.4, "ceil": 0.3, "four": 0.3, "half": 0.2}
_PRIOR_PLAIN = {"tab1": 6.0, "align": 3.0, "tab2": 0.8, "floor": 0.3, "ceil": 0.3, "four": 0.6, "half": 0.1}

_PRIOR_DTS = {**_PRIOR_PLAIN, "align": 20.0}


@dataclass(frozen=True, slots=True)
class Style:
    """What the file itself does: counts of continuation styles inside and outside parentheses."""

    parens: Counter[str]
    plain: Counter[str]
    is_dts: bool = False
    unit: bytes = b"\t"


def deeper(indent: bytes, unit: bytes = b"\t") -> bytes:
    """One level below `indent`."""
    return indent + unit


def style_options(state: State) -> dict[str, bytes]:
    """The indentation each style gives to a continuation line."""
    statement = state.statement or b""
    column = state.stack[-1].column if state.parens else state.assign
    options = {
        "tab1": statement + b"\t",
        "tab2": statement + b"\t\t",
        "four": statement + b"    ",
        "half": statement + b"  ",
    }
    if column >= 0:
        options["align"] = (
            pad(column)
            if not statement or statement.startswith(b"\t")
            else statement + b" " * (column - width(statement))
        )
        options["floor"] = b"\t" * (column // TAB)
        options["ceil"] = b"\t" * (-(-column // TAB))
    return options


def continuation_style(state: State, indent: bytes) -> str | None:
    """Which style a continuation line has that is indented so; None where it is none of ours."""
    options = style_options(state)
    for name in ("align", "tab1", "tab2", "four", "floor", "ceil", "half"):
        if options.get(name) == indent:
            return name
    return None


def expected(state: State, text: bytes, style: Style, recent: str | None) -> tuple[str, Readings]:
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
        ("close", text.startswith(b"}")),
        ("case", state.statement is None and bool(_CASE.match(text))),
        ("paren", bool(state.parens)),
        ("plain", state.statement is not None),
        ("label", bool(_LABEL.match(text)) and not text.startswith(b"default")),
        ("body", bool(state.controls)),
        ("else", text.startswith(b"else") and bool(state.ended)),
    )
    return next((kind for kind, is_so in tests if is_so), "statement")


def _directive(state: State, _text: bytes, _style: Style, _recent: str | None) -> Readings:
    return {b"": 1.0, **({state.sibling: 0.02} if state.sibling else {})}


def _label(state: State, text: bytes, style: Style, recent: str | None) -> Readings:
    return {
        b"": 0.9,
        b" ": 0.3,
        **{indent: 0.2 * part for indent, part in _statement(state, text, style, recent).items()},
    }


def _comment(state: State, text: bytes, _style: Style, _recent: str | None) -> Readings:
    comment = state.comment
    assert comment is not None
    out: Readings = {}
    if text.startswith(b"*"):
        if comment.last is not None:
            out[comment.last] = 0.99
        _more(out, pad(comment.column + 1), 0.97 if comment.last is None else 0.004)
        _more(out, pad(comment.column), 0.01 if comment.last is None else 0.002)
        return out
    if comment.last is not None:
        _more(out, comment.last, 0.7)
    for offset, weight in ((3, 0.2), (0, 0.05), (1, 0.05), (2, 0.03), (8, 0.03)):
        _more(out, pad(comment.column + offset), weight)
    return out


def _more(out: Readings, indent: bytes, weight: float) -> None:
    out[indent] = out.get(indent, 0.0) + weight


def _closing(state: State, _text: bytes, _style: Style, _recent: str | None) -> Readings:
    braces = [entry for entry in state.stack if entry.char == b"{"]
    if not braces:
        return {b"": 0.6, state.sibling or b"\t": 0.3}
    out = {braces[-1].indent: 0.97}
    if braces[-1].inner is not None:
        _more(out, braces[-1].inner, 0.02)
    _more(out, deeper(braces[-1].indent), 0.01)
    return out


def _case(state: State, _text: bytes, _style: Style, _recent: str | None) -> Readings:
    braces = [entry for entry in state.stack if entry.char == b"{"]
    if not braces:
        if state.sibling:
            return {state.sibling[:-1]: 0.7, state.sibling: 0.2}
        return {b"\t": 0.8, b"\t\t": 0.2}
    entry = braces[-1]
    out: Readings = {}
    if entry.case is not None:
        out[entry.case] = 0.95
    _more(out, entry.indent, 0.05 if out else 0.9)
    _more(out, deeper(entry.indent), 0.02 if entry.case is not None else 0.08)
    return out


def _parens(state: State, text: bytes, style: Style, recent: str | None) -> Readings:
    entry = state.stack[-1]
    out: Readings = {}
    if entry.inner is not None:
        out[entry.inner] = 12.0
    if text.startswith(b")"):
        _more(out, entry.indent, 6.0)
    scale = 0.6 if entry.inner is not None else 1.0
    for indent, weight in _styled(state, style.parens, _PRIOR, recent).items():
        _more(out, indent, weight * scale)
    if entry.operand >= 0:
        _more(out, pad(entry.operand), 0.5)
    if state.continuation is not None and entry.inner is None:
        # A parenthesis opened on a continuation line: aligned to it, or like the lines before it.
        _more(out, state.continuation, 1.5)
        _more(out, state.continuation + b"\t", 0.8)
    return _normal(out)


def _plain(state: State, text: bytes, style: Style, recent: str | None) -> Readings:
    out: Readings = {}
    if state.continuation is not None:
        out[state.continuation] = 12.0
    if text == b"{":
        _more(out, state.statement or b"", 20.0)
    scale = 0.6 if state.continuation is not None else 1.0
    for indent, weight in _styled(state, style.plain, _PRIOR_DTS if style.is_dts else _PRIOR_PLAIN, recent).items():
        _more(out, indent, weight * scale)
    _more(out, state.statement or b"", 1.0 * scale)
    return _normal(out)


def _styled(state: State, counts: Counter[str], prior: dict[str, float], recent: str | None) -> Readings:
    """Indentations by style of continuation, weighted by how often the file uses it."""
    out: Readings = {}
    total = sum(counts.values()) + sum(prior.values())
    for name, indent in style_options(state).items():
        weight = (counts[name] + prior[name]) / total * 10.0
        if name == recent:
            weight = weight * 2 + 4.0
        _more(out, indent, weight)
    return out


def _normal(out: Readings) -> Readings:
    total = sum(out.values())
    return {indent: weight / total for indent, weight in out.items()}


def _body(state: State, text: bytes, _style: Style, _recent: str | None) -> Readings:
    control = state.controls[-1]
    if text.startswith(b"{"):
        return {control: 0.97, deeper(control): 0.02}
    out = {deeper(control): 0.975}
    _more(out, control, 0.01)
    _more(out, control + b"    ", 0.004)
    return out


def _else(state: State, _text: bytes, _style: Style, _recent: str | None) -> Readings:
    out: Readings = {}
    weight = 0.8
    for control in reversed(state.ended):
        _more(out, control, weight)
        weight *= 0.4
    if state.sibling is not None:
        _more(out, state.sibling, 0.2)
    return out


def _statement(state: State, _text: bytes, _style: Style, _recent: str | None) -> Readings:
    out: Readings = {}
    if state.sibling is not None:
        out[state.sibling] = 0.95
    if state.stack:
        entry = state.stack[-1]
        if entry.inner is not None:
            _more(out, entry.inner, 0.02 if out else 0.9)
        elif entry.column >= 0:
            _more(out, pad(entry.column), 2.0)
        _more(out, deeper(entry.indent), 0.01 if out else 0.9)
        _more(out, entry.indent, 0.004)
        if entry.case is not None:
            _more(out, deeper(entry.case), 0.01)
    elif state.macro:
        _more(out, b"\t", 0.5)
        _more(out, b"", 0.05)
    else:
        _more(out, b"", 0.9)
        _more(out, b"\t", 0.1)
    return out


_RULES = {
    "comment": _comment,
    "directive": _directive,
    "close": _closing,
    "case": _case,
    "paren": _parens,
    "plain": _plain,
    "label": _label,
    "body": _body,
    "else": _else,
    "statement": _statement,
}
