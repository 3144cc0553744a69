"""A git that ends while it is asked: told as the machine's error, and nothing of half an answer is taken."""

from __future__ import annotations

from pathlib import Path

import pytest

from kpatch_tool.errors import MachineError
from kpatch_tool.tree.objects import Objects
from tests.conftest import git


def test_a_git_that_was_killed(tmp_path: Path) -> None:
    git("init", "-q", cwd=tmp_path)
    with pytest.raises(MachineError, match="git cannot read this repository"), Objects(tmp_path / ".git") as objects:
        assert objects.commit("main") is None
        child = objects._process
        assert child is not None
        child.kill()
        child.wait()
        objects.commit("main")


@pytest.mark.parametrize("said", ["'", f"{'1' * 40} bl'", f"{'1' * 40} blob 7\\nabc'"])
def test_half_an_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str) -> None:
    program = tmp_path / "git"
    program.write_text(f"#!/bin/sh\nread asked; printf '{said}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    with pytest.raises(MachineError, match="git cannot read this repository"), Objects(tmp_path) as objects:
        objects.blob("1" * 40)
