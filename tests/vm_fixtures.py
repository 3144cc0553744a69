"""A built kernel for the tests that boot one."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from kpatch_tool.kbuild import artifacts
from kpatch_tool.kbuild.build import build_state
from kpatch_tool.kbuild.model import BuildStatus, StateBuild
from kpatch_tool.suites.run import Subject
from kpatch_tool.system import process
from kpatch_tool.tree.applied import base_state
from kpatch_tool.tree.catalogue import Catalogue
from kpatch_tool.tree.model import State, Tree
from kpatch_tool.workspace import Workspace

# A directory with bzImage and the modules under their paths, to try the guest with a kernel of one's own.
GIVEN = os.environ.get("KPT_TEST_ARTIFACTS", "")
MODULES = ("virt/lib/irqbypass.ko", "arch/x86/kvm/kvm.ko", "arch/x86/kvm/kvm-amd.ko", "arch/x86/kvm/kvm-intel.ko")
_NONE = "0" * 40


@pytest.fixture(scope="session")
def built(request: pytest.FixtureRequest) -> Subject:
    """Debian's kernel, built in this checkout's own workspace, where an earlier build counts."""
    if GIVEN:
        place = Path(GIVEN)
        modules = tuple(artifacts.module(path, place / path) for path in MODULES if (place / path).exists())
        build = StateBuild(0, _NONE, BuildStatus.OK, 0.0, True, modules, (), (), place, place / "log", "given")
        return Subject(Workspace(place), Tree("given", place, _NONE), State(0, _NONE, _NONE), build)
    git_dir: Path = request.getfixturevalue("debian_git_dir")
    workspace = Workspace(git_dir.parents[1])
    tree = Catalogue(workspace).get(git_dir.stem)
    state = base_state(tree)
    build = build_state(workspace, tree, state, "x86_64")
    assert build.status is BuildStatus.OK, build.why
    return Subject(workspace, tree, state, build)


@pytest.fixture(scope="session")
def misbehave(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program of tests/kernel/guest/misbehave.c."""
    target = tmp_path_factory.mktemp("misbehave") / "misbehave"
    source = Path(__file__).parent / "kernel/guest/misbehave.c"
    assert shutil.which("gcc") is not None
    done = process.run(["gcc", "-static", "-O1", "-Wall", "-Wextra", "-o", target, source])
    assert done.status == 0, done.stderr
    return target
