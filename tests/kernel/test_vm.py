"""Real boots: what a guest does with jobs that behave and jobs that do not."""

from __future__ import annotations

import dataclasses
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from kpatch_tool.errors import MachineError
from kpatch_tool.suites import run
from kpatch_tool.suites.model import Verdict
from kpatch_tool.suites.run import Options, Subject
from kpatch_tool.system.limits import descendants
from kpatch_tool.vm import qemu
from kpatch_tool.vm.accel import Choice
from kpatch_tool.vm.cpio import Entry
from kpatch_tool.vm.guest import PATIENCE, Patience, Watcher, run_guest
from kpatch_tool.vm.model import Ending, GuestRun, GuestStatus, GuestWork, Job, JobGroup, JobOutcome, ModuleLoad
from kpatch_tool.vm.qemu import Machine
from kpatch_tool.vm.root import Program
from kpatch_tool.vm.wire import NOW
from kpatch_tool.workspace import Workspace
from tests.vm_fixtures import built, misbehave

__all__ = ["built", "misbehave"]

# The first test may have to build the kernel.
pytestmark = [pytest.mark.kernel, pytest.mark.timeout(2400)]

TCG = Machine("tcg", "EPYC", 1024, 2)
HERE = "/kpt/misbehave"


def job(how: str, timeout: float = 30.0, limit: int = 1 << 20, checks: tuple[str, ...] = ()) -> Job:
    return Job(how, (HERE, how), timeout, checks, limit)


@pytest.fixture
def boot(built: Subject, misbehave: Path, tmp_path: Path, cache: Path) -> Callable[..., GuestRun]:
    """Boots the kernel with jobs (no modules)."""

    def start(*jobs: Job, patience: Patience = PATIENCE, watcher: Watcher = lambda *_: None) -> GuestRun:
        work = GuestWork(built.image, (JobGroup((), jobs),), programs=(Program(misbehave, HERE),))
        return run_guest(work, TCG, out=tmp_path / "out", cache=cache, patience=patience, watcher=watcher)

    return start


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


def endings(done: GuestRun) -> list[tuple[str, Ending, int]]:
    return [(outcome.job.name, outcome.ending, outcome.value) for outcome in done.outcomes]


def test_jobs_end_in_every_way_and_the_next_one_runs(boot: Callable[..., GuestRun]) -> None:
    done = boot(
        job("plain"),
        job("signal"),
        job("leave"),
        job("hang", timeout=2),
        job("flood", timeout=1, limit=100_000),
        job("checked", checks=("/proc/sys/kernel/ostype=Linux",)),
        job("refused", checks=("/proc/sys/kernel/ostype=Minix",)),
        Job("absent", ("/no/such/program",), 5.0),
        Job("dated", (HERE, f"{NOW} or {NOW}"), 30.0),
    )
    assert done.status is GuestStatus.OK, done.why
    assert len(done.boots) == 1
    assert endings(done) == [
        ("plain", Ending.EXIT, 3),
        ("signal", Ending.SIGNAL, 6),
        ("leave", Ending.EXIT, 7),
        ("hang", Ending.TIMEOUT, 0),
        ("flood", Ending.TIMEOUT, 0),
        ("checked", Ending.EXIT, 3),
        ("refused", Ending.CHECK, 0),
        ("absent", Ending.EXIT, 127),
        ("dated", Ending.EXIT, 3),
    ]
    plain, _, _, hang, flood, *_, dated = done.outcomes
    assert plain.output is not None
    assert plain.output.read_bytes() == b"going to plain\n"
    assert 2 <= hang.seconds < 10
    assert flood.output is not None
    assert flood.output.stat().st_size == 100_000
    assert flood.dropped > 0
    assert dated.output is not None
    said = re.fullmatch(rb"going to (\d+) or (\d+)\n", dated.output.read_bytes())
    assert said is not None and abs(int(said[1]) - time.time()) < 100
    assert said[1] == said[2] or int(said[1]) + 1 == int(said[2])
    assert done.traces == ()
    assert done.boots[0].release.startswith("6.1")
    assert done.boots[0].cpu == "amd"


def test_no_job_runs_on_the_first_processor_of_an_emulated_machine(
    built: Subject, misbehave: Path, tmp_path: Path, cache: Path
) -> None:
    """There TCG forgets that a guest has nested paging, in one run of some forty: it ends by a triple fault."""
    work = GuestWork(built.image, (JobGroup((), (job("where"),)),), programs=(Program(misbehave, HERE),))
    done = run_guest(work, Choice("tcg", "", "").machine(smp=2, memory=1024), out=tmp_path / "out", cache=cache)
    output = done.outcomes[0].output
    assert output is not None
    assert output.read_text() == "going to where\n1 2 of 3\n"


