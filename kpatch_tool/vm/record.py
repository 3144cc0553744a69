"""Frames of one boot -> what became of each job. Output goes to files as it comes; nothing is kept beyond its limit."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from kpatch_tool.system import atomic
from kpatch_tool.vm.console import Trace
from kpatch_tool.vm.model import Ending, Job, JobOutcome
from kpatch_tool.vm.wire import Frame, FrameType

TOTAL_OUTPUT_LIMIT = 512 << 20
ERRORS_LIMIT = 64 << 10
_FAREWELLS = frozenset(
    {Ending.EXIT, Ending.SIGNAL, Ending.TIMEOUT, Ending.CHECK, Ending.SPAWN, Ending.MODULES}
)  # what init itself may say
_NUMBER = re.compile(r"[0-9]{1,6}")
_MOST_WORDS = 200  # on modules, of one boot
_SECONDS = "after {:.1f} s"
_NO_ROOM = frozenset({str(errno.ENOSPC), str(errno.ENOMEM)})


@dataclass(frozen=True, slots=True)
class Numbered:
    """A job with its number in the whole run (the id of its frames) and its group's."""

    id: int
    group: int
    job: Job


@dataclass(frozen=True, slots=True)
class Refusal:
    """Init could not take what the host sent. `full`: there was no room for it, which is not the kernel's fault."""

    why: str
    full: bool


@dataclass(slots=True)
class _Running:
    numbered: Numbered
    started: float
    console_at: int
    path: Path
    file: BinaryIO
    left: int
    dropped: int = 0
    errors: bytearray = field(default_factory=bytearray)
    waiting: bytearray = field(default_factory=bytearray)  # errors that came in the middle of a line of output
    in_line: bool = False

    def write(self, data: bytes) -> None:
        """Write output; errors that wait go behind its first line that ends."""
        end = data.find(b"\n") + 1
        if self.waiting and end:
            self.file.write(data[:end])
            self.flush()
            data = data[end:]
        self.file.write(data)
        self.in_line = bool(data) and not data.endswith(b"\n")

    def flush(self) -> None:
        """Write the errors that wait."""
        self.file.write(self.waiting)
        self.waiting.clear()


