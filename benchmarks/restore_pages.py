"""How well patches come back from archives' pages: mails shown as each archive shows them, read, restored, compared.

    python -m benchmarks.restore_pages --tree TREE [--ref REF] [--shape NAME ...] [--failures FILE] MBOX...

MBOX are files or directories of mboxes; TREE is the directory of a kernel source or a git repository (REF: the commit,
by default `base`), best one that holds the files the patches are made for. Every posting in every mbox is read intact,
shown in every shape of benchmarks/archive_shapes.py, read back by kpt's own reader, restored against the tree, and its
diffs compared with those of the intact mails, byte by byte.

Prints per shape: patches, proven, matched with the right bytes, matched with other bytes, damaged, missing (the page's
reading has no such patch), proven with other bytes (must be 0), other lines that were not listed as undecided, seconds.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.archive_shapes import SHAPES, Mail, Shape
from kpatch_tool.diff.printer import format_diff
from kpatch_tool.errors import InputError
from kpatch_tool.mail.message import Message
from kpatch_tool.mail.read import read_sources
from kpatch_tool.series.assemble import assemble
from kpatch_tool.series.model import Exactness, Patch, Series
from kpatch_tool.series.restoring.restore import restore_series
from kpatch_tool.tree.objects import Objects

_LATEST = 30  # revisions that are looked for
OUTCOMES = ("proven", "matched, right", "matched, other", "damaged", "missing", "wrong")


@dataclass(slots=True)
class Tally:
    """What became of the patches of one shape."""

    counts: Counter[str] = field(default_factory=Counter)
    unlisted: int = 0
    seconds: float = 0.0
    failures: list[dict[str, object]] = field(default_factory=list)


def mail_of(message: Message) -> Mail:
    """A message as the pages show it."""
    try:
        body = message.body.decode(message.charset or "utf-8")
    except (LookupError, UnicodeDecodeError):
        body = message.body.decode("utf-8", "replace")
    return Mail(
        message.subject,
        message.author.name or message.author.email,
        message.author.email or "nobody@example.org",
        message.date or datetime(2020, 1, 1, tzinfo=UTC),
        f"<{message.message_id}>",
        body.replace("\r\n", "\n").rstrip("\n") + "\n",
        f"<{message.in_reply_to}>" if message.in_reply_to else "",
    )


def intact(messages: Sequence[Message], where: str) -> Iterator[Series]:
    """Every posting among the messages that can be read."""
    seen: set[int] = set()
    for revision in range(1, _LATEST):
        try:
            series = assemble(messages, where=where, revision=revision)
        except InputError:
            continue
        if series.revision not in seen and all(patch.exactness is Exactness.INTACT for patch in series.patches):
            seen.add(series.revision)
            yield series


def from_page(page: str, revision: int) -> Series:
    """The posting as kpt reads it from a page. Raises InputError."""
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "page.txt"
        path.write_bytes(page.encode("utf-8", "surrogateescape"))
        return assemble(read_sources([str(path)]).messages, where="page", revision=revision)


def text_of(patch: Patch) -> bytes:
    """The diff of a patch, without what mails have around it."""
    return format_diff(patch.files)


def outcome(sent: Patch, got: Patch | None) -> str:
    """Which of OUTCOMES a patch is."""
    if got is None:
        return "missing"
    same = text_of(got) == text_of(sent)
    if got.exactness in {Exactness.PROVEN, Exactness.INTACT}:
        return "proven" if same else "wrong"
    if got.exactness is Exactness.MATCHED:
        return "matched, right" if same else "matched, other"
    return "damaged"


def unlisted(sent: Patch, got: Patch) -> int:
    """Lines of a matched patch that are other than the author's and that `ambiguous` does not name."""
    listed = [one.text for one in got.ambiguous]
    mine, theirs = text_of(sent).split(b"\n"), text_of(got).split(b"\n")
    if len(mine) != len(theirs):
        return 0
    count = 0
    for a, b in zip(mine, theirs, strict=True):
        if a != b and a[:1] == b"+":
            text = " ".join(b[1:].decode("utf-8", "replace").split())
            count += not any(text == line or (line and text.startswith(line)) for line in listed)
    return count


