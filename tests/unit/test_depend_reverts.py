"""Which commit a revert takes back: a patch of the series, or one of the base."""

from __future__ import annotations

import pytest

from kpatch_tool.depend.graph import dependencies
from kpatch_tool.depend.model import Edge, EdgeKind
from tests.clock import within
from tests.patch_texts import patch, series

OF_BASE, OF_SERIES = "b" * 12, "a" * 12
X, REVERT_X, REAPPLY_X = "KVM: one", 'Revert "KVM: one"', 'Reapply "KVM: one"'
BODY = b"""--- a/virt/kvm/kvm_main.c
+++ b/virt/kvm/kvm_main.c
@@ -100,3 +100,3 @@ void kvm_flush_remote_tlbs(struct kvm *kvm)
 \tflush(kvm);
-\tkvm->tlbs_dirty = false;
+\tcmpxchg(&kvm->tlbs_dirty, dirty_count, 0);
 }
"""
CALL = b"""--- a/arch/x86/kvm/mmu.c
+++ b/arch/x86/kvm/mmu.c
@@ -50,2 +50,3 @@ static void zap(struct kvm *kvm)
 \tspin_unlock(&kvm->mmu_lock);
+\tkvm_flush_remote_tlbs(kvm);
 }
"""


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


@pytest.mark.parametrize(
    "message",
    [
        f"This reverts commit {OF_SERIES}.\n\nThis reverts commit {OF_BASE}, which is in the base.",
        f'This reverts commit {OF_BASE} ("KVM:\nold").\nThis reverts commit {OF_SERIES}.',
        f'This reverts commit {OF_BASE}.\nThis reverts commit {OF_SERIES} ("KVM:\none").',
        f"This reverts commit {OF_BASE} (KVM: old, 2014-05-06).\nThis reverts commit {OF_SERIES}.",
    ],
)
def test_a_revert_of_two_commits(message: str) -> None:
    needs = dependencies(series(patch(1, subject=X), patch(2, subject=REVERT_X, message=message)))
    assert needs.edges == (Edge(2, 1, EdgeKind.REVERT, "it reverts 1/2"),)
    assert [(one.patch, one.commit) for one in needs.external] == [(2, OF_BASE)]


def test_a_title_quoted_otherwise() -> None:
    """The title of the patch is that of the one commit its text names, however it is quoted there."""
    message = f'This reverts commit {OF_SERIES} ("one").'
    assert dependencies(series(patch(1, subject=X), patch(2, subject=REVERT_X, message=message))).external == ()


def test_what_relies_on_a_revert_of_two_commits() -> None:
    message = f'Both at once.\n\nThis reverts commit {OF_SERIES} ("{X}").\nThis reverts commit {OF_BASE}.'
    needs = dependencies(series(patch(1, subject=X), patch(2, BODY, message=message), patch(3, CALL)))
    assert [(edge.patch, edge.needs) for edge in needs.edges] == [(2, 1), (3, 2)]
    assert f"as it reverts commits {OF_SERIES}, {OF_BASE}" in needs.edges[1].why
    assert [one.commit for one in needs.external] == [OF_BASE]


@pytest.mark.parametrize("mark", ['"', "", '"x")'])
def test_many_reverts_take_no_long_time(mark: str) -> None:
    message = "".join(f"This reverts commit {number:012x} ({mark}\n" for number in range(5_000))
    patches = (patch(number, subject=REVERT_X, message=message) for number in range(1, 11))
    with within(5):
        dependencies(series(*patches))
