"""Testing one state: its suites as one run of the guest, the results case by case."""

from __future__ import annotations

import fnmatch
import hashlib
import json
import math
import shutil
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from kpatch_tool.errors import InputError, MachineError
from kpatch_tool.kbuild import arch as archs
from kpatch_tool.kbuild.artifacts import image_path
from kpatch_tool.kbuild.model import StateBuild
from kpatch_tool.progress import Progress, silent
from kpatch_tool.storage.contents import Contents
from kpatch_tool.suites import catalogue, jobs, selftests, unittests_cfg, variants
from kpatch_tool.suites.catalogue import Suite, SuiteKind
from kpatch_tool.suites.jobs import Plan
from kpatch_tool.suites.model import StateTests, Test
from kpatch_tool.suites.share import PROBE, TEST, Key, Share
from kpatch_tool.system import atomic, lock
from kpatch_tool.text import printable, state_name
from kpatch_tool.tree.model import State, Tree
from kpatch_tool.vm import accel, host, qemu
from kpatch_tool.vm.guest import PATIENCE, Patience, run_guest
from kpatch_tool.vm.model import (
    Ending,
    GuestStatus,
    GuestWork,
    Job,
    JobGroup,
    JobOutcome,
    ModuleLoad,
)
from kpatch_tool.workspace import Workspace

GUEST_CPUS = 2
GUEST_MEMORY = 2048  # MiB
_LOCK_SECONDS = 5.0
_NESTED_SECONDS = 20.0  # of the trial of KVM, for what takes one where it works
_KEPT_RUNS = 1000  # most of their contents are kept once (kpatch_tool.storage.contents)
# Part of what results depend on: raised when the guest or the reading of outputs changes in a way that can change them.
FORMAT = 14


@dataclass(frozen=True, slots=True)
class Subject:
    """A state that was built, and where."""

    workspace: Workspace
    tree: Tree
    state: State
    build: StateBuild
    arch: str = "x86_64"

    @property
    def image(self) -> Path:
        """The kernel image. Raises InputError when the state was not built."""
        if self.build.artifacts is None:
            raise InputError("was not built", where=f"patch {self.build.patch}", todo=self.build.why)
        return image_path(self.build.artifacts, archs.load(self.arch).image)


@dataclass(frozen=True, slots=True)
class Options:
    """What to run and how. `tests` are globs on names of tests (none: all); `variants` names of variants (none: each
    suite's own); `timeout` in seconds replaces every test's own; `accel` is "kvm", "tcg" or None. `touched` are the
    tree's selftests that run besides the usual ones, because the series changes them."""

    tests: tuple[str, ...] = ()
    variants: tuple[str, ...] = ()
    timeout: float | None = None
    accel: str | None = None
    nodefault: bool = False
    touched: tuple[str, ...] = ()

    def by_name(self) -> Options:
        """The same where `tests` may also be named as results call them: "dirty@shadow" is dirty in that variant. With
        a test that names none beside it, and with `variants`, those that are named run in all the others' ways, too."""
        names = [test.partition("@") for test in self.tests]
        ways = [way for _, _, way in names if way]
        all_named = len(ways) == len(names)
        variants = (*self.variants, *ways) if self.variants or all_named else ()
        return replace(self, tests=tuple(test for test, _, _ in names), variants=tuple(dict.fromkeys(variants)))


def choose_accel(subject: Subject, options: Options) -> accel.Choice:
    """The acceleration for this machine; the trial boots the kernel of `subject` once."""

    def prove(machine: qemu.Machine) -> accel.Trial:
        return _prove_nesting(subject, machine)

    return accel.choose(subject.workspace.cache, qemu.find(), options.accel, prove)


def plan_suite(subject: Subject, suite: str, options: Options, progress: Progress = silent) -> Plan:
    """What running `suite` on a state means. Raises InputError for an unknown suite or variant."""
    found = catalogue.get(subject.workspace, suite, progress)
    ways = variants.of_suite(suite, options.variants)
    tests, problems, version = _tests(subject, found, options, progress)
    # Selftests were selected before they were built (by their path, too).
    mine = suite == catalogue.SELFTESTS
    chosen = tests if mine else tuple(test for test in tests if _selected(test.name, options.tests))
    rows = jobs.plan(found.name, found.kind, chosen, ways, options.timeout)
    parts = [FORMAT, suite, version, [_identity(row) for row in rows]]
    return Plan(suite, rows, hashlib.sha256(json.dumps(parts).encode()).hexdigest(), problems, version)


