"""The JSON documents of apply, build, test and run, without the schema's version (cli.common.emit_json adds it).

Keys beyond the contract are additions that other programs may ignore.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from kpatch_tool.depend import render
from kpatch_tool.kbuild.model import (
    Diagnostic,
    Module,
    ModuleChange,
    StateBuild,
    Uncompiled,
    module_changes,
    new_warnings,
    previous_built,
)
from kpatch_tool.results.deltas import HALF_SURE, Delta, compare, previous_tested
from kpatch_tool.results.record import Cell, RunRecord
from kpatch_tool.results.repeats import noise_between
from kpatch_tool.suites.model import StateTests
from kpatch_tool.tree.model import ApplyOutcome

Document = dict[str, Any]


def apply_document(outcome: ApplyOutcome) -> Document:
    """What `kpt apply --json` prints."""
    return {
        "tree": outcome.tree,
        "base": outcome.base,
        "branch": outcome.branch,
        "head": outcome.head,
        "patches": [
            {
                "number": patch.number,
                "subject": patch.subject,
                "status": str(patch.status),
                "exactness": str(patch.exactness),
                "commit": patch.commit,
                "files": [{"path": file.path, "blob": file.blob} for file in patch.files],
                "why": patch.why,
                "details": list(patch.details),
                "hidden": list(patch.hidden),
            }
            for patch in outcome.patches
        ],
    }


def build_document(
    builds: Sequence[StateBuild],
    arch: str,
    *,
    earlier: Sequence[StateBuild] = (),
    uncompiled: Sequence[Uncompiled] = (),
) -> Document:
    """What `kpt build --json` prints. Each state is compared with the base and with the nearest state before it that
    was built, both among `builds` and `earlier`, what is known of the states before the first. `not_compiled`:
    `uncompiled`, the source files that each patch changes and its build does not compile."""
    known = (*earlier, *builds)
    base = next((build for build in known if build.patch == 0), None)
    states = [_state_build(build, base, previous_built(known, build.patch)) for build in builds]
    unread = [{"patch": one.patch, "files": [*one.files]} for one in uncompiled]
    return {"arch": arch, "states": states, "not_compiled": unread}


def tests_document(states: Sequence[StateTests]) -> Document:
    """What `kpt test --json` prints. Each state is compared with the base's results of its suite among `states`."""
    known = {tests.suite: tests for tests in states if tests.patch == 0}
    return {"states": [_state_tests(tests, known.get(tests.suite), previous_tested(states, tests)) for tests in states]}


def run_document(record: RunRecord) -> Document:
    """What `kpt run --json` and `kpt report --format json` print: the documents of the stages under their names."""
    return {
        "series": record.series,
        "title": record.title,
        "revision": record.revision,
        "tree": record.tree,
        "base": record.base,
        "arch": record.arch,
        "config": list(record.config),
        "accelerator": record.accelerator,
        "started": record.started.isoformat(timespec="seconds"),
        "seconds": round(record.seconds, 1),
        "sentence": record.sentence,
        "exit_status": record.exit_status,
        "problems": list(record.problems),
        "patches": [
            {
                "number": patch.number,
                "subject": patch.subject,
                "author": patch.author,
                "exactness": str(patch.exactness),
                "why": patch.why,
                "ambiguous": list(patch.ambiguous),
                "stages": _stages(record, patch.number),
            }
            for patch in record.patches
        ],
        "base_stages": _stages(record, 0),
        "deps": render.document(record.dependencies),
        "apply": None if record.applied is None else apply_document(record.applied),
        "build": build_document(record.builds, record.arch, uncompiled=record.uncompiled),
        "test": tests_document(record.tests),
    }


def _state_build(build: StateBuild, base: StateBuild | None, previous: StateBuild | None) -> Document:
    fresh = new_warnings(build, base) if base is not None and build.patch != 0 else ()
    own = new_warnings(build, previous) if previous is not None else ()
    beside = {name: _changes(build, other) for name, other in (("base", base), ("previous", previous))}
    return {
        "patch": build.patch,
        "commit": build.commit,
        "status": str(build.status),
        "seconds": round(build.seconds, 2),
        "cached": build.cached,
        "previous": None if previous is None else previous.patch,
        "image": None if build.image is None else _module(build.image, beside),
        "modules": [_module(module, beside) for module in build.modules],
        "vanished_modules": [change.path for change in beside["previous"].values() if not change.present],
        "errors": [_place(error) for error in build.errors],
        "new_warnings": [_warning(warning) for warning in fresh],
        "new_warnings_previous": [_warning(warning) for warning in own],
        "log": str(build.log),
        "why": build.why,
    }


def _changes(build: StateBuild, other: StateBuild | None) -> dict[str, ModuleChange]:
    """The files of `build` beside `other`'s, by path; none for the base beside itself."""
    if other is None or build.patch == 0:
        return {}
    return {change.path: change for change in module_changes(build, other)}


def _module(module: Module, beside: dict[str, dict[str, ModuleChange]]) -> Document:
    """`base` and `previous` are null where there is nothing to compare with."""
    row: Document = {"path": module.path, "sha256": module.sha256, "size": module.size}
    for name, changes in beside.items():
        change = changes.get(module.path)
        row[name] = None if change is None else _change(change)
    return row


def _change(change: ModuleChange) -> Document:
    return {"same": change.same, "size_change": change.growth, "new": not change.was_present}


def _warning(found: Diagnostic) -> Document:
    return {**_place(found), "option": found.option}


def _place(found: Diagnostic) -> Document:
    return {"file": found.file, "line": found.line, "message": found.message}


def _state_tests(tests: StateTests, base: StateTests | None, previous: StateTests | None) -> Document:
    deltas = _compared(tests, base) if base is not None and tests.patch != 0 else ()
    own = _compared(tests, previous) if previous is not None else ()
    if base is not None and previous is not None:
        no_verdict = noise_between(previous, tests, base)
        own = tuple(replace(delta, confidence=HALF_SURE) if no_verdict(delta) else delta for delta in own)
    return {
        "patch": tests.patch,
        "suite": tests.suite,
        "status": tests.status,
        "seconds": round(tests.seconds, 2),
        "cached": tests.cached,
        "why": tests.why,
        "trace": tests.trace,
        "results": [
            {
                "test": result.test,
                "case": result.case,
                "status": str(result.verdict),
                "seconds": round(result.seconds, 2),
                "why": result.why,
            }
            for result in tests.results
        ],
        "deltas": [_delta(delta, "base") for delta in deltas],
        "previous": None if previous is None else previous.patch,
        "deltas_previous": [_delta(delta, "previous") for delta in own],
        "same_as": tests.same_as,
        "outputs": {test: str(path) for test, path in tests.outputs.items()},
    }


def _compared(tests: StateTests, other: StateTests) -> tuple[Delta, ...]:
    """How they differ. Of a state that was not tested each test stands for its cases, which are all gone with it."""
    return tuple(delta for delta in compare(tests, other) if tests.results or not delta.case)


def _delta(delta: Delta, against: str) -> Document:
    return {
        "test": delta.test,
        "case": delta.case,
        against: delta.base,
        "now": delta.now,
        "confidence": delta.confidence,
        "change": str(delta.change),
        "why": delta.why,
        "follows": delta.follows,
    }


def _stages(record: RunRecord, patch: int) -> Document:
    return {str(cell.stage): _cell(cell) for cell in record.cells if cell.patch == patch}


def _cell(cell: Cell) -> Document:
    return {"outcome": str(cell.outcome), "text": cell.text, "why": cell.why}
