"""The gap after the star of a comment's line: plain text, list items, kernel-doc, code, lines that go on.

Readings carry weights, as those of `gaps`. What the file does in its other comments (`Habits`) says most where a text
goes on under the description of a name or a parameter (Documentation/doc-guide/kernel-doc.rst leaves that open).
"""

from __future__ import annotations

import re
from collections import Counter

from kpatch_tool.restore.style import gaps
from kpatch_tool.restore.style.cstate import State, indent_of, pad

Habits = dict[str, Counter[bytes]]  # by Comment.about: the gaps of the lines that go on there
Note = tuple[str, bytes]  # Comment.about, and the gap that a line was given there

_NOTE = re.compile(rb"[A-Z][A-Za-z]*:$")
_BEGINNINGS = frozenset({(b"*",), (b"/**",), (b"/*",)})
_NESTS = frozenset({b"if", b"for", b"while", b"else", b"switch"})
_GAPS_AFTER_STAR = (
    *((b" " * count, 0.06 if count < 4 else 0.02) for count in range(2, 9)),
    (b"\t", 0.08),
    (b" \t", 0.04),
    (b"\t\t", 0.04),
    (b" \t\t", 0.02),
)
_DESCRIBED = frozenset({"title", "param"})
_HABIT = 10.0
_UNDER_TITLE = 4.0
_BRACKET = 1.0


def goes_on(state: State, line: bytes) -> Note | None:
    """What a comment's line is about and the gap after its star, where it goes on under a description."""
    comment, stripped = state.comment, line.strip(b" \t\r")
    if comment is None or comment.about not in _DESCRIBED or not stripped.startswith(b"*") or len(stripped) < 2:
        return None
    text = stripped[1:].lstrip(b" \t")
    return None if text.startswith((b"@", b"/")) else (comment.about, indent_of(stripped[1:]))


def star(
    words: tuple[bytes, ...], state: State, around: gaps.Around, habits: Habits, recent: tuple[Note, ...]
) -> gaps.Options:
    """Readings of the gap after a comment line's star; `recent` are what the patch did above."""
    comment = state.comment
    assert comment is not None
    out: gaps.Options = {}
    last = comment.gap if comment.gap else b" "
    first = comment.first_gap if comment.first_gap else b" "
    mine = gaps.mark_width(words[1:])
    before = around.above[0].words if around.above else ()
    is_doc = len(words) > 1 and words[1].startswith(b"@")
    _weigh(out, first, 6.0 if is_doc or mine else 1.0)
    _weigh(out, b" ", 1.5)
    if before == (b"*",):
        _weigh(out, first, 1.5)
        _weigh(out, last, 1.5)
    else:
        _weigh(out, last, 4.0)
    _after_item(out, words, around, last)
    _in_brackets(out, around)
    for line in around.above[1:]:
        if line.words[0] == b"*" and len(line.words) > 1:
            alike = mine and gaps.mark_width(line.words[1:])
            _weigh(out, line.gaps[0], 3.0 if alike else 0.15)
    if mine:
        _weigh(out, last + b"  ", 0.4)
        _weigh(out, last + b" ", 0.4)
    else:
        _deeper(out, words, before, last)
    for text, weight in _GAPS_AFTER_STAR:
        _weigh(out, text, weight)
    if comment.about in _DESCRIBED and not is_doc:
        _habitual(out, comment.about, habits, recent)
        if comment.about == "title" and around.above:
            _under_text(out, around.above[0], _UNDER_TITLE)
            _weigh(out, b"\t", 1.0)
            _weigh(out, b"  ", 0.5)
    return out


def _habitual(out: gaps.Options, about: str, habits: Habits, recent: tuple[Note, ...]) -> None:
    """What the file and the patch do where a description goes on."""
    counts = habits.get(about, Counter())
    total = sum(counts.values()) + 0.7
    for text, count in counts.most_common(4):
        _weigh(out, text, _HABIT * count / total)
    for place, text in recent:
        if place == about:
            _weigh(out, text, _HABIT)


