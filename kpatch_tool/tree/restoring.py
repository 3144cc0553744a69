"""Restoring a series against a kernel tree: names in, the series with its bytes back out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from kpatch_tool.errors import InputError, MachineError
from kpatch_tool.series.directory import store
from kpatch_tool.series.model import Exactness, Patch, Series
from kpatch_tool.series.restoring.restore import needs_restoring, restore_series
from kpatch_tool.tree.catalogue import Catalogue
from kpatch_tool.tree.history import resolved, tip_at
from kpatch_tool.tree.model import TIP_REF, Tree
from kpatch_tool.tree.objects import Objects
from kpatch_tool.workspace import Workspace

TAKEN_SECONDS = 200 * 86_400  # within which a series is mostly taken, and its lines are not yet changed again
# What looked intact is proven only where it was not: its blob id judged that.
_RANK = (Exactness.DAMAGED, Exactness.MATCHED, Exactness.INTACT, Exactness.PROVEN)
_TOLD_ANEW = frozenset({Exactness.DAMAGED, Exactness.INTACT})  # what a tree says of it may be its reason


@dataclass(frozen=True, slots=True)
class Restored:
    """What restoring came to: the series; the tree it was compared with (None where nothing was to be done, or without
    one); and, where one would help, why there is none."""

    series: Series
    tree: Tree | None
    treeless: str = ""

    @property
    def damaged(self) -> bool:
        """Whether a patch could not be restored."""
        return any(patch.exactness is Exactness.DAMAGED for patch in self.series.patches)


def restore_named(workspace: Workspace, name: str, *, tree: str | None) -> Restored:
    """Restore the series called `name` from its source/ against the tree called `tree` (None: Catalogue.resolve
    chooses) and write it back. A series of intact patches needs no tree, and is compared with one only where that is
    named; a patch that another tree told better is left alone. Where no tree was named and none is here, the files that
    the series creates are restored.

    Raises what directory.store and the catalogue raise, and InputError for a tree made of the series' own lines.
    """
    directory = store.find(workspace, name)
    loaded = store.load(directory)
    catalogue = Catalogue(workspace)
    if not needs_restoring(loaded):
        compared = any(patch.exactness is Exactness.INTACT for patch in loaded.patches)  # the others are proven
        named = catalogue.resolve(tree, loaded) if tree is not None and compared else None
        if named is None or named.skeleton:
            return Restored(loaded, None)
        better = better_against(named, loaded, directory, catalogue.here())
        if better is not loaded:
            store.save_patches(directory, better)
        return Restored(better, named)
    try:
        chosen = catalogue.resolve(tree, loaded)
    except InputError as error:
        here = any(not one.skeleton for one in catalogue.here())
        if tree is not None or here or (created := _created(loaded, directory)) is loaded:
            raise
        store.save_patches(directory, created)
        return Restored(created, None, error.line() if needs_restoring(created) else "")
    restored = _none_worse(loaded, _again(chosen, loaded, directory, catalogue.here()))
    store.save_patches(directory, restored)
    return Restored(restored, chosen)


def better_against(tree: Tree, series: Series, directory: Path, others: Sequence[Tree] = ()) -> Series:
    """`series`, as it lies in `directory`, with every patch that the base of `tree` tells better than it was known; the
    very same value where none is. Writes nothing.

    A patch that comes out no better stays as it lies there: another tree may have proven it, or somebody corrected it.
    Of one that stays damaged, or intact, only the reason is this tree's. `others` and what is raised are as in
    `restore_against`, and of store.reread.
    """
    return _with_better(series, _again(tree, series, directory, others), _better)


def _created(series: Series, directory: Path) -> Series:
    """`series` with every patch that is known better without any tree, since it creates its files or changes such as
    the series created; the very same value where none is."""
    return _with_better(series, restore_series(store.reread(directory), lambda _path: None), _surer)


def _with_better(series: Series, again: Series, better: Callable[[Patch, Patch | None], Patch]) -> Series:
    patches = tuple(better(patch, again.patch(patch.number)) for patch in series.patches)
    changed = any(new is not old for old, new in zip(series.patches, patches, strict=True))
    return replace(series, patches=patches) if changed else series


def _none_worse(known: Series, again: Series) -> Series:
    """`again`, but with those patches of `known` that are surer there."""
    pairs = [(known.patch(new.number), new) for new in again.patches]
    patches = (old if old is not None and _is_surer(old, new) else new for old, new in pairs)
    return replace(again, patches=tuple(patches))


def _again(tree: Tree, known: Series, directory: Path, others: Sequence[Tree]) -> Series:
    """What was received, restored against `tree`; but those intact patches of `known` that somebody changed since."""
    received = store.reread(directory)
    again = restore_against(tree, received, others)
    patches = []
    for new in again.patches:
        old, sent = known.patch(new.number), received.patch(new.number)
        edited = old and sent and old.exactness is Exactness.INTACT and old.files != sent.files
        patches.append(old if old and edited else new)
    return replace(again, patches=tuple(patches))


def _is_surer(one: Patch, other: Patch) -> bool:
    return _RANK.index(one.exactness) > _RANK.index(other.exactness)


def _surer(old: Patch, new: Patch | None) -> Patch:
    """The one of two readings of a patch that is surer, the old one where none is."""
    return new if new is not None and _is_surer(new, old) else old


def _better(old: Patch, new: Patch | None) -> Patch:
    """The surer one of two readings of a patch; where both are damaged, or intact, the old one with the reason of the
    new."""
    if new is not None and new.exactness is old.exactness in _TOLD_ANEW and new.why != old.why:
        return replace(old, why=new.why)
    return _surer(old, new)


def restore_against(tree: Tree, series: Series, others: Sequence[Tree] = ()) -> Series:
    """`series` (as received) restored against the base of `tree`, and what its repository, or that of one of `others`,
    has of the very files that the patches name, or of these files later; writes nothing."""
    if tree.skeleton:
        raise InputError(
            "it is made of the series' own lines and cannot tell their white space",
            where=f"tree {tree.name}",
            todo="add a kernel tree: kpt tree add",
        )
    with ExitStack() as stack:
        objects = stack.enter_context(Objects(tree.git_dir))
        beside = [
            _Beside(stack.enter_context(Objects(other.git_dir)), other.base)
            for other in others
            if not other.skeleton and other.git_dir != tree.git_dir
        ]
        later = _later(tree, series)
        kernels = [_Beside(objects, later), *beside] if later else beside

        def read_base(path: str) -> bytes | None:
            entry = objects.file(tree.base, path)
            return entry.data if entry else None

        def read_blob(named: str) -> bytes | None:
            asked = (read(named) for read in (objects.blob, *(one.blob for one in beside)))
            return next((data for data in asked if data is not None), None)

        def read_versions(path: str) -> list[bytes]:
            found = (one.file(path) for one in kernels)
            return [data for data in found if data is not None]

        return restore_series(series, read_base, read_blob, read_versions)


def commits_read(trees: Sequence[Tree]) -> Iterator[str]:
    """The commits of which restoring reads files: the base of each tree, and what its repository was at."""
    for tree in trees:
        yield tree.base
        if not tree.skeleton:
            with suppress(MachineError):
                yield from resolved(tree.git_dir, (TIP_REF,)).values()


def _later(tree: Tree, series: Series) -> str | None:
    """The commit at which the repository that `tree` was taken from was when `series` may have been taken."""
    sent = [patch.date.timestamp() for patch in series.patches if patch.date is not None]
    return tip_at(tree.git_dir, TIP_REF, int(max(sent)) + TAKEN_SECONDS) if sent else None


@dataclass(frozen=True, slots=True)
class _Beside:
    """Another kernel that nobody asked for: that its repository is broken, or lacks something, is no reason to end."""

    objects: Objects
    base: str

    def blob(self, named: str) -> bytes | None:
        """The content of a blob by the beginning of its id."""
        with suppress(MachineError):
            return self.objects.blob(named)
        return None

    def file(self, path: str) -> bytes | None:
        """The content of a file."""
        with suppress(MachineError):
            entry = self.objects.file(self.base, path)
            return entry.data if entry else None
        return None
