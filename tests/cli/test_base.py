"""`kpt base`: the commits a series was made on, from the command line."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from kpatch_tool.workspace import Workspace
from tests.conftest import Kpt, git

MMU = "arch/x86/kvm/mmu.c"


def change(repo: Path, path: str, old: str, new: str, subject: str) -> str:
    """One commit that replaces `old` by `new` in `path`; its id."""
    text = (repo / path).read_text()
    assert old in text
    (repo / path).write_text(text.replace(old, new, 1))
    git("commit", "-qam", subject, cwd=repo)
    return git("rev-parse", "HEAD", cwd=repo)


@pytest.fixture
def made(toy_repo: Path, workspace: Workspace, kpt: Kpt, tmp_path: Path) -> dict[str, str]:
    """The series `fix` made on the first commit of the toy kernel, whose main went on by two commits, the second of
    which changes the file, too. The tree `toy` stands at main."""
    first = git("rev-parse", "HEAD", cwd=toy_repo)
    git("checkout", "-qb", "work", cwd=toy_repo)
    change(toy_repo, MMU, "static void drop_spte(", "static void drop_one_spte(", "rename drop_spte")
    git("format-patch", "-q", "--base=main", "-o", tmp_path / "mails", "main..work", cwd=toy_repo)
    git("checkout", "-q", "main", cwd=toy_repo)
    second = change(toy_repo, "virt/kvm/kvm_main.c", "dirty_count != 0", "!!dirty_count", "say it shorter")
    third = change(toy_repo, MMU, "static void drop_spte(", "static int drop_spte(", "in the way")
    kpt("tree", "add", "toy", "--git", toy_repo, "--ref", "main")
    kpt("import", tmp_path / "mails", "--name", "fix")
    return {"first": first, "second": second, "third": third, "repo": str(toy_repo)}


def test_json_is_the_contract(made: dict[str, str], kpt: Kpt) -> None:
    document = kpt("base", "fix", "--json").json
    assert (document["kpt"], document["series"], document["tree"]) == (1, "fix", "toy")
    (one,) = document["exact"]
    assert (one["commit"], one["from"], one["to"]) == (made["first"], made["first"], made["second"])
    assert (one["describe"], one["commits"]) == ("base~2", 2)
    assert document["nearest"] is None
    declared = document["declared"]
    assert (declared["value"], declared["present"], declared["holds"]) == (made["first"], True, True)
    assert document["wanted"][0]["path"] == MMU


def test_text_fits_80_columns(made: dict[str, str], kpt: Kpt) -> None:
    out = kpt("base", "fix", "--tree", "toy").out
    assert all(len(line) <= 80 for line in out.splitlines())
    assert "2 commits hold the file as the patches name it\n" in out
    assert f"  fits  {made['first'][:12]} (base~2)\n" in out


def without_history(repo: str, where: Path) -> Path:
    """The files of a repository alone."""
    shutil.copytree(repo, where, ignore=shutil.ignore_patterns(".git"))
    return where


def test_only_near_is_a_finding(made: dict[str, str], kpt: Kpt, tmp_path: Path) -> None:
    kpt("tree", "add", "alone", "--dir", without_history(made["repo"], tmp_path / "plain"))
    document = kpt("base", "fix", "--tree", "alone", "--json", status=1).json
    assert document["exact"] == []
    (differs,) = document["nearest"]["differs"]
    assert (differs["path"], differs["fits"]) == (MMU, "conflict")
    assert document["declared"]["present"] is False
    out = kpt("base", "fix", "--tree", "alone", status=1).out
    assert "conflict arch/x86/kvm/mmu.c  wants " in out
    assert "this repository does not have it" in out


def test_all_trees(made: dict[str, str], kpt: Kpt, tmp_path: Path) -> None:
    kpt("tree", "add", "alone", "--dir", without_history(made["repo"], tmp_path / "plain"))
    for words in (("--tree", "all"), ()):  # several trees and none in use: all are asked
        document = kpt("base", "fix", *words, "--json").json
        assert (document["tree"], [other["tree"] for other in document["trees"]]) == ("toy", ["alone"])


def test_other_branches_of_the_repository_a_tree_was_made_from(made: dict[str, str], kpt: Kpt, tmp_path: Path) -> None:
    repo = Path(made["repo"])
    git("checkout", "-qb", "elsewhere", cwd=repo)
    change(repo, MMU, "static int drop_spte(", "static long drop_spte(", "another way")
    base = git("rev-parse", "HEAD", cwd=repo)
    change(repo, MMU, "static long drop_spte(", "static char drop_spte(", "a patch")
    git("format-patch", "-q", "-1", "-o", tmp_path / "other", cwd=repo)
    git("reset", "-q", "--hard", "HEAD~", cwd=repo)
    kpt("import", tmp_path / "other", "--name", "other")
    document = kpt("base", "other", "--tree", "toy", "--json").json
    assert [one["commit"] for one in document["exact"]] == [base]
    assert document["repository"].endswith(".git")
    assert document["todo"].startswith("kpt tree add NAME --git ")


def test_what_cannot_be_asked(made: dict[str, str], kpt: Kpt) -> None:
    assert "nothing-like-it" in kpt("base", "nothing-like-it", status=2).err
    assert "no-tree" in kpt("base", "fix", "--tree", "no-tree", status=2).err
    kpt("tree", "add", "thin", "--skeleton", "fix")
    assert "has no history" in kpt("base", "fix", "--tree", "thin", status=2).err
