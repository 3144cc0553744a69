"""Frames -> outcomes, with a guest that behaves and one that does not."""

from __future__ import annotations

from pathlib import Path

import pytest

from kpatch_tool.vm import record
from kpatch_tool.vm.console import Trace, TraceKind
from kpatch_tool.vm.model import Ending, Job, JobOutcome
from kpatch_tool.vm.record import Numbered, Recorder, traces_within
from kpatch_tool.vm.wire import Frame, FrameType

JOBS = {n: Numbered(n, 0, Job(name, ("/x",), 10.0, limit=10)) for n, name in ((1, "one"), (2, "../../etc/passwd"))}


class Guest:
    """Sends frames to a recorder."""

    def __init__(self, out: Path) -> None:
        self.console = 0
        self.seen: list[tuple[str, JobOutcome | None]] = []
        self.recorder = Recorder(JOBS, out, lambda: self.console, lambda job, done: self.seen.append((job.name, done)))

    def send(self, kind: FrameType, number: int = 0, data: bytes = b"", clock: float = 0.0, at: float = 0.0) -> None:
        self.recorder.take(Frame(kind, number, clock, data), at)


def test_a_job_from_start_to_end(tmp_path: Path) -> None:
    guest = Guest(tmp_path)
    guest.send(FrameType.BOOTED, data=b"6.1.0\namd", at=2.0)
    guest.send(FrameType.MODULE, data=b"kvm ok")
    guest.send(FrameType.MODULE, data=b"kvm_intel skipped")
    guest.send(FrameType.STARTED, 1, clock=1.0, at=2.5)
    guest.send(FrameType.OUTPUT, 1, b"12345")
    guest.console = 70
    guest.send(FrameType.OUTPUT, 1, b"6789012")
    guest.send(FrameType.DROPPED, 1, b"100")
    guest.send(FrameType.ENDED, 1, b"exit 3", clock=4.0)
    done = guest.recorder.outcomes[1]
    assert (done.ending, done.value, done.seconds, done.dropped) == (Ending.EXIT, 3, 3.0, 102)
    assert done.output is not None
    assert done.output.read_bytes() == b"1234567890"
    assert guest.recorder.console_spans[1] == (0, 70)
    assert (guest.recorder.release, guest.recorder.cpu) == ("6.1.0", "amd")
    assert (guest.recorder.ready, guest.recorder.first_job) == (2.0, 2.5)
    assert guest.recorder.modules == ["kvm"]
    assert guest.seen == [("one", None), ("one", done)]


def test_errors_are_kept_apart_and_come_between_two_lines(tmp_path: Path) -> None:
    jobs = {1: Numbered(1, 0, Job("one", ("/x",), 10.0))}
    guest = Guest(tmp_path)
    guest.recorder.jobs = jobs
    guest.send(FrameType.STARTED, 1)
    guest.send(FrameType.ERRORS, 1, b"early\n")
    guest.send(FrameType.OUTPUT, 1, b"PASS: a\nPASS")
    guest.send(FrameType.ERRORS, 1, b"in the ")
    guest.send(FrameType.ERRORS, 1, b"middle\n")
    guest.send(FrameType.OUTPUT, 1, b": b\nPASS: c\n")
    guest.send(FrameType.OUTPUT, 1, b"the end")
    guest.send(FrameType.ERRORS, 1, b"late\n")
    guest.send(FrameType.ENDED, 1, b"exit 1")
    done = guest.recorder.outcomes[1]
    assert done.errors == b"early\nin the middle\nlate\n"
    assert done.output is not None
    assert done.output.read_bytes() == b"early\nPASS: a\nPASS: b\nin the middle\nPASS: c\nthe endlate\n"


def test_errors_are_bounded(tmp_path: Path) -> None:
    guest = Guest(tmp_path)
    guest.send(FrameType.STARTED, 1)
    guest.send(FrameType.ERRORS, 1, b"x" * 8)
    guest.send(FrameType.OUTPUT, 1, b"y" * 8)
    guest.send(FrameType.ENDED, 1, b"exit 1")
    done = guest.recorder.outcomes[1]
    assert (done.errors, done.dropped) == (b"x" * 8, 6)


def test_names_of_jobs_stay_inside_the_directory(tmp_path: Path) -> None:
    guest = Guest(tmp_path / "out")
    guest.send(FrameType.STARTED, 2)
    guest.send(FrameType.ENDED, 2, b"signal 11")
    done = guest.recorder.outcomes[2]
    assert done.output is not None
    assert done.output.parent == tmp_path / "out"
    assert (done.ending, done.value) == (Ending.SIGNAL, 11)


