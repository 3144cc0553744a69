"""A bounded run of tests.stress (`make stress` is the long one): real kills, a full disk, a clock that jumps."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

STEPS = ("import", "apply", "undo", "build", "tree-dir")


def test_half_a_minute_of_faults_loses_nothing(tmp_path: Path) -> None:
    words = [word for step in STEPS for word in ("--step", step)]
    done = subprocess.run(
        [sys.executable, "-m", "tests.stress", "--seconds", "25", "--keep", tmp_path / "lost", *words],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found = re.search(r"^faults injected: (\d+), losses: 0$", done.stdout, re.MULTILINE)
    assert found and int(found[1]) >= 5, done.stdout
