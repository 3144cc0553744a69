"""Every state of a series built and tested: kpt beside the plain way, and beside its own second run.

    python -m benchmarks.states [--plain N]

The plain way is what a script does: check the commit out, `make bzImage modules`, boot the kernel once for each test
and run that test in it. Both begin with a built base, both run kpt's own suite (16 tests a state). kpt forgets what it
knows of the states after the base first. The plain way takes a quarter of an hour and more: with --plain N it is
measured on the first N states and multiplied, which the table says.
"""

from __future__ import annotations

import argparse
import resource
import shutil
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

from benchmarks.measure import KPT, Absent, Row, passed, seconds, table
from kpatch_tool import workspace as workspaces
from kpatch_tool.errors import KptError
from kpatch_tool.kbuild import arch as archs
from kpatch_tool.kbuild.artifacts import Artifacts
from kpatch_tool.kbuild.build import build_state
from kpatch_tool.kbuild.make import Make
from kpatch_tool.kbuild.plan import Plan, make_plan
from kpatch_tool.suites import run as suites
from kpatch_tool.suites.run import Options, Subject
from kpatch_tool.tree.applied import load_applied
from kpatch_tool.tree.catalogue import Catalogue
from kpatch_tool.tree.model import State
from kpatch_tool.tree.worktree import worktree_of
from kpatch_tool.workspace import Workspace

TREE, SERIES, ARCH, SUITE = "debian-6.1", "bisect-demo-6.1", "x86_64", "kpt-guest"
_TIMES, _SECOND_SECONDS = 5, 3.0


def rows(workspace: Workspace, plain_states: int | None = None) -> list[Row]:
    """All states by kpt, the same the plain way (on the first `plain_states` of them), all states by kpt once more."""
    seconds(KPT, "apply", SERIES, "--tree", TREE, cwd=workspace.root)
    seconds(KPT, "build", SERIES, "--base", cwd=workspace.root)
    states = load_applied(workspace, SERIES, tree=TREE).states
    plan = make_plan(Catalogue(workspace).get(TREE), archs.load(ARCH), ())
    _forget(workspace, plan, states[1:])
    test = (KPT, "test", SERIES, "--each", "--suite", SUITE)
    ours = _told("kpt, all states", lambda: seconds(*test, "--fresh", cwd=workspace.root, ok=(0, 1)))
    again = _told("kpt, once more", lambda: seconds(*test, cwd=workspace.root, ok=(0, 1)))
    few = states[: plain_states or len(states)]
    plain = 0.0
    for state in few:
        plain += _told(f"the plain way, state {state.patch}", partial(_plain, workspace, plan, state))
    plain = plain / len(few) * len(states)
    how = "" if len(few) == len(states) else f", {len(few)} measured"
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


def _told(what: str, measure: Callable[[], float]) -> float:
    """Say how long it took, and how many seconds of processor time: the latter hold on a busy machine, too."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    took = measure()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    processor = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    sys.stderr.write(f"{what}: {took:.1f} s, {processor:.1f} s of processor time\n")
    return took


def _forget(workspace: Workspace, plan: Plan, states: tuple[State, ...]) -> None:
    artifacts = Artifacts(workspace)
    for state in states:
        shutil.rmtree(artifacts.directory(plan.key(state)), ignore_errors=True)


def _plain(workspace: Workspace, plan: Plan, state: State) -> float:
    """One state the plain way. What kpt has built of it is booted: the files are the same."""
    objects = workspace.state / "build" / f"{TREE}-{ARCH}"
    source = worktree_of(workspace, plan.tree)
    variables = {**plan.compat.variables(plan.tools, objects / ".kpt-compat"), **plan.tree.make}
    make = Make(source.path, objects, plan.arch.make_arch, variables, 2)
    start = time.perf_counter()
    source.move_to(state)
    seconds(*make.argv([plan.arch.image_target, "modules"]), cwd=source.path)
    took = time.perf_counter() - start
    build = build_state(workspace, plan.tree, state, ARCH)
    subject = Subject(workspace, plan.tree, state, build, ARCH)
    choice = suites.choose_accel(subject, Options())
    tests = suites.plan_suite(subject, SUITE, Options())
    start = time.perf_counter()
    for row in tests.rows:
        suites.test_state(subject, [replace(tests, rows=(row,), digest=f"alone {row.name}")], choice)
    return took + time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--plain", type=int, metavar="N", help="measure the plain way on the first N states only")
    workspace = workspaces.find(Path(__file__).parent)
    found: list[Row | Absent] = []
    try:
        found += rows(workspace, parser.parse_args().plain)
    except (KptError, OSError) as error:
        found.append(Absent("every state", str(error)))
    sys.stdout.write(table(found) + "\n")
    sys.exit(0 if passed(found) else 1)


if __name__ == "__main__":
    main()
