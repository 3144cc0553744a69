"""`kpt apply` as a whole: names in, the outcome and what else the user should know out."""

from __future__ import annotations

from dataclasses import dataclass

from kpatch_tool.series import store
from kpatch_tool.tree.apply import apply_series
from kpatch_tool.tree.catalogue import Catalogue
from kpatch_tool.tree.closure import parse_numbers
from kpatch_tool.tree.model import ApplyOutcome, Tree
from kpatch_tool.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Done:
    """What applying did, on which tree, and sentences for the user."""

    outcome: ApplyOutcome
    tree: Tree
    notes: tuple[str, ...]


def apply_named(
    workspace: Workspace, name: str, *, tree: str | None, patches: str | None, check: bool, reverse: bool
) -> Done:
    """Apply the series called `name` to the tree called `tree` (None: Catalogue.resolve chooses).

    `patches` is a text like "2,4-5" or None for all. Raises what apply_series, series.store and the catalogue raise.
    """
    wanted = None if patches is None else parse_numbers(patches)
    directory = store.find(workspace, name)
    series = store.load(directory)
    chosen = Catalogue(workspace).resolve(tree, series, skeleton=True)
    notes = _notes(chosen, tree, series.tree)
    outcome = apply_series(workspace, chosen, series, patches=wanted, check=check, reverse=reverse)
    return Done(outcome, chosen, notes)


def _notes(tree: Tree, explicit: str | None, meant: str | None) -> tuple[str, ...]:
    if not tree.skeleton or explicit is not None:
        return ()
    why = f"tree {meant}, which the series is meant for, is not here" if meant else "no kernel tree is here"
    add = f"kpt tree add {meant}" if meant else "kpt tree add debian-6.1"
    return (f"{why}: applied to {tree.name}, made of the series' own lines, which proves nothing (`{add}` helps).",)
