"""A mail's text -> commit message, note, diff, by the rules of git's mailinfo (mailinfo.c), which `git am` follows.

Scissors lines are not cut at, since `git am` does not unless told to.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from kpatch_tool.mail import headers

_INBODY = re.compile(rb"(From|Subject|Date):[ \t]*(.*)", re.IGNORECASE | re.DOTALL)
_SEPARATOR_LINE = re.compile(rb">From (?:[0-9a-f]{40}) Mon Sep 17 00:00:00 2001")
_DIFF_START = re.compile(rb"^(?:diff -|Index: |--- [^\s][^\n]*\n\+\+\+ )", re.MULTILINE)
_HUNK = re.compile(rb"@@ -\d+(?:,(\d+))? \+\d+(?:,(\d+))? @@")
_FILE_LINE = re.compile(
    rb"diff --git |index [0-9a-f]+\.\.|(?:old|new|new file|deleted file) mode |(?:dis)?similarity index |"
    rb"(?:rename|copy) (?:from|to) |Binary files |--- |\+\+\+ "
)
_BASE_LINE = re.compile(rb"^(?:base-commit|prerequisite-patch-id): [0-9a-f]{40,64}(?=\s*$)", re.MULTILINE)
_SIGNATURE = re.compile(rb"^--[ ]?\n(?=\s*\Z|\d+\.\d|To unsubscribe |_{20,})", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Split:
    """A patch mail taken apart. `inbody` are the fields found at the top of the text (lower-case name -> decoded);
    `message` is the commit message below the subject as git would keep it; `note` the text between `---` and the diff;
    `diff` the bytes of the diff without the mail's signature or footer; `line` the number in the body, from 1, of the
    diff's first line."""

    inbody: dict[str, str]
    message: str
    note: str
    diff: bytes
    line: int = 1


def has_diff(body: bytes) -> bool:
    """Whether a text holds a diff that is not quoted."""
    return (
        _DIFF_START.search(body) is not None
        and re.search(rb"^(?:@@ -|(?:rename|old mode|GIT binary|new file) )", body, re.MULTILINE) is not None
    )


def split_body(body: bytes, charset: str, *, damaged: bool = False) -> Split:
    """Take a mail's text apart. The message is decoded from `charset`; the diff keeps its bytes.

    With `damaged` (white space lost) the end of the diff cannot be counted: then only a signature is cut off.
    """
    inbody, start = _inbody(body, charset)
    cut = _patch_break(body, start)
    message = strip_space(headers.decode(body[start:cut], charset))
    found = _DIFF_START.search(body, cut)
    if found is None:
        return Split(inbody, message, _note(body[cut:], charset), b"")
    text = body[found.start() :]
    diff = _without_signature(text) if damaged else text[: diff_end(text)]
    note = "\n".join(filter(None, (_note(body[cut : found.start()], charset), *_base_lines(text[len(diff) :]))))
    return Split(inbody, message, note, diff, body.count(b"\n", 0, found.start()) + 1)


def _inbody(body: bytes, charset: str) -> tuple[dict[str, str], int]:
    """The fields at the top of the text and where the message starts (check_inbody_header, handle_commit_msg)."""
    found: dict[str, bytes] = {}
    last = ""
    at = 0
    while at < len(body):
        stop = body.find(b"\n", at) + 1 or len(body)
        line = body[at:stop].rstrip(b"\r\n")
        if not line.strip():
            if found:
                at = stop
                break
        elif last and line[:1] in b" \t":
            found[last] += b"\n" + line
        elif (match := _INBODY.fullmatch(line)) and match[1].decode().lower() not in found:
            last = match[1].decode().lower()
            found[last] = match[2]
        elif line.startswith((b"[PATCH] ", b"[PATCH]\t")):
            found["subject"], last = line, ""
        elif not _SEPARATOR_LINE.fullmatch(line):
            break
        at = stop
    return {name: _field(value, charset) for name, value in found.items()}, at


def _field(value: bytes, charset: str) -> str:
    raw = value if value.isascii() else headers.decode(value, charset).encode("utf-8", "replace")
    return " ".join(headers.decode_words(raw).split())


def _patch_break(body: bytes, start: int) -> int:
    """Where the commit message ends (patchbreak): at `---`, or at the diff."""
    at = start
    while at < len(body):
        stop = body.find(b"\n", at) + 1 or len(body)
        line = body[at:stop]
        if line.startswith((b"diff -", b"Index: ")):
            return at
        if line.startswith(b"---") and ((line[3:4] == b" " and not line[4:5].isspace()) or not line[3:].strip()):
            return at
        at = stop
    return len(body)


def _base_lines(tail: bytes) -> list[str]:
    """What git format-patch --base says below a diff (git-format-patch(1), BASE TREE INFORMATION)."""
    return [line.decode() for line in _BASE_LINE.findall(tail)]


def _note(text: bytes, charset: str) -> str:
    note = headers.decode(re.sub(rb"\A---[ \t]*\r?\n", b"", text), charset)
    return re.sub(r"\n+\Z", "", re.sub(r"\A\n+", "", note))


def strip_space(text: str) -> str:
    """As `git am` stores a message (strbuf_stripspace): no trailing blanks, single blank lines, none at the ends."""
    lines = [line.rstrip(" \t\r\f\v") for line in text.split("\n")]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip("\n")


def diff_end(text: bytes) -> int:
    """How many bytes of `text`, which begins with an undamaged diff, are the diff: up to its last file's last line.

    Counted by the hunks' own numbers, since a mail's signature looks like a removed line. When a hunk is cut short, all
    of it (the parser then says what is wrong).
    """
    end = at = 0
    while at < len(text):
        stop = text.find(b"\n", at) + 1 or len(text)
        line = text[at:stop]
        if hunk := _HUNK.match(line):
            stop, whole = _hunk_end(text, stop, int(hunk[1] or b"1"), int(hunk[2] or b"1"))
            if not whole:
                return at + len(_without_signature(text[at:]))
            end = stop
        elif line.startswith(b"GIT binary patch"):
            end = stop = _binary_end(text, stop)
        elif _FILE_LINE.match(line) and not (line.startswith((b"--- ", b"-- ")) and b"/" not in line):
            end = stop
        at = stop
    return end


def _hunk_end(text: bytes, at: int, old: int, new: int) -> tuple[int, bool]:
    """Where a hunk that begins at `at` ends, and whether it has all its lines."""
    while (old > 0 or new > 0) and at < len(text):
        first = text[at : at + 1]
        if first not in (b" ", b"-", b"+", b"\\", b"\n"):
            return at, False
        if first not in (b"+", b"\\"):
            old -= 1
        if first not in (b"-", b"\\"):
            new -= 1
        at = text.find(b"\n", at) + 1 or len(text)
    if text.startswith(b"\\ ", at):
        at = text.find(b"\n", at) + 1 or len(text)
    return at, old == 0 and new == 0


def _binary_end(text: bytes, at: int) -> int:
    """The end of a `GIT binary patch`: one or two blocks (literal or delta), each ended by a blank line."""
    while text.startswith((b"literal ", b"delta "), at):
        blank = text.find(b"\n\n", at)
        if blank < 0:
            return len(text)
        at = blank + 2
    return at


def _without_signature(text: bytes) -> bytes:
    """`text` up to the signature after its last hunk."""
    last = text.rfind(b"\n@@ ")
    found = _SIGNATURE.search(text, max(0, last))
    return text[: found.start()] if found else text
