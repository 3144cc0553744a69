"""How well new files come back from archives' pages: each as a patch that adds it, shown as a page, restored, compared.

    python -m benchmarks.restore_files DIR@REVISION [--with REGEX] [--files N] [--seed K] [--shape NAME ...]

DIR is any clone (or its git directory). Of its C and assembly files of 20 to 250 lines, those with a line that the
extended regular expression matches (MERCHANTABILITY, say, for such with the text of a licence), N are chosen by chance.
Nothing but the lists of people is known of the tree, and nobody's address: what has one hidden is mostly not found.

Prints what benchmarks/restore_pages.py prints.
"""

from __future__ import annotations

import argparse
import random
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks.archive_shapes import SHAPES
from benchmarks.restore_commits import git, lists_of_people
from benchmarks.restore_pages import Tally, add_shape, intact, mail_of, measure, show
from kpatch_tool.mail.message import Message
from kpatch_tool.mail.read import read_sources

_NAMES = ("*.c", "*.h", "*.S")
_FEWEST, _MOST = 20, 250  # lines
_MAIL = b"""\
From 0000000000000000000000000000000000000000 Mon Sep 17 00:00:00 2001
From: Somebody <somebody@example.org>
Date: Sat, 28 Nov 2026 12:00:00 +0000
Message-Id: <1@example.org>
Subject: [PATCH] Add %s
MIME-Version: 1.0
Content-Type: text/plain; charset=UTF-8
Content-Transfer-Encoding: 8bit

A new file.
---
%s
--\x20
2.39
"""


def mails_of(directory: Path, revision: str, regex: str) -> Iterator[tuple[str, bytes]]:
    """The files with such a line, shuffled, each with the mail that adds it."""
    empty = git(directory, "hash-object", "-t", "tree", "/dev/null").decode().strip()
    named = git(directory, "grep", "-lzE", "-e", regex, revision, "--", *_NAMES)
    paths = [name.partition(b":")[2].decode() for name in named.split(b"\0") if name]
    random.shuffle(paths)
    for path in paths:
        diff = git(directory, "diff-tree", "-p", "--full-index", empty, revision, "--", path)
        if _FEWEST <= diff.count(b"\n+") <= _MOST:
            yield path, _MAIL % (path.encode(), diff.rstrip(b"\n"))


def read(mail: bytes) -> list[Message]:
    """A mail as kpt reads it."""
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "sent.mbox"
        path.write_bytes(mail)
        return list(read_sources([str(path)]).messages)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tree", metavar="DIR@REVISION")
    parser.add_argument("--with", dest="regex", default="#include", metavar="REGEX")
    parser.add_argument("--files", type=int, default=60, metavar="N")
    parser.add_argument("--seed", type=int, default=1, metavar="K")
    add_shape(parser)
    options = parser.parse_args()
    random.seed(options.seed)
    shapes = [shape for shape in SHAPES if (shape.name in options.shape if options.shape else shape.squeezes)]
    directory, _, revision = options.tree.rpartition("@")
    people = lists_of_people(options.tree)
    tallies = {shape.name: Tally() for shape in shapes}
    left = options.files
    for path, mail in mails_of(Path(directory), revision, options.regex):
        messages = read(mail)
        for series in intact(messages, path):
            for shape in shapes:
                measure(series, [mail_of(message) for message in messages], shape, people.get, tallies[shape.name])
            left -= 1
        if left <= 0:
            break
    show(tallies)
    return 1 if any(tally.counts["wrong"] for tally in tallies.values()) else 0


if __name__ == "__main__":
    raise SystemExit(main())
