"""Saved pages of archives that mark in comments where the mail is: MHonArc, hypermail, pipermail.

MHonArc (lkml.iu.edu since 2001, spinics, mail-archive.com) writes the header's fields into comments, the author in
ROT13 (its doc/resources/printxcomments.html); hypermail writes name="value" comments; pipermail shows the fields.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from urllib.parse import unquote

from kpatch_tool.mail import headers
from kpatch_tool.mail.archives import evidence
from kpatch_tool.mail.archives.reading import author, body_of, date, diff_start
from kpatch_tool.mail.archives.table import ARCHIVES, Archive
from kpatch_tool.mail.message import Address, Damage, Message
from kpatch_tool.mail.pages import Kind, Token, source_text

_BY_NAME = {archive.name: archive for archive in ARCHIVES}
_MHONARC = Archive("mhonarc", re.compile(rb"(?!)"))
# Comments that begin and end a body.
_MARKS = {
    "X-Body-of-Message": "X-Body-of-Message-End",
    'body="start"': 'body="end"',
    "beginarticle": "endarticle",
}
# Words of a page that tell whose MHonArc it is.
_SITES = (("Linux-Kernel Archive", "hypermail"), ("spinics", "spinics"), ("mail-archive", "mail-archive"))
_COMMENT_FIELD = re.compile(r"(X-[\w-]+): (.*)", re.DOTALL)
_COMMENT_VALUE = re.compile(r'(\w+)="(.*)"', re.DOTALL)
# MHonArc's mrot13(): 28 characters from @ to [ and the small letters, each turned half around.
_ROT13_FROM = "@ABCDEFGHIJKLMNOPQRSTUVWXYZ[abcdefghijklmnopqrstuvwxyz"
_ROT13_TO = "NOPQRSTUVWXYZ[@ABCDEFGHIJKLMnopqrstuvwxyzabcdefghijklm"
_ROT13 = str.maketrans(_ROT13_FROM, _ROT13_TO)
_OWN_ID = re.compile(r"[?&;]In-Reply-To=(?:%3C|<|&lt;)([^%&\"'>]{1,250}(?:%(?!3E)[0-9A-F]{2}[^%&\"'>]{0,250}){0,20})")


@dataclass(frozen=True, slots=True)
class _Part:
    """One mail of a page: the tokens above its body, and those of its body."""

    head: Sequence[Token]
    body: Sequence[Token]
    mark: str


def read_marked(page: str, found: Sequence[Token], name: str) -> list[Message]:
    """The messages of a page with such marks, in order; none when it has no marks. `found` are the tokens of `page`,
    `name` is its name."""
    parts = list(_parts(found))
    site = next((site for word, site in _SITES if word in page), "")
    archives = [_archive(part, site) for part in parts]
    texts = [source_text(part.body).strip("\n").encode("utf-8", "replace") + b"\n" for part in parts]
    bodies = [body_of(text, archive) for text, archive in zip(texts, archives, strict=True)]
    # What squeezes white space is how pages are shown or copied, not how they are written.
    usual = archives[0].damage - {Damage.SQUEEZED} if archives else frozenset()
    damage = evidence.observed(bodies, usual)
    messages = []
    for number, (part, archive, body) in enumerate(zip(parts, archives, bodies, strict=True), start=1):
        fields = _fields(part)
        who = _author(fields, archive)
        replied = tuple(one.strip("<>") for one in fields.get("reply", "").split())
        messages.append(
            Message(
                subject=" ".join(fields.get("subject", "").split()),
                author=who,
                date=date(fields.get("date", "")),
                body=_own_address(body, who),
                charset="utf-8",
                origin=f"{name}, message {number}",
                message_id=fields.get("id", "").strip("<> "),
                in_reply_to=replied[-1] if replied else "",
                references=replied,
                damage=damage,
                archive=archive.name,
            )
        )
    return messages


def _parts(found: Sequence[Token]) -> Iterator[_Part]:
    begins = [place for place, token in enumerate(found) if token.kind is Kind.COMMENT and token.value in _MARKS]
    last = 0
    for begin, following in pairwise([*begins, len(found)]):
        mark = found[begin].value
        ends = (place for place in range(begin, following) if found[place] == Token(Kind.COMMENT, _MARKS[mark]))
        end = next(ends, following)
        yield _Part(found[last:begin], found[begin + 1 : end], mark)
        last = end


def _archive(part: _Part, site: str) -> Archive:
    if part.mark == "beginarticle":
        return _BY_NAME["pipermail"]
    if part.mark == 'body="start"':
        return _BY_NAME["hypermail"]
    return _BY_NAME.get(site, _MHONARC)


def _fields(part: _Part) -> dict[str, str]:
    """The header of a mail: subject, from (or name and email), date, id, reply (message ids, the last answered)."""
    comments = [token.value for token in part.head if token.kind is Kind.COMMENT]
    if part.mark == "X-Body-of-Message":
        written = [(match[1], match[2]) for comment in comments if (match := _COMMENT_FIELD.fullmatch(comment))]
        fields = dict(reversed(written))
        return {
            "subject": fields.get("X-Subject", ""),
            "from": fields.get("X-From", "") or fields.get("X-From-R13", "").translate(_ROT13),
            "date": fields.get("X-Date", ""),
            "id": fields.get("X-Message-Id", ""),
            "reply": " ".join(value for key, value in written if key == "X-Reference"),
        }
    if part.mark == 'body="start"':
        fields = {match[1]: match[2] for comment in comments if (match := _COMMENT_VALUE.fullmatch(comment))}
        reply = fields.get("inreplyto", "")
        return {
            "subject": fields.get("subject", ""),
            "name": fields.get("name", ""),
            "email": fields.get("email", ""),
            "date": fields.get("sent", ""),
            "id": fields.get("id", ""),
            "reply": reply if "@" in reply and " " not in reply else "",
        }
    own = next((match for token in part.head if (match := _OWN_ID.search(token.rest))), None)
    return {
        "subject": _first(part.head, "h1"),
        "name": _first(part.head, "b"),
        "email": _first(part.head, "a"),
        "date": _first(part.head, "i"),
        "id": unquote(own[1]) if own else "",
    }


def _first(head: Sequence[Token], name: str) -> str:
    """The text of the first element called `name`."""
    begin = next((place for place, token in enumerate(head) if token[:2] == (Kind.OPEN, name)), None)
    if begin is None:
        return ""
    pieces = []
    for token in head[begin + 1 :]:
        if token[:2] == (Kind.CLOSE, name):
            break
        if token.kind is Kind.TEXT:
            pieces.append(token.value)
    return " ".join("".join(pieces).split())


def _author(fields: dict[str, str], archive: Archive) -> Address:
    if "from" in fields:
        who = headers.address(headers.decode_words(fields["from"].encode("utf-8", "replace")))
        return author(who.name, who.email, archive)
    return author(fields.get("name", ""), fields.get("email", ""), archive)


def _own_address(body: bytes, who: Address) -> bytes:
    """The author's own address put back above the diff, where the archive wrote its domain in x of the same number."""
    user, _, domain = who.email.partition("@")
    if not domain:
        return body
    end = diff_start(body)
    hidden = re.compile(rb"(?<![\w.+-])" + re.escape(f"{user}@{'x' * len(domain)}".encode()) + rb"(?!x)")
    return hidden.sub(who.email.encode().replace(b"\\", rb"\\"), body[:end]) + body[end:]
