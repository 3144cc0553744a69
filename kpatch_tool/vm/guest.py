"""Boot a kernel in QEMU, run jobs in it, bring their output out. A hang or panic costs one job, never the run."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO

from kpatch_tool.errors import MachineError
from kpatch_tool.system import atomic
from kpatch_tool.text import plural
from kpatch_tool.vm import qemu, root, session, wire
from kpatch_tool.vm.console import FATAL, Trace, find_traces
from kpatch_tool.vm.cpio import Entry
from kpatch_tool.vm.model import Boot, Ending, GuestRun, GuestStatus, GuestWork, Job, JobOutcome
from kpatch_tool.vm.record import Numbered, Recorder, traces_within
from kpatch_tool.vm.saved import SavedFile, SavedMachine
from kpatch_tool.vm.session import How
from kpatch_tool.vm.wire import Step

MODULES = "/kpt/modules"
_NOT_LOADED = frozenset({Ending.MODULES, Ending.LEFT_BEHIND})
_FORGIVEN = 12  # deaths of QEMU that are not counted as boots
_REVIVAL_SECONDS = 30.0  # until the first word of a machine that was saved; it takes one

Watcher = Callable[[Job, JobOutcome | None], None]


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a guest is waited for, and how often a run begins again."""

    boot: float = 120.0  # seconds until its first word,
    silence: float = 60.0  # and between two of its words; init sends one every 2 s
    boots: int = 6  # that a run may take
    hangs: int = 3  # jobs of a group that may hang with their guest one after another
    deaths: int = 8  # of QEMU itself while one job runs, until that is the job's outcome; or before any began


PATIENCE = Patience()


def _nobody(job: Job, outcome: JobOutcome | None) -> None:
    """A Watcher that looks away."""


def run_guest(
    work: GuestWork,
    machine: qemu.Machine,
    *,
    out: Path,
    cache: Path,
    program: Path | None = None,
    patience: Patience = PATIENCE,
    watcher: Watcher = _nobody,
    save: bool = False,
) -> GuestRun:
    """Boot `work.kernel` on `machine`, do its jobs in order and return what became of each.

    `out` gets console-N.log and one file a job; `cache` keeps init and the unchanging part of the root; `program` is
    the QEMU to run (found where None). With `save` a boot of the same image and root that was saved in `cache` is gone
    on from, or this one saved. After a panic or hang the jobs left are done in a fresh boot. `watcher` is told
    of every start (None) and end. Raises MachineError when QEMU or a file of `work` is missing or the disk is full.
    """
    start = time.monotonic()
    emulator = program or qemu.find()
    for path in (work.kernel, *(module.path for group in work.groups for module in group.modules)):
        if not path.is_file():
            raise MachineError("is not there", where=str(path), todo="build the state again")
    base = root.base_layer(cache, work.qemu)
    entries = (*work.files, *root.program_entries(work.programs), *_module_entries(work))
    saved = SavedMachine.of(cache, work.kernel, base, machine, emulator) if save else None
    host = _Host(emulator, machine, qemu.seccomp_arguments(emulator), base, root.file_steps(entries), out, saved)
    run = _Run(work, host, patience, watcher)
    status, why = run.run()
    return GuestRun(status, why, run.outcomes(), tuple(run.boots), time.monotonic() - start)


@dataclass(frozen=True, slots=True)
class _Host:
    """What stays the same over the boots of a run."""

    emulator: Path
    machine: qemu.Machine
    seccomp: tuple[str, ...]
    base: Path
    files: Sequence[Step]
    out: Path
    saved: SavedMachine | None


