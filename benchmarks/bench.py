"""make bench: kpt beside its peers, measured in turn in one run, whole processes, medians.

    python -m benchmarks.bench [ROW ...]      # mail, restore, start, apply, build, sandbox, qemu, states

Most rows need the tree debian-6.1 in this workspace (`make demo` brings it); a row that cannot be measured says why,
and is no failure. Ends with status 1 where a goal is not met, or kpt breaks. `python -m benchmarks.mailbox` measures
the index of mail with larger mailboxes. The row `states` (every state of the demo built and tested, beside the plain
way) measures the plain way on two of nine states; `python -m benchmarks.states` does on all.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks import applying, mailbox, restoring, states
from benchmarks.making import make_of, module_goals, plan_of
from benchmarks.measure import KPT, Absent, Row, measured, passed, run, seconds, side_by_side, table
from kpatch_tool import workspace as workspaces
from kpatch_tool.kbuild.artifacts import Artifacts
from kpatch_tool.kbuild.make import environment
from kpatch_tool.suites.run import Options
from kpatch_tool.system import process, sandbox
from kpatch_tool.system.sandbox import guarded
from kpatch_tool.testing.command import Request, test_request
from kpatch_tool.tree.applied import load_applied
from kpatch_tool.tree.catalogue import Catalogue
from kpatch_tool.tree.worktree import worktree_of
from kpatch_tool.vm import qemu
from kpatch_tool.workspace import Workspace

_MESSAGES, _WITH_PEERS = 100_000, 10_000  # what is slow reads fewer: `make bench` is to end in minutes
TREE, SERIES = "debian-6.1", "dirty-log-6.1"
_PLAIN_STATES = 2  # of the nine, for the same reason
_FIRST_TEST = re.compile(r"first test ([\d.]+) s")


def main() -> None:
    workspace = workspaces.find(Path(__file__).parent)
    rows: list[Row | Absent] = []
    with tempfile.TemporaryDirectory(prefix="kpt-bench-", dir=_made(workspace.state)) as scratch:
        places = {name: _made(Path(scratch) / name) for name in ("mail", "restore", "apply")}
        parts: dict[str, tuple[str, Callable[[], Sequence[Row | Absent]]]] = {
            "mail": ("index of mail", lambda: mailbox.rows(places["mail"], _MESSAGES, _WITH_PEERS)),
            "restore": ("restoring a series", lambda: restoring.rows(workspace, places["restore"])),
            "start": ("kpt --help, kpt show", lambda: _starting(workspace, _git_dir(workspace))),
            "apply": ("kpt apply", lambda: applying.rows(_git_dir(workspace), places["apply"])),
            "build": ("next patch, modules rebuilt", lambda: [_next_patch(workspace)]),
            "sandbox": ("make in the sandbox, CPU", lambda: [_shut_in(workspace)]),
            "qemu": ("QEMU's start to the first test", lambda: [_first_test(workspace)]),
            "states": ("every state built and tested", lambda: states.rows(workspace, _PLAIN_STATES)),
        }
        parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
        parser.add_argument("rows", nargs="*", metavar="ROW", help=", ".join(parts))
        asked = parser.parse_args().rows
        if unknown := set(asked) - parts.keys():
            parser.error(f"no such row: {', '.join(sorted(unknown))}")
        for what, measure in (parts[name] for name in asked or parts):
            rows += measured(what, measure)
    sys.stdout.write(table(rows) + "\n")
    sys.exit(0 if passed(rows) else 1)


def _made(directory: Path) -> Path:
    directory.mkdir(parents=True, exist_ok=True)
    return directory


def _git_dir(workspace: Workspace) -> Path:
    """The repository of the tree, with the series applied that the rows use."""
    run(KPT, "apply", SERIES, "--tree", TREE, cwd=workspace.root)
    return Catalogue(workspace).get(TREE).git_dir


def _starting(workspace: Workspace, git_dir: Path) -> list[Row]:
    """kpt's own start, beside another program in Python and beside git showing the same commits."""
    root = workspace.root
    pip = KPT.with_name("pip")
    ours, theirs = side_by_side(5, lambda: seconds(KPT, "--help", cwd=root), lambda: seconds(pip, "--help", cwd=root))
    rows = [Row("kpt --help", ours, "pip --help", theirs, "150 ms", ours <= 0.150)]
    ours, theirs = side_by_side(
        5,
        lambda: seconds(KPT, "show", "tlb-flush-v5", cwd=root),
        lambda: seconds("git", "-C", git_dir, "log", "--stat", f"base..kpt/{SERIES}"),
    )
    return [*rows, Row("kpt show, 5 patches", ours, "git log --stat, 3 commits", theirs, "250 ms", ours <= 0.250)]


