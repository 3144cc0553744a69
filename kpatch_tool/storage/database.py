"""The file of everything kpt keeps to answer from: .kpt/store.sqlite, its tables and how it survives trouble.

One writer at a time waits for the other (busy timeout); write-ahead logging keeps the file whole when a kpt is killed.
A file that is broken is set aside and a new one begun: what was kept can be found out again. kbuild.artifacts keeps
builds in it, results.store the results of tests and the records of runs.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from kpatch_tool.errors import MachineError
from kpatch_tool.progress import Progress, silent
from kpatch_tool.system import atomic, lock
from kpatch_tool.workspace import Workspace

FILE_NAME = "store.sqlite"
_BUSY_SECONDS = 30.0
Row = tuple[Any, ...]

# Entry n takes a store from user_version n to n + 1. Never edit one that was released: append.
_MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        "CREATE TABLE tests (key TEXT PRIMARY KEY, suite TEXT NOT NULL, kept_at TEXT NOT NULL, value TEXT NOT NULL)",
        "CREATE TABLE runs (id INTEGER PRIMARY KEY, series TEXT NOT NULL, started TEXT NOT NULL, value TEXT NOT NULL)",
        "CREATE INDEX runs_by_series ON runs (series, id)",
    ),
    (
        # What a verdict depends on stands beside it in words that can be searched; the key is made of all of it.
        # `config` is the sha256 of the configuration as it came out, `toolchain` names tools and flags.
        "CREATE TABLE builds (key TEXT PRIMARY KEY, tree TEXT NOT NULL, git_tree TEXT NOT NULL, arch TEXT NOT NULL, "
        "config TEXT NOT NULL, toolchain TEXT NOT NULL, status TEXT NOT NULL, kept_at TEXT NOT NULL, "
        "used_at TEXT NOT NULL, value TEXT NOT NULL)",
        "CREATE INDEX builds_by_git_tree ON builds (git_tree)",
        "ALTER TABLE tests ADD COLUMN suite_version TEXT NOT NULL DEFAULT ''",
        "ALTER TABLE tests ADD COLUMN accelerator TEXT NOT NULL DEFAULT ''",
        "ALTER TABLE tests ADD COLUMN status TEXT NOT NULL DEFAULT ''",
        "ALTER TABLE tests ADD COLUMN used_at TEXT NOT NULL DEFAULT ''",
        # One row of tests answers for every state with the same bytes.
        "CREATE TABLE tested (key TEXT NOT NULL, build TEXT NOT NULL, PRIMARY KEY (key, build)) WITHOUT ROWID",
    ),
)

_TOUCH = {
    "builds": "UPDATE builds SET used_at = ? WHERE key = ?",
    "tests": "UPDATE tests SET used_at = ? WHERE key = ?",
}
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


class Database:
    """The file of one workspace; use it as a context manager, from any thread. Nothing is opened or created before the
    first call.

    `note` is told when the file was found broken and set aside. Where the file may not be written, or the disk has no
    room for what SQLite puts beside it, what it holds can be read all the same. Every method raises MachineError, one
    line, when the disk is full, the file cannot be written, or another kpt keeps it busy for half a minute.
    """

    def __init__(self, workspace: Workspace, *, note: Progress = silent) -> None:
        self.path = workspace.state / FILE_NAME
        self._lock = workspace.lock("store")
        self._note = note
        self._connection: sqlite3.Connection | None = None
        self._one_at_a_time = threading.RLock()
        self._no_room = False  # so only a copy was opened

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; a later call opens it again."""
        with self._one_at_a_time:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def execute(self, statement: str, values: Sequence[object] = ()) -> list[Row]:
        """The rows that one statement gives; it is a transaction of its own."""
        return self.transaction([(statement, values)])

    def transaction(self, statements: Sequence[tuple[str, Sequence[object]]]) -> list[Row]:
        """Execute all `statements` or none; the rows of the last."""
        with self._one_at_a_time:
            try:
                return self._try(statements)
            except sqlite3.DatabaseError as error:
                if _code(error) not in _BROKEN:
                    raise self._machine_error(error) from error
            self._set_aside()
            with self._machine_errors():
                return self._try(statements)

    def touch(self, table: str, key: str) -> None:
        """Note that the row `key` of a table was of use. A disk that is full must not cost the answer."""
        with contextlib.suppress(MachineError):
            self.execute(_TOUCH[table], (now(), key))

    def shrink(self) -> None:
        """Give the room of removed rows back to the file system."""
        with self._one_at_a_time, self._machine_errors():
            if self._connection is None:
                self._connection = self._open()
            self._connection.execute("VACUUM")
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def _try(self, statements: Sequence[tuple[str, Sequence[object]]]) -> list[Row]:
        if self._connection is None:
            self._connection = self._open()
        rows: list[Row] = []
        with self._connection:
            for statement, values in statements:
                rows = self._connection.execute(statement, values).fetchall()
        return rows

    def _open(self) -> sqlite3.Connection:
        directory = next(path for path in self.path.parents if path.exists())
        if not all(os.access(path, os.W_OK) for path in (directory, self.path) if path.exists()):
            return self._open_copy()
        try:
            connection = self._open_file()
        except (sqlite3.OperationalError, MachineError):
            if not atomic.is_full(directory):
                raise
            self._no_room = True
            return self._open_copy()
        self._no_room = False
        return connection

    def _open_file(self) -> sqlite3.Connection:
        with atomic.machine_errors(self.path):
            self.path.parent.mkdir(parents=True, exist_ok=True)
        # Going over to write-ahead logging does not wait for another process that is doing the same.
        with lock.held(self._lock, wait_seconds=_BUSY_SECONDS), _opened(self.path, _BUSY_SECONDS) as connection:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = NORMAL")
            self._migrate(connection)
        return connection

    def _open_copy(self) -> sqlite3.Connection:
        """A copy in memory, of nothing where there is no file, that can only be read."""
        with _opened(":memory:") as copy:
            if self.path.exists():
                # Without a log of writes nobody writes, and SQLite need not make its files beside this one.
                asked = "" if self._has_log() else "&immutable=1"
                uri = f"{self.path.absolute().as_uri()}?mode=ro{asked}"
                with contextlib.closing(sqlite3.connect(uri, uri=True, timeout=_BUSY_SECONDS)) as there:
                    there.backup(copy)
            self._migrate(copy)
            copy.execute("PRAGMA query_only = ON")
        return copy

    def _has_log(self) -> bool:
        log = self.path.with_name(f"{FILE_NAME}-wal")
        return log.exists() and log.stat().st_size > 0

    def _migrate(self, connection: sqlite3.Connection) -> None:
        if _version(connection) == len(_MIGRATIONS):
            return
        connection.isolation_level = None  # transactions by hand: the module commits before a CREATE otherwise
        connection.execute("BEGIN IMMEDIATE")
        try:
            version = _version(connection)  # another kpt may have been first
            if version > len(_MIGRATIONS):
                what = "a newer kpt wrote this"
                raise MachineError(what, where=str(self.path), todo="update kpt, or remove the file")
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

    def _set_aside(self) -> None:
        """Rename a broken file, so that a new one takes its place; only if it still is broken once it is ours."""
        self.close()
        with lock.held(self._lock, wait_seconds=_BUSY_SECONDS), atomic.machine_errors(self.path):
            if not self._is_broken():
                return
            aside = self.path.with_name(f"{FILE_NAME}.broken-{time.strftime('%Y%m%d-%H%M%S')}")
            self.path.replace(aside)
            for suffix in ("-wal", "-shm"):
                self.path.with_name(FILE_NAME + suffix).unlink(missing_ok=True)
        self._note(f"the store of results was broken; it is now {aside.name}, and a new one was begun")

    def _is_broken(self) -> bool:
        if not self.path.exists():
            return False
        connection = sqlite3.connect(self.path, timeout=_BUSY_SECONDS)
        try:
            (answer,) = connection.execute("PRAGMA quick_check").fetchone()
        except sqlite3.DatabaseError as error:
            return _code(error) in _BROKEN
        finally:
            connection.close()
        return bool(answer != "ok")

    @contextlib.contextmanager
    def _machine_errors(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.DatabaseError as error:
            raise self._machine_error(error) from error

    def _machine_error(self, error: sqlite3.DatabaseError) -> MachineError:
        self.close()
        code = sqlite3.SQLITE_FULL if self._no_room else _code(error)
        what, todo = _TROUBLE.get(code, (str(error), "remove the file; only time is lost"))
        return MachineError(what, where=str(self.path), todo=todo)


def now() -> str:
    """This moment as the tables hold it: UTC, seconds, so that text order is the order of time."""
    return datetime.now(UTC).isoformat(timespec="seconds")


@contextlib.contextmanager
def _opened(path: Path | str, timeout: float = 0.0) -> Iterator[sqlite3.Connection]:
    """A connection for threads, closed where what is done with it first fails, be it by an interruption."""
    with contextlib.ExitStack() as stack:
        connection = sqlite3.connect(path, timeout=timeout, check_same_thread=False)
        stack.callback(connection.close)
        yield connection
        stack.pop_all()


def _version(connection: sqlite3.Connection) -> int:
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    return int(version)


def _code(error: sqlite3.Error) -> int:
    """The primary result code (sqlite.org/rescode.html); -1 where the module gives none."""
    code: int = getattr(error, "sqlite_errorcode", -1)
    return code & 0xFF if code >= 0 else code
