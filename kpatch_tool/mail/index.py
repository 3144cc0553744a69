"""Keep the index of mailboxes up to date: what is new in them is read, what was read before is not."""

from __future__ import annotations

import gc
import gzip
import lzma
import re
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from hashlib import blake2b
from itertools import groupby
from pathlib import Path
from typing import BinaryIO

from kpatch_tool.errors import InputError
from kpatch_tool.mail import mbox, read
from kpatch_tool.mail.index_scan import STRETCH, Batch, Judge, Scanner
from kpatch_tool.mail.index_store import FileRow, IndexFile, Numbers, Span, alone
from kpatch_tool.mail.xz import XzFile
from kpatch_tool.progress import Progress
from kpatch_tool.system import magic, parallel

_SNIFFED = 1 << 16  # bytes in which a file says what it is, and of which `head` and `tail` are hashes
_LARGEST = 64 << 20  # bytes of a file that is no mbox
_WORTH_IT = 3  # stretches of a file from which more than one process read it
_AT_ONCE = 500  # files of a Maildir that are written together
_JUNK = re.compile(rb"(?>(?:\xef\xbb\xbf|\s)*)")


def path_of(cache: Path, sources: Sequence[str]) -> Path:
    """Where the index of these sources lies below the workspace's cache."""
    names = "\0".join(str(Path(source).absolute()) for source in sources)
    return cache / "mail" / f"{blake2b(names.encode('utf-8', 'surrogateescape'), digest_size=10).hexdigest()}.sqlite"


def update(
    path: Path,
    sources: Sequence[str],
    judge: Judge,
    progress: Progress,
    *,
    count: int = 0,
    added: Callable[[Numbers], None] | None = None,
) -> IndexFile:
    """Bring the index at `path` up to date with its sources (mailboxes, compressed or not, and Maildirs), and open it.

    `count` processes read (0: as many as the machine has processors); meanwhile `added` is told what they found, a
    batch at a time. Two kpt may do this at once: the second waits.
    Raises InputError where a source cannot be read, or is a file that holds no mail.
    """
    files = [file for source in sources for file in _files(source)]
    with alone(path):
        index = IndexFile(path)
        try:
            _update(index, files, _Reader(judge, progress, count or parallel.processes(), added))
        except FileNotFoundError as error:  # since it was listed
            index.close()
            raise _unreadable(Path(error.filename or path), error) from error
        except BaseException:
            index.close()
            raise
    return index


@dataclass(frozen=True, slots=True)
class _File:
    """A file to be indexed. `alone` where it was named itself; `maildir` where it is one of a Maildir."""

    path: Path
    alone: bool = True
    maildir: bool = False


def _files(source: str) -> Iterator[_File]:
    if not source:
        raise InputError("the name of a source is empty", todo="give a mailbox (mbox, also compressed) or a Maildir")
    path = Path(source)
    try:
        if path.is_file():
            yield _File(path.absolute())
            return
        if not path.is_dir():
            what = "this is not a file" if path.exists() else "no such file or directory"
            raise InputError(what, where=source, todo="give a mailbox (mbox, also compressed) or a Maildir")
        boxes = [path / name for name in ("cur", "new") if (path / name).is_dir()]
        maildir = len(boxes) == 2
        found = sorted(
            (one for box in (boxes if maildir else [path]) for one in box.iterdir()), key=lambda one: one.name
        )
        for one in found:
            if one.is_file() and not one.name.startswith("."):
                yield _File(one.absolute(), alone=False, maildir=maildir)
    except OSError as error:
        raise InputError(f"cannot read: {(error.strerror or 'unreadable').lower()}", where=source) from error


