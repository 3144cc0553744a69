"""What the tests with a real kernel share."""

from __future__ import annotations

from pathlib import Path

import pytest

from kpatch_tool import workspace as workspaces
from kpatch_tool.workspace import Workspace
from tests.conftest import REPO_ROOT, Kpt


@pytest.fixture
def kept(debian_git_dir: Path, kpt: Kpt) -> Workspace:
    """A workspace that stays between runs of the tests, so that the kernel is built once."""
    kept = workspaces.create(REPO_ROOT / ".kpt/tests")
    if debian_git_dir.parents[1] != kept.root:  # the checkout has the tree; else it lies here already
        kpt("tree", "add", "debian-6.1", "--git", debian_git_dir, "--ref", "base", cwd=kept.root)
    return kept
