"""What a series needs from outside, asked of a tree: of the history of its base, or else of its files."""

from __future__ import annotations

from kpatch_tool import process
from kpatch_tool.depend.graph import dependencies
from kpatch_tool.depend.model import Dependencies, EdgeKind, External
from kpatch_tool.depend.presence import reverted_is_there
from kpatch_tool.errors import InputError
from kpatch_tool.series.model import Series
from kpatch_tool.tree.catalogue import Catalogue
from kpatch_tool.tree.model import Tree
from kpatch_tool.tree.objects import Objects
from kpatch_tool.workspace import Workspace


def dependencies_on(tree: Tree | None, series: Series) -> Dependencies:
    """`dependencies(series)` with `present` told by the base of `tree`.

    Without a tree, or with one made of the series' own lines, it stays None. Raises MachineError when the repository
    cannot be read.
    """
    if tree is None or tree.skeleton:
        return dependencies(series)
    with Objects(tree.git_dir) as objects:

        def read(path: str) -> bytes | None:
            entry = objects.file(tree.base, path)
            return entry.data if entry is not None else None

        def present(one: External) -> bool | None:
            known = _in_history(tree, one.commit)
            patch = series.patch(one.patch)
            if known is not None or one.kind is not EdgeKind.REVERT or patch is None:
                return known
            return reverted_is_there(patch, read)

        return dependencies(series, present)


def dependencies_named(workspace: Workspace, series: Series, tree: str | None) -> Dependencies:
    """The same for the tree called `tree`; where left out, for the one `kpt apply` would use if it is here.

    Raises InputError when the tree named is not here.
    """
    catalogue = Catalogue(workspace)
    if tree is not None:
        return dependencies_on(catalogue.get(tree), series)
    try:
        found = catalogue.resolve(None, series)
    except InputError:
        return dependencies_on(None, series)  # the graph itself needs no tree
    return dependencies_on(found, series)


def _in_history(tree: Tree, commit: str) -> bool | None:
    """Whether `commit` is the base or in its history; None for a history that is cut short or does not know it."""
    if tree.base.startswith(commit):
        return True
    git = ["git", f"--git-dir={tree.git_dir}"]
    asked = process.run([*git, "merge-base", "--is-ancestor", commit, tree.base])
    if asked.status == 0:
        return True
    if asked.status != 1:
        return None
    shallow = process.run([*git, "rev-parse", "--is-shallow-repository"])
    return None if shallow.stdout.strip() == b"true" else False
