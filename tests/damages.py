"""What mail programs and archives do to a diff, one function for each damage, for tests and for the benchmark.

A damage takes the text of an intact diff and a random generator and gives the text as it arrives. One that finds
nothing to do returns the text unchanged.
"""

from __future__ import annotations

import quopri
import random
import re
from collections.abc import Callable

Damager = Callable[[bytes, random.Random], bytes]
_ADDRESS = re.compile(rb"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")


def _lines(text: bytes) -> list[bytes]:
    return text.split(b"\n")


def _each(text: bytes, change: Callable[[bytes], bytes]) -> bytes:
    return b"\n".join(change(line) for line in _lines(text))


def _is_header(line: bytes) -> bool:
    return bool(re.match(rb"(?:diff |index |--- [ab/]|\+\+\+ [ab/]|@@ |new file|deleted file|\\ )", line))


def _body(text: bytes, change: Callable[[bytes], bytes]) -> bytes:
    """`change` of the text of every line of a hunk; the first column stays."""
    return _each(text, lambda line: line if _is_header(line) or not line else line[:1] + change(line[1:]))


def _broken(line: bytes, width: int, keep: bytes, stuff: bool = False) -> bytes:
    """`line` broken at blanks so that no part is longer than `width`, `keep` left at the end of each part."""
    parts: list[bytes] = []
    while len(line) > width:
        at = line.rfind(b" ", 2, width + 1)
        while at > 0 and (line[at - 1 : at] == b" " or not line[:at].strip(b" +-\t")):
            at = line.rfind(b" ", 2, at)
        if at <= 0:
            at = line.find(b" ", width)
            if at < 0:
                break
        parts.append(line[:at] + keep)
        line = line[at + 1 :]
        if stuff and line[:1] in (b" ", b">"):
            line = b" " + line
    return b"\n".join([*parts, line])


def wrapped(width: int) -> Damager:
    return lambda text, _rng: _each(text, lambda line: _broken(line, width, b""))


def flowed(text: bytes, _rng: random.Random) -> bytes:
    """format=flowed as Thunderbird sends it, undone by nobody: stuffed, blanks at the ends gone, soft line ends."""

    def change(line: bytes) -> bytes:
        line = line.rstrip(b" ")
        stuffed = b" " + line if line[:1] == b" " else line
        return _broken(stuffed, 76, b" ", stuff=True)

    return _each(text, change)


def flowed_stripped(text: bytes, rng: random.Random) -> bytes:
    """The same, with blanks at the line ends taken off on the way."""
    return _each(flowed(text, rng), lambda line: line.rstrip(b" \t"))


def unstuffed(text: bytes, _rng: random.Random) -> bytes:
    """One blank too few on each line that begins with one: a reader took it for stuffing."""
    return _each(text, lambda line: line[1:] if line[:1] == b" " else line)


def no_break(text: bytes, _rng: random.Random) -> bytes:
    """Runs of blanks: all but the last are no-break spaces."""
    return _each(text, lambda line: re.sub(rb" (?= )", b"\xc2\xa0", line))


def no_break_all(text: bytes, _rng: random.Random) -> bytes:
    return _body(text, lambda line: line.replace(b" ", b"\xc2\xa0"))


def no_break_latin(text: bytes, _rng: random.Random) -> bytes:
    return _each(text, lambda line: re.sub(rb" (?= )", b"\xa0", line) if line.isascii() else line)


def no_break_mojibake(text: bytes, _rng: random.Random) -> bytes:
    return _each(text, lambda line: re.sub(rb" (?= )", b"\xc3\x82\xc2\xa0", line))


def latin(text: bytes, _rng: random.Random) -> bytes:
    """In a charset of one byte, where it can be."""
    try:
        return text.decode().encode("cp1252")
    except UnicodeError:
        return text


def replaced(sign: str, *, bytewise: bool = False) -> Damager:
    """Letters outside ASCII that a program could not show: one sign for each, or for each of its bytes."""

    def change(line: bytes) -> bytes:
        letters = line.decode("utf-8", "surrogateescape")
        return "".join(
            one if one.isascii() else sign * (len(one.encode("utf-8", "surrogateescape")) if bytewise else 1)
            for one in letters
        ).encode()

    return lambda text, _rng: _body(text, change)


def typeset(text: bytes, _rng: random.Random) -> bytes:
    """Straight quotes and double dashes made typographic."""

    def change(line: bytes) -> bytes:
        line = re.sub(rb'(?<![\w)])"', b"\xe2\x80\x9c", line).replace(b'"', b"\xe2\x80\x9d")
        return line.replace(b"'", b"\xe2\x80\x99")

    return _body(text, change)


