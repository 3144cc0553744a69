"""The lines between `diff --git` and the first hunk of a damaged diff: names, modes, blob ids.

Unlike `kpatch_tool.diff.parse`, which wants them as git writes them, this takes them with white space squeezed.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from kpatch_tool.diff import names
from kpatch_tool.diff.model import FileDiff, Hunk

_GIT = re.compile(rb'diff --git ("?a/.*) ("?b/.*)')
# With diff.noprefix or diff.mnemonicPrefix (git-config(1)): "sound/f.c sound/f.c", "i/f.c w/f.c".
_GIT_OTHERWISE = re.compile(rb"diff --git (?:(\S+) \1|[^\s/]+/(\S+) [^\s/]+/\2)$")
_INDEX = re.compile(rb"index ([0-9a-f]{4,64})\.\.([0-9a-f]{4,64})(?: ([0-7]{6}))?$")
_MADE_UP = re.compile(rb"index [0-9A-Za-z]{1,64}\.\.[0-9A-Za-z]{1,64}(?: [0-7]{6})?$")  # ids that are none
_UNNAMED = FileDiff(None, None)


@dataclass(slots=True)
class Header:
    """What the lines between `diff --git` and the first hunk say: the file diff as far as it was read, and whether one
    of them says that the file is created or deleted."""

    diff: FileDiff = _UNNAMED
    created: bool = False
    deleted: bool = False
    hunks: list[Hunk] = field(default_factory=list)

    def file(self) -> FileDiff:
        old, new = self.diff.old_path, self.diff.new_path
        if old and new and new.startswith(old) and not (self.diff.renamed or self.diff.copied):
            new = old  # as git, which prefers the shorter of `file` and `file.new`
        return replace(
            self.diff,
            old_path=None if self.created else old,
            new_path=None if self.deleted else new,
            hunks=tuple(self.hunks),
        )


def _take_old(header: Header, value: bytes) -> None:
    header.diff = replace(header.diff, old_path=_side(value))
    header.created = header.created or header.diff.old_path is None


def _take_new(header: Header, value: bytes) -> None:
    header.diff = replace(header.diff, new_path=_side(value))
    header.deleted = header.deleted or header.diff.new_path is None


def _take_source(header: Header, value: bytes) -> None:
    header.diff = replace(header.diff, old_path=_unquote(value))


def _take_rename(header: Header, value: bytes) -> None:
    header.diff = replace(header.diff, new_path=_unquote(value), renamed=True)


def _take_copy(header: Header, value: bytes) -> None:
    header.diff = replace(header.diff, new_path=_unquote(value), copied=True)


def _take_created(header: Header, value: bytes) -> None:
    header.created = True
    _take_new_mode(header, value)


def _take_deleted(header: Header, value: bytes) -> None:
    header.deleted = True
    _take_old_mode(header, value)


def _take_old_mode(header: Header, value: bytes) -> None:
    header.diff = replace(header.diff, old_mode=value.decode("ascii", "replace"))


def _take_new_mode(header: Header, value: bytes) -> None:
    header.diff = replace(header.diff, new_mode=value.decode("ascii", "replace"))


def _take_similarity(header: Header, value: bytes) -> None:
    number = value.rstrip(b"%")
    known = number.isdigit() and len(number) <= 3
    header.diff = replace(header.diff, similarity=int(number) if known else None)


def _take_binary(header: Header, _value: bytes) -> None:
    header.diff = replace(header.diff, binary=True)


# The extended header lines of a git diff (git-diff(1), "Generating patch text with -p").
_HEADER_LINES: dict[bytes, Callable[[Header, bytes], None]] = {
    b"--- ": _take_old,
    b"+++ ": _take_new,
    b"new file mode ": _take_created,
    b"deleted file mode ": _take_deleted,
    b"old mode ": _take_old_mode,
    b"new mode ": _take_new_mode,
    b"similarity index ": _take_similarity,
    b"dissimilarity index ": _take_similarity,
    b"rename from ": _take_source,
    b"copy from ": _take_source,
    b"rename to ": _take_rename,
    b"copy to ": _take_copy,
    b"Binary files ": _take_binary,
    b"GIT binary patch": _take_binary,
}


def is_file_header(line: bytes) -> bool:
    """Whether a line is a `diff --git` line."""
    return _GIT.match(line) is not None or _GIT_OTHERWISE.match(line) is not None


def file_header(line: bytes) -> Header | None:
    """The header that a `diff --git` line begins, None for any other line."""
    if match := _GIT.match(line):
        return Header(FileDiff(*_git_names(line, match)))
    if match := _GIT_OTHERWISE.match(line):
        name = _prefixless(_unquote(match[1])) if match[1] else _unquote(match[2])
        return Header(FileDiff(name, name))
    return None


def header_line(header: Header, line: bytes) -> bool:
    """Take one line of a file header into `header`; False where the header is over.

    A `---` or `+++` of /dev/null says that the file is created or deleted.
    """
    if line.startswith((b"@@ -", b"@@-", b"diff --git ")):
        return False
    if index := _INDEX.match(line):
        header.diff = replace(header.diff, old_blob=index[1].decode(), new_blob=index[2].decode())
        if index[3]:
            header.diff = replace(header.diff, old_mode=index[3].decode(), new_mode=index[3].decode())
        return True
    if _MADE_UP.match(line):
        return True
    for start, take in _HEADER_LINES.items():
        if line.startswith(start):
            take(header, line[len(start) :].strip())
            return True
    return False


def _git_names(line: bytes, match: re.Match[bytes]) -> tuple[str, str]:
    """Both names of a `diff --git` line; a name that holds ` b/` is told by both halves being equal."""
    rest = line.removeprefix(b"diff --git ")
    half = len(rest) // 2
    if not rest.startswith(b'"') and len(rest) % 2 and rest[2:half] == rest[half + 3 :]:
        name = rest[2:half].decode("utf-8", "surrogateescape")
        return name, name
    return _prefixless(_unquote(match[1])), _prefixless(_unquote(match[2]))


def _side(name: bytes) -> str | None:
    """The path of a `---` or `+++` line, without a/ or b/ and a time stamp; None for /dev/null."""
    path = _unquote(names.without_date(name.split(b"\t")[0].strip()))
    return None if path == "/dev/null" else _prefixless(path)


def _prefixless(path: str) -> str:
    head, slash, rest = path.partition("/")
    return rest if slash and head and names.plain_strip([path.encode("utf-8", "surrogateescape")]) else path


def _unquote(name: bytes) -> str:
    """A name without git's quotes; as it stands where they are broken."""
    if name.startswith(b'"'):
        with contextlib.suppress(names.BadName):
            name, _ = names.unquote(name)
    return name.decode("utf-8", "surrogateescape")
