"""Every state of a series built and tested: kpt beside the plain way, and beside its own second run.

    python -m benchmarks.states [--plain N]

The plain way is what a script does: check the commit out, `make bzImage modules`, boot the kernel once for each test
and run that test in it. Both begin with a built base and no saved machine, both run kpt's own suite.
kpt forgets what it knows of the states after the base first, and ccache all it has. The plain way takes a quarter of an
hour and more: with --plain N it is measured on the base, which is only booted, and the first N states after it, and the
rest is taken to cost what those did, which the table says.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from benchmarks.making import ARCH, make_of, plan_of
from benchmarks.measure import KPT, Row, measured, passed, run, seconds, table
from kpatch_tool import workspace as workspaces
from kpatch_tool.kbuild.artifacts import Artifacts
from kpatch_tool.kbuild.build import build_state
from kpatch_tool.kbuild.make import environment
from kpatch_tool.kbuild.plan import Plan
from kpatch_tool.suites import run as suites
from kpatch_tool.suites.run import Options, Subject
from kpatch_tool.system import sandbox
from kpatch_tool.tree.applied import load_applied
from kpatch_tool.tree.model import State
from kpatch_tool.tree.worktree import worktree_of
from kpatch_tool.workspace import Workspace

TREE, SERIES, SUITE = "debian-6.1", "bisect-demo-6.1", "kpt-guest"
_TIMES, _SECOND_SECONDS = 5, 3.0


def rows(workspace: Workspace, plain_states: int | None = None) -> list[Row]:
    """All states by kpt, the same the plain way (on the first `plain_states` of them), all states by kpt once more."""
    seconds(KPT, "apply", SERIES, "--tree", TREE, cwd=workspace.root)
    seconds(KPT, "build", SERIES, "--base", cwd=workspace.root)
    states = load_applied(workspace, SERIES, tree=TREE).states
    plan = plan_of(workspace, TREE)
    base, *later = states
    _forget(workspace, plan, later)
    _made(workspace, plan, base)  # where both begin: the objects may be of any state that was built last
    test = (KPT, "test", SERIES, "--each", "--suite", SUITE)
    ours = _told("kpt, all states", lambda: seconds(*test, "--fresh", cwd=workspace.root, ok=(0, 1)))
    again = _told("kpt, once more", lambda: seconds(*test, cwd=workspace.root, ok=(0, 1)))
    few = later[: plain_states or len(later)]
    _made(workspace, plan, base)
    plain = _told("the plain way, the base", lambda: _booted(workspace, plan, base))
    for state in few:
        each = _told(f"the plain way, state {state.patch}: make", partial(_made, workspace, plan, state))
        each += _told(f"the plain way, state {state.patch}: boots", partial(_booted, workspace, plan, state))
        plain += each * len(later) / len(few)
    how = "" if few == later else f", {len(few)} of {len(later)} measured"
    return [
        Row(
            f"{len(states)} states built and tested",
            ours,
            f"checkout, make, a boot a test{how}",
            plain,
            f"{_TIMES} times faster",
            ours * _TIMES <= plain,
        ),
        Row("the same once more", again, "the first time", ours, "3 s", again <= _SECOND_SECONDS),
    ]


def _told(what: str, work: Callable[[], object]) -> float:
    """Say how long it took."""
    start = time.perf_counter()
    work()
    took = time.perf_counter() - start
    sys.stderr.write(f"{what}: {took:.1f} s\n")
    return took


def _forget(workspace: Workspace, plan: Plan, states: Sequence[State]) -> None:
    for place in (workspace.cache / "machines", make_of(workspace, plan).cache):
        shutil.rmtree(place, ignore_errors=True)
    artifacts = Artifacts(workspace)
    for state in states:
        shutil.rmtree(artifacts.directory(plan.key(state)), ignore_errors=True)


def _made(workspace: Workspace, plan: Plan, state: State) -> None:
    """Check a state out and make it, in no sandbox."""
    make = make_of(workspace, plan)
    worktree_of(workspace, plan.tree).move_to(state)
    run(*sandbox.outside(make.argv([plan.arch.image_target, "modules"])), cwd=make.source, env=environment())


def _booted(workspace: Workspace, plan: Plan, state: State) -> None:
    """Boot a state once for each test. What kpt has built of it is booted: the files are the same."""
    subject = Subject(workspace, plan.tree, state, build_state(workspace, plan.tree, state, ARCH), ARCH)
    choice = suites.choose_accel(subject, Options())
    tests = suites.plan_suite(subject, SUITE, Options())
    for row in tests.rows:
        suites.test_state(subject, [replace(tests, rows=(row,), digest=f"alone {row.name}")], choice, boots=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--plain", type=int, metavar="N", help="measure the plain way on the first N states only")
    workspace = workspaces.find(Path(__file__).parent)
    plain = parser.parse_args().plain
    found = measured("every state", lambda: rows(workspace, plain))
    sys.stdout.write(table(found) + "\n")
    sys.exit(0 if passed(found) else 1)


if __name__ == "__main__":
    main()
