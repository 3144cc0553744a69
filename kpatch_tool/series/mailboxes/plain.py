"""The threads that most are: one patch, or a cover letter (or a first patch) and the patches that answer it. What
gathering.gather says of them is known without asking it, which takes five times as long; tests compare the two."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from kpatch_tool.mail.index_scan import Record
from kpatch_tool.mail.message import Address
from kpatch_tool.series.mailboxes.threads import PATCH, RFC, Kinds


class Row(NamedTuple):
    """A message that may be a patch or a cover, as the index keeps it: its place among all messages, the numbers of
    mail.index_scan.Marks, whether it has a diff, and the record."""

    place: int
    kind: int
    number: int
    total: int
    revision: int
    diff: int
    record: bytes


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


class Plain(NamedTuple):
    """The one posting of a thread, which is complete; who sent it; whether all its messages have ids."""

    found: Found
    sender: Address
    named: bool


def read(root: int, rows: Sequence[Row], kinds: Kinds) -> Plain | None:
    """The posting of a thread with these posts; None where it takes gathering.gather to tell."""
    cover: Row | None = None
    patches: list[Row] = []
    for row in rows:
        kind = row.kind & ~RFC
        if kind == PATCH and row.number and row.diff:
            patches.append(row)
        elif kind == PATCH and row.number == 0 and cover is None:
            cover = row
        elif row.number == 0 or kind not in (0, PATCH) or (row.diff and not kinds.marked):
            return None
        # Any other is no patch, and could be no more than a cover letter without a number.
    patches.sort(key=lambda row: row.number)
    if cover is None:
        return _without_cover(root, rows, patches)
    # Patches beyond the total ("12/11") belong to it as well.
    if len(patches) < cover.total or not _is_whole(patches, cover):
        return None
    return _plain(root, cover, [cover, *patches])


def _without_cover(root: int, rows: Sequence[Row], patches: Sequence[Row]) -> Plain | None:
    """The posting of one patch, or of 1/N to N/N of one sender."""
    if not patches:
        return None
    first = patches[0]
    if len(patches) == 1 and first.number < 0:
        # A patch that answers a letter may have it for a cover.
        letters = len(rows) > 1 and Record.of(first.record).in_reply_to
        return None if letters else _plain(root, None, patches)
    if len(rows) > len(patches) or len(patches) != first.total or not _is_whole(patches, first):
        return None
    return _plain(root, None, patches)


def _is_whole(patches: Sequence[Row], first: Row) -> bool:
    """Whether `patches` are 1, 2, 3 ... with the total and revision of `first`."""
    alike = all(row.total == first.total and row.revision == first.revision for row in patches)
    return alike and [row.number for row in patches] == [*range(1, len(patches) + 1)]


def _plain(root: int, cover: Row | None, rows: Sequence[Row]) -> Plain | None:
    """The posting of `rows`, a `cover` (or none) and patches by number, if all behind the first answer that."""
    records = [Record.of(row.record) for row in rows]
    top = records[0]
    for one in records[1:]:
        parent = one.in_reply_to or one.references.rpartition(" ")[2]
        if parent != top.message_id or not parent or one.minor != top.minor:
            return None
        if cover is None and (one.name, one.email) != (top.name, top.email):
            return None
    first = min(records, key=lambda one: float(one.sent or 0))
    found = Found(
        sent=float(first.sent or 0),
        place=min(row.place for row in rows),
        date=first.date,
        title=next((one.title for one in records if one.title), ""),
        revision=1 if rows[0].revision < 0 else rows[0].revision,
        name=top.name,
        email=top.email,
        patches=",".join(str(row.number) for row in rows if row.number > 0) or "1",
        total=max(rows[-1].total, 1),
        cover=cover is not None,
        message_id=top.message_id,
        roots=str(root),
    )
    return Plain(found, Address(top.name, top.email), all(one.message_id for one in records))
