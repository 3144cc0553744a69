"""What a state that does not build lacks, and which later patch of its series brings it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from kpatch_tool.depend.model import Edge, EdgeKind
from kpatch_tool.kbuild.later import explained
from kpatch_tool.kbuild.model import Diagnostic, StateBuild
from kpatch_tool.results.answer import answer
from tests.results_fixtures import make_applied, make_build, make_series

WHY = "calls kvm_note(), which 6/7 adds to arch/x86/kvm/x86.h, and nothing before has"
EDGES = (Edge(4, 3, EdgeKind.TEXTUAL, "its context has `kvm_note`"), Edge(4, 6, EdgeKind.SYMBOL, WHY))


def failed(patch: int, *messages: str) -> StateBuild:
    errors = tuple(Diagnostic("a.c", 1, message) for message in messages)
    return replace(make_build(patch, "failed", why=f"does not build: {errors[0].told}"), errors=errors)


@pytest.mark.parametrize(
    ("patch", "message", "known"),
    [
        (4, "implicit declaration of function 'kvm_note'; did you mean 'kvm_not'?", True),
        (5, '"kvm_note" [arch/x86/kvm/kvm.ko] undefined!', True),
        (5, "'struct kvm_note' declared inside parameter list", True),
        (4, "'kvm_nope' undeclared (first use in this function); did you mean 'kvm_note'?", False),
        (4, "expected ';' before kvm_note", False),
        (3, "implicit declaration of function 'kvm_note'", False),
        (6, "implicit declaration of function 'kvm_note'", False),
    ],
)
def test_what_a_later_patch_brings(patch: int, message: str, known: bool) -> None:
    build = failed(patch, "another", message)
    later = f"patch 4 {WHY}" if known else ""
    told = explained(build, EDGES)
    assert told == replace(build, later=later, why=f"{build.why}; {later}" if known else build.why)
    assert explained(told, EDGES) == told


def test_a_state_that_builds_lacks_nothing() -> None:
    assert explained(make_build(4), EDGES) == make_build(4)


def test_the_answer_to_a_run_says_so() -> None:
    builds = [make_build(0), explained(failed(4, "implicit declaration of function 'kvm_note'"), EDGES)]
    said = answer("s", "t", make_applied(make_series("a")), builds, [])
    assert f"patch 4 does not build (a.c:1: implicit declaration of function 'kvm_note'; patch 4 {WHY})" in said
