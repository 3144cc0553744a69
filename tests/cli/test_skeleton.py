"""A tree made from nothing but a series' own hunks."""

from __future__ import annotations

from pathlib import Path

import pytest

from kpatch_tool.series.directory import store
from kpatch_tool.tree.sources.skeleton import base_files
from kpatch_tool.workspace import Workspace
from tests.conftest import REPO_ROOT, SHARED, Kpt, git
from tests.repositories import change, patches

MMU = "arch/x86/kvm/mmu.c"


@pytest.fixture
def chain(toy_repo: Path, tmp_path: Path) -> Path:
    """Mails of a series whose patches build on one another, create, rename and delete."""
    git("checkout", "-qb", "work", cwd=toy_repo)
    change(toy_repo, MMU, "static void drop_spte(", "static void drop_one_spte(", "one")
    change(toy_repo, MMU, "drop_one_spte(unsigned long *sptep)", "drop_one_spte(unsigned long *p)", "two")
    change(toy_repo, MMU, " * A toy of the shadow MMU.\n", " * A toy.\n * Of the MMU.\n", "three")
    (toy_repo / "new.h").write_text("int new;\n")
    git("mv", "virt/lib/irqbypass.c", "virt/lib/bypass.c", cwd=toy_repo)
    git("add", "-f", "new.h", cwd=toy_repo)
    git("rm", "-q", "kernel/sched.c", cwd=toy_repo)
    change(toy_repo, "virt/lib/bypass.c", "return 0;", "return 1;", "four")
    change(toy_repo, "new.h", "int new;\n", "int newer;\n", "five")
    return patches(toy_repo, tmp_path / "mails")


def test_a_series_applies_with_no_kernel_at_hand(chain: Path, kpt: Kpt, workspace: Workspace) -> None:
    kpt("import", chain, "--name", "s")
    shown = kpt("apply", "series/s")
    assert "no kernel tree is here" in shown.out
    assert "proves nothing" in shown.out
    document = kpt("apply", "series/s", "--json").json
    assert document["tree"] == "skeleton-s"
    assert [row["status"] for row in document["patches"]] == ["clean"] * 5
    assert [row["name"] for row in kpt("tree", "list", "--json").json["trees"]] == ["skeleton-s"]


def test_whether_it_fits_is_asked_of_a_tree(chain: Path, kpt: Kpt, workspace: Workspace) -> None:
    kpt("import", chain, "--name", "s")
    assert "no kernel tree is here" in kpt("apply", "s", "--check", status=2).err
    assert kpt("tree", "list", "--json").json["trees"] == []


def test_only_named_lines_are_in_it(chain: Path, kpt: Kpt, workspace: Workspace, toy_repo: Path) -> None:
    kpt("import", chain, "--name", "s")
    files = base_files(store.load(workspace.series / "s"))
    assert sorted(files) == [MMU, "kernel/sched.c", "virt/lib/irqbypass.c"]
    git("checkout", "-q", "main", cwd=toy_repo)
    mode, data = files[MMU]
    real = (toy_repo / MMU).read_bytes().split(b"\n")
    known = [(ours, theirs) for ours, theirs in zip(data.split(b"\n"), real, strict=False) if ours]
    assert mode == "100644"
    assert len(known) >= 8
    assert all(ours == theirs for ours, theirs in known)


def test_a_changed_series_gets_another_skeleton(chain: Path, kpt: Kpt, workspace: Workspace) -> None:
    kpt("import", chain, "--name", "s")
    first = kpt("apply", "s", "--json").json
    assert kpt("apply", "s", "--json").json == first
    for name in ("0004-four.patch", "0005-five.patch"):
        (chain / name).unlink()
    kpt("import", chain, "--name", "s", "--force")
    second = kpt("apply", "s", "--json").json
    assert len(second["patches"]) == 3
    assert second["base"] != first["base"]


def test_a_real_tree_comes_before_a_skeleton(chain: Path, toy_repo: Path, kpt: Kpt, workspace: Workspace) -> None:
    kpt("import", chain, "--name", "s")
    kpt("apply", "s")
    kpt("tree", "add", "toy", "--git", toy_repo, "--ref", "main")
    assert kpt("apply", "s", "--json").json["tree"] == "toy"
    assert kpt("apply", "s", "--tree", "skeleton-s", "--json").json["tree"] == "skeleton-s"


def test_the_mailing_list_series_as_received(kpt: Kpt, workspace: Workspace) -> None:
    page = SHARED / "data/tlb-flush-v5.txt"
    if not page.exists():
        pytest.skip("the page is not beside this repository")
    kpt("import", page, "--name", "tlb-flush-v5")
    document = kpt("apply", "series/tlb-flush-v5", "--json").json
    assert [row["status"] for row in document["patches"]] == ["clean"] * 5
    assert {row["exactness"] for row in document["patches"]} == {"damaged"}


def test_the_series_of_this_repository(kpt: Kpt, workspace: Workspace) -> None:
    """`kpt apply series/tlb-flush-v5` in a fresh clone with no kernel."""
    source = REPO_ROOT / "series/tlb-flush-v5"
    if not source.exists():
        pytest.skip("series/tlb-flush-v5 is not there yet")
    (workspace.series / "tlb-flush-v5").symlink_to(source)
    document = kpt("apply", "series/tlb-flush-v5", "--json").json
    assert [row["status"] for row in document["patches"]] == ["clean"] * 5
    assert {row["exactness"] for row in document["patches"]} <= {"matched", "damaged"}
