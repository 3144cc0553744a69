"""The JSON documents of the contract, without the schema's version (cli.common.emit_json adds it).

Keys beyond the contract are additions that other programs may ignore.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from kpatch_tool.depend import render
from kpatch_tool.kbuild.model import Diagnostic, StateBuild, new_warnings
from kpatch_tool.results.deltas import Delta, compare
from kpatch_tool.results.record import Cell, RunRecord
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


def build_document(builds: Sequence[StateBuild], arch: str, *, base: StateBuild | None = None) -> Document:
    """What `kpt build --json` prints; warnings are new against `base` (where left out: the base's among `builds`)."""
    base = base or next((build for build in builds if build.patch == 0), None)
    return {"arch": arch, "states": [_state_build(build, base) for build in builds]}


def tests_document(states: Sequence[StateTests], bases: Iterable[StateTests] | None = None) -> Document:
    """What `kpt test --json` prints. Each state is compared with the results of its suite in `bases` (where left
    out: the base's among `states`)."""
    known = {tests.suite: tests for tests in (states if bases is None else bases) if tests.patch == 0}
    return {"states": [_state_tests(tests, known.get(tests.suite)) for tests in states]}


def run_document(record: RunRecord) -> Document:
    """What `kpt run --json` and `kpt report --format json` print: the documents of the stages under their names."""
    return {
        "series": record.series,
        "title": record.title,
        "revision": record.revision,
        "tree": record.tree,
        "base": record.base,
        "arch": record.arch,
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
        "build": build_document(record.builds, record.arch),
        "test": tests_document(record.tests),
    }


def _state_build(build: StateBuild, base: StateBuild | None) -> Document:
    fresh = new_warnings(build, base) if base is not None and build.patch != 0 else ()
    return {
        "patch": build.patch,
        "commit": build.commit,
        "status": str(build.status),
        "seconds": round(build.seconds, 2),
        "cached": build.cached,
        "modules": [{"path": module.path, "sha256": module.sha256, "size": module.size} for module in build.modules],
        "errors": [_place(error) for error in build.errors],
        "new_warnings": [{**_place(warning), "option": warning.option} for warning in fresh],
        "log": str(build.log),
        "why": build.why,
    }


def _place(found: Diagnostic) -> Document:
    return {"file": found.file, "line": found.line, "message": found.message}


def _state_tests(tests: StateTests, base: StateTests | None) -> Document:
    deltas = compare(tests, base) if base is not None and tests.patch != 0 else ()
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
        "deltas": [_delta(delta) for delta in deltas],
        "outputs": {test: str(path) for test, path in tests.outputs.items()},
    }


def _delta(delta: Delta) -> Document:
    return {
        "test": delta.test,
        "case": delta.case,
        "base": delta.base,
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
