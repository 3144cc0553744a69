"""Running other programs: a list of arguments in, a finished run out; nothing outlives kpt."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from kpatch_tool.errors import MachineError
from kpatch_tool.system import cgroups

_running: dict[int, int] = {}  # process groups -> the thread that waits for each
_unwanted: set[int] = set()  # threads
_WATCH_SECONDS = 0.25
_LONGEST_LINE = 1 << 16  # a longer one is taken in pieces
_LOOK_SECONDS = 1.0
_GRACE = 2.0  # seconds that what an ended program left running may keep its output open,
_MOST_GRACE = 30.0  # and that what there is of it may take to be read
# What programs say of a full disk, or of the user's quota: the C library's words, and git's of a loose object.
DISK_FULL = ("No space left on device", "Disk quota exceeded", "Out of diskspace")


@dataclass(frozen=True, slots=True)
class Finished:
    """A program that ended: its arguments, exit status (negative: the signal), output and time in seconds. `stopped`
    says why kpt killed it before its end, where it did for a limit of its own."""

    argv: tuple[str, ...]
    status: int
    stdout: bytes
    stderr: bytes
    seconds: float
    timed_out: bool = False
    stopped: str = ""

    def last_line(self) -> str:
        """The last thing the program said, for an error message."""
        text = (self.stderr.strip() or self.stdout.strip()).decode("utf-8", "replace")
        return text.splitlines()[-1] if text else f"exit status {self.status}"


def run(
    argv: Sequence[str | Path],
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    stdin: bytes | None = None,
    timeout: float | None = None,
    pass_fds: Sequence[int] = (),
    sweep: bool = False,
    most: int | None = None,
) -> Finished:
    """Run a program to its end in a process group of its own and return what it printed.

    `timeout` is in seconds; past it the whole group is killed and `timed_out` is set. What the program left running and
    still holds its output soon after its end is killed, too, or not waited for where it has left the group. A non-zero
    status is not an error here. `pass_fds` are file descriptors it gets. With `sweep` all that it left running in its
    group is killed (git leaves there the keeper of passwords, with which others go on). Of each output the last `most`
    bytes are kept, or up to twice as many. Raises MachineError when the program is not installed.
    """
    words = tuple(str(word) for word in argv)
    start = time.monotonic()
    with _readable(stdin) as given:
        process = _start(words, cwd=cwd, env=env, stdin=given, pass_fds=pass_fds)
    with _killed_on_exit(process, sweep=sweep):
        out, err, timed_out = _printed(process, None if timeout is None else start + timeout, most)
    return Finished(words, process.returncode, out, err, time.monotonic() - start, timed_out)


@contextlib.contextmanager
def _readable(stdin: bytes | None) -> Iterator[int]:
    """A file descriptor to read `stdin` from. No pipe: nobody has to fill it while the program runs."""
    if not stdin:
        yield subprocess.DEVNULL
        return
    with os.fdopen(os.memfd_create("stdin"), "wb") as file:
        file.write(stdin)
        file.seek(0)
        yield file.fileno()


class _Kept:
    """What is read from a pipe, or the last `most` bytes of it and some before them."""

    def __init__(self, most: int | None) -> None:
        self._most = most
        self._pieces: list[bytes] = []
        self._size = 0

    def add(self, data: bytes) -> None:
        self._pieces.append(data)
        self._size += len(data)
        if self._most is not None and self._size > 2 * self._most:
            self._pieces = [self.all()[-self._most :]]
            self._size = self._most

    def all(self) -> bytes:
        return b"".join(self._pieces)


def _printed(process: subprocess.Popen[bytes], deadline: float | None, most: int | None) -> tuple[bytes, bytes, bool]:
    """What a program printed to its end, on both ways, and whether it was killed at `deadline` (monotonic seconds)."""
    assert process.stdout is not None and process.stderr is not None
    timed_out = False
    ended: float | None = None
    with process.stdout as out, process.stderr as err:
        kept = {out.fileno(): _Kept(most), err.fileno(): _Kept(most)}
        said = list(kept.values())
        poller = select.poll()
        for pipe in kept:
            poller.register(pipe, select.POLLIN)
        while kept or ended is None:
            until = None if timed_out or ended is not None else deadline
            left = _LOOK_SECONDS if until is None else max(0.0, until - time.monotonic())
            ended = _read(process, poller, kept, min(left, _LOOK_SECONDS), ended)
            now = time.monotonic()
            if ended is None and deadline is not None and now >= deadline:
                timed_out = True
                kill_group(process.pid)
            elif ended is not None and now - ended >= _GRACE:
                kill_group(process.pid)
            if ended is not None and now - ended >= 2 * _GRACE:
                break
    return said[0].all(), said[1].all(), timed_out


def _read(
    process: subprocess.Popen[bytes], poller: select.poll, kept: dict[int, _Kept], seconds: float, ended: float | None
) -> float | None:
    """Read what comes in `seconds`, and drop the pipes that end; when the program was seen to have ended."""
    if kept:
        for pipe, _ in poller.poll(seconds * 1000):
            if data := os.read(pipe, _LONGEST_LINE):
                kept[pipe].add(data)
            else:
                poller.unregister(pipe)
                del kept[pipe]
    else:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(seconds)
    return time.monotonic() if ended is None and process.poll() is not None else ended


def run_logged(
    argv: Sequence[str | Path],
    log: Path,
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    timeout: float | None = None,
    on_line: Callable[[bytes], None] | None = None,
    watch: Callable[[int], str] | None = None,
    most: int | None = None,
) -> Finished:
    """Run a program with stdout and stderr together in the file `log`, each line also given to `on_line`.

    `watch` is asked with the process id, four times a second, why the program has to be stopped ("": it need not; an
    OSError is a reason, too); so is one that prints more than `most` bytes. Returns a Finished whose stdout is empty
    (the log has it). What the program leaves running ends as with `run`. Same errors as `run`.
    """
    words = tuple(str(word) for word in argv)
    start = time.monotonic()
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as out:
        process = _start(words, cwd=cwd, env=env, stdin=subprocess.DEVNULL, stderr=subprocess.STDOUT)
        deadline = None if timeout is None else start + timeout
        written = 0
        with _killed_on_exit(process, sweep=True), _Watchdog(process, deadline, watch) as dog:
            for line in _lines(process):
                written += len(line)
                if most is not None and written > most:
                    dog.stop(f"it printed more than {most >> 20} MB")
                    break
                out.write(line)
                out.flush()
                if on_line is not None:
                    on_line(line)
            process.wait()
    seconds = time.monotonic() - start
    return Finished(words, process.returncode, b"", b"", seconds, dog.timed_out, dog.why)


def _lines(process: subprocess.Popen[bytes]) -> Iterator[bytes]:
    """What a program prints, line by line as it comes, to its end and a little longer where something holds the pipe
    open."""
    assert process.stdout is not None
    pipe, poller, rest = process.stdout.fileno(), select.poll(), b""
    poller.register(pipe, select.POLLIN)
    ended: float | None = None
    while True:
        came = poller.poll(_WATCH_SECONDS * 1000)
        data = os.read(pipe, _LONGEST_LINE) if came else b""
        if came and not data:
            break
        *lines, rest = (rest + data).split(b"\n")
        yield from (line + b"\n" for line in lines)
        if len(rest) >= _LONGEST_LINE:
            yield rest
            rest = b""
        if process.poll() is not None:
            ended = ended or time.monotonic()
            late = time.monotonic() - ended
            if late >= _GRACE:
                kill_group(process.pid)
            if late >= (_MOST_GRACE if came else 2 * _GRACE):
                break
    if rest:
        yield rest


def disk_full(said: str) -> str:
    """The first line of what a program printed that tells of a full disk; "" where none does."""
    return next((line.strip() for line in said.splitlines() if any(words in line for words in DISK_FULL)), "")


def processors() -> int:
    """How many processors kpt and what it starts may run on: fewer than the machine has where taskset(1), a service
    manager or a container says so, by their numbers or by a share of their time."""
    usable = len(os.sched_getaffinity(0))
    return min(usable, cgroups.processors() or usable)


class Unwanted(Exception):
    """Raised in a thread whose work nobody waits for any more (`stop`), where it starts a program or waits for one."""


def stop(threads: Collection[int]) -> None:
    """Kill the programs that these threads (by their ident) wait for, with everything they started. Whatever the
    threads do next, they get Unwanted instead of the outcome of a program. Call it until they have ended, then `forget`
    them."""
    _unwanted.update(threads)
    for group, thread in tuple(_running.items()):
        if thread in threads:
            kill_group(group)


def kill_all() -> None:
    """Kill every program that any thread waits for, with everything it started: kpt ends without a clean-up."""
    for group in tuple(_running):
        kill_group(group)


def check_wanted() -> None:
    """Raise Unwanted where this thread was stopped: before it starts a program, or while it waits for something."""
    if threading.get_ident() in _unwanted:
        raise Unwanted


def forget(threads: Collection[int]) -> None:
    """Take back what `stop` said; a later thread may have the same ident."""
    _unwanted.difference_update(threads)


@contextlib.contextmanager
def known_to_stop(group: int) -> Iterator[None]:
    """Let `stop` find the process group `group`, which this thread started and waits for in the block. Raises Unwanted
    after it where the thread was stopped, so that a program that was killed is not taken for one that failed."""
    _running[group] = threading.get_ident()
    try:
        yield
    finally:
        del _running[group]
    check_wanted()


def kill_group(group: int) -> None:
    """Kill a process that leads a group of its own (its id is the group's) together with everything it started."""
    with contextlib.suppress(ProcessLookupError, PermissionError):  # gone; or another's, whose id it became since
        os.killpg(group, signal.SIGKILL)


def _start(
    words: tuple[str, ...],
    *,
    cwd: Path | None,
    env: Mapping[str, str] | None,
    stdin: int,
    stderr: int = subprocess.PIPE,
    pass_fds: Sequence[int] = (),
) -> subprocess.Popen[bytes]:
    check_wanted()
    try:
        return subprocess.Popen(
            words,
            cwd=cwd,
            env=None if env is None else dict(env),
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=stderr,
            start_new_session=True,
            pass_fds=tuple(pass_fds),
        )
    except FileNotFoundError as error:
        if cwd is not None and not cwd.is_dir():
            raise MachineError("directory is not there", where=str(cwd)) from error
        raise MachineError(f"program {words[0]!r} is not installed", todo="run `kpt doctor`") from error


@contextlib.contextmanager
def _killed_on_exit(process: subprocess.Popen[bytes], *, sweep: bool = False) -> Iterator[None]:
    """`sweep`: what a program that ended by itself left running in its group ends with it."""
    with known_to_stop(process.pid):
        try:
            yield
        finally:
            if process.poll() is None:
                kill_group(process.pid)
                process.wait()
            elif sweep:
                kill_group(process.pid)


class _Watchdog:
    """Kills the process group at `deadline` (monotonic seconds), or when `watch` gives a reason (`why`)."""

    def __init__(
        self, process: subprocess.Popen[bytes], deadline: float | None, watch: Callable[[int], str] | None
    ) -> None:
        self.timed_out = False
        self.why = ""
        self._process, self._deadline, self._watch = process, deadline, watch
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> Self:
        if self._deadline is not None or self._watch is not None:
            self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join()

    def stop(self, why: str) -> None:
        """Kill it, for this reason."""
        self.why = self.why or why
        kill_group(self._process.pid)

    def _look(self) -> None:
        while True:
            left = _WATCH_SECONDS if self._deadline is None else max(0.0, self._deadline - time.monotonic())
            if self._ended.wait(min(left, _WATCH_SECONDS) if self._watch is not None else left):
                return
            if self._deadline is not None and time.monotonic() >= self._deadline:
                self.timed_out = True
                kill_group(self._process.pid)
                return
            why = "" if self._watch is None else self._asked(self._watch)
            if why:
                self.stop(why)
                return

    def _asked(self, watch: Callable[[int], str]) -> str:
        """What `watch` says. A program that cannot be watched any more has no limits, not even the deadline."""
        try:
            return watch(self._process.pid)
        except OSError as error:
            return f"it cannot be watched: {error.strerror or error}"
