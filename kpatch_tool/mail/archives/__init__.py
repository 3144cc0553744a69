"""Page text of mailing-list archives -> messages. One row of `table.ARCHIVES` an archive; this reads any of them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone

from kpatch_tool.errors import InputError
from kpatch_tool.mail import headers
from kpatch_tool.mail.archives.table import ARCHIVES, ZONES, Archive
from kpatch_tool.mail.message import Address, Message
from kpatch_tool.mail.mime import unix_lines

_LONG_LINE = 400
_DIFF = re.compile(rb"^(?:diff -|--- \S)", re.MULTILINE)
_HUNK_IN_A_LINE = re.compile(rb" @@ -\d+(?:,\d+)? \+\d+(?:,\d+)? @@ ")
_CLOCK = re.compile(r"(\d{1,2}):(\d\d)(?::(\d\d))?")
_MONTHS = "JanFebMarAprMayJunJulAugSepOctNovDec"


def recognise(page: bytes) -> Archive | None:
    """The archive whose page `page` is: the one of which a message starts first; None when it is none."""
    starts = [(match.start(), archive) for archive in ARCHIVES if (match := archive.start.search(page))]
    return min(starts, key=lambda pair: pair[0])[1] if starts else None


def read(page: bytes, archive: Archive, name: str) -> Iterator[Message]:
    """The messages of a page, in its order. `name` is the page's, for `Message.origin`."""
    page = unix_lines(page)
    starts = list(archive.start.finditer(page))
    for i, start in enumerate(starts):
        end = starts[i + 1].start() if i + 1 < len(starts) else len(page)
        body = page[start.end() : end]
        if i + 1 < len(starts):
            body = body.removesuffix(b"\n")  # the newline that stands between two messages
        if archive.footer and (footer := archive.footer.search(body)):
            body = body[: footer.start()]
        yield _message(archive, start, _undone(body, archive), f"{name}, message {i + 1}")


def _undone(body: bytes, archive: Archive) -> bytes:
    if archive.undo is None:
        return body
    pattern, meant = archive.undo
    diff = None if archive.undo_in_diff else _DIFF.search(body)
    end = diff.start() if diff else len(body)
    return pattern.sub(meant, body[:end]) + body[end:]


def refuse_one_line(page: bytes, name: str) -> None:
    """Raise InputError for a page whose line ends are gone: nothing can tell where the lines of its patches ended."""
    long = (line for line in page.split(b"\n") if len(line) > _LONG_LINE and b" +++ " in line)
    if any(_HUNK_IN_A_LINE.search(line) for line in long):
        raise InputError(
            "the page is squeezed into one line a mail, so the lines of its patches are lost",
            where=name,
            todo="import another copy of the thread (raw mail, or the archive's page as text)",
        )


def _message(archive: Archive, start: re.Match[bytes], body: bytes, origin: str) -> Message:
    shown = {key: headers.decode(value or b"", "utf-8").strip() for key, value in start.groupdict().items()}
    replied = headers.message_ids(shown.get("reply", ""))
    return Message(
        subject=" ".join(shown.get("subject", "").split()),
        author=_author(archive, shown),
        date=_date(shown.get("date", "")),
        body=body if body.endswith(b"\n") else body + b"\n",
        charset="utf-8",
        origin=origin,
        message_id=next(iter(headers.message_ids(shown.get("id", ""))), ""),
        in_reply_to=replied[-1] if replied else "",
        references=replied,
        damage=archive.damage,
        archive=archive.name,
    )


def _author(archive: Archive, shown: dict[str, str]) -> Address:
    name, email = shown.get("name", ""), shown.get("email", "")
    for written, meant in archive.address:
        name, email = name.replace(written, meant), email.replace(written, meant)
    if headers.is_hidden(email) or "@" not in email:
        email = ""
    if headers.is_hidden(name):
        name = headers.HIDDEN_ADDRESS.sub("", name).strip(" <>@")
    return Address(name.strip(' "') or email, email)


def _date(shown: str) -> datetime | None:
    """A page's date. ISO dates are UTC (linuxlists, lore); others name their zone."""
    clock = _CLOCK.search(shown)
    iso = re.match(r"(\d{4})-(\d\d)-(\d\d)", shown)
    named = re.search(r"\b([A-Z][a-z]{2}) +(\d{1,2})\b", shown)
    year = re.search(r"\b(?:19|20)\d\d\b", shown)
    try:
        if clock and iso:
            return datetime(int(iso[1]), int(iso[2]), int(iso[3]), *_time(clock), tzinfo=UTC)
        if "," in shown:
            return headers.date(shown)
        if clock and named and year and _MONTHS.find(named[1]) % 3 == 0:
            zone = re.search(r"\b([A-Z]{2,5})\b", shown.replace(named[0], ""))
            hours = ZONES.get(zone[1], 0) if zone else 0
            when = timezone(timedelta(hours=hours))
            return datetime(int(year[0]), _MONTHS.index(named[1]) // 3 + 1, int(named[2]), *_time(clock), tzinfo=when)
    except (ValueError, OverflowError):
        return None
    return headers.date(shown)


def _time(clock: re.Match[str]) -> tuple[int, int, int]:
    return int(clock[1]), int(clock[2]), int(clock[3] or 0)
