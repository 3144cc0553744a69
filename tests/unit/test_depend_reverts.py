"""Which commit a revert takes back: a patch of the series, or one of the base."""

from __future__ import annotations

import pytest

from kpatch_tool.depend.graph import dependencies
from kpatch_tool.depend.model import Edge, EdgeKind
from tests.patch_texts import patch, series

OF_BASE, OF_SERIES = "b" * 12, "a" * 12
X, REVERT_X, REAPPLY_X = "KVM: one", 'Revert "KVM: one"', 'Reapply "KVM: one"'


@pytest.mark.parametrize(
    "titles",
    [
        (X, REVERT_X, REAPPLY_X),
        (X, REVERT_X, f'Revert "{REVERT_X}"'),
        (X, REVERT_X, REAPPLY_X, f'Revert "{REAPPLY_X}"'),
        (X, f"KVM: x86: {REVERT_X}", f"KVM: x86: {REAPPLY_X}"),
    ],
)
def test_a_revert_of_a_revert(titles: tuple[str, ...]) -> None:
    """git calls it Reapply since 2.43."""
    text = f"This reverts commit {OF_SERIES}."
    patches = [patch(at, subject=title, message=text if at > 1 else "") for at, title in enumerate(titles, 1)]
    needs = dependencies(series(*patches))
    assert needs.external == ()
    said = [Edge(at + 1, at, EdgeKind.REVERT, f"it reverts {at}/{len(patches)}") for at in range(1, len(patches))]
    assert list(needs.edges) == said


def test_a_reapplied_patch_of_the_base() -> None:
    needs = dependencies(series(patch(1), patch(2, subject=REAPPLY_X, message=f"This reverts commit {OF_BASE}.")))
    assert needs.edges == ()
    assert [(one.patch, one.commit) for one in needs.external] == [(2, OF_BASE)]
