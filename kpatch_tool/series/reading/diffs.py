"""The diff of a patch mail, read by the reader its damage calls for."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from kpatch_tool.diff.model import DiffError, FileDiff
from kpatch_tool.diff.parse import parse_diff
from kpatch_tool.diff.printer import format_diff
from kpatch_tool.errors import InputError
from kpatch_tool.mail.flowed import unflow
from kpatch_tool.mail.message import Address, Damage, Message
from kpatch_tool.series.model import Exactness
from kpatch_tool.series.reading import subject
from kpatch_tool.series.reading.counted import agrees
from kpatch_tool.series.reading.split import Split, has_diff, split_body
from kpatch_tool.series.reading.undone import NOT_COMPARED, because, told

if TYPE_CHECKING:
    from kpatch_tool.restore.blind import Blind

# The readers of damaged text are imported where they are needed: a series' own files never need them.
LOST = frozenset({Damage.SQUEEZED, Damage.BLANK_LINES_DROPPED})
_MOST_FILES = 50_000  # of one patch; the largest commits of the kernel change 13,000
_HIDDEN_ONLY = frozenset({Damage.ADDRESSES_HIDDEN})
_PLAIN_TO_SEE = frozenset({Damage.REWRAPPED, Damage.FIRST_COLUMN_LOST})  # though not how to undo it
_NBSP = b"\xc2\xa0"
_LEADING_NBSP = re.compile(rb"^[ +-]?[ \t]*\xc2\xa0", re.MULTILINE)
# A program that flows text puts a blank before every line that begins with one (RFC 3676, 4.4).
_UNSTUFFED = re.compile(rb"^ (?![ >\r\n]|From )", re.MULTILINE)
# The last line of a diffstat, which git begins with one blank, after that: a page does not show what a mail declared.
_STUFFED_STAT = re.compile(rb"^  \d{1,5} files? changed(?:,|$)", re.MULTILINE)
# The times that diff(1) puts behind the names, moved to a line of their own.
_TORN_STAMP = re.compile(rb"^((?:---|\+\+\+) [^\s]+[ \t]+\d{4}-\d\d-\d\d)\n(?=\d\d:\d\d:\d\d)", re.MULTILINE)
_INTACT = "the mail kept its white space"
_ADVICE = "import another copy of that mail"


@dataclass(frozen=True, slots=True)
class Reading:
    """A patch mail taken apart and its diff read. `why` is the reason of `exactness`; `damage` what happened to the
    text, the mail program's part included; `received` is the diff as it came where `parts.diff` was repaired."""

    parts: Split
    files: tuple[FileDiff, ...]
    exactness: Exactness
    why: str
    damage: frozenset[Damage] = frozenset()
    received: bytes = b""


def readable(message: Message) -> Message:
    """`message` with what was done to all of its lines alike undone (quoted, indented, doubled, other line ends), so
    that its diff is seen; `message` itself where nothing was."""
    from kpatch_tool.restore.shape import reshaped

    body, undone = reshaped(message.body)
    if not undone:
        return message
    return replace(message, body=body, damage=message.damage | set(undone))


def all_readable(messages: Iterable[Message]) -> list[Message]:
    """`messages`, those that are no replies made `readable`: a patch quoted in a reply is not sent again by it, also
    where its `Re:` is missing, nor by a reminder of its author's ("[PING] [PATCH v3]")."""
    received = list(messages)
    found = [message if subject.parse(message.subject).reply else readable(message) for message in received]
    if not any(Damage.QUOTED in message.damage for message in found):
        return found
    sent: dict[str, set[_Sent]] = {}
    for message in received:
        if has_diff(message.body):
            title, what = _sent(message)
            sent.setdefault(title, set()).add(what)
    return [
        before if Damage.QUOTED in after.damage and _is_sent(before, sent) else after
        for before, after in zip(received, found, strict=True)
    ]


_Sent = tuple[Address, int | None, int | None]


def _sent(message: Message) -> tuple[str, _Sent]:
    """The title of a patch, and who sent it as which number of which revision."""
    tag = subject.parse(message.subject)
    return subject.plain(tag.title), (message.author, tag.revision, tag.number)


