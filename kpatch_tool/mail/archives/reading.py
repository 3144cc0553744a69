"""What reading a page's text and reading its HTML share: a body cleared of the archive's additions, authors, dates."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone

from kpatch_tool.mail import dates, headers, relayed
from kpatch_tool.mail.archives.table import Archive
from kpatch_tool.mail.message import Address

_DIFF = re.compile(rb"^(?:diff -|--- \S)", re.MULTILINE)
_CLOCK = re.compile(r"(\d{1,2}):(\d\d)(?::(\d\d))?")
_MONTHS = "JanFebMarAprMayJunJulAugSepOctNovDec"
_INDENTATION = re.compile(rb"^ *(?=[^ \n])", re.MULTILINE)


def body_of(text: bytes, archive: Archive) -> bytes:
    """The text of a mail without the archive's footer, its writing of addresses undone; it ends in a newline."""
    if archive.footer and (footer := archive.footer.search(text)):
        text = text[: footer.start()]
    if archive.marker:
        text = archive.marker.sub(b"", text)
    if archive.indented:
        text = _dedented(text)
    if archive.undo is not None:
        pattern, meant = archive.undo
        end = len(text) if archive.undo_in_diff else diff_start(text)
        text = pattern.sub(meant, text[:end]) + text[end:]
    return text if text.endswith(b"\n") else text + b"\n"


def diff_start(text: bytes) -> int:
    """Where the first diff in a mail's text begins; its length without one."""
    diff = _DIFF.search(text)
    return diff.start() if diff else len(text)


def _dedented(text: bytes) -> bytes:
    """`text` without the blanks that begin each of its lines."""
    common = min((len(found[0]) for found in _INDENTATION.finditer(text)), default=0)
    return re.sub(rb"^ {%d}" % common, b"", text, flags=re.MULTILINE) if common else text


def author(name: str, email: str, archive: Archive) -> Address:
    """The author as shown; the address is empty where the archive hid it, or where a list sent the mail in its own name
    (a page does not show the fields that say whose it was)."""
    name, email = unhidden(name, archive), unhidden(email, archive)
    if not email and "@" in name and not headers.is_hidden(name):
        return headers.address(name)
    shown = email.strip("<> ")
    if headers.is_hidden(email) or "@" not in email or "...@" in email:
        email = ""
    if headers.is_hidden(name) or "...@" in name:
        name = headers.HIDDEN_ADDRESS.sub("", name).strip(" <>@")
    if writer := relayed.writer(name.strip(' "')):
        return Address(writer, "")
    return Address(name.strip(' "') or email, email.strip("<> "), "" if email else shown)


def unhidden(shown: str, archive: Archive) -> str:
    """Addresses or message ids with the archive's own writing of them undone."""
    for written, meant in archive.address:
        shown = shown.replace(written, meant)
    return shown


def date(shown: str) -> datetime | None:
    """A page's date. ISO dates are UTC (linuxlists, lore, MARC); others name their zone."""
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
            hours = dates.ZONES.get(zone[1], 0) if zone else 0
            when = timezone(timedelta(hours=hours))
            return datetime(int(year[0]), _MONTHS.index(named[1]) // 3 + 1, int(named[2]), *_time(clock), tzinfo=when)
    except (ValueError, OverflowError):
        return None
    return headers.date(shown)


def _time(clock: re.Match[str]) -> tuple[int, int, int]:
    return int(clock[1]), int(clock[2]), int(clock[3] or 0)
