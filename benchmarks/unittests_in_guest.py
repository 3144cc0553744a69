"""Whether kpt's verdicts on kvm-unit-tests are upstream's inside a guest, where the kernel under test runs them.

    python -m benchmarks.unittests_in_guest --kvm-unit-tests DIR --tree TREE [--series SERIES] [NAME...]

DIR is a checkout in which `./configure && make` was run, TREE a kernel tree of this workspace, whose base, or with
--series the state with all patches of a series that was applied to it, is built and booted. For each entry of
x86/unittests.cfg upstream's ./run_tests.sh runs in that guest, with a shell and what else its scripts call, ACCEL=kvm
and the timeout; then kpt's plan and verdict, as `kpt test` has them. They agree as in benchmarks.unittests_verdicts.
The status is 1 where an entry differs in each of its runs (`--runs`).
"""

from __future__ import annotations

import argparse
import fnmatch
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.unittests_verdicts import Said, agree, config_of, said_of, show
from kpatch_tool.kbuild.build import build_state
from kpatch_tool.kbuild.model import BuildStatus
from kpatch_tool.suites import catalogue, jobs, run, unittests_cfg, variants
from kpatch_tool.suites.catalogue import SuiteKind
from kpatch_tool.suites.jobs import Plan
from kpatch_tool.suites.model import CaseResult
from kpatch_tool.suites.run import GUEST_CPUS, GUEST_MEMORY, Options, Subject
from kpatch_tool.tree.applied import base_state, load_applied
from kpatch_tool.tree.catalogue import Catalogue
from kpatch_tool.vm import qemu
from kpatch_tool.vm.accel import Choice
from kpatch_tool.vm.cpio import Entry
from kpatch_tool.vm.guest import run_guest
from kpatch_tool.vm.model import GuestWork, Job, JobGroup, JobOutcome
from kpatch_tool.vm.root import GUEST_QEMU, Program
from kpatch_tool.workspace import find

_SUITE = "upstream"
_SCRIPT = "/kpt/one.sh"
_MARK = b"\n===== log\n"
_SLACK = 180.0  # seconds upstream's scripts may take besides the test: they start QEMU a dozen times
_TOOLS = (
    *("bash", "cat", "cut", "date", "dirname", "env", "getconf", "getopt", "grep", "head", "ln", "ls", "mkdir"),
    *("mktemp", "mv", "rm", "sed", "sleep", "sort", "tail", "tee", "timeout", "tr", "uname", "uniq", "wc"),
)
_ONE = f"""\
#!/bin/bash
export PATH=/bin:/usr/bin HOME=/tmp LC_ALL=C ACCEL=kvm QEMU={GUEST_QEMU} TIMEOUT=$2 MAX_SMP={GUEST_CPUS}
export unittest_log_dir=/tmp/logs
ln -s /proc/self/fd /dev/fd 2>/dev/null && ln -s fd/1 /dev/stdout && ln -s fd/2 /dev/stderr
cd "$3" && ./run_tests.sh "$1" </dev/null
printf '\\n===== log\\n'
cat "/tmp/logs/$1.log"
"""


@dataclass(frozen=True, slots=True)
class Guest:
    """A built state, the accelerator of its guest, a checkout of kvm-unit-tests, the timeout in seconds."""

    subject: Subject
    choice: Choice
    checkout: Path
    timeout: float
    scratch: Path

    def upstream(self, names: Sequence[str]) -> Mapping[str, Said]:
        """What ./run_tests.sh says of the entries."""
        seconds = f"{self.timeout:g}s"
        todo = tuple(
            Job(name, ("/bin/bash", _SCRIPT, name, seconds, str(self.checkout)), self.timeout + _SLACK)
            for name in names
        )
        work = GuestWork(
            self.subject.image,
            (JobGroup(run.modules(self.subject.build, {}), todo),),
            files=tuple(_files(self.checkout)),
            programs=(
                *(Program(_tool(name), f"/bin/{name}") for name in _TOOLS),
                Program(_tool("env"), "/usr/bin/env"),
            ),
            qemu=qemu.find(),
        )
        machine = self.choice.machine(smp=GUEST_CPUS, memory=GUEST_MEMORY)
        done = run_guest(work, machine, out=self.scratch, cache=self.subject.workspace.cache)
        return {outcome.job.name: _said(outcome) for outcome in done.outcomes}

    def kpt(self, rows: Sequence[jobs.Planned]) -> Mapping[str, list[CaseResult]]:
        """kpt's results, the verdict of each entry first."""
        (tests,) = run.test_state(self.subject, [Plan(_SUITE, tuple(rows), "compared")], self.choice)
        found: dict[str, list[CaseResult]] = {}
        for result in tests.results:
            found.setdefault(result.test, []).append(result)
        return found


