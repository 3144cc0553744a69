"""A run as one HTML page that needs nothing else: no script, no picture, no address outside.

Every text that came from a mail, a log or a tree goes through `_text`: nothing of it can become markup.
"""

from __future__ import annotations

import html
import string
from collections.abc import Iterable, Sequence
from importlib import resources

from kpatch_tool.kbuild.model import Diagnostic, StateBuild
from kpatch_tool.report.table import PRESENT, heading
from kpatch_tool.results.deltas import Delta, name, transition
from kpatch_tool.results.record import FINDING, Cell, PatchRecord, RunRecord, Stage
from kpatch_tool.suites.model import CaseResult, StateTests
from kpatch_tool.text import plural, printable
from kpatch_tool.tree.model import AppliedPatch


def page(record: RunRecord) -> str:
    """The whole page."""
    parts = [
        _header(record),
        _table(record),
        _problems(record),
        _dependencies(record),
        *(_patch(record, patch) for patch in record.patches),
        _base(record),
    ]
    template = string.Template(resources.files("kpatch_tool.report").joinpath("page.html").read_text("utf-8"))
    return template.substitute(title=_text(heading(record)), body="\n".join(part for part in parts if part))


def _text(text: object, *, lines: bool = False) -> str:
    return html.escape(printable(str(text), lines=lines), quote=True)


def _tag(name: str, content: str, *, kind: str = "", anchor: str = "") -> str:
    """An element whose `content` is markup already."""
    attributes = (f' class="{kind}"' if kind else "") + (f' id="{anchor}"' if anchor else "")
    return f"<{name}{attributes}>{content}</{name}>"


def _paragraph(text: str, kind: str = "") -> str:
    return _tag("p", _text(text), kind=kind)


def _lines(lines: Iterable[str]) -> str:
    text = "\n".join(_text(line, lines=True) for line in lines)
    return _tag("pre", text) if text else ""


