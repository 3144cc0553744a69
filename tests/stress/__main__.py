"""`python -m tests.stress`: inject faults for some seconds, print how many and what was lost.

It runs in a mount namespace of its own (unshare(1)), for the small and the read-only disks. Exit status 1 when anything
was lost; the workspace of the first loss is kept in --keep.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from random import Random

from tests.stress import checks, faults, world
from tests.stress.faults import FAULTS

_OFTENER = {"kill -9": 3, "kill -9 of all": 3}
_INSIDE = "KPT_STRESS_INSIDE"
_UNSHARE = ("unshare", "--mount", *(() if os.geteuid() == 0 else ("--user", "--map-root-user")))


def main(arguments: Sequence[str]) -> int:
    if (
        _INSIDE not in os.environ
        and subprocess.run([*_UNSHARE, "true"], capture_output=True, check=False).returncode == 0
    ):
        os.environ[_INSIDE] = "1"
        os.execvp(_UNSHARE[0], [*_UNSHARE, sys.executable, "-m", "tests.stress", *arguments])
    asked = _arguments(arguments)
    faults.adopt_orphans()
    with tempfile.TemporaryDirectory(prefix="kpt-stress-") as root:
        return _stress(asked, Path(root))


def _arguments(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.stress", description=__doc__)
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--count", type=int, help="inject so many faults, however long it takes")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--step", action="append", choices=[step.name for step in world.STEPS], default=[])
    parser.add_argument("--fault", action="append", choices=list(FAULTS), default=[])
    parser.add_argument("--keep", type=Path, help="directory for the workspace of the first loss")
    return parser.parse_args(arguments)


def _stress(asked: argparse.Namespace, root: Path) -> int:
    begun = time.monotonic()
    here = world.make(root, asked.step)
    users = checks.everything(here.source)
    cannot = {name: why for name, why in faults.possible().items() if why}
    chosen = [name for name in asked.fault or FAULTS if name not in cannot]
    steps = [step for step in world.STEPS if step.name in (asked.step or here.seconds)]
    random = Random(asked.seed)
    tried: Counter[str] = Counter()
    losses: list[str] = []
    end = begun + asked.seconds
    while sum(tried.values()) < asked.count if asked.count else time.monotonic() < end:
        name = random.choices(chosen, [_OFTENER.get(name, 1) for name in chosen])[0]
        step = random.choices(steps, [1 / (0.5 + here.seconds[step.name]) for step in steps])[
            0
        ]  # the short ones oftener
        tried[name] += 1
        lost = list(FAULTS[name](here, step, random))
        if checks.everything(here.source) != users:
            lost.append("the user's repository is not as it was")
            users = checks.everything(here.source)
        losses += (_told(f"{name} in {step.name}: {one}") for one in lost)
        if lost and asked.keep and not asked.keep.exists():
            shutil.copytree(here.workspace, asked.keep, symlinks=True)
    for name, why in cannot.items():
        _told(f"{name}: not injected, {why}")
    _told(
        f"seed {asked.seed}, {time.monotonic() - begun:.0f} s: trials of "
        + ", ".join(f"{n} {c}" for n, c in tried.items())
    )
    signals = sum(tried[name] for name in faults.SIGNALS)
    injected = sum(tried.values()) - signals + here.ended_early
    _told(f"kpt at work when a signal came: {here.ended_early} times; all other faults: {injected - here.ended_early}")
    _told(f"faults injected: {injected}, losses: {len(losses)}")
    return 1 if losses else 0


def _told(line: str) -> str:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()
    return line


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
