"""Putting a series on a tree: in memory first, then written in one stream and one transaction, or not at all."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from kpatch_tool.diff.hostile import hidden, unsafe_file
from kpatch_tool.diff.model import FileDiff, taken_back
from kpatch_tool.errors import InputError
from kpatch_tool.series.model import Exactness, Patch, Series
from kpatch_tool.text import plural, printable
from kpatch_tool.tree.adding import tree_lock
from kpatch_tool.tree.applied import is_kpts_own, moved_by_hand, remember
from kpatch_tool.tree.catalogue import Catalogue
from kpatch_tool.tree.committing import Step, patch_step, revert_step, write_series
from kpatch_tool.tree.model import AppliedFile, AppliedPatch, ApplyOutcome, ApplyStatus, Tree, branch_name
from kpatch_tool.tree.objects import Commit, Objects
from kpatch_tool.tree.overlay import Overlay
from kpatch_tool.tree.patching import Put, already, put_patch, strictly
from kpatch_tool.tree.refs import settle
from kpatch_tool.workspace import Workspace

_LONGEST_SHOWN = 100  # characters of a path
_LOCK_PATIENCE = 10.0  # seconds; another apply to the same tree takes less
_MAKES_COMMIT = (ApplyStatus.CLEAN, ApplyStatus.OFFSET, ApplyStatus.FUZZ, ApplyStatus.MERGED)


@dataclass(frozen=True, slots=True)
class _Tried:
    """A patch and what became of it in memory."""

    patch: Patch
    put: Put


def apply_series(
    workspace: Workspace,
    tree: Tree,
    series: Series,
    *,
    patches: tuple[int, ...] | None = None,
    needed: bool = True,
    check: bool = False,
    reverse: bool = False,
    unless: Callable[[ApplyOutcome], bool] = lambda _outcome: False,
) -> ApplyOutcome:
    """Put `series` on the base of `tree` as branch kpt/SERIES, or (`reverse`) take it out of a tree that has it.

    `patches` are the numbers wanted (None: all); what they need (`reverse`: what needs them) comes with them, in an
    order that works; without `needed` they come alone, by number. With `check` nothing is written, nor where `unless`
    says so of the outcome there would be. A conflict is a finding in the outcome, and then nothing is written either.
    Raises InputError for a series that cannot be used (unsafe path, no such patch) and MachineError when the machine
    fails.
    """
    for patch in series.patches:
        _refuse_unsafe(patch)
    order, brought = _order(series, patches, needed=needed, reverse=reverse)
    settle(tree.git_dir)
    with Objects(tree.git_dir) as objects:
        base = objects.base(tree.base)
        _refuse_foreign_branch(objects, tree, series.name)
        tried = _try(list(reversed(order)) if reverse else order, objects, tree, reverse=reverse)
    statuses = {one.put.status for one in tried}
    nothing = reverse and statuses <= {ApplyStatus.ALREADY}  # the branch stays where it is
    rows = {one.patch.number: _row(one, tree, brought, reverse=reverse) for one in tried}
    left_out = {patch.number: _left_out(patch, tree) for patch in series.patches if patch.number not in rows}
    planned = ApplyOutcome(
        tree=tree.name,
        base=base.oid,
        branch=branch_name(series.name),
        head=None,
        patches=tuple(row for _, row in sorted({**rows, **left_out}.items())),
    )
    if check or ApplyStatus.CONFLICT in statuses or nothing or unless(planned):
        return planned
    steps = _steps(tried, base, reverse=reverse)
    with tree_lock(Catalogue(workspace), tree.name, wait_seconds=_LOCK_PATIENCE):
        with Objects(tree.git_dir) as objects:  # another kpt, or the user's git, may have been here meanwhile
            _refuse_foreign_branch(objects, tree, series.name)
        applied = write_series(tree, base, series.name, steps)
    remember(workspace, series.name, tree.name)
    commits = {state.patch: state.commit for state in applied.states[1:]}
    made = tuple(replace(row, commit=commits.get(row.number)) for row in planned.patches)
    return replace(planned, head=applied.head.commit, patches=made)


def steps_on(
    tree: Tree, patches: Sequence[Patch], objects: Objects
) -> tuple[tuple[Step, ...], Mapping[str, str | None]] | str:
    """The commits that `patches`, in that order, make on the base of `tree`, and the blob of every file they change
    (None: deleted); why they do not fit, where they do not. Nothing is written."""
    base = objects.base(tree.base)
    tried = _try(list(patches), objects, tree, reverse=False)
    stuck = next((one for one in tried if one.put.status is ApplyStatus.CONFLICT), None)
    if stuck is not None:
        return f"patch {stuck.patch.number} does not fit: {stuck.put.why}"
    files = {path: None if entry is None else entry.oid for one in tried for path, entry in one.put.changes.items()}
    return tuple(_steps(tried, base, reverse=False)), files


def _try(order: Sequence[Patch], objects: Objects, tree: Tree, *, reverse: bool) -> list[_Tried]:
    """Every patch in memory, one on the other; those after a conflict are skipped."""
    diffs = [taken_back(patch.files) if reverse else patch.files for patch in order]
    tried = _try_each(order, diffs, Overlay(objects, tree.base), tree.skeleton)
    stuck = next((at for at, one in enumerate(tried) if one.put.status is ApplyStatus.CONFLICT), None)
    if stuck is not None:
        there = _there_together(diffs, Overlay(objects, tree.base), stuck + 1)
        if there:
            overlay = Overlay(objects, tree.base)
            why = f"the tree has the first {plural(there, 'patch', 'patches')}, each changed on by the next"
            known = [_Tried(patch, already(diffs[at], overlay, why)) for at, patch in enumerate(order[:there])]
            tried = [*known, *_try_each(order[there:], diffs[there:], overlay, tree.skeleton)]
    elif 0 < sum(one.put.status is ApplyStatus.ALREADY for one in tried) < len(tried):
        # A line that one patch makes and a later one takes away again the tree has not, though it has both.
        overlay = Overlay(objects, tree.base)
        if _there_together(diffs, overlay, len(diffs)):
            why = "the tree has the whole series"
            tried = [_Tried(patch, already(files, overlay, why)) for patch, files in zip(order, diffs, strict=True)]
    return [_absent(one) for one in tried] if reverse else tried


def _try_each(
    order: Sequence[Patch], diffs: Sequence[Sequence[FileDiff]], overlay: Overlay, made_of_it: bool
) -> list[_Tried]:
    """`made_of_it`: the tree is made of the series' own lines, as received; they fit whatever happened to them."""
    tried: list[_Tried] = []
    failed: Patch | None = None
    for patch, files in zip(order, diffs, strict=True):
        if failed is not None:
            tried.append(_Tried(patch, Put(ApplyStatus.SKIPPED, f"patch {failed.number} before it does not fit")))
            continue
        put = put_patch(files, overlay)
        if patch.exactness is Exactness.DAMAGED and not made_of_it and put.status is not ApplyStatus.ALREADY:
            # It may fit by chance, but its bytes are not the author's.
            put = Put(ApplyStatus.CONFLICT, f"it is damaged and cannot be restored here: {patch.why}", put.details)
        if put.status is ApplyStatus.CONFLICT:
            failed = patch
        overlay.put(put.changes)
        tried.append(_Tried(patch, put))
    return tried


