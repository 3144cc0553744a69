"""What is asked of a build, beside builds that are made up."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from kpatch_tool.bisect.model import Answer
from kpatch_tool.bisect.questions import Builder, Warns
from kpatch_tool.kbuild.model import Diagnostic, StateBuild
from kpatch_tool.tree.model import State
from tests.results_fixtures import make_build

MISMATCH = Diagnostic("a/kvm-amd.o", 0, "section mismatch in reference: f (section: .text) -> x (section: .init.data)")
UNUSED = Diagnostic("a/x86.c", 12, "unused variable 'r'", "-Wunused-variable")
UNDEFINED = Diagnostic("a/kvm-amd.ko", 0, '"f" [a/kvm-amd.ko] undefined!')
SYNTAX = Diagnostic("a/svm.c", 3, "expected ';'")


def failed(error: Diagnostic, *warnings: Diagnostic) -> StateBuild:
    return replace(make_build(1, "failed", why=f"does not build: {error.told}", warnings=warnings), errors=(error,))


@pytest.mark.parametrize(
    ("built", "pattern", "answer", "why"),
    [
        (make_build(1, warnings=(UNUSED,)), "*", Answer.BAD, "a/x86.c: unused variable 'r' [-Wunused-variable]"),
        (failed(SYNTAX, UNUSED), "*unused*", Answer.BAD, "a/x86.c: unused variable 'r' [-Wunused-variable]"),
        (failed(SYNTAX), "*unused*", Answer.SKIP, "it does not build: a/svm.c:3: expected ';'"),
        (failed(UNDEFINED), "*unused*", Answer.GOOD, "no such warning"),
        (failed(MISMATCH, MISMATCH), "*unused*", Answer.GOOD, "no such warning"),
        (failed(MISMATCH, MISMATCH), "*mismatch*", Answer.BAD, f"a/kvm-amd.o: {MISMATCH.message}"),
    ],
)
def test_warnings(monkeypatch: pytest.MonkeyPatch, built: StateBuild, pattern: str, answer: Answer, why: str) -> None:
    states = State(0, "0" * 40, "0" * 40), State(1, "1" * 40, "1" * 40)
    monkeypatch.setattr(Builder, "build", lambda self, state: built if state.patch else make_build(0))
    nothing: Any = None
    looked = Warns(Builder(nothing, nothing, "x86_64"), states[0], pattern).look(states[1], 0)
    assert (looked.answer, looked.why) == (answer, why)
