"""Text that came from elsewhere (mail, logs, file names), made safe to show on a terminal or in a page."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from itertools import accumulate

# Bidirectional controls (Unicode UAX #9), line and paragraph separators, and what Unicode has programs show nothing for
# (Default_Ignorable_Code_Point): zero-width characters, fillers, variation selectors, tags. Not the two selectors for
# emoji (U+FE0E, U+FE0F), which people write.
_HIDDEN_CLASS = (
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164"
    "\ufe00-\ufe0d\ufeff\uffa0\ufff0-\ufffb\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
HIDDEN = re.compile(f"[{_HIDDEN_CLASS}]")
# Those, C0 and C1 controls, and lone surrogates (what surrogateescape leaves, which no output can encode).
_UNSAFE = re.compile(f"[\x00-\x1f\x7f-\x9f\ud800-\udfff{_HIDDEN_CLASS}]")
_UNSAFE_IN_JSON = re.compile(f"[\x7f-\x9f{_HIDDEN_CLASS}]")  # JSON's own rules have the C0 controls escaped
_NARROWEST, _WIDEST = 40, 80
_FEW, _COMPARED = 8, 2000  # names in a message; names that are compared for it
_LIKE = 0.5  # of difflib's ratio, in which 1 is equal


def printable(text: str, *, lines: bool = False) -> str:
    """`text` with every character that could move a cursor, change a colour or hide other text written as an escape.

    The escapes are Python's ("\\x1b", "\\u202e"). With `lines`, newlines and tabs stay (for text of several lines);
    CRLF becomes a plain newline there.
    """
    if text.isascii() and text.isprintable():
        return text
    if lines:
        text = text.replace("\r\n", "\n")
    return _UNSAFE.sub(_escaped_but_layout if lines else _escaped, text)


def printable_bytes(data: bytes, *, lines: bool = False) -> str:
    """`printable` for bytes: UTF-8 where they are that, Latin-1 otherwise."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        text = data.decode("latin-1")
    return printable(text, lines=lines)


def columns() -> int:
    """How wide text for a person may be: as the terminal, or $COLUMNS, says; 80 at most, and where nothing is known."""
    import shutil  # which loads the compressors; `kpt --help` does without

    return max(_NARROWEST, min(_WIDEST, shutil.get_terminal_size().columns))


def width(text: str) -> int:
    """How many columns `text` (of one line) takes on a terminal: letters of the East are two wide, accents none."""
    if text.isascii():
        return len(text)
    import unicodedata  # a megabyte that hardly any text needs

    marks = sum(unicodedata.category(char) in ("Mn", "Me") for char in text)
    return len(text) - marks + sum(unicodedata.east_asian_width(char) in "WF" for char in text)


def cut(line: str, most: int, end: str = "...") -> str:
    """`line`, its end replaced by `end` where it takes more than `most` columns."""
    if width(line) <= most:
        return line
    if line.isascii():
        return line[: max(most - len(end), 0)] + end
    ends = list(accumulate(map(width, line)))
    return line[: bisect_right(ends, most - len(end))] + end


def json_printable(document: str) -> str:
    """A JSON text that means the same, with every character that `printable` escapes escaped as JSON has it.

    Lone surrogates stay: whoever encodes the text decides on them.
    """
    return _UNSAFE_IN_JSON.sub(_json_escaped, document)


def state_name(patch: int) -> str:
    """What the state after `patch` is called: "patch 3", "the base" for 0."""
    return f"patch {patch}" if patch else "the base"


def short_state_name(patch: int) -> str:
    """The same where there is no room, in a column or a heading: "patch 3", "base"."""
    return f"patch {patch}" if patch else "base"


def plural(count: int, noun: str, nouns: str = "") -> str:
    """ "1 patch", "3 patches": a count with its noun (`nouns`: the plural where it is not noun + "s")."""
    return f"{count} {noun if count == 1 else nouns or noun + 's'}"


def _json_escaped(found: re.Match[str]) -> str:
    units = found.group().encode("utf-16-be")
    return "".join(f"\\u{high:02x}{low:02x}" for high, low in zip(units[::2], units[1::2], strict=True))


def _escaped(found: re.Match[str]) -> str:
    code = ord(found.group())
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _escaped_but_layout(found: re.Match[str]) -> str:
    return found.group() if found.group() in "\n\t" else _escaped(found)


def nearest(wrong: str, names: Sequence[str], *, most: int) -> list[str]:
    """At most `most` of `names`, for a message that nothing is called `wrong`: those it is a part of, then those most
    like it; the first ones where it is like none."""
    import difflib  # only messages need it

    inside = [name for name in names if wrong and wrong in name]
    alike = difflib.get_close_matches(wrong, names, n=most, cutoff=_LIKE)
    return list(dict.fromkeys([*inside, *alike]))[:most] or list(names[:most])


def some_of(names: Sequence[str], wrong: str, *, others: str) -> str:
    """`names` for a message that none is called `wrong`: all of a few; else those most like it, and `others`, the
    command that lists them all."""
    if len(names) <= _FEW:
        return ", ".join(map(printable, names))
    named = nearest(wrong, names[:_COMPARED], most=_FEW)
    return f"{', '.join(map(printable, named))}, and {len(names) - len(named)} more (`{others}`)"


def spelt(values: Iterable[int]) -> str:
    """Numbers as people write them: "1-3, 6"."""
    runs: list[list[int]] = []
    for value in sorted(values):
        if runs and runs[-1][1] == value - 1:
            runs[-1][1] = value
        else:
            runs.append([value, value])
    return ", ".join(str(a) if a == b else f"{a}-{b}" for a, b in runs)
