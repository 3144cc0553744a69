"""A signal that ends kpt ends it, whenever it comes, with one message and its own status."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Iterator
from pathlib import Path

import pytest

from kpatch_tool.tree import history

_KPT = """
import os, signal, sys, time
from kpatch_tool import cli
from kpatch_tool.system import parallel, process

{command}

cli.typer.main.get_command = lambda app: command
cli.refuse_swallowed = lambda command, args: None
cli.main([])
"""
_FINALIZER = """
class Ended:
    def __del__(self):
        os.kill(os.getpid(), signal.SIGINT)

def command(args, **options):
    Ended()
    for _ in range(100):
        time.sleep(0.1)
"""
# While it has forked a worker, which has not got to its own handlers yet.
_FORK = """
os.register_at_fork(
    after_in_parent=lambda: (time.sleep(0.05), os.killpg(0, signal.SIGHUP)), after_in_child=lambda: time.sleep(0.2)
)

def command(args, **options):
    for _ in parallel.in_order(time.sleep, [0.1] * 100, 2):
        pass
"""
# While it has started one in another way, as beside a thread, and not told it yet what to do.
_SPAWN = """
import threading
from multiprocessing import util

spawn = util.spawnv_passfds

def interrupted(path, words, descriptors):
    pid = spawn(path, words, descriptors)
    if any(b"spawn_main" in os.fsencode(word) for word in words):
        time.sleep(0.2)
        os.killpg(0, signal.SIGINT)
    return pid

def command(args, **options):
    util.spawnv_passfds = interrupted
    threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
    for _ in parallel.in_order(time.sleep, [0.1] * 100, 2):
        pass
"""
_STUBBORN = """
cli._PATIENCE = 0.3

def command(args, **options):
    try:
        process.run(["sh", "-c", "echo $$ >pid; exec sleep 60"])
    finally:
        with parallel.Threads(1) as threads:
            threads.submit(lambda: process.run(["sh", "-c", "echo $$ >pid; exec sleep 60"]))
            print("cleaning up", flush=True)
            while True:
                time.sleep(0.1)
"""


@contextlib.contextmanager
def started(command: str, cwd: Path) -> Iterator[subprocess.Popen[str]]:
    program = [sys.executable, "-c", _KPT.format(command=command)]
    with subprocess.Popen(
        program, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as kpt:
        try:
            yield kpt
        finally:
            kpt.kill()


def wait_for(happens: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not happens():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def is_named(pid: Path) -> bool:
    return pid.is_file() and pid.read_text().endswith("\n")


def runs(pid: Path) -> bool:
    """A program that has ended, and that nobody has asked for its status, has no arguments (proc(5))."""
    try:
        return bool(Path(f"/proc/{int(pid.read_text())}/cmdline").read_bytes())
    except FileNotFoundError:
        return False


@pytest.mark.parametrize(("command", "status"), [(_FINALIZER, 130), (_FORK, 129), (_SPAWN, 130)])
def test_no_moment_is_a_bad_one(command: str, status: int, tmp_path: Path) -> None:
    with started(command, tmp_path) as kpt:
        _, said = kpt.communicate(timeout=30)
    assert (kpt.returncode, said) == (status, "\nkpt: interrupted; the same command goes on from here\n")


def test_who_waits_and_interrupts_it_again_waits_no_longer(tmp_path: Path) -> None:
    with started(_STUBBORN, tmp_path) as kpt:
        assert kpt.stdout is not None
        pid = tmp_path / "pid"
        wait_for(lambda: is_named(pid))
        pid.unlink()
        kpt.send_signal(signal.SIGTERM)
        assert kpt.stdout.readline() == "cleaning up\n"
        kpt.send_signal(signal.SIGTERM)  # too soon
        wait_for(lambda: is_named(pid))
        time.sleep(0.4)
        assert kpt.poll() is None
        kpt.send_signal(signal.SIGINT)
        _, said = kpt.communicate(timeout=30)
    assert (kpt.returncode, said.count("interrupted")) == (130, 1), said
    wait_for(lambda: not runs(pid))


def test_git_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    git = tmp_path / "git"
    git.write_text("#!/bin/sh\nprintf 'a\\0'\nexec sleep 60\n")
    git.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.setattr(history, "_CHUNK", 2)
    start = time.monotonic()
    paths = history._split(tmp_path, [], b"", b"\0")
    assert isinstance(paths, Generator)
    assert next(paths) == b"a"
    with pytest.raises(SystemExit):
        paths.throw(SystemExit(130))
    assert time.monotonic() - start < 30
