"""Counts the licence texts of a kernel, for kpatch_tool/restore/style/licences.txt.

    python -m benchmarks.licence_texts DIR@REVISION > kpatch_tool/restore/style/licences.txt

DIR is any clone of Linux (or its git directory). Of every file of C, assembly or a device tree the comment is read with
which it begins. Its lines that `_USUAL` files begin with, white space aside, are kept as they stand, by paragraphs;
lines with an address of mail, and those that a person would not call text, are not. Prints the paragraphs that
`_COPIES` files have, those first that most have: the number of files, and the lines, each set in by one blank.
"""

from __future__ import annotations

import re
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks.restore_commits import git
from kpatch_tool.restore.damaged import squeeze
from kpatch_tool.tree.objects import Objects

_NAMES = re.compile(r"\.(?:[chS]|dtsi?)$")
_MOST_LINES = 60  # of a file
_USUAL, _COPIES = 30, 10
_NO_TEXT = re.compile(rb"(?![^\n]{13})|[^\n]*(?:@|SPDX)|[^a-z]*[/*=_-]{9}", re.IGNORECASE)
_EMPTY = frozenset({b"", b"*", b"//"})  # lines between paragraphs, squeezed


def first_comment(content: bytes) -> Iterator[bytes]:
    """The lines of the comment, or of several, that a file of C begins with."""
    inside = False
    for line in content.split(b"\n", _MOST_LINES)[:_MOST_LINES]:
        text = line.strip()
        if not inside and text and not text.startswith((b"/*", b"//", b"#ifndef", b"#define")):
            return
        inside = inside or text.startswith(b"/*")
        if inside or text.startswith(b"//"):
            yield line
        inside = inside and b"*/" not in text


def paragraphs(comments: Sequence[Sequence[bytes]]) -> Counter[tuple[bytes, ...]]:
    """The paragraphs of usual lines, with how many of the comments have each."""
    usual = Counter(text for comment in comments for text in {squeeze(line) for line in comment})
    out: Counter[tuple[bytes, ...]] = Counter()
    for comment in comments:
        paragraph: list[bytes] = []
        for line in [*comment, b""]:
            text = squeeze(line)
            if text not in _EMPTY and usual[text] >= _USUAL and not _NO_TEXT.match(text):
                paragraph.append(line)
            elif paragraph:
                out[tuple(paragraph)] += 1
                paragraph = []
    return out


def main() -> int:
    directory, _, revision = sys.argv[1].rpartition("@")
    where = Path(directory)
    names = git(where, "ls-tree", "-r", "-z", "--name-only", revision).decode("utf-8", "surrogateescape").split("\0")
    with Objects(Path(git(where, "rev-parse", "--absolute-git-dir").decode().strip())) as objects:
        entries = (objects.file(revision, name) for name in names if _NAMES.search(name))
        comments = [list(first_comment(entry.data)) for entry in entries if entry]
    for lines, count in sorted(paragraphs(comments).items(), key=lambda one: (-one[1], one[0])):
        if count >= _COPIES:
            sys.stdout.buffer.write(b"%d\n" % count + b"".join(b" %s\n" % line for line in lines))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
