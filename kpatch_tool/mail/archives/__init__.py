"""Pages of mailing-list archives -> messages. One row of `table.ARCHIVES` an archive; this reads any of them."""

from __future__ import annotations

import re
from collections.abc import Iterator

from kpatch_tool.mail import headers
from kpatch_tool.mail.archives import evidence
from kpatch_tool.mail.archives.reading import author, body_of, date, unhidden
from kpatch_tool.mail.archives.table import ARCHIVES, Archive
from kpatch_tool.mail.message import Damage, Message
from kpatch_tool.mail.mime import unix_lines

_FIRST_START = 1 << 20  # bytes of a page within which its first message starts
_SHORT_LINE = 50
_FULL_LINE = 74


def recognise(page: bytes) -> Archive | None:
    """The archive whose page `page` is: the one of which a message starts first; None when it is none."""
    found = ((archive.start.search(page, 0, _FIRST_START), archive) for archive in ARCHIVES)
    starts = [(match.start(), archive) for match, archive in found if match]
    return min(starts, key=lambda pair: pair[0])[1] if starts else None


def read(page: bytes, archive: Archive, name: str) -> Iterator[Message]:
    """The messages of a page, in its order. `name` is the page's, for `Message.origin`."""
    page = unix_lines(page)
    starts = list(archive.start.finditer(page))
    bodies = []
    for i, start in enumerate(starts):
        end = starts[i + 1].start() if i + 1 < len(starts) else len(page)
        body = page[start.end() : end]
        if archive.indented:  # the blanks before the first line belong to it
            body = start[0].rpartition(b"\n")[2] + body
        if i + 1 < len(starts):
            body = body.removesuffix(b"\n")  # the newline that stands between two messages
        bodies.append(body_of(body, archive))
    damage = evidence.observed(bodies, archive.damage)
    for number, (start, body) in enumerate(zip(starts, bodies, strict=True), start=1):
        yield _message(archive, start, body, damage, f"{name}, message {number}")


def _message(archive: Archive, start: re.Match[bytes], body: bytes, damage: frozenset[Damage], origin: str) -> Message:
    shown = {key: headers.decode(value or b"", "utf-8").strip() for key, value in start.groupdict().items()}
    replied = headers.message_ids(unhidden(shown.get("reply", ""), archive))
    subject = " ".join(shown.get("subject", "").split())
    if Damage.BLANK_LINES_DROPPED in damage:
        subject, body = _unfolded(subject, body)
    return Message(
        subject=subject,
        author=author(shown.get("name", ""), shown.get("email", ""), archive),
        date=date(shown.get("date", "")),
        body=body,
        charset="utf-8",
        origin=origin,
        message_id=_message_id(shown.get("id", ""), archive),
        in_reply_to=replied[-1] if replied else "",
        references=replied,
        damage=damage,
        archive=archive.name,
    )


def _message_id(shown: str, archive: Archive) -> str:
    whole = unhidden(shown, archive)
    return next(iter(headers.message_ids(whole if whole.startswith("<") else f"<{whole}>")), "")


def _unfolded(subject: str, body: bytes) -> tuple[str, bytes]:
    """Subject and body, where the page broke a long subject and its second line became the first of the body.

    Nothing marks it where leading blanks and blank lines are lost: it is short, begins in lower case, does not end a
    clause, the line below it does not begin in lower case, and its first word had no room in the line above.
    """
    line, _, rest = body.partition(b"\n")
    second = headers.decode(line, "utf-8")
    first_word = second.split(" ")[0]
    full = len("Subject: ") + len(subject) + 1 + len(first_word) > _FULL_LINE
    words = second[:1].islower() and not second.endswith((".", ":", ",")) and not rest[:1].islower()
    if full and 0 < len(second) < _SHORT_LINE and words:
        return f"{subject} {second}", rest
    return subject, body
