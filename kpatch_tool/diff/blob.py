"""The ids git gives to the contents of files (git-hash-object(1))."""

from __future__ import annotations

import hashlib

from kpatch_tool.diff.model import FileDiff

_LONGEST_SHA1 = 40  # hexadecimal digits; a longer id is a SHA-256
_NONE = "0"  # what the id of no file consists of
_WHOLE = 100  # percent


def blob_id(content: bytes, like: str = "") -> str:
    """The git blob id of `content`, in full: the hash of `blob LENGTH NUL` and the content (gitformat-loose). SHA-256
    where `like`, an id of the same repository or the beginning of one, is longer than a SHA-1."""
    new = hashlib.sha256 if len(like) > _LONGEST_SHA1 else hashlib.sha1
    return new(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


def may_be_same(one: str, other: str) -> bool:
    """Whether two ids, each of them maybe abbreviated, can be of the same blob."""
    return one.startswith(other) or other.startswith(one)


def is_blob(content: bytes, wanted: str | None) -> bool:
    """Whether `content` has the (abbreviated) git blob id `wanted`; False where there is none."""
    return bool(wanted) and blob_id(content, wanted or "").startswith(wanted or "")


def needs_no_text(file: FileDiff) -> bool:
    """Whether a diff without hunks and without binary data can be all that git wrote of the file: it makes or removes
    an empty one, changes a mode or a name and says that the content stays, or was made by `git format-patch -D`."""
    if file.old_path is None:
        return _is_empty(file.new_blob)
    if file.new_path is None:
        return _is_empty(file.old_blob) or bool(file.old_blob and not (file.new_blob or "").strip(_NONE))
    if file.old_blob != file.new_blob:
        return False
    if file.renamed or file.copied:
        return file.similarity in {_WHOLE, None}  # Mercurial does not say it; git does, in the first line
    return None not in {file.old_mode, file.new_mode} and file.old_mode != file.new_mode


def _is_empty(wanted: str | None) -> bool:
    return bool(wanted) and any(blob_id(b"", like).startswith(wanted or "") for like in ("", _NONE * 64))


def is_pre_image(content: bytes | None, file: FileDiff) -> bool:
    """Whether `content` (None: no such file) is the very one that `file` was made for; where it creates it, always."""
    return file.old_path is None or is_blob(content or b"", file.old_blob)
