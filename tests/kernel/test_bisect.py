"""`kpt bisect` for real: the demo series on Debian's kernel, booted."""

from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path

import pytest

from kpatch_tool import workspace as workspaces
from kpatch_tool.workspace import Workspace
from tests.conftest import REPO_ROOT, Kpt

pytestmark = [pytest.mark.kernel, pytest.mark.timeout(3000)]

DEMO = "bisect-demo-6.1"


@pytest.fixture
def kept(debian_git_dir: Path, kpt: Kpt) -> Workspace:
    """A workspace that stays between runs of the tests, so that the kernel is built once; with the demo in it."""
    kept = workspaces.create(REPO_ROOT / ".kpt/tests")
    if debian_git_dir.parents[1] != kept.root:
        kpt("tree", "add", "debian-6.1", "--git", debian_git_dir, "--ref", "base", cwd=kept.root)
    shutil.copytree(REPO_ROOT / "series" / DEMO, kept.series / DEMO, dirs_exist_ok=True)
    kpt("apply", DEMO, "--tree", "debian-6.1", cwd=kept.root)
    return kept


def test_the_demo_names_the_patch_and_the_smallest_set(kept: Workspace, kpt: Kpt) -> None:
    words = ("--suite", "kpt-guest", "--test", "hypercall", "--variant", "default", "--restart", "--minimal", "--json")
    document = kpt("bisect", DEMO, *words, cwd=kept.root, status=1, timeout=2400).json
    assert document["culprit"]["patch"] == 6
    assert document["confidence"] >= 0.95
    assert "in user mode it returns -KVM_EPERM: pass, now fail" in document["why"]
    answers = Counter((step["patch"], step["verdict"]) for step in document["steps"])
    assert answers[6, "bad"] >= 2 and answers[5, "good"] >= 2
    assert len(document["steps"]) <= 9
    minimal = document["minimal"]
    assert [row["patch"] for row in minimal["patches"]] == [1, 6]
    dropped = {row["patch"]: row["why"] for row in minimal["dropped"]}
    assert all(dropped[patch].startswith("commutes") for patch in (2, 3, 5))
    assert all("after the patch" in dropped[patch] for patch in (7, 8, 9))


def test_the_demo_has_a_patch_that_does_not_build_alone(kept: Workspace, kpt: Kpt) -> None:
    kpt("apply", DEMO, "--patches", "7", "--no-deps", cwd=kept.root)
    built = kpt("build", DEMO, "--json", cwd=kept.root, status=1, timeout=2400).json
    (error, *_) = built["states"][-1]["errors"]
    assert error["file"] == "arch/x86/kvm/svm/svm.c" and "kvm_handle_nothing" in error["message"]
    document = kpt("bisect", DEMO, "--build", "--json", cwd=kept.root, status=1, timeout=2400).json
    assert document["culprit"]["patch"] == 7
    kpt("apply", DEMO, cwd=kept.root)
    assert "nothing to find" in kpt("bisect", DEMO, "--build", cwd=kept.root, timeout=2400).out


def test_numbers_of_a_real_kernel(kept: Workspace, kpt: Kpt) -> None:
    """A size is exact; cycles under an emulator are anything but. No patch makes `cpuid` cost ten times as much."""
    size = ("bisect", DEMO, "--measure", "text:kvm.ko", "--threshold", "100%", "--json")
    assert kpt(*size, cwd=kept.root, timeout=2400).json["culprit"] is None
    cycles = ("bisect", DEMO, "--measure", "test:exits:cpuid", "--threshold", "1000%", "--restart", "--json")
    document = kpt(*cycles, cwd=kept.root, timeout=2400).json
    assert document["culprit"] is None
    assert all(step["value"] > 0 for step in document["steps"])
    wrong = ("bisect", DEMO, "--measure", "test:exits:cpuidd")
    assert "prints no number called cpuidd, but cpuid" in kpt(*wrong, cwd=kept.root, status=2, timeout=2400).err
    assert (
        "no test is called exitz; there is exits"
        in kpt("bisect", DEMO, "--measure", "test:exitz:cpuid", cwd=kept.root, status=2).err
    )
