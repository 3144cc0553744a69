"""The postings of a mailbox, as its index lists them and as reading the whole of it gives them."""

from __future__ import annotations

from pathlib import Path

from kpatch_tool.mail import index
from kpatch_tool.mail.index_store import IndexFile
from kpatch_tool.mail.read import read_sources
from kpatch_tool.progress import silent
from kpatch_tool.series.mailboxes import indexed, listing, threads
from kpatch_tool.series.mailboxes.indexed import PatchJudge
from kpatch_tool.series.postings import gathering
from kpatch_tool.series.postings.received import read_posts

Shown = tuple[str, int, str, list[int], int, bool, str]


def whole(path: Path) -> list[Shown]:
    """The postings that reading the whole file gives."""
    found = gathering.gather(read_posts(read_sources([str(path)]).messages))
    return [
        (one.title, one.version, one.sender.name, sorted(one.patches), one.total, one.cover is not None,
         next(iter(one.posts)).message.message_id)
        for one in found
    ]  # fmt: skip


def shown(file: IndexFile, joined: threads.Threads | None = None) -> list[Shown]:
    indexed.group(file, threads=joined, count=1)
    box = listing.Mailbox(file, ["x"])
    return [
        (one.title, one.revision, one.author.name, list(one.patches), one.total, one.cover, one.message_id)
        for one in box.postings()
    ]


def from_index(path: Path, at: Path, *, count: int = 1) -> list[Shown]:
    joined = threads.Threads()
    with index.update(at, [str(path)], PatchJudge(), silent, count=count, added=joined.join_next) as file:
        return shown(file, joined)