def _is_sent(message: Message, sent: Mapping[str, AbstractSet[_Sent]]) -> bool:
    """Whether another message has the patch that this one quotes: another person's, or the same one of its sender's."""
    title, what = _sent(message)
    return any(one == what or one[0] != what[0] for one in sent.get(title, ()))


def read_message(message: Message, *, where: str, kept: bool = False) -> Reading:
    """Take a patch mail apart and read its diff. `kept`: it is a file that kpt wrote; what its diff looks like is then
    what it is.

    format=flowed is often declared and not true: the text is joined where it bears that out, or where its diff cannot
    be read as it stands. A diff of which only the files and some lines can be told is damaged, with the place. Raises
    InputError, naming the mail and the line, when there is no diff or no file is named.
    """
    message = message if kept else readable(message)
    if message.damage & LOST:
        return _read_lost(message, where)
    plain = split_body(message.body, message.charset, damaged=bool(message.damage - _HIDDEN_ONLY), whole=kept)
    _check(plain.diff, where)
    if message.flowed and not message.damage:
        received, plain = plain, _unflowed(message, plain)
        if received.diff != plain.diff:
            return _stuffed(plain, parse_diff(plain.diff), message, received.diff)
    try:
        files = parse_diff(plain.diff)
    except DiffError as error:
        return _mangled(message, plain, error, where)
    if files and kept and not message.damage:
        return Reading(plain, files, Exactness.INTACT, _INTACT)
    if files:
        return _judged(message, plain, files)
    from kpatch_tool.restore.blind import read_blind

    blind = read_blind(plain.diff)
    if blind is None:
        raise InputError("the diff names no file", where=where, todo=_ADVICE)
    return _by_grammar(message, plain, blind, None)


def _check(diff: bytes, where: str) -> None:
    if not diff:
        raise InputError("there is no diff in it", where=where, todo=_ADVICE)
    if max(diff.count(b"\ndiff --git "), diff.count(b"\n+++ ")) > _MOST_FILES:
        raise InputError(f"a patch of more than {_MOST_FILES:,} files", where=where, todo="do not apply this series")


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
    from kpatch_tool.restore.blind import hides_address, suspicions, unstuffed

    declared = _is_stuffed(message)
    if not message.damage - _HIDDEN_ONLY and unstuffed(files, declared=declared) is not files:
        return _stuffed(parts, files, message, parts.diff)
    damage = message.damage - _HIDDEN_ONLY
    damage |= suspicions(files, parts.diff)
    if Damage.ADDRESSES_HIDDEN in message.damage and hides_address(files):
        damage |= _HIDDEN_ONLY
    if message.flowed and _LEADING_NBSP.search(parts.diff):
        damage |= {Damage.NO_BREAK_SPACES}
    if damage:
        whole = split_body(message.body, message.charset, damaged=True)
        return Reading(parts, files, Exactness.DAMAGED, because(damage), message.damage | damage, whole.diff)
    return Reading(parts, files, Exactness.INTACT, _INTACT, message.damage)


def _is_stuffed(message: Message) -> bool:
    """Whether a blank was put before the lines that begin with one: the mail declares it, or its diffstat shows it on a
    page, and no line contradicts."""
    told = message.flowed or (message.archive != "" and _STUFFED_STAT.search(message.body) is not None)
    return told and _UNSTUFFED.search(message.body) is None


def _stuffed(parts: Split, files: tuple[FileDiff, ...], message: Message, received: bytes) -> Reading:
    """The reading of format=flowed text, declared (then it is joined) or not, without its blanks before context."""
    from kpatch_tool.restore.blind import unstuffed

    joined = received != parts.diff  # then the blanks that were declared are gone
    declared = not joined and _is_stuffed(message)
    bare = unstuffed(files, declared=declared)
    if bare is not files:
        parts = replace(parts, diff=format_diff(bare))
    damage = message.damage | {Damage.REWRAPPED}
    return Reading(parts, bare, Exactness.DAMAGED, because(damage), damage, received)


