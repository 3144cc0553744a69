"""States made from any set of a series' patches, beside the branch of the series and without touching it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import TracebackType

from kpatch_tool.errors import InputError
from kpatch_tool.series.model import Patch, Series
from kpatch_tool.tree.apply import steps_on
from kpatch_tool.tree.committing import write_states
from kpatch_tool.tree.model import Applied, State, Tree
from kpatch_tool.tree.objects import Objects


class SetStates:
    """Makes the states. `applied` says on which commit and in which order the patches go. A context manager.

    Raises InputError when `series` is not what was applied (changed since, or applied with --reverse).
    """

    def __init__(self, tree: Tree, series: Series, applied: Applied) -> None:
        self._tree = replace(tree, base=applied.states[0].commit)
        self._series = series
        self._applied = applied
        self._objects = Objects(tree.git_dir)
        self._made: dict[tuple[int, ...], State | str] = {}

    def __enter__(self) -> SetStates:
        self._objects.__enter__()
        self._require_same()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._objects.__exit__(kind, error, trace)

    def state(self, numbers: Sequence[int]) -> State | str:
        """The base with the patches `numbers` on it, in the order applied; why they do not fit, where they do not.

        Its commit is in the repository, named by no ref. Raises MachineError when the disk is full.
        """
        key = tuple(self._ordered(numbers))
        if key not in self._made:
            self._made[key] = self._make(key)
        return self._made[key]

    def commute(self, first: Sequence[int], then: Sequence[int]) -> bool:
        """Whether `first` and then `then` make the same files as all of them in the order applied."""
        other = self._files([*self._ordered(first), *self._ordered(then)])
        return other is not None and other == self._files(self._ordered([*first, *then]))

    def _make(self, numbers: Sequence[int]) -> State | str:
        found = steps_on(self._tree, self._patches(numbers), self._objects)
        if isinstance(found, str):
            return found
        return write_states(self._tree, self._objects.base(self._tree.base), found[0])[-1]

    def _files(self, numbers: Sequence[int]) -> Mapping[str, str | None] | None:
        found = steps_on(self._tree, self._patches(numbers), self._objects)
        return None if isinstance(found, str) else found[1]

    def _ordered(self, numbers: Sequence[int]) -> list[int]:
        return [state.patch for state in self._applied.states[1:] if state.patch in numbers]

    def _patches(self, numbers: Sequence[int]) -> list[Patch]:
        return [patch for number in numbers if (patch := self._series.patch(number)) is not None]

    def _require_same(self) -> None:
        made = self.state([state.patch for state in self._applied.states[1:]])
        if isinstance(made, str) or made.tree_id != self._applied.head.tree_id:
            name = self._applied.series
            raise InputError(
                "the series is not as it was applied", where=name, todo=f"`kpt apply {name}`, without --reverse"
            )
