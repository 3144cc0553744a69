"""How well real commits come back from archives' pages: each as git mails it, shown as a page, restored, compared.

    python -m benchmarks.restore_commits --git DIR [--range REVISION ...] [--commits N] [--shape NAME ...] [--first]
        [--history] [--later] [--people DIR@REVISION]

DIR is any clone (or its git directory). Of the commits of the range that have one parent, N are chosen by chance (the
seed is fixed). Each is mailed with `git format-patch`, shown in every shape asked for (benchmarks/archive_shapes.py; by
default those that squeeze white space), read back by kpt's own reader, restored against the commit's parent, and its
diff compared with the one sent, byte by byte. Commits that change a binary file or no text are left out.

Prints per shape what benchmarks/restore_pages.py prints, with the CPU time of the slowest commit. With --first the
mails have no `index` lines, so that nothing judges and the first reading is taken. With --history the repository is
asked for the files before and after a patch by their ids, as `kpt restore` does. With --later the lines are known that
HEAD had 200 days after, as where a patch was taken on another base. With --people the lists of people (MAINTAINERS,
.mailmap, CREDITS) that a clone of parts of a tree lacks are those of another one. --failures takes one JSON object for
each commit that did not come back, with the lines that differ.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from benchmarks.archive_shapes import SHAPES, Shape
from benchmarks.restore_pages import Tally, add_shape, from_page, mail_of, outcome, show, unlisted
from kpatch_tool.diff.model import Kind
from kpatch_tool.errors import InputError
from kpatch_tool.mail.message import Message
from kpatch_tool.mail.read import read_sources
from kpatch_tool.series.assemble import assemble
from kpatch_tool.series.model import Exactness, Patch, Series
from kpatch_tool.series.restoring.restore import restore_series
from kpatch_tool.series.restoring.tries import PEOPLE
from kpatch_tool.system.parallel import in_order
from kpatch_tool.tree.history import date_of, tip_at
from kpatch_tool.tree.objects import Objects
from kpatch_tool.tree.restoring import TAKEN_SECONDS

_LARGEST = 300_000  # bytes: nobody reviews a larger mail
_INDEX = re.compile(r"^index [0-9a-f]+\.\.[0-9a-f]+.*\n", re.MULTILINE)
_SEALED = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}


@dataclass(frozen=True, slots=True)
class Options:
    """What is asked of every commit: the repository, the shapes, the digits of blob ids (0: as git chooses), whether
    the mails have `index` lines, whether the blobs of the repository are at hand, the lists of people by their paths
    that it may lack, and whether the files as they were later are at hand."""

    git: Path
    shapes: tuple[Shape, ...]
    digits: int
    judged: bool
    history: bool = False
    people: Mapping[str, bytes] = field(default_factory=dict)
    later: bool = False


@dataclass(frozen=True, slots=True)
class Measured:
    """What became of a commit in one shape: one of restore_pages.OUTCOMES, other lines that were not listed, seconds of
    CPU, and what is told of a failure."""

    shape: str
    result: str
    unlisted: int
    seconds: float
    failure: dict[str, object]


def git(directory: Path, *args: str) -> bytes:
    """What git prints, with no configuration but the repository's."""
    command = ["git", "-C", str(directory), *args]
    return subprocess.run(command, capture_output=True, check=True, env={**os.environ, **_SEALED}).stdout


def commits_of(directory: Path, revisions: Sequence[str], most: int, seed: int) -> list[str]:
    """At most `most` commits with one parent, chosen by chance."""
    listed = git(directory, "rev-list", "--no-merges", "--min-parents=1", *revisions).decode().split()
    random.Random(seed).shuffle(listed)
    return listed[:most] if most else listed


def mailed(commit: str, options: Options) -> Message | None:
    """The mail of a commit as kpt reads it; None where it is too large."""
    digits = [f"--abbrev={options.digits}"] if options.digits else []
    sent = git(options.git, "format-patch", "-1", "--stdout", *digits, commit)
    if len(sent) > _LARGEST:
        return None
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "sent.mbox"
        path.write_bytes(sent)
        messages = read_sources([str(path)]).messages
    return messages[0] if len(messages) == 1 else None


def intact(message: Message) -> Series | None:
    """The series of one patch that a mail brings, where that is text and whole."""
    try:
        series = assemble([message], where="commit")
    except InputError:
        return None
    patches = series.patches
    text = len(patches) == 1 and patches[0].exactness is Exactness.INTACT and bool(patches[0].files)
    return series if text and not any(file.binary for file in patches[0].files) else None


