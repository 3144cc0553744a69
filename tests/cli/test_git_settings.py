"""A git configuration of the user's that git cannot read, or that forbids: no tree is blamed for it."""

from __future__ import annotations

from pathlib import Path

import pytest

from kpatch_tool.workspace import Workspace
from tests.conftest import Kpt, git, only_described

SETTINGS = [
    ({"GIT_CONFIG_PARAMETERS": "foo"}, "GIT_CONFIG_PARAMETERS"),
    ({"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "core.bare", "GIT_CONFIG_VALUE_0": "nonsense"}, "core.bare"),
]


@pytest.fixture
def broken(tmp_path: Path) -> dict[str, str]:
    """An environment with a configuration of which git cannot read the first line."""
    file = tmp_path / "broken.config"
    file.write_text("[user\nname = x\n")
    return {"GIT_CONFIG_GLOBAL": str(file)}


@pytest.fixture
def applied(toy_repo: Path, workspace: Workspace, kpt: Kpt) -> None:
    """Series `s`, applied to tree `toy`."""
    git("checkout", "-qb", "work", cwd=toy_repo)
    (toy_repo / "kernel/sched.c").write_text("/* less */\n")
    git("commit", "-qam", "less", cwd=toy_repo)
    kpt("tree", "add", "toy", "--git", toy_repo, "--ref", "main")
    kpt("import", "main..work", "--git", toy_repo, "--name", "s")
    kpt("apply", "s", "--tree", "toy")


@pytest.mark.usefixtures("applied")
def test_no_tree_is_blamed_for_the_users_configuration(kpt: Kpt, broken: dict[str, str], toy_repo: Path) -> None:
    add = ("tree", "add", "two", "--git", str(toy_repo), "--ref", "main")
    for words in (("apply", "s", "--patches", "1"), ("undo", "s"), ("build", "s", "--patch", "1"), ("base", "s"), add):
        said = kpt(*words, env=broken, status=3).err
        told = "kpt: git cannot read its configuration: bad config line 1 in file"
        assert said.splitlines()[-1] == f"{told} {broken['GIT_CONFIG_GLOBAL']}; correct that file"
    for env, named in SETTINGS:
        said = kpt("apply", "s", "--patches", "1", env=env, status=3).err
        assert "git cannot read its configuration" in said and named in said and "remove" not in said


@pytest.mark.usefixtures("applied")
def test_branches_of_the_users_are_not_lost_for_a_bad_configuration(
    workspace: Workspace, kpt: Kpt, broken: dict[str, str]
) -> None:
    git("branch", "mine", "base", cwd=workspace.trees / "toy.git")
    assert "configuration" in kpt("tree", "remove", "toy", env=broken, status=3).err
    assert (workspace.trees / "toy.git").is_dir()


def test_a_transport_that_git_may_not_use(workspace: Workspace, kpt: Kpt, toy_repo: Path) -> None:
    add = ("tree", "add", "two", "--git", str(toy_repo), "--ref", "main")
    said = kpt(*add, env={"GIT_ALLOW_PROTOCOL": "https"}, status=3).err
    assert "git is configured not to use transport 'file'; allow it" in said and ".kpt-staging" not in said
    add = ("tree", "add", "two", "--git", "https://127.0.0.1:1/x", "--ref", "main")
    assert "transport 'https'; allow" in kpt(*add, env={"GIT_ALLOW_PROTOCOL": "file"}, status=3).err
    assert only_described(workspace)
