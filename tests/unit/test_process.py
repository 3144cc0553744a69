"""Running other programs: what ends them."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from kpatch_tool.system import process


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


@pytest.mark.parametrize("starts", ["", "setsid "])
def test_what_a_program_leaves_running_keeps_nobody_waiting(starts: str) -> None:
    """A test that starts a server and does not end it: it holds the pipes that its output is read from."""
    start, busy = time.monotonic(), time.process_time()
    words = ["sh", "-c", f"{starts}sleep 60 & echo said; echo more >&2; exit 3"]
    done = process.run(words, stdin=b"x" * (1 << 20), timeout=1)
    assert time.monotonic() - start < 30
    assert time.process_time() - busy < 1, "nor a processor busy"
    assert (done.status, done.stdout, done.stderr, done.timed_out) == (3, b"said\n", b"more\n", False)


@pytest.mark.parametrize("starts", ["", "setsid "])
def test_what_a_logged_program_leaves_running_keeps_nobody_waiting(tmp_path: Path, starts: str) -> None:
    """A recipe that starts a server holds the pipe that make's output is read from."""
    lines: list[bytes] = []
    start = time.monotonic()
    command = f"{starts}sleep 60 & echo said; head -c 200000 /dev/zero; echo; printf more; exit 3"
    done = process.run_logged(["sh", "-c", command], tmp_path / "log", on_line=lines.append)
    assert time.monotonic() - start < 30
    assert (done.status, done.timed_out, done.stopped) == (3, False, "")
    assert (lines[0], b"".join(lines[1:-1]), lines[-1]) == (b"said\n", bytes(200_000) + b"\n", b"more")
    assert (tmp_path / "log").read_bytes() == b"".join(lines)


def test_what_a_program_leaves_running_ends_with_it(tmp_path: Path) -> None:
    """A script that starts a guest in the background: it would go on beside the next state."""
    command = "sleep 60 >/dev/null 2>&1 & echo $!"
    found = [int(process.run(["sh", "-c", command], sweep=True).stdout)]
    process.run_logged(["sh", "-c", command], tmp_path / "log")
    found.append(int((tmp_path / "log").read_bytes()))
    deadline = time.monotonic() + 10
    while (left := [pid for pid in found if _runs(pid)]) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not left


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:  # gone, maybe while it is read
        return False


def test_a_limit_of_time_holds_for_what_left_the_group() -> None:
    start = time.monotonic()
    done = process.run(["sh", "-c", "echo said; setsid sleep 60 & sleep 50"], timeout=1)
    assert time.monotonic() - start < 30
    assert (done.stdout, done.timed_out) == (b"said\n", True)


def test_what_is_printed_slowly_and_much_is_all_there() -> None:
    done = process.run(
        ["sh", "-c", "for n in 1 2 3; do head -c 300000 /dev/zero; sleep 0.9; done; cat >&2"], stdin=b"in"
    )
    assert (len(done.stdout), done.stderr, done.status) == (900000, b"in", 0)


def test_what_is_read_slowly_is_read_to_its_end() -> None:
    given = bytes(range(256)) * 8192
    done = process.run(["sh", "-c", "sleep 1.5; head -c 100000; sleep 1.5; cat"], stdin=given)
    assert (done.stdout, done.status) == (given, 0)
    assert process.run(["cat"], stdin=b"").stdout == b""


def test_the_end_of_much_output_is_kept() -> None:
    """A script that prints what a kernel's build does: only its last line is looked at."""
    done = process.run(["sh", "-c", "seq 200000; seq 300000 >&2"], most=1000)
    for said, last in ((done.stdout, 200000), (done.stderr, 300000)):
        assert 1000 <= len(said) <= 2000
        assert said.endswith(f"\n{last - 1}\n{last}\n".encode())
    assert process.run(["sh", "-c", "echo said"], most=1000).stdout == b"said\n"


def test_a_program_that_closes_its_output_is_waited_for() -> None:
    done = process.run(["sh", "-c", "exec >&- 2>&-; sleep 0.3; exit 4"])
    assert (done.status, done.timed_out) == (4, False)
    done = process.run(["sh", "-c", "exec >&- 2>&-; sleep 60"], timeout=0.3)
    assert done.timed_out and done.seconds < 30


def test_processors_are_those_that_may_be_used() -> None:
    """As below taskset(1) or in a container: more jobs of make than that only get in one another's way."""
    script = (
        "import os\n"
        "from kpatch_tool.system import process\n"
        "print(process.processors())\n"
        "os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})\n"
        "print(process.processors())\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    all_of_them, one = (int(word) for word in done.stdout.split())
    assert 1 <= all_of_them <= len(os.sched_getaffinity(0)) and one == 1
