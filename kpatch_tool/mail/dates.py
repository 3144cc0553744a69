"""The dates that mail programs, git and people write -> moments, read as git reads them (date.c)."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone

_MONTHS = {
    "Jan": "01", "Feb": "02", "Mar": "03", "Apr": "04", "May": "05", "Jun": "06",
    "Jul": "07", "Aug": "08", "Sep": "09", "Oct": "10", "Nov": "11", "Dec": "12",
}  # fmt: skip
# Hours east of UTC, summer time counted in: git's timezone_names (date.c), whatever else the letters may stand for.
ZONES = {
    "IDLW": -12, "NT": -11, "CAT": -10, "HST": -10, "HDT": -9, "YST": -9, "YDT": -8, "PST": -8, "PDT": -7, "MST": -7,
    "MDT": -6, "CST": -6, "CDT": -5, "EST": -5, "EDT": -4, "AST": -3, "ADT": -2, "WAT": -1, "GMT": 0, "UTC": 0, "Z": 0,
    "WET": 0, "BST": 1, "MET": 1, "MEWT": 1, "MEST": 2, "CET": 1, "CEST": 2, "MESZ": 2, "FWT": 1, "FST": 2, "EET": 2,
    "EEST": 3, "WAST": 7, "WADT": 8, "CCT": 8, "JST": 9, "EAST": 10, "EADT": 11, "GST": 10, "NZT": 12, "NZST": 12,
    "NZDT": 13, "IDLE": 12,
}  # fmt: skip
_PLAIN = re.compile(
    r"(?:(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), )?(?P<day>[0-9]{1,2}) "
    r"(?P<month>Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) "
    r"(?P<year>[0-9]{4}) (?P<clock>[0-9]{2}:[0-9]{2}:[0-9]{2}) "
    r"(?P<zone_hours>[+-][0-9]{2})(?P<zone_minutes>[0-5][0-9])"
)
_ZONE = (
    r"(?:(?P<name>[A-Za-z]{1,4})?(?P<hours>[+-][0-9]{2}):?(?P<minutes>[0-5][0-9])|(?P<alone>[A-Za-z]{1,4}))(?![\w:])"
)
_ISO = re.compile(
    rf"(?P<day>[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}})[T ](?P<clock>[0-9]{{2}}:[0-9]{{2}}(?::[0-9]{{2}})?)(?:[.,][0-9]+)?"
    rf"(?: ?{_ZONE})?",
    re.ASCII,
)
# What git log --date=raw shows; without `@` nine digits are what no other date begins with (match_digit).
_SECONDS = re.compile(rf"@?(?P<seconds>(?<=@)[0-9]{{1,12}}|[0-9]{{9,10}})(?: {_ZONE})?", re.ASCII)
_ZONED = re.compile(rf"(?P<clock>:[0-9]{{2}}(?:\.[0-9]+)?(?: (?:19|20)[0-9]{{2}})?) ?\(?{_ZONE}\)?", re.ASCII)
_LEAP = re.compile(r"(?<=[0-9]:[0-9]{2}:)60(?![0-9])")


def date(value: str) -> datetime | None:
    """The moment a date names, in the sender's zone (UTC where it names none or an unknown one); None when
    unreadable."""
    value = value.strip()
    try:
        if _LEAP.search(value):  # the first second of the next minute, as in tm_to_time_t
            before = _read(_LEAP.sub("59", value))
            return before + timedelta(seconds=1) if before else None
        return _read(value)
    except (ValueError, TypeError, OverflowError, IndexError, OSError):
        return None


def _read(value: str) -> datetime | None:
    if found := _PLAIN.fullmatch(value):
        return _plain(found)
    if found := _ISO.fullmatch(value):
        return datetime.fromisoformat(f"{found['day']}T{found['clock']}").replace(tzinfo=_zone(found))
    if found := _SECONDS.fullmatch(value):
        return datetime.fromtimestamp(int(found["seconds"]), _zone(found))
    return _of_mail(value)


def _plain(found: re.Match[str]) -> datetime:
    """A date as nearly every program writes it. Loading email.utils takes longer than reading fifty patches."""
    day, month, year, clock, zone_hours, zone_minutes = found.groups()
    return datetime.fromisoformat(f"{year}-{_MONTHS[month]}-{day.zfill(2)}T{clock}{zone_hours}:{zone_minutes}")


def _of_mail(value: str) -> datetime | None:
    """A date as RFC 5322 and its forerunners have it. email.utils knows few zones and tells none by a colon, so that
    they are written out for it."""
    from email.utils import parsedate_tz

    parsed = parsedate_tz(_ZONED.sub(_written_out, value, count=1))
    return datetime(*parsed[:6], tzinfo=_east(timedelta(seconds=parsed[9] or 0))) if parsed else None


def _written_out(found: re.Match[str]) -> str:
    if found["alone"] and found["alone"].upper() not in ZONES:
        return found[0]
    return f"{found['clock']} {datetime(1, 1, 2, tzinfo=_zone(found)):%z}"


def _zone(found: re.Match[str]) -> timezone:
    """The zone that _ZONE found: numbers count before a name (`GMT+0100`)."""
    if not found["hours"]:
        return _east(timedelta(hours=ZONES.get((found["alone"] or "").upper(), 0)))
    minutes = int(found["hours"][1:]) * 60 + int(found["minutes"])
    return _east(timedelta(minutes=-minutes if found["hours"].startswith("-") else minutes))


def _east(offset: timedelta) -> timezone:
    return timezone(offset) if offset else UTC
