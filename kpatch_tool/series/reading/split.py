"""A mail's text -> commit message, note, diff, by the rules of git's mailinfo (mailinfo.c), which `git am` follows."""

from __future__ import annotations

import re
from dataclasses import dataclass

from kpatch_tool.diff.parse import is_change
from kpatch_tool.mail import headers
from kpatch_tool.mail.footers import banner_end, footer_start, starts_footer, without_footer
from kpatch_tool.mail.mbox import FILES_LINE
from kpatch_tool.series.reading import scissors

_INBODY = re.compile(rb"(From|Subject|Date):[ \t]*(.*)", re.IGNORECASE | re.DOTALL)
# An address, hidden or not, or some words that may be a name, where a page left the address out.
_PERSON = re.compile(
    rb"@|[<\[]| at |^[^a-z\s]\S*(?:\s+(?:[^a-z\s]\S*|van|von|der|den|de|di|da|la|le|el|al|bin|via)){0,6}$|\b(?:ro)?bot$"
)
_SENTENCE = 4  # words
_OTHER_FIELD = re.compile(rb"[A-Z][A-Z-]{0,60}:(?:[ \t].*)?", re.IGNORECASE | re.DOTALL)
_SEPARATOR_LINE = re.compile(rb">?" + FILES_LINE)
_DIFF_START = re.compile(rb"^(?:diff -|Index: |--- [^\s][^\n]*\n\+\+\+ )", re.MULTILINE)
# What every diff has a line of: a hunk, or what git says of a change without one.
_CHANGE = re.compile(
    rb"^(?:@@ -|(?:rename|copy from|old mode|GIT binary|Binary files|new file|deleted file) )", re.MULTILINE
)
_ALWAYS_BREAKS = rb"Index: |---[ \t\r\f\v]*$"
BREAK = re.compile(rb"^(?:diff -|" + _ALWAYS_BREAKS + rb"|--- (?=\S))", re.MULTILINE)
# The same where lines may have lost the blanks they began with: `--- ---` was drawn above two columns, `---` in
# front of `> x` is what diff(1) prints between old and new lines, and `diff -u` is a command that the message
# quotes unless a diff follows.
_BREAK_OF_DAMAGED = re.compile(
    rb"^(?:diff --|diff -(?=[^\n]*\n{1,2}(?:--- |index |Binary |Only ))|(?:"
    + _ALWAYS_BREAKS
    + rb")(?!\n> )|--- (?=\S[^\n]*\n\+\+\+ ))",
    re.MULTILINE,
)
_RULE = re.compile(rb"^---[ \t\r]*$(?!\n> )", re.MULTILINE)
_GIT = re.compile(rb"^diff --git (?:a/)?(\S{1,4096})", re.MULTILINE)
_STAT = re.compile(rb"^[ \t]*\d{1,6} files? changed", re.MULTILINE)
_MARK = b"\xef\xbb\xbf"  # U+FEFF
_HUNK = re.compile(rb"@@ -\d{1,9}(?:,(\d{1,9}))? \+\d{1,9}(?:,(\d{1,9}))? @@")
_HEADER_START = re.compile(rb"diff -|Index: |--- [^\n]+\n\+\+\+ ")
_UNDERLINE = b"====="  # below Index:
_FILE_LINE = re.compile(
    rb"diff --git |index [0-9a-f]+\.\.[0-9a-f]+(?: [0-7]{6})?\s*$|(?:old|new|new file|deleted file) mode |"
    rb"(?:dis)?similarity index |(?:rename|copy) (?:from|to) |Binary files |--- |\+\+\+ "
)
_BASE_LINE = re.compile(
    rb"^(?:base-commit|prerequisite-[a-z-]{2,20}|change-id|based-on|depends-on):[ \t]*\S[^\r\n]{0,300}?(?=[ \t\r]*$)",
    re.MULTILINE | re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Split:
    """A patch mail taken apart."""

    inbody: dict[str, str]  # the fields at the top of the text: lower-case name -> decoded
    message: str  # below the subject, as git would keep it
    note: str  # what stands above scissors, and between `---` and the diff
    diff: bytes  # without the mail's signature or footer
    line: int = 1  # the number in the body, from 1, of the diff's first line


def has_diff(body: bytes) -> bool:
    """Whether a text holds a diff that is not quoted."""
    return _DIFF_START.search(body) is not None and _CHANGE.search(body) is not None


def split_body(
    body: bytes, charset: str, *, damaged: bool = False, whole: bool = False, counted: bool = False
) -> Split:
    """Take a mail's text apart. The message is decoded from `charset`; the diff keeps its bytes.

    With `damaged` (white space lost) the end of the diff cannot be counted: then only a signature is cut off. With
    `whole` scissors are part of the message: what they part is cut already. With `counted` the diff ends where its
    hunks' counts do, though what follows looks like more of it.
    """
    cut, parted = _message_end(body, damaged=damaged, whole=whole)
    inbody, start = _inbody(body, charset, parted.start if parted else 0)
    if parted and parted.start:
        inbody = _author_above(body[: parted.above], charset) | inbody
    found = _DIFF_START.search(body, cut)
    if found is None:
        message = strip_space(headers.decode(without_footer(body[start:cut]), charset))
        return Split(inbody, message, _note(without_footer(body[cut:]), charset), b"")
    if parted and not parted.start:  # the message stands above the scissors
        message = strip_space(headers.decode(body[start : parted.above], charset))
    else:
        message = strip_space(headers.decode(body[start:cut], charset))
    text = body[found.start() :]
    diff = _without_signature(text) if damaged else text[: diff_end(text, counted=counted)]
    talk = _note(body[: parted.above], charset) if parted and parted.start else ""
    note = "\n".join(filter(None, (talk, _note(body[cut : found.start()], charset), *_base_lines(text[len(diff) :]))))
    return Split(inbody, message, note, diff, body.count(b"\n", 0, found.start()) + 1)


def _message_end(body: bytes, *, damaged: bool, whole: bool) -> tuple[int, scissors.Cut | None]:
    """Where the commit message ends (patchbreak): at `---`, or at the diff; and where scissors say it begins."""
    found: list[tuple[int, int]] = []
    marks = iter(()) if whole else scissors.lines(body)
    mark = next(marks, None)
    quoted = _quoted_end(body) if damaged else 0
    for match in (_BREAK_OF_DAMAGED if damaged else BREAK).finditer(body, quoted):
        while mark and mark[0] < match.start():
            found.append(mark)
            mark = next(marks, None)
        if not (mark and mark[0] == match.start()):  # `--- >8 ---` is both: scissors come first
            return match.start(), scissors.cut(body, found, match.start())
    return len(body), None


def _quoted_end(body: bytes) -> int:
    """Where a message ends that may quote a diff which was indented: at the `---` above the first diff of git (then
    what xfstests prints), or above a diffstat that names nothing of that diff; 0 where it quotes none."""
    rule, git = _RULE.search(body), _GIT.search(body)
    if rule is None or git is None:
        return 0
    if rule.start() > git.start():
        following = _GIT.search(body, rule.end())
        stat = body[rule.end() : following.start() if following else rule.end()]
        quoted = {found[1] for found in _GIT.finditer(body, 0, rule.start())}
        if _STAT.search(stat) is None or not quoted.isdisjoint(stat.split()):
            return 0
    return rule.start()


def _inbody(body: bytes, charset: str, at: int) -> tuple[dict[str, str], int]:
    """The fields at the top of the text, which begins at `at`, and where the message starts (check_inbody_header,
    handle_commit_msg). Where a file of git format-patch was put into the text the other fields of its header are passed
    over."""
    found: dict[str, list[bytes]] = {}
    value: list[bytes] | None = None  # of the field that the next line may go on
    file = _SEPARATOR_LINE.fullmatch(body[body.rfind(b"\n", 0, max(at - 1, 0)) + 1 : at].rstrip()) is not None
    if body.startswith(_MARK, at):
        at += len(_MARK)
    at = banner_end(body, at)
    while at < len(body):
        stop = body.find(b"\n", at) + 1 or len(body)
        line = body[at:stop].rstrip(b"\r\n")
        if not line.strip():
            if value is not None:
                at = stop
                break
        elif value is not None and line[:1] in b" \t":
            value.append(line)
        elif (match := _INBODY.fullmatch(line)) and match[1].decode().lower() not in found and _is_field(match):
            value = found[match[1].decode().lower()] = [match[2]]
        elif line.startswith((b"[PATCH] ", b"[PATCH]\t")):
            found["subject"], value = [line], None
        elif _SEPARATOR_LINE.fullmatch(line):
            file = True
        elif file and _OTHER_FIELD.fullmatch(line):
            value = []
        else:
            break
        at = stop
    return {name: _field(b"\n".join(lines), charset) for name, lines in found.items()}, at


def _is_field(line: re.Match[bytes]) -> bool:
    """Whether what looks like a field in a text is one, and no sentence that begins so ("From: the start of it")."""
    name, value = line[1].lower(), line[2].strip()
    if name == b"from":
        return not value or _PERSON.search(value) is not None  # it may be folded
    return name != b"date" or len(value.split()) < _SENTENCE or re.search(rb"\d", value) is not None


def _author_above(talk: bytes, charset: str) -> dict[str, str]:
    """The From at the top of what stands above scissors. git send-email puts it there for a commit that is another's;
    it holds for the patch below too (git am --scissors forgets it)."""
    found, _ = _inbody(talk, charset, 0)
    return found if found.keys() == {"from"} else {}


def _field(value: bytes, charset: str) -> str:
    return headers.squeezed(headers.decode_words(value, charset))


def _base_lines(tail: bytes) -> list[str]:
    """What git format-patch --base (git-format-patch(1), BASE TREE INFORMATION) and b4 say below a diff."""
    return [line.decode("utf-8", "replace") for line in _BASE_LINE.findall(tail)]


def _note(text: bytes, charset: str) -> str:
    return headers.decode(re.sub(rb"\A---[ \t]*\r?\n", b"", text), charset).strip("\n")


def strip_space(text: str) -> str:
    """As `git am` stores a message (strbuf_stripspace): no trailing blanks, single blank lines, none at the ends."""
    lines = [line.rstrip(" \t\r\f\v") for line in text.split("\n")]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip("\n")


def diff_end(text: bytes, *, counted: bool = False) -> int:
    """How many bytes of `text`, which begins with an undamaged diff, are the diff: up to its last file's last line.

    Counted by the hunks' own numbers, since a mail's signature looks like a removed line. When a hunk is cut short, or
    more changes follow than it counts (unless `counted`), all of it (the parser then says what is wrong). Lines of a
    file's header count in one only: below a hunk they are prose.
    """
    end = at = 0
    header = False
    while at < len(text):
        stop = text.find(b"\n", at) + 1 or len(text)
        line = text[at:stop]
        if hunk := _HUNK.match(line):
            stop, whole = _hunk_end(text, stop, int(hunk[1] or b"1"), int(hunk[2] or b"1"))
            if not whole or (not counted and _change_follows(text, stop)):
                return at + len(_without_signature(text[at:]))
            end, header = stop, False
        elif line.startswith(b"GIT binary patch"):
            end = stop = _binary_end(text, stop)
            header = False
        else:
            of_file = _FILE_LINE.match(line) is not None
            begins = _HEADER_START.match(text, at) is not None
            header = begins or (header and (of_file or line.startswith(_UNDERLINE)))
            if header and of_file and not (line.startswith((b"--- ", b"-- ")) and b"/" not in line):
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


def _change_follows(text: bytes, at: int) -> bool:
    """Whether a change stands at `at`, below a whole hunk, or below further lines of context."""
    while text.startswith(b" ", at):
        at = text.find(b"\n", at) + 1 or len(text)
    return is_change(text[at : text.find(b"\n", at) + 1 or len(text)]) and not starts_footer(text, at)


def _binary_end(text: bytes, at: int) -> int:
    """The end of a `GIT binary patch`: one or two blocks (literal or delta), each ended by a blank line."""
    while text.startswith((b"literal ", b"delta "), at):
        blank = text.find(b"\n\n", at)
        if blank < 0:
            return len(text)
        at = blank + 2
    return at


def _without_signature(text: bytes) -> bytes:
    """`text` up to the signature or footer after its last hunk."""
    return text[: footer_start(text, max(0, text.rfind(b"\n@@ ")))]
