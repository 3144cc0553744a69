"""Applying real series to Debian's kernel source."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from kpatch_tool.workspace import Workspace
from tests.conftest import SHARED, Kpt, git

pytestmark = pytest.mark.kernel


@pytest.fixture
def debian(debian_git_dir: Path, workspace: Workspace, kpt: Kpt) -> Path:
    """The tree `debian` in the test's workspace; returns its repository."""
    kpt("tree", "add", "debian", "--git", debian_git_dir, "--ref", "base")
    return workspace.trees / "debian.git"


def test_the_whole_source_is_there(debian: Path, kpt: Kpt) -> None:
    """Debian's .gitignore would hide every file."""
    names = git("ls-tree", "-r", "--name-only", "base", cwd=debian).splitlines()
    assert len(names) > 78_000
    assert {"Makefile", ".gitignore", "arch/x86/kvm/mmu/mmu.c", "virt/kvm/kvm_main.c"} <= set(names)
    (row,) = kpt("tree", "list", "--json").json["trees"]
    assert row["version"].startswith("6.1.")


@pytest.mark.parametrize("name", ["k01-memslot-perf-v1-v3", "a12-div64-b64-single", "n05-gbk-v1-v2"])
def test_real_series_end_in_the_blobs_of_git_am(debian: Path, kpt: Kpt, workspace: Workspace, name: str) -> None:
    thread = SHARED / f"data/threads/{name}.mbox"
    if not thread.exists():
        pytest.skip("the threads are not beside this repository")
    expected = json.loads(thread.with_suffix(".expect.json").read_text())["series"][-1]
    kpt("import", thread, "--name", "s")
    document = kpt("apply", "s", "--json").json
    assert {row["status"] for row in document["patches"]} == {"clean"}
    now = {file["path"]: file["blob"] for row in document["patches"] for file in row["files"]}
    assert now == expected["git_am"]["final_blobs"]
