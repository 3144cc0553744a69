"""The fixtures keep their promises."""

from __future__ import annotations

import subprocess
from pathlib import Path

from kpatch_tool.workspace import Workspace
from tests.conftest import Kpt, git


def test_command_line_runs(kpt: Kpt, workspace: Workspace) -> None:
    assert kpt("init", "other").out == f"workspace: {workspace.root / 'other'}\n"


def test_toy_kernel_builds_only_what_changed(toy_kernel: Path, tmp_path: Path) -> None:
    def make(*targets: str) -> str:
        argv = ["make", f"O={tmp_path / 'o'}", f"KCONFIG_ALLCONFIG={tmp_path / 'frag'}", *targets]
        return subprocess.run(argv, cwd=toy_kernel, check=True, capture_output=True, text=True).stdout

    (tmp_path / "frag").write_text("CONFIG_MODULES=y\nCONFIG_VIRTUALIZATION=y\nCONFIG_KVM=m\nCONFIG_ABSENT=y\n")
    make("tinyconfig")
    make("olddefconfig")
    assert "CONFIG_KVM=m\n" in (tmp_path / "o/.config").read_text()
    assert "CONFIG_ABSENT" not in (tmp_path / "o/.config").read_text()
    assert "CC      arch/x86/kvm/mmu.o" in make("bzImage", "modules")
    assert "CC" not in make("modules")
    with (toy_kernel / "arch/x86/kvm/x86.c").open("a") as file:
        file.write("int more;\n")
    again = make("arch/x86/kvm/kvm.ko")
    assert "CC      arch/x86/kvm/x86.o" in again
    assert "mmu.o" not in again


def test_toy_repo_holds_every_file(toy_repo: Path) -> None:
    assert "arch/x86/kvm/mmu.c" in git("ls-tree", "-r", "--name-only", "HEAD", cwd=toy_repo).splitlines()