class _Run:
    def __init__(self, work: GuestWork, host: _Host, patience: Patience, watcher: Watcher) -> None:
        self._work, self._host = work, host
        self._patience, self._watcher = patience, watcher
        jobs = ((index, job) for index, group in enumerate(work.groups) for job in group.jobs)
        self._jobs = [Numbered(number, group, job) for number, (group, job) in enumerate(jobs, 1)]
        self._done: dict[int, JobOutcome] = {}
        self._deaths: Counter[int] = Counter()
        self._idle_deaths = 0
        self._stopped = ""
        self._hopeless: set[int] = set()  # groups of which no other job is begun
        self.boots: list[Boot] = []

    def run(self) -> tuple[GuestStatus, str]:
        """Boot until every job has its outcome or booting does not help."""
        while left := [job for job in self._jobs if job.id not in self._done and job.group not in self._hopeless]:
            boots = len(self.boots) - min(self._deaths.total() + self._idle_deaths, _FORGIVEN)
            if boots >= self._patience.boots:
                self._stopped = f"given up after {len(self.boots)} boots"
                break
            recorder, ended = self._attempt(left)
            self._find_hopeless()
            boot, died_idle = self.boots[-1], self._died_idle(recorder, ended)
            if died_idle and self._idle_deaths < self._patience.deaths:
                continue
            if died_idle or (boot.ready is None and ended.how is How.QEMU):  # that is this machine's fault
                self._stopped = boot.ended
                return GuestStatus.INFRA, boot.ended
            if boot.ready is None:
                self._stopped = boot.ended
                if len(self.boots) > 1:  # it booted before: the jobs, not the kernel, are to blame
                    break
                return GuestStatus.FAILED, boot.ended
            if recorder.refusal is not None:
                self._stopped = boot.ended
                if self._done:
                    break
                return (GuestStatus.INFRA if recorder.refusal.full else GuestStatus.FAILED), boot.ended
            if not recorder.outcomes and recorder.first_job is None:
                self._stopped = f"no job could be started: {boot.ended}"
                if not self._done:  # dies while it loads the modules, or cannot read its root
                    return GuestStatus.FAILED, self._stopped
                break
        if self._jobs and all(outcome.ending in _NOT_LOADED for outcome in self.outcomes()):
            return GuestStatus.FAILED, self.outcomes()[0].why
        ran = sum(outcome.output is not None for outcome in self._done.values())
        why = f"{ran} of {len(self._jobs)} jobs ran in {plural(len(self.boots), 'boot')}"
        why += f"; {self._stopped}" if self._stopped else ""
        return GuestStatus.OK, why

    def _died_idle(self, recorder: Recorder, ended: session.Ended) -> bool:
        """Whether QEMU itself died between init's first word and the first job, as modules load, and the kernel had not
        died before it; counted."""
        boot = self.boots[-1]
        idle = boot.ready is not None and not recorder.outcomes and recorder.first_job is None
        died = idle and ended.how is How.QEMU and not any(trace.fatal for trace in boot.traces)
        self._idle_deaths += died
        return died

    def _find_hopeless(self) -> None:
        """Where job after job hung with its guest, the next ones of their group would, too, each for its timeout and a
        boot. Another group, with other modules or tests, has its own chance."""
        ended = [outcome for outcome in self._done.values() if outcome.ending is not Ending.CHECK]
        last = ended[-self._patience.hangs :]
        if len(last) == self._patience.hangs and {(one.group, one.ending) for one in last} == {
            (last[0].group, Ending.HANG)
        }:
            self._hopeless.add(last[0].group)

    def _attempt(self, left: Sequence[Numbered]) -> tuple[Recorder, session.Ended]:
        """Do jobs in a machine that was saved, where there is one, else in one that boots. A saved one that does not
        come back to life is forgotten, and counts as no boot."""
        saved = None if self._host.saved is None else self._host.saved.opened()
        if saved is not None and self._host.saved is not None:
            with saved:
                done = self._boot(left, saved)
            if self.boots[-1].ready is not None:
                return done
            self._host.saved.forget()
            self.boots.pop()
        return self._boot(left)

    def outcomes(self) -> tuple[JobOutcome, ...]:
        """An outcome for every job, in order."""
        return tuple(self._done.get(numbered.id) or self._not_run(numbered) for numbered in self._jobs)

    def _not_run(self, numbered: Numbered) -> JobOutcome:
        hung = f"{self._patience.hangs} before it hung, one after another" if numbered.group in self._hopeless else ""
        why = hung or self._stopped or "not run"
        return JobOutcome(numbered.job, numbered.group, Ending.NOT_RUN, 0, 0.0, None, why)

    def _boot(self, left: Sequence[Numbered], saved: IO[bytes] | None = None) -> tuple[Recorder, session.Ended]:
        console = session.Console()
        recorder = Recorder(
            jobs={numbered.id: numbered for numbered in left},
            outputs=self._host.out,
            console_position=console.position,
            on_event=self._watcher,
        )
        path = self._host.out / f"console-{len(self.boots) + 1}.log"
        try:
            ended = self._session(left, console, recorder, saved)
            traces = tuple(
                replace(trace, offset=console.came_at(trace.offset)) for trace in find_traces(console.text())
            )
            sentence = _sentence(ended, traces, recorder)
            if not self._is_to_run_again(recorder, ended):
                ending = _ending(ended, traces)
                recorder.cut_off(ending, sentence, ended.seconds - (recorder.last_start or 0.0))
        finally:
            recorder.close()
            atomic.write_bytes(path, console.text())
        for number, outcome in recorder.outcomes.items():
            span = recorder.console_spans.get(number)
            within = traces_within(traces, span) if span is not None else ()
            self._done[number] = replace(outcome, traces=within)
        self.boots.append(
            Boot(
                ready=recorder.ready,
                first_job=recorder.first_job,
                seconds=ended.seconds,
                release=recorder.release,
                cpu=recorder.cpu,
                console=path,
                ended=sentence,
                traces=traces,
                modules=tuple(recorder.modules),
                saved=saved is not None,
            )
        )
        return recorder, ended

    def _is_to_run_again(self, recorder: Recorder, ended: session.Ended) -> bool:
        """Whether a job that ran when QEMU itself died gets another chance: the guest did not end it."""
        running = recorder.running()
        if running is None or ended.how is not How.QEMU:
            return False
        self._deaths[running.id] += 1
        return self._deaths[running.id] < self._patience.deaths

    def _session(
        self, left: Sequence[Numbered], console: session.Console, recorder: Recorder, saved: IO[bytes] | None
    ) -> session.Ended:
        first_word = self._patience.boot if saved is None else min(_REVIVAL_SECONDS, self._patience.boot)
        total = first_word + sum(numbered.job.timeout + 30 for numbered in left)
        deadlines = session.Deadlines(first_word, self._patience.silence, total)
        message = wire.message([*self._host.files, *_program(self._work, left)])

        def command(wires: qemu.Wires) -> tuple[str, ...]:
            host = self._host
            return qemu.command_line(
                host.emulator, host.machine, self._work.kernel, host.base, wires, extra=host.seccomp
            )

        with self._to_save(saved) as save:
            try:
                ended = session.boot(
                    command,
                    session.Task(message, saved, None if save is None else save.file),
                    deadlines,
                    console,
                    recorder.take,
                )
            except FileNotFoundError as error:
                raise MachineError(
                    f"program {error.filename!r} is not installed", todo="run `kpt doctor --install`"
                ) from error
            if ended.saved and save is not None and self._host.saved is not None:
                self._host.saved.keep(save)
        return ended

    def _to_save(self, saved: IO[bytes] | None) -> AbstractContextManager[SavedFile | None]:
        """A file for the machine, where it is to be saved and was not gone on from one that is."""
        if self._host.saved is None or saved is not None:
            return nullcontext()
        return self._host.saved.begun()


