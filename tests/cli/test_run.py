"""`kpt run` on the toy kernel: everything up to the first boot (what it makes cannot boot; tests/kernel goes on)."""

from __future__ import annotations

from pathlib import Path

import pytest

from kpatch_tool.workspace import Workspace
from tests.conftest import Kpt, git
from tests.repositories import change

MMU, SVM = "arch/x86/kvm/mmu.c", "arch/x86/kvm/svm.c"


@pytest.fixture
def repo(toy_repo: Path, workspace: Workspace, kpt: Kpt, tmp_path: Path) -> Path:
    """The series `three`, whose second patch does not compile, in a workspace without trees."""
    git("checkout", "-qb", "work", cwd=toy_repo)
    change(toy_repo, MMU, "int kvm_mmu_write_protect(", "int kvm_mmu_protect(", "KVM: rename")
    change(toy_repo, MMU, "unsigned long spte = *sptep;", "unsigned long spte = *sptep + nothing;", "KVM: break")
    change(toy_repo, MMU, "*sptep + nothing;", "*sptep + 0;", "KVM: repair")
    git("format-patch", "-q", "-o", tmp_path / "mails", "main..work", cwd=toy_repo)
    kpt("import", tmp_path / "mails", "--name", "three")
    git("checkout", "-q", "main", cwd=toy_repo)
    return toy_repo


def test_on_a_machine_without_a_kernel_tree(repo: Path, kpt: Kpt, workspace: Workspace) -> None:
    ran = kpt("run", "series/three", status=3)
    said = " ".join(ran.out.split())
    assert "no kernel tree is here: applied to skeleton-three, made of the series' own lines" in said
    assert "`kpt tree add debian-6.1` helps" in said
    assert (
        "three applies to skeleton-three; nothing was built: skeleton-three is made of the series' own lines." in said
    )
    assert "patch 3   apply    clean\n" in ran.err
    report = workspace.state / "reports" / "three" / "report.html"
    assert "report: .kpt/reports/three/report.html\n" in ran.out and report.is_file()
    assert kpt("report").out in ran.out


def test_a_conflict_ends_with_1(repo: Path, kpt: Kpt) -> None:
    change(repo, MMU, "int kvm_mmu_write_protect(", "long kvm_mmu_write_protect(", "in the way")
    kpt("tree", "add", "toy", "--git", repo, "--ref", "main")
    ran = kpt("run", "three", "--json", status=1)
    assert ran.json["sentence"].startswith("three does not apply to toy: patch 1 conflicts (")
    assert [patch["stages"]["build"]["why"] for patch in ran.json["patches"]] == ["the series does not apply"] * 3
    assert ran.json["build"]["states"] == ran.json["test"]["states"] == []


def test_configuration_is_added_to_every_build_and_told(
    toy_repo: Path, workspace: Workspace, kpt: Kpt, tmp_path: Path
) -> None:
    """Before and behind a patch that compiles without it only. No guest can be booted: that is not asked for here."""
    git("checkout", "-qb", "work", cwd=toy_repo)
    change(toy_repo, SVM, "int ", "int odd = nothing;\nint ", "KVM: break AMD's")
    git("format-patch", "-q", "-o", tmp_path / "mails", "main..work", cwd=toy_repo)
    kpt("import", tmp_path / "mails", "--name", "one")
    kpt("tree", "add", "toy", "--git", toy_repo, "--ref", "main")
    (tmp_path / "no-amd").write_text("CONFIG_KVM_AMD=n\n")
    ran = kpt("run", "one", "--config", tmp_path / "no-amd", "--suite", "selftests", "--json", status=None).json
    assert [state["status"] for state in ran["build"]["states"]] == ["ok", "ok"]
    assert ran["config"] == ["CONFIG_KVM_AMD=n"]
    told = "with CONFIG_KVM_AMD=n besides kpt's own configuration"
    assert told in " ".join(kpt("report", status=None).out.split())
    assert kpt("build", "one", "--json", status=1).json["states"][0]["status"] == "failed"


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("nothing",), "kpt: nothing: no such series; there is: three\n"),
        (("three", "--tree", "x"), "kpt: there is no tree 'x'"),
        (("three", "--each", "--head"), "kpt: --each and --head exclude each other; give one of them\n"),
        (("three", "--suite", "x"), "kpt: no suite 'x' here"),
    ],
)
def test_names_that_mean_nothing(repo: Path, kpt: Kpt, arguments: tuple[str, ...], line: str) -> None:
    ran = kpt("run", *arguments, status=2)
    assert ran.err.splitlines(keepends=True)[-1].startswith(line)
    assert ran.out == ""


def test_a_missing_tool_is_said_at_once(repo: Path, kpt: Kpt, tmp_path: Path) -> None:
    kpt("tree", "add", "toy", "--git", repo, "--ref", "main")
    (tmp_path / "git").symlink_to("/usr/bin/git")
    ran = kpt("run", "three", env={"PATH": str(tmp_path)}, status=3)
    assert ran.err.startswith("kpt: `kpt run` needs make, gcc, ld, flex")
    assert ran.err.count("\n") == 1