def measure(
    series: Series, mails: Sequence[Mail], shape: Shape, read: Callable[[str], bytes | None], to: Tally
) -> None:
    """Show the mails in a shape, restore, compare; what came out is counted in `to`."""
    began = time.monotonic()
    try:
        restored = restore_series(from_page(shape.page(mails), series.revision), read)
    except InputError as error:
        to.counts["missing"] += len(series.patches)
        to.failures.append({"shape": shape.name, "series": series.title, "why": str(error)})
        return
    finally:
        to.seconds += time.monotonic() - began
    by_number = {patch.number: patch for patch in restored.patches}
    for sent in series.patches:
        got = by_number.get(sent.number)
        result = outcome(sent, got)
        to.counts[result] += 1
        if got and result == "matched, other":
            to.unlisted += unlisted(sent, got)
        if result not in {"proven", "matched, right"}:
            why = got.why if got else "not read"
            to.failures.append({"shape": shape.name, "patch": sent.subject, "result": result, "why": why})


def reader_of(tree: Path, ref: str) -> tuple[Callable[[str], bytes | None], Callable[[], None]]:
    """A function that reads a file of the tree by its path, and one that ends its use."""
    if not (tree / "HEAD").exists() and not (tree / ".git").exists():

        def plain(path: str) -> bytes | None:
            file = tree / path
            return file.read_bytes() if file.is_file() and not file.is_symlink() else None

        return plain, lambda: None
    objects = Objects(tree if (tree / "HEAD").exists() else tree / ".git")
    objects.__enter__()

    def from_git(path: str) -> bytes | None:
        entry = objects.file(ref, path)
        return entry.data if entry else None

    return from_git, lambda: objects.__exit__(None, None, None)


def add_shape(parser: argparse.ArgumentParser) -> None:
    """Take names of shapes, and no others: a benchmark of nothing would pass."""
    names = [shape.name for shape in SHAPES]
    told = f"only this shape (repeatable): {', '.join(names)}"
    parser.add_argument("--shape", action="append", default=[], choices=names, metavar="NAME", help=told)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("mboxes", nargs="+", type=Path, metavar="MBOX")
    parser.add_argument("--tree", type=Path, required=True)
    parser.add_argument("--ref", default="base")
    add_shape(parser)
    parser.add_argument("--failures", type=Path, help="write what is not right here, as JSON lines")
    options = parser.parse_args()
    shapes = [shape for shape in SHAPES if not options.shape or shape.name in options.shape]
    files = [file for path in options.mboxes for file in (sorted(path.glob("*.mbox")) if path.is_dir() else [path])]
    read, close = reader_of(options.tree, options.ref)
    tallies = {shape.name: Tally() for shape in shapes}
    for file in files:
        messages = read_sources([str(file)]).messages
        mails = [mail_of(message) for message in messages]
        for series in intact(messages, str(file)):
            for shape in shapes:
                measure(series, mails, shape, read, tallies[shape.name])
    close()
    show(tallies)
    if options.failures:
        failures = [failure for tally in tallies.values() for failure in tally.failures]
        options.failures.write_text("".join(json.dumps(failure) + "\n" for failure in failures))
    return 1 if any(tally.counts["wrong"] for tally in tallies.values()) else 0


def show(tallies: dict[str, Tally]) -> None:
    heads = ("patches", *OUTCOMES, "unlisted", "seconds")
    sys.stdout.write(f"{'':26}" + "".join(f"{head:>16}" for head in heads) + "\n")
    for name, tally in tallies.items():
        numbers = [sum(tally.counts.values()), *(tally.counts[what] for what in OUTCOMES), tally.unlisted]
        sys.stdout.write(f"{name:26}" + "".join(f"{number:16}" for number in numbers) + f"{tally.seconds:16.1f}\n")


if __name__ == "__main__":
    raise SystemExit(main())
