"""A run as one HTML page that needs nothing else: no script, no picture, no address outside.

Patches go down, stages across; every cell leads to what is known of it, every delta opens the log it is from.
"""

from __future__ import annotations

import string
from collections.abc import Iterator
from importlib import resources

from kpatch_tool.depend.model import External
from kpatch_tool.report.findings import findings
from kpatch_tool.report.graph import layout
from kpatch_tool.report.lines import few
from kpatch_tool.report.markup import cell, definition, folded, link, paragraph, row, table, tag, text
from kpatch_tool.report.pictures import graph_picture, timings_picture
from kpatch_tool.report.state_html import Logs, applying, building, testing, text_of
from kpatch_tool.report.table import PRESENT, heading
from kpatch_tool.results.record import Cell, Outcome, PatchRecord, RunRecord, Stage
from kpatch_tool.text import plural

_MOST_FINDINGS = 12
_ROWS_UNFOLDED = 12
# Colour alone must not carry a meaning.
_MARKS = {Outcome.FINDING: "✗ ", Outcome.INFRA: "! ", Outcome.RUNNING: "… "}


def page(record: RunRecord) -> str:
    """The whole page."""
    logs = Logs()
    parts = [
        _header(record),
        _findings(record),
        _problems(record),
        _table(record),
        _dependencies(record),
        _timings(record),
        *(_patch(record, patch, logs) for patch in record.patches),
        _base(record, logs),
    ]
    template = string.Template(resources.files("kpatch_tool.report").joinpath("page.html").read_text("utf-8"))
    return template.substitute(title=text(heading(record)), body="\n".join(part for part in parts if part))


def _header(record: RunRecord) -> str:
    kind = "finding" if findings(record) else "infra" if record.exit_status else "ok"
    facts = {
        "tree": record.tree,
        "base": record.base[:12] or "unknown",
        "architecture": record.arch,
        "configuration added": few(record.config),
        "tested with": record.accelerator,
        "run": f"{record.started:%Y-%m-%d %H:%M} {record.started:%Z}, {record.seconds:.0f} s",
    }
    return "\n".join(
        (
            tag("h1", text(heading(record))),
            paragraph(record.sentence, f"answer {kind}"),
            tag("dl", "".join(definition(term, text(value)) for term, value in facts.items() if value), kind="facts"),
        )
    )


def _findings(record: RunRecord) -> str:
    """The cells that are findings, the first of each stage and patch first."""
    found = findings(record)
    items = [tag("li", f"{link(_anchor(one), _where(one))}: {text(one.text)}{_because(one)}") for one in found]
    if len(items) > _MOST_FINDINGS:
        more = plural(len(items) - _MOST_FINDINGS, "more finding")
        items = [*items[:_MOST_FINDINGS], tag("li", text(f"{more} in the table"))]
    return tag("h2", text(plural(len(found), "finding"))) + tag("ul", "".join(items)) if items else ""


def _where(one: Cell) -> str:
    return f"{f'patch {one.patch}' if one.patch else 'the base'}, {one.stage}"


def _because(one: Cell) -> str:
    return f' <span class="dim">{text(one.why)}</span>' if one.why else ""


def _anchor(one: Cell) -> str:
    return f"patch-{one.patch}-{one.stage}"


def _problems(record: RunRecord) -> str:
    if not record.problems:
        return ""
    items = "".join(tag("li", text(problem)) for problem in record.problems)
    return tag("h2", "Not done on this machine") + tag("ul", items, kind="infra")


def _table(record: RunRecord) -> str:
    base = [(0, "the base")] if any(one.patch == 0 for one in record.cells) else []
    rows = []
    for number, subject in [*base, *((patch.number, patch.subject) for patch in record.patches)]:
        title = tag("th", link(f"patch-{number}", subject), scope="row", role="rowheader", kind="subject")
        cells = [_stage_cell(record.cell(number, stage), stage) for stage in Stage]
        number_cell = tag("td", str(number), kind="number", role="cell")
        rows.append(tag("tr", "".join([number_cell, title, *cells]), role="row"))
    legend = "✗ a finding about the series, ! what this machine could not do, - left out"
    return table("Patches down, stages across", ["", "patch", *map(str, Stage)], rows, "stages") + paragraph(
        legend, "dim"
    )


