"""The faults. Each takes the world and a step, does its harm, and gives what was lost (nothing, if kpt is right)."""

from __future__ import annotations

import contextlib
import ctypes
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

from tests.stress import checks
from tests.stress.world import Done, Step, World

_PR_SET_CHILD_SUBREAPER = 36  # prctl(2)
_ORPHANS = 15.0  # seconds that a child of a killed kpt may go on
_DAY = 86_400
_IN_A_ROW = 4  # kills, each in what the one before it left, until the run that is left alone
Fault = Callable[[World, Step, Random], Iterator[str]]


def adopt_orphans() -> None:
    """Children of a killed kpt become this process's, which can then tell whether they end."""
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def killed(world: World, step: Step, random: Random) -> Iterator[str]:
    """kpt alone dies (kill -9): what it started has to end by itself."""
    yield from _ended_by(world, step, random, lambda process: process.kill())


def killed_with_all(world: World, step: Step, random: Random) -> Iterator[str]:
    """kpt and all it started die at once, as when a container is stopped or memory runs out."""
    yield from _ended_by(world, step, random, _kill_tree)


def killed_moving_refs(world: World, step: Step, random: Random) -> Iterator[str]:
    """As that, in the few milliseconds in which git moves one ref after the other (other steps: when they end)."""
    before, after = world.snapshot(step.after), world.snapshot(step.name)
    world.put(before)
    note = world.workspace / "kernel-trees/toy.git/kpt-moving-refs"
    process = world.start(step.words)
    while not note.exists() and process.poll() is None:
        pass
    time.sleep(random.uniform(0, 0.008))
    with process:
        if process.poll() is None:
            world.ended_early += 1
            _kill_tree(process)
        _finished(process)
    yield from _orphans_end()
    yield from checks.whole(world, before, after)
    yield from _again(world, step, before, after)


def interrupted(world: World, step: Step, random: Random) -> Iterator[str]:
    """Ctrl-C."""
    yield from _ended_by(world, step, random, lambda process: process.send_signal(signal.SIGINT))


def terminated(world: World, step: Step, random: Random) -> Iterator[str]:
    """kill, as at shutdown."""
    yield from _ended_by(world, step, random, lambda process: process.terminate())


def hung_up(world: World, step: Step, random: Random) -> Iterator[str]:
    """The terminal is closed."""
    yield from _ended_by(world, step, random, lambda process: process.send_signal(signal.SIGHUP))


def two_at_once(world: World, step: Step, random: Random) -> Iterator[str]:
    """The same command twice at once: both end well, or one says that another kpt is at it."""
    before, after = world.snapshot(step.after), world.snapshot(step.name)
    world.put(before)
    first = world.start(step.words)
    time.sleep(random.uniform(0, world.seconds[step.name] / 2))
    second = world.start(step.words)
    for process in (first, second):
        with process:
            done = _finished(process)
        yield from checks.civil(done)
        if done.status not in (*step.statuses, 3) and not (step.once and done.status == 2):
            yield f"one of two ends with {done.status}: {done.err[-300:]!r}"
    yield from _again(world, step, before, after)


def full_disk(world: World, step: Step, random: Random) -> Iterator[str]:
    """The workspace is on a small tmpfs that fills up at some point."""
    before, after = world.snapshot(step.after), world.snapshot(step.name)
    used, needs = _size(before), max(64 << 10, _size(after) - _size(before))
    with _mounted(world.workspace, used + 64 * 1024 + int(random.uniform(0, 1) * needs)):
        try:
            world.put(before)
        except subprocess.CalledProcessError:  # not even that fits
            return
        done = world.run(step.words)
        yield from checks.civil(done)
        subprocess.run(["mount", "-o", "remount,size=1g", world.workspace], check=True)
        yield from _again(world, step, before, after)


def read_only(world: World, step: Step, random: Random) -> Iterator[str]:
    """The workspace, or one directory of it, cannot be written."""
    before, after = world.snapshot(step.after), world.snapshot(step.name)
    world.put(before)
    places = [world.workspace, *(path for path in world.workspace.iterdir() if path.is_dir())]
    place = random.choice(places)
    subprocess.run(["mount", "--bind", place, place], check=True)
    try:
        subprocess.run(["mount", "-o", "remount,bind,ro", place], check=True)
        yield from checks.civil(world.run(step.words))
    finally:
        subprocess.run(["umount", "-l", place], check=True)
    yield from _again(world, step, before, after)


def clock_went_back(world: World, step: Step, random: Random) -> Iterator[str]:
    """All that is there was made when the clock was ahead."""
    yield from _other_time(world, step, random.choice((60, 3600, _DAY, 3650 * _DAY)))


