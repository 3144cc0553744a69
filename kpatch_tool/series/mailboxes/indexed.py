"""The postings in a mailbox of any size, from its index: grouped thread by thread, so that memory depends on the
largest thread and not on the mailbox (4 bytes a message are held while messages are joined to threads).

The answer is what gathering.gather says of the whole mailbox. It looks at a sender's other mail as well as at the
thread; so threads in which something is left over (a patch or a cover missing) are gathered again together with the
same sender's of the same days.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from itertools import groupby
from pathlib import Path

from kpatch_tool.mail.index_scan import Marks, Record, hash_of
from kpatch_tool.mail.index_store import IndexFile, alone
from kpatch_tool.mail.message import Address, Message
from kpatch_tool.progress import Progress, silent
from kpatch_tool.series.mailboxes import plain
from kpatch_tool.series.mailboxes.plain import Found, Row
from kpatch_tool.series.mailboxes.threads import (
    FORWARD,
    NOTICE,
    PATCH,
    REPLY,
    RESEND,
    RFC,
    TITLED,
    Kinds,
    Loose,
    Threads,
)
from kpatch_tool.series.postings import gathering
from kpatch_tool.series.postings.posts import Post, Posting, identities, is_whole_patch
from kpatch_tool.series.reading import split, subject
from kpatch_tool.system import parallel

_AT_ONCE = 2000  # posts that are gathered before the results are written
# The subject of nearly every patch; subject.parse reads the others. Set apart are titles in which it sees more.
_USUAL = re.compile(
    r"\[(RFC )?PATCH(?: v([0-9]{1,3}))?(?: ([0-9]{1,4})/([0-9]{1,4}))?\] "
    r"((?![Rr][Ee]:|[Vv][0-9]{1,2}[:\s-])[A-Za-z_].*(?:[^0-9\])]|[^0-9\])\s][\])]|[^0-9\])\svV#][0-9]+))",
    re.ASCII,
)


class PatchJudge:
    """Tells an index what may be a patch or a cover letter (mail.index_scan.Judge)."""

    def marks(self, text: str) -> Marks | None:
        if found := _USUAL.fullmatch(text):
            rfc, revision_, number_, total_, title = found.groups("")
            kind = PATCH | RFC if rfc else PATCH
            return Marks(kind, int(number_ or -1), int(total_ or -1), int(revision_ or -1), title, always=True)
        tag = subject.parse(text)
        if tag.notice and not (tag.reply or tag.between):
            return None
        kind = PATCH * tag.patch | FORWARD * tag.forward | RESEND * tag.resend | REPLY * tag.reply
        kind |= RFC * tag.rfc | NOTICE * tag.notice | TITLED * tag.titled
        number, total, revision = (-1 if value is None else value for value in (tag.number, tag.total, tag.revision))
        # A cover letter may be without a number: gathering.gather knows it by what answers it.
        always = not tag.forward and not tag.reply
        return Marks(kind, number, total, revision, tag.title, tag.minor, tag.between, always, tag.reply)

    def has_diff(self, body: bytes) -> bool:
        # Most diffs are git's: two literals are found faster than the expressions that tell every kind.
        return (b"\ndiff -" in body and b"\n@@ -" in body) or split.has_diff(body)

    def is_patch(self, reply: Message) -> bool:
        return is_whole_patch(Post(reply, subject.parse(reply.subject), 0, diff=False))


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
    """Some threads, gathered: the values of Found and of Loose, as plain tuples for the reason of index_scan.Kept."""

    found: list[tuple[object, ...]]
    loose: list[tuple[object, ...]]


def group(index: IndexFile, progress: Progress = silent, threads: Threads | None = None, *, count: int = 0) -> None:
    """Make the postings of an index whose messages are new; nothing is done where none are. `threads` are those of its
    messages as far as they are joined already."""
    with alone(index.path):
        known = threads if threads is not None and not index.changed_by_others() else Threads()
        _group(index, progress, known, count or parallel.processes())


def _group(index: IndexFile, progress: Progress, threads: Threads, count: int) -> None:
    messages = index.messages()
    if next(index.rows("SELECT messages FROM grouped"), (None,))[0] == messages:
        return
    progress("joining threads", 0, 0)
    threads.join(index)
    kinds = threads.join_runs(index)
    with index.transaction():
        for table in ("grouped", "chunk", "member", "posting"):
            index.change(f"DELETE FROM {table}")
        threads.write(index, kinds)
    found = _gathered(index, kinds, progress, count)
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


def _gathered(index: IndexFile, kinds: Kinds, progress: Progress, count: int) -> Iterator[_Part]:
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


def _gather_part(roots: tuple[int, int], *, path: Path, kinds: Kinds) -> _Part:
    part = _Part([], [])
    with IndexFile(path, read_only=True) as index:
        for root, rows in groupby(_rows(index, "root BETWEEN ? AND ?", roots), key=lambda pair: pair[0]):
            _gather_thread(root, [row for _, row in rows], kinds, part)
    return part


def _gather_thread(root: int, rows: Sequence[Row], kinds: Kinds, part: _Part) -> None:
    known = None if kinds.as_one else plain.read(root, rows, kinds)
    if known:
        part.found.append(tuple(known.found))
        entries = _entries(known.sender, known.found.total, known.found.sent, root, named=known.named, seeks=False)
        part.loose.extend(entries)
        return
    posts = [_post(row, kinds) for row in rows]
    postings = _gather(posts, kinds)
    used = {post.order for one in postings for post in one.posts}
    for one in postings:
        part.found.append(tuple(_found(one, str(root))))
        part.loose.extend(_loose(one.sender, one.total, one.posts, root, seeks=not one.complete))
    for post in posts:
        if post.order not in used and (post.diff or post.tag.number == 0):
            part.loose.extend(_loose(post.sender, post.tag.total or 1, [post], root, seeks=True))


def _gather(posts: Sequence[Post], kinds: Kinds) -> list[Posting]:
    """gathering.gather for a part of the mailbox: what counts as a patch, and whether these are files, is said of all
    of it."""
    if not any(post.diff or post.tag.reply for post in posts):
        return []
    return gathering.gather(posts if kinds.as_one else [*posts, _NO_FILE])


def _loose(
    person: Address, total: int, posts: Sequence[Post], root: int, *, seeks: bool
) -> Iterator[tuple[object, ...]]:
    """What gathering.gather joins without headers of a thread is one sender's and has one total; posts without ids may
    go on in another total as well."""
    when = min(post.when for post in posts).timestamp()
    named = all(post.message.message_id for post in posts)
    yield from _entries(person, total, when, root, named=named, seeks=seeks)


def _entries(
    person: Address, total: int, when: float, root: int, *, named: bool, seeks: bool
) -> Iterator[tuple[object, ...]]:  # the values of a Loose; `when` is 0.0 where no date is known
    for key in identities(person):
        for count in (total,) if named else (total, "any"):
            yield hash_of(f"{key}\0{count}".encode("utf-8", "surrogateescape")), when, root, seeks


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


def _rows(index: IndexFile, which: str, values: Sequence[object]) -> Iterator[tuple[int, Row]]:
    """Posts with the number of their thread, thread by thread, in the order of the mailbox."""
    rows = index.rows(
        "SELECT member.root, member.place, post.kind, post.number, post.total, post.revision, post.diff, post.record"
        " FROM member JOIN post ON post.id = member.post"
        f" WHERE {which} ORDER BY member.root, member.post",
        values,
    )
    for root, *row in rows:
        yield root, Row(*row)


def _post(row: Row, kinds: Kinds) -> Post:
    record = Record.of(row.record)
    kind = row.kind
    tag = subject.Tag(
        title=record.title,
        revision=_known(row.revision),
        number=_known(row.number),
        total=_known(row.total),
        patch=bool(kind & PATCH),
        reply=bool(kind & REPLY),
        forward=bool(kind & FORWARD),
        resend=bool(kind & RESEND),
        notice=bool(kind & NOTICE),
        rfc=bool(kind & RFC),
        minor=record.minor,
        between=record.between,
        titled=bool(kind & TITLED),
    )
    message = Message(
        subject=record.title,
        author=Address(record.name, record.email),
        date=datetime.fromisoformat(record.date) if record.date else None,
        body=record.body,
        charset="",
        origin="",
        message_id=record.message_id,
        in_reply_to=record.in_reply_to,
        references=tuple(record.references.split()),
        archive=record.archive,
    )
    return Post(message, tag, row.place, kinds.counts(kind, bool(row.diff)) and not kind & REPLY)


def _known(number: int) -> int | None:
    return None if number < 0 else number


def _settle(index: IndexFile, threads: Threads, kinds: Kinds) -> None:
    """Gather threads with something left over again, together with the same sender's of the same days."""
    threads.join_loose(Loose(*row) for row in index.rows("SELECT * FROM loose ORDER BY person, sent, root"))
    roots = index.rows("SELECT DISTINCT root FROM loose ORDER BY root")
    index.change("INSERT INTO cluster VALUES (?,?)", ((threads.root(root), root) for (root,) in roots))
    index.change("INSERT INTO several SELECT top FROM cluster GROUP BY top HAVING count(*) > 1")
    pairs = index.rows("SELECT top, root FROM cluster WHERE top IN (SELECT top FROM several) ORDER BY top")
    for _, group_ in groupby(pairs, key=lambda pair: pair[0]):
        _gather_together([root for _, root in group_], index, kinds)


def _gather_together(roots: Sequence[int], index: IndexFile, kinds: Kinds) -> None:
    index.change("DELETE FROM picked")
    index.change("INSERT INTO picked VALUES (?)", ((root,) for root in roots))
    pairs = [(root, _post(row, kinds)) for root, row in _rows(index, "root IN (SELECT root FROM picked)", ())]
    threads = {post.order: root for root, post in pairs}
    index.change("DELETE FROM raw WHERE roots IN (SELECT CAST(root AS TEXT) FROM picked)")
    found = _gather(sorted((post for _, post in pairs), key=lambda post: post.order), kinds)
    rows = (_found(one, ",".join(map(str, sorted({threads[post.order] for post in one.posts})))) for one in found)
    index.change(_INSERT_RAW, list(rows))