def _module_entries(work: GuestWork) -> list[Entry]:
    paths = {module.path for group in work.groups for module in group.modules}
    return [Entry(_module_path(path), source=path) for path in sorted(paths)]


def _module_path(path: Path) -> str:
    return f"{MODULES}/{path.name}"


def _program(work: GuestWork, left: Sequence[Numbered]) -> list[Step]:
    steps = []
    for index, group in enumerate(work.groups):
        jobs = [numbered for numbered in left if numbered.group == index]
        if not jobs:
            continue
        steps.append(Step("G"))
        for module in group.modules:
            steps.append(Step("M", (_module_path(module.path), module.name, module.parameters, module.vendor)))
        for numbered in jobs:
            job = numbered.job
            head = (str(numbered.id), str(round(job.timeout * 1000)), str(job.limit), str(len(job.checks)))
            steps.append(Step("R", (*head, *job.checks, *job.argv)))
    return [*steps, Step("G")]  # what goes wrong when the last modules are unloaded is on the console, too


def _ending(ended: session.Ended, traces: Sequence[Trace]) -> Ending:
    if any(trace.kind in FATAL for trace in traces):
        return Ending.PANIC
    if ended.how in (How.SILENT, How.LATE, How.STUCK):
        return Ending.HANG
    return Ending.DIED if ended.how is How.QEMU else Ending.LOST


def _sentence(ended: session.Ended, traces: Sequence[Trace], recorder: Recorder) -> str:
    fatal = next((trace for trace in traces if trace.fatal), None)
    if fatal is not None and ended.how is not How.DONE:
        return f"the guest's kernel died: {fatal.headline}"
    if recorder.refusal is not None:
        return recorder.refusal.why
    if ended.how is How.SILENT and recorder.ready is None:
        return f"the guest did not boot within {ended.seconds:.0f} s"
    if ended.how is How.QEMU:
        said = f": {ended.qemu_said}" if ended.qemu_said else ""
        return f"{How.QEMU.value} (status {ended.qemu_status}){said}"
    return ended.how.value
