"""A page of an archive saved as HTML -> its messages."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import pairwise
from urllib.parse import unquote

from kpatch_tool.errors import InputError
from kpatch_tool.mail import pages
from kpatch_tool.mail.archives import refusals
from kpatch_tool.mail.archives.marked import read_marked
from kpatch_tool.mail.message import Message
from kpatch_tool.mail.pages import Kind, Token

_LINK = re.compile(r"""\bhref\s*=\s*["']?([^"'\s>]{1,400})""", re.IGNORECASE)
_ID = re.compile(r"([^/?#]{1,250}@[^/?#]{1,250})/(?:raw)?$")


def read_page(data: bytes, name: str) -> Iterable[Message] | None:
    """The messages of a saved page; None where `data` is no HTML. `name` is the file's, for errors and origins.

    Raises InputError when the page shows no mail that kpt can read.
    """
    if not pages.is_html(data):
        return None
    page = pages.decode_page(data)
    found = list(pages.tokens(page))
    if marked := read_marked(page, found, name):
        return marked
    from kpatch_tool.mail.read import NothingFound, parse, parse_text  # a page may show a raw mail

    refusals.refuse_challenge(data, name)
    text = pages.text(page).strip("\n").encode("utf-8", "replace") + b"\n"
    try:
        # HTML shown in HTML is not read as such again.
        messages = list(parse_text(text, name) if text.lstrip().startswith(b"<") else parse(text, name))
    except NothingFound as error:
        raise InputError(
            "no mail and no patch found in this HTML page: it is of no archive that kpt knows, or only an index",
            where=name,
            todo="save the page of the mail or thread itself, or its mbox",
        ) from error
    if not any(message.archive or message.author.name for message in messages) and not _is_raw_view(found):
        raise InputError(
            "the page shows a diff, but is of no archive that kpt knows",
            where=name,
            todo="import what its link to the mbox, the raw mail or the patch gives",
        )
    return _with_ids(messages, found)


def _is_raw_view(found: Sequence[Token]) -> bool:
    """Whether nearly all text of a page is preformatted: a browser's view of a plain file."""
    inside = outside = 0
    in_pre = False
    for token in found:
        if token.kind is Kind.TEXT:
            size = len(token.value.strip())
            inside, outside = (inside + size, outside) if in_pre else (inside, outside + size)
        elif token.value == "pre" and token.kind is not Kind.COMMENT:
            in_pre = token.kind is Kind.OPEN
    return outside * 10 <= inside


def read_single_file(data: bytes, name: str) -> Iterable[Message] | None:
    """The messages of a page that a browser saved as one file (.mhtml: RFC 2557); None where `data` is none."""
    from email import message_from_bytes, policy

    try:
        whole = message_from_bytes(data, policy=policy.compat32)
    except RecursionError:  # parts in parts without end
        return None
    if whole.get_content_type() != "multipart/related":
        return None
    part = next((part for part in whole.walk() if part.get_content_type() == "text/html"), None)
    page = part.get_payload(decode=True) if part is not None else None
    return read_page(page, name) if isinstance(page, bytes) else None


def _with_ids(messages: Sequence[Message], found: Sequence[Token]) -> Sequence[Message]:
    """The messages of a lore thread with the ids its permalinks carry, where each message has one."""
    ids = []
    for link, shown in pairwise(found):
        if link[:2] == (Kind.OPEN, "a") and shown == Token(Kind.TEXT, "raw") and (match := _LINK.search(link.rest)):
            id_ = _ID.search(unquote(match[1]))
            ids.append(id_[1] if id_ else "")
    own = [message for message in messages if message.archive == "lore, thread"]
    # Every message has the link twice: above and below it.
    if not own or len(own) != len(messages) or len(ids) != 2 * len(own) or ids[::2] != ids[1::2]:
        return messages
    return [replace(message, message_id=id_) for message, id_ in zip(messages, ids[::2], strict=True)]
