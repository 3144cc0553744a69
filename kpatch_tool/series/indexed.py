"""The postings in a mailbox of any size, from its index: grouped thread by thread, so that memory depends on the
largest thread and not on the mailbox (4 bytes a message are held while messages are joined to threads).

The answer is what posting.gather says of the whole mailbox. It looks at a sender's other mail as well as at the thread;
so threads in which something is left over (a patch or a cover missing) are gathered again together with the same
sender's of the same days.
"""

from __future__ import annotations

import re
from array import array
from bisect import bisect_left
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

from kpatch_tool import parallel
from kpatch_tool.mail import headers, read
from kpatch_tool.mail.index_scan import ARCHIVE, Marks, hash_of
from kpatch_tool.mail.index_store import IndexFile
from kpatch_tool.mail.message import Address, Message
from kpatch_tool.progress import Progress, silent
from kpatch_tool.series import posting, split, subject
from kpatch_tool.series.posts import Post, Posting, identities, is_whole_patch

WINDOW = (
    7 * 86400.0
)  # seconds that two mails of a sender may be apart to be looked at together, if no thread joins them
LONGEST_CHAIN = 4 * WINDOW  # how long a chain of such mails may be, so that the busiest sender's fits in memory
PAUSE = 3600.0  # where a chain may end
_PATCH, _FORWARD, _RESEND, _REPLY = 1, 2, 4, 8
_AT_ONCE = 500  # posts that are gathered before the results are written
_ARCHIVE = f"{ARCHIVE}:".encode()
_FIELD = re.compile(r"^([!-9;-~]+): ([^\n]*(?:\n[ \t][^\n]*)*)", re.MULTILINE)
_NOT_PLAIN = re.compile(rb"[^\t\n -~]|=\?|\n\n|" + _ARCHIVE)
_ENVELOPE = b"From mboxrd@z x\n"


class PatchJudge:
    """Tells an index what may be a patch or a cover letter (mail.index_scan.Judge)."""

    def marks(self, text: str) -> Marks | None:
        tag = subject.parse(text)
        if tag.notice and not tag.reply:
            return None
        kind = _PATCH * tag.patch | _FORWARD * tag.forward | _RESEND * tag.resend | _REPLY * tag.reply
        number, total, revision = (-1 if value is None else value for value in (tag.number, tag.total, tag.revision))
        # A cover letter may be without a number: posting.gather knows it by what answers it.
        return Marks(kind, number, total, revision, always=not tag.forward and not tag.reply, reply=tag.reply)

    def has_diff(self, body: bytes) -> bool:
        # Most diffs are git's: two literals are found faster than the expressions that tell every kind.
        return (b"\ndiff -" in body and b"\n@@ -" in body) or split.has_diff(body)

    def is_patch(self, reply: Message) -> bool:
        return is_whole_patch(Post(reply, subject.parse(reply.subject), 0, diff=False))


class Found(NamedTuple):
    """A posting as the index keeps it. `sent` is when its first message was sent (seconds since 1970), `place` that
    message's place in the mailbox; `patches` are the numbers ("1,2,3"); `roots` the threads it is in."""

    sent: float
    place: int
    date: str
    title: str
    revision: int
    name: str
    email: str
    patches: str
    total: int
    cover: bool
    message_id: str
    roots: str


class Loose(NamedTuple):
    """A thread that may have to do with others of the same sender. `seeks` is True where something of it is left over,
    False where it may take in what others have left over."""

    person: int
    sent: float
    root: int
    seeks: bool


# A reply that says nothing: mails that are answered are no files of git format-patch.
_NO_FILE = Post(Message("Re:", Address("", ""), None, b"", "", ""), subject.parse("Re:"), -1, diff=False)
_SCRATCH = {
    "loose": "(person, sent, root, seeks)",
    "cluster": "(top, root)",
    "several": "(top INTEGER PRIMARY KEY)",
    "picked": "(root)",
    "raw": "AS SELECT * FROM posting LIMIT 0",
}
_INSERT_RAW = f"INSERT INTO raw VALUES (NULL{',?' * len(Found._fields)})"


@dataclass(frozen=True, slots=True)
class _Part:
    """Some threads, gathered."""

    found: list[Found]
    loose: list[Loose]


