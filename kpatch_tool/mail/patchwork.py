"""What patchwork's API tells about patches and comments (its `/api/` pages, or the JSON alone) -> messages.

The fields are those of https://patchwork.readthedocs.io/en/latest/api/rest/: `content` is the text of the mail without
its diff, `diff` that, `headers` the header of the mail (without From and Subject before version 2).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime

from kpatch_tool.mail import headers
from kpatch_tool.mail.charsets import sound
from kpatch_tool.mail.message import Address, Message

_BEGIN = re.compile(r"^[ \t]*[\[{]", re.MULTILINE)
_MARK = b'"msgid"'


def read_json(text: bytes, name: str) -> list[Message]:
    """The messages in an answer of the API; empty where `text` is none, or a list without the texts. `name` is the
    file's, for `Message.origin`."""
    if _MARK not in text or b'"content"' not in text:
        return []
    page = text.decode("utf-8", "replace")
    begin = _BEGIN.search(page)
    if begin is None:
        return []
    try:
        found, _ = json.JSONDecoder().raw_decode(page, begin.end() - 1)
    except (ValueError, RecursionError):  # and numbers of any length
        return []
    entries = found if isinstance(found, list) else [found]
    whole = [one for one in entries if isinstance(one, dict) and isinstance(one.get("content"), str)]
    return [_message(one, f"{name}, message {number}") for number, one in enumerate(whole, start=1)]


def _message(entry: Mapping[str, object], origin: str) -> Message:
    fields = dict(_fields(entry.get("headers")))
    content, diff = entry["content"], entry.get("diff")
    body = sound(f"{content}\n{diff}" if isinstance(diff, str) and diff else str(content))
    submitter = entry.get("submitter")
    known = submitter if isinstance(submitter, dict) else {}
    sent = headers.address(fields["from"]) if "from" in fields else Address(_text(known, "name"), _text(known, "email"))
    ids = headers.message_ids(_text(entry, "msgid"))
    answered = headers.message_ids(fields.get("in-reply-to", ""))
    return Message(
        subject=fields.get("subject") or _text(entry, "name") or _text(entry, "subject"),
        author=sent,
        date=headers.date(fields.get("date", "")) or _date(_text(entry, "date")),
        body=body.encode() + b"\n",
        charset="utf-8",
        origin=origin,
        message_id=ids[0] if ids else "",
        in_reply_to=answered[0] if answered else "",
        references=headers.message_ids(fields.get("references", "")),
    )


def _fields(shown: object) -> Iterator[tuple[str, str]]:
    """The fields of a mail's header, decoded; of several the first."""
    if isinstance(shown, dict):
        for name, value in shown.items():
            one = value[0] if isinstance(value, list) and value else value
            if isinstance(one, str):
                yield name.lower(), headers.squeezed(headers.decode_words(one.encode("utf-8", "replace"), "utf-8"))


def _text(entry: Mapping[str, object], name: str) -> str:
    value = entry.get(name)
    return headers.squeezed(sound(value)) if isinstance(value, str) else ""


def _date(shown: str) -> datetime | None:
    """A date of the API, which is in UTC without saying so."""
    try:
        return datetime.fromisoformat(shown).replace(tzinfo=UTC)
    except ValueError:
        return None
