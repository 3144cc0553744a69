"""What every command shares: exit statuses, interruption, hooks of git."""

from __future__ import annotations

import signal
import subprocess
import sys
import time

from kpatch_tool.workspace import Workspace


def test_an_interrupted_command_ends_with_the_signals_status(workspace: Workspace) -> None:
    """Not with 1, which stands for a finding."""
    reading = [sys.executable, "-m", "kpatch_tool", "import", "-"]
    for number in (signal.SIGINT, signal.SIGTERM):
        with subprocess.Popen(reading, cwd=workspace.root, stdin=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            time.sleep(1.0)  # long enough to be waiting for standard input
            process.send_signal(number)
            _, said = process.communicate(timeout=20)
        assert process.returncode == 128 + number
        assert b"interrupted" in said
        assert b"Traceback" not in said
    assert not list(workspace.series.iterdir())