def _said(outcome: JobOutcome) -> Said:
    text = outcome.output.read_bytes() if outcome.output is not None else b""
    printed, mark, log = text.partition(_MARK)
    return said_of(outcome.job.name, printed, log, outcome.seconds) if mark else Said("?", outcome.why, outcome.seconds)


def _files(checkout: Path) -> Iterator[Entry]:
    config = (checkout / "config.mak").read_text("utf-8").replace("PRETTY_PRINT_STACKS=yes", "PRETTY_PRINT_STACKS=no")
    # At the same path as here, since config.mak names it.
    yield Entry(f"{checkout}/config.mak", data=config.encode())
    yield Entry(f"{checkout}/build-head", data=b"\n")
    yield Entry(_SCRIPT, data=_ONE.encode())
    paths = ("run_tests.sh", "errata.txt", "x86/run", "x86/unittests.cfg")
    every = [*(checkout / path for path in paths), *checkout.glob("scripts/**/*"), *checkout.glob("x86/*.flat")]
    for path in every:
        if path.is_file():
            mode = 0o755 if os.access(path, os.X_OK) else 0o644
            yield Entry(str(path), mode, source=path)


def _tool(name: str) -> Path:
    found = shutil.which(name)
    if found is None:
        sys.exit(f"{name} is not installed")
    return Path(found).resolve()


def main() -> None:
    options = _arguments()
    checkout = options.kvm_unit_tests.resolve()
    config = config_of(checkout)
    workspace = find(Path.cwd())
    tree = Catalogue(workspace).resolve(options.tree)
    applied = load_applied(workspace, options.series, tree=tree.name) if options.series else None
    state = base_state(tree) if applied is None else applied.head
    build = build_state(workspace, tree, state, "x86_64")
    if build.status is not BuildStatus.OK:
        sys.exit(f"{tree.name}: {build.why}")
    subject = Subject(workspace, tree, state, build)
    here = unittests_cfg.Here(_SUITE, checkout / "x86", GUEST_CPUS, arch=catalogue.built_for(checkout))
    tests = unittests_cfg.tests_of(config, here)
    chosen = [test for test in tests if not options.names or any(fnmatch.fnmatch(test.name, n) for n in options.names)]
    rows = jobs.plan(_SUITE, SuiteKind.UNIT_TESTS, chosen, [variants.known()[variants.DEFAULT]], options.timeout)
    with tempfile.TemporaryDirectory(prefix="kpt-verdicts-") as scratch:
        choice = run.choose_accel(subject, Options(accel=options.accel))
        guest = Guest(subject, choice, checkout, options.timeout, Path(scratch))
        left = list(rows)
        for _ in range(options.runs):
            left = _compare(guest, left) if left else []
    what = tree.name if applied is None else f"{applied.series} on {tree.name}"
    sys.stdout.write(f"{len(rows)} entries, {len(rows) - len(left)} agree ({what}, {choice.accel})\n")
    if left:
        sys.exit(f"different: {', '.join(row.name for row in left)}")


def _compare(guest: Guest, rows: Sequence[jobs.Planned]) -> list[jobs.Planned]:
    """Run entries on both sides, print a line for each, and return those that differ."""
    upstream, mine = guest.upstream([row.name for row in rows]), guest.kpt(rows)
    differing = []
    for row in rows:
        whole, *cases = mine[row.name]
        same = agree(upstream[row.name], whole, len(cases))
        show(row.name, upstream[row.name], whole, len(cases), same)
        differing += [] if same else [row]
    return differing


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kvm-unit-tests", type=Path, required=True, metavar="DIR")
    parser.add_argument("--tree", help="a kernel tree; the only one where left out")
    parser.add_argument("--series", help="a series that was applied to the tree: its last state instead of the base")
    parser.add_argument("--accel", choices=("tcg", "kvm"), help="of the guest, instead of what a trial says")
    parser.add_argument("--timeout", type=float, default=20.0, help="seconds for every entry, on both sides (20)")
    parser.add_argument("--runs", type=int, default=3, help="of both sides, as long as they differ (3)")
    parser.add_argument("names", nargs="*", metavar="NAME", help="entries, or globs on their names")
    return parser.parse_args()


if __name__ == "__main__":
    main()
