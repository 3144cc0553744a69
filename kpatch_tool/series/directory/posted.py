"""The mail that carried a patch or the cover letter, as somebody who answers it needs it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from kpatch_tool.errors import InputError
from kpatch_tool.mail.message import Address, Message
from kpatch_tool.mail.recipients import Recipients, by_message_id
from kpatch_tool.series.directory import store
from kpatch_tool.series.model import Series
from kpatch_tool.series.reading.subject import parse, same_title


@dataclass(frozen=True, slots=True)
class Posted:
    """A mail of the series. `subject` is as sent ("[PATCH v5 0/5] ..."), `text` what it says without its diff.

    `message_id`, `references` and `recipients` are empty where the source does not show them.
    """

    number: int
    subject: str
    author: Address
    date: datetime | None
    text: str
    message_id: str = ""
    references: tuple[str, ...] = ()
    recipients: Recipients = field(default_factory=Recipients)


def posted(directory: Path, series: Series, number: int) -> Posted:
    """The mail of patch `number` of the series in `directory`; 0 means the cover letter, or the first patch where the
    series has none.

    Raises InputError when the series has no such patch.
    """
    if number == 0 and series.cover is None:
        number = series.patches[0].number
    known = _known(series, number)
    try:
        received = store.received_of(directory)
    except InputError:  # a series written by hand
        return known
    message = _message(received.messages, series, known)
    if message is None:
        return known
    went_to = by_message_id(received.files)
    return Posted(
        number,
        message.subject,
        message.author if message.author.email else known.author,
        known.date or message.date,
        known.text,
        message.message_id,
        message.references or ((message.in_reply_to,) if message.in_reply_to else ()),
        went_to.get(message.message_id, Recipients()),
    )


def _known(series: Series, number: int) -> Posted:
    """What the series itself says of a mail."""
    version = f" v{series.revision}" if series.revision > 1 else ""
    width = len(str(series.total))
    count = f" {number:0{width}d}/{series.total}" if series.total > 1 or number == 0 else ""
    tag = f"[PATCH{version}{count}]"
    if number == 0 and series.cover is not None:
        cover = series.cover
        return Posted(0, f"{tag} {cover.subject}", cover.author, cover.date, cover.body, cover.message_id)
    patch = store.patch_of(series, number)
    return Posted(number, f"{tag} {patch.subject}", patch.author, patch.date, patch.message, patch.message_id)


def _message(messages: Iterable[Message], series: Series, known: Posted) -> Message | None:
    """The mail among those received: by its id, or by what its subject says."""
    wanted = parse(known.subject)
    for message in messages:
        if known.message_id and message.message_id == known.message_id:
            return message
        tag = parse(message.subject)
        alike = (tag.number, tag.revision or 1) == (wanted.number, series.revision)
        if not known.message_id and alike and not tag.reply and same_title(tag.title, wanted.title):
            return message
    return None
