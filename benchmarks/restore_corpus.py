"""How well damaged patches are restored: real changes between two trees, damaged as archives do, restored, compared.

    python benchmarks/restore_corpus.py OLD NEW [--under DIR ...] [--patches N] [--shape squeezed|dropped] [--first]

OLD and NEW are directories of the same source in two versions (for example two versions of Debian's linux-source-6.1,
unpacked). Their differences are cut into small patches (one to three files, one to four hunks a file), each with the
blob ids git would name. Every patch is damaged, restored against its base, and compared byte by byte.

Prints the number of patches proven, matched with the right bytes, matched with other bytes, not found and wrong (proven
but different: must be 0), and the time. With --first the blob ids are falsified, as if the base were another file, so
that the first reading is taken: prints how many patches it has right, how many lines wrong, and how many of those are
not listed as undecided (should be 0).
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from kpatch_tool.diff.blob import blob_id
from kpatch_tool.diff.model import FileDiff, Hunk, Kind, Line
from kpatch_tool.diff.parse import parse_diff
from kpatch_tool.diff.printer import format_diff
from kpatch_tool.restore.damaged import parse_damaged, squeeze
from kpatch_tool.restore.styled import restore_file

_ABBREVIATION = 12  # digits of the blob ids, as in today's kernel mail


@dataclass(frozen=True, slots=True)
class Case:
    """One file of a patch: what the author sent, and the file before it."""

    sent: FileDiff
    base: bytes


def changed_files(old: Path, new: Path, under: list[str]) -> list[str]:
    """Paths of regular files that differ, by git's own comparison."""
    names: set[str] = set()
    for part in under or ["."]:
        args = ["git", "diff", "--no-index", "--no-renames", "--name-only", "-z", str(old / part), str(new / part)]
        out = subprocess.run(args, capture_output=True, check=False).stdout
        for name in out.split(b"\0"):
            path = Path(name.decode("utf-8", "surrogateescape"))
            for root in (old, new):
                if path.is_relative_to(root):
                    names.add(str(path.relative_to(root)))
    return sorted(names)


def file_diff(old: Path, new: Path, name: str) -> FileDiff | None:
    """The diff of one file as git makes it; None for a binary one."""
    before, after = old / name, new / name
    if before.is_symlink() or after.is_symlink() or not (before.is_file() or after.is_file()):
        return None
    args = ["git", "diff", "--no-index", "--no-color"]
    sides = [str(path) if path.is_file() else "/dev/null" for path in (before, after)]
    out = subprocess.run([*args, *sides], capture_output=True, check=False).stdout
    at = out.find(b"\n@@ -")
    if at < 0:
        return None
    head = b"".join(
        mark + (prefix + name.encode() if path.is_file() else b"/dev/null") + b"\n"
        for mark, prefix, path in ((b"--- ", b"a/", before), (b"+++ ", b"b/", after))
    )
    files = parse_diff(head + out[at + 1 :])
    if len(files) != 1 or files[0].binary or not files[0].hunks:
        return None
    return replace(
        files[0],
        old_path=name if before.is_file() else None,
        new_path=name if after.is_file() else None,
        old_mode="100644" if before.is_file() else None,
        new_mode="100644" if after.is_file() else None,
    )


def apply_hunks(lines: list[bytes], hunks: tuple[Hunk, ...]) -> list[bytes]:
    """The lines after `hunks` whose old line numbers are those of `lines`."""
    out: list[bytes] = []
    at = 0
    for hunk in hunks:
        start = hunk.old_start - (1 if hunk.old_count else 0)
        out += lines[at:start]
        out += [line.text + (b"\n" if line.newline else b"") for line in hunk.new_lines()]
        at = start + hunk.old_count
    return out + lines[at:]


def cases(old: Path, new: Path, name: str, rng: random.Random) -> Iterator[Case]:
    """The changes of one file as several small changes in a row."""
    whole = file_diff(old, new, name)
    if whole is None:
        return
    lines = _lines((old / name).read_bytes()) if whole.old_path else []
    hunks = list(whole.hunks)
    done = 0
    while done < len(hunks):
        count = rng.randint(1, 4)
        part = hunks[done : done + count]
        shift = sum(hunk.new_count - hunk.old_count for hunk in hunks[:done])
        drift = 0
        moved: list[Hunk] = []
        for hunk in part:
            start = hunk.old_start + shift
            new_start = start + drift + (0 if hunk.new_count and hunk.old_count else (1 if hunk.new_count else -1))
            moved.append(replace(hunk, old_start=start, new_start=max(0, new_start)))
            drift += hunk.new_count - hunk.old_count
        before = b"".join(lines)
        after_lines = apply_hunks(lines, tuple(moved))
        after = b"".join(after_lines)
        sent = replace(
            whole,
            hunks=tuple(moved),
            old_blob=blob_id(before)[:_ABBREVIATION] if whole.old_path else "0" * _ABBREVIATION,
            new_blob=blob_id(after)[:_ABBREVIATION] if whole.new_path else "0" * _ABBREVIATION,
        )
        yield Case(sent, before)
        lines = after_lines
        done += count


def _lines(content: bytes) -> list[bytes]:
    lines = [line + b"\n" for line in content.split(b"\n")]
    last = lines.pop()[:-1]
    return [*lines, last] if last else lines


def damage(diff: bytes, shape: str) -> bytes:
    """The text of a diff as an archive gives it: squeezed, or squeezed with blank lines dropped."""
    lines = [squeeze(line) for line in diff.split(b"\n")]
    if shape == "dropped":
        lines = [line for line in lines if line]
    return b"\n".join(lines) + b"\n"


