"""One boot: QEMU started, its console, port and control socket read until it ends. Everything read is bounded."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from enum import StrEnum
from functools import partial
from typing import IO, Any

from qemu.qmp import EventListener, QMPClient
from qemu.qmp.error import QMPError

from kpatch_tool.system import signals
from kpatch_tool.system.process import check_wanted, kill_group, known_to_stop
from kpatch_tool.vm.qemu import Wires
from kpatch_tool.vm.wire import Frame, FrameReader, FrameType, WireError

CONSOLE_HEAD = 2 << 20
CONSOLE_TAIL = 256 << 10
_STDERR_LIMIT = 64 << 10
_READ = 64 << 10
_GRACE = 5.0
_TICK = 0.25
_PAUSE = 1.0  # seconds by which a tick is late where kpt was stopped (Ctrl-Z), or the machine has much else to do
_SAVE_TICK = 0.02
_SAVING = ("none", "setup", "active", "device", "pre-switchover")
_UNLIMITED = 1 << 40  # bytes a second


@dataclass(slots=True)
class Deadlines:
    """Seconds: `boot` until init's first word, `silence` between two frames after it, `total` for all of it."""

    boot: float
    silence: float
    total: float


class How(StrEnum):
    """How a boot ended, with the words for it."""

    DONE = "every job was done"
    OFF = "the guest switched itself off"
    RESET = "the guest's kernel rebooted"  # after a panic, too
    SILENT = "the guest fell silent"  # killed, not a word in time
    LATE = "the guest did not come to an end"  # killed
    GARBAGE = "the guest's port sent what is no message of init"  # killed
    STUCK = "a process of the guest could not be killed"
    REFUSED = "the guest could not take what it is to run"
    QEMU = "QEMU ended by itself"


_ENDS_BY_ITSELF = frozenset({How.DONE, How.STUCK, How.REFUSED, How.RESET, How.OFF})  # no need to kill it at once


@dataclass(frozen=True, slots=True)
class Ended:
    """A boot that ended: `how`, QEMU's status and last complaint; `saved`: the machine was, whole."""

    how: How
    qemu_status: int | None
    qemu_said: str
    seconds: float
    saved: bool


@dataclass(slots=True)
class Console:
    """The console so far: its beginning and, past 2 MiB, its last 256 KiB."""

    head: bytearray = field(default_factory=bytearray)
    tail: bytearray = field(default_factory=bytearray)
    seen: int = 0

    def add(self, data: bytes) -> None:
        self.seen += len(data)
        room = max(0, CONSOLE_HEAD - len(self.head))
        self.head += data[:room]
        self.tail += data[room:]
        del self.tail[: max(0, len(self.tail) - CONSOLE_TAIL)]

    def text(self) -> bytes:
        """What was kept; a line tells where the middle was left out."""
        return bytes(self.head) + self._gap() + bytes(self.tail)

    def _gap(self) -> bytes:
        lost = self.seen - len(self.head) - len(self.tail)
        return b"\n[%d bytes left out]\n" % lost if lost else b""

    def position(self) -> int:
        """How many bytes came so far, those included that were not kept."""
        return self.seen

    def came_at(self, offset: int) -> int:
        """How many bytes had come before the one at `offset` of `text()`."""
        behind = max(0, offset - len(self.head) - len(self._gap()))
        return offset if offset < len(self.head) else self.seen - len(self.tail) + behind


@dataclass(frozen=True, slots=True)
class Task:
    """What init gets when it waits for the host. `saved` is the file with a machine that waits already, to go on from;
    `save` one to save the machine to when it waits. Both are open files."""

    message: bytes
    saved: IO[bytes] | None = None
    save: IO[bytes] | None = None


def boot(
    command: Callable[[Wires], tuple[str, ...]],
    task: Task,
    deadlines: Deadlines,
    console: Console,
    on_frame: Callable[[Frame, float], None],
) -> Ended:
    """Start QEMU with the command line that `command` makes and stay with it to its end.

    `on_frame` gets every frame and the seconds since the start. Raises FileNotFoundError when setpriv or QEMU is not
    there.
    """

    async def session() -> Ended:
        return await _Session(task, deadlines, console, on_frame).run(command)

    return asyncio.run(session())


