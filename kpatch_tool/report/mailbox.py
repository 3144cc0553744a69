"""The series of a mailbox: a line each, or one JSON document written piece by piece."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator

from kpatch_tool.series.mailboxes.listing import Listed
from kpatch_tool.text import columns, cut, plural, printable, width

_SHORTEST_TITLE = 12
_AUTHOR = 18


def lines(postings: Iterable[Listed], messages: int) -> Iterator[str]:
    """A line a posting, cut to `columns`: number, date, version, patches of how many, author, title."""
    shown, most = 0, columns()
    for one in postings:
        shown += 1
        day = one.date.date().isoformat() if one.date else "-"
        own = [number for number in one.patches if 1 <= number <= one.total]
        count = f"{len(own)}/{one.total}"
        author = cut(printable(one.author.name or one.author.email), _AUTHOR, "\u2026")
        author += " " * (_AUTHOR - width(author))
        start = f"{one.number:>6} {day:10} v{one.revision:<2} {count:>6} {author} "
        yield start + cut(printable(one.title), max(most - width(start), _SHORTEST_TITLE), "\u2026")
    yield f"{shown} series in {plural(messages, 'message')}"


def document(postings: Iterable[Listed], messages: int) -> Iterator[str]:
    """The same as one JSON document, in pieces: nothing of the mailbox's size is held."""
    yield f'{{"kpt": 1, "messages": {messages}, "series": ['
    for place, one in enumerate(postings):
        yield (",\n " if place else "\n ") + json.dumps(_entry(one), ensure_ascii=False)
    yield "\n]}\n"


def _entry(one: Listed) -> dict[str, object]:
    return {
        "number": one.number,
        "title": one.title,
        "revision": one.revision,
        "author": {"name": one.author.name, "email": one.author.email},
        "date": one.date.isoformat() if one.date else None,
        "patches": list(one.patches),
        "total": one.total,
        "cover": one.cover,
        "message_id": one.message_id,
        "complete": one.complete,
    }