def _shut_in(workspace: Workspace) -> Row:
    """Processor time of make and all it starts, kpt's own included, in the sandbox and without.

    bwrap does not wait for what it started, so a shell inside tells the times (`times` of sh(1)).
    """
    if why := sandbox.missing():
        sys.exit(why)
    run(KPT, "build", SERIES, "--tree", TREE, cwd=workspace.root)
    plan = plan_of(workspace, TREE)
    make, goals = make_of(workspace, plan), module_goals(plan)
    # Where it was built before, the checkout stands wherever the last user of the tree left it.
    worktree_of(workspace, plan.tree).move_to(load_applied(workspace, SERIES, tree=TREE).states[-1])
    log = workspace.state / "bench.log"

    timed = ("sh", "-c", '"$@" || exit; times', "sh", *make.argv(goals))
    bare = guarded(sandbox.outside(timed))

    def cost(once: Callable[[], process.Finished]) -> float:
        (make.source / "arch/x86/kvm/mmu/mmu.c").touch()
        before = sum(os.times()[:2])
        if once().status:
            sys.exit(f"make failed, see {log}")
        return sum(os.times()[:2]) - before + _told_times(log.read_text("utf-8", "replace"))

    kpt, alone = side_by_side(
        5,
        lambda: cost(lambda: sandbox.run_logged(timed, log, make.room, cwd=make.source, env=environment())),
        lambda: cost(lambda: process.run_logged(bare, log, cwd=make.source, env=environment())),
    )
    return Row("make in the sandbox, CPU", kpt, "make without", alone, "3 % more at most", kpt <= alone * 1.03)


def _told_times(log: str) -> float:
    """Seconds of processor time in the last two lines of a log, which `times` wrote ("0m1.23s 0m0.10s")."""
    found = re.findall(r"(\d+)m([\d.]+)s", "\n".join(log.splitlines()[-2:]))
    return sum(60 * int(minutes) + float(rest) for minutes, rest in found)


def _next_patch(workspace: Workspace) -> Row:
    """Moving from patch 2 to patch 3 and rebuilding the modules, beside make alone after the same file changed."""
    applied = load_applied(workspace, SERIES, tree=TREE)
    plan = plan_of(workspace, TREE)
    artifacts = Artifacts(workspace)
    make, goals = make_of(workspace, plan), module_goals(plan)

    def build(patch: int) -> float:
        state = applied.state(patch)
        assert state is not None
        shutil.rmtree(artifacts.directory(plan.key(state)), ignore_errors=True)
        return seconds(KPT, "build", SERIES, "--tree", TREE, "--patch", str(patch), cwd=workspace.root)

    def ours() -> float:
        build(2)
        return build(3)

    def theirs() -> float:
        (make.source / "arch/x86/kvm/mmu/mmu.c").touch()
        return seconds(*sandbox.outside(make.argv(goals)), cwd=make.source)

    kpt, alone = side_by_side(3, ours, theirs)
    return Row("next patch, modules rebuilt", kpt, "make alone", alone, "make + 0.5 s", kpt <= alone + 0.5)


def _first_test(workspace: Workspace) -> Row:
    """From QEMU's start to the first test, beside the same kernel started alone until it panics for want of a root."""

    def ours() -> float:
        options = Options(tests=("exits",), variants=("default",), accel="tcg")
        tested = test_request(
            workspace, Request(tree=TREE, base=True, suites=("kpt-guest",), fresh=True, options=options)
        )
        found = _FIRST_TEST.search(tested.states[0].why)
        if found is None:
            sys.exit(f"no test ran: {tested.states[0].why}")
        return float(found[1])

    plan = plan_of(workspace, TREE)
    base = load_applied(workspace, SERIES, tree=TREE).states[0]
    image = Artifacts(workspace).directory(plan.key(base)) / Path(plan.arch.image).name

    def theirs() -> float:
        bare = ("-accel", "tcg,thread=multi", "-cpu", "EPYC", "-smp", "2", "-m", "2048", "-nodefaults", "-no-reboot")
        quiet = ("-display", "none", "-serial", "stdio", "-kernel", image, "-append", "console=ttyS0 panic=-1")
        return seconds(qemu.find(), *bare, *quiet)

    kpt, alone = side_by_side(3, ours, theirs)
    return Row("QEMU's start to the first test", kpt, "the kernel alone, no root", alone, "4 s under TCG", kpt <= 4.0)


if __name__ == "__main__":
    main()
