"""A state against the base, case by case."""

from __future__ import annotations

from dataclasses import dataclass

from kpatch_tool.suites.model import StateTests

ABSENT = "absent"


@dataclass(frozen=True, slots=True)
class Delta:
    """A case whose verdict differs from the base's; "absent" stands for a case that was not reported.

    `confidence` is between 0 and 1: how sure it is that the two states differ.
    """

    test: str
    case: str
    base: str
    now: str
    confidence: float


def compare(state: StateTests, base: StateTests) -> tuple[Delta, ...]:
    """The cases of `state` that differ from `base`, in the order of `state`, then the vanished ones."""
    before = {(result.test, result.case): str(result.verdict) for result in base.results}
    after = {(result.test, result.case): str(result.verdict) for result in state.results}
    keys = [*after, *(key for key in before if key not in after)]
    return tuple(
        Delta(test, case, before.get((test, case), ABSENT), after.get((test, case), ABSENT), 1.0)
        for test, case in keys
        if before.get((test, case), ABSENT) != after.get((test, case), ABSENT)
    )
