"""Bounds on one input: time and memory, held by the kernel."""

from __future__ import annotations

import resource
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

MEMORY = 512 << 20  # bytes above what the process has when it begins
SECONDS = 2.0
SECONDS_A_MEGABYTE = 15.0


class TooLongError(Exception):
    """An input took longer than `allowed`."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one input went. `failure` is "" when well, else what happened in one line; `seconds` of processor time."""

    seconds: float
    failure: str = ""


def allowed(size: int) -> float:
    """The processor time, in seconds, that an input of `size` bytes may take on a slow machine."""
    return SECONDS + SECONDS_A_MEGABYTE * size / (1 << 20)


def bound_memory() -> None:
    """Hold this process to MEMORY more than it has; it gets MemoryError beyond."""
    now = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (now + MEMORY, resource.getrlimit(resource.RLIMIT_AS)[1]))


def run(target: Callable[[bytes], None], data: bytes, permitted: tuple[type[Exception], ...]) -> Outcome:
    """Give `data` to `target` within the bounds of time; `permitted` errors are results."""
    limit = allowed(len(data))
    signal.signal(signal.SIGVTALRM, _too_long)
    start = time.process_time()
    signal.setitimer(signal.ITIMER_VIRTUAL, limit)
    failure = ""
    try:
        target(data)
    except permitted:
        pass
    except TooLongError:
        failure = f"took more than {limit:.1f} s for {len(data)} bytes"
    except (Exception, RecursionError) as error:  # noqa: BLE001 - what a fuzzer is for
        failure = _described(error)
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
    seconds = time.process_time() - start
    if not failure and seconds > limit:
        failure = f"took {seconds:.1f} s for {len(data)} bytes"
    return Outcome(seconds, failure)


def _too_long(_signal: int, _frame: FrameType | None) -> None:
    raise TooLongError


def _described(error: BaseException) -> str:
    trace = error.__traceback__
    while trace and trace.tb_next:
        trace = trace.tb_next
    where = f" in {trace.tb_frame.f_code.co_filename.rsplit('/', 1)[-1]}:{trace.tb_lineno}" if trace else ""
    return f"{type(error).__name__}: {str(error)[:100]!r}{where}"
