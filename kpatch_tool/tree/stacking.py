"""Applying what goes before a series, and then the series: all of it fits, or nothing is written.

The patches of all are first put on the tree in memory as one. Only when all fit are the branches made, one a series,
each on the one before; a machine that fails in between leaves whole branches, and the same command goes on.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from kpatch_tool.depend.prerequisites import Chain
from kpatch_tool.errors import InputError
from kpatch_tool.series.directory import store
from kpatch_tool.series.model import Series
from kpatch_tool.tree.apply import apply_series
from kpatch_tool.tree.model import ApplyOutcome, ApplyStatus, Tree
from kpatch_tool.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Stacked:
    """The tree to put the series on, sentences for the user, and the outcome where there is nothing more to do (it was
    only tried, or it does not fit)."""

    tree: Tree
    notes: tuple[str, ...]
    outcome: ApplyOutcome | None = None


def stacked(workspace: Workspace, tree: Tree, series: Series, chain: Chain, *, check: bool) -> Stacked:
    """`tree` with the series that go before `series` on it: its `base` is then the last one's head.

    With `check`, or where `series` does not fit after them, nothing is written. Raises InputError when something that
    goes first is not here, revisions do not agree, or a patch of what goes first does not fit.
    """
    _refuse(series, chain)
    before = [store.load(store.find(workspace, name)) for name in chain.order]
    if not before:
        return Stacked(tree, ("nothing has to go first",))
    tried = _tried_together(workspace, tree, [*before, series])
    if check or tried.conflicts:
        return Stacked(tree, (f"after what goes first: {', '.join(one.name for one in before)}",), tried)
    told = []
    for one in before:
        outcome = apply_series(workspace, tree, one)
        if outcome.head is None:
            raise InputError(f"series {one.name} does not fit", where=f"tree {tree.name}", todo=f"kpt apply {one.name}")
        tree = replace(tree, base=outcome.head)
        told.append(f"applied first: {one.name}, branch {outcome.branch}")
    return Stacked(tree, tuple(told))


def _refuse(series: Series, chain: Chain) -> None:
    todo = f"see `kpt deps {series.name}`"
    if chain.missing:
        named = ", ".join(f"{one.stated.form} {one.stated.value}" for one in chain.missing[:5])
        raise InputError(f"what goes first is not all here: {named}", where=series.name, todo=todo)
    if chain.findings:
        raise InputError(chain.findings[0], where=series.name, todo=todo)


def _tried_together(workspace: Workspace, tree: Tree, all_of: list[Series]) -> ApplyOutcome:
    """What becomes of the last series when the patches of all are put on the tree, in memory, as if they were one."""
    owners = [(one, patch) for one in all_of for patch in sorted(one.patches, key=lambda patch: patch.number)]
    joined = tuple(replace(patch, number=number) for number, (_, patch) in enumerate(owners, 1))
    last = all_of[-1]
    outcome = apply_series(workspace, tree, replace(last, patches=joined, total=len(joined)), check=True)
    rows = []
    for row in outcome.patches:
        one, patch = owners[row.number - 1]
        if one is last:
            rows.append(replace(row, number=patch.number))
        elif row.status is ApplyStatus.CONFLICT:
            what = f"patch {patch.number} of {one.name}, which goes first, does not fit: {row.why}"
            raise InputError(what, where=f"tree {tree.name}", todo=f"see `kpt apply {one.name} --check`")
    return replace(outcome, patches=tuple(rows))
