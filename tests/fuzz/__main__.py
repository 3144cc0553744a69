"""`python -m tests.fuzz`: try inputs for some seconds, print what was tried, what failed, and the slowest.

Exit status 1 when an input failed; it is kept in --keep, as TARGET-NUMBER.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from random import Random

from tests.fuzz import inputs, limits
from tests.fuzz.targets import ALLOWED, TARGETS

CORPUS = Path(__file__).parents[1] / "corpus"
_SLOWEST = 5


def main(arguments: Sequence[str]) -> int:
    asked = _arguments(arguments)
    limits.bound_memory()
    return _replay() if asked.replay else _fuzz(asked)


def _arguments(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--inputs", type=int, help="try so many inputs, however long it takes")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--target", choices=sorted(TARGETS), action="append", help="all where left out")
    parser.add_argument("--seeds", type=Path, nargs="*", default=[], help="files to change besides the project's own")
    parser.add_argument("--keep", type=Path, help="directory for inputs that fail")
    parser.add_argument("--replay", action="store_true", help="try the kept corpus only")
    return parser.parse_args(arguments)


def _fuzz(asked: argparse.Namespace) -> int:
    whole = [*inputs.seeds(), *(path.read_bytes() for path in asked.seeds)]
    random = Random(asked.seed)
    names = asked.target or list(TARGETS)
    end = time.monotonic() + asked.seconds
    made = 0
    tried: Counter[str] = Counter()
    failures: dict[tuple[str, str], bytes] = {}
    slowest: list[tuple[float, str, int, int]] = []
    while made < asked.inputs if asked.inputs else time.monotonic() < end:
        made += 1
        data = inputs.make(random, whole)
        for name in names:
            outcome = limits.run(TARGETS[name], data, ALLOWED)
            tried[name] += 1
            slowest = sorted([*slowest, (outcome.seconds, name, len(data), tried[name])], reverse=True)[:_SLOWEST]
            if outcome.failure:
                _note(failures, name, outcome.failure, data, asked.keep)
    _say(f"seed {asked.seed}: " + ", ".join(f"{name} {count}" for name, count in tried.items()))
    _say("slowest: " + ", ".join(f"{seconds:.2f} s {name} ({size} bytes)" for seconds, name, size, _ in slowest))
    for (name, failure), data in failures.items():
        _say(f"FAILED {name}: {failure} ({len(data)} bytes)")
    return 1 if failures else 0


def _note(failures: dict[tuple[str, str], bytes], name: str, failure: str, data: bytes, keep: Path | None) -> None:
    """Remember the smallest input of each failure."""
    kind = (name, failure if not failure.startswith("took") else "took too long")
    if kind in failures and len(failures[kind]) <= len(data):
        return
    failures[kind] = data
    if keep:
        keep.mkdir(parents=True, exist_ok=True)
        (keep / f"{name}-{list(failures).index(kind) + 1}").write_bytes(data)


def _replay() -> int:
    failed = 0
    for path in sorted(CORPUS.iterdir()):
        data = kept(path)
        for name, target in TARGETS.items():
            if failure := limits.run(target, data, ALLOWED).failure:
                failed += 1
                _say(f"FAILED {name} {path.name}: {failure}")
    return 1 if failed else 0


def kept(path: Path) -> bytes:
    """A kept input. What `NAME.x500` holds is meant 500 times."""
    data = path.read_bytes()
    times = path.suffix.removeprefix(".x")
    return data * int(times) if times.isdigit() else data


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
