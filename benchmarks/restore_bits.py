"""What the author's readings of real added lines cost in bits: how well the weights of readings fit.

    python -m benchmarks.restore_bits --git DIR [--range REVISION ...] [--commits N] [--power KIND=VALUE ...]

DIR is any clone (or its git directory). The white space of every file diff of the commits is squeezed, and each added
line is read below the author's own lines, so that one wrong reading spoils no other. Nothing is searched.

Prints by kind of line how many there are, of how many the first reading is the author's, of how many none is, and the
bits of the author's readings: in sum, and how many more than the first readings'. A reading that only the search knows
(reading.Reader.unlikely) costs what it costs there, one that nothing gives 18 bits. Then how many files are beyond so
many bits: with more than about 15, few are found. With --power the weights of a kind of line or of gap (weights.INDENTS
and .GAPS) have another power, which is how those of the tables were chosen.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.restore_commits import commits_of, commits_parser, git
from kpatch_tool.diff.model import DiffError, FileDiff, Kind
from kpatch_tool.diff.parse import parse_diff
from kpatch_tool.diff.printer import format_diff
from kpatch_tool.restore.align import BaseText, Misplaced, ReadLine, place_hunks
from kpatch_tool.restore.damaged import parse_damaged, squeeze
from kpatch_tool.restore.readings.reading import Memory, Reader, file_reader
from kpatch_tool.restore.readings.rows import survey_file
from kpatch_tool.restore.style import weights
from kpatch_tool.restore.style.cstate import State
from kpatch_tool.tree.objects import GITLINK_MODE

_NOTHING = 18.0  # bits of a reading that nothing gives
_LARGEST = 150_000  # bytes of a diff
_LIMITS = (9, 11, 13, 15, 18)


@dataclass(frozen=True, slots=True)
class Cost:
    """One added line: its kind, the bits of the first reading, how many more the author's takes, and whether any
    reading is it."""

    kind: str
    first: float
    more: float
    known: bool


@dataclass(slots=True)
class Sums:
    """Lines of a kind."""

    lines: int = 0
    right: int = 0
    unknown: int = 0
    bits: float = 0.0
    more: float = 0.0

    def take(self, one: Cost) -> None:
        self.lines += 1
        self.right += not one.more
        self.unknown += not one.known
        self.bits += one.first + one.more
        self.more += one.more


@dataclass(slots=True)
class Counts:
    """What was counted: sums by kind of line, and of each file the bits beyond the first readings'."""

    kinds: dict[str, Sums] = field(default_factory=dict)
    files: list[float] = field(default_factory=list)


def reader_of(file: FileDiff, base: bytes) -> Reader | None:
    """The reader of a file whose white space is squeezed, with the author's lines told apart right; None where that is
    not among the ways to do so."""
    try:
        (received,) = parse_damaged(b"\n".join(map(squeeze, format_diff([file]).split(b"\n"))) + b"\n")
    except DiffError:  # context lines that look added and others that look removed
        return None
    text = BaseText(base)
    placed = place_hunks(received.hunks, text, received.path)
    if isinstance(placed, Misplaced):
        return None
    chosen: list[tuple[ReadLine, ...]] = []
    for placement, hunk in zip(placed, file.hunks, strict=True):
        kinds = [line.kind for line in hunk.lines]
        chosen += [steps for steps in placement.readings if [step.kind for step in steps] == kinds][:1]
    if len(chosen) != len(placed):
        return None
    return file_reader(received.path, text, placed, chosen, survey_file(received.path, text, placed))


def costs(reader: Reader, file: FileDiff) -> Iterator[Cost]:
    """What each added line of a file costs below the author's lines."""
    shown = iter([line.text for hunk in file.hunks for line in hunk.lines if line.kind is not Kind.REMOVED])
    texts: list[bytes] = []
    state, memory = State(), Memory()
    for number, row in enumerate(reader.rows):
        state = row.start or state
        text = next(shown).rstrip(b"\r") if row.shown else row.text or b""
        chosen = None
        if row.text is None:
            options = reader.candidates(number, state, memory, texts)
            chosen = next((option for option in options if option.text == text), options[0])
            known = {option.text: option.cost - options[0].cost for option in options}
            for other in reader.unlikely(number, [*texts, options[0].text], options[0].kind):
                known[other.text] = min(other.cost, known.get(other.text, _NOTHING))
            yield Cost(options[0].kind, options[0].cost, known.get(text, _NOTHING), text in known)
        state, memory = reader.after(number, state, memory, chosen, text)
        texts.append(text)


def changed(directory: Path, commit: str) -> Iterator[tuple[FileDiff, bytes]]:
    """The text files that a commit changes, each with its content before."""
    diff = git(directory, "diff-tree", "-p", "--no-commit-id", "-r", "--full-index", "-M", commit)
    if len(diff) > _LARGEST:
        return
    for file in parse_diff(diff):
        if not file.binary and file.hunks and file.new_path and file.new_mode != GITLINK_MODE:
            yield file, git(directory, "cat-file", "blob", f"{commit}^:{file.old_path}") if file.old_path else b""


def count(directory: Path, commits: Sequence[str]) -> Counts:
    """The costs of all added lines of the commits, of files with the same added lines once."""
    counts = Counts()
    seen: set[tuple[bytes, ...]] = set()
    for commit in commits:
        try:
            files = list(changed(directory, commit))
        except DiffError:
            continue
        for file, base in files:
            added = tuple(line.text for hunk in file.hunks for line in hunk.lines if line.kind is Kind.ADDED)
            reader = reader_of(file, base) if added and added not in seen else None
            if reader is None:
                continue
            seen.add(added)
            found = list(costs(reader, file))
            for one in found:
                counts.kinds.setdefault(one.kind, Sums()).take(one)
            counts.files.append(sum(one.more for one in found))
    return counts


def set_power(kind: str, value: float) -> None:
    """Give the weights of a kind of line or of gap another power."""
    if kind in weights.INDENTS:
        weights.INDENTS[kind] = value
    elif kind in weights.GAPS:
        weights.GAPS[kind] = (value, value)
    else:
        raise SystemExit(f"no such kind: {kind}; there are {', '.join([*weights.INDENTS, *weights.GAPS])}")


def main() -> int:
    parser = commits_parser(__doc__)
    parser.add_argument("--power", action="append", default=[], metavar="KIND=VALUE")
    given = parser.parse_args()
    for setting in given.power:
        kind, _, value = setting.partition("=")
        set_power(kind, float(value))
    commits = commits_of(given.git, given.range or ["HEAD"], given.commits, given.seed)
    counts = count(given.git, commits)
    for kind, sums in sorted(counts.kinds.items(), key=lambda item: -item[1].bits):
        sys.stdout.write(
            f"{kind:10} {sums.lines:6} lines, first right {100 * sums.right / sums.lines:6.2f} %, unknown"
            f" {sums.unknown:4}, bits {sums.bits:8.0f}, beyond the first {sums.more:8.0f}\n"
        )
    bits = sum(sums.bits for sums in counts.kinds.values())
    beyond = ", ".join(f"{limit} bits: {sum(more > limit for more in counts.files)}" for limit in _LIMITS)
    sys.stdout.write(f"{bits:.0f} bits in {len(counts.files)} files; beyond {beyond}\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