class _Session:
    def __init__(
        self, task: Task, deadlines: Deadlines, console: Console, on_frame: Callable[[Frame, float], None]
    ) -> None:
        self._task = task
        self._waits = asyncio.Event()
        self._client = QMPClient("kpt")
        self._deadlines = deadlines
        self._console = console
        self._on_frame = on_frame
        self._how: How | None = None
        self._saved = False
        self._start = time.monotonic()
        self._last = self._start
        self._ready = False
        self._stderr = bytearray()

    async def run(self, command: Callable[[Wires], tuple[str, ...]]) -> Ended:
        check_wanted()
        pairs = [socket.socketpair() for _ in range(3)]
        ours = [pair[0] for pair in pairs]
        theirs = [pair[1] for pair in pairs]
        try:
            saved = self._task.saved
            control, console, port = (end.fileno() for end in theirs)
            wires = Wires(control, console, port, None if saved is None else saved.fileno())
            process = await asyncio.create_subprocess_exec(
                *command(wires),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.PIPE,
                pass_fds=tuple(end.fileno() for end in (*theirs, *((saved,) if saved is not None else ()))),
                start_new_session=True,
            )
        except BaseException:
            for end in (*ours, *theirs):
                end.close()
            raise
        for end in theirs:
            end.close()
        try:
            with known_to_stop(process.pid):
                await self._attend(process, *ours)
        finally:
            kill_group(process.pid)
            await process.wait()
            for end in ours:
                end.close()
        return Ended(
            how=self._how or How.QEMU,
            qemu_status=process.returncode,
            qemu_said=_last_complaint(bytes(self._stderr)),
            seconds=time.monotonic() - self._start,
            saved=self._saved,
        )

    async def _attend(
        self, process: asyncio.subprocess.Process, control: socket.socket, console: socket.socket, port: socket.socket
    ) -> None:
        assert process.stderr is not None
        stop = asyncio.Event()
        readers = [
            asyncio.create_task(self._read_console(console)),
            asyncio.create_task(self._read_port(port, stop)),
            asyncio.create_task(self._read_stderr(process.stderr)),
        ]
        for reader in readers:
            reader.add_done_callback(partial(_stop_on_error, stop))
        others = [
            asyncio.create_task(self._control(control, stop)),
            asyncio.create_task(self._hand_over(control, port)),
            asyncio.create_task(self._watch(stop)),
        ]
        ended = asyncio.create_task(process.wait())
        stopped = asyncio.create_task(stop.wait())
        try:
            await asyncio.wait([ended, stopped], return_when=asyncio.FIRST_COMPLETED)
            # A guest that is done switches itself off; what it wrote before that is still in the sockets.
            if not ended.done() and self._how in _ENDS_BY_ITSELF:
                await asyncio.wait([ended], timeout=_GRACE)
            if not ended.done():
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
            await asyncio.wait(readers, timeout=_GRACE)
            for reader in readers:
                if reader.done() and not reader.cancelled():
                    reader.result()
        finally:
            await _cancel([*readers, *others, ended, stopped])

    async def _read_console(self, end: socket.socket) -> None:
        async for data in _chunks(end):
            self._console.add(data)

    async def _read_port(self, end: socket.socket, stop: asyncio.Event) -> None:
        frames = FrameReader()
        async for data in _chunks(end):
            try:
                for frame in frames.feed(data):
                    self._take(frame, stop)
            except WireError:
                self._stop(How.GARBAGE, stop)
                return

    def _take(self, frame: Frame, stop: asyncio.Event) -> None:
        self._last = time.monotonic()
        self._ready = True
        self._on_frame(frame, self._last - self._start)
        if frame.type is FrameType.WAITING:
            self._waits.set()
        if frame.type is FrameType.DONE:
            self._stop(How.DONE, stop)
        elif frame.type is FrameType.STUCK:
            self._stop(How.STUCK, stop)
        elif frame.type is FrameType.REFUSED:
            self._stop(How.REFUSED, stop)

    async def _read_stderr(self, stream: asyncio.StreamReader) -> None:
        while data := await stream.read(_READ):
            self._stderr += data[: max(0, _STDERR_LIMIT - len(self._stderr))]

    async def _control(self, end: socket.socket, stop: asyncio.Event) -> None:
        """Listen to QEMU's own account of why the guest ended (QMP)."""
        listener = EventListener(names=("SHUTDOWN", "GUEST_PANICKED"))
        self._client.register_listener(listener)
        try:
            await self._client.connect(end)
            async for event in listener:
                data: Any = event.get("data", {})
                reason = data.get("reason", "") if isinstance(data, dict) else ""
                self._stop(How.RESET if reason in ("guest-reset", "guest-panic") else How.OFF, stop)
        except (QMPError, OSError, EOFError):
            return  # QEMU has gone; whoever waits for the process sees that
        finally:
            with contextlib.suppress(QMPError, OSError, EOFError):
                await self._client.disconnect()

    async def _hand_over(self, control: socket.socket, port: socket.socket) -> None:
        """Give init its steps once it waits, the machine saved before that where it shall be."""
        if self._task.saved is None:
            await self._waits.wait()
        if self._task.save is not None:
            with contextlib.suppress(QMPError, OSError):  # a machine that cannot be saved can still go on
                await self._save(control, self._task.save)
        with contextlib.suppress(ConnectionError):
            await asyncio.get_running_loop().sock_sendall(port, self._task.message)

    async def _save(self, control: socket.socket, file: IO[bytes]) -> None:
        """Write the machine to `file`. It is not stopped before, or the one that goes on from it would be, too: it
        waits for the host and changes nothing."""
        try:
            await self._client.execute("migrate-set-parameters", {"max-bandwidth": _UNLIMITED})
            socket.send_fds(control, [b" "], [file.fileno()])
            await self._client.execute("getfd", {"fdname": "saved"})
            await self._client.execute("migrate", {"uri": "fd:saved"})
            while (state := await self._migration()) in _SAVING:
                await asyncio.sleep(_SAVE_TICK)
            if state == "completed":
                self._saved = True
        finally:
            await self._client.execute("cont")

    async def _migration(self) -> str:
        told: Any = await self._client.execute("query-migrate")
        return str(told.get("status", "none"))

    async def _watch(self, stop: asyncio.Event) -> None:
        paused, seen = 0.0, signals.stops()
        before = time.monotonic()
        while True:
            await asyncio.sleep(_TICK)
            if time.monotonic() - before - _TICK > _PAUSE:  # what the guest said meanwhile is read first, and whether
                await asyncio.sleep(_TICK)  # kpt was stopped is seen
            now, stops = time.monotonic(), signals.stops()
            if stops != seen:
                late = now - before - _TICK
                paused += late
                self._last = min(now, self._last + late)
            before, seen = now, stops
            if now - self._last > (self._deadlines.silence if self._ready else self._deadlines.boot):
                self._stop(How.SILENT, stop)
            elif now - self._start - paused > self._deadlines.total:
                self._stop(How.LATE, stop)

    def _stop(self, how: How, stop: asyncio.Event) -> None:
        """End the session; the first reason counts."""
        self._how = self._how or how
        stop.set()


def _stop_on_error(stop: asyncio.Event, reader: asyncio.Task[None]) -> None:
    """Where what was read cannot be taken (a full disk), nothing is gained by more of it."""
    if not reader.cancelled() and reader.exception() is not None:
        stop.set()


async def _chunks(end: socket.socket) -> AsyncIterator[bytes]:
    end.setblocking(False)
    loop = asyncio.get_running_loop()
    while True:
        try:
            data = await loop.sock_recv(end, _READ)
        except ConnectionError:
            return
        if not data:
            return
        yield data


async def _cancel(tasks: list[asyncio.Task[Any]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks, timeout=_GRACE)


def _last_complaint(stderr: bytes) -> str:
    """QEMU's last line that is not one of TCG's warnings about CPU features, on one printable line."""
    lines = stderr.decode("utf-8", "replace").splitlines()
    told = [line for line in lines if line.strip() and "warning: TCG doesn't support" not in line]
    return "".join(c if c.isprintable() else " " for c in told[-1])[:500] if told else ""
