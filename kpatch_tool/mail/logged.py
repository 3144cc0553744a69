"""The text of `git show`, or of `git log -p` of one commit -> a message (git-log(1), PRETTY FORMATS)."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone

from kpatch_tool.mail import headers
from kpatch_tool.mail.message import Message

_COMMIT = re.compile(
    rb"^commit ([0-9a-f]{40}|[0-9a-f]{64})(?: \([^\n]{0,500}\))?\n"
    rb"((?>(?:(?:gpg|[A-Za-z]{1,20}):? [^\n]{0,500}\n){1,40}))\n((?>(?:(?:    [^\n]*)?\n)*))",
    re.MULTILINE,
)
_AUTHOR = re.compile(
    r"^(?:Author|author):? +(?P<who>[^\n]*?>)(?: (?P<epoch>\d{1,12}) (?P<zone>[+-]\d{4}))?$", re.MULTILINE
)
_DATE = re.compile(r"^(?:AuthorDate|Date): +([^\n]+)$", re.MULTILINE)
_GITS = "%a %b %d %H:%M:%S %Y %z"  # git's default date


def read_commit(text: bytes, name: str) -> Message | None:
    """The commit that `text` begins with, as a mail; None where that is none. `name` is the file's."""
    found = _COMMIT.match(text)
    head = headers.decode(found[2], "utf-8") if found else ""
    author = _AUTHOR.search(head)
    if found is None or author is None:
        return None
    lines = [line.removeprefix(b"    ") for line in found[3].strip(b"\n").split(b"\n")]
    title = b" ".join(lines[: lines.index(b"")] if b"" in lines else lines)
    rest = lines[lines.index(b"") + 1 :] if b"" in lines else []
    return Message(
        subject=f"[PATCH] {headers.squeezed(headers.decode(title, 'utf-8'))}",
        author=headers.address(author["who"]),
        date=_date(author, head),
        body=b"".join(line + b"\n" for line in rest) + b"\n" + text[found.end() :],
        charset="utf-8",
        origin=name,
        commit=found[1].decode(),
    )


def _date(author: re.Match[str], head: str) -> datetime | None:
    if author["epoch"]:
        sign, hours, minutes = author["zone"][0], int(author["zone"][1:3]), int(author["zone"][3:])
        offset = timedelta(hours=hours, minutes=minutes)
        try:
            zone = timezone(-offset if sign == "-" else offset) if offset else UTC
            return datetime.fromtimestamp(int(author["epoch"]), zone)
        except (ValueError, OverflowError, OSError):
            return None
    shown = _DATE.search(head)
    if shown is None:
        return None
    try:
        return datetime.strptime(shown[1].strip(), _GITS)
    except ValueError:
        return _iso(shown[1].strip()) or headers.date(shown[1])


def _iso(shown: str) -> datetime | None:
    """`--date=iso` and `iso-strict`."""
    try:
        when = datetime.fromisoformat(re.sub(r" ([+-]\d\d)(\d\d)$", r"\1:\2", shown))
    except ValueError:
        return None
    return when if when.tzinfo else None
