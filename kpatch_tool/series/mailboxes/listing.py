"""The series of large mailboxes: listed, found again, and read alone, without the rest of the mailbox."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from itertools import groupby, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from kpatch_tool import text
from kpatch_tool.errors import InputError
from kpatch_tool.mail import read
from kpatch_tool.mail.index_scan import hash_of
from kpatch_tool.mail.message import Address, Message
from kpatch_tool.progress import Progress
from kpatch_tool.series.mailboxes.threads import Threads, messages_of, roots_of
from kpatch_tool.series.postings import gathering
from kpatch_tool.series.postings.choosing import number_of
from kpatch_tool.series.postings.posts import identities
from kpatch_tool.series.postings.received import read_posts
from kpatch_tool.series.reading import subject
from kpatch_tool.series.reading.diffs import all_readable
from kpatch_tool.system import scratch

if TYPE_CHECKING:
    from kpatch_tool.mail.index_store import IndexFile

LARGE_BYTES = 64 << 20  # of sources that are read through an index
LARGE_FILES = 5000
_MOST_NAMED = 3
_MOST_OTHERS = 5  # other series of a mailbox from which a plain import takes the first
_LOOKED_AT = 100
_COLUMNS = "number, date, title, revision, name, email, patches, total, cover, message_id, roots, sent"


class Listed(NamedTuple):
    """One posting of a mailbox. `number` counts the mailbox's postings by date, from 1; `date` is None where it has
    none; `patches` are the numbers that are there, `message_id` that of its cover or first patch ("" for none);
    `roots` the threads it is in."""

    number: int
    title: str
    revision: int
    author: Address
    date: datetime | None
    patches: tuple[int, ...]
    total: int
    cover: bool
    message_id: str
    roots: tuple[int, ...]
    sent: float

    @property
    def complete(self) -> bool:
        """Whether every patch of its total is there."""
        return set(range(1, self.total + 1)) <= set(self.patches)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which postings are listed: `author` and `subject` are parts of the name, address or title, in any case; sent on
    the days from `since` to `until` (UTC)."""

    author: str = ""
    subject: str = ""
    since: date | None = None
    until: date | None = None


class Mailbox:
    """The index of some mailboxes, up to date."""

    def __init__(self, index: IndexFile, sources: Sequence[str]) -> None:
        self._index = index
        self._where = ", ".join(sources)

    @property
    def messages(self) -> int:
        """How many messages there are; copies of one count once."""
        (messages, copies) = self._index.row("SELECT messages, copies FROM grouped")
        return int(messages - copies)

    @property
    def not_mail(self) -> list[str]:
        """One line a file that holds no mail."""
        return [row.why for row in self._index.files() if row.why]

    def postings(self, wanted: Wanted | None = None) -> Iterator[Listed]:
        """The postings, oldest first."""
        wanted = wanted or Wanted()
        first = _seconds(wanted.since) if wanted.since else float("-inf")
        last = _seconds(wanted.until) + 86400.0 if wanted.until else float("inf")
        rows = self._index.rows(
            f"SELECT {_COLUMNS} FROM posting WHERE sent >= ? AND sent < ? ORDER BY number", (first, last)
        )
        listed = map(_listed, rows)
        if not wanted.author and not wanted.subject:
            yield from listed
            return
        author, title = wanted.author.casefold(), wanted.subject.casefold()
        for one in listed:
            if author in f"{one.author.name} <{one.author.email}>".casefold() and title in one.title.casefold():
                yield one

    def choose(self, text_: str, revision: int | None = None) -> Listed:
        """The posting that is meant: by its number, a message id of its thread, or a part of its title; "" takes the
        first series. Of a series the latest revision, or `revision`.

        Raises InputError when there is none, or several series are meant.
        """
        if (number := number_of(text_)) is not None:
            meant = [_listed(row) for row in self._rows("number = ?", (number,))]
            if meant and revision in (None, meant[0].revision):
                return meant[0]
        elif "@" in text_ and " " not in text_:
            wanted = text_.strip("<>")
            meant = self._of_thread(wanted)
            first = self._first_of(meant, wanted)
            named = [one for one in meant if one.message_id == first]
            if named and revision in (None, named[0].revision):
                return named[0]
        elif text_:
            meant = [one for one in self.postings() if subject.plain(text_) in subject.plain(one.title)]
        else:
            meant = self._only()
        if not meant:
            what = f"no series matches `{text_}`" if text_ else "no patch found"
            raise InputError(what, where=self._where, todo="`kpt index` lists them" if text_ else "")
        return self._latest(meant, text_, revision)

    def _only(self) -> list[Listed]:
        """The first posting, where there are few others; as choosing.choose has it."""
        postings = self.postings()
        first = next(postings, None)
        if first is None:
            return []
        apart = {one.title: one for one in islice((o for o in postings if not _related(first, o)), _LOOKED_AT)}
        if len(apart) > _MOST_OTHERS:
            (count,) = self._index.row("SELECT count(*) FROM posting")
            raise InputError(
                f"{count} postings of series are here",
                where=self._where,
                todo="choose with --series (a number, a part of the title or a message id): "
                f"{_some([first, *apart.values()])}; `kpt index FILE` lists all",
            )
        return [first]

    def _latest(self, meant: Sequence[Listed], text_: str, revision: int | None) -> Listed:
        """The posting of one series: `meant`, and what the same sender posted under the same titles."""
        first = meant[0]
        if any(not _related(first, other) for other in meant):
            some = ", ".join(
                f'{one.number}: "{text.printable(one.title)}" v{one.revision}' for one in meant[:_MOST_NAMED]
            )
            more = ", ..." if len(meant) > _MOST_NAMED else ""
            raise InputError(
                f"several series match `{text_}`", where=self._where, todo=f"choose one by its number: {some}{more}"
            )
        postings = {one.number: one for one in meant}
        for name in (first.author.name, first.author.email):
            column = "name" if name == first.author.name else "email"
            for row in self._rows(f"{column} = ?", (name,)) if name else ():
                if _related(first, other := _listed(row)):
                    postings[other.number] = other
        wanted = [one for one in postings.values() if revision is None or one.revision == revision]
        if not wanted:
            known = ", ".join(str(number) for number in sorted({one.revision for one in postings.values()}))
            raise InputError(f"no revision {revision} of the series here", where=self._where, todo=f"there is: {known}")
        return max(wanted, key=lambda one: (one.revision, one.complete, one.sent, one.number))

    def _of_thread(self, message_id: str) -> list[Listed]:
        """The postings of the thread that a message is in."""
        wanted = hash_of(message_id.encode("utf-8", "surrogateescape"))
        messages = [one.first + one.own.index(wanted) for one in self._index.numbers() if wanted in one.own]
        roots = {str(root) for root in roots_of(self._index, messages)}
        return [one for one in self.postings() if roots & set(map(str, one.roots))]

    def _first_of(self, postings: Sequence[Listed], message_id: str) -> str:
        """The id of the first message of that of the `postings` of a thread which has this message, as listed."""
        if any(one.message_id == message_id for one in postings):
            return message_id
        found = gathering.gather(read_posts(all_readable(self._messages(postings))))
        return next((one.first.message.message_id for one in found if message_id in one.ids), message_id)

    def _messages(self, postings: Sequence[Listed]) -> list[Message]:
        """Those of the threads that the postings are in."""
        threads = {one.roots: one for one in postings}
        return [message for one in threads.values() for message in self.received(one).messages]

    def _rows(self, which: str, values: Sequence[object]) -> Iterator[tuple[Any, ...]]:
        return self._index.rows(f"SELECT {_COLUMNS} FROM posting WHERE {which} ORDER BY number", values)

    def received(self, one: Listed) -> read.Received:
        """The messages of the threads that a posting is in, and nothing else: their bytes as in the mailbox, in its
        order."""
        from kpatch_tool.mail.index import read_spans

        messages = messages_of(self._index, one.roots)
        spans = {(span.file, span.start): span for span in self._index.spans(messages.__contains__)}
        mails = groupby(read_spans(self._index, [spans[place] for place in sorted(spans)]), key=lambda pair: pair[0])
        files = [read.SourceFile(_name(path), b"".join(data for _, data in of_file)) for path, of_file in mails]
        return read.read_files(files, where=self._where)