def _after_item(out: gaps.Options, words: tuple[bytes, ...], around: gaps.Around, last: bytes) -> None:
    """What the list item, `@name:` or note in the line above says; `last` is the gap after its star."""
    mine = gaps.mark_width(words[1:])
    before = around.above[0].words if around.above else ()
    theirs = gaps.mark_width(before[1:]) if before[:1] in _BEGINNINGS else 0
    if theirs and not mine:
        marked = before[1]
        if marked.startswith(b"@"):
            for text, weight in ((b"\t", 1.5), (b"   ", 1.0), (b"  ", 1.0), (b"    ", 0.7), (b"\t\t", 0.2)):
                _weigh(out, text, weight)
            _weigh(out, last + b" " * theirs, 1.0)
            _under_text(out, around.above[0])
        else:
            _weigh(out, last + b" " * theirs, 7.0)
    elif theirs and mine:
        _weigh(out, last, 6.0)
    elif before[:1] == (b"*",) and len(before) > 3 and before[2] == b"-":
        _under_text(out, around.above[0])
    elif before[:1] == (b"*",) and len(before) > 2 and _NOTE.match(before[1]):
        _weigh(out, last + b" " * (len(before[1]) + 1), 1.2)


def _in_brackets(out: gaps.Options, around: gaps.Around) -> None:
    """Under what follows the bracket that the line above leaves open: a function's head that goes on, a remark."""
    line = around.above[0] if around.above else None
    if line is None or line.words[0] not in {b"*", b"/*", b"/**"}:
        return
    for word, column in reversed(list(zip(line.words, line.columns, strict=True))[1:]):
        at = word.rfind(b"(")
        if b")" in word[at + 1 :] or (at < 0 and b")" in word):
            return
        if at >= 0:
            star = line.columns[0] + line.words[0].count(b"/") + 1
            behind = column + at + 1
            _weigh(out, b" " * (behind - star), _BRACKET)
            _weigh(out, pad(behind)[star // 8 :] if star < 8 else b" " * (behind - star), _BRACKET / 2)
            return


def _under_text(out: gaps.Options, line: gaps.Chunks, weight: float = 1.0) -> None:
    """Text that goes on under the text after `@name:`, or after `name -`."""
    for index in range(1, min(4, len(line.words) - 1)):
        if line.words[index][-1:] in {b":", b"-"}:
            column = line.columns[index + 1]
            star = line.columns[0] + 1
            _weigh(out, b" " * (column - star), weight)
            _weigh(out, pad(column)[star // 8 :] if star < 8 else b" " * (column - star), 0.7 * weight)
            break


def _deeper(out: gaps.Options, words: tuple[bytes, ...], before: tuple[bytes, ...], last: bytes) -> None:
    """Code, diagrams and lists in a comment stand deeper than its text, and begin after a colon or a blank line."""
    if before == (b"*",) or not before or before[-1][-1:] == b":":
        code = words[-1][-1:] in b";{}\\" or b"(" in words[-1]
        for more, weight in ((b"\t", 0.4), (b"  ", 0.4), (b"   ", 0.2), (b"    ", 0.3)):
            _weigh(out, b"\t" if more == b"\t" else last + more, weight * (2.0 if code else 1.0))
        _weigh(out, last + b"\t", 0.2 if code else 0.1)
    elif before[-1][-1:] == b"{" or (before[1:2] and before[1] in _NESTS and before[-1][-1:] == b")"):
        _weigh(out, last + b"\t", 1.5)
        _weigh(out, last + b"    ", 0.7)
        _weigh(out, last + b"  ", 0.5)


def _weigh(out: gaps.Options, text: bytes, weight: float) -> None:
    gap = gaps.SINGLE if text == b" " else gaps.Gap(text)
    out[gap] = out.get(gap, 0.0) + weight
