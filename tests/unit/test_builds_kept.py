"""Builds found again: only what is there as it was built, and no more work than that takes."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from kpatch_tool.kbuild import artifacts
from kpatch_tool.kbuild.artifacts import Artifacts, Origin
from kpatch_tool.kbuild.model import BuildStatus, StateBuild
from kpatch_tool.storage.contents import digest_of
from kpatch_tool.tree.model import State
from kpatch_tool.workspace import Workspace

_STATE = State(1, "c", "t")
_FILES = ("kvm.ko", "config")


def keep(workspace: Workspace, name: str) -> Artifacts:
    """The builds of the workspace with one more, called `name`."""
    files = {file: workspace.root / file for file in (*_FILES, "log")}
    for file, path in files.items():
        path.write_text(file * 100)
    module = artifacts.module("kvm.ko", files["kvm.ko"])
    build = StateBuild(1, "c", BuildStatus.OK, 1.0, False, (module,), (), (), None, files.pop("log"), "")
    kept = Artifacts(workspace)
    kept.store(name, build, _STATE, Origin("t", "x86_64", "g"), files)
    return kept


@pytest.mark.parametrize("file", _FILES)
def test_a_build_is_none_where_a_file_has_lost_its_content(workspace: Workspace, file: str) -> None:
    kept = keep(workspace, "a" * 64)
    assert kept.load("a" * 64, _STATE)
    path = kept.directory("a" * 64) / file
    size = path.stat().st_size
    path.chmod(0o644)
    os.truncate(path, 0)
    os.truncate(path, size)
    assert kept.load("a" * 64, _STATE) is None


def test_a_content_is_read_once(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []

    def watched(file: Path) -> str:
        read.append(file.name)
        return digest_of(file)

    monkeypatch.setattr(f"{artifacts.__name__}.digest_of", watched)
    keep(workspace, "a" * 64)
    kept = keep(workspace, "b" * 64)
    for name in ("a" * 64, "b" * 64, "a" * 64):
        assert kept.load(name, _STATE)
    assert sorted(read) == sorted(_FILES)