def _some(postings: Sequence[Listed]) -> str:
    named = ", ".join(f'{one.number}: "{text.printable(one.title)}" v{one.revision}' for one in postings[:_MOST_NAMED])
    return named + (", ..." if len(postings) > _MOST_NAMED else "")


def receive(
    cache: Path | None, sources: Sequence[str], *, pick: str, revision: int | None, progress: Progress
) -> tuple[read.Received, str]:
    """The messages of one series of large mailboxes, and what it is to be called among them (assemble's `pick`).

    `pick` and `revision` as for Mailbox.choose, which tells the errors.
    """
    with opened(cache, sources, progress) as box:
        one = box.choose(pick, revision)
        return box.received(one), one.message_id or one.title


def _related(one: Listed, other: Listed) -> bool:
    """Whether two postings are revisions of one series, as in topics.py: one sender, and one thread or title."""
    same = set(identities(one.author)) & set(identities(other.author))
    return bool(same) and (bool(set(one.roots) & set(other.roots)) or subject.same_title(one.title, other.title))


def _name(path: str) -> str:
    name = Path(path).name
    return name.removesuffix(".gz").removesuffix(".xz")


def _seconds(day: date) -> float:
    return datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()


def _listed(row: tuple[Any, ...]) -> Listed:
    number, when, title, revision, name, email, patches, total, cover, message_id, roots, sent = row
    return Listed(
        number=number,
        title=title,
        revision=revision,
        author=Address(name, email),
        date=datetime.fromisoformat(when) if when else None,
        patches=tuple(map(int, patches.split(","))),
        total=total,
        cover=bool(cover),
        message_id=message_id,
        roots=tuple(map(int, roots.split(","))),
        sent=sent,
    )


def is_large(sources: Sequence[str]) -> bool:
    """Whether these sources are better read through an index than as a whole."""
    size = files = 0
    for source in sources:
        path = Path(source)
        with contextlib.suppress(OSError, ValueError):
            if path.is_file():
                size, files = size + path.stat().st_size, files + 1
            elif path.is_dir():
                files += sum(1 for box in ("cur", "new") if (path / box).is_dir() for _ in (path / box).iterdir())
    return size > LARGE_BYTES or files > LARGE_FILES


@contextlib.contextmanager
def opened(cache: Path | None, sources: Sequence[str], progress: Progress) -> Iterator[Mailbox]:
    """The index of some mailboxes, brought up to date: below `cache`, or in a temporary file.

    Raises InputError when a source cannot be read or holds no mail.
    """
    from kpatch_tool.mail import index as mail_index
    from kpatch_tool.series.mailboxes import indexed  # SQLite, processes: not for every import

    with contextlib.ExitStack() as stack:
        if cache is None:
            directory = stack.enter_context(scratch.directory("index"))
            path = directory / "index.sqlite"
        else:
            path = mail_index.path_of(cache, sources)
        threads = Threads()
        judge = indexed.PatchJudge()
        index = stack.enter_context(mail_index.update(path, sources, judge, progress, added=threads.join_next))
        indexed.group(index, progress, threads)
        yield Mailbox(index, sources)
