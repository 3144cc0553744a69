"""The watch over a guest: what it takes for silence, and for too long."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Iterator

import pytest

from kpatch_tool.system import signals
from kpatch_tool.vm import session
from kpatch_tool.vm.session import Console, Deadlines, How, Task


@pytest.fixture
def _stops_are_counted() -> Iterator[None]:
    before = signal.getsignal(signal.SIGCONT)
    signals.count_stops()
    yield
    signal.signal(signal.SIGCONT, before)


@pytest.mark.usefixtures("_stops_are_counted")
@pytest.mark.parametrize("stopped", [True, False])
@pytest.mark.parametrize(
    ("deadlines", "how"),
    [(Deadlines(9, 0.7, 9), How.SILENT), (Deadlines(0.7, 9, 9), How.SILENT), (Deadlines(9, 9, 0.7), How.LATE)],
)
def test_the_time_in_which_kpt_was_stopped_does_not_count(
    deadlines: Deadlines, how: How, stopped: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-Z: the guest goes on, and what it says waits in the socket. Where the machine is busy instead it counts, or
    a guest that hangs would never end."""
    monkeypatch.setattr(session, "_PAUSE", 0.4)

    async def watched() -> tuple[bool, How | None]:
        stop = asyncio.Event()
        guest = session._Session(Task(b""), deadlines, Console(), lambda frame, seconds: None)
        guest._ready = deadlines.boot == 9
        watch = asyncio.create_task(guest._watch(stop))
        await asyncio.sleep(0)
        time.sleep(0.9)  # nothing of kpt runs
        if stopped:
            os.kill(os.getpid(), signal.SIGCONT)
        await asyncio.sleep(0.4)
        early = stop.is_set()
        await asyncio.wait_for(stop.wait(), 30)
        watch.cancel()
        return early, guest._how

    assert asyncio.run(watched()) == (not stopped, how)
