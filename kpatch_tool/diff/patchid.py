"""Patch ids: what stays the same of a patch when it moves to other lines or its white space changes.

Sources: git-patch-id(1); git's builtin/patch-id.c (get_one_patchid, with --stable) for the text of a mail, and diff.c
(diff_get_patch_id) for what `git format-patch --base` writes as prerequisite-patch-id. The two differ for renames,
copies, changes of modes alone and binary files, so a patch has up to two ids.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable

from kpatch_tool.diff.model import FileDiff, Kind

_SPACE = b" \t\n\r"  # git's own isspace
_COUNTS = re.compile(rb"@@ -\d{1,9}(?:,(\d{1,9}))? \+\d{1,9}(?:,(\d{1,9}))?")
_NO_NEWLINE_LINE = 12  # git leaves out what begins like `\ No newline` and is longer
_NEXT = re.compile(rb"(?:diff-tree |commit |From )?[0-9a-f]{40}")


class _Sum:
    """The sum of the hashes of the parts, which does not depend on their order (flush_one_hunk)."""

    def __init__(self) -> None:
        self._total = 0
        self._part = hashlib.sha1(usedforsecurity=False)

    def add(self, data: bytes) -> None:
        self._part.update(data)

    def flush(self) -> None:
        self._total += int.from_bytes(self._part.digest(), "little")
        self._part = hashlib.sha1(usedforsecurity=False)

    def text(self) -> str:
        return (self._total % (1 << 160)).to_bytes(20, "little").hex()


def patch_id(diff: bytes) -> str | None:
    """What `git patch-id --stable` prints for the text `diff` (what is before its first `diff ` line is passed over);
    None where it prints nothing."""
    return _Reader().read(diff)


class _Reader:
    """get_one_patchid, line by line: `before` and `after` are the lines a hunk still has, -1 in the head of a file."""

    def __init__(self) -> None:
        self.total = _Sum()
        self.before = self.after = -1
        self.binary = False
        self.index = (b"", b"")

    def read(self, diff: bytes) -> str | None:
        seen = False
        for line in _lines(diff):
            if line.startswith(b"\\ ") and len(line) > _NO_NEWLINE_LINE:
                continue
            if _NEXT.match(line):
                break
            if not seen and not line.startswith(b"diff "):
                continue
            seen = True
            if self.before == -1 and self._head(line):
                continue
            if self.before == -1 and not line[:1].isalpha():
                break
            if self.binary:
                if line.startswith(b"diff "):  # git does not count this line
                    self.binary, self.before = False, -1
            elif not self._body(line):
                break
        self.total.flush()
        return self.total.text() if seen else None

    def _head(self, line: bytes) -> bool:
        """Take in a line of a file's head; whether that is all there is to do with it."""
        if line.startswith((b"GIT binary patch", b"Binary files")):
            self.binary, self.before = True, 0
            self.total.add(b"".join(self.index))
            self.total.flush()
            return True
        if line.startswith(b"index "):
            self.index = _blobs(line, self.index)
            return True
        if line.startswith(b"--- "):
            self.before = self.after = 1
        return False

    def _body(self, line: bytes) -> bool:
        """Add a line; whether the patch goes on."""
        if self.before == 0 and self.after == 0:
            if line.startswith(b"@@ -"):
                self.before, self.after = _counts(line)
                return True
            if not line.startswith(b"diff "):
                return False
            self.total.flush()
            self.before = self.after = -1
        self.before -= line[:1] in (b"-", b" ")
        self.after -= line[:1] in (b"+", b" ")
        self.total.add(_bare(line))
        return True


def tree_patch_id(files: Iterable[FileDiff]) -> str | None:
    """The id by which `git format-patch --base` names a commit with these changes; None where a blob id it takes
    (those of binary files) is not known in full."""
    total = _Sum()
    for file in files:
        old, new = (_name(path or file.path) for path in (file.old_path, file.new_path))
        total.add(b"diff--gita/%sb/%s" % (old, new))
        if file.old_path is None:
            total.add(b"newfilemode%s" % (file.new_mode or "100644").encode())
        elif file.new_path is None:
            total.add(b"deletedfilemode%s" % (file.old_mode or "100644").encode())
        elif file.old_mode and file.new_mode and file.old_mode != file.new_mode:
            total.add(f"oldmode{file.old_mode}newmode{file.new_mode}".encode())
        if file.binary:
            blobs = (file.old_blob or "", file.new_blob or "")
            if min(map(len, blobs)) < 40:
                return None
            total.add("".join(blobs).encode())
        else:
            total.add(b"---/dev/null" if file.old_path is None else b"---a/" + old)
            total.add(b"+++/dev/null" if file.new_path is None else b"+++b/" + new)
            for hunk in file.hunks:
                for line in hunk.lines:
                    total.add((line.kind.value.encode() if line.kind is not Kind.CONTEXT else b"") + _bare(line.text))
        total.flush()
    return total.text()


def patch_ids(diff: bytes, files: Iterable[FileDiff]) -> frozenset[str]:
    """The ids under which a patch may be named: of its text and of its changes."""
    return frozenset(filter(None, (patch_id(diff), tree_patch_id(files))))


def _lines(text: bytes) -> list[bytes]:
    """Lines as git cuts them: at newlines alone."""
    return [line + b"\n" for line in text.removesuffix(b"\n").split(b"\n")]


def _bare(line: bytes) -> bytes:
    return line.partition(b"\0")[0].translate(None, _SPACE)


def _name(path: str) -> bytes:
    return path.encode("utf-8", "surrogateescape").translate(None, _SPACE)


def _counts(line: bytes) -> tuple[int, int]:
    match = _COUNTS.match(line)
    return (int(match[1] or b"1"), int(match[2] or b"1")) if match else (0, 0)


def _blobs(line: bytes, known: tuple[bytes, bytes]) -> tuple[bytes, bytes]:
    """The ids of an `index a..b mode` line."""
    old, dots, rest = line[len(b"index ") :].partition(b"..")
    return (old, rest.split(b" ")[0].rstrip(b"\n")) if dots else known
