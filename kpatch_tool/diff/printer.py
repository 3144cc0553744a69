"""Write a diff as git does (`git format-patch`, `git diff`), and have what was written read back by another reader."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from kpatch_tool.diff import names
from kpatch_tool.diff.model import NO_NEWLINE, FileDiff, Hunk, Kind

if TYPE_CHECKING:
    from unidiff.patch import PatchedFile

_COLUMN = {kind: kind.value.encode() for kind in Kind}


def format_diff(files: Iterable[FileDiff]) -> bytes:
    """The text of `files`; `parse_diff` gives them back. A diff made by git comes out byte for byte.

    A created or deleted file of which neither mode nor blob id is known is written without git's header, as a plain
    diff is.
    """
    return b"".join(_file(file) for file in files)


def format_hunk(hunk: Hunk) -> bytes:
    """The text of one hunk, its @@ line included."""
    head = b"@@ -%s +%s @@" % (_range(hunk.old_start, hunk.old_count), _range(hunk.new_start, hunk.new_count))
    parts = [head, b" " + hunk.section if hunk.section else b"", b"\n"]
    for line in hunk.lines:
        parts += (_COLUMN[line.kind], line.text, b"\n")
        if not line.newline:
            parts += (NO_NEWLINE, b"\n")
    return b"".join(parts)


def hunk_header(hunk: Hunk) -> str:
    """The @@ line for a person, escapes neutralised."""
    return names.show(format_hunk(Hunk(*_numbers(hunk), hunk.section, ())).rstrip(b"\n"))


def second_reading(diff: bytes, files: Iterable[FileDiff]) -> str | None:
    """Read `diff` with the package unidiff and compare: paths, number of hunks, their ranges, their lines.

    None where the two readings agree, else what differs, in words. Binary files and pure renames have no hunks and are
    left out, as unidiff does not list all of them.
    """
    from unidiff.errors import UnidiffParseError
    from unidiff.patch import PatchSet

    wanted = [file for file in files if file.hunks]
    # unidiff reads text and takes each item for a line; latin-1 keeps every byte.
    lines = [line + "\n" for line in diff.decode("latin-1").split("\n")]
    if lines[-1] == "\n":
        lines.pop()
    try:
        read = [file for file in PatchSet(lines) if len(file)]
    except UnidiffParseError as error:
        return f"unidiff cannot read it: {names.show(str(error).encode())}"
    if len(read) != len(wanted):
        return f"unidiff sees {len(read)} files with hunks, kpt {len(wanted)}"
    return next((said for file, seen in zip(wanted, read, strict=True) if (said := _compared(file, seen))), None)


def _compared(file: FileDiff, seen: PatchedFile) -> str | None:
    shown = names.show(_bytes(file.path))
    if not (_same_path(seen.source_file, file.old_path) and _same_path(seen.target_file, file.new_path)):
        return f"{shown}: unidiff reads the names {seen.source_file!a} and {seen.target_file!a}"
    if len(seen) != len(file.hunks):
        return f"{shown}: unidiff sees {len(seen)} hunks, kpt {len(file.hunks)}"
    for number, (hunk, other) in enumerate(zip(file.hunks, seen, strict=True), 1):
        ranges = (other.source_start, other.source_length, other.target_start, other.target_length)
        if ranges != _numbers(hunk):
            return f"{shown}: hunk {number}: unidiff reads the ranges {ranges}, kpt {_numbers(hunk)}"
        lines = [(line.line_type, line.value) for line in other if line.line_type != "\\"]
        if [(kind.strip("\n") or " ", value.rstrip("\n")) for kind, value in lines] != _latin(hunk):
            return f"{shown}: hunk {number}: unidiff reads other lines"
    return None


def _latin(hunk: Hunk) -> list[tuple[str, str]]:
    return [(line.kind.value, line.text.decode("latin-1")) for line in hunk.lines]


def _same_path(seen: str | None, path: str | None) -> bool:
    """Whether unidiff's name (latin-1, prefix and quotes as written) is `path`."""
    name = names.header_name((seen or "/dev/null").encode("latin-1"))
    if name is None or path is None:
        return name is None and path is None
    return name.split(b"/", 1)[-1] == _bytes(path)


def _numbers(hunk: Hunk) -> tuple[int, int, int, int]:
    return hunk.old_start, hunk.old_count, hunk.new_start, hunk.new_count


def _range(start: int, count: int) -> bytes:
    return b"%d" % start if count == 1 else b"%d,%d" % (start, count)


def _bytes(path: str) -> bytes:
    return path.encode("utf-8", "surrogateescape")


def _file(file: FileDiff) -> bytes:
    old, new = _bytes(file.old_path or file.path), _bytes(file.new_path or file.path)
    old_name = names.quote(b"a/" + old) if file.old_path is not None else names.DEV_NULL
    new_name = names.quote(b"b/" + new) if file.new_path is not None else names.DEV_NULL
    parts: list[bytes] = []
    if not _is_plain(file):
        parts += (b"diff --git ", names.quote(b"a/" + old), b" ", names.quote(b"b/" + new), b"\n")
        parts += _extended(file)
    parts.append(file.payload)
    if file.hunks:
        # git ends a name that holds a blank with a tab, so that GNU patch does not take the rest for a date.
        parts += (b"--- ", old_name, b"\t" if b" " in old_name else b"", b"\n")
        parts += (b"+++ ", new_name, b"\t" if b" " in new_name else b"", b"\n")
        parts += (format_hunk(hunk) for hunk in file.hunks)
    return b"".join(parts)


def _is_plain(file: FileDiff) -> bool:
    created = file.old_path is None and file.new_mode is None
    deleted = file.new_path is None and file.old_mode is None
    return (created or deleted) and file.old_blob is None


def _extended(file: FileDiff) -> list[bytes]:
    """git's extended header lines, in git's order."""
    out: list[str] = []
    if file.old_path is None:
        out += [f"new file mode {file.new_mode}"] if file.new_mode else []
    elif file.new_path is None:
        out += [f"deleted file mode {file.old_mode}"] if file.old_mode else []
    elif file.old_mode != file.new_mode:
        out += (f"old mode {file.old_mode}", f"new mode {file.new_mode}")
    if file.similarity is not None:
        word = "similarity" if file.renamed or file.copied else "dissimilarity"
        out.append(f"{word} index {file.similarity}%")
    lines = [text.encode() + b"\n" for text in out]
    if file.renamed or file.copied:
        word_ = b"rename" if file.renamed else b"copy"
        lines.append(word_ + b" from " + names.quote(_bytes(file.old_path or "")) + b"\n")
        lines.append(word_ + b" to " + names.quote(_bytes(file.new_path or "")) + b"\n")
    if file.old_blob is not None and file.new_blob is not None:
        same = file.old_path is not None and file.new_path is not None and file.old_mode == file.new_mode
        mode = f" {file.old_mode}" if same and file.old_mode is not None else ""
        lines.append(f"index {file.old_blob}..{file.new_blob}{mode}\n".encode())
    return lines
