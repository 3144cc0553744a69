"""The index of some mailboxes on disk: one SQLite file below .kpt/cache/mail/.

Written in steps, each a transaction that also says how far a file is read: a killed run goes on where it was. Messages
are numbered in the order they were read, from 1; a row of `batch` holds the numbers that mail/index_scan.py says of
some hundred of them, as arrays (a row a message took longer to write than the mail to read). Everything else follows
from them and is made anew when there are more of them (series/mailboxes/indexed.py: `chunk`, `member`, `posting`). What
is in the file can always be made again, so a broken one is thrown away.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

from kpatch_tool.errors import MachineError
from kpatch_tool.mail.index_scan import Batch
from kpatch_tool.system import atomic, lock

VERSION = 8
_PATIENCE = 3600.0  # seconds that another kpt may take to index the same mailboxes
_PAGE = 16 << 10  # bytes; with SQLite's 4 KiB, written twice and one by one, a run makes four times as many calls
_ROWS = 50  # rows taken at once: a batch's have some ten KiB each
_CACHE = 4 << 10  # KiB that SQLite keeps of the file
_SCHEMA = """
CREATE TABLE file (
  id INTEGER PRIMARY KEY, path TEXT UNIQUE, kind TEXT, strict INTEGER, size INTEGER, mtime INTEGER, inode INTEGER,
  head BLOB, tail BLOB, read_to INTEGER, last INTEGER, whole INTEGER, why TEXT,
  answers INTEGER DEFAULT 0);
CREATE TABLE batch (
  first INTEGER PRIMARY KEY, messages INTEGER, file INTEGER, spans BLOB, own BLOB, parents BLOB);
CREATE TABLE post (
  id INTEGER PRIMARY KEY, kind INTEGER, number INTEGER, total INTEGER, revision INTEGER, diff INTEGER, named INTEGER,
  record BLOB);
CREATE TABLE grouped (messages INTEGER, copies INTEGER);
CREATE TABLE chunk (first INTEGER PRIMARY KEY, roots BLOB);
CREATE TABLE member (root INTEGER, post INTEGER, place INTEGER, PRIMARY KEY (root, post)) WITHOUT ROWID;
CREATE TABLE posting (
  number INTEGER PRIMARY KEY, sent REAL, place INTEGER, date TEXT, title TEXT, revision INTEGER, name TEXT, email TEXT,
  patches TEXT, total INTEGER, cover INTEGER, message_id TEXT, roots TEXT);
