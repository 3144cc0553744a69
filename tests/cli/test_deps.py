"""`kpt deps`: the graph from the command line, and what `kpt apply --patches` makes of it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from kpatch_tool.workspace import Workspace
from tests.conftest import SHARED, Kpt, git
from tests.repositories import change

MMU = "arch/x86/kvm/mmu.c"
THREAD = SHARED / "data" / "tlb-flush-v5.txt"


@pytest.fixture
def three(toy_repo: Path, workspace: Workspace, kpt: Kpt, tmp_path: Path) -> Path:
    """The series `three`: 1 stands alone, 2 adds a function, 3 calls it from another file."""
    git("checkout", "-qb", "work", cwd=toy_repo)
    change(toy_repo, "virt/kvm/kvm_main.c", "dirty_count != 0", "!!dirty_count", "say it shorter")
    helper = "void kvm_toy_helper(void)\n{\n}\n\nstatic void drop_spte("
    change(toy_repo, MMU, "static void drop_spte(", helper, "add a helper")
    text = (toy_repo / "arch/x86/kvm/x86.c").read_text()
    at = text.index("{\n") + 2
    change(toy_repo, "arch/x86/kvm/x86.c", text[:at], text[:at] + "\tkvm_toy_helper();\n", "call it")
    git("format-patch", "-q", "-o", tmp_path / "mails", "main..work", cwd=toy_repo)
    kpt("import", tmp_path / "mails", "--name", "three")
    return toy_repo


def test_json_is_the_contract(three: Path, kpt: Kpt) -> None:
    document = kpt("deps", "three", "--json").json
    assert document["kpt"] == 1
    why = f"calls kvm_toy_helper(), which 2/3 adds to {MMU}"
    assert document["edges"] == [{"patch": 3, "needs": 2, "kind": "symbol", "why": why, "made_on": False}]
    assert (document["order"], document["external"], document["cycles"]) == ([1, 2, 3], [], [])
    assert kpt("deps", "three", "--format", "json").json == document


def test_text_fits_80_columns(three: Path, kpt: Kpt) -> None:
    out = kpt("deps", "three").out
    assert all(len(line) <= 80 for line in out.splitlines())
    assert out.startswith("1/3 say it shorter\n      needs no other patch\n")
    assert out.endswith("order: 1 2 3\n")


def test_dot_and_mermaid(three: Path, kpt: Kpt) -> None:
    assert '  p3 -> p2 [label="symbol", tooltip=' in kpt("deps", "three", "--format", "dot").out
    assert "  p3 -->|symbol| p2\n" in kpt("deps", "three", "--format", "mermaid").out


def test_apply_brings_what_a_patch_needs(three: Path, kpt: Kpt) -> None:
    kpt("tree", "add", "toy", "--git", three, "--ref", "main")
    rows = kpt("apply", "three", "--patches", "3", "--json").json["patches"]
    assert [row["number"] for row in rows if row["commit"]] == [2, 3]


def test_a_reverted_commit_is_looked_for_in_the_tree(
    toy_repo: Path, workspace: Workspace, kpt: Kpt, tmp_path: Path
) -> None:
    """Known by its history, or (a tree without one) by its lines; missing is a finding."""
    change(toy_repo, "virt/kvm/kvm_main.c", "dirty_count != 0", "!!dirty_count", "say it shorter")
    commit = git("rev-parse", "HEAD", cwd=toy_repo)
    git("checkout", "-qb", "work", cwd=toy_repo)
    git("revert", "--no-edit", "HEAD", cwd=toy_repo)
    git("format-patch", "-q", "-o", tmp_path / "mails", "main..work", cwd=toy_repo)
    kpt("import", tmp_path / "mails", "--name", "revert")

    def present(tree: str, status: int = 0) -> object:
        (one,) = kpt("deps", "revert", "--tree", tree, "--json", status=status).json["external"]
        assert (one["patch"], one["kind"], one["commit"]) == (1, "revert", commit)
        return one["present"]

    (one,) = kpt("deps", "revert", "--json").json["external"]
    assert one["present"] is None
    kpt("tree", "add", "with", "--git", toy_repo, "--ref", "main")
    kpt("tree", "add", "without", "--git", toy_repo, "--ref", "main~")
    git("checkout", "-q", "main", cwd=toy_repo)
    kpt("tree", "add", "files", "--dir", toy_repo)
    assert present("with") is True
    assert present("files") is True
    assert present("without", status=1) is False
    assert "it is NOT there" in kpt("deps", "revert", "--tree", "without", status=1).out


def test_a_patch_that_calls_what_a_later_one_adds(three: Path, kpt: Kpt, tmp_path: Path) -> None:
    """Told where a tree is here: its base has no such name."""
    mails = sorted((tmp_path / "mails").iterdir())
    swapped = tmp_path / "swapped"
    swapped.mkdir()
    for number, mail in enumerate((mails[0], mails[2], mails[1]), start=1):
        text = re.sub(r"PATCH \d/3", f"PATCH {number}/3", mail.read_text())
        (swapped / f"{number}.patch").write_text(re.sub(r"^index .*\n", "", text, flags=re.MULTILINE))
    kpt("import", swapped, "--name", "swapped")
    assert kpt("deps", "swapped", "--json").json["order"] == [1, 2, 3]
    kpt("tree", "add", "toy", "--git", three, "--ref", "main")
    told = kpt("deps", "swapped", "--tree", "toy", "--json").json
    assert told["order"] == [1, 3, 2]
    (edge,) = told["edges"]
    assert (edge["patch"], edge["needs"], edge["kind"]) == (2, 3, "symbol")
    assert edge["why"] == f"calls kvm_toy_helper(), which 3/3 adds to {MMU}, and nothing before has"
    kpt("tree", "add", "other", "--git", three, "--ref", "main")
    assert kpt("deps", "swapped", "--json").json["order"] == [1, 2, 3]  # either tree might be meant
    kpt("apply", "swapped", "--tree", "toy")
    assert kpt("deps", "swapped", "--json").json == told


def test_unknown_names(three: Path, kpt: Kpt) -> None:
    assert "nothing-like-it" in kpt("deps", "nothing-like-it", status=2).err
    assert "no-tree" in kpt("deps", "three", "--tree", "no-tree", status=2).err
    kpt("deps", "three", "--format", "png", status=2)


@pytest.mark.skipif(not THREAD.is_file(), reason="the shared thread is not here")
def test_the_seed(workspace: Workspace, kpt: Kpt) -> None:
    kpt("import", THREAD, "--name", "tlb-flush-v5")
    document = kpt("deps", "tlb-flush-v5", "--json").json
    edges = {(edge["patch"], edge["needs"], edge["kind"]): edge["why"] for edge in document["edges"]}
    assert edges[3, 2, "symbol"] == f"uses `sp`, which 2/5 adds to fast_page_fault() in {MMU}"
    assert edges[3, 2, "textual"] == f"made on {MMU} 6310704, as 2/5 leaves it"
    assert "kvm_flush_remote_tlbs()" in edges[5, 1, "revert"]
    assert set(edges) == {
        (3, 2, "symbol"),
        (3, 2, "textual"),
        (4, 3, "textual"),
        (5, 1, "revert"),
        (5, 3, "textual"),
        (5, 4, "textual"),
        (5, 4, "declared"),
    }
    assert document["order"] == [1, 2, 3, 4, 5]
    (outside,) = document["external"]
    assert outside["commit"].startswith("5befdc385ddb")
    assert outside["present"] is None
