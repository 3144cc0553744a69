"""Whom a mail went to, for an answer to all: read from the files as received, since nothing else of kpt asks for it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from kpatch_tool.mail import headers, mbox
from kpatch_tool.mail.message import Address
from kpatch_tool.mail.read import SourceFile
from kpatch_tool.mail.unpack import unpacked

_MOST = 200  # addresses of one field
_FIELDS = ("to", "cc")


@dataclass(frozen=True, slots=True)
class Recipients:
    """The addresses in To and Cc, in order; what an archive hid is left out, and `hidden` counts it."""

    to: tuple[Address, ...] = ()
    cc: tuple[Address, ...] = ()
    hidden: int = 0


def by_message_id(files: Iterable[SourceFile]) -> Mapping[str, Recipients]:
    """The recipients of every mail in `files` (mailboxes, single mails, compressed or not) that has a message id.

    Pages of archives have none of it and add nothing. Raises InputError where a compressed file cannot be unpacked.
    """
    found: dict[str, Recipients] = {}
    for file in files:
        for raw, _ in mbox.raw_mails(unpacked(file.data, file.path)):
            fields, _ = headers.split(raw)
            ids = headers.message_ids(headers.text(fields, "message-id"))
            if ids:
                found.setdefault(ids[0], _recipients(fields))
    return found


def _recipients(fields: Mapping[str, list[bytes]]) -> Recipients:
    lists: dict[str, tuple[Address, ...]] = {}
    hidden = 0
    for name in _FIELDS:
        values = [value.decode("latin-1") for value in fields.get(name, [])]
        pairs = headers.people(values)[:_MOST]
        people = [
            Address(headers.squeezed(headers.decode_words(who.encode("latin-1", "replace"))), email.strip())
            for who, email in pairs
            if email
        ]
        lists[name] = tuple(one for one in people if "@" in one.email and not headers.is_hidden(one.email))
        hidden += len(people) - len(lists[name])
    return Recipients(lists["to"], lists["cc"], hidden)