"""
_FULL = {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR}
_BROKEN = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}


@dataclass(frozen=True, slots=True)
class FileRow:
    """A file as it was when it was read."""

    path: str
    kind: str  # "mbox", "packed" (a compressed mbox), "mail" (one mail) or "other" (a page, a patch)
    size: int
    mtime: int
    inode: int
    head: bytes  # hashes of its first bytes,
    tail: bytes = b""  # and of those before `read_to`
    strict: bool = False  # as in mail/mbox.py
    read_to: int = 0  # the offset up to which it is indexed
    last: int = 0  # where its last mail begins
    whole: bool = False  # its end was reached
    why: str = ""  # it holds no mail
    id: int = 0


class Numbers(NamedTuple):
    """The numbers of a batch (index_scan.Batch), the first of whose messages is `first`."""

    first: int
    own: array[int]
    parents: array[int]


@dataclass(frozen=True, slots=True)
class Span:
    """Where a message lies: `length` bytes of the file from `start`."""

    file: int
    start: int
    length: int
    part: int  # which of the mails enclosed there, 0: the mail itself


def alone(path: Path) -> contextlib.AbstractContextManager[object]:
    """Keep other kpt from changing the index at `path`; waits for one that does."""
    return lock.held(path.with_suffix(".lock"), wait_seconds=_PATIENCE)


class IndexFile:
    """The SQLite file; a context manager.

    Raises MachineError, one line, when the disk is full or the file cannot be written.
    """

    def __init__(self, path: Path, *, read_only: bool = False) -> None:
        self.path = path
        self._depth = 0
        with _trouble(path):
            if read_only:
                self._connection = sqlite3.connect(
                    f"{path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None
                )
            else:
                self._connection = _opened(path)
            self._connection.execute(f"PRAGMA cache_size = -{_CACHE}")
            self._connection.execute(f"PRAGMA temp.cache_size = -{_CACHE}")
            self._connection.execute("PRAGMA temp_store = FILE")
            if not read_only and self._version() == 0:
                self._connection.executescript(f"BEGIN; {_SCHEMA} PRAGMA user_version = {VERSION}; COMMIT;")
            self._others = self._data_version()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file."""
        self._connection.close()

    def _version(self) -> int:
        return int(self._connection.execute("PRAGMA user_version").fetchone()[0])

    def _data_version(self) -> int:
        return int(self._connection.execute("PRAGMA data_version").fetchone()[0])

    def changed_by_others(self) -> bool:
        """Whether another kpt has changed the file since it was opened."""
        return self._data_version() != self._others

    def files(self) -> list[FileRow]:
        """The files of the index, in the order they were first read."""
        rows = self._connection.execute(
            "SELECT path, kind, size, mtime, inode, head, tail, strict, read_to, last, whole, why, id FROM file"
            " ORDER BY id"
        )
        return [FileRow(*row) for row in rows]

    def forget(self) -> None:
        """Drop everything."""
        with self.transaction():
            for table in ("file", "batch", "post", "grouped", "chunk", "member", "posting"):
                self._connection.execute(f"DELETE FROM {table}")

    def forget_last(self, file: FileRow) -> bool:
        """Drop the last mail of a file, which may have been cut; False where messages of another file follow it."""
        with self.transaction():
            batches = list(self.rows("SELECT first, file, spans FROM batch ORDER BY first DESC LIMIT 1"))
            if not batches or batches[0][1] != file.id:
                return False
            ((first, _, spans),) = batches
            starts = _array(spans)[0::3]
            left = bisect_left(starts, file.last)
            if left == len(starts) or starts[left] != file.last:
                return False
            if left:
                ((own, parents),) = self.rows("SELECT own, parents FROM batch WHERE first = ?", (first,))
                named = _array(parents)
                of_left = 2 * bisect_left(named[1::2], left)
                self.change(
                    "UPDATE batch SET messages = ?, spans = ?, own = ?, parents = ? WHERE first = ?",
                    [(left, spans[: left * 24], own[: left * 8], named[:of_left].tobytes(), first)],
                )
            else:
                self.change("DELETE FROM batch WHERE first = ?", [(first,)])
            self.change("DELETE FROM post WHERE id >= ?", [(first + left,)])
            self._connection.execute("UPDATE file SET read_to = last, whole = 0 WHERE id = ?", (file.id,))
            self._connection.execute("DELETE FROM grouped")
        return True

    def put_file(self, file: FileRow) -> int:
        """Write what is known of a file; its id."""
        columns = (
            "path",
            "kind",
            "size",
            "mtime",
            "inode",
            "head",
            "tail",
            "strict",
            "read_to",
            "last",
            "whole",
            "why",
        )
        names, excluded = ", ".join(columns), ", ".join(f"excluded.{name}" for name in columns)
        with self.transaction():
            self._connection.execute(
                f"INSERT INTO file ({names}) VALUES (?,?,?,?,?,?,?,?,?,?,?,?)"
                f" ON CONFLICT (path) DO UPDATE SET ({names}) = ({excluded})",
                (file.path, file.kind, file.size, file.mtime, file.inode, file.head, file.tail, file.strict,
                 file.read_to, file.last, file.whole, file.why),
            )  # fmt: skip
            return int(self.row("SELECT id FROM file WHERE path = ?", (file.path,))[0])

    def add(self, file: int, batch: Batch) -> Numbers:
        """Add the mails of a batch, and that the file is read up to its end."""
        with self.transaction():
            self._connection.execute("DELETE FROM grouped")
            base = self.messages() + 1
            if batch:
                self._connection.execute(
                    "INSERT INTO batch VALUES (?,?,?,?,?,?)",
                    (base, len(batch), file, batch.spans.tobytes(), batch.own.tobytes(), batch.parents.tobytes()),
                )
            self._connection.executemany(
                "INSERT INTO post VALUES (?,?,?,?,?,?,?,?)", ((base + place, *rest) for place, *rest in batch.posts)
            )
            self._connection.execute(
                "UPDATE file SET read_to = ?, last = ?, answers = answers | ? WHERE id = ?",
                (batch.end, batch.last, batch.answers, file),
            )
        return Numbers(base, batch.own, batch.parents)

    def messages(self) -> int:
        """How many messages there are; they are numbered from 1."""
        return int(next(self.rows("SELECT first + messages - 1 FROM batch ORDER BY first DESC LIMIT 1"), (0,))[0])

    def parents(self) -> int:
        """How many ids all messages name that they answer."""
        return int(self.row("SELECT coalesce(sum(length(parents)), 0) FROM batch")[0]) // 16

    def numbers(self) -> Iterator[Numbers]:
        """The ids of all messages and of those they answer, in the order they were read."""
        for first, own, parents in self.rows("SELECT first, own, parents FROM batch ORDER BY first"):
            yield Numbers(first, _array(own), _array(parents))

    def spans(self, wanted: Callable[[int], bool]) -> Iterator[Span]:
        """Where the messages lie whose numbers are wanted, in the order they were read."""
        for first, messages, file, data in self.rows("SELECT first, messages, file, spans FROM batch ORDER BY first"):
            spans: array[int] | None = None
            for place in range(messages):
                if wanted(first + place):
                    spans = spans or _array(data)
                    yield Span(file, *spans[place * 3 : place * 3 + 3])

    def rows(self, query: str, values: Sequence[object] = ()) -> Iterator[tuple[Any, ...]]:
        """What a query gives, row by row."""
        with _trouble(self.path):
            # Not `yield from` the cursor: a reader that stops early would have it closed, maybe after the file.
            cursor = self._connection.execute(query, values)
            while rows := cursor.fetchmany(_ROWS):
                yield from rows

    def row(self, query: str, values: Sequence[object] = ()) -> tuple[Any, ...]:
        """The first row a query gives; the query gives one."""
        return next(iter(self.rows(query, values)))

    def change(self, statement: str, rows: Iterable[Sequence[object]] = ((),)) -> None:
        """Run a statement once for every row of values."""
        with _trouble(self.path):
            self._connection.executemany(statement, rows)

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """What the block changes is there as a whole or not at all. Blocks may be nested: the outermost one counts."""
        with _trouble(self.path):
            if self._depth == 0:
                self._connection.execute("BEGIN IMMEDIATE")
            self._depth += 1
            try:
                yield
                if self._depth == 1:
                    self._connection.execute("COMMIT")
            except BaseException:
                if self._depth == 1:
                    with contextlib.suppress(sqlite3.Error):
                        self._connection.execute("ROLLBACK")
                raise
            finally:
                self._depth -= 1