def group(index: IndexFile, progress: Progress = silent, *, count: int = 0) -> None:
    """Make the postings of an index whose messages are new; nothing is done where none are."""
    messages = index.messages()
    if next(index.rows("SELECT messages FROM grouped"), (None,))[0] == messages:
        return
    progress("joining threads", 0, 0)
    threads = _Threads(messages)
    threads.join(index.rows("SELECT hash, message, own FROM link ORDER BY hash, message"))
    kinds = threads.join_runs(index)
    with index.transaction():
        for table in ("grouped", "thread", "member", "posting"):
            index.change(f"DELETE FROM {table}")
        threads.write(index, kinds)
    found = _gathered(index, kinds, progress, count or parallel.processes())
    with index.transaction():
        for table, columns in _SCRATCH.items():
            index.change(f"CREATE TEMP TABLE {table} {columns}")
        index.change("CREATE INDEX temp.raw_by_root ON raw (roots)")
        for part in found:
            index.change(_INSERT_RAW, part.found)
            index.change("INSERT INTO loose VALUES (?,?,?,?)", part.loose)
        _settle(index, threads, kinds)
        index.change("INSERT INTO posting SELECT NULL, sent, place, date, title, revision, name, email, patches, total,"
                     " cover, message_id, roots FROM raw ORDER BY sent, place")  # fmt: skip
        for table in _SCRATCH:
            index.change(f"DROP TABLE {table}")
        index.change("INSERT INTO grouped VALUES (?, ?)", [(messages, len(threads.copies))])


class _Kinds(NamedTuple):
    """What counts as a patch in this mailbox, as posting.gather decides it for all of its posts: a marked mail; where
    there is none, any with a diff; where there is none, forwarded ones, then replies. `as_one`: files without numbers
    or ids, which are one series."""

    marked: bool
    own: bool
    forwarded: bool
    as_one: bool

    def counts(self, kind: int, diff: bool) -> bool:
        """Whether a post of this kind is a patch."""
        if kind & _REPLY:
            return diff and not self.own and not self.forwarded
        if kind & _FORWARD:
            return diff and not self.own
        return diff and (bool(kind & _PATCH) or not self.marked)


class _Threads:
    """Which messages are in one thread: a forest over their numbers. `copies` are the numbers, in order, of messages
    that repeat an earlier one."""

    def __init__(self, messages: int) -> None:
        self._above = array("i", range(messages + 1))
        self.copies = array("i")

    def join(self, links: Iterable[tuple[int, int, int]]) -> None:
        """Join messages that name one id; `links` come in the order of their hash, then of their messages."""
        above = self._above
        last, first, owner = None, 0, 0
        for hash_, message, own in links:
            if hash_ != last:
                last, first, owner = hash_, message, message if own else 0
                continue
            if above[message] != above[first]:
                self._union(first, message)
            if own:
                if owner:
                    self.copies.append(message)
                else:
                    owner = message
        self.copies = array("i", sorted(self.copies))

    def root(self, message: int) -> int:
        above = self._above
        while (up := above[message]) != message:
            above[message] = message = above[up]
        return message

    def _union(self, one: int, other: int) -> None:
        a, b = self.root(one), self.root(other)
        if a < b:
            self._above[b] = a
        elif b < a:
            self._above[a] = b

    def join_loose(self, entries: Iterable[Loose]) -> None:
        """Join threads of one person and the same days where one of two has something left over; `entries` come in the
        order of person and time."""
        near: deque[Loose] = deque()
        undated: list[Loose] = []
        begun = 0.0
        for one in entries:
            if not near or near[-1].person != one.person:
                begun = one.sent
            elif one.sent - begun > LONGEST_CHAIN and one.sent - near[-1].sent > PAUSE:
                near.clear()
                begun = one.sent
            while near and (near[0].person != one.person or one.sent - near[0].sent > WINDOW):
                near.popleft()
            undated = [other for other in undated[:1] if other.person == one.person] and undated
            for other in (*near, *undated):
                if one.seeks or other.seeks:
                    self._union(one.root, other.root)
            (near if one.sent else undated).append(one)

    def join_runs(self, index: IndexFile) -> _Kinds:
        """Join patches k/N and k+1/N that stand behind one another (posting.gather knows files that were written so);
        what counts as a patch here."""
        marked = own = forwarded = False
        patches = bare = 0
        (answered,) = index.row("SELECT coalesce(max(answers), 0) FROM file")
        last: tuple[int, ...] = ()
        last_place = last_id = -2
        for id_, place, kind, number, total, revision, diff, named in self.posts(index):
            forwarded = forwarded or (bool(diff) and bool(kind & _FORWARD))
            if diff and not kind & (_FORWARD | _REPLY):
                own = True
                marked = marked or bool(kind & _PATCH)
                patches += 1
                bare += number < 0 and not named
            if place == last_place + 1 and last == (number - 1, total, revision, kind & _RESEND):
                self._union(last_id, id_)
            last, last_place, last_id = (number, total, revision, kind & _RESEND), place, id_
        return _Kinds(marked, own, forwarded, as_one=patches > 1 and bare == patches and not answered)

    def posts(self, index: IndexFile) -> Iterator[tuple[int, int, int, int, int, int, int, int]]:
        """The posts but copies: number, place among all messages but copies, then the columns of the index."""
        copies = self.copies
        for row in index.rows("SELECT id, kind, number, total, revision, diff, named FROM post ORDER BY id"):
            before = bisect_left(copies, row[0])
            if before == len(copies) or copies[before] != row[0]:
                yield (row[0], row[0] - before - 1, *row[1:])

    def write(self, index: IndexFile, kinds: _Kinds) -> None:
        """Write which posts are gathered together, and all messages of their threads."""
        wanted = bytearray(len(self._above))
        index.change("CREATE TEMP TABLE pair (root INTEGER, message INTEGER, place INTEGER)")
        index.change("INSERT INTO pair VALUES (?,?,?)", self._members(index, wanted, kinds))
        index.change("INSERT INTO member SELECT * FROM pair ORDER BY root, message")
        index.change("DELETE FROM pair")
        pairs = ((root, one, 0) for one in range(1, len(wanted)) if wanted[root := self.root(one)])
        index.change("INSERT INTO pair VALUES (?,?,?)", pairs)
        index.change("INSERT INTO thread SELECT root, message FROM pair ORDER BY root, message")
        index.change("DROP TABLE pair")

    def _members(self, index: IndexFile, wanted: bytearray, kinds: _Kinds) -> Iterator[tuple[int, int, int]]:
        for id_, _, kind, number, _, _, diff, _ in self.posts(index):
            if kinds.counts(kind, bool(diff)) or number == 0:
                if kinds.as_one:
                    self._union(1, id_)
                wanted[self.root(id_)] = 1
        for id_, place, *_ in self.posts(index):
            if wanted[root := self.root(id_)]:
                yield root, id_, place


