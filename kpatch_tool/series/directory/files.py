"""The text of a patch file, in the form `git format-patch` writes and `git am` takes; and of cover.txt and replies."""

from __future__ import annotations

import base64
import re
from datetime import datetime

from kpatch_tool import __version__
from kpatch_tool.mail import mbox
from kpatch_tool.mail.message import Address
from kpatch_tool.series.model import Cover, Patch, Reply
from kpatch_tool.series.people.persons import HIDDEN_EMAIL, NOBODY
from kpatch_tool.series.reading.split import BREAK

_UNPREFIXED = re.compile(rb"\A(?:[^\n]*\n)??diff --git (\S+) \1\n")
_SEPARATOR = b"From " + b"0" * 40 + mbox.FILES_DATE + b"\n"
_INBODY_LIKE = re.compile(r"(?:(?:From|Subject|Date):|\[PATCH\]\s|>From\s)", re.IGNORECASE)
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_WORD_BYTES = 42  # of text in one RFC 2047 word, whose limit is 75 characters
_LONGEST_STEM = 57  # git's format.filenameMaxLength, less ".patch" and its final NUL


def file_name(number: int, subject: str) -> str:
    """The file name git format-patch would give: "0002-KVM-MMU-properly-check.patch"."""
    words = re.sub(r"[^A-Za-z0-9._]+", "-", subject)
    words = re.sub(r"\.{2,}", ".", words).strip("-.") or "patch"
    return f"{number:04d}-{words}"[:_LONGEST_STEM] + ".patch"


def quilt_line(name: str, patch: Patch) -> str:
    """The line of quilt's list for the file `name` of a patch: with -p0 where its diff names files without a prefix
    (`git format-patch --no-prefix`)."""
    return f"{name}{' -p0' if _UNPREFIXED.search(patch.diff) else ''}\n"


def patch_text(patch: Patch, revision: int, total: int) -> bytes:
    """The whole file of a patch. The diff's bytes are kept; the rest is UTF-8."""
    version = f" v{revision}" if revision > 1 else ""
    width = len(str(max(total, patch.number)))
    count = f" {patch.number:0{width}d}/{total}" if total > 1 or patch.number > 1 else ""
    fields = [
        ("From", _person(patch.author)),
        ("Date", rfc_date(patch.date) if patch.date else ""),
        ("Subject", encoded(f"[PATCH{version}{count}] {patch.subject}")),
        ("Message-ID", f"<{patch.message_id}>" if patch.message_id else ""),
    ]
    # In a mail that lost white space lines that would end the message were indented.
    message = BREAK.sub(rb" \g<0>", _guarded(patch).encode("utf-8", "replace"))
    if not (patch.message + patch.note).isascii():
        fields += [
            ("MIME-Version", "1.0"),
            ("Content-Type", "text/plain; charset=UTF-8"),
            ("Content-Transfer-Encoding", "8bit"),
        ]
    header = "".join(f"{name}: {value}\n" for name, value in fields if value)
    note = f"{patch.note}\n" if patch.note else ""
    # A line that begins a mail is quoted as in any mbox.
    above, below = (part.encode("utf-8", "replace") for part in (f"{header}\n", f"---\n{note}\n"))
    text = mbox.LOOKS_LIKE_ONE.sub(b">", above + message + below)
    diff = patch.diff if patch.diff.endswith(b"\n") else patch.diff + b"\n"
    return _SEPARATOR + text + diff + f"-- \n{__version__}\n\n".encode()


def _guarded(patch: Patch) -> str:
    """The commit message; one that begins like fields inside the text gets such fields before it, or `git am` would
    take its first lines away."""
    if not patch.message:
        return ""
    if not _INBODY_LIKE.match(patch.message):
        return patch.message + "\n"
    date = f"Date: {rfc_date(patch.date)}\n" if patch.date else ""
    return f"From: {_person(patch.author)}\nSubject: {encoded(patch.subject)}\n{date}\n{patch.message}\n"


def cover_text(cover: Cover, revision: int, total: int) -> str:
    """cover.txt: a few fields as in a mail, then the text."""
    version = f" v{revision}" if revision > 1 else ""
    return _letter(cover.author, cover.date, f"[PATCH{version} 0/{total}] {cover.subject}", cover.body)


def reply_text(reply: Reply) -> str:
    """A reply's file, like cover.txt."""
    return _letter(reply.author, reply.date, reply.subject, reply.body)


def letter_body(text: str) -> str:
    """The text below the fields of cover.txt or a reply's file."""
    return text.partition("\n\n")[2].removesuffix("\n")


def _letter(author: Address, date: datetime | None, subject: str, body: str) -> str:
    who = f"{author.name} <{author.email}>" if author.email and author.email != author.name else author.name
    when = f"Date: {rfc_date(date)}\n" if date else ""
    return f"From: {who}\n{when}Subject: {subject}\n\n{body}\n"


def rfc_date(when: datetime) -> str:
    """A date as mail writes it (RFC 5322), whatever the locale."""
    day, month = _DAYS[when.weekday()], _MONTHS[when.month - 1]
    zone = when.strftime("%z")[:5] or "+0000"
    return f"{day}, {when.day} {month} {when.year:04d} {when:%H:%M:%S} {zone}"


def _person(author: Address) -> str:
    email = author.email or HIDDEN_EMAIL
    name = author.name or NOBODY
    if not name.isascii() or "=?" in name:
        return f"{encoded(name)} <{email}>"
    if re.search(r'[()<>@,;:\\".\[\]]', name):
        escaped = re.sub(r'(["\\])', r"\\\1", name)
        return f'"{escaped}" <{email}>'
    return f"{name} <{email}>"


def encoded(text: str) -> str:
    """Text for a field: as it is when ASCII, else in RFC 2047 words, none of which splits a character."""
    text = " ".join(text.split())
    if text.isascii() and "=?" not in text and text.isprintable():
        return text
    words, piece = [], b""
    for char in text:
        data = char.encode("utf-8", "replace")
        if len(piece) + len(data) > _WORD_BYTES:
            words.append(piece)
            piece = b""
        piece += data
    words.append(piece)
    return "\n ".join(f"=?UTF-8?B?{base64.b64encode(word).decode()}?=" for word in words)