def _update(index: IndexFile, files: Sequence[_File], reader: _Reader) -> None:
    # A mail program moves the mails of a Maildir whenever it likes: those are found by the next run.
    files = [file for file in files if not file.maildir or file.path.exists()]
    known = {row.path: row for row in index.files()}
    if not known.keys() <= {str(file.path) for file in files}:
        index.forget()
        known = {}
    work = [(file, known.get(str(file.path))) for file in files]
    pending = [(file, row) for file, row in work if row is None or not _unchanged(file, row)]
    if any(row is not None and not _goes_on(index, file, row) for file, row in pending):
        index.forget()
        pending = [(file, None) for file in files]
    reader.total = sum(file.path.stat().st_size for file, _ in pending)
    for first in range(0, len(pending), _AT_ONCE):
        group = pending[first : first + _AT_ONCE]
        if len(group) > 1 and all(file.maildir for file, _ in group):
            with index.transaction():
                for file, _ in group:
                    reader.read(index, file)
        else:
            for file, _ in group:
                reader.read(index, file)


def _unchanged(file: _File, row: FileRow) -> bool:
    status = file.path.stat()
    return row.whole and (status.st_size, status.st_mtime_ns, status.st_ino) == (row.size, row.mtime, row.inode)


def _goes_on(index: IndexFile, file: _File, row: FileRow) -> bool:
    """Whether the file is what was read before, with more behind it; then what is read of it ends where one can go
    on."""
    status = file.path.stat()
    if not row.whole:  # a run that was killed
        return (status.st_size, status.st_mtime_ns, status.st_ino) == (row.size, row.mtime, row.inode)
    if row.kind != "mbox" or status.st_size <= row.read_to:
        return False
    with file.path.open("rb") as opened:
        same = (
            _hash(opened, 0, row.read_to) == row.head and _hash(opened, row.read_to - _SNIFFED, row.read_to) == row.tail
        )
    return same and index.forget_last(row)


def _hash(opened: BinaryIO, start: int, end: int) -> bytes:
    opened.seek(max(0, start))
    return blake2b(opened.read(min(_SNIFFED, end - max(0, start))), digest_size=16).digest()


class _Reader:
    """Reads files into an index. `total` is how many bytes there are to read in all."""

    def __init__(self, judge: Judge, progress: Progress, count: int, added: Callable[[Numbers], None] | None) -> None:
        self.total = 0
        self._judge = judge
        self._progress = progress
        self._count = count
        self._added = added
        self._done = 0

    def read(self, index: IndexFile, file: _File) -> None:
        """Read a file from where its row says, or from its beginning."""
        try:
            status = file.path.stat()
            kind, at, strict = _sniffed(file)
            known = (
                next((row for row in index.files() if row.path == str(file.path)), None) if not file.maildir else None
            )
            row = known or FileRow(str(file.path), kind, 0, 0, 0, b"", strict=strict, read_to=at, last=at)
            row = replace(row, size=status.st_size, mtime=status.st_mtime_ns, inode=status.st_ino, whole=False)
            row = replace(row, id=index.put_file(row))
            why, read_to, last = "", row.read_to, row.last
            try:
                for batch in self._batches(file, row):
                    numbers = index.add(row.id, batch)
                    if self._added is not None:
                        self._added(numbers)
                    read_to, last = batch.end, batch.last
                    self._progress(f"reading {file.path.name}", self._done + read_to, self.total)
            except InputError as error:
                if file.alone:
                    raise
                why = error.line()
            self._done += status.st_size
            head = tail = b""
            if kind == "mbox":
                with file.path.open("rb") as opened:
                    head, tail = _hash(opened, 0, read_to), _hash(opened, read_to - _SNIFFED, read_to)
            index.put_file(replace(row, read_to=read_to, last=last, whole=True, head=head, tail=tail, why=why))
        except (OSError, EOFError, zlib.error, lzma.LZMAError) as error:
            if not (file.maildir and isinstance(error, FileNotFoundError)):
                raise _unreadable(file.path, error) from error

    def _batches(self, file: _File, row: FileRow) -> Iterator[Batch]:
        if row.kind == "mbox":
            yield from self._mbox(file.path, row)
        elif row.kind == "packed":
            with _unpacked(file.path) as stream:
                stream.seek(row.read_to)
                yield from Scanner(self._judge, strict=row.strict).scan(stream.readinto, row.read_to)
        else:
            if row.size > _LARGEST:
                raise InputError("not an mbox, and too large for one mail", where=row.path, todo="give an mbox")
            data = file.path.read_bytes()
            scanner = Scanner(self._judge)
            batch = scanner.maildir_file(data) if file.maildir else None
            if batch is None:
                where = str(file.path)
                received = read.read_files([read.SourceFile(file.path.name, data)], where=where)
                batch = scanner.file_of(received.messages, len(data))
            yield batch

    def _mbox(self, path: Path, row: FileRow) -> Iterator[Batch]:
        stretches = [(start, min(start + STRETCH, row.size)) for start in range(row.read_to, row.size, STRETCH)]
        count = self._count if len(stretches) >= _WORTH_IT else 1
        work = partial(_stretch, path=path, strict=row.strict, judge=self._judge, known=row.read_to)
        for batches in parallel.in_order(work, stretches, count):
            yield from batches


