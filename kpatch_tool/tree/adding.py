"""Adding a tree: a source is made into kernel-trees/NAME.git, whole or not at all.

The repository is built in a staging directory and takes its name by one rename; a killed run leaves only the staging
directory, which the next add clears away.
"""

from __future__ import annotations

import contextlib
import os
import re
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol

from kpatch_tool.errors import InputError, MachineError
from kpatch_tool.progress import Progress, silent
from kpatch_tool.system import atomic, lock, process
from kpatch_tool.text import printable
from kpatch_tool.tree.catalogue import IN_USE, RECORD, Catalogue, Record
from kpatch_tool.tree.environment import NO_HOOKS, SHA1_IN_FILES
from kpatch_tool.tree.failed import BadSetting, git_failed
from kpatch_tool.tree.fastimport import run_git
from kpatch_tool.tree.model import Tree, branch_name
from kpatch_tool.tree.objects import Objects
from kpatch_tool.tree.refs import checked_out

_NAMED = 3  # branches or places
_OF_KPT = branch_name("")  # what the branches begin with that kpt makes


class Source(Protocol):
    """Where a tree comes from. `kind`, `source` and `ref` go into its record; two adds with the same three are the
    same tree."""

    @property
    def kind(self) -> str: ...
    @property
    def source(self) -> str: ...
    @property
    def ref(self) -> str: ...

    def fill(self, git_dir: Path, cache: Path, progress: Progress) -> str:
        """Bring the tree into the empty bare repository `git_dir` and return the full commit id of its base.

        `cache` is a directory for downloads worth keeping. Raises InputError or MachineError.
        """


@dataclass(frozen=True, slots=True)
class Added:
    """The tree, whether this call made it (False: it was here already, from the same source), and the files that are
    missing in it because a partial clone lacks them."""

    tree: Tree
    made: bool
    left_out: tuple[str, ...] = ()


def add(catalogue: Catalogue, name: str, source: Source, *, force: bool = False, progress: Progress = silent) -> Added:
    """Make tree `name` from `source`. A tree of that name and source that is here already is kept.

    Raises InputError when the name is taken by another source and `force` is not set, or the source cannot be used;
    MachineError when the machine cannot do it. In both cases nothing is left.
    """
    target = catalogue.git_dir(name)
    with tree_lock(catalogue, name):
        _sweep(catalogue, name)
        known = catalogue.record(name)
        if known is not None and not force:
            if (known.kind, known.source, known.ref) == (source.kind, source.source, source.ref):
                return _added(catalogue.get(name), made=False)
            where = f"{known.kind} {known.source} {known.ref}".rstrip()
            todo = "choose another name, or replace it with --force"
            raise InputError(f"tree {name} is here already, from {where}", todo=todo)
        if known is None and target.exists() and not force:
            raise InputError("not made by kpt", where=str(target), todo="move it away, or replace it with --force")
        _refuse_own_work(catalogue, name)
        with atomic.staged_directory(target) as stage:
            init_bare(stage)
            commit = source.fill(stage, catalogue.workspace.cache, progress)
            progress("reading the version")
            record = Record(source.kind, source.source, source.ref, commit, makefile_version(stage, commit))
            (stage / RECORD).write_text(record.to_toml(), "utf-8")
        return _added(catalogue.get(name), made=True)


def _added(tree: Tree, *, made: bool) -> Added:
    from kpatch_tool.tree.left_out import left_out  # not for every command that takes a tree's lock

    return Added(tree, made, left_out(tree.git_dir, tree.base))


def remove(catalogue: Catalogue, name: str) -> None:
    """Remove tree `name` from this workspace. Raises InputError when it is not here."""
    target = catalogue.git_dir(name)
    with tree_lock(catalogue, name):
        _refuse_own_work(catalogue, name)
        if not atomic.remove_directory(target):
            catalogue.get(name)
    if catalogue.workspace.remembered(IN_USE) == name:
        catalogue.workspace.remember(IN_USE, None)


def _refuse_own_work(catalogue: Catalogue, name: str) -> None:
    """Raise InputError where a tree that is to go has branches that kpt did not make, or worktrees: what is in them may
    be nowhere else. One that git cannot read holds nothing up."""
    try:
        tree = catalogue.find(name)
        own = [] if tree is None else list(_own_branches(tree))
    except BadSetting:
        raise
    except (InputError, MachineError):
        return
    if tree is None:
        return
    if places := [str(place) for place in checked_out(tree.git_dir)]:
        todo = f"keep what is in it, then git -C {shlex.quote(str(tree.git_dir))} worktree remove PLACE"
        raise InputError(f"it has a worktree: {_some(places)}", where=f"tree {name}", todo=todo)
    if own:
        todo = f"fetch them from {tree.git_dir} into a clone of yours, then delete them there (git branch -D)"
        raise InputError(f"branches of yours would be lost: {_some(own)}", where=f"tree {name}", todo=todo)


def _some(names: Sequence[str]) -> str:
    return ", ".join(map(printable, names[:_NAMED])) + (", ..." if len(names) > _NAMED else "")


def _own_branches(tree: Tree) -> Iterator[str]:
    """The branches that are neither the tree's base nor as an apply left them."""
    from kpatch_tool.tree.applied import is_kpts_own  # not for every command that takes a tree's lock

    listed = run_git(tree.git_dir, "for-each-ref", "--format=%(refname:lstrip=2)", "refs/heads/")
    with Objects(tree.git_dir) as objects:
        for branch in os.fsdecode(listed).split():
            series = branch.removeprefix(_OF_KPT)
            if branch != "base" and (series == branch or not is_kpts_own(objects, tree, series)):
                yield branch


@contextlib.contextmanager
def tree_lock(catalogue: Catalogue, name: str, *, wait_seconds: float = 0.0) -> Iterator[None]:
    """Hold the right to change tree `name` (the lock that add, remove and apply share)."""
    with lock.held(catalogue.workspace.lock(f"tree-{name}"), wait_seconds=wait_seconds):
        yield


def init_bare(git_dir: Path) -> None:
    """Make `git_dir` an empty bare repository whose only branch will be `base`, whose objects are kept and in which no
    hook runs."""
    argv = ["git", "-c", NO_HOOKS, "init", "--quiet", "--bare", "--template=", "--initial-branch=base", str(git_dir)]
    done = process.run(argv, env={**os.environ, **SHA1_IN_FILES})
    if done.status != 0:
        raise git_failed(done.stderr, git_dir)
    for setting in ("gc.auto=0", "maintenance.auto=false", NO_HOOKS):
        key, _, value = setting.partition("=")
        process.run(["git", f"--git-dir={git_dir}", "config", key, value])


def makefile_version(git_dir: Path, commit: str) -> tuple[int, ...]:
    """VERSION, PATCHLEVEL and SUBLEVEL of the top Makefile, or () where there is none."""
    with Objects(git_dir) as objects:
        makefile = objects.file(commit, "Makefile")
    if makefile is None:
        return ()
    found = dict(re.findall(rb"^(VERSION|PATCHLEVEL|SUBLEVEL)\s*=\s*(\d{1,9})\s*$", makefile.data, re.MULTILINE))
    numbers = [found.get(key) for key in (b"VERSION", b"PATCHLEVEL", b"SUBLEVEL")]
    return tuple(int(number) for number in numbers if number is not None) if numbers[0] is not None else ()


def _sweep(catalogue: Catalogue, name: str) -> None:
    """Clear away what killed adds and removals of other names left (this name's is cleared by staged_directory)."""
    atomic.sweep_directories(catalogue.workspace.trees, name, partial(tree_lock, catalogue), suffix=".git")
