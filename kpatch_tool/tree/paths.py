"""Which names a tree may have."""

from __future__ import annotations

import re

from kpatch_tool.errors import InputError
from kpatch_tool.text import printable

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._+-]*")


def check_name(name: str) -> str:
    """A tree's name, if it is one: it becomes a directory, a lock file and part of a git ref.

    Raises InputError otherwise, which says what would be one.
    """
    if not _NAME.fullmatch(name) or ".." in name or name.endswith((".lock", ".git", ".")) or len(name) > 100:
        raise InputError(
            "not a name for a tree",
            where=printable(name) or "''",
            todo="use up to 100 letters, digits and signs . _ + -, first a letter, digit or _, without .. in it, and at"
            " the end no ., .git or .lock",
        )
    return name
