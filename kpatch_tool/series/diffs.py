"""The diff of a patch mail, read by the reader its damage calls for."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from kpatch_tool.diff.damaged import parse_damaged
from kpatch_tool.diff.model import DiffError, FileDiff
from kpatch_tool.diff.parse import parse_diff
from kpatch_tool.errors import InputError
from kpatch_tool.mail.flowed import unflow
from kpatch_tool.mail.message import Damage, Message
from kpatch_tool.series.model import Exactness
from kpatch_tool.series.split import Split, split_body

LOST = frozenset({Damage.SQUEEZED, Damage.BLANK_LINES_DROPPED})
_MANGLED = frozenset({Damage.REWRAPPED, Damage.NO_BREAK_SPACES})
_HIDDEN = re.compile(
    rb"^[ +-].*(?:\[email[^\]\n]{1,3}protected\]|[\w.+-]@(?:x{3,}|\.\.\.)|\w at \w+\.\w)", re.MULTILINE
)
_NBSP = b"\xc2\xa0"
_LEADING_NBSP = re.compile(rb"^[ +-]?[ \t]*\xc2\xa0", re.MULTILINE)
# A program that flows text puts a blank before every line that begins with one (RFC 3676, 4.4).
_UNSTUFFED = re.compile(rb"^ (?![ >\r\n]|From )", re.MULTILINE)
_ADVICE = "import another copy of that mail"
_WHY = {
    Damage.REWRAPPED: "the mail program re-wrapped the lines",
    Damage.NO_BREAK_SPACES: "the mail program wrote blanks as no-break spaces",
    Damage.SQUEEZED: "white space was lost",
    Damage.BLANK_LINES_DROPPED: "blank lines were dropped",
}


@dataclass(frozen=True, slots=True)
class Reading:
    """A patch mail taken apart and its diff read. `why` is the reason of `exactness`; `damage` what happened to the
    text, the mail program's part included."""

    parts: Split
    files: tuple[FileDiff, ...]
    exactness: Exactness
    why: str
    damage: frozenset[Damage] = frozenset()


def read_message(message: Message, *, where: str) -> Reading:
    """Take a patch mail apart and read its diff.

    format=flowed is often declared and not true: the text is joined where it bears that out, or where its diff cannot
    be read as it stands. Raises InputError, naming the mail and the line, when there is no diff, and for a truncated
    hunk or a wrong count that nothing known explains.
    """
    if message.damage & LOST:
        return _read_lost(message, where)
    plain = split_body(message.body, message.charset, damaged=bool(message.damage))
    if not plain.diff:
        raise InputError("there is no diff in it", where=where)
    if message.flowed and not message.damage:
        received, plain = plain, _unflowed(message, plain)
        if received.diff != plain.diff:
            damage = frozenset({Damage.REWRAPPED})
            return Reading(plain, parse_diff(plain.diff), Exactness.DAMAGED, _because(damage), damage)
    try:
        files = parse_diff(plain.diff)
    except DiffError as error:
        mangled = next(_repaired(message, plain), None)
        if mangled is None:
            raise _input_error(where, plain, error) from error
        return mangled
    if not files:
        raise InputError("the diff names no file", where=where, todo=_ADVICE)
    return _judged(message, plain, files)


def _unflowed(message: Message, plain: Split) -> Split:
    """The mail with its format=flowed undone, where the text shows that it was applied; else `plain`."""
    joined = split_body(unflow(message.body, delsp=message.delsp), message.charset)
    if joined.diff == plain.diff:
        return joined
    flowed = not (_UNSTUFFED.search(message.body) or _LEADING_NBSP.search(joined.diff))
    return joined if flowed and _parsed(joined.diff) else plain


def _input_error(where: str, parts: Split, error: DiffError) -> InputError:
    return InputError(error.what, where=f"{where}, line {parts.line + error.line - 1}", todo=_ADVICE)


def _judged(message: Message, parts: Split, files: tuple[FileDiff, ...]) -> Reading:
    """A diff that reads as it stands: is it what the author sent?"""
    if message.damage & _MANGLED:  # told by series.toml
        return Reading(parts, files, Exactness.DAMAGED, _because(message.damage), message.damage)
    if Damage.ADDRESSES_HIDDEN in message.damage and _HIDDEN.search(parts.diff):
        why = "the archive hid an e-mail address inside the diff"
        return Reading(parts, files, Exactness.DAMAGED, why, message.damage)
    if message.flowed and _LEADING_NBSP.search(parts.diff):
        damage = message.damage | {Damage.NO_BREAK_SPACES}
        return Reading(parts, files, Exactness.DAMAGED, _because(damage), damage)
    return Reading(parts, files, Exactness.INTACT, "the mail kept its white space", message.damage)


def _read_lost(message: Message, where: str) -> Reading:
    parts = split_body(message.body, message.charset, damaged=True)
    if not parts.diff:
        raise InputError("there is no diff in it", where=where)
    try:
        files = parse_damaged(parts.diff, blank_lines_dropped=Damage.BLANK_LINES_DROPPED in message.damage)
    except DiffError as error:
        raise _input_error(where, parts, error) from error
    return Reading(parts, files, Exactness.DAMAGED, _because(message.damage), message.damage)


def _repaired(message: Message, plain: Split) -> Iterator[Reading]:
    """Readings of a mail that a mail program mangled, the least far-fetched first."""
    joined = split_body(unflow(message.body, delsp=message.delsp), message.charset, damaged=bool(message.damage))
    texts = [(plain, message.damage)]
    if message.flowed or (message.archive and joined.diff != plain.diff):  # a page does not tell what a mail declared
        texts.append((joined, message.damage | {Damage.REWRAPPED}))
    texts += [
        (replace(parts, diff=parts.diff.replace(_NBSP, b" ")), damage | {Damage.NO_BREAK_SPACES})
        for parts, damage in texts
        if _NBSP in parts.diff
    ]
    mangled = [(parts, damage) for parts, damage in texts if damage & _MANGLED]
    for parts, damage in mangled:
        if files := _parsed(parts.diff):
            yield Reading(parts, files, Exactness.DAMAGED, _because(damage), damage)
    for parts, damage in mangled or (texts if message.archive else []):
        if files := _parsed_lost(parts.diff):
            lost = damage | {Damage.SQUEEZED}
            yield Reading(parts, files, Exactness.DAMAGED, _because(lost), lost)
    if message.flowed or message.damage & _MANGLED:
        parts, damage = mangled[-1]
        yield Reading(parts, (), Exactness.DAMAGED, _because(damage) + ", too much to read it", damage)


def _because(damage: frozenset[Damage]) -> str:
    why = [_WHY[one] for one in _WHY if one in damage]
    return " and ".join(why) + "; not restored yet"


def _parsed(diff: bytes) -> tuple[FileDiff, ...]:
    try:
        return parse_diff(diff)
    except DiffError:
        return ()


def _parsed_lost(diff: bytes) -> tuple[FileDiff, ...]:
    try:
        return parse_damaged(diff)
    except DiffError:
        return ()
