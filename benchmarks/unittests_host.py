"""The same tests outside of a guest: on this machine's QEMU, as upstream's own run_tests.sh runs them.

Plan, command line and verdict are those of a test in the guest (kpatch_tool.suites.jobs); only the way there differs.
What runs is this machine's kernel, or none at all under TCG: it says nothing about a series.
"""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from pathlib import Path

from kpatch_tool.suites import jobs
from kpatch_tool.suites.model import CaseResult
from kpatch_tool.system import atomic, process
from kpatch_tool.vm import qemu
from kpatch_tool.vm.model import Ending, Job, JobOutcome
from kpatch_tool.vm.record import ERRORS_LIMIT
from kpatch_tool.vm.wire import NOW


@dataclass(frozen=True, slots=True)
class Host:
    """A QEMU, its accelerator ("tcg" or "kvm") and a directory for what the tests print, which is made."""

    qemu: Path
    accel: str
    out: Path

    def place(self) -> jobs.Place:
        """Where the tests of a plan run. Raises MachineError when the directory cannot be written."""
        path = self.out / "environment"
        text = jobs.environment(self.accel, qemu.version(self.qemu), _kernel())
        atomic.write_bytes(path, text)
        return jobs.Place(str(self.qemu), self.accel, str(path), None)

    def run(self, row: jobs.Planned) -> tuple[CaseResult, ...]:
        """Run a test of a plan made for `place()`; its verdict, then its cases."""
        if row.job is None:
            return jobs.results(row, None)
        outcome = self._run(row.job)
        silent = outcome.output is not None and outcome.output.stat().st_size == len(outcome.errors)
        # The probe's own check asks the guest's init what was just asked of the file.
        probed = self._run(row.probe, checked=False) if silent and row.probe is not None else None
        return jobs.results(row, outcome, probed)

    def _run(self, job: Job, *, checked: bool = True) -> JobOutcome:
        unmet = next((check for check in job.checks if not _holds(check)), None) if checked else None
        if unmet is not None:
            file, _, wanted = unmet.partition("=")
            return JobOutcome(job, 0, Ending.CHECK, 0, 0.0, None, f"{file} not equal to {wanted}")
        now = str(int(time.time()))
        argv = (argument.replace(NOW, now) for argument in job.argv)
        done = process.run((*qemu.DIES_WITH_KPT, *argv), cwd=self.out, timeout=job.timeout)
        errors = done.stderr[:ERRORS_LIMIT]
        path = self.out / f"{re.sub(r'[^A-Za-z0-9._+-]+', '_', job.name)[:80]}.txt"
        atomic.write_bytes(path, done.stdout[: job.limit] + errors)
        ending = Ending.TIMEOUT if done.timed_out else Ending.SIGNAL if done.status < 0 else Ending.EXIT
        return JobOutcome(job, 0, ending, abs(done.status), done.seconds, path, ending.value, errors=errors)


def _holds(check: str) -> bool:
    """Whether "PATH=VALUE" is true here; newlines at the end do not count."""
    path, _, wanted = check.partition("=")
    try:
        return Path(path).read_text("utf-8", "surrogateescape").rstrip("\n") == wanted
    except OSError:
        return False


def _kernel() -> str:
    return Path("/proc/sys/kernel/osrelease").read_text("ascii", "replace").strip()
