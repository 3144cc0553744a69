"""A mail that stands in the text of another, as mail programs forward it: a line that says so, its header, its text."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime

from kpatch_tool.mail import headers
from kpatch_tool.mail.message import Message
from kpatch_tool.series.reading.split import has_diff

_WORDS = (
    "Forwarded message", "Original message", "Weitergeleitete Nachricht", "Urspr\u00fcngliche Nachricht",
    "Message transf\u00e9r\u00e9", "Message d'origine", "Mensaje reenviado", "Mensaje original", "Messaggio inoltrato",
    "Doorgestuurd bericht",
    "\u041f\u0435\u0440\u0435\u0441\u044b\u043b\u0430\u0435\u043c\u043e\u0435"
    " \u0441\u043e\u043e\u0431\u0449\u0435\u043d\u0438\u0435",
    "\u8f6c\u53d1\u90ae\u4ef6\u4fe1\u606f", "\u539f\u59cb\u90ae\u4ef6",
)  # fmt: skip
# Outlook writes no words, but the header that it shows says when a mail was sent below who sent it.
_OUTLOOKS = (
    r"(?=\*?(?:From|Von|De|Da|Van)[^\n:]{0,3}:\*?[ \t][^\n]{3,300}\n"
    r"\*?(?:Sent|Gesendet|Envoy|Enviado|Inviato|Verzonden)[^\n:]{0,6}:)"
)
_MARK = re.compile(
    rf"^(?:[ \t]*(?:-{{4,}} ?(?:{'|'.join(_WORDS)})(?: from [^\n]{{1,200}}?)? ?-{{4,}}|"
    rf"Begin forwarded message:)[ \t]*\n(?:[ \t]*\n)*|"
    rf"{_OUTLOOKS})".encode(),
    re.MULTILINE | re.IGNORECASE,
)
# The fields that count, by the words of several languages.
_MEANT = {
    "from": "from", "von": "from", "de": "from", "da": "from", "van": "from",
    "\u043e\u0442": "from", "\u53d1\u4ef6\u4eba": "from",
    "date": "date", "sent": "date", "gesendet": "date", "datum": "date", "envoy\u00e9": "date", "fecha": "date",
    "enviado": "date", "enviado el": "date", "inviato": "date", "verzonden": "date",
    "data": "date", "\u0434\u0430\u0442\u0430": "date",
    "\u53d1\u9001\u65f6\u95f4": "date", "\u53d1\u9001\u65e5\u671f": "date",
    "subject": "subject", "betreff": "subject", "objet": "subject", "asunto": "subject", "oggetto": "subject",
    "onderwerp": "subject", "\u0442\u0435\u043c\u0430": "subject", "\u4e3b\u9898": "subject",
}  # fmt: skip
_FIELD = re.compile(r"[ \t]*\*?([^\s:*][^\n:*]{0,29}):\*?[ \t]*(.*)")
_DATES = ("%a, %b %d, %Y at %I:%M %p", "%A, %B %d, %Y %I:%M %p")  # Gmail's, Outlook's
_MOST_LINES = 100


def opened(message: Message) -> Message | None:
    """The mail that `message` forwards in its text, with the ids of `message`; None where no header of one is there.

    Its date is that of `message` where the header has none that can be read; dates without a zone are taken for UTC.
    """
    mark = _MARK.search(message.body)
    if mark is None or has_diff(message.body[: mark.start()]):
        return None
    lines = headers.decode(message.body[mark.end() :], message.charset).split("\n", _MOST_LINES)
    fields: dict[str, str] = {}
    last, length = "", 0
    for line in lines[:_MOST_LINES]:
        found = _FIELD.match(line)
        if not line.strip():
            break
        if found and not (last and line[:1] in " \t"):
            last = _MEANT.get(found[1].strip().lower(), "-")
            fields.setdefault(last, found[2].strip())
        elif last and (line[:1] in " \t" or (last == "-" and "@" in line)):  # a field goes on
            fields[last] = f"{fields[last]} {line.strip()}"
        else:
            break
        length += 1
    if "from" not in fields or "subject" not in fields:
        return None
    body = message.body[mark.end() :].split(b"\n", length)[-1].lstrip(b"\n")
    return replace(
        message,
        subject=headers.squeezed(headers.decode_words(fields["subject"].encode("utf-8", "replace"))),
        author=headers.address(headers.decode_words(fields["from"].encode("utf-8", "replace"))),
        date=_date(fields.get("date", "")) or message.date,
        body=body,
    )


def _date(shown: str) -> datetime | None:
    plain = " ".join(shown.split())
    for form in _DATES:
        try:
            return datetime.strptime(plain, form).replace(tzinfo=UTC)
        except ValueError:
            continue
    return headers.date(shown)
