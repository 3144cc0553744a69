"""Which paths a patch, an archive or a name may carry."""

from __future__ import annotations

import re

from kpatch_tool.errors import InputError
from kpatch_tool.text import printable

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._+-]*")
_CONTROL = re.compile(r"[\x00-\x1f\x7f\x80-\x9f]")


def unsafe(path: str) -> str:
    """Why `path` must not be written into a tree, or "" when it may.

    The rules are git's own (verify_path in read-cache.c): relative, no empty, `.`, `..` or `.git` component in any
    case; and none of the control characters that a terminal or a line protocol would act on.
    """
    if not path:
        return "an empty path"
    if _CONTROL.search(path):
        return "a control character in the path"
    if path.startswith("/"):
        return "an absolute path"
    for component in path.split("/"):
        if component in ("", ".", ".."):
            return f"a path with the component {component!r}"
        if component.lower().rstrip(". ") == ".git" or component.lower().startswith("git~"):
            return "a path inside .git"
    return ""


def check_name(name: str) -> str:
    """A tree's name, if it is one: letters, digits and `._+-`, not beginning with a dash or dot, not ending in .lock.

    Raises InputError otherwise: the name becomes a directory, a lock file and part of a git ref.
    """
    if not _NAME.fullmatch(name) or ".." in name or name.endswith((".lock", ".git", ".")) or len(name) > 100:
        raise InputError(
            "not a name for a tree",
            where=printable(name) or "''",
            todo="use letters, digits and the signs . _ + -, beginning with a letter or digit",
        )
    return name
