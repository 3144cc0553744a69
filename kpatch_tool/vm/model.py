"""The values of the guest: what it shall do, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from kpatch_tool.vm.console import Trace
from kpatch_tool.vm.cpio import Entry
from kpatch_tool.vm.root import Program

JOB_OUTPUT_LIMIT = 4 << 20


@dataclass(frozen=True, slots=True)
class ModuleLoad:
    """A module to load: its file here, its name ("kvm_amd"), parameters ("npt=0 ..."), and the CPU vendor ("amd",
    "intel") without which it is left out; empty: it is always loaded."""

    path: Path
    name: str
    parameters: str = ""
    vendor: str = ""


@dataclass(frozen=True, slots=True)
class Job:
    """A program to run in the guest: `argv[0]` is a path there. `timeout` in seconds; `limit` in bytes of output that
    are kept; `checks` are "PATH=VALUE", all of which must hold in the guest, else the job is not run. wire.NOW in an
    argument stands for the guest's time at the job's start."""

    name: str
    argv: tuple[str, ...]
    timeout: float
    checks: tuple[str, ...] = ()
    limit: int = JOB_OUTPUT_LIMIT


@dataclass(frozen=True, slots=True)
class JobGroup:
    """Jobs that want the same modules with the same parameters loaded."""

    modules: tuple[ModuleLoad, ...]
    jobs: tuple[Job, ...]


@dataclass(frozen=True, slots=True)
class GuestWork:
    """A kernel image and what to do with it. `files` are put into the guest as they are, `programs` with their
    libraries; `qemu` is the QEMU to put inside, None where no job needs one."""

    kernel: Path
    groups: tuple[JobGroup, ...]
    files: tuple[Entry, ...] = ()
    programs: tuple[Program, ...] = ()
    qemu: Path | None = None


class Ending(StrEnum):
    """How a job ended."""

    EXIT = "exit"  # by itself; value: its status
    SIGNAL = "signal"  # value: the signal
    TIMEOUT = "timeout"  # killed at its timeout
    CHECK = "check"  # not run: a check does not hold (detail: which)
    SPAWN = "spawn"  # not run: it could not be started
    MODULES = "modules"  # not run: its modules did not load
    LEFT_BEHIND = "left behind"  # the same, as those of the jobs before would not go: something holds them
    PANIC = "panic"  # the guest's kernel died while it ran
    HANG = "hang"  # the guest fell silent while it ran
    LOST = "lost"  # the guest ended while it ran, without a word
    DIED = "died"  # QEMU, in which the guest ran, ended by itself, as often as the job was begun
    NOT_RUN = "not run"  # the guest was given up before its turn


@dataclass(frozen=True, slots=True)
class JobOutcome:
    """What became of a job. `output` is the file with its output (None: it was not started); `dropped` counts bytes
    of output beyond the limit; `traces` are the kernel's complaints while it ran; `why` is a sentence. `errors` is what
    it wrote to standard error (the first 64 KiB), which is in `output` too, between two lines of the rest."""

    job: Job
    group: int
    ending: Ending
    value: int
    seconds: float
    output: Path | None
    why: str
    dropped: int = 0
    traces: tuple[Trace, ...] = ()
    errors: bytes = b""


@dataclass(frozen=True, slots=True)
class Boot:
    """One boot of the guest. `ready` is the seconds from QEMU's start to init's first word, None if it never came;
    `first_job` those to the first job's start. `release` is the kernel's name for itself, `cpu` "amd", "intel" or
    "none"; `console` the file with its console, `ended` a sentence. `saved`: it went on from a saved machine."""

    ready: float | None
    first_job: float | None
    seconds: float
    release: str
    cpu: str
    console: Path
    ended: str
    traces: tuple[Trace, ...] = ()
    modules: tuple[str, ...] = ()
    saved: bool = False


class GuestStatus(StrEnum):
    """`failed`: the kernel under test does not boot or load its modules; `infra`: QEMU itself did not run, or the guest
    has no room for what it is to run."""

    OK = "ok"
    FAILED = "failed"
    INFRA = "infra"


@dataclass(frozen=True, slots=True)
class GuestRun:
    """A whole run: an outcome for every job, in order, over one or more boots."""

    status: GuestStatus
    why: str
    outcomes: tuple[JobOutcome, ...]
    boots: tuple[Boot, ...] = field(default_factory=tuple)
    seconds: float = 0.0

    @property
    def traces(self) -> tuple[Trace, ...]:
        return tuple(trace for boot in self.boots for trace in boot.traces)
