"""What a stranger's diff may not do, and what in it is not to be overlooked.

The rules for paths are git's (verify_path in read-cache.c, is_ntfs_dotgit and is_hfs_dotgit) and some more: a kernel
tree has no name that these refuse. The rules for symbolic links have no like in git, which leaves them to whoever
writes the files; kpt's trees are built by programs that follow them.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from posixpath import dirname, join, normpath

from kpatch_tool.diff.model import FileDiff, Kind
from kpatch_tool.text import HIDDEN, plural

LINK = "120000"
_LONGEST_NAME, _LONGEST_PATH = 255, 4095  # bytes: NAME_MAX and PATH_MAX of limits.h
_DEEPEST = 100  # Debian's 6.1 has none through more than 9; programs walk through trees by recursion
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_DOT_GIT = re.compile(r"\.git[. ]*|git~.*", re.IGNORECASE)
_PATHS = (
    (_CONTROL, "a control character in the path"),
    (HIDDEN, "an invisible character in the path"),
    (re.compile(r"\\"), "a backslash in the path"),
    (re.compile(":"), "a colon in the path (a drive or a stream of Windows)"),
    (re.compile("^/"), "an absolute path"),
)
_NAMES = (
    (_DOT_GIT, "a path inside .git"),
    (re.compile(" .*|.* "), "a name that begins or ends with a blank"),
    # What Windows opens as a device in any directory. With an extension it is a file here: the kernel has an aux.c.
    (
        re.compile(r"con|prn|aux|nul|conin\$|conout\$|(?:com|lpt)[0-9\xb9\xb2\xb3]", re.IGNORECASE),
        "the name of a device",
    ),
)
# What git reads as its own settings; git-fsck(1) refuses links there (gitmodulesSymlink and kin).
_SETTINGS = re.compile(r"\.git.*|\.mailmap", re.IGNORECASE)
_MODE = re.compile("[0-7]{5,6}")
_TYPE = 0o170000
_REGULAR, _SPECIAL_BITS = 0o100000, 0o7000
_TYPES = {
    0o160000: "a submodule",
    0o040000: "a directory",
    0o020000: "a character device",
    0o060000: "a block device",
    0o010000: "a named pipe",
    0o140000: "a socket",
}
# Controls that a terminal acts on, or that let a line end cover what is before it; a form feed is in many old files.
_ACTING = re.compile(r"[\x00-\x08\x0e-\x1f\x7f-\x9f]|\r(?!$)")
_NOT_PLAIN = re.compile(rb"[^\t\x0b\x0c -~]")
_MOST_TOLD = 5  # places with hidden characters of one file


def unsafe_path(path: str) -> str:
    """Why `path` must not be written into a tree, or "" when it may."""
    if not path:
        return "an empty path"
    if len(os.fsencode(path)) > _LONGEST_PATH:
        return f"a path of more than {_LONGEST_PATH} bytes"
    if path.count("/") > _DEEPEST:
        return f"a path through more than {_DEEPEST} directories"
    told = (why for pattern, why in _PATHS if pattern.search(path))
    return next(told, "") or next(filter(None, map(_unsafe_name, path.split("/"))), "")


def _unsafe_name(name: str) -> str:
    if name in ("", ".", ".."):
        return f"a path with the component {name!r}"
    if len(os.fsencode(name)) > _LONGEST_NAME:
        return f"a name of more than {_LONGEST_NAME} bytes"
    return next((why for pattern, why in _NAMES if pattern.fullmatch(name)), "")


def unsafe_file(file: FileDiff) -> str:
    """Why the diff of a file must not be applied, or "": its names, its modes, where its link leads."""
    for path in (file.old_path, file.new_path):
        if path is not None and (why := unsafe_path(path)):
            return why
    for mode in (file.old_mode, file.new_mode):
        if mode is not None and (why := _unsafe_mode(mode)):
            return why
    if file.old_mode and file.new_mode and kept_mode(file.old_mode)[:2] != kept_mode(file.new_mode)[:2]:
        return "a file that becomes a symbolic link, or a link a file, in place"
    if file.new_path is not None and file.new_mode == LINK and file.hunks:
        added = (line for hunk in file.hunks for line in hunk.lines if line.kind is not Kind.REMOVED)
        return unsafe_link(file.new_path, b"".join(line.text + b"\n" * line.newline for line in added))
    return ""


def _unsafe_mode(mode: str) -> str:
    if not _MODE.fullmatch(mode):
        return "a mode that is none"
    bits = int(mode, 8)
    if what := _TYPES.get(bits & _TYPE):
        return f"{what} (mode {mode})"
    if mode != LINK and (bits & _TYPE != _REGULAR or bits & _SPECIAL_BITS):
        return f"mode {mode}: a file is 100644 or 100755"
    return ""


def kept_mode(mode: str) -> str:
    """The mode git keeps for `mode` (create_ce_mode in cache.h): of a file's bits only whether its owner may run it."""
    if mode == LINK:
        return mode
    return "100755" if int(mode, 8) & 0o100 else "100644"


def unsafe_link(path: str, target: bytes) -> str:
    """Why a symbolic link `path` to `target` must not be made, or "": it must stay in the tree, and out of .git."""
    to = os.fsdecode(target)
    if _SETTINGS.fullmatch(path.rpartition("/")[2]):
        return "a symbolic link where git keeps settings"
    if not to or _CONTROL.search(to) or HIDDEN.search(to):
        return "a symbolic link whose target is no plain path"
    up = to.split("/")
    while up and up[0] in (".", ".."):
        del up[0]
    ends = normpath(join(dirname(path), to))
    # Behind the name of another link `..` may be above the tree, however the text looks.
    if ".." in up or to.startswith("/") or ends == ".." or ends.startswith("../"):
        return "a symbolic link that leads out of the tree"
    return "a symbolic link into .git" if any(map(_DOT_GIT.fullmatch, ends.split("/"))) else ""


def hidden(files: Iterable[FileDiff]) -> Iterator[str]:
    """A line for every added line with characters that a reader does not see, or that make him see another order of
    the text than the compiler (CVE-2021-42574): "mm/f.c:12 adds U+202E RIGHT-TO-LEFT OVERRIDE"."""
    for file in files:
        found = [f"{file.path}:{number} adds {signs}" for number, text in _added(file) if (signs := _unseen(text))]
        yield from found[:_MOST_TOLD]
        if len(found) > _MOST_TOLD:
            yield f"{file.path} adds such characters in {plural(len(found) - _MOST_TOLD, 'more line')}"


def _added(file: FileDiff) -> Iterator[tuple[int, str]]:
    for hunk in file.hunks:
        number = hunk.new_start
        for line in hunk.lines:
            if line.kind is Kind.ADDED and _NOT_PLAIN.search(line.text):
                yield number, line.text.decode("utf-8", "replace")
            number += line.kind is not Kind.REMOVED


def _unseen(text: str) -> str:
    """The characters of a line that do not show as they are, named."""
    import unicodedata  # a megabyte that hardly any patch needs

    kinds = {"Cc": "(a control character)", "Cn": "(not assigned)"}
    signs = sorted({*HIDDEN.findall(text), *_ACTING.findall(text)})
    names = [unicodedata.name(sign, kinds.get(unicodedata.category(sign), "")) for sign in signs]
    return ", ".join(f"U+{ord(sign):04X} {name}" for sign, name in zip(signs, names, strict=True))
