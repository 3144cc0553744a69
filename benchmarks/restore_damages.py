"""How well patches are restored that mail programs and archives damaged in other ways than by squeezing white space.

    python -m benchmarks.restore_damages OLD NEW [--under DIR ...] [--patches N] [--only DAMAGE ...] [--pairs]

OLD and NEW are directories of the same source in two versions, as for restore_corpus. Each of N small patches is put in
a mail, damaged in each way of tests/damages.py, read as `kpt import` reads it, restored against its base as `kpt
restore` does, and compared byte by byte with what was sent.

A line a damage: patches it changed; proven; matched with the right bytes; matched with others; damaged (said so); not
noticed, right or wrong; refused; proven wrong (must be 0); seconds, slowest.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import sys
import time
from collections import Counter
from dataclasses import replace
from itertools import islice
from pathlib import Path

from benchmarks.restore_corpus import Case, changed_files, patches
from kpatch_tool.diff.printer import format_diff
from kpatch_tool.errors import InputError
from kpatch_tool.mail.message import Address, Damage, Message
from kpatch_tool.series.model import Exactness, Series
from kpatch_tool.series.reading.patches import read_patch
from kpatch_tool.series.restoring.restore import restore_series
from tests.damages import DAMAGES, LETTERS, PAIRS, Damager, both

_ADDED_ADDRESS = re.compile(rb"^\+[^\n]*[\w.]@\w+\.\w", re.MULTILINE)
COLUMNS = ("proven", "right", "other", "damaged", "unseen ok", "unseen bad", "refused", "WRONG")
_MAIL = (
    b"Say why.\n\nSigned-off-by: A U Thor <author@example.com>\n---\n a.c | 2 +-\n 1 file changed\n\n%s-- \n2.39.2\n"
)


def outcome(
    sent: bytes,
    patch: list[Case],
    damage: Damager,
    rng: random.Random,
    *,
    old: Path | None = None,
    hidden: bool = False,
) -> tuple[str, str]:
    """The column a damaged patch belongs to, and why; `old` is where other files of the base are; `hidden`: the source
    is an archive's that hides addresses."""
    body = damage(_MAIL % sent, rng)
    message = Message("[PATCH] x", Address("A U Thor", "author@example.com"), None, body, "utf-8", "benchmark")
    if hidden:
        message = replace(message, damage=frozenset({Damage.ADDRESSES_HIDDEN}))
    try:
        read = read_patch(message, 1)
    except InputError as error:
        return "refused", error.line()
    series = Series("x", "x", 1, 1, None, (read,))
    base = {case.sent.old_path: case.base for case in patch if case.sent.old_path}

    def read_base(path: str) -> bytes | None:
        other = old / path if old and path not in base else None
        return other.read_bytes() if other and other.is_file() else base.get(path)

    (done,) = restore_series(series, read_base).patches
    same = done.diff == sent or (done.exactness is Exactness.INTACT and format_diff(done.files) == sent)
    if done.exactness is Exactness.PROVEN:
        right = same or _same_lines(done.diff, sent)
        return ("proven" if right else "WRONG"), done.why
    if done.exactness is Exactness.MATCHED:
        return ("right" if same else "other"), done.why
    if done.exactness is Exactness.INTACT:
        return ("unseen ok" if same else "unseen bad"), done.why
    return "damaged", done.why


def _same_lines(got: bytes, sent: bytes) -> bool:
    """Equal but for the numbers and sections of @@ lines, which no blob id proves."""

    def cut(text: bytes) -> list[bytes]:
        return [b"@@" if line.startswith(b"@@ ") else line for line in text.split(b"\n")]

    return cut(got) == cut(sent)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("old", type=Path)
    parser.add_argument("new", type=Path)
    parser.add_argument("--under", action="append", default=[], help="only this directory of both (repeatable)")
    parser.add_argument("--patches", type=int, default=100)
    parser.add_argument("--only", action="append", default=[], help="only this damage (repeatable)")
    parser.add_argument("--pairs", action="store_true", help="two damages at once")
    parser.add_argument("--addresses", action="store_true", help="only patches with an address in them")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--failures", type=Path, help="write what was not proven here, as JSON lines")
    options = parser.parse_args()
    ways = {f"{a} + {b}": both(a, b) for a, b in PAIRS} if options.pairs else {**DAMAGES, **LETTERS}
    if unknown := set(options.only) - ways.keys():
        parser.error(f"no such damage: {', '.join(sorted(unknown))}; there are {', '.join(ways)}")
    rng = random.Random(options.seed)
    names = changed_files(options.old, options.new, options.under)
    rng.shuffle(names)
    made = patches(options.old, options.new, names, rng)
    sent = ((format_diff([case.sent for case in patch]), patch) for patch in made)
    if options.addresses:
        sent = ((text, patch) for text, patch in sent if _ADDED_ADDRESS.search(text))
    samples = list(islice(sent, options.patches))
    failures: list[dict[str, str]] = []
    sys.stdout.write(f"{'damage':36} patches " + " ".join(f"{name:>10}" for name in COLUMNS) + "    s  slowest\n")
    wrong = 0
    for name, damage in ways.items():
        if options.only and name not in options.only:
            continue
        counts, seconds, slowest = _measure(name, damage, samples, options, failures)
        wrong += counts["WRONG"]
        total = sum(counts.values())
        share = f"{100 * counts['proven'] / total:5.1f}%" if total else "     -"
        sys.stdout.write(
            f"{name:36} {total:7} "
            + " ".join(f"{counts[one]:10}" for one in COLUMNS)
            + f" {seconds:6.1f} {slowest:6.2f}"
            f" {share}\n"
        )
        sys.stdout.flush()
    if options.failures:
        options.failures.write_text("".join(json.dumps(failure) + "\n" for failure in failures))
    return 1 if wrong else 0


def _measure(
    name: str,
    damage: Damager,
    samples: list[tuple[bytes, list[Case]]],
    options: argparse.Namespace,
    failures: list[dict[str, str]],
) -> tuple[Counter[str], float, float]:
    counts: Counter[str] = Counter()
    slowest, seed = 0.0, options.seed
    began = time.monotonic()
    for number, (text, patch) in enumerate(samples):
        rng = random.Random(seed * 1000 + number)
        if damage(text, random.Random(seed * 1000 + number)) == text:
            continue
        start = time.monotonic()
        column, why = outcome(text, patch, damage, rng, old=options.old, hidden=name.startswith("hidden"))
        slowest = max(slowest, time.monotonic() - start)
        counts[column] += 1
        if column != "proven":
            failures.append({"damage": name, "number": str(number), "column": column, "why": why})
    return counts, time.monotonic() - began, slowest


if __name__ == "__main__":
    raise SystemExit(main())
