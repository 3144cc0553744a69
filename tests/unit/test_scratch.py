"""Scratch directories: gone at the end, and after a kill by the next command."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from kpatch_tool.system import scratch

_HOLD = """\
import sys, time
from kpatch_tool.system import scratch
with scratch.directory("test") as place:
    (place / "large").write_bytes(b"x")
    print(place, flush=True)
    time.sleep(600)
"""


@pytest.fixture
def top(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    scratch._sweep.cache_clear()
    yield tmp_path
    scratch._sweep.cache_clear()


def _old(path: Path) -> None:
    long_ago = time.time() - 3600
    os.utime(path, (long_ago, long_ago))


def test_a_directory_is_there_while_it_is_used(top: Path) -> None:
    with scratch.directory("test") as place:
        assert place.parent == top
        assert list(place.iterdir()) == []
    assert list(top.iterdir()) == []


def test_what_a_killed_command_left_is_removed_and_what_a_living_one_uses_is_not(top: Path) -> None:
    command = [sys.executable, "-c", _HOLD]
    environment = {**os.environ, "TMPDIR": str(top)}
    killed, living = (subprocess.Popen(command, stdout=subprocess.PIPE, env=environment, text=True) for _ in range(2))
    places = []
    for one in (killed, living):
        assert one.stdout is not None
        places.append(Path(one.stdout.readline().strip()))
        _old(places[-1])
    try:
        killed.send_signal(signal.SIGKILL)
        killed.wait(timeout=60)
        with scratch.directory("test"):
            assert not places[0].exists()
            assert (places[1] / "large").exists()
    finally:
        for one in (killed, living):
            one.kill()
            one.wait(timeout=60)
            assert one.stdout is not None
            one.stdout.close()


def test_young_ones_links_and_those_of_another_purpose_stay(top: Path) -> None:
    young, other, elsewhere = (top / name for name in ("kpt-test-young", "kpt-tests", "elsewhere"))
    for path in (young, other, elsewhere):
        path.mkdir()
    _old(other)
    link = top / "kpt-test-link"
    link.symlink_to(elsewhere)
    with scratch.directory("test"):
        assert all(path.exists() for path in (young, other, elsewhere, link))