def _there_together(diffs: Sequence[Sequence[FileDiff]], overlay: Overlay, least: int) -> int:
    """How many patches from the first on the files have already, as one can take them back one after the other.

    A patch whose lines a later one changed again is not to be recognised by itself. 0 when fewer than `least`.
    """
    for count in range(len(diffs), least - 1, -1):
        trial = overlay.fresh()
        for files in reversed(diffs[:count]):
            changes = strictly(taken_back(files), trial)
            if changes is None:
                break
            trial.put(changes)
        else:
            return count
    return 0


def _absent(one: _Tried) -> _Tried:
    if one.put.status is not ApplyStatus.ALREADY:
        return one
    return _Tried(one.patch, replace(one.put, why="the tree does not have it, so there is nothing to take out"))


def _steps(tried: Sequence[_Tried], base: Commit, *, reverse: bool) -> list[Step]:
    make = revert_step if reverse else patch_step
    return [make(one.patch, one.put.changes, base) for one in tried if one.put.status in _MAKES_COMMIT]


def _row(one: _Tried, tree: Tree, brought: Mapping[int, str], *, reverse: bool) -> AppliedPatch:
    why, details = one.put.why, one.put.details
    if reason := brought.get(one.patch.number):
        why, details = f"{why}; {reason}", (reason, *details)
    exactness = _exactness(one.patch, tree)
    if exactness is not one.patch.exactness:
        why = f"{why} (skeleton: the tree is made of the series' own lines and proves nothing)"
    files = tuple(
        AppliedFile(path, None if entry is None else entry.oid) for path, entry in sorted(one.put.changes.items())
    )
    return AppliedPatch(
        number=one.patch.number,
        subject=one.patch.subject,
        status=one.put.status,
        exactness=exactness,
        commit=None,
        files=files,
        why=why,
        details=details,
        hidden=tuple(hidden(taken_back(one.patch.files) if reverse else one.patch.files)),
    )


def _left_out(patch: Patch, tree: Tree) -> AppliedPatch:
    exactness = _exactness(patch, tree)
    return AppliedPatch(patch.number, patch.subject, ApplyStatus.SKIPPED, exactness, None, (), "not asked for")


def _exactness(patch: Patch, tree: Tree) -> Exactness:
    """A proof needs files that were not made from the patch itself."""
    return Exactness.MATCHED if tree.skeleton and patch.exactness is Exactness.PROVEN else patch.exactness


def _order(
    series: Series, wanted: tuple[int, ...] | None, *, needed: bool, reverse: bool
) -> tuple[list[Patch], dict[int, str]]:
    """The patches to apply, in order, and number -> why for those that came along uncalled."""
    if not series.patches:
        raise InputError("the series has no patch", where=series.name, todo="import it again from its source")
    if wanted is None:
        return sorted(series.patches, key=lambda patch: patch.number), {}
    for number in wanted:
        if series.patch(number) is None:
            have = ", ".join(str(patch.number) for patch in series.patches)
            raise InputError(f"no patch {number}", where=series.name, todo=f"choose from {have}")
    if not needed:
        return [patch for number in sorted(wanted) if (patch := series.patch(number)) is not None], {}
    from kpatch_tool.tree.closure import closure

    numbers, brought = closure(series, wanted, reverse=reverse)
    return [patch for number in numbers if (patch := series.patch(number)) is not None], brought


def _refuse_foreign_branch(objects: Objects, tree: Tree, series: str) -> None:
    """Somebody's own commits on branch kpt/SERIES are not to be lost."""
    if not is_kpts_own(objects, tree, series):
        raise moved_by_hand(tree, series, there=True)


def _refuse_unsafe(patch: Patch) -> None:
    for file in patch.files:
        if why := unsafe_file(file):
            where = f"patch {patch.number}: {_shortened(printable(file.path))}"
            raise InputError(f"refused: {why}", where=where, todo="do not apply this series")


def _shortened(path: str) -> str:
    return path if len(path) <= _LONGEST_SHOWN else path[:_LONGEST_SHOWN] + "..."