def test_a_panic_costs_one_job(boot: Callable[..., GuestRun]) -> None:
    done = boot(job("before"), job("panic"), job("after"))
    assert [ending for _, ending, _ in endings(done)] == [Ending.EXIT, Ending.PANIC, Ending.EXIT]
    assert len(done.boots) == 2
    before, panicked, after = done.outcomes
    assert (before.traces, after.traces) == ((), ())
    assert panicked.traces[0].title.startswith("Kernel panic - not syncing: Attempted to kill init!")
    assert done.traces[0].fatal and "Call Trace:" in done.traces[0].text
    assert "Attempted to kill init" in panicked.why
    assert b"Attempted to kill init" in done.boots[0].console.read_bytes()


def test_boots_are_bounded(boot: Callable[..., GuestRun]) -> None:
    done = boot(job("reboot"), job("power-off"), job("plain"), patience=Patience(boots=2))
    assert [ending for _, ending, _ in endings(done)] == [Ending.LOST, Ending.LOST, Ending.NOT_RUN]
    assert [boot.ended for boot in done.boots] == [
        "the guest's kernel rebooted",
        "the guest switched itself off",
    ]
    assert "given up after 2 boots" in done.why


def test_a_guest_that_falls_silent_is_killed(boot: Callable[..., GuestRun]) -> None:
    def stop(job: Job, outcome: JobOutcome | None) -> None:
        if job.name == "hang" and outcome is None:
            for child in descendants(os.getpid()):  # the room it is in, and QEMU
                os.kill(child.pid, signal.SIGSTOP)

    done = boot(job("hang", timeout=60), job("plain"), patience=Patience(silence=6), watcher=stop)
    assert [ending for _, ending, _ in endings(done)] == [Ending.HANG, Ending.EXIT]
    assert done.outcomes[0].why == "the guest fell silent"
    assert done.seconds < 50
    assert children(os.getpid()) == []


def test_a_qemu_that_dies_costs_a_job_another_run(boot: Callable[..., GuestRun]) -> None:
    deaths = iter(["hang", "lost", "lost", "lost"])
    due = next(deaths)

    def kill(job: Job, outcome: JobOutcome | None) -> None:
        nonlocal due
        if job.name == due and outcome is None:
            due = next(deaths, "")
            for child in children(os.getpid()):
                os.kill(child, signal.SIGKILL)

    lost = Job("lost", (HERE, "hang"), 60.0)  # which runs long enough to be hit every time
    done = boot(job("hang", timeout=2), lost, job("leave"), patience=Patience(boots=2, deaths=3), watcher=kill)
    assert endings(done) == [("hang", Ending.TIMEOUT, 0), ("lost", Ending.DIED, 0), ("leave", Ending.EXIT, 7)]
    assert done.outcomes[1].why == "QEMU ended by itself (status -9)"
    assert len(done.boots) == 5, "which are no boots that the guest cost"


def test_a_machine_is_saved_once_and_gone_on_from(built: Subject, misbehave: Path, tmp_path: Path, cache: Path) -> None:
    def start(*jobs: Job) -> GuestRun:
        work = GuestWork(built.image, (JobGroup((), jobs),), programs=(Program(misbehave, HERE),))
        return run_guest(work, TCG, out=tmp_path / "out", cache=cache, save=True)

    first = start(job("plain"))
    (machine,) = (cache / "machines").iterdir()
    second = start(job("plain"), job("signal"))
    assert [boot.saved for boot in (*first.boots, *second.boots)] == [False, True]
    assert endings(second) == [("plain", Ending.EXIT, 3), ("signal", Ending.SIGNAL, 6)]
    assert second.boots[0].release == first.boots[0].release
    assert (second.boots[0].first_job or 99) < (first.boots[0].first_job or 0)
    panics = start(job("panic"), job("plain"))
    assert [boot.saved for boot in panics.boots] == [True, True]
    assert endings(panics) == [("panic", Ending.PANIC, 0), ("plain", Ending.EXIT, 3)]
    assert panics.outcomes[0].traces
    machine.write_bytes(machine.read_bytes()[:1_000_000])
    broken = start(job("plain"))
    assert endings(broken) == [("plain", Ending.EXIT, 3)]
    assert [boot.saved for boot in broken.boots] == [False]
    assert machine.stat().st_size > 1_000_000, "and it is saved again"


def test_modules_that_do_not_load_are_the_states_fault(built: Subject, tmp_path: Path, cache: Path) -> None:
    broken = tmp_path / "kvm.ko"
    broken.write_bytes(b"no module")
    group = JobGroup((ModuleLoad(broken, "kvm"),), (Job("t", (HERE,), 5.0),))
    done = run_guest(GuestWork(built.image, (group,)), TCG, out=tmp_path / "out", cache=cache)
    assert done.status is GuestStatus.FAILED
    assert "loading kvm: exec format error" in done.why