def _stretch(stretch: tuple[int, int], *, path: Path, strict: bool, judge: Judge, known: int) -> list[Batch]:
    """The batches of the mails that begin in a stretch of a file; at offset `known` one begins."""
    start, stop = stretch
    with path.open("rb", buffering=0) as opened:
        at = start if start == known else _first(opened, start, stop, strict=strict)
        if at is None:
            return []
        opened.seek(at)
        collecting = gc.isenabled()
        gc.disable()  # nothing here refers to itself, and there is much of it
        try:
            return list(Scanner(judge, strict=strict).scan(opened.readinto, at, stop))
        finally:
            if collecting:
                gc.enable()


def _first(opened: BinaryIO, start: int, stop: int, *, strict: bool) -> int | None:
    """Where the first mail begins from `start` to `stop`."""
    opened.seek(start - 1)
    at, rest = start - 1, b""
    while at < stop:
        block = opened.read(STRETCH >> 4)
        rest += block
        for found in mbox.starts(b" " + rest, strict=strict):
            place = at + found.start() - 1
            if place >= stop:
                return None
            if not block or found.start() <= len(rest) - mbox.REACH:
                return place
            break
        if not block:
            return None
        kept = rest[-mbox.REACH - 1 :]
        at, rest = at + len(rest) - len(kept), kept
    return None


def _sniffed(file: _File) -> tuple[str, int, bool]:
    """What kind of file it is, where its first mail begins, and whether only public-inbox's separators count."""
    with file.path.open("rb") as opened:
        start = opened.read(_SNIFFED)
    kind = "mbox"
    if start.startswith((magic.GZIP, magic.XZ)):
        kind = "packed"
        with _unpacked(file.path) as stream:
            start = stream.read(_SNIFFED)
    junk = _JUNK.match(start)
    text = start[junk.end() if junk else 0 :]
    if mbox.is_mbox(text):
        return kind, len(start) - len(text), mbox.is_strict(text)
    return "mail" if file.maildir and kind == "mbox" else "other", 0, False


def _unpacked(path: Path) -> gzip.GzipFile | XzFile:
    with path.open("rb") as opened:
        packed = opened.read(2)
    return gzip.open(path, "rb") if packed == magic.GZIP else XzFile(path)


def _unreadable(path: Path, error: Exception) -> InputError:
    if isinstance(error, OSError) and error.strerror:
        return InputError(f"cannot read: {error.strerror.lower()}", where=str(path))
    return InputError(f"the compressed file is damaged ({error})", where=str(path))


def read_spans(index: IndexFile, spans: Iterable[Span]) -> Iterator[tuple[str, bytes]]:
    """The path of the file and the raw bytes of every message, in the order given (best by file and place)."""
    rows = {row.id: row for row in index.files()}
    for file, of_file in groupby(spans, key=lambda span: span.file):
        path = Path(rows[file].path)
        with _unpacked(path) if rows[file].kind == "packed" else path.open("rb") as opened:
            for span in of_file:
                opened.seek(span.start)
                yield rows[file].path, opened.read(span.length)
