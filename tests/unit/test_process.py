"""Running other programs: what ends them."""

from __future__ import annotations

import os
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
