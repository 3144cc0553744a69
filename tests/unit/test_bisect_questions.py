"""Questions about builds, with builds made up."""

from __future__ import annotations

from typing import Any

import pytest

from kpatch_tool.bisect.questions import Builder, Warns
from kpatch_tool.errors import InputError
from kpatch_tool.kbuild.model import Diagnostic
from kpatch_tool.tree.model import State
from tests.results_fixtures import make_build


def test_warnings_beside_a_base_that_does_not_build(monkeypatch: pytest.MonkeyPatch) -> None:
    """All of them would be new: the search would blame the patch that mends the build."""
    old = Diagnostic("a.c", 1, "old", "-Wold")
    built = {0: make_build(0, "failed", why="1 error"), 1: make_build(1, warnings=(old,))}
    monkeypatch.setattr(Builder, "build", lambda self, state: built[state.patch])
    nothing: Any = None
    base, mended = (State(patch, f"{patch:040x}", f"{patch:040x}") for patch in range(2))
    with pytest.raises(InputError, match="the base has no warnings to compare with: 1 error"):
        Warns(Builder(nothing, nothing, "x86_64"), base).look(mended, 0)