def test_jobs_that_are_not_run_tell_why(tmp_path: Path) -> None:
    guest = Guest(tmp_path)
    guest.send(FrameType.MODULE, data=b"kvm_amd 95")
    guest.send(FrameType.ENDED, 1, b"modules 0")
    guest.send(FrameType.ENDED, 2, b"check /sys/x=Y")
    assert guest.recorder.outcomes[1].ending is Ending.MODULES
    assert "loading kvm_amd: operation not supported" in guest.recorder.outcomes[1].why
    assert guest.recorder.outcomes[2].why == "/sys/x not equal to Y"


def test_each_group_of_jobs_tells_of_its_own_modules(tmp_path: Path) -> None:
    guest = Guest(tmp_path)
    guest.send(FrameType.MODULE, data=b"kvm ok")
    guest.send(FrameType.MODULE, data=b"kvm_amd 95")
    guest.send(FrameType.ENDED, 1, b"modules 0")
    guest.send(FrameType.MODULE, data=b"-kvm 11")
    guest.send(FrameType.MODULE, data=b"kvm 17")
    guest.send(FrameType.ENDED, 2, b"modules 0")
    assert [guest.recorder.outcomes[number].ending for number in (1, 2)] == [Ending.MODULES, Ending.LEFT_BEHIND]
    assert guest.recorder.outcomes[1].why == "its modules are not loaded: loading kvm_amd: operation not supported"
    assert guest.recorder.outcomes[2].why == (
        "its modules are not loaded: unloading kvm: resource temporarily unavailable; loading kvm: file exists"
    )


def test_words_on_modules_without_end_are_not_kept(tmp_path: Path) -> None:
    guest = Guest(tmp_path)
    for _ in range(10_000):
        guest.send(FrameType.MODULE, data=b"kvm ok")
        guest.send(FrameType.MODULE, data=b"kvm 17")
    assert len(guest.recorder.modules) + len(guest.recorder.module_failures) < 1000


def test_a_guest_that_lies_gains_nothing(tmp_path: Path) -> None:
    guest = Guest(tmp_path)
    guest.send(FrameType.ENDED, 99, b"exit 0")
    guest.send(FrameType.STARTED, 99)
    guest.send(FrameType.OUTPUT, 1, b"before the start")
    guest.send(FrameType.ENDED, 1, b"panic 0")
    guest.send(FrameType.ENDED, 1, b"\xff\xfe")
    assert guest.recorder.outcomes == {}
    guest.send(FrameType.STARTED, 1)
    guest.send(FrameType.STARTED, 2)
    guest.send(FrameType.MODULE, data="kvm ²".encode())
    guest.send(FrameType.MODULE, data=b"kvm 99999999999999999999")
    guest.send(FrameType.ENDED, 1, b"exit 123456abc")
    guest.send(FrameType.STARTED, 1)
    assert list(guest.recorder.outcomes) == [1]
    assert guest.recorder.running() is None


def test_cut_off(tmp_path: Path) -> None:
    guest = Guest(tmp_path)
    guest.send(FrameType.STARTED, 1)
    assert guest.recorder.running() == JOBS[1]
    guest.recorder.cut_off(Ending.PANIC, "it died", 3.0)
    assert guest.recorder.outcomes[1].ending is Ending.PANIC
    guest.recorder.cut_off(Ending.PANIC, "it died", 3.0)
    assert len(guest.recorder.outcomes) == 1


def test_a_trace_belongs_to_the_job_that_ran() -> None:
    trace = Trace(TraceKind.WARNING, "t", "t", 100)
    assert traces_within((trace,), (100, 101)) == (trace,)
    assert traces_within((trace,), (50, 100)) == ()
    assert traces_within((trace,), (100, 100)) == ()


def test_all_jobs_together_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(record, "TOTAL_OUTPUT_LIMIT", 15)
    guest = Guest(tmp_path)
    for number in (1, 2):
        guest.send(FrameType.STARTED, number)
        guest.send(FrameType.OUTPUT, number, b"0123456789")
        guest.send(FrameType.ENDED, number, b"exit 0")
    sizes = [done.output.stat().st_size for done in guest.recorder.outcomes.values() if done.output is not None]
    assert sizes == [10, 5]
    assert guest.recorder.outcomes[2].dropped == 5
