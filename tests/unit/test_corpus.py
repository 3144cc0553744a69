"""Inputs that once failed, and a fuzz run that is the same every time."""

from __future__ import annotations

import subprocess
import sys

from tests.conftest import REPO_ROOT


def fuzz(*arguments: str) -> str:
    command = [sys.executable, "-m", "tests.fuzz", *arguments]
    done = subprocess.run(command, cwd=REPO_ROOT, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_inputs_that_once_failed() -> None:
    assert fuzz("--replay") == ""


def test_a_few_inputs_of_every_kind() -> None:
    assert "slowest" in fuzz("--inputs", "40", "--seed", "7")
