"""Mails for tests: small ones made here, and pages in the shapes of the archives."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import datetime

from kpatch_tool.mail.message import Message
from kpatch_tool.mail.read import parse

DIFF = """diff --git a/mm/f.c b/mm/f.c
index 1234567..89abcde 100644
--- a/mm/f.c
+++ b/mm/f.c
@@ -1,4 +1,4 @@ int f(void)
 {
 \tint a;

-\treturn 1;
+\treturn  2;
"""


@dataclass(frozen=True, slots=True)
class Mail:
    """A mail to be rendered. `id` is short ("p1"); `minute` its time after 09:00 UTC on the `day`th of April 2014."""

    subject: str
    body: str
    id: str = ""
    reply_to: str = ""
    name: str = "Jane Doe"
    email: str = "jane@example.org"
    minute: int = 0
    day: int = 17

    def rfc5322(self) -> str:
        when = datetime(2014, 4, self.day, 9, self.minute)
        lines = [f"From: {self.name} <{self.email}>", f"Date: {when:%a, %d %b %Y %H:%M:%S} +0000"]
        lines.append(f"Subject: {self.subject}")
        if self.id:
            lines.append(f"Message-ID: <{self.id}@example.org>")
        if self.reply_to:
            lines.append(f"In-Reply-To: <{self.reply_to}@example.org>")
        return "\n".join(lines) + "\n\n" + self.body


def patch(
    subject: str, id: str = "", *, file: str = "mm/f.c", trailers: str = "", minute: int = 0, reply_to: str = ""
) -> Mail:
    """A mail with a patch of DIFF's shape on `file`."""
    body = f"Why.\n\n{trailers}Signed-off-by: Jane Doe <jane@example.org>\n---\n 1 file changed\n\n"
    return Mail(subject, body + DIFF.replace("mm/f.c", file) + "-- \n2.39.5\n", id, reply_to, minute=minute)


def thread(
    number: int, total: int = 3, *, reply_to: str = "", day: int = 1, missing: int = 0, more: int = 0
) -> list[Mail]:
    """A series with a cover and an answer, all ids its own; `more` patches go beyond the total."""
    cover = Mail(f"[PATCH 0/{total}] mm: thing {number}", "Text.\n", f"c{number}", reply_to, minute=day)
    patches = [
        patch(f"[PATCH {k}/{total}] mm: thing {number}.{k}", f"p{number}.{k}", reply_to=f"c{number}", minute=day)
        for k in range(1, total + more + 1)
        if k != missing
    ]
    answer = Mail(f"Re: [PATCH 1/{total}] mm: thing {number}.1", "> x\nYes.\n", f"r{number}", f"p{number}.1")
    return [*(replace(mail, name=f"Jane {number}", email=f"j{number}@x.org") for mail in (cover, *patches)), answer]


def mbox(*mails: Mail) -> bytes:
    """The mails as an mbox."""
    return "".join(f"From mboxrd@z Thu Jan  1 00:00:00 1970\n{mail.rfc5322()}\n" for mail in mails).encode()


def messages(*mails: Mail) -> list[Message]:
    """The mails, read."""
    return list(parse(mbox(*mails), "thread.mbox"))


def linuxlists(*mails: Mail) -> bytes:
    """The mails as a page of linuxlists: white space squeezed, addresses hidden."""
    return "\n".join(
        f"2014-04-{mail.day:02d} 09:{mail.minute:02d}:00\n\nby {mail.name}\n\n"
        f"[permalink] [raw]\nSubject: {mail.subject}\n\n"
        + "\n".join(_squeezed(_hidden(line)) for line in mail.body.split("\n"))
        for mail in mails
    ).encode()


def _squeezed(line: str) -> str:
    return re.sub(r"[ \t]+", " ", line).strip()


def _hidden(line: str) -> str:
    return re.sub(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+", "[email protected]", line)
