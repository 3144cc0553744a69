"""Patches whose mails look intact, and of which a tree says otherwise."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from kpatch_tool.diff.model import FileDiff
from kpatch_tool.series.model import Exactness, Series
from kpatch_tool.tree.model import ApplyOutcome, ApplyStatus, Tree
from kpatch_tool.tree.objects import Objects

_LEAST_DIGITS = 7  # fewer of a blob id prove nothing
_NOT_TRIED = (ApplyStatus.SKIPPED, ApplyStatus.ALREADY)


@dataclass(frozen=True, slots=True)
class _Odd:
    """A file of which the intact patch of that number does not make the blob that it names; the blob it was made of,
    where a patch before it left that one."""

    patch: int
    file: FileDiff
    made_of: str | None


def doubted(tree: Tree, series: Series, outcome: ApplyOutcome) -> tuple[int, ...]:
    """The numbers of intact patches of `series` of which the tree has the very file that they are made for, and which,
    as `outcome` tells, make of it another than they name, or do not fit it: something happened to their mails as well,
    though it does not show (quotation marks made typographic, tabs made blanks), or somebody changed them by hand."""
    odd = tuple(_odd(series, outcome))
    if not odd:
        return ()
    with Objects(tree.git_dir) as objects:
        return tuple(dict.fromkeys(one.patch for one in odd if _is_for(one, tree, objects)))


def told(tree: Tree, series: Series, outcome: ApplyOutcome) -> tuple[str, ...]:
    """A sentence on those that are doubted and fit nevertheless."""
    stuck = {row.number for row in outcome.patches if row.status is ApplyStatus.CONFLICT}
    odd = [number for number in doubted(tree, series, outcome) if number not in stuck]
    if not odd:
        return ()
    which = f"patch {odd[0]} makes" if len(odd) == 1 else f"patches {', '.join(map(str, odd))} make"
    return (
        f"{which} another file than the mail's index line names, of the very file that line is for: somebody changed"
        " the diff by hand, or the mail is damaged in a way that kpt cannot undo",
    )


def _is_for(one: _Odd, tree: Tree, objects: Objects) -> bool:
    """Whether the file that the patch was put on is the one that it names."""
    path, named = one.file.old_path, one.file.old_blob or ""
    if path is None:
        return True
    entry = None if one.made_of else objects.file(tree.base, path)
    before = one.made_of or (entry.oid if entry else "")
    return len(named) >= _LEAST_DIGITS and before.startswith(named)


def _odd(series: Series, outcome: ApplyOutcome) -> Iterator[_Odd]:
    rows = {row.number: row for row in outcome.patches if row.status not in _NOT_TRIED}
    now: dict[str, str | None] = {}
    for patch in series.patches:
        row = rows.get(patch.number)
        if row is None:
            continue
        made = {file.path: file.blob for file in row.files}
        if patch.exactness is Exactness.INTACT:
            odd = [file for file in patch.files if _is_odd(file, made)]
            yield from (_Odd(patch.number, file, now.get(file.old_path or "")) for file in odd)
        now.update(made)


def _is_odd(file: FileDiff, made: Mapping[str, str | None]) -> bool:
    named = file.new_blob
    if file.new_path is None or not named or len(named) < _LEAST_DIGITS or not (file.hunks or file.payload):
        return False
    return not (made.get(file.new_path) or "").startswith(named)