@pytest.mark.parametrize(
    ("path", "status", "reason"),
    [
        ("/dev/full", GuestStatus.INFRA, "no space left on device"),
        ("/proc/new", GuestStatus.FAILED, "no such file or directory"),
    ],
)
def test_a_file_that_cannot_be_written_ends_it_with_the_reason(
    built: Subject, tmp_path: Path, path: str, status: GuestStatus, reason: str
) -> None:
    work = GuestWork(built.image, (JobGroup((), (job("plain"),)),), files=(Entry(path, data=b"x"),))
    done = run_guest(work, TCG, out=tmp_path / "out", cache=tmp_path / "cache")
    why = f"{path} cannot be written in the guest: {reason}"
    assert (done.status, done.why, len(done.boots)) == (status, why, 1)
    assert [(outcome.ending, outcome.why) for outcome in done.outcomes] == [(Ending.NOT_RUN, why)]


def test_a_kernel_that_cannot_unpack_its_root(built: Subject, tmp_path: Path, cache: Path) -> None:
    work = GuestWork(built.image, (JobGroup((), (job("t"),)),), qemu=qemu.find())
    done = run_guest(work, dataclasses.replace(TCG, memory=96), out=tmp_path / "out", cache=cache)
    assert done.status is GuestStatus.FAILED
    assert [outcome.ending for outcome in done.outcomes] == [Ending.NOT_RUN]
    assert "No working init found" in done.why


def test_an_image_qemu_refuses_is_this_machines_fault(tmp_path: Path, cache: Path) -> None:
    image = tmp_path / "image"
    image.write_bytes(b"")
    done = run_guest(GuestWork(image, (JobGroup((), (job("t"),)),)), TCG, out=tmp_path / "out", cache=cache)
    assert done.status is GuestStatus.INFRA
    assert "QEMU ended by itself" in done.why


def test_no_qemu(built: Subject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MachineError, match="kpt doctor"):
        run_guest(GuestWork(built.image, ()), TCG, out=tmp_path, cache=tmp_path)


def test_qemu_dies_with_kpt(built: Subject, misbehave: Path, tmp_path: Path, cache: Path) -> None:
    script = f"""
import sys
from pathlib import Path
from kpatch_tool.vm.guest import run_guest
from kpatch_tool.vm.model import GuestWork, Job, JobGroup
from kpatch_tool.vm.qemu import Machine
from kpatch_tool.vm.root import Program
work = GuestWork(Path({str(built.image)!r}), (JobGroup((), (Job("h", ("{HERE}", "hang"), 300.0),)),),
                 programs=(Program(Path({str(misbehave)!r}), "{HERE}"),))
run_guest(work, Machine("tcg", "EPYC"), out=Path({str(tmp_path)!r}), cache=Path({str(cache)!r}),
          watcher=lambda job, outcome: print("started", flush=True))
"""
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"started\n"
        guests = children(process.pid)
        assert len(guests) == 1
        process.kill()
    deadline = time.monotonic() + 10
    while any(alive(guest) for guest in guests) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(alive(guest) for guest in guests)


def test_kpts_own_suite_in_one_boot(built: Subject, tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    subject = dataclasses.replace(built, workspace=workspace)
    plan = run.plan_suite(subject, "kpt-guest", Options(tests=("hypercall", "shootdown"), timeout=60))
    choice = Choice("tcg", "any", "asked for")
    (tests,) = run.test_state(subject, [plan], choice)
    assert tests.status == "ok", tests.why
    whole = {result.test: result.verdict for result in tests.results if not result.case}
    names = ["hypercall", "shootdown", "hypercall@shadow", "shootdown@shadow", "kernel log"]
    assert sorted(whole) == sorted(names)
    assert set(whole.values()) == {Verdict.PASS}
    assert "1 boot with tcg" in tests.why
    assert all(path.is_file() for path in tests.outputs.values())
    assert b"SUMMARY" in tests.outputs["shootdown@shadow"].read_bytes()
    assert any(result.case and result.verdict is Verdict.PASS for result in tests.results)
    fewer = run.plan_suite(subject, "kpt-guest", Options(tests=("hypercall",), timeout=60))
    assert run.tests_key(subject, fewer, choice) != run.tests_key(subject, plan, choice)
    assert run.fingerprint(subject, plan) == run.fingerprint(subject, plan)


def children(pid: int) -> list[int]:
    """The QEMUs that a process started."""
    listed = Path(f"/proc/{pid}/task").glob("*/children")
    found = [int(word) for path in listed for word in path.read_text().split()]
    return [child for child in found if b"-initrd" in Path(f"/proc/{child}/cmdline").read_bytes().split(b"\0")]


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