def measured(options: Options, commit: str) -> list[Measured]:
    """What becomes of one commit in every shape; nothing where it is left out."""
    message = mailed(commit, options)
    series = intact(message) if message else None
    if message is None or series is None:
        return []
    mail, sent = mail_of(message), series.patches[0]
    if not options.judged:
        mail = replace(mail, body=_INDEX.sub("", mail.body))
        sent = replace(sent, files=tuple(replace(file, old_blob=None, new_blob=None) for file in sent.files))
    out: list[Measured] = []
    with Objects(options.git) as objects:
        later = later_than(commit, options.git) if options.later else None

        def read(path: str) -> bytes | None:
            entry = objects.file(f"{commit}^", path)
            return entry.data if entry else options.people.get(path)

        def read_blob(named: str) -> bytes | None:
            return objects.blob(named) if options.history else None

        def read_versions(path: str) -> list[bytes]:
            entry = objects.file(later, path) if later else None
            return [entry.data] if entry else []

        for shape in options.shapes:
            began = time.process_time()
            got, why = None, ""
            try:
                (got,) = restore_series(
                    from_page(shape.page([mail]), series.revision), read, read_blob, read_versions
                ).patches
                why = got.why
            except InputError as error:
                why = str(error)
            seconds = time.process_time() - began
            result = outcome(sent, got)
            missed = unlisted(sent, got) if got and result == "matched, other" else 0
            failure = {
                "commit": commit,
                "subject": sent.subject,
                "shape": shape.name,
                "result": result,
                "why": why,
                "seconds": round(seconds, 2),
                "listed": [str(one) for one in got.ambiguous] if got else [],
                "lines": list(differences(sent, got)) if got else [],
            }
            out.append(Measured(shape.name, result, missed, seconds, failure))
    return out


def later_than(commit: str, directory: Path) -> str | None:
    """What HEAD was at when a patch of the day of `commit` would have been taken."""
    return tip_at(directory, "HEAD", date_of(directory, [commit])[commit] + TAKEN_SECONDS)


def lists_of_people(where: str) -> dict[str, bytes]:
    """The lists of people of a tree (DIR@REVISION)."""
    directory, _, revision = where.rpartition("@")
    with Objects(Path(git(Path(directory), "rev-parse", "--absolute-git-dir").decode().strip())) as objects:
        found = {path: objects.file(revision, path) for path in PEOPLE}
    return {path: entry.data for path, entry in found.items() if entry}


def differences(sent: Patch, got: Patch) -> Iterator[tuple[str, str, str, str]]:
    """The lines that differ: the path, the line above, the author's, the restored one."""
    if [file.path for file in sent.files] != [file.path for file in got.files]:
        return
    for mine, theirs in zip(sent.files, got.files, strict=True):
        for ours, other in zip(mine.hunks, theirs.hunks, strict=False):
            above = b""
            for a, b in zip(ours.lines, other.lines, strict=False):
                if a != b:
                    one, two = (f"{line.kind.value}{line.text.decode('latin-1')}" for line in (a, b))
                    yield mine.path, above.decode("latin-1"), one, two
                above = above if a.kind is Kind.REMOVED else a.text


def commits_parser(description: str | None) -> argparse.ArgumentParser:
    """A parser of what `commits_of` takes."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--git", type=Path, required=True, metavar="DIR")
    parser.add_argument("--range", action="append", default=[], metavar="REVISION", help="as git rev-list takes it")
    parser.add_argument("--commits", type=int, default=500, help="so many, chosen by chance (0: all)")
    parser.add_argument("--seed", type=int, default=1)
    return parser


def main() -> int:
    parser = commits_parser(__doc__)
    add_shape(parser)
    parser.add_argument("--digits", type=int, default=0, help="of the blob ids (0: as git chooses)")
    parser.add_argument("--first", action="store_true", help="mails without `index` lines: first readings")
    parser.add_argument("--history", action="store_true", help="with the files before and after, as in a full clone")
    parser.add_argument("--later", action="store_true", help="with the files as they were 200 days later")
    parser.add_argument("--people", metavar="DIR@REVISION", help="a tree with lists of people")
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    parser.add_argument("--failures", type=Path, help="write what is not proven here, as JSON lines")
    given = parser.parse_args()
    wanted = [shape for shape in SHAPES if (shape.name in given.shape if given.shape else shape.squeezes)]
    directory = Path(git(given.git, "rev-parse", "--absolute-git-dir").decode().strip())
    people = lists_of_people(given.people) if given.people else {}
    options = Options(directory, tuple(wanted), given.digits, not given.first, given.history, people, given.later)
    tallies = {shape.name: Tally() for shape in wanted}
    slowest = 0.0
    commits = commits_of(directory, given.range or ["HEAD"], given.commits, given.seed)
    for results in in_order(partial(measured, options), commits, given.jobs):
        for one in results:
            tally = tallies[one.shape]
            tally.counts[one.result] += 1
            tally.unlisted += one.unlisted
            tally.seconds += one.seconds
            slowest = max(slowest, one.seconds)
            if one.result != "proven":
                tally.failures.append(one.failure)
    show(tallies)
    sys.stdout.write(f"the slowest took {slowest:.1f} s\n")
    if given.failures:
        failures = [failure for tally in tallies.values() for failure in tally.failures]
        given.failures.write_text("".join(json.dumps(failure) + "\n" for failure in failures))
    return 1 if any(tally.counts["wrong"] for tally in tallies.values()) else 0


if __name__ == "__main__":
    raise SystemExit(main())