def invisible(text: bytes, rng: random.Random) -> bytes:
    """Zero-width characters in long lines."""
    return _body(text, lambda line: line[:40] + b"\xe2\x80\x8b" + line[40:] if len(line) > 60 else line)


def tabs_by_column(text: bytes, _rng: random.Random) -> bytes:
    return _body(text, lambda line: line.expandtabs(8))


def tabs_by_screen(text: bytes, _rng: random.Random) -> bytes:
    """As a terminal shows it: the first column counted."""
    return _each(text, lambda line: line if _is_header(line) else line.expandtabs(8))


def tabs_to(width: int, *, leading: bool = False) -> Damager:
    def change(line: bytes) -> bytes:
        head = len(line) - len(line.lstrip(b" \t")) if leading else len(line)
        return line[:head].replace(b"\t", b" " * width) + line[head:]

    return lambda text, _rng: _body(text, change)


def trailing_stripped(text: bytes, _rng: random.Random) -> bytes:
    return _each(text, lambda line: line.rstrip(b" \t"))


def leading_stripped(text: bytes, _rng: random.Random) -> bytes:
    """White space at the start of lines gone; the signs of changes stay."""
    return _each(text, lambda line: line.lstrip(b" \t"))


def quoted(text: bytes, _rng: random.Random) -> bytes:
    return _each(text, lambda line: b"> " + line if line else b">")


def indented(text: bytes, _rng: random.Random) -> bytes:
    return _each(text, lambda line: b"    " + line if line else b"")


def doubled(text: bytes, _rng: random.Random) -> bytes:
    return text.replace(b"\n", b"\n\n")


def blank_lines_dropped(text: bytes, _rng: random.Random) -> bytes:
    return b"\n".join(line for line in _lines(text) if line.strip()) + b"\n"


def crlf(text: bytes, _rng: random.Random) -> bytes:
    return text.replace(b"\n", b"\r\n")


def crlf_some(text: bytes, rng: random.Random) -> bytes:
    return _each(text, lambda line: line if _is_header(line) or rng.random() < 0.5 or not line else line + b"\r")


def carriage_returns(text: bytes, _rng: random.Random) -> bytes:
    return text.replace(b"\n", b"\r")


def no_newline_note_lost(text: bytes, _rng: random.Random) -> bytes:
    return b"\n".join(line for line in _lines(text) if not line.startswith(b"\\ "))


def quoted_printable(text: bytes, _rng: random.Random) -> bytes:
    return quopri.encodestring(text)


def quoted_printable_some(text: bytes, rng: random.Random) -> bytes:
    """Only some lines, and no line broken."""

    def change(line: bytes) -> bytes:
        if rng.random() < 0.5:
            return line
        return re.sub(rb"[=\x80-\xff]|[ \t]$", lambda match: b"=%02X" % match[0][0], line)

    return _body(text, change)


def entities(text: bytes, _rng: random.Random) -> bytes:
    def change(line: bytes) -> bytes:
        line = line.replace(b"&", b"&amp;").replace(b"<", b"&lt;").replace(b">", b"&gt;")
        return line.replace(b'"', b"&quot;").replace(b"'", b"&#39;")

    return _body(text, change)


def entities_some(text: bytes, rng: random.Random) -> bytes:
    def change(line: bytes) -> bytes:
        if rng.random() < 0.5:
            return line
        return line.replace(b"&", b"&amp;").replace(b"<", b"&lt;").replace(b">", b"&gt;")

    return _body(text, change)


def hidden(write: Callable[[bytes, bytes], bytes]) -> Damager:
    def change(text: bytes, _rng: random.Random) -> bytes:
        return _ADDRESS.sub(lambda match: write(*match[0].split(b"@", 1)), text)

    return change