def _read_lost(message: Message, where: str) -> Reading:
    from kpatch_tool.restore.blind import read_blind
    from kpatch_tool.restore.damaged import parse_damaged

    parts = split_body(message.body, message.charset, damaged=True)
    _check(parts.diff, where)
    try:
        files = parse_damaged(parts.diff, blank_lines_dropped=Damage.BLANK_LINES_DROPPED in message.damage)
    except DiffError as error:
        blind = read_blind(parts.diff)
        if blind is None:
            raise _input_error(where, parts, error) from error
        return _by_grammar(message, parts, blind, error)
    return Reading(parts, files, Exactness.DAMAGED, because(message.damage), message.damage)


def _mangled(message: Message, plain: Split, error: DiffError, where: str) -> Reading:
    """The likeliest reading of a mail whose diff, as it stands in `plain`, met `error`. Raises InputError for none."""
    # What stands right below the diff may look like more of it ("- Jane"): the diffstat tells.
    counted = split_body(message.body, message.charset, damaged=bool(message.damage - _HIDDEN_ONLY), counted=True)
    if counted.diff != plain.diff and (files := _parsed(counted.diff)) and agrees(counted.note, files):
        return _judged(message, counted, files)
    if (body := _TORN_STAMP.sub(rb"\1 ", message.body)) != message.body:
        return read_message(replace(message, body=body, damage=message.damage | {Damage.REWRAPPED}), where=where)
    if reading := next(_repaired(message, plain, error), None):
        return reading
    raise _input_error(where, plain, error) from error


def _repaired(message: Message, plain: Split, error: DiffError) -> Iterator[Reading]:
    """Readings of a mail that a mail program mangled, the least far-fetched first."""
    from kpatch_tool.restore.blind import read_blind

    joined = split_body(unflow(message.body, delsp=message.delsp), message.charset, damaged=bool(message.damage))
    texts = [(plain, message.damage)]
    if message.flowed or (message.archive and joined.diff != plain.diff):  # a page does not tell what a mail declared
        texts.append((joined, message.damage | {Damage.REWRAPPED}))
    texts += [
        (replace(parts, diff=parts.diff.replace(_NBSP, b" ")), damage | {Damage.NO_BREAK_SPACES})
        for parts, damage in texts
        if _NBSP in parts.diff
    ]
    whole = split_body(message.body, message.charset, damaged=True)
    for parts, damage in texts:
        if damage != message.damage and (files := _parsed(parts.diff)):
            yield Reading(parts, files, Exactness.DAMAGED, because(damage), damage, whole.diff)
    if blind := read_blind(whole.diff):
        yield _by_grammar(message, whole, blind, error)


def _by_grammar(message: Message, parts: Split, blind: Blind, error: DiffError | None) -> Reading:
    """What the grammar alone tells. The text is repaired only where it leaves no choice."""
    seen = {damage for damage, _ in blind.undone}
    if not blind.certain:
        seen &= _PLAIN_TO_SEE if blind.torn else _PLAIN_TO_SEE - {Damage.REWRAPPED}
    damage = message.damage | seen | ({Damage.TRUNCATED} if blind.cut else set())
    if message.flowed:
        damage |= {Damage.REWRAPPED}
    if blind.cut:
        return Reading(parts, blind.files, Exactness.DAMAGED, blind.cut, damage)
    if blind.certain and blind.undone:
        text = format_diff(blind.files)
        if files := _parsed(text):
            why = told(blind.undone) + NOT_COMPARED
            return Reading(replace(parts, diff=text), files, Exactness.DAMAGED, why, damage, parts.diff)
    place = f"line {parts.line + error.line - 1} of the mail: {error.what}" if error else ""
    why = because(damage) if damage else f"{place}; not restored yet" if place else because(damage)
    return Reading(parts, blind.files, Exactness.DAMAGED, why, damage)


def _parsed(diff: bytes) -> tuple[FileDiff, ...]:
    try:
        return parse_diff(diff)
    except DiffError:
        return ()
