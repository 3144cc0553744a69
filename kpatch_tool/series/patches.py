"""One message -> one Patch."""

from __future__ import annotations

from kpatch_tool.mail import headers
from kpatch_tool.mail.message import Address, Damage, Message
from kpatch_tool.series import trailers
from kpatch_tool.series.diffs import read_message
from kpatch_tool.series.files import HIDDEN, NOBODY
from kpatch_tool.series.model import Patch, Trailer
from kpatch_tool.series.subject import title


def read_patch(message: Message, number: int, *, replied: tuple[Trailer, ...] = (), kept: bool = False) -> Patch:
    """The patch in one message, called `number`; `replied` are the trailers that replies give it. `kept`: the message
    is a file that kpt wrote, so nobody damaged it on its way.

    Author, date and subject inside the text win over the mail's, as for `git am`. Raises InputError when the diff
    cannot be read.
    """
    reading = read_message(message, where=f"{message.origin}, patch {number}", kept=kept)
    parts = reading.parts
    inbody = parts.inbody
    author = headers.address(inbody["from"]) if "from" in inbody else message.author
    return Patch(
        number=number,
        subject=title(inbody.get("subject") or message.subject),
        author=_known(author, message),
        date=(headers.date(inbody["date"]) if "date" in inbody else None) or message.date,
        message=parts.message,
        note=parts.note,
        diff=parts.diff,
        files=reading.files,
        trailers=trailers.added(
            trailers.of_message(parts.message, paragraphs=Damage.BLANK_LINES_DROPPED not in message.damage), replied
        ),
        exactness=reading.exactness,
        why=reading.why,
        message_id=message.message_id,
        damage=reading.damage,
        received=reading.received,
    )


def _known(author: Address, message: Message) -> Address:
    """The author, without what an archive or kpt itself wrote in the place of an address."""
    if author.email == HIDDEN:
        return Address("" if author.name == NOBODY else author.name, "")
    if headers.is_hidden(author.email) or headers.is_hidden(author.name):
        return Address(author.name.split("<")[0].strip(" []") or message.author.name, "")
    return author
