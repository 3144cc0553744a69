"""Shows mails as the pages of mail archives do: a table of shapes, each with its way with white space and addresses.

Used by the benchmarks and the tests of restoring: real mails are damaged with these, restored, and compared.
The reader of the same archives is kpatch_tool/mail/archives.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

_ADDRESS = re.compile(r"([\w.+-]{1,64})@([\w-]{1,63}(?:\.[\w-]{1,63})+)")
_BULLET = "\N{BULLET}"
_BLANKS = re.compile(r"[ \t\xa0]+")
_MAJORDOMO = (
    'To unsubscribe from this list: send the line "unsubscribe linux-test" in\n'
    "the body of a message to majordomo@vger.kernel.org\n"
    "More majordomo info at  http://vger.kernel.org/majordomo-info.html\n"
)


@dataclass(frozen=True, slots=True)
class Mail:
    """What a page shows of a mail. `date` is UTC; `body` ends with a newline."""

    subject: str
    name: str
    address: str
    date: datetime
    message_id: str
    body: str
    in_reply_to: str = ""


def _kept(text: str) -> str:
    return text


def _squeezed(text: str) -> str:
    """Blanks at the ends of lines gone, every run of blanks one blank."""
    return "\n".join(_BLANKS.sub(" ", line).strip(" ") for line in text.split("\n"))


def _stripped(text: str) -> str:
    """Squeezed, and blank lines gone."""
    return "".join(f"{line}\n" for line in _squeezed(text).split("\n") if line)


def _protected(text: str) -> str:
    return _ADDRESS.sub("[email protected]", text)


def _crossed(text: str) -> str:
    return _ADDRESS.sub(lambda found: f"{found[1]}@{'x' * len(found[2])}", text)


def _cut(text: str) -> str:
    return _ADDRESS.sub(lambda found: f"{found[1]}@...{found[2][3:]}", text)


def _spelled(text: str) -> str:
    return _ADDRESS.sub(r"\1 at \2", text)


def _bulleted(text: str) -> str:
    return _ADDRESS.sub(lambda found: found[1] + "@" + found[2].replace(".", _BULLET, 1), text)


@dataclass(frozen=True, slots=True)
class Shape:
    """One archive's page. `start` and `end` stand around each body, with the fields of Mail, `shown` (its address as
    the archive writes it), `when` (the date by `dated`, in the archive's zone, `hours` from UTC) and `count` (mails of
    the thread) filled in. `first` is what the page begins with. White space is treated in the body, or, with `whole`,
    in everything."""

    name: str
    start: str
    dated: str
    end: str = "\n"
    first: str = ""
    hours: int = 0
    space: Callable[[str], str] = _kept
    hide: Callable[[str], str] = _kept
    whole: bool = False

    @property
    def squeezes(self) -> bool:
        """Whether white space is lost."""
        return self.space is not _kept

    def page(self, mails: Sequence[Mail]) -> str:
        """The page of a thread."""
        return self._fill(self.first, mails[0], len(mails)) + "".join(self._mail(mail, len(mails)) for mail in mails)

    def _mail(self, mail: Mail, count: int) -> str:
        body = self.hide(mail.body)
        start, end = self._fill(self.start, mail, count), self._fill(self.end, mail, count)
        if self.whole:
            return self.space(start + body) + end
        return start + self.space(body) + end

    def _fill(self, text: str, mail: Mail, count: int) -> str:
        when = (mail.date.astimezone(UTC) + timedelta(hours=self.hours)).strftime(self.dated)
        reply = f"In-Reply-To: {mail.in_reply_to}\n" if mail.in_reply_to else ""
        values = {
            "subject": mail.subject,
            "name": mail.name,
            "shown": self.hide(mail.address),
            "id": mail.message_id,
            "reply": reply,
            "when": when,
            "count": str(count),
        }
        return re.sub(r"\{(\w+)\}", lambda found: values[found[1]], text)


_LORE_HEAD = "All of lore.kernel.org\n help / color / mirror / Atom feed\n"
_LORE_MAIL = (
    _LORE_HEAD
    + "From: {name} <{shown}>\nTo: list@vger.kernel.org\nSubject: {subject}\nDate: {when}\t[thread overview]\n"
    "Message-ID: {id} (raw)\n{reply}\n"
)
_LORE_END = (
    "\n\nnext             reply\tother threads:[~2022-11-10  1:48 UTC|newest]\n\nThread overview: {count}+ messages"
    " (download: mbox.gz follow: Atom feed\n-- links below jump to the message on this page --\n\n"
)
_OPENWALL = (
    "[<prev] [next>] [<thread-prev] [thread-next>] [day] [month] [year] [list]\nMessage-ID: {id}\nDate:\t{when}\n"
    "From:\t{name} <{shown}>\nTo:\tlist@...r.kernel.org\nSubject: {subject}\n\n"
)
_RFC_DATE = "%a, %d %b %Y %H:%M:%S +0000"

SHAPES = (
    Shape(
        "linuxlists",
        "{when}\n\nby {name}\n\n[permalink] [raw]\nSubject: {subject}\n\n",
        "%Y-%m-%d %H:%M:%S",
        space=_squeezed,
        hide=_protected,
    ),
    Shape(
        "hypermail",
        "{subject}\n\nFrom: {name}\nDate: {when}\n\n\n",
        "%a %b %d %Y - %H:%M:%S EST",
        "\n\n\n",
        hours=-5,
        space=_squeezed,
        hide=_crossed,
    ),
    Shape(
        "spinics",
        "{subject}\n\n[Date Prev][Date Next][Thread Prev][Thread Next][Date Index][Thread Index]\n\n \n\n\n\n"
        "From: {name} <{shown}>\n\n",
        _RFC_DATE,
        f"\n--\n{_crossed(_MAJORDOMO)}\n",
        hide=_crossed,
    ),
    Shape("openwall", _OPENWALL, _RFC_DATE, hide=_cut),
    Shape("openwall, white space lost", _OPENWALL, _RFC_DATE, space=_stripped, hide=_cut, whole=True),
    Shape(
        "lore, thread",
        "* {subject}\n@ {when} {name}\n  0 siblings, 0 replies; {count}+ messages in thread\n"
        "From: {name} @ {when} UTC (permalink / raw)\n  To: somebody; +Cc: others\n\n",
        "%Y-%m-%d %H:%M",
        "\n\n^ permalink raw reply\t[flat|nested] {count}+ messages in thread\n\n",
        first=_LORE_HEAD,
    ),
    Shape("lore, mail", _LORE_MAIL, _RFC_DATE, _LORE_END),
    Shape("lore, bullets", _LORE_MAIL, _RFC_DATE, _LORE_END, hide=_bulleted),
    Shape(
        "pipermail",
        "{subject}\n\n{name} {shown}\n{when}\n\n\n",
        "%a %b %d %H:%M:%S PDT %Y",
        "\n\nMore information about the linux-test mailing list\n\n\n",
        hours=-7,
        hide=_spelled,
    ),
    Shape(
        "mail-archive",
        "{subject}\n\n{name} {when}\n\n",
        "%a, %d %b %Y %H:%M:%S -0800",
        f"\n-- \n{_protected(_MAJORDOMO)}\n\n",
        hours=-8,
        hide=_protected,
    ),
)
