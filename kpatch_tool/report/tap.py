"""A run as TAP version 14 (testanything.org): a subtest for the base and for each patch, a test point for every check.

A test that fails on the base too is `not ok ... # TODO`, which TAP counts as no failure; what this machine could not
do is `not ok` with the severity "error".
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from kpatch_tool.report.checks import Check, Kind, StateChecks, checks_of, summary
from kpatch_tool.report.table import heading
from kpatch_tool.results.record import RunRecord
from kpatch_tool.text import printable

_ESCAPED = re.compile(r"[\\#]")
# Readers of version 13 know no escapes: a name that looks like a directive would be one.
_DIRECTIVE = re.compile(r"#(?=\s*(?:skip|todo))", re.IGNORECASE)
_INDENT = "    "


def tap(record: RunRecord) -> str:
    """The whole stream."""
    return "".join(f"{line}\n" for line in _lines(record))


def _lines(record: RunRecord) -> Iterator[str]:
    states = checks_of(record)
    yield "TAP version 14"
    yield f"# {printable(heading(record))}"
    yield f"# {printable(record.sentence)}"
    yield f"1..{len(states)}"
    for number, state in enumerate(states, 1):
        yield f"# Subtest: {_description(state.title)}"
        yield from (f"{_INDENT}{line}" for line in _subtest(state))
        well = not state.count(Kind.FAIL) and not state.count(Kind.ERROR)
        yield f"{'ok' if well else 'not ok'} {number} - {_description(state.title)}"
        yield f"# {summary(state)}"


def _subtest(state: StateChecks) -> Iterator[str]:
    yield f"1..{len(state.checks)}"
    for number, check in enumerate(state.checks, 1):
        word = "not ok" if check.kind in (Kind.FAIL, Kind.ERROR, Kind.KNOWN) else "ok"
        yield f"{word} {number} - {_name(check)}{_directive(check)}"
        if check.kind in (Kind.FAIL, Kind.ERROR):
            yield from _diagnostics(check)


def _name(check: Check) -> str:
    group = check.group.removeprefix("test.")
    return _description(group if group in (check.name, "machine") else f"{group}: {check.name}")


def _directive(check: Check) -> str:
    if check.kind is Kind.SKIP:
        return f" # SKIP {_description(check.message)}"
    return f" # TODO {_description(check.message)}" if check.kind is Kind.KNOWN else ""


def _diagnostics(check: Check) -> Iterator[str]:
    """The YAML block below a failure. A JSON string is a YAML scalar whatever is in it."""
    yield "  ---"
    yield f"  severity: {'fail' if check.kind is Kind.FAIL else 'error'}"
    for key, value in (("type", check.type), ("message", check.message), ("log", check.log)):
        if value:
            yield f"  {key}: {_quoted(value)}"
    if check.evidence:
        yield "  evidence:"
        yield from (f"    - {_quoted(line)}" for line in check.evidence)
    yield "  ..."


def _quoted(text: str) -> str:
    return json.dumps(printable(text), ensure_ascii=False)


def _description(text: str) -> str:
    return _ESCAPED.sub(r"\\\g<0>", _DIRECTIVE.sub(r"\\x23", " ".join(printable(text).split())))
