"""Processes and threads beside their user: order, errors, and nothing left when they are left."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from kpatch_tool.errors import MachineError
from kpatch_tool.system import lock, process
from kpatch_tool.system.parallel import Threads, ahead, in_order


def test_results_come_in_order_and_ahead_of_their_user() -> None:
    done: list[int] = []

    def work(number: int) -> int:
        done.append(number)
        return number * number

    results = ahead(work, range(5))
    assert next(results) == 0
    deadline = time.monotonic() + 10
    while len(done) < 5 and time.monotonic() < deadline:
        time.sleep(0.01)
    assert done == list(range(5)), "it does not wait for its user"
    assert list(results) == [1, 4, 9, 16]


def test_an_error_comes_in_its_place() -> None:
    def work(number: int) -> int:
        if number == 2:
            raise MachineError("broken")
        return number

    taken: list[int] = []
    with pytest.raises(MachineError, match="broken"):
        taken += ahead(work, range(5))
    results = ahead(work, range(5))
    assert (next(results), next(results)) == (0, 1)


@pytest.mark.parametrize("error", [SystemExit(130), MachineError("x")])
def test_programs_end_when_their_user_is_interrupted(tmp_path: Path, error: BaseException) -> None:
    begun: list[int] = []
    ended: list[int] = []

    def work(number: int) -> int:
        begun.append(number)
        if number == 0:
            return 0
        ended.append(process.run(["sh", "-c", f"echo $$ >{tmp_path}/pid; sleep 60; echo"], timeout=90).status)
        return 1

    start = time.monotonic()
    with pytest.raises(type(error)), closing(ahead(work, range(3))) as results:
        assert next(results) == 0
        while not (tmp_path / "pid").exists() or not (tmp_path / "pid").read_text().strip():
            time.sleep(0.01)
        raise error
    assert time.monotonic() - start < 30
    assert begun == [0, 1], "nothing is begun any more"
    assert ended == [], "what was killed is not taken for an outcome"
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)


def test_programs_of_others_are_left_alone() -> None:
    with Threads(1) as mine:
        other = mine.submit(lambda: process.run(["sh", "-c", "sleep 0.5; exit 7"]).status)
        with Threads(1) as theirs:
            theirs.submit(lambda: process.run(["sleep", "60"], timeout=90).status)
            time.sleep(0.2)
        assert other.result() == 7


def _dies_at_two(number: int) -> int:
    if number == 2:
        os._exit(1)
    return number


@pytest.mark.parametrize("wait", [0.0, 1.0])
def test_a_worker_that_dies_is_told(wait: float) -> None:
    """Whether its end is met when its result is awaited, or before that, when it is given another task."""

    def tasks() -> Iterator[int]:
        yield from range(4)
        time.sleep(wait)
        yield from range(4, 10)

    with pytest.raises(MachineError, match="a worker process died"):
        list(in_order(_dies_at_two, tasks(), 2))


_WITH_WORKERS = """
import os, sys
from kpatch_tool.system.parallel import in_order
def name(task):
    return os.getpid()
results = in_order(name, range(100), 3)
print(*{next(results) for _ in range(6)}, flush=True)
sys.stdin.read()
"""


def test_workers_end_with_a_parent_that_is_killed() -> None:
    """They would keep its locks otherwise, which they have inherited."""
    with subprocess.Popen(
        [sys.executable, "-c", _WITH_WORKERS], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        workers = [int(word) for word in parent.stdout.readline().split()]
        os.kill(parent.pid, signal.SIGKILL)
    assert len(workers) == 3
    deadline = time.monotonic() + 30
    while any(Path(f"/proc/{worker}").exists() for worker in workers) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not [worker for worker in workers if Path(f"/proc/{worker}").exists()]


_INTERRUPTED = """
import os, sys, time
from kpatch_tool import cli
from kpatch_tool.system import lock, process
from kpatch_tool.system.parallel import Threads

def work():
    until = time.monotonic() + 0.7
    while time.monotonic() < until:  # as hashing does
        sum(range(1000))
    process.run(["sleep", "60"])

def command(args, **options):
    with Threads(1) as threads:
        future = threads.submit(work)
        print("begun", flush=True)
        future.result()

cli.typer.main.get_command = lambda app: command
cli.refuse_swallowed = lambda command, args: None
cli.main([])
"""


def test_interrupted_twice_it_waits_for_no_program() -> None:
    """The second time would leave the clean-up, and Python waits at exit for the threads and what these start."""
    start = time.monotonic()
    with subprocess.Popen(
        [sys.executable, "-c", _INTERRUPTED], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as kpt:
        assert kpt.stdout is not None and kpt.stdout.readline() == "begun\n"
        for _ in range(2):
            time.sleep(0.1)
            kpt.send_signal(signal.SIGINT)
        _, said = kpt.communicate(timeout=30)
    assert time.monotonic() - start < 30
    assert (kpt.returncode, said.count("interrupted"), "Traceback" in said) == (130, 1, False), said


def test_nobody_waits_for_a_thread_that_waits_for_a_lock(tmp_path: Path) -> None:
    with lock.held(tmp_path / "lock"):
        start = time.monotonic()
        with Threads(1) as threads:
            threads.submit(lambda: lock.held(tmp_path / "lock", wait_seconds=60).__enter__())
            time.sleep(0.1)
        assert time.monotonic() - start < 30