def _gathered(index: IndexFile, kinds: _Kinds, progress: Progress, count: int) -> Iterator[_Part]:
    """The postings of every thread by itself."""
    (posts,) = index.row("SELECT count(*) FROM member")
    work = partial(_gather_part, path=index.path, kinds=kinds)
    done = 0
    for part in parallel.in_order(work, _parts(index), count if posts > 2 * _AT_ONCE else 1):
        done += _AT_ONCE
        progress("putting series together", min(done, posts), posts)
        yield part


def _parts(index: IndexFile) -> Iterator[tuple[int, int]]:
    """Ranges of threads (first, last) with about as many posts as are gathered at once."""
    first = last = size = 0
    for root, posts in index.rows("SELECT root, count(*) FROM member GROUP BY root ORDER BY root"):
        if size and size + posts > _AT_ONCE:
            yield first, last
            size = 0
        first, last, size = first if size else root, root, size + posts
    if size:
        yield first, last


def _gather_part(roots: tuple[int, int], *, path: Path, kinds: _Kinds) -> _Part:
    part = _Part([], [])
    with IndexFile(path, read_only=True) as index:
        for root, posts in groupby(_posts(index, kinds, "root BETWEEN ? AND ?", roots), key=lambda pair: pair[0]):
            _gather_thread(root, [post for _, post in posts], kinds, part)
    return part


def _gather_thread(root: int, posts: Sequence[Post], kinds: _Kinds, part: _Part) -> None:
    postings = _gather(posts, kinds)
    used = {post.order for one in postings for post in one.posts}
    for one in postings:
        part.found.append(_found(one, str(root)))
        part.loose.extend(_loose(one.sender, one.total, one.posts, root, seeks=not one.complete))
    for post in posts:
        if post.order not in used and (post.diff or post.tag.number == 0):
            part.loose.extend(_loose(post.message.author, post.tag.total or 1, [post], root, seeks=True))


def _gather(posts: Sequence[Post], kinds: _Kinds) -> list[Posting]:
    """posting.gather for a part of the mailbox: what counts as a patch, and whether these are files, is said of all of
    it."""
    if not any(post.diff or post.tag.reply for post in posts):
        return []
    return posting.gather(posts if kinds.as_one else [*posts, _NO_FILE])


