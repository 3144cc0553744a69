"""Restoring a series against a kernel tree: names in, the series with its bytes back out."""

from __future__ import annotations

from dataclasses import dataclass

from kpatch_tool.errors import InputError
from kpatch_tool.series import store
from kpatch_tool.series.model import Exactness, Series
from kpatch_tool.series.restore import needs_restoring, restore_series
from kpatch_tool.tree.catalogue import Catalogue
from kpatch_tool.tree.model import Tree
from kpatch_tool.tree.objects import Objects
from kpatch_tool.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Restored:
    """What restoring came to: the series, and the tree it was compared with (None where nothing was to be done)."""

    series: Series
    tree: Tree | None

    @property
    def damaged(self) -> bool:
        """Whether a patch could not be restored."""
        return any(patch.exactness is Exactness.DAMAGED for patch in self.series.patches)


def restore_named(workspace: Workspace, name: str, *, tree: str | None) -> Restored:
    """Restore the series called `name` from its source/ against the tree called `tree` (None: Catalogue.resolve
    chooses) and write it back. A series of intact patches is left alone and needs no tree.

    Raises what series.store and the catalogue raise, and InputError for a tree made of the series' own lines.
    """
    directory = store.find(workspace, name)
    loaded = store.load(directory)
    if not needs_restoring(loaded):
        return Restored(loaded, None)
    chosen = Catalogue(workspace).resolve(tree, loaded)
    restored = restore_against(chosen, store.reread(directory))
    store.save_patches(directory, restored)
    return Restored(restored, chosen)


def restore_against(tree: Tree, series: Series) -> Series:
    """`series` (as received) restored against the base of `tree`; writes nothing."""
    if tree.skeleton:
        raise InputError(
            "it is made of the series' own lines and cannot tell their white space",
            where=f"tree {tree.name}",
            todo="add a kernel tree: kpt tree add",
        )
    with Objects(tree.git_dir) as objects:

        def read_base(path: str) -> bytes | None:
            entry = objects.file(tree.base, path)
            return entry.data if entry else None

        return restore_series(series, read_base)
