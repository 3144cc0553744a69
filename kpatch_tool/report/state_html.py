"""What the page says of one patch or the base, stage by stage, with the logs it is from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from kpatch_tool.kbuild.model import BuildStatus, Module, StateBuild, previous_built
from kpatch_tool.report.excerpt import excerpt
from kpatch_tool.report.lines import blamed, diagnostic_line, limited
from kpatch_tool.report.markup import cell, definition, folded, link, paragraph, pre, row, table, tag, text
from kpatch_tool.results.deltas import (
    ABSENT,
    Change,
    Delta,
    differing,
    identity,
    name,
    previous_tested,
    reason,
    telling,
    transition,
)
from kpatch_tool.results.record import PatchRecord, RunRecord
from kpatch_tool.suites.model import CaseResult, StateTests, SuiteStatus
from kpatch_tool.text import plural, state_name
from kpatch_tool.tree.model import ApplyStatus

_LOG_LINES = 80
_MOST_LOGS = 3 << 20  # characters of logs in one page
_MOST_PLACES = 40  # errors or warnings of one build
_CHANGES = {Change.WORSE: "✗ worse", Change.BETTER: "better", Change.CHANGED: "changed"}


class Logs:
    """The logs that a page holds, each once; those that would make it too large are only named."""

    def __init__(self) -> None:
        self._places: dict[tuple[Path, str], str] = {}
        self._size = 0

    def shown(self, path: Path, what: str, telling: str = "") -> str:
        """The part of the log around `telling`, folded under `what`; a link where the page has it already."""
        key = (path, telling)
        if key in self._places:
            return tag("p", link(self._places[key], f"{what}: as above"))
        found = excerpt(path, _LOG_LINES, telling)
        if found is None:
            return tag("p", f"{text(what)}: {tag('code', text(path))} (not there any more, or empty)", kind="dim")
        self._size += sum(map(len, found.lines))
        if self._size > _MOST_LOGS:
            return tag("p", f"{text(what)}: {tag('code', text(path))}", kind="dim")
        anchor = self._places[key] = f"log-{len(self._places) + 1}"
        whole = tag("p", f"whole log: {tag('code', text(path))}", kind="dim")
        return folded(f"{what} ({found.summary})", pre(found.lines) + whole, anchor)


def text_of(patch: PatchRecord) -> str:
    """How exact the patch's text is, and the lines that could not be decided."""
    exactness = f"{patch.exactness}: {patch.why}" if patch.why else str(patch.exactness)
    undecided = folded(plural(len(patch.ambiguous), "undecided line"), pre(patch.ambiguous))
    return definition("text", paragraph(exactness) + undecided, f"patch-{patch.number}-restore")


def applying(record: RunRecord, number: int) -> Iterator[str]:
    """How the patch called `number` was applied, as markup; nothing where it was not."""
    for patch in record.applied.patches if record.applied is not None else ():
        if patch.number == number:
            commit = f" {tag('code', text(patch.commit[:12]))}" if patch.commit else ""
            words = tag("p", f"{text(patch.status)}: {text(patch.why)}{commit}")
            details = pre(patch.details)
            if patch.status is not ApplyStatus.CONFLICT and len(patch.details) > 3:
                details = folded(plural(len(patch.details), "line"), details)
            hidden = paragraph("characters that a reader does not see", "finding") if patch.hidden else ""
            yield definition(
                "apply", words + details + hidden + pre(limited(patch.hidden, _MOST_PLACES)), f"patch-{number}-apply"
            )


def building(record: RunRecord, number: int, logs: Logs) -> Iterator[str]:
    """The builds of a state: what the compiler said, the modules, the log."""
    for build in record.builds:
        if build.patch == number:
            took = "cached" if build.cached else f"{build.seconds:.1f} s"
            yield paragraph(f"{build.status} ({took}): {build.why}")
            yield pre(limited(map(diagnostic_line, build.errors), _MOST_PLACES))
            fresh = record.new_warnings(build)
            if fresh:
                yield paragraph(plural(len(fresh), "new warning"), "finding")
                yield pre(limited(map(diagnostic_line, fresh), _MOST_PLACES))
            yield _modules(record, build)
            if build.status is not BuildStatus.OK or fresh:
                first = next((f"{found.file}:{found.line}" for found in (*build.errors, *fresh) if found.line), "")
                yield logs.shown(build.log, "make's output", first)
            else:
                yield tag("p", f"log: {tag('code', text(build.log))}", kind="dim")


