"""Verdicts kept over runs: results of tests under a key that stands for all they depend on (suites.run.tests_key makes
it), and records of runs. What this machine failed at ("infra") is never kept: the next run tries again. Paths are kept
relative to the workspace, which may be moved.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

from kpatch_tool.kbuild.model import StateBuild
from kpatch_tool.progress import Progress, silent
from kpatch_tool.results.codec import decode, encode
from kpatch_tool.results.deltas import emulator_died
from kpatch_tool.results.record import RunRecord
from kpatch_tool.storage.database import Database, now
from kpatch_tool.suites.model import StateTests, SuiteStatus
from kpatch_tool.system import lock
from kpatch_tool.workspace import Workspace

_KEPT_RUNS = 50  # of one series
_FORMAT = "format"
_RUN_FORMAT = 3  # of records of runs; raised where one that was kept before would be misread
T = TypeVar("T")


@dataclasses.dataclass(frozen=True, slots=True)
class Origin:
    """What results of tests are of, in words that `kpt results` can search: the key of the build that ran, the
    suite's version, the accelerator."""

    build: str = ""
    suite_version: str = ""
    accelerator: str = ""


class Store:
    """Results and runs in the store of one workspace; use it as a context manager. Nothing is opened or created before
    the first call.

    Raises what kpatch_tool.storage.database.Database does; `note` as there.
    """

    def __init__(self, workspace: Workspace, *, note: Progress = silent) -> None:
        self._workspace = workspace
        self._database = Database(workspace, note=note)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def path(self) -> Path:
        """The file."""
        return self._database.path

    def close(self) -> None:
        """Close the file; a later call opens it again."""
        self._database.close()

    def tests(self, key: str, *, patch: int | None = None) -> StateTests | None:
        """What was kept for `key` (marked `cached`, for state `patch` where given), or None.

        Outputs whose files are gone are left out of it.
        """
        rows = self._database.execute("SELECT value FROM tests WHERE key = ?", (key,))
        found = _decoded(StateTests, rows[0][0]) if rows else None
        if found is None:
            return None
        self._database.touch("tests", key)
        found = _tests_moved(found, self._workspace.absolute)
        for directory in {path.parent for path in found.outputs.values()}:
            lock.pin(directory)
            with contextlib.suppress(OSError):  # those used last are removed last
                os.utime(directory)
        return dataclasses.replace(
            found,
            patch=found.patch if patch is None else patch,
            cached=True,
            outputs={test: path for test, path in found.outputs.items() if path.exists()},
        )

    def keep_tests(self, key: str, tests: StateTests, origin: Origin = Origin()) -> None:
        """Keep `tests` for `key`, in place of what was there; not if this machine failed at them, or its emulator died
        under one: on the base that would hide what a patch does to this test from then on."""
        if tests.status is SuiteStatus.INFRA or any(emulator_died(result) for result in tests.results):
            return
        moment = now()
        value = json.dumps(encode(_tests_moved(tests, self._workspace.relative)), separators=(",", ":"))
        self._database.execute(
            "INSERT OR REPLACE INTO tests (key, suite, kept_at, value, suite_version, accelerator, status, used_at) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (key, tests.suite, moment, value, origin.suite_version, origin.accelerator, tests.status, moment),
        )

    def forget_tests(self, key: str) -> None:
        """Keep nothing for `key` any more."""
        self._database.execute("DELETE FROM tests WHERE key = ?", (key,))

    def answered(self, key: str, build: str) -> None:
        """Note that the tests kept for `key` are those of the build `build` (its key), too."""
        self._database.execute("INSERT OR IGNORE INTO tested VALUES (?, ?)", (key, build))

    def record_run(self, record: RunRecord) -> None:
        """Keep a run for `kpt report`; the oldest ones of the series make room."""
        found = {_FORMAT: _RUN_FORMAT, **encode(_run_moved(record, self._workspace.relative))}
        value = json.dumps(found, separators=(",", ":"))
        started = record.started.isoformat()
        self._database.execute(
            "INSERT INTO runs (series, started, value) VALUES (?, ?, ?)", (record.series, started, value)
        )
        self._database.execute(
            "DELETE FROM runs WHERE series = ?1 AND id NOT IN "
            "(SELECT id FROM runs WHERE series = ?1 ORDER BY id DESC LIMIT ?2)",
            (record.series, _KEPT_RUNS),
        )

    def last_run(self, series: str) -> RunRecord | None:
        """The newest run of `series` that this version of kpt can read, or None."""
        rows = self._database.execute("SELECT id FROM runs WHERE series = ? ORDER BY id DESC", (series,))
        for (number,) in rows:  # a record may have megabytes
            found = self._run(number)
            if found is not None:
                return _run_moved(found, self._workspace.absolute)
        return None

    def _run(self, number: int) -> RunRecord | None:
        rows = self._database.execute("SELECT value FROM runs WHERE id = ?", (number,))
        return _decoded(RunRecord, rows[0][0], _RUN_FORMAT) if rows else None

    def has_runs(self, series: str) -> bool:
        """Whether a run of `series` is kept, be it in a form that this version of kpt cannot read."""
        return bool(self._database.execute("SELECT 1 FROM runs WHERE series = ? LIMIT 1", (series,)))

    def last_series(self) -> str | None:
        """The name of the series that ran last, or None."""
        rows = self._database.execute("SELECT series FROM runs ORDER BY id DESC LIMIT 1", ())
        return str(rows[0][0]) if rows else None


def _tests_moved(tests: StateTests, move: Callable[[Path], Path]) -> StateTests:
    """`tests` with `move` of every path in it."""
    return dataclasses.replace(tests, outputs={test: move(path) for test, path in tests.outputs.items()})


def _run_moved(record: RunRecord, move: Callable[[Path], Path]) -> RunRecord:
    return dataclasses.replace(
        record,
        builds=tuple(_build_moved(build, move) for build in record.builds),
        tests=tuple(_tests_moved(tests, move) for tests in record.tests),
    )


def _build_moved(build: StateBuild, move: Callable[[Path], Path]) -> StateBuild:
    artifacts = None if build.artifacts is None else move(build.artifacts)
    return dataclasses.replace(build, log=move(build.log), artifacts=artifacts)


def _decoded(kind: type[T], value: str, form: int | None = None) -> T | None:
    """A kept value, or None where it was written in a form this version does not know: another one than `form`, or
    one that does not fit."""
    try:
        data = json.loads(value)
        return decode(kind, data) if form is None or data[_FORMAT] == form else None
    except (ValueError, KeyError, TypeError):
        return None
