"""The diff of a patch, read by the reader its damage calls for."""

from __future__ import annotations

import re
from dataclasses import dataclass

from kpatch_tool.diff.damaged import parse_damaged
from kpatch_tool.diff.model import DiffError as DamagedError
from kpatch_tool.diff.model import FileDiff
from kpatch_tool.diff.parse import DiffError, parse_diff
from kpatch_tool.errors import InputError
from kpatch_tool.mail.message import Damage
from kpatch_tool.series.model import Exactness

_LOST = frozenset({Damage.SQUEEZED, Damage.BLANK_LINES_DROPPED})
_HIDDEN = re.compile(rb"^[ +-].*(?:\[email.protected\]|[\w.+-]+@(?:x{3,}|\.\.\.)|\w at \w+\.\w)", re.MULTILINE)
_ADVICE = "import another copy of that mail"


@dataclass(frozen=True, slots=True)
class Reading:
    """What a diff says and how sure its bytes are; `why` is the reason of `exactness`."""

    files: tuple[FileDiff, ...]
    exactness: Exactness
    why: str


def read_diff(diff: bytes, damage: frozenset[Damage], *, where: str, line: int = 1, mangled: str = "") -> Reading:
    """Read a diff that came in a mail with `damage`.

    `line` is the number of its first line in the text of the mail `where`; `mangled` says what the sender's mail
    program did to it, where something is known. Raises InputError, naming the mail and the line, for a truncated hunk
    or a wrong count that nothing known explains.
    """
    if damage & _LOST:
        return _read_lost(diff, damage, where, line)
    try:
        files = parse_diff(diff)
    except DiffError as error:
        place = f"line {line + error.line - 1}"
        if mangled:
            return Reading((), Exactness.DAMAGED, f"{mangled}: {error.what} ({place} of the mail)")
        raise InputError(error.what, where=f"{where}, {place}", todo=_ADVICE) from error
    if not files:
        raise InputError("the diff names no file", where=where, todo=_ADVICE)
    if Damage.ADDRESSES_HIDDEN in damage and _HIDDEN.search(diff):
        return Reading(files, Exactness.DAMAGED, "the archive hid an e-mail address inside the diff")
    return Reading(files, Exactness.INTACT, "the mail kept its white space")


def _read_lost(diff: bytes, damage: frozenset[Damage], where: str, line: int) -> Reading:
    dropped = Damage.BLANK_LINES_DROPPED in damage
    try:
        files = parse_damaged(diff, blank_lines_dropped=dropped)
    except DamagedError as error:
        place = re.sub(r"line (\d+) of the diff", lambda found: f"line {line + int(found[1]) - 1}", error.where)
        raise InputError(error.what, where=f"{where}, {place}", todo=_ADVICE) from error
    lines = " and dropped the blank lines" if dropped else ""
    return Reading(files, Exactness.DAMAGED, f"the archive squeezed the white space{lines}; not restored yet")