def _modules(record: RunRecord, build: StateBuild) -> str:
    """The modules of a state beside those of the state before it and of the base."""
    base = record.base_build()
    previous = previous_built(record.builds, build.patch)
    rows = []
    for module in build.modules:
        cells = (f"{module.size} bytes", _change(module, previous), _change(module, base), module.sha256[:16])
        rows.append(row([tag("th", text(module.path), scope="row"), *map(cell, cells)]))
    if not rows:
        return ""
    before = (
        f"beside {state_name(previous.patch)}" if previous is not None and previous.patch else "beside the state before"
    )
    words = plural(len(rows), "module")
    if previous is not None and all(_sha(previous, module.path) == module.sha256 for module in build.modules):
        words += (
            f", byte for byte as after {state_name(previous.patch)}" if previous.patch else ", byte for byte the base's"
        )
    return folded(words, table("Modules", ["module", "size", before, "beside the base", "sha256"], rows))


def _change(module: Module, other: StateBuild | None) -> str:
    old = next((one for one in other.modules if one.path == module.path), None) if other is not None else None
    if old is None:
        return ""
    return "the same" if old.sha256 == module.sha256 else f"changed, {module.size - old.size:+d} bytes"


def _sha(build: StateBuild, path: str) -> str:
    return next((module.sha256 for module in build.modules if module.path == path), "")


def testing(record: RunRecord, number: int, logs: Logs) -> Iterator[str]:
    """The tests of a state, suite by suite: what differs from the base first, each with its log."""
    for tests in record.tests:
        if tests.patch == number:
            yield from _suite(record, tests, logs)


def _suite(record: RunRecord, tests: StateTests, logs: Logs) -> Iterator[str]:
    took = "results of an earlier run" if tests.cached else f"{tests.seconds:.1f} s"
    suite = tag("strong", text(tests.suite))
    yield tag("p", f"{suite} {text(tests.status)} ({took}): {text(tests.why)}")
    if tests.trace:
        yield folded("What the guest's kernel said", pre(tests.trace.splitlines()))
    deltas = record.deltas(tests)
    if deltas and tests.status is not SuiteStatus.OK and not tests.results:
        yield paragraph(f"None of the {plural(differing(deltas), 'case')} that the base reports was run.")
    elif deltas:
        yield _deltas(record, tests, deltas, logs)
    elif tests.status is SuiteStatus.OK and record.compared_with(tests) is not None:
        yield tag("p", f"Every case is as {link('patch-0', 'on the base')}.", kind="ok")
        return
    rows = [_result(result, tests) for result in tests.results]
    header = ["test", "case", "verdict", "s", "why"]
    yield folded(f"All results ({len(rows)})", table(f"Results of {tests.suite}", header, rows)) if rows else ""


def _deltas(record: RunRecord, tests: StateTests, deltas: Sequence[Delta], logs: Logs) -> str:
    """What differs, test by test, and whether it is this patch's; the logs of both states below each test."""
    header = ["change", "case", "base, now", "since", "sure", "why"]
    base, previous = record.base_tests(tests.suite), previous_tested(record.tests, tests)
    since = dict(zip(map(identity, deltas), record.suspects_of(deltas, tests), strict=True))
    before = {(one.test, one.case): str(one.verdict) for one in previous.results} if previous is not None else {}
    rows: list[str] = []
    by_test: dict[str, list[Delta]] = {}
    for delta in sorted(deltas, key=lambda delta: list(Change).index(delta.change)):
        by_test.setdefault(delta.test, []).append(delta)
    for test, own in by_test.items():
        for delta in own:
            known = previous is not None and before.get((delta.test, delta.case), ABSENT) == delta.now
            suspects = since[identity(delta)]
            earlier = previous.patch if previous and known else min(suspects[-1], tests.patch)
            rows.append(
                _delta(delta, f"{state_name(earlier)} or before" if earlier < tests.patch else blamed(suspects))
            )
        shown = _logs_of(test, telling(own), tests, base, logs)
        if shown:
            rows.append(row([tag("td", shown, colspan=str(len(header)), kind="log")]))
    return table(f"{tests.suite}: what differs from the base", header, rows)


def _logs_of(test: str, words: str, tests: StateTests, base: StateTests | None, logs: Logs) -> str:
    shown = []
    for state, title in ((tests, f"log of {test}"), (base, f"log of {test} on the base")):
        path = state.outputs.get(test) if state is not None else None
        if path is not None:
            shown.append(logs.shown(path, title, words))
    return "".join(shown)


def _delta(delta: Delta, since: str) -> str:
    words = (name(delta), transition(delta), since, f"{delta.confidence:.0%}", reason(delta))
    return row([cell(_CHANGES[delta.change], str(delta.change)), *map(cell, words)])


def _result(result: CaseResult, tests: StateTests) -> str:
    output = tests.outputs.get(result.test)
    where = f" {tag('code', text(output))}" if output is not None and not result.case else ""
    return row(
        [
            cell(result.test),
            cell(result.case),
            cell(result.verdict, str(result.verdict)),
            cell(f"{result.seconds:.1f}", "number"),
            tag("td", text(result.why) + where),
        ]
    )
