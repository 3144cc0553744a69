"""Verdicts kept over runs, in SQLite: results of tests under a key that stands for all they depend on
(suites.run.tests_key makes it), and records of runs.

One writer at a time waits for the other (busy timeout); write-ahead logging keeps the file whole when a kpt is killed.
What this machine failed at ("infra") is never kept: the next run tries again.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import sqlite3
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

from kpatch_tool import lock
from kpatch_tool.atomic import machine_errors
from kpatch_tool.errors import MachineError
from kpatch_tool.progress import Progress, silent
from kpatch_tool.results.codec import decode, encode
from kpatch_tool.results.record import RunRecord
from kpatch_tool.suites.model import StateTests
from kpatch_tool.workspace import Workspace

FILE_NAME = "store.sqlite"
_BUSY_SECONDS = 30.0
_KEPT_RUNS = 50  # of one series
T = TypeVar("T")

# Entry n takes a store from user_version n to n + 1. Never edit one that was released: append.
_MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        "CREATE TABLE tests (key TEXT PRIMARY KEY, suite TEXT NOT NULL, kept_at TEXT NOT NULL, value TEXT NOT NULL)",
        "CREATE TABLE runs (id INTEGER PRIMARY KEY, series TEXT NOT NULL, started TEXT NOT NULL, value TEXT NOT NULL)",
        "CREATE INDEX runs_by_series ON runs (series, id)",
    ),
)

_TROUBLE = {
    sqlite3.SQLITE_FULL: ("cannot write: the disk is full", "free some space and run the command again"),
    sqlite3.SQLITE_READONLY: ("cannot be written", "check the permissions of that file"),
    sqlite3.SQLITE_CANTOPEN: ("cannot be opened", "check the permissions of that directory"),
    sqlite3.SQLITE_PERM: ("cannot be opened", "check the permissions of that file"),
    sqlite3.SQLITE_IOERR: ("cannot be read or written", "check the disk and its free space"),
    sqlite3.SQLITE_BUSY: ("another kpt keeps it busy", "wait for it to end and run the command again"),
    sqlite3.SQLITE_LOCKED: ("another kpt keeps it busy", "wait for it to end and run the command again"),
}
_BROKEN = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})


class Store:
    """The store of one workspace; use it as a context manager. Nothing is opened or created before the first call.

    `note` is told when the file was found broken and set aside. Every method raises MachineError, one line, when the
    disk is full, the file cannot be written, or another kpt keeps it busy for half a minute.
    """

    def __init__(self, workspace: Workspace, *, note: Progress = silent) -> None:
        self.path = workspace.state / FILE_NAME
        self._lock = workspace.lock("store")
        self._note = note
        self._connection: sqlite3.Connection | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; a later call opens it again."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def tests(self, key: str, *, patch: int | None = None) -> StateTests | None:
        """What was kept for `key` (marked `cached`, for state `patch` where given), or None.

        Outputs whose files are gone are left out of it.
        """
        rows = self._execute("SELECT value FROM tests WHERE key = ?", (key,))
        found = _decoded(StateTests, rows[0][0]) if rows else None
        if found is None:
            return None
        return dataclasses.replace(
            found,
            patch=found.patch if patch is None else patch,
            cached=True,
            outputs={test: path for test, path in found.outputs.items() if path.exists()},
        )

    def keep_tests(self, key: str, tests: StateTests) -> None:
        """Keep `tests` for `key`, in place of what was there; not if this machine failed at them."""
        if tests.status == "infra":
            return
        value = json.dumps(encode(tests), separators=(",", ":"))
        self._execute("INSERT OR REPLACE INTO tests VALUES (?, ?, ?, ?)", (key, tests.suite, _now(), value))

    def record_run(self, record: RunRecord) -> None:
        """Keep a run for `kpt report`; the oldest ones of the series make room."""
        value = json.dumps(encode(record), separators=(",", ":"))
        started = record.started.isoformat()
        self._execute("INSERT INTO runs (series, started, value) VALUES (?, ?, ?)", (record.series, started, value))
        self._execute(
            "DELETE FROM runs WHERE series = ?1 AND id NOT IN "
            "(SELECT id FROM runs WHERE series = ?1 ORDER BY id DESC LIMIT ?2)",
            (record.series, _KEPT_RUNS),
        )

    def last_run(self, series: str) -> RunRecord | None:
        """The newest run of `series` that this version of kpt can read, or None."""
        rows = self._execute("SELECT value FROM runs WHERE series = ? ORDER BY id DESC", (series,))
        return next((record for (value,) in rows if (record := _decoded(RunRecord, value)) is not None), None)

    def last_series(self) -> str | None:
        """The name of the series that ran last, or None."""
        rows = self._execute("SELECT series FROM runs ORDER BY id DESC LIMIT 1", ())
        return str(rows[0][0]) if rows else None

    def _execute(self, statement: str, values: tuple[object, ...]) -> list[tuple[str]]:
        try:
            return self._try(statement, values)
        except sqlite3.DatabaseError as error:
            if _code(error) not in _BROKEN:
                raise self._machine_error(error) from error
        self._set_aside()
        with self._machine_errors():
            return self._try(statement, values)

    def _try(self, statement: str, values: tuple[object, ...]) -> list[tuple[str]]:
        if self._connection is None:
            self._connection = self._open()
        with self._connection:
            return self._connection.execute(statement, values).fetchall()

    def _open(self) -> sqlite3.Connection:
        with machine_errors(self.path):
            self.path.parent.mkdir(parents=True, exist_ok=True)
        # Going over to write-ahead logging does not wait for another process that is doing the same.
        with lock.held(self._lock, wait_seconds=_BUSY_SECONDS):
            connection = sqlite3.connect(self.path, timeout=_BUSY_SECONDS)
            try:
                connection.execute("PRAGMA journal_mode = WAL")
                connection.execute("PRAGMA synchronous = NORMAL")
                _migrate(connection, self.path)
            except BaseException:
                connection.close()
                raise
        return connection

    def _set_aside(self) -> None:
        """Rename a broken file, so that a new one takes its place; only if it still is broken once it is ours."""
        self.close()
        with lock.held(self._lock, wait_seconds=_BUSY_SECONDS), machine_errors(self.path):
            if not _is_broken(self.path):
                return
            aside = self.path.with_name(f"{FILE_NAME}.broken-{time.strftime('%Y%m%d-%H%M%S')}")
            self.path.replace(aside)
            for suffix in ("-wal", "-shm"):
                self.path.with_name(FILE_NAME + suffix).unlink(missing_ok=True)
        self._note(f"the store of results was broken; it is now {aside.name}, and a new one was begun")

    @contextlib.contextmanager
    def _machine_errors(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.DatabaseError as error:
            raise self._machine_error(error) from error

    def _machine_error(self, error: sqlite3.DatabaseError) -> MachineError:
        self.close()
        what, todo = _TROUBLE.get(_code(error), (str(error), "remove the file; only time is lost"))
        return MachineError(what, where=str(self.path), todo=todo)


def _migrate(connection: sqlite3.Connection, path: Path) -> None:
    if _version(connection) == len(_MIGRATIONS):
        return
    connection.isolation_level = None  # transactions by hand: the module commits before a CREATE otherwise
    connection.execute("BEGIN IMMEDIATE")
    try:
        version = _version(connection)  # another kpt may have been first
        if version > len(_MIGRATIONS):
            raise MachineError("a newer kpt wrote this", where=str(path), todo="update kpt, or remove the file")
        for statements in _MIGRATIONS[version:]:
            for statement in statements:
                connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {len(_MIGRATIONS)}")
        connection.execute("COMMIT")
    except BaseException:
        with contextlib.suppress(sqlite3.Error):
            connection.execute("ROLLBACK")
        raise
    finally:
        connection.isolation_level = "DEFERRED"


def _version(connection: sqlite3.Connection) -> int:
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    return int(version)


def _is_broken(path: Path) -> bool:
    if not path.exists():
        return False
    connection = sqlite3.connect(path, timeout=_BUSY_SECONDS)
    try:
        (answer,) = connection.execute("PRAGMA quick_check").fetchone()
    except sqlite3.DatabaseError as error:
        return _code(error) in _BROKEN
    finally:
        connection.close()
    return bool(answer != "ok")


def _code(error: sqlite3.Error) -> int:
    """The primary result code (sqlite.org/rescode.html); -1 where the module gives none."""
    code: int = getattr(error, "sqlite_errorcode", -1)
    return code & 0xFF if code >= 0 else code


def _decoded(kind: type[T], value: str) -> T | None:
    """A kept value, or None where it was written in a form this version does not know."""
    try:
        return decode(kind, json.loads(value))
    except ValueError:
        return None


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
