"""What a series needs from outside, asked of a tree: of the history of its base, or else of its files; and of the other
series of the workspace."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import PurePosixPath

from kpatch_tool.depend.declared import stated_external
from kpatch_tool.depend.graph import dependencies
from kpatch_tool.depend.model import Dependencies, EdgeKind, External
from kpatch_tool.depend.prerequisites import Chain, Index, Need, resolve
from kpatch_tool.depend.presence import reverted_is_there
from kpatch_tool.diff.model import DiffError
from kpatch_tool.diff.parse import parse_diff
from kpatch_tool.diff.patchid import patch_ids
from kpatch_tool.errors import InputError
from kpatch_tool.series.directory import store
from kpatch_tool.series.directory.store import Unreadable
from kpatch_tool.series.model import Series
from kpatch_tool.series.reading.stated import Form, statements
from kpatch_tool.system import process
from kpatch_tool.tree import history
from kpatch_tool.tree.applied import tree_of
from kpatch_tool.tree.base import spellings
from kpatch_tool.tree.catalogue import Catalogue
from kpatch_tool.tree.model import ApplyStatus, Tree
from kpatch_tool.tree.objects import Objects
from kpatch_tool.workspace import Workspace

_COMMITS = 2_000  # commits of the history whose patch ids are computed
_FILES = 300  # a commit that changes more files is an import, not a patch


def dependencies_on(tree: Tree | None, series: Series, workspace: Workspace | None = None) -> Dependencies:
    """`dependencies(series)` with `present` told by the base of `tree`, and what goes first looked up among the series
    of `workspace`.

    Without a tree, or with one made of the series' own lines, `present` stays None. Raises MachineError when the
    repository cannot be read.
    """
    if tree is None or tree.skeleton:
        return _with_chain(dependencies(series), series, chain_of(workspace, series, None))
    with Objects(tree.git_dir) as objects:

        def read(path: str) -> bytes | None:
            entry = objects.file(tree.base, path)
            return entry.data if entry is not None else None

        def present(one: External) -> bool | None:
            if isinstance(one.kind, Form):
                return None  # the chain tells
            known = _in_history(tree, one.commit)
            patch = series.patch(one.patch)
            if known is not None or one.kind is not EdgeKind.REVERT or patch is None:
                return known
            return reverted_is_there(patch, read)

        found = dependencies(series, present, partial(_lacking, tree, series))
    return _with_chain(found, series, chain_of(workspace, series, tree))


def dependencies_named(workspace: Workspace, series: Series, tree: str | None) -> Dependencies:
    """The same for the tree called `tree`; where left out, for the one `kpt apply` would use if it is here, else for
    the one the series was applied to last.

    Raises InputError when the tree named is not here.
    """
    catalogue = Catalogue(workspace)
    if tree is not None:
        return dependencies_on(catalogue.get(tree), series, workspace)
    return dependencies_on(_likely(catalogue, series), series, workspace)


def _likely(catalogue: Catalogue, series: Series) -> Tree | None:
    """The tree that a command means which names none, or None: the graph itself needs no tree."""
    applied_to = partial(tree_of, catalogue.workspace, catalogue, series.name)
    for tell in (partial(catalogue.resolve, None, series), applied_to):
        with suppress(InputError):
            return tell()
    return None


def chain_of(workspace: Workspace | None, series: Series, tree: Tree | None) -> Chain:
    """What goes before `series`: looked up among the other series of `workspace`, and in `tree`."""
    stated = statements(series)
    if not stated:
        return Chain()
    others: list[Series] = []
    if workspace is not None and any(one.form is not Form.BASE for one in stated):
        others = [one for one in store.load_all(workspace) if not isinstance(one, Unreadable)]
    asked = None if tree is None or tree.skeleton else _Asked(workspace, tree, series)
    index = Index([series, *(one for one in others if one.name != series.name)])
    return resolve(series, index, asked)


def _with_chain(found: Dependencies, series: Series, chain: Chain) -> Dependencies:
    """`found` with what the chain tells of each statement."""
    told = {(one.stated.form, one.stated.value): one for one in chain.needs}
    by_statement = {stated_external(one, series.total): told.get((one.form, one.value)) for one in statements(series)}

    def better(one: External) -> External:
        need = by_statement.get(replace(one, present=None))
        return one if need is None else _told(one, need)

    return replace(found, external=tuple(better(one) for one in found.external), chain=chain)


def _told(one: External, need: Need) -> External:
    why = f"{one.why}; {need.why}" if need.why and one.kind is not Form.INVALID else one.why
    return replace(one, present=need.present, why=why, series=need.series, todo=need.todo)


class _Asked:
    """Answers of one tree (prerequisites.InTree)."""

    def __init__(self, workspace: Workspace | None, tree: Tree, series: Series) -> None:
        self._workspace = workspace
        self._tree = tree
        self._base = next((one.value for one in statements(series) if one.form is Form.BASE and one.exact), "")
        self._ids: frozenset[str] | None = None
        self._all_seen = False

    def commit(self, revision: str) -> bool | None:
        if not revision.strip("0123456789abcdef"):
            return _in_history(self._tree, revision)
        names = history.resolved(self._tree.git_dir, spellings(revision))
        if not names:
            return None
        return any(history.is_ancestor(self._tree.git_dir, one, self._tree.base) for one in names.values())

    def patch(self, patch_id: str) -> bool | None:
        if self._ids is None:
            self._ids = frozenset(self._computed())
        return True if patch_id in self._ids else False if self._all_seen else None

    def series(self, series: Series) -> bool | None:
        from kpatch_tool.tree.apply import apply_series

        if self._workspace is None:
            return None
        try:
            outcome = apply_series(self._workspace, self._tree, series, check=True)
        except InputError:
            return None
        return all(patch.status is ApplyStatus.ALREADY for patch in outcome.patches)

    def _computed(self) -> Iterator[str]:
        """The patch ids of the commits since the declared base, or of the last ones where none is declared."""
        git_dir, base = self._tree.git_dir, self._tree.base
        known = history.resolved(git_dir, [self._base]).get(self._base) if self._base else None
        since = known if known and history.is_ancestor(git_dir, known, base) else None
        commits = history.small_commits(git_dir, base, since=since, most=_COMMITS + 1, files=_FILES)
        self._all_seen = since is not None and len(commits) <= _COMMITS
        for diff in history.diffs(git_dir, commits[:_COMMITS]):
            try:
                yield from patch_ids(diff, parse_diff(diff))
            except DiffError:
                yield from patch_ids(diff, ())


def _lacking(tree: Tree, series: Series, names: Collection[str]) -> set[str]:
    """Those of `names` that stand in no file of the base. Near the series most are found; all files take seconds."""
    paths = [PurePosixPath(file.path) for patch in series.patches for file in patch.files]
    architectures = {f"arch/{path.parts[1]}/include" for path in paths if path.parts[0] == "arch" and path.parts[2:]}
    near = {"include", *architectures, *(str(path.parent) for path in paths if path.parts[1:])}
    left = set(names)
    for within in (sorted(near), []):
        if left:
            argv = ["git", f"--git-dir={tree.git_dir}", "grep", "-IhowF", "-f", "-", tree.base, "--", *within]
            left.difference_update(process.run(argv, stdin="\n".join(left).encode()).stdout.decode().split())
    return left


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