def tests_key(subject: Subject, plan: Plan, choice: accel.Choice) -> str:
    """What the results of a suite on a state depend on, as one sha256: the bytes of kernel image and modules, the
    suite's programs and selection, the accelerator and QEMU's version; with KVM this machine's CPU and kernel, too."""
    parts = [fingerprint(subject, plan), choice.accel, choice.qemu_version]
    if choice.accel == "kvm":
        parts.append(host.identity())
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def fingerprint(subject: Subject, plan: Plan) -> str:
    """Equal for two states exactly when the suite runs the same programs on the same kernel and modules."""
    digest = hashlib.sha256(plan.digest.encode())
    digest.update(subject.image.read_bytes())
    for module in subject.build.modules:
        digest.update(f"{module.path} {module.sha256}\n".encode())
    return digest.hexdigest()


def test_state(
    subject: Subject,
    plans: Sequence[Plan],
    choice: accel.Choice,
    *,
    progress: Progress = silent,
    patience: Patience = PATIENCE,
    boots: bool = False,
) -> tuple[StateTests, ...]:
    """Boot the build of a state, run all `plans` in that one boot, and return what each suite said, in order.

    `boots`: go on from no saved machine. Outputs lie below .kpt/logs/test/. Raises MachineError when QEMU, a file or
    disk space is missing, or another kpt tests the very same.
    """
    workspace, build = subject.workspace, subject.build
    rows = [row for plan in plans for row in plan.rows]
    groups, order = _groups(build, rows, choice)
    if not order:
        return tuple(Share(build, plan, {}).tests() for plan in plans)
    identity = hashlib.sha256("\0".join(tests_key(subject, plan, choice) for plan in plans).encode())
    out = workspace.logs / "test" / f"patch-{build.patch}-{identity.hexdigest()[:12]}"
    work = GuestWork(
        kernel=subject.image,
        groups=groups,
        files=jobs.entries(rows, choice.qemu_version),
        programs=jobs.programs(rows),
        qemu=qemu.find() if any(_wants_qemu(row) for row in rows) else None,
    )
    watcher = _Watcher(build.patch, frozenset(job for key, job in order if key[2] == TEST), progress)
    with lock.held(workspace.lock(f"test-{out.name}"), wait_seconds=_LOCK_SECONDS):
        with atomic.machine_errors(out):
            shutil.rmtree(out, ignore_errors=True)
            out.mkdir(parents=True)
        lock.pin(out)
        _forget_old(out)
        machine = choice.machine(smp=GUEST_CPUS, memory=GUEST_MEMORY)
        # A boot is quick with KVM, and a CPU that is the host's is not to be trusted over QEMU's and kernels' versions.
        run = run_guest(
            work,
            machine,
            out=out,
            cache=workspace.cache,
            patience=patience,
            watcher=watcher,
            save=choice.accel == "tcg" and not boots,
        )
        contents = Contents.of(workspace)
        with suppress(MachineError):  # the disk is full: what was found out is not to be lost for it
            for path in out.iterdir():
                contents.share(path)
    outcomes = {key: outcome for (key, _), outcome in zip(order, run.outcomes, strict=True)}
    return tuple(Share(build, plan, outcomes, run, choice, first=plan is plans[0]).tests() for plan in plans)


def _wants_qemu(row: jobs.Planned) -> bool:
    return row.kind is SuiteKind.UNIT_TESTS and row.job is not None and row.test.monitor is None


def _forget_old(newest: Path) -> None:
    """Remove the outputs of the oldest runs. Results that are kept do without their outputs then."""
    runs = sorted(newest.parent.iterdir(), key=_changed, reverse=True)
    for old in runs[_KEPT_RUNS:]:
        with lock.held_unless_pinned(old) as free:
            if free:
                shutil.rmtree(old, ignore_errors=True)


def _changed(path: Path) -> float:
    """When it was changed, in seconds since 1970; infinite for what another guest makes anew this moment."""
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return math.inf


def _groups(
    build: StateBuild, rows: Sequence[jobs.Planned], choice: accel.Choice
) -> tuple[tuple[JobGroup, ...], list[tuple[Key, Job]]]:
    """One group for each suite and variant (its modules are loaded once), and the jobs in the order they run."""
    groups, order = [], []
    for both in dict.fromkeys((row.suite, row.variant.name) for row in rows):
        mine = [row for row in rows if (row.suite, row.variant.name) == both and row.job is not None]
        if not mine:
            continue
        loads = modules(build, mine[0].variant.parameters)
        todo = [(key, job) for row in mine for key, job in _jobs(row, choice)]
        groups.append(JobGroup(loads, tuple(job for _, job in todo)))
        order += todo
    return tuple(groups), order