def _rows(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; the cells of `rows` are whole <td> elements."""
    head = _tag("tr", "".join(_tag("th", _text(cell)) for cell in header))
    body = "\n".join(_tag("tr", "".join(row)) for row in rows)
    return _tag("div", _tag("table", f"{head}\n{body}"), kind="wide")


def _folded(summary: str, content: str) -> str:
    return _tag("details", _tag("summary", _text(summary)) + content) if content else ""


def _header(record: RunRecord) -> str:
    kind = {0: "ok", FINDING: "finding"}.get(record.exit_status, "infra")
    accelerator = f", tested with {record.accelerator}" if record.accelerator else ""
    facts = (
        f"Base {record.base[:12] or 'unknown'}, {record.arch}{accelerator}. "
        f"{record.started:%Y-%m-%d %H:%M} {record.started:%Z}, {record.seconds:.0f} s."
    )
    return "\n".join(
        (_tag("h1", _text(heading(record))), _paragraph(record.sentence, f"answer {kind}"), _paragraph(facts, "dim"))
    )


def _table(record: RunRecord) -> str:
    base = [(0, "the base")] if any(cell.patch == 0 for cell in record.cells) else []
    rows = []
    for number, subject in [*base, *((patch.number, patch.subject) for patch in record.patches)]:
        cells = [_stage_cell(record.cell(number, stage), number) for stage in Stage]
        rows.append([_tag("td", str(number), kind="number"), _link_cell(number, subject), *cells])
    return _rows(["", "patch", *map(str, Stage)], rows)


def _link_cell(number: int, subject: str) -> str:
    return _tag("td", f'<a href="#patch-{number}">{_text(subject)}</a>')


def _stage_cell(cell: Cell | None, number: int) -> str:
    if cell is None:
        return _tag("td", "")
    title = f' title="{_text(cell.why)}"' if cell.why else ""
    return f'<td class="{cell.outcome}"{title}>{_text(cell.text)}</td>'


def _problems(record: RunRecord) -> str:
    if not record.problems:
        return ""
    items = "".join(_tag("li", _text(problem)) for problem in record.problems)
    return _tag("h2", "Not done on this machine") + _tag("ul", items, kind="infra")


def _dependencies(record: RunRecord) -> str:
    needs = record.dependencies
    rows = [
        [_number(edge.patch), _number(edge.needs), _tag("td", _text(edge.kind)), _tag("td", _text(edge.why))]
        for edge in needs.edges
    ]
    rows += [
        [
            _number(outside.patch) if outside.patch else _tag("td", "all"),
            _tag("td", _tag("code", _text(outside.short))),
            _tag("td", _text(outside.kind)),
            _tag("td", _text(f"{outside.why} ({PRESENT[outside.present]})")),
        ]
        for outside in needs.external
    ]
    if not rows:
        return ""
    cycles = [_paragraph(f"Patches {', '.join(map(str, cycle))} need one another.") for cycle in needs.cycles]
    return "\n".join([_tag("h2", "What needs what"), _rows(["patch", "needs", "kind", "why"], rows), *cycles])


def _number(patch: int) -> str:
    return _tag("td", f'<a href="#patch-{patch}">{patch}</a>')


def _patch(record: RunRecord, patch: PatchRecord) -> str:
    title = _tag("h2", _text(f"{patch.number}. {patch.subject}"), anchor=f"patch-{patch.number}")
    exactness = f"{patch.exactness}: {patch.why}" if patch.why else str(patch.exactness)
    parts = [title, _paragraph(patch.author, "dim"), _tag("h3", "Text"), _paragraph(exactness)]
    parts.append(_folded(plural(len(patch.ambiguous), "undecided line"), _lines(patch.ambiguous)))
    applied = record.applied.patches if record.applied is not None else ()
    parts += [_applied(found) for found in applied if found.number == patch.number]
    parts += _results(record, patch.number)
    return "\n".join(part for part in parts if part)


def _base(record: RunRecord) -> str:
    results = _results(record, 0)
    return "\n".join([_tag("h2", "The base", anchor="patch-0"), *results]) if results else ""


def _results(record: RunRecord, number: int) -> list[str]:
    parts = [_build(record, build) for build in record.builds if build.patch == number]
    return parts + [_tests(record, tests) for tests in record.tests if tests.patch == number]


def _applied(patch: AppliedPatch) -> str:
    commit = f" {_tag('code', _text(patch.commit[:12]))}" if patch.commit else ""
    words = _tag("p", f"{_text(patch.status)}: {_text(patch.why)}{commit}")
    return _tag("h3", "Applying") + words + _lines(patch.details)


def _build(record: RunRecord, build: StateBuild) -> str:
    took = "cached" if build.cached else f"{build.seconds:.1f} s"
    parts = [_tag("h3", "Build"), _paragraph(f"{build.status} ({took}): {build.why}")]
    parts.append(_lines(_place(error) for error in build.errors))
    fresh = record.new_warnings(build)
    if fresh:
        parts += [_paragraph(plural(len(fresh), "new warning"), "finding"), _lines(map(_place, fresh))]
    parts.append(_modules(record, build))
    parts.append(_tag("p", f"Log: {_tag('code', _text(build.log))}", kind="dim"))
    return "\n".join(part for part in parts if part)


def _place(found: Diagnostic) -> str:
    option = f" [{found.option}]" if found.option else ""
    return f"{found.file}:{found.line}: {found.message}{option}"


def _modules(record: RunRecord, build: StateBuild) -> str:
    base = record.base_build()
    before = {module.path: module for module in base.modules} if base is not None else {}
    rows = []
    for module in build.modules:
        old = before.get(module.path)
        if build.patch == 0 or old is None:
            change = ""
        elif old.sha256 == module.sha256:
            change = "as on the base"
        else:
            change = f"changed, {module.size - old.size:+d} bytes"
        cells = (module.path, f"{module.size} bytes", change, module.sha256[:16])
        rows.append([_tag("td", _text(cell)) for cell in cells])
    return _folded(plural(len(rows), "module"), _rows(["module", "size", "", "sha256"], rows)) if rows else ""


def _tests(record: RunRecord, tests: StateTests) -> str:
    took = "results of an earlier run" if tests.cached else f"{tests.seconds:.1f} s"
    parts = [_tag("h3", _text(f"Tests: {tests.suite}")), _paragraph(f"{tests.status} ({took}): {tests.why}")]
    if tests.trace:
        parts.append(_folded("What the guest's kernel said", _lines(tests.trace.splitlines())))
    deltas = record.deltas(tests)
    if deltas:
        rows = [_delta_cells(delta) for delta in deltas]
        parts.append(_rows(["change", "case", "base, now", "sure", "why"], rows))
    elif tests.patch and tests.status == "ok" and record.base_tests(tests.suite) is not None:
        parts.append(_tag("p", 'Every case is as <a href="#patch-0">on the base</a>.', kind="ok"))
        return "\n".join(part for part in parts if part)
    rows = [_result_cells(result, tests) for result in tests.results]
    header = ["test", "case", "verdict", "s", "why"]
    parts.append(_folded(f"All results ({len(rows)})", _rows(header, rows)) if rows else "")
    return "\n".join(part for part in parts if part)


def _delta_cells(delta: Delta) -> list[str]:
    change = _tag("td", _text(delta.change), kind=str(delta.change))
    rest = (name(delta), transition(delta), f"{delta.confidence:.0%}", delta.why)
    return [change, *(_tag("td", _text(cell)) for cell in rest)]


def _result_cells(result: CaseResult, tests: StateTests) -> list[str]:
    cells = [_tag("td", _text(cell)) for cell in (result.test, result.case)]
    cells.append(_tag("td", _text(result.verdict), kind=str(result.verdict)))
    cells.append(_tag("td", f"{result.seconds:.1f}", kind="number"))
    output = tests.outputs.get(result.test)
    where = f" {_tag('code', _text(output))}" if output is not None and not result.case else ""
    return [*cells, _tag("td", _text(result.why) + where)]