def truncated(text: bytes, _rng: random.Random) -> bytes:
    """The mail ends in the middle of the last hunk."""
    at = text.rfind(b"\n@@ ")
    lines = _lines(text[at + 1 :])
    keep = max(2, len(lines) * 2 // 3 - 1)
    return text[: at + 1] + b"\n".join(lines[:keep]) + b"\n" if len(lines) > 5 else text


def counts_wrong(text: bytes, rng: random.Random) -> bytes:
    """The numbers of one hunk as after an edit by hand."""
    found = list(re.finditer(rb"^@@ -(\d+),(\d+) \+(\d+),(\d+) @@", text, re.MULTILINE))
    if not found:
        return text
    one = rng.choice(found)
    more = rng.choice((-1, 1))
    new = b"@@ -%s,%s +%s,%d @@" % (one[1], one[2], one[3], int(one[4]) + more)
    return text[: one.start()] + new + text[one.end() :]


def line_numbers_wrong(text: bytes, rng: random.Random) -> bytes:
    def change(match: re.Match[bytes]) -> bytes:
        start = max(1, int(match[1]) + rng.randint(-40, 40))
        return b"@@ -%d,%s +%d,%s @@" % (start, match[2], start, match[4])

    return re.sub(rb"(?m)^@@ -(\d+),(\d+) \+(\d+),(\d+) @@", change, text) if b"/dev/null" not in text else text


def groupwise(text: bytes, _rng: random.Random) -> bytes:
    """Blanks after hyphens, and one @ less."""

    def change(line: bytes) -> bytes:
        if line.startswith(b"@@ "):
            match = re.match(rb"@@ -(\S+) (\S+) @@", line)
            return b"@ - %s %s" % (match[1], match[2]) + line[match.end() :] if match else line
        if line.startswith(b"--- "):
            return line
        return re.sub(rb"-(?=[^\s-])", b"- ", line)

    return _each(text, change)


# name -> the damage; `hidden ...` need an address in the diff.
DAMAGES: dict[str, Damager] = {
    "wrapped at 72": wrapped(72),
    "wrapped at 76": wrapped(76),
    "flowed": flowed,
    "flowed, stripped": flowed_stripped,
    "unstuffed": unstuffed,
    "no-break": no_break,
    "no-break, all": no_break_all,
    "no-break, latin-1": no_break_latin,
    "no-break, mojibake": no_break_mojibake,
    "latin-1": latin,
    "typeset": typeset,
    "invisible": invisible,
    "tabs by column": tabs_by_column,
    "tabs by screen": tabs_by_screen,
    "tabs to 8": tabs_to(8),
    "tabs to 4": tabs_to(4),
    "leading tabs to 8": tabs_to(8, leading=True),
    "leading tabs to 4": tabs_to(4, leading=True),
    "trailing stripped": trailing_stripped,
    "leading stripped": leading_stripped,
    "quoted": quoted,
    "indented": indented,
    "doubled": doubled,
    "blank lines dropped": blank_lines_dropped,
    "CRLF": crlf,
    "CRLF, some": crlf_some,
    "CR": carriage_returns,
    "no-newline note lost": no_newline_note_lost,
    "quoted-printable": quoted_printable,
    "quoted-printable, some": quoted_printable_some,
    "entities": entities,
    "entities, some": entities_some,
    "hidden, cloudflare": hidden(lambda _local, _domain: b"[email protected]"),
    "hidden, x": hidden(lambda local, domain: local + b"@" + b"x" * len(domain)),
    "hidden, openwall": hidden(lambda local, domain: local + b"@..." + domain[3:]),
    "hidden, at": hidden(lambda local, domain: local + b" at " + domain),
    "hidden, bullet": hidden(lambda local, domain: local + b"@" + domain.replace(b".", "\N{BULLET}".encode(), 1)),
    "hidden, groups": hidden(lambda local, domain: local[:7] + b"...@" + domain),
    "truncated": truncated,
    "counts wrong": counts_wrong,
    "line numbers wrong": line_numbers_wrong,
    "groupwise": groupwise,
}

# The same; each needs a letter outside ASCII in the diff.
LETTERS: dict[str, Damager] = {
    "letters as U+FFFD": replaced("\ufffd"),
    "letters as U+FFFD, by bytes": replaced("\ufffd", bytewise=True),
    "letters as ?": replaced("?"),
    "letters as ?, by bytes": replaced("?", bytewise=True),
}


def both(first: str, second: str) -> Damager:
    """One damage after the other."""
    return lambda text, rng: DAMAGES[second](DAMAGES[first](text, rng), rng)


PAIRS: tuple[tuple[str, str], ...] = (
    ("wrapped at 76", "no-break"),
    ("tabs by column", "trailing stripped"),
    ("tabs by column", "wrapped at 76"),
    ("wrapped at 76", "quoted-printable, some"),
    ("tabs by column", "no-break"),
    ("tabs by column", "entities"),
    ("flowed", "no-break"),
    ("flowed", "entities"),
    ("wrapped at 72", "leading stripped"),
    ("wrapped at 72", "doubled"),
    ("wrapped at 76", "quoted"),
    ("tabs to 8", "indented"),
    ("typeset", "wrapped at 76"),
    ("blank lines dropped", "wrapped at 76"),
    ("unstuffed", "no-break"),
    ("CRLF", "wrapped at 76"),
)
