"""Running other programs: what ends them."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

from kpatch_tool import process


def test_a_program_that_cannot_be_watched_is_stopped(tmp_path: Path) -> None:
    """As when a directory it may write in is gone: the thread that watches would end, and with it every limit."""

    def watch(pid: int) -> str:
        os.statvfs(tmp_path / "gone")
        return ""

    start = time.monotonic()
    done = process.run_logged(["sleep", "60"], tmp_path / "log", timeout=90, watch=watch)
    assert time.monotonic() - start < 30
    assert done.stopped == "it cannot be watched: No such file or directory"
    assert not done.timed_out


def test_processors_are_those_that_may_be_used() -> None:
    """As below taskset(1) or in a container: more jobs of make than that only get in one another's way."""
    script = (
        "import os\n"
        "from kpatch_tool import process\n"
        "print(process.processors())\n"
        "os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})\n"
        "print(process.processors())\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert [int(word) for word in done.stdout.split()] == [len(os.sched_getaffinity(0)), 1]
