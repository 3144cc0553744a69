"""The text of `git show`, or of `git log -p` of one commit -> a message (git-log(1), PRETTY FORMATS); what `hg export`
prints -> messages."""

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
_CHANGESET = re.compile(rb"^# HG changeset patch\n((?>(?:# [^\n]{0,500}\n){0,40}))", re.MULTILINE)
_USER = re.compile(r"^# User +([^\n]+)$", re.MULTILINE)
_HGS_DATE = re.compile(r"^# Date +(\d{1,12}) (-?\d{1,5})$", re.MULTILINE)
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


def read_changesets(text: bytes, name: str) -> list[Message]:
    """The changesets that `text` begins with and consists of, as mails; none where it begins with something else. git
    am reads their header so (builtin/am.c, hg_patch_to_mail)."""
    starts = list(_CHANGESET.finditer(text))
    if not starts or starts[0].start():
        return []
    ends = [*(start.start() for start in starts[1:]), len(text)]
    return [
        _changeset(headers.decode(start[1], "utf-8"), text[start.end() : end].lstrip(b"\n"), name)
        for start, end in zip(starts, ends, strict=True)
    ]


def _changeset(head: str, text: bytes, name: str) -> Message:
    user, date = _USER.search(head), _HGS_DATE.search(head)
    title, _, body = text.partition(b"\n")
    return Message(
        subject=headers.squeezed(headers.decode(title, "utf-8")),
        author=headers.address(user[1] if user else ""),
        date=_moment(int(date[1]), timedelta(seconds=-int(date[2]))) if date else None,  # its zone counts westward
        body=body,
        charset="utf-8",
        origin=name,
    )


def _date(author: re.Match[str], head: str) -> datetime | None:
    if author["epoch"]:
        sign, hours, minutes = author["zone"][0], int(author["zone"][1:3]), int(author["zone"][3:])
        offset = timedelta(hours=hours, minutes=minutes)
        return _moment(int(author["epoch"]), -offset if sign == "-" else offset)
    shown = _DATE.search(head)
    if shown is None:
        return None
    try:
        return datetime.strptime(shown[1].strip(), _GITS)
    except ValueError:
        return _iso(shown[1].strip()) or headers.date(shown[1])


def _moment(epoch: int, offset: timedelta) -> datetime | None:
    try:
        return datetime.fromtimestamp(epoch, timezone(offset) if offset else UTC)
    except (ValueError, OverflowError, OSError):
        return None


def _iso(shown: str) -> datetime | None:
    """`--date=iso` and `iso-strict`."""
    try:
        when = datetime.fromisoformat(re.sub(r" ([+-]\d\d)(\d\d)$", r"\1:\2", shown))
    except ValueError:
        return None
    return when if when.tzinfo else None