def same(sent: FileDiff, got: FileDiff) -> bool:
    """Whether all lines of all hunks are the author's."""
    return [hunk.lines for hunk in sent.hunks] == [hunk.lines for hunk in got.hunks]


def outcome(patch: list[Case], shape: str, wrong: list[dict[str, object]]) -> str:
    """What became of one patch."""
    text = format_diff([case.sent for case in patch])
    files = parse_damaged(damage(text, shape), blank_lines_dropped=shape == "dropped")
    proven = found = right = True
    for case, file in zip(patch, files, strict=True):
        result = restore_file(file, case.base if case.sent.old_path else None)
        equal = result.found and same(case.sent, result.file)
        proven &= result.proven
        found &= result.found
        right &= equal
        if result.proven and not equal and _post_differs(case, result.post):
            return "wrong"
        if not result.proven:
            wrong.append(_difference(case, result.file, result.why, equal))
    if proven:
        return "proven"
    if not found:
        return "not found"
    return "matched, right" if right else "matched, other"


def first_reading(patch: list[Case], counts: Counter[str]) -> bool:
    """Whether every line is right where no blob id can judge; `counts` takes the added, wrong and unlisted lines."""
    right = True
    for case in patch:
        other = "f" * _ABBREVIATION
        asked = replace(case.sent, old_blob=other) if case.sent.old_path else replace(case.sent, new_blob=None)
        (file,) = parse_damaged(damage(format_diff([asked]), "squeezed"))
        result = restore_file(file, case.base if case.sent.old_path else None)
        if not result.found:
            return False
        listed = {one.line for one in result.ambiguous if not (one.hunk or one.removed)}
        for number, (mine, theirs) in enumerate(zip(case.sent.hunks, result.file.hunks, strict=True), 1):
            whole = any(one.hunk == number for one in result.ambiguous)
            at = theirs.new_start
            for a, b in zip(mine.lines, theirs.lines, strict=False):
                counts["added"] += b.kind is Kind.ADDED
                if a != b:
                    right = False
                    counts["wrong"] += 1
                    counts["unlisted"] += not whole and at not in listed
                at += b.kind is not Kind.REMOVED
    return right


def report_first(found: Iterator[list[Case]], most: int) -> None:
    """Print how often the first reading is right."""
    lines: Counter[str] = Counter()
    total = right = 0
    for patch in found:
        total += 1
        right += first_reading(patch, lines)
        if total == most:
            break
    sys.stdout.write(
        f"first reading right {right} of {total} patches ({100 * right / (total or 1):.1f} %);"
        f" {lines['wrong']} of {lines['added']} added lines wrong, {lines['unlisted']} of them not listed\n"
    )


def _post_differs(case: Case, post: bytes | None) -> bool:
    expected = b"".join(apply_hunks(_lines(case.base), case.sent.hunks))
    return case.sent.new_path is not None and post != expected


def _difference(case: Case, got: FileDiff, why: str, equal: bool) -> dict[str, object]:
    lines: list[tuple[str, str, str]] = []
    for mine, theirs in zip(case.sent.hunks, got.hunks, strict=False):
        previous = b""
        for a, b in zip(mine.lines, theirs.lines, strict=False):
            if a != b:
                lines.append((previous.decode("latin-1"), _text(a), _text(b)))
            if a.kind is not Kind.REMOVED:
                previous = a.text
    return {"path": case.sent.path, "why": why, "equal": equal, "lines": lines}


def _text(line: Line) -> str:
    return line.kind.value + line.text.decode("latin-1")


def patches(old: Path, new: Path, names: list[str], rng: random.Random) -> Iterator[list[Case]]:
    """Small patches of one to three files."""
    queue: list[Case] = []
    size = rng.choice((1, 1, 2, 3))
    for name in names:
        for case in cases(old, new, name, rng):
            if any(case.sent.path == other.sent.path for other in queue) or len(queue) >= size:
                yield queue
                queue, size = [], rng.choice((1, 1, 2, 3))
            queue.append(case)
    if queue:
        yield queue


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("old", type=Path)
    parser.add_argument("new", type=Path)
    parser.add_argument("--under", action="append", default=[], help="only this directory of both (repeatable)")
    parser.add_argument("--patches", type=int, default=0, help="stop after so many patches")
    parser.add_argument("--shape", choices=("squeezed", "dropped"), default="squeezed")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--first", action="store_true", help="falsify the blob ids and count right first readings")
    parser.add_argument("--failures", type=Path, help="write the patches not proven here, as JSON lines")
    options = parser.parse_args()
    rng = random.Random(options.seed)
    names = changed_files(options.old, options.new, options.under)
    if options.patches:
        rng.shuffle(names)
    if options.first:
        report_first(patches(options.old, options.new, names, rng), options.patches)
        return 0
    counts: Counter[str] = Counter()
    failures: list[dict[str, object]] = []
    began = time.monotonic()
    slowest = 0.0
    for patch in patches(options.old, options.new, names, rng):
        start = time.monotonic()
        counts[outcome(patch, options.shape, failures)] += 1
        slowest = max(slowest, time.monotonic() - start)
        if sum(counts.values()) == options.patches:
            break
    total = sum(counts.values()) or 1
    seconds = time.monotonic() - began
    if options.failures:
        options.failures.write_text("".join(json.dumps(failure) + "\n" for failure in failures))
    for name in ("proven", "matched, right", "matched, other", "not found", "wrong"):
        sys.stdout.write(f"{name:15} {counts[name]:6} {100 * counts[name] / total:6.2f} %\n")
    sys.stdout.write(f"{total} patches in {seconds:.1f} s, slowest {slowest:.2f} s\n")
    return 1 if counts["wrong"] else 0


if __name__ == "__main__":
    raise SystemExit(main())