@dataclass(slots=True)
class Recorder:
    """Takes the frames of a boot. `outcomes` maps job ids to what became of them; `console_spans` to the part of the
    console (bytes) that was printed while they ran."""

    jobs: Mapping[int, Numbered]
    outputs: Path
    console_position: Callable[[], int]
    on_event: Callable[[Job, JobOutcome | None], None]
    outcomes: dict[int, JobOutcome] = field(default_factory=dict)
    console_spans: dict[int, tuple[int, int]] = field(default_factory=dict)
    release: str = ""
    cpu: str = ""
    ready: float | None = None
    first_job: float | None = None
    last_start: float | None = None
    modules: list[str] = field(default_factory=list)
    module_failures: list[str] = field(default_factory=list)
    left_behind: bool = False  # the first of these is a module that would not go
    refusal: Refusal | None = None
    _running: _Running | None = None
    _total: int = 0
    _jobs_came: bool = False  # since the last word on a module: the next one is of another group

    def take(self, frame: Frame, seconds: float) -> None:
        """Account for one frame that came `seconds` after the start."""
        if frame.type in (FrameType.STARTED, FrameType.ENDED):
            self._jobs_came = True
        match frame.type:
            case FrameType.BOOTED:
                self.release, _, self.cpu = frame.text()[:200].partition("\n")
                self.ready = self.ready or seconds
            case FrameType.MODULE:
                self._module(frame.text()[:200])
            case FrameType.REFUSED:
                self.refusal = _refusal(frame.text()[:1000])
            case FrameType.STARTED:
                self._started(frame, seconds)
            case FrameType.OUTPUT | FrameType.ERRORS:
                self._output(frame)
            case FrameType.DROPPED:
                if self._running is not None and frame.data[:20].isdigit():
                    self._running.dropped += int(frame.data[:20])
            case FrameType.ENDED:
                self._said_ended(frame)
            case _:
                pass

    def running(self) -> Numbered | None:
        """The job that has started and not ended."""
        return self._running.numbered if self._running is not None else None

    def cut_off(self, ending: Ending, why: str, clock_seconds: float) -> None:
        """The boot ended while a job ran: that job's outcome is `ending`. `clock_seconds`: since its start, at most."""
        if self._running is not None:
            self._finish(ending, 0, min(clock_seconds, self._running.numbered.job.timeout + 60), why)

    def close(self) -> None:
        """Give back the file that is still open, if any."""
        if self._running is not None:
            self._running.file.close()
            self._running = None

    def _module(self, text: str) -> None:
        if self._jobs_came:
            self.module_failures.clear()
            self._jobs_came = False
        name, _, result = text.rpartition(" ")
        if result == "ok":
            _add(self.modules, name)
        elif result != "skipped":
            stays = name.startswith("-")
            self.left_behind = stays if not self.module_failures else self.left_behind
            _add(self.module_failures, f"{'unloading' if stays else 'loading'} {name.lstrip('-')}: {_errno(result)}")

    def _started(self, frame: Frame, seconds: float) -> None:
        numbered = self.jobs.get(frame.id)
        if numbered is None or frame.id in self.outcomes or self._running is not None:
            return
        path = self.outputs / f"{numbered.id:04d}-{_file_name(numbered.job.name)}.txt"
        with atomic.machine_errors(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            file = path.open("wb")
        self._running = _Running(numbered, frame.clock, self.console_position(), path, file, numbered.job.limit)
        self.last_start = seconds
        if self.first_job is None:
            self.first_job = seconds
        self.on_event(numbered.job, None)

    def _output(self, frame: Frame) -> None:
        running = self._running
        if running is None or running.numbered.id != frame.id:
            return
        keep = max(0, min(len(frame.data), running.left, TOTAL_OUTPUT_LIMIT - self._total))
        data = frame.data[:keep]
        running.left -= keep
        running.dropped += len(frame.data) - keep
        self._total += keep
        with atomic.machine_errors(running.path):
            if frame.type is FrameType.ERRORS:
                running.errors += data[: max(0, ERRORS_LIMIT - len(running.errors))]
                running.waiting += data
            elif data:
                running.write(data)
            if not running.in_line:
                running.flush()

    def _said_ended(self, frame: Frame) -> None:
        word, _, rest = frame.text()[:1000].partition(" ")
        numbered = self.jobs.get(frame.id)
        if numbered is None or frame.id in self.outcomes or word not in _FAREWELLS:
            return
        ending = Ending(word)
        if ending is Ending.MODULES and self.module_failures and self.left_behind:
            ending = Ending.LEFT_BEHIND
        value = int(rest) if _NUMBER.fullmatch(rest) else 0
        if self._running is not None and self._running.numbered.id == frame.id:
            seconds = max(0.0, frame.clock - self._running.started)
            self._finish(ending, value, seconds, self._why(ending, value, rest, seconds))
        else:
            outcome = JobOutcome(
                numbered.job, numbered.group, ending, value, 0.0, None, self._why(ending, value, rest, 0.0)
            )
            self.outcomes[frame.id] = outcome
            self.on_event(numbered.job, outcome)

    def _why(self, ending: Ending, value: int, rest: str, seconds: float) -> str:
        match ending:
            case Ending.EXIT:
                return f"exit status {value}"
            case Ending.SIGNAL:
                return f"ended by signal {value}"
            case Ending.TIMEOUT:
                return f"killed at its timeout {_SECONDS.format(seconds)}"
            case Ending.CHECK:
                path, _, wanted = rest.partition("=")
                return f"{path} not equal to {wanted}"
            case Ending.MODULES | Ending.LEFT_BEHIND:
                return "its modules are not loaded: " + ("; ".join(self.module_failures) or "no reason was given")
            case _:
                return f"could not be started: {_errno(str(value))}"

    def _finish(self, ending: Ending, value: int, seconds: float, why: str) -> None:
        running = self._running
        assert running is not None
        self._running = None
        with atomic.machine_errors(running.path):
            running.flush()
            running.file.close()
        numbered, errors = running.numbered, bytes(running.errors)
        outcome = JobOutcome(
            numbered.job, numbered.group, ending, value, seconds, running.path, why, running.dropped, errors=errors
        )
        self.console_spans[numbered.id] = (running.console_at, self.console_position())
        self.outcomes[numbered.id] = outcome
        self.on_event(numbered.job, outcome)


def _add(words: list[str], word: str) -> None:
    """Note `word`, unless a guest that has gone mad says such things without end."""
    if len(words) < _MOST_WORDS:
        words.append(word)


def traces_within(traces: tuple[Trace, ...], span: tuple[int, int]) -> tuple[Trace, ...]:
    """The traces that begin inside the span."""
    return tuple(trace for trace in traces if span[0] <= trace.offset < span[1])


def _refusal(text: str) -> Refusal:
    error, _, path = text.partition(" ")
    what = path if path.isprintable() and path else "what it is to run"
    return Refusal(f"{what} cannot be written in the guest: {_errno(error)}", error in _NO_ROOM)


def _errno(text: str) -> str:
    return os.strerror(int(text)).lower() if _NUMBER.fullmatch(text) else text


def _file_name(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9._+-]+", "_", name).strip(".")[:80] or "job"