def _opened(path: Path) -> sqlite3.Connection:
    """The file, new where there is none or a broken one or one of another version."""
    with atomic.machine_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    for _ in range(2):
        connection = sqlite3.connect(path, isolation_level=None, timeout=30)
        try:
            version = connection.execute("PRAGMA user_version").fetchone()[0]
            connection.execute(f"PRAGMA page_size = {_PAGE}")
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = NORMAL")
            if version in (0, VERSION):
                return connection
        except sqlite3.DatabaseError as error:
            if error.sqlite_errorcode & 0xFF not in _BROKEN:
                connection.close()
                raise
        connection.close()
        for name in (path, *(path.with_name(path.name + suffix) for suffix in ("-wal", "-shm"))):
            name.unlink(missing_ok=True)
    return sqlite3.connect(path, isolation_level=None, timeout=30)


def _array(data: bytes) -> array[int]:
    numbers = array("q")
    numbers.frombytes(data)
    return numbers


@contextlib.contextmanager
def _trouble(path: Path) -> Iterator[None]:
    """SQLite's refusals as one MachineError."""
    try:
        yield
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        place = str(path)
        if code in _FULL:
            raise _no_room(path) from error
        todo = "remove that file and run the command again" if code in _BROKEN else "check the permissions"
        raise MachineError(f"the index of mail cannot be used: {error}", where=place, todo=todo) from error


def _no_room(path: Path) -> MachineError:
    """What is full: the place of the index, or the one where SQLite sorts, whose files are gone by now."""
    what = "cannot write: the disk is full"
    scratch = _scratch()
    if scratch.stat().st_dev == path.parent.stat().st_dev or atomic.is_full(path.parent):
        return MachineError(what, where=str(path), todo="free some space")
    return MachineError(what, where=str(scratch), todo="free some space, or set TMPDIR to another place")


def _scratch() -> Path:
    """The directory of SQLite's temporary files (sqlite.org/tempfiles.html)."""
    named = (os.environ.get(name) for name in ("SQLITE_TMPDIR", "TMPDIR"))
    places = (Path(name) for name in (*named, "/var/tmp", "/usr/tmp", "/tmp") if name)
    return next((place for place in places if place.is_dir() and os.access(place, os.W_OK | os.X_OK)), Path())
