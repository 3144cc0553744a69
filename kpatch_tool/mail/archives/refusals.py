"""Pages that look like a thread but cannot be read, and why."""

from __future__ import annotations

import re
from dataclasses import dataclass

from kpatch_tool.errors import InputError

_LONG_LINE = 400
_HUNK_IN_A_LINE = re.compile(rb" @@ -\d+(?:,\d+)? \+\d+(?:,\d+)? @@")
_FILE_IN_A_LINE = re.compile(rb"diff --git \S+ \S+ .{0,200}?--- \S+ \+\+\+ \S+ @@ -\d")
_HEADER_IN_A_LINE = (b"Subject: ", b"From: ", b"Date: ")
_TAG = re.compile(rb"<[A-Za-z/!]")
_SIGNED = re.compile(rb"^[ \t]*(?:Signed-off-by|Acked-by|Reviewed-by):([^\n]*)$", re.MULTILINE | re.IGNORECASE)
_NO_INCLUDE = re.compile(rb"^[ +-]?#[ \t]*include[ \t]*$|#include #include", re.MULTILINE)
_DIFF = re.compile(rb"^(?:diff -|--- [^\n]+\n\+\+\+ )", re.MULTILINE)
_UNIFIED = re.compile(rb"^@@ -\d", re.MULTILINE)
_FIRST_LINES = rb"\A(?:[^\n]{0,500}\n){0,5}?"  # a mail may quote a log
_LOGGED = rb"^commit [0-9a-f]{40}(?: [^\n]{0,200})?\n(?:[A-Z][A-Za-z]{1,20}: [^\n]{0,500}\n){0,6}?Author: "
_OTHER_COPY = "import another copy of the thread (raw mail, or the archive's page saved as HTML)"


@dataclass(frozen=True, slots=True)
class Refusal:
    """A kind of page: how it is known, why it is no source, what to do instead."""

    known_by: re.Pattern[bytes]
    what: str
    todo: str


CHALLENGE = Refusal(
    re.compile(rb"Making sure you(?:'|&#39;|&#x27;|\xe2\x80\x99)re not a bot|Just a moment\.\.\.|id=\"anubis"),
    "the server's check for robots, not the thread",
    "open the address in a browser and save the mbox, or try another mirror",
)

REFUSALS = (
    Refusal(
        re.compile(rb"^[ +-]*diff -- git a/", re.MULTILINE),
        "a mail program put blanks after the hyphens (diff -- git), so the lines of the patch are changed",
        _OTHER_COPY,
    ),
    Refusal(
        re.compile(rb"^\d{4}-\d\d-\d\d Thread [^\n]+\n", re.MULTILINE),
        "a list of search results of mail-archive.com, which drops the marks of quotes and of addresses",
        "import the page of the message itself",
    ),
    Refusal(
        re.compile(
            rb'(?:\A|^GET /api/.{0,600}?\n)\s*[\[{]\s*\{?\s*"id":.{0,900}"(?:web_url|msgid)":', re.DOTALL | re.MULTILINE
        ),
        "an answer of patchwork's API without the texts of the mails",
        'import its mbox: the address that it gives as "mbox"',
    ),
    Refusal(
        re.compile(
            rb"^(?:[^\n]* )?Message ID[ \t:]*\n?[ \t]*\S{1,200}@\S[^\n]*\n(?:[^\n]*\n){0,6}?(?:State|Headers)\b",
            re.MULTILINE,
        ),
        "a page of patchwork, which shows the patch below the comments on it",
        "import its mbox: the same address with /mbox/ at the end",
    ),
    Refusal(
        re.compile(rb"^commit[ \t|]+[0-9a-f]{40} ?\(patch\)|<table summary=.commit info.", re.MULTILINE),
        "a commit as a git web server shows it, not a patch",
        "import its patch (cgit: /patch/ instead of /commit/), or `kpt import COMMIT` in a clone",
    ),
    Refusal(
        re.compile(_FIRST_LINES + _LOGGED + rb".*?" + _LOGGED, re.MULTILINE | re.DOTALL),
        "several commits as git log shows them, not patches",
        "make mails of them (git format-patch --stdout A..B), or `kpt import A..B` in the clone",
    ),
)

# Diffs in no unified form.
OTHER_DIFFS = (
    Refusal(
        re.compile(rb"^diff --(?:cc|combined) ", re.MULTILINE),
        "a combined diff, as git shows a merge, which no program applies",
        "make a plain one: git diff MERGE^1 MERGE",
    ),
    Refusal(
        re.compile(rb"^\*\*\* [^\n]+\n--- [^\n]+\n\*{15}", re.MULTILINE),
        "a context diff",
        "make a unified one: diff -u",
    ),
    Refusal(
        re.compile(rb"^\d+(?:,\d+)?[acd]\d+(?:,\d+)?\n[<>] ", re.MULTILINE),
        "a diff without names and context",
        "make a unified one: diff -u",
    ),
)


def refuse(page: bytes, name: str) -> None:
    """Raise InputError for what nothing can be made of although it shows a patch. `name` is the page's."""
    for refusal in REFUSALS:
        if refusal.known_by.search(page):
            raise InputError(refusal.what, where=name, todo=refusal.todo)
    refuse_one_line(page, name)
    refuse_without_tags(page, name)


def refuse_other_diffs(text: bytes, name: str) -> None:
    """Raise InputError for a diff that is not unified, where no other is beside it."""
    if _UNIFIED.search(text):
        return
    for refusal in OTHER_DIFFS:
        if refusal.known_by.search(text):
            raise InputError(refusal.what, where=name, todo=refusal.todo)


def refuse_challenge(data: bytes, name: str) -> None:
    """Raise InputError when a page is a server's check for robots instead of what was asked for."""
    if CHALLENGE.known_by.search(data):
        raise InputError(CHALLENGE.what, where=name, todo=CHALLENGE.todo)


def refuse_one_line(page: bytes, name: str) -> None:
    """Raise InputError for a page whose line ends are gone: nothing can tell where the lines of its patches ended. One
    mail that is squeezed so, of a thread whose patches are not, is no reason."""
    if _UNIFIED.search(page):
        return
    for line in page.split(b"\n"):
        patch = (b" +++ " in line or b" diff " in line) and _HUNK_IN_A_LINE.search(line)
        if len(line) <= _LONG_LINE and not (patch and _FILE_IN_A_LINE.search(line)):
            continue
        if patch or sum(word in line for word in _HEADER_IN_A_LINE) == len(_HEADER_IN_A_LINE):
            raise InputError(
                "the page is squeezed into one line a mail, so the lines of its patches are lost",
                where=name,
                todo=_OTHER_COPY,
            )


def refuse_without_tags(page: bytes, name: str) -> None:
    """Raise InputError where a program took `<...>` for tags and dropped it: includes and addresses are gone."""
    if _TAG.search(page) or not _DIFF.search(page):
        return
    signed = _SIGNED.findall(page)
    lost_addresses = bool(signed) and not any(b"@" in one or b" at " in one or b"<" in one for one in signed)
    if _NO_INCLUDE.search(page) or (lost_addresses and b"@" not in page):
        raise InputError(
            "everything in <...> vanished from the page as if it were HTML tags (addresses, #include <...>)",
            where=name,
            todo=_OTHER_COPY,
        )
