"""`kpt apply` as a whole: names in, the outcome and what else the user should know out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from kpatch_tool import __version__
from kpatch_tool.diff.blob import blob_id
from kpatch_tool.errors import InputError
from kpatch_tool.series.directory import store
from kpatch_tool.series.model import Exactness, Series
from kpatch_tool.series.reading.stated import statements
from kpatch_tool.tree import doubts
from kpatch_tool.tree.apply import apply_series
from kpatch_tool.tree.catalogue import Catalogue
from kpatch_tool.tree.closure import parse_numbers
from kpatch_tool.tree.model import ApplyOutcome, Tree
from kpatch_tool.workspace import Workspace

if TYPE_CHECKING:
    from kpatch_tool.tree.stacking import Stacked

_UNSURE = (Exactness.DAMAGED, Exactness.MATCHED)
_Put = Callable[..., ApplyOutcome]  # apply_series, given all but the series and `unless`


@dataclass(frozen=True, slots=True)
class Done:
    """What applying did, on which tree, and sentences for the user."""

    outcome: ApplyOutcome
    tree: Tree
    notes: tuple[str, ...]


def apply_named(
    workspace: Workspace,
    name: str,
    *,
    tree: str | None,
    patches: str | None,
    check: bool,
    reverse: bool,
    needed: bool = True,
    onto: str | None = None,
    with_prerequisites: bool = False,
) -> Done:
    """Apply the series called `name` to the tree called `tree` (None: Catalogue.resolve chooses).

    `patches` is a text like "2,4-5" or None for all; without `needed` they come without what they need; `onto` is the
    commit to take for the tree's base (onto.commit_for); `with_prerequisites` applies the series that go first before
    it. Raises what apply_series, directory.store, the catalogue and onto.commit_for raise.
    """
    wanted = None if patches is None else parse_numbers(patches)
    _refuse_contradictions(chosen=wanted is not None, needed=needed, whole=with_prerequisites, reverse=reverse)
    directory = store.find(workspace, name)
    series = store.load(directory)
    own = Catalogue(workspace).resolve(tree, series, skeleton=not check)
    chosen = own if onto is None else _put_on(own, series, onto)
    lacking = stood_in(chosen, tree, series.tree)
    notes: tuple[str, ...] = (lacking,) if lacking else ()
    if with_prerequisites:
        stack = _stacked(workspace, chosen, series, check=check)
        chosen, notes = stack.tree, (*notes, *stack.notes)
        if stack.outcome is not None:
            return Done(stack.outcome, own, notes)
    elif not reverse:
        notes = (*notes, *_declared(workspace, chosen, series))
    put = partial(apply_series, workspace, chosen, patches=wanted, needed=needed, check=check, reverse=reverse)
    if chosen.skeleton or reverse:
        outcome = put(series)
    else:
        restored = partial(_restored_once, workspace, chosen, directory=directory, check=check)
        series, outcome, told = _put_restored(chosen, series, put, restored)
        notes = (*notes, *told)
    if wanted is not None and not needed:
        notes = (*notes, *_torn(series, wanted, reverse=reverse))
    if outcome.conflicts and not reverse:
        notes = (*notes, *_hint(own, series, outcome))
    return Done(outcome, own, notes)


def _refuse_contradictions(*, chosen: bool, needed: bool, whole: bool, reverse: bool) -> None:
    """Raise InputError for options of `kpt apply` that mean nothing together."""
    if not chosen and not needed:
        raise InputError("--no-deps means nothing for all patches", todo="choose some: --patches 7 --no-deps")
    if whole and (reverse or chosen):
        raise InputError("--with-prerequisites applies all of a series", todo="leave out --patches and --reverse")


def _put_restored(
    tree: Tree, series: Series, put: _Put, restored: Callable[[Series], tuple[Series, tuple[str, ...]]]
) -> tuple[Series, ApplyOutcome, tuple[str, ...]]:
    """The series as it was put on the tree, the outcome, and notes: restored before where it is known to be damaged,
    and after a first try that makes it doubtful that a mail came whole."""
    told: tuple[str, ...] = ()
    if any(patch.exactness in _UNSURE for patch in series.patches):
        series, told = restored(series)
    outcome = put(series, unless=lambda planned: bool(doubts.doubted(tree, series, planned)))
    if not doubts.doubted(tree, series, outcome):
        return series, outcome, told
    better, more = restored(series)
    outcome = put(better)
    return better, outcome, (*told, *more, *doubts.told(tree, better, outcome))


# What most series do not need (another base, what goes first) is imported where it is needed: kpt apply takes 0.15 s.


def _put_on(tree: Tree, series: Series, onto: str) -> Tree:
    from kpatch_tool.tree.onto import commit_for

    return replace(tree, base=commit_for(tree, series, onto))


def _stacked(workspace: Workspace, tree: Tree, series: Series, *, check: bool) -> Stacked:
    from kpatch_tool.tree.needs import chain_of
    from kpatch_tool.tree.stacking import stacked

    return stacked(workspace, tree, series, chain_of(workspace, series, tree), check=check)


def _declared(workspace: Workspace, tree: Tree, series: Series) -> tuple[str, ...]:
    if not statements(series):
        return ()
    from kpatch_tool.tree.needs import chain_of
    from kpatch_tool.tree.onto import notes

    return tuple(notes(tree, series, chain_of(workspace, series, tree)))


def _torn(series: Series, wanted: tuple[int, ...], *, reverse: bool) -> tuple[str, ...]:
    from kpatch_tool.tree.closure import torn

    return tuple(torn(series, wanted, reverse=reverse))


def _hint(tree: Tree, series: Series, outcome: ApplyOutcome) -> tuple[str, ...]:
    from kpatch_tool.tree.onto import hint

    return tuple(hint(tree, series, outcome))


def _restored_once(
    workspace: Workspace, tree: Tree, series: Series, *, directory: Path, check: bool
) -> tuple[Series, tuple[str, ...]]:
    """`_restored`, written back (unless `check`), and not tried again where it is known to gain nothing."""
    from kpatch_tool.tree.restoring import commits_read

    key = f"restored:{series.name}"
    trees = (tree, *Catalogue(workspace).here())
    commits = tuple(commits_read(trees))
    if workspace.remembered(key) == _fingerprint(commits, series):
        return series, ()
    better, told = _restored(trees, series, directory)
    if not check:
        if better is not series:
            store.save_patches(directory, better)
        workspace.remember(key, _fingerprint(commits, better))
    return better, told


def _fingerprint(commits: Sequence[str], series: Series) -> str:
    """Of what restoring depends on: the commits that it reads and the patches as they are (kpt itself may change: its
    version, too)."""
    patches = (f"{patch.exactness} {blob_id(patch.diff)}" for patch in series.patches)
    parts = [__version__, *commits, *patches]
    return blob_id("\n".join(parts).encode())


def _restored(trees: Sequence[Tree], series: Series, directory: Path) -> tuple[Series, tuple[str, ...]]:
    """`series` as it is known better against the first of `trees` (restoring.better_against), and a note on that."""
    from kpatch_tool.tree.restoring import better_against

    tree, *others = trees
    try:
        better = better_against(tree, series, directory, others)
    except InputError as error:
        unsure = any(patch.exactness in _UNSURE for patch in series.patches)
        return series, ((f"damaged patches stay as they are: {error.line()}",) if unsure else ())
    pairs = zip(series.patches, better.patches, strict=True)
    gained = [new for old, new in pairs if new.exactness is not old.exactness]
    if not gained:
        return better, ()
    told = ", ".join(f"{patch.number} ({patch.exactness})" for patch in gained)
    return better, (f"restored against tree {tree.name}: patch {told}",)


def stood_in(tree: Tree, explicit: str | None, meant: str | None) -> str:
    """What is to be said where a tree made of the series' own lines was taken though none was named (`explicit`): which
    tree is lacking, and what helps; empty elsewhere. `meant` is the tree that the series is meant for."""
    if not tree.skeleton or explicit is not None:
        return ""
    why = f"tree {meant}, which the series is meant for, is not here" if meant else "no kernel tree is here"
    add = f"kpt tree add {meant}" if meant else "kpt tree add debian-6.1"
    return f"{why}: applied to {tree.name}, made of the series' own lines, which proves nothing (`{add}` helps)."