def _jobs(row: jobs.Planned, choice: accel.Choice) -> list[tuple[Key, Job]]:
    """A test's job and, behind it, its probe."""
    emulated = choice.accel == "tcg" and not row.fixed
    both = ((TEST, row.job), (PROBE, row.probe))
    return [
        ((row.suite, row.name, what), jobs.emulated(job) if emulated else job) for what, job in both if job is not None
    ]


def modules(build: StateBuild, parameters: Mapping[str, str]) -> tuple[ModuleLoad, ...]:
    """The modules of a build in the order to load them, which is that of the build."""
    assert build.artifacts is not None
    loads = []
    for module in build.modules:
        name = Path(module.path).stem.replace("-", "_")
        path = build.artifacts / module.path
        loads.append(ModuleLoad(path, name, parameters.get(name, ""), host.VENDORS.get(name, "")))
    return tuple(loads)


def _tests(
    subject: Subject, suite: Suite, options: Options, progress: Progress
) -> tuple[tuple[Test, ...], tuple[str, ...], str]:
    """The tests of a suite, problems of its description, and what changes when the programs do."""
    if suite.kind is SuiteKind.SELFTESTS:
        built = selftests.build_selftests(
            subject.workspace,
            subject.tree,
            subject.state,
            subject.arch,
            patterns=options.tests,
            touched=options.touched,
            progress=progress,
        )
        return built.tests, ((built.why,) if built.why else ()), _version_of_programs(built.tests)
    assert suite.directory is not None
    config = catalogue.config_of(suite)
    here = unittests_cfg.Here(suite.name, suite.directory, GUEST_CPUS, options.nodefault, arch=suite.arch)
    found = unittests_cfg.tests_of(config, here)
    return tuple(replace(test, monitor=suite.monitor) for test in found), config.problems, suite.version


def _version_of_programs(tests: Sequence[Test]) -> str:
    digest = hashlib.sha256()
    for test in tests:
        content = test.path.read_bytes() if test.path is not None else b""
        head = f"{test.name} {len(content)} {test.args} {test.why_not_built}\n"
        digest.update(head.encode("utf-8", "replace") + content)
    return digest.hexdigest()


def _identity(row: jobs.Planned) -> list[object]:
    """What of a test can change its answer. Its arguments are in the suite's version."""
    time = [row.job.timeout if row.job is not None else 0, row.fixed]
    return [row.name, *time, row.test.why_skip, row.test.why_not_built, sorted(row.variant.parameters.items())]


def _selected(name: str, globs: Sequence[str]) -> bool:
    return not globs or any(fnmatch.fnmatchcase(name, glob) for glob in globs)


class _Watcher:
    """Tells progress which test runs."""

    def __init__(self, patch: int, tests: frozenset[Job], progress: Progress) -> None:
        self._state = state_name(patch)
        self._tests, self._progress = tests, progress
        self._done = 0
        progress(f"booting {self._state}", 0, len(tests))

    def __call__(self, job: Job, outcome: JobOutcome | None) -> None:
        if job not in self._tests:
            return
        if outcome is not None:
            self._done += 1
        self._progress(f"testing {self._state}: {printable(job.name)}", self._done, len(self._tests))


def _prove_nesting(subject: Subject, machine: qemu.Machine) -> accel.Trial:
    """Run the trial image inside a guest of `machine`. Raises MachineError where that cannot be tried."""
    from kpatch_tool.vm.cpio import Entry
    from kpatch_tool.vm.root import GUEST_QEMU

    image = "/kpt/trial"
    inner = qemu.Machine("kvm", "host")
    job = Job("trial", (GUEST_QEMU, *qemu.accelerator(inner), *accel.trial_arguments(image)), _NESTED_SECONDS)
    work = GuestWork(
        subject.image,
        (JobGroup(modules(subject.build, {}), (job,)),),
        (Entry(image, data=accel.trial_image()),),
        qemu=qemu.find(),
    )
    out = subject.workspace.logs / "accel-trial"
    patience = Patience(boot=30.0, silence=_NESTED_SECONDS, boots=1)
    run = run_guest(work, replace(machine, memory=1024), out=out, cache=subject.workspace.cache, patience=patience)
    outcome = run.outcomes[0]
    if outcome.ending is Ending.EXIT and accel.proven(outcome.value):
        return accel.Trial(True)
    why = outcome.why if run.status is GuestStatus.OK else run.why
    return accel.Trial(False, why, late=run.seconds >= _NESTED_SECONDS)