def _loose(person: Address, total: int, posts: Sequence[Post], root: int, *, seeks: bool) -> Iterator[Loose]:
    """What posting.gather joins without headers of a thread is one sender's and has one total; posts without ids may
    go on in another total as well."""
    when = min(post.when for post in posts).timestamp()  # 0.0: undated
    bare = not all(post.message.message_id for post in posts)
    for key in identities(person):
        for count in (total, "any") if bare else (total,):
            yield Loose(hash_of(f"{key}\0{count}".encode("utf-8", "surrogateescape")), when, root, seeks)


def _found(one: Posting, roots: str) -> Found:
    first = next(iter(one.posts))
    dated = min(one.posts, key=lambda post: post.when)
    return Found(
        sent=one.when.timestamp(),
        place=one.order,
        date=dated.message.date.isoformat() if dated.message.date else "",
        title=one.title,
        revision=one.version,
        name=one.sender.name,
        email=one.sender.email,
        patches=",".join(map(str, sorted(one.patches))),
        total=one.total,
        cover=one.cover is not None,
        message_id=first.message.message_id,
        roots=roots,
    )


def _posts(index: IndexFile, kinds: _Kinds, which: str, values: Sequence[object]) -> Iterator[tuple[int, Post]]:
    """Posts with the number of their thread, thread by thread, in the order of the mailbox."""
    rows = index.rows(
        "SELECT member.root, member.place, post.kind, post.diff, post.fields"
        " FROM member JOIN post ON post.id = member.post"
        f" WHERE {which} ORDER BY member.root, member.post",
        values,
    )
    for root, place, kind, diff, fields in rows:
        message = light(fields)
        counts = kinds.counts(kind, bool(diff)) and not kind & _REPLY
        yield root, Post(message, subject.parse(message.subject), place, counts)


def light(fields: bytes) -> Message:
    """The message of a header, with the body that was kept with it, if any."""
    if not _NOT_PLAIN.search(fields):
        return _plain(fields)
    (message,) = read.parse(_ENVELOPE + fields + (b"" if b"\n\n" in fields else b"\n"), "")
    if _ARCHIVE in fields:
        archive = re.search(rb"^" + _ARCHIVE + rb" ([^\n]*)", fields, re.MULTILINE)
        return replace(message, archive=archive[1].decode() if archive else "")
    return message


def _plain(fields: bytes) -> Message:
    """`light` for a header in which nothing is encoded, as most are: mail/read.py takes five times as long."""
    found: dict[str, str] = {}
    for name, value in _FIELD.findall(fields.decode("ascii")):
        key = name.lower()
        if key not in found or key in headers.LAST_COUNTS:
            found[key] = " ".join(value.split())
    own = headers.message_ids(found.get("message-id", ""))
    answered = headers.message_ids(found.get("in-reply-to", ""))
    return Message(
        subject=found.get("subject", ""),
        author=_author(found.get("from", "")),
        date=headers.date(found.get("date", "")),
        body=b"",
        charset="",
        origin="",
        message_id=own[0] if own else "",
        in_reply_to=answered[0] if answered else "",
        references=headers.message_ids(found.get("references", "")),
    )


@lru_cache(maxsize=1000)
def _author(value: str) -> Address:
    return headers.address(value)


def _settle(index: IndexFile, threads: _Threads, kinds: _Kinds) -> None:
    """Gather threads with something left over again, together with the same sender's of the same days."""
    threads.join_loose(Loose(*row) for row in index.rows("SELECT * FROM loose ORDER BY person, sent, root"))
    roots = index.rows("SELECT DISTINCT root FROM loose ORDER BY root")
    index.change("INSERT INTO cluster VALUES (?,?)", ((threads.root(root), root) for (root,) in roots))
    index.change("INSERT INTO several SELECT top FROM cluster GROUP BY top HAVING count(*) > 1")
    pairs = index.rows("SELECT top, root FROM cluster WHERE top IN (SELECT top FROM several) ORDER BY top")
    for _, group_ in groupby(pairs, key=lambda pair: pair[0]):
        _gather_together([root for _, root in group_], index, kinds)


def _gather_together(roots: Sequence[int], index: IndexFile, kinds: _Kinds) -> None:
    index.change("DELETE FROM picked")
    index.change("INSERT INTO picked VALUES (?)", ((root,) for root in roots))
    pairs = list(_posts(index, kinds, "root IN (SELECT root FROM picked)", ()))
    threads = {post.order: root for root, post in pairs}
    index.change("DELETE FROM raw WHERE roots IN (SELECT CAST(root AS TEXT) FROM picked)")
    found = _gather(sorted((post for _, post in pairs), key=lambda post: post.order), kinds)
    rows = (_found(one, ",".join(map(str, sorted({threads[post.order] for post in one.posts})))) for one in found)
    index.change(_INSERT_RAW, list(rows))
