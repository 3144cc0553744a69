"""The ids git gives to the contents of files (git-hash-object(1))."""

from __future__ import annotations

import hashlib

from kpatch_tool.diff.model import FileDiff

_LONGEST_SHA1 = 40  # hexadecimal digits; a longer id is a SHA-256


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


def is_pre_image(content: bytes | None, file: FileDiff) -> bool:
    """Whether `content` (None: no such file) is the very one that `file` was made for; where it creates it, always."""
    return file.old_path is None or is_blob(content or b"", file.old_blob)