def clock_went_on(world: World, step: Step, random: Random) -> Iterator[str]:
    """All that is there was made long ago, or at the beginning of time."""
    yield from _other_time(world, step, -random.choice((_DAY, 3650 * _DAY, 2**31)))


def clock_jumps_in_it(world: World, step: Step, random: Random) -> Iterator[str]:
    """kpt's own clock runs wild while it works (libfaketime)."""
    world.put(world.snapshot(step.after))
    wild = {"FAKETIME": random.choice(("-3650d", "+3650d", "+0 x5000")), **_faketime()}
    yield from checks.civil(world.run(step.words, wild))
    yield from _again(world, step, world.snapshot(step.after), world.snapshot(step.name))


FAULTS: dict[str, Fault] = {
    "kill -9": killed,
    "kill -9 of all": killed_with_all,
    "kill -9 between refs": killed_moving_refs,
    "SIGINT": interrupted,
    "SIGTERM": terminated,
    "SIGHUP": hung_up,
    "two at once": two_at_once,
    "disk full": full_disk,
    "read-only": read_only,
    "clock went back": clock_went_back,
    "clock went on": clock_went_on,
    "clock runs wild": clock_jumps_in_it,
}
_MOUNTS = ("disk full", "read-only")
SIGNALS = ("kill -9", "kill -9 of all", "kill -9 between refs", "SIGINT", "SIGTERM", "SIGHUP")


def possible() -> dict[str, str]:
    """The faults this machine can inject; for each other one, why not is the value (else "")."""
    answers = dict.fromkeys(FAULTS, "")
    probe = subprocess.run(["mount", "--bind", "/tmp", "/tmp"], capture_output=True, check=False)
    if probe.returncode:
        answers.update(dict.fromkeys(_MOUNTS, "mounting is not permitted here"))
    else:
        subprocess.run(["umount", "/tmp"], check=True)
    if not _faketime():
        answers["clock runs wild"] = "libfaketime is not installed"
    return answers


def _ended_by(
    world: World, step: Step, random: Random, end: Callable[[subprocess.Popen[bytes]], None]
) -> Iterator[str]:
    before, after = world.snapshot(step.after), world.snapshot(step.name)
    world.put(before)
    for _ in range(1 if step.once else random.randint(1, _IN_A_ROW)):
        process = world.start(step.words)
        time.sleep(random.uniform(0, world.seconds[step.name] * 1.1))
        with process:
            if process.poll() is None:
                world.ended_early += 1
                end(process)
            _finished(process)
        yield from _orphans_end()
        yield from checks.whole(world, before, after)
    yield from _again(world, step, before, after)


def _again(world: World, step: Step, before: Path, after: Path) -> Iterator[str]:
    yield from checks.civil(done := world.run(step.words))
    yield from checks.same(world, step, done, after)


def _finished(process: subprocess.Popen[bytes]) -> Done:
    out, err = process.communicate(timeout=180)
    return Done(process.returncode, out, err, 0.0)


def _kill_tree(process: subprocess.Popen[bytes]) -> None:
    """Stop kpt first, so that it starts nothing more, then kill what it started and it."""
    process.send_signal(signal.SIGSTOP)
    for pid in [*_descendants(process.pid), process.pid]:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def _descendants(pid: int) -> list[int]:
    try:
        listed = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except (FileNotFoundError, ProcessLookupError):
        return []
    children = [int(word) for word in listed]
    return [*children, *(grandchild for child in children for grandchild in _descendants(child))]


def _orphans_end() -> Iterator[str]:
    """Those that became ours, and theirs, are gone after a while."""
    deadline = time.monotonic() + _ORPHANS
    while left := _descendants(os.getpid()):
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        if time.monotonic() > deadline:
            names = [Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ")[:80] for pid in left]
            for pid in left:
                os.kill(pid, signal.SIGKILL)
            yield f"still running {_ORPHANS:.0f} s after kpt's end: {names}"
            return
        time.sleep(0.02)


def _other_time(world: World, step: Step, shift: int) -> Iterator[str]:
    before, after = world.snapshot(step.after), world.snapshot(step.name)
    world.put(before)
    for path in (world.workspace, *world.workspace.rglob("*")):
        moved = max(0, int(path.lstat().st_mtime) + shift)
        os.utime(path, (moved, moved), follow_symlinks=False)
    yield from _again(world, step, before, after)


@contextlib.contextmanager
def _mounted(place: Path, size: int) -> Iterator[None]:
    for path in place.iterdir():
        shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "kpt-stress", place], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", place], check=True)


def _size(root: Path) -> int:
    """As a tmpfs counts: whole pages."""
    return sum(-(-path.lstat().st_size // 4096) * 4096 for path in root.rglob("*"))


def _faketime() -> dict[str, str]:
    found = next(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"), None)
    return {} if found is None else {"LD_PRELOAD": str(found)}