def _stage_cell(one: Cell | None, stage: Stage) -> str:
    """On a narrow screen the cells stand below the subject, so each says its stage and its role itself."""
    if one is None:
        return tag("td", role="cell")
    words = _MARKS.get(one.outcome, "") + one.text
    inside = text(words) if one.outcome is Outcome.SKIPPED else link(_anchor(one), words)
    return tag("td", inside, kind=str(one.outcome), title=one.why or None, role="cell", data_stage=str(stage))


def _dependencies(record: RunRecord) -> str:
    needs = record.dependencies
    rows = [
        row([_patch_link(edge.patch), _patch_link(edge.needs), cell(edge.kind), cell(edge.why)]) for edge in needs.edges
    ]
    rows += [_outside(one) for one in needs.external]
    if not rows:
        return ""
    graph = layout(needs, record.patches)
    picture = graph_picture(graph)
    parts = [tag("h2", "What needs what")]
    if picture:
        implied = f" {plural(graph.implied, 'line')} that the others imply left out." if graph.implied else ""
        told = (
            "A line leads from a patch up to the one it needs; a broken line where only the version of a file says so."
            f"{implied}"
        )
        region = tag("div", picture, kind="wide", role="region", aria_label="Dependency graph", tabindex="0")
        parts.append(tag("figure", region + tag("figcaption", text(told), kind="dim")))
    words = table("What needs what, and why", ["patch", "needs", "kind", "why"], rows, "reasons")
    parts.append(words if len(rows) <= _ROWS_UNFOLDED else folded(f"All {len(rows)} reasons", words))
    parts += [paragraph(f"Patches {', '.join(map(str, cycle))} need one another.", "finding") for cycle in needs.cycles]
    return "\n".join(parts)


def _outside(one: External) -> str:
    patch = _patch_link(one.patch) if one.patch else cell("all")
    told = cell(f"{one.why} ({PRESENT[one.present]})")
    return row([patch, tag("td", tag("code", text(one.short))), cell(one.kind), told])


def _patch_link(patch: int) -> str:
    return tag("td", link(f"patch-{patch}", patch))


def _timings(record: RunRecord) -> str:
    picture = timings_picture(record)
    if not picture:
        return ""
    legend = (
        '<span class="key bar-build"></span> building <span class="key hollow"></span> testing; known: kept from before'
    )
    return tag("h2", "Where the time went") + tag(
        "figure", picture + tag("figcaption", legend, kind="dim"), kind="timing"
    )


def _patch(record: RunRecord, patch: PatchRecord, logs: Logs) -> str:
    title = tag("h2", text(f"{patch.number}. {patch.subject}"))
    stages = [
        text_of(patch),
        *_needed(record, patch.number),
        *applying(record, patch.number),
        *_results(record, patch.number, logs),
    ]
    content = title + paragraph(patch.author, "dim") + tag("dl", "".join(stages), kind="state")
    return tag("section", content, id=f"patch-{patch.number}")


def _needed(record: RunRecord, number: int) -> Iterator[str]:
    edges = [edge for edge in record.dependencies.edges if edge.patch == number]
    outside = [one for one in record.dependencies.external if one.patch == number]
    links = [link(f"patch-{needs}", needs) for needs in sorted({edge.needs for edge in edges})]
    links += [tag("code", text(one.short)) for one in outside]
    shown = f"needs {', '.join(links)}" if links else "needs no other patch"
    if record.cell(number, Stage.DEPS) is not None:
        yield definition("dependencies", tag("p", shown), f"patch-{number}-deps")


def _base(record: RunRecord, logs: Logs) -> str:
    results = list(_results(record, 0, logs))
    content = tag("h2", "The base") + tag("dl", "".join(results), kind="state")
    known = results or any(one.patch == 0 for one in record.cells)
    return tag("section", content, id="patch-0") if known else ""


def _results(record: RunRecord, number: int, logs: Logs) -> Iterator[str]:
    """Building and testing; where the record has nothing of a stage but its cell, the cell's reason."""
    for stage, found in (
        (Stage.BUILD, list(building(record, number, logs))),
        (Stage.TEST, list(testing(record, number, logs))),
    ):
        one = record.cell(number, stage)
        if found:
            yield definition(str(stage), "\n".join(found), f"patch-{number}-{stage}")
        elif one is not None:
            yield definition(str(stage), paragraph(one.why or one.text), f"patch-{number}-{stage}", str(one.outcome))
