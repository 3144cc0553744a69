"""A series on the toy kernel tree, for the tests that build states."""

from __future__ import annotations

from pathlib import Path

import pytest

from kpatch_tool.workspace import Workspace
from tests.conftest import Kpt, git

WARNS = "int kvm_odd(void);\nint kvm_odd(void)\n{\n\tint unset;\n\n\treturn unset;\n}\n"


def append(repo: Path, path: str, text: str, subject: str) -> None:
    with (repo / path).open("a") as file:
        file.write(text)
    git("add", "-Af", cwd=repo)
    git("commit", "-qm", subject, cwd=repo)


@pytest.fixture
def toy(toy_repo: Path, workspace: Workspace, kpt: Kpt, tmp_path: Path) -> Path:
    """Series `s` on tree `toy`: 1 warns, 2 does not compile, 3 mends that, 4 changes a header that all use."""
    git("checkout", "-qb", "work", cwd=toy_repo)
    append(toy_repo, "arch/x86/kvm/mmu.c", WARNS, "warn")
    append(toy_repo, "arch/x86/kvm/x86.c", "int kvm_broken = nothing;\n", "break")
    text = (toy_repo / "arch/x86/kvm/x86.c").read_text().replace("int kvm_broken = nothing;\n", "")
    (toy_repo / "arch/x86/kvm/x86.c").write_text(text)
    append(toy_repo, "arch/x86/kvm/svm.c", "int svm_more;\n", "mend")
    append(toy_repo, "include/linux/kvm_host.h", "\n#define KVM_MORE 1\n", "header")
    kpt("tree", "add", "toy", "--git", toy_repo, "--ref", "main")
    git("format-patch", "-q", "-o", tmp_path / "mails", "main..work", cwd=toy_repo)
    kpt("import", tmp_path / "mails", "--name", "s")
    kpt("apply", "s", "--tree", "toy")
    return toy_repo
