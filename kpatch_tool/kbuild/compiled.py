"""Which of the source files that a series changes a build here compiles.

That a state builds says nothing of a file which the configuration leaves out (arch/x86/kvm/xen.c without
CONFIG_KVM_XEN), or which belongs to another architecture.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from itertools import pairwise
from pathlib import Path, PurePosixPath

from kpatch_tool.kbuild import arch as archs
from kpatch_tool.kbuild import reach
from kpatch_tool.kbuild.model import BuildStatus, StateBuild, Uncompiled
from kpatch_tool.kbuild.objdir import ObjectDirectory
from kpatch_tool.kbuild.plan import make_plan
from kpatch_tool.system import process
from kpatch_tool.tree.model import State, Tree
from kpatch_tool.workspace import Workspace

# A line of make's output that says which object is made.
COMPILES = re.compile(rb"^  (?:CC|AS|HOSTCC)(?: \[M\])? +(\S+)", re.MULTILINE)
_SOURCES = (".c", ".S")
# What is no part of a kernel; suites build tools/testing/selftests.
_APART = ("Documentation/", "samples/", "scripts/", "tools/", "usr/")


def changes_between(tree: Tree, old: str, new: str) -> tuple[reach.ChangedPath, ...] | None:
    """The files that differ between two git trees; None where one of them is gone."""
    if old == new:
        return ()
    done = process.run(
        ["git", f"--git-dir={tree.git_dir}", "diff-tree", "-r", "-z", "--name-status", "--no-renames", old, new]
    )
    if done.status != 0:
        return None
    words = done.stdout.split(b"\0")
    return tuple(
        reach.ChangedPath(os.fsdecode(path), status.decode("ascii", "replace"))
        for status, path in zip(words[::2], words[1::2], strict=False)
    )


def directory_of(workspace: Workspace, tree: Tree, arch: str) -> ObjectDirectory:
    """Where the states of a tree are built."""
    return ObjectDirectory(workspace.state / "build" / f"{tree.name}-{arch}")


def not_compiled(
    workspace: Workspace,
    tree: Tree,
    arch: str,
    states: Sequence[State],
    builds: Sequence[StateBuild],
    *,
    fragments: Iterable[Path] = (),
) -> tuple[Uncompiled, ...]:
    """The source files that each patch changes and its build left out; nothing for a patch without any.

    `states` are those of the series, base first, `builds` those that are known of them. Nothing is said of a state that
    does not build, and nothing at all where the object directory, which knows, is gone or was used for another
    configuration since.
    """
    built = {build.patch: build for build in builds if build.status is BuildStatus.OK}
    wanted = {
        state.patch: files
        for before, state in pairwise(states)
        if state.patch in built and (files := _sources(changes_between(tree, before.tree_id, state.tree_id) or ()))
    }
    if not wanted:
        return ()
    plan = make_plan(tree, archs.load(arch), fragments)
    directory = directory_of(workspace, tree, arch)
    record, uses = directory.record(), reach.load(directory.notes)
    if uses is None or (record.generation, record.config) != (plan.generation, plan.config):
        return ()
    known = uses.image | uses.modules
    made = {name for patch in wanted for name in _objects(built[patch].log)}

    def compiled(path: str) -> bool:
        target = str(PurePosixPath(path).with_suffix(".o"))
        return path in known or target in made or (directory.path / target).exists()

    uncompiled = (
        Uncompiled(patch, tuple(path for path in files if not compiled(path))) for patch, files in wanted.items()
    )
    return tuple(one for one in uncompiled if one.files)


def _sources(changes: Iterable[reach.ChangedPath]) -> tuple[str, ...]:
    return tuple(
        one.path
        for one in changes
        if one.status != "D" and one.path.endswith(_SOURCES) and not one.path.startswith(_APART)
    )


def _objects(log: Path) -> list[str]:
    return [os.fsdecode(name) for name in COMPILES.findall(log.read_bytes())] if log.is_file() else []
