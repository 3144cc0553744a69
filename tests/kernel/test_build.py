"""Building Debian's kernel for real: what is made again, that equal states give equal modules, what errors say.

The states are made in a repository of their own that borrows the tree's objects; checkout, object directory and
artifacts are those of the checkout's own workspace, so that the base is built at most once for all tests.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from kpatch_tool.kbuild import build as building
from kpatch_tool.kbuild import reach
from kpatch_tool.kbuild.model import BuildStatus, StateBuild, new_warnings
from kpatch_tool.kbuild.objdir import ObjectDirectory
from kpatch_tool.suites.run import Subject
from kpatch_tool.tree.model import State, Tree
from tests.conftest import REPO_ROOT, git
from tests.vm_fixtures import GIVEN, built

__all__ = ["built"]

pytestmark = [
    pytest.mark.kernel,
    pytest.mark.timeout(1800),
    pytest.mark.skipif(bool(GIVEN), reason="the kernel was given, not built"),
]

MMU = "arch/x86/kvm/mmu/mmu.c"
HOST = "include/linux/kvm_host.h"
WARNS = b"\nint kvm_odd(void);\nint kvm_odd(void)\n{\n\tint unset;\n\n\treturn unset;\n}\n"


class Maker:
    """Makes states that differ from the base in one file, and builds them."""

    def __init__(self, subject: Subject, where: Path) -> None:
        self.subject = subject
        self._index = where / "index"
        git("init", "-q", "--bare", where / "git", cwd=where)
        (where / "git/objects/info/alternates").write_text(f"{subject.tree.git_dir / 'objects'}\n")
        known = subject.tree
        self.tree = Tree(known.name, where / "git", known.base, known.version, make=known.make, config=known.config)

    def state(self, patch: int, path: str, more: bytes) -> State:
        """The base with `more` at the end of `path`."""
        git_dir = f"--git-dir={self.tree.git_dir}"
        whole = subprocess.run(["git", git_dir, "show", f"{self.tree.base}:{path}"], capture_output=True, check=True)
        blob = git(git_dir, "hash-object", "-w", "--stdin", cwd=self.tree.git_dir, stdin=whole.stdout + more)
        with pytest.MonkeyPatch.context() as patched:
            patched.setenv("GIT_INDEX_FILE", str(self._index))
            git(git_dir, "read-tree", self.tree.base, cwd=self.tree.git_dir)
            git(git_dir, "update-index", "--cacheinfo", f"100644,{blob},{path}", cwd=self.tree.git_dir)
            tree_id = git(git_dir, "write-tree", cwd=self.tree.git_dir)
        return State(patch, tree_id, tree_id)

    def build(self, state: State) -> StateBuild:
        """Build `state` anew, whatever was known of it."""
        known = building.known_build(self.subject.workspace, self.tree, state, "x86_64")
        if known is not None:
            shutil.rmtree(known.log.parent)
        return building.build_state(self.subject.workspace, self.tree, state, "x86_64")

    @property
    def notes(self) -> Path:
        return ObjectDirectory(self.subject.workspace.state / "build" / f"{self.tree.name}-x86_64").notes


@pytest.fixture(scope="module")
def maker(built: Subject, tmp_path_factory: pytest.TempPathFactory) -> Maker:
    """The object directory holds the base, whatever was built there last."""
    maker = Maker(built, tmp_path_factory.mktemp("states"))
    maker.build(built.state)
    return maker


def sums(build: StateBuild) -> dict[str, str]:
    return {module.path: module.sha256 for module in build.modules}


def compiled(build: StateBuild) -> list[str]:
    """The objects that a build compiled, from its log."""
    lines = build.log.read_text().splitlines()
    return [line.split()[-1] for line in lines if line.startswith(("  CC ", "  AS "))]


def test_one_file_is_compiled_and_the_warning_found(maker: Maker) -> None:
    build = maker.build(maker.state(1, MMU, WARNS))
    assert build.status is BuildStatus.OK, build.why
    assert compiled(build) in (["arch/x86/kvm/mmu/mmu.o"], ["arch/x86/kvm/mmu/mmu.o", "arch/x86/kvm/kvm.mod.o"])
    assert "bzImage" not in build.log.read_text()
    (warning,) = new_warnings(build, maker.subject.build)
    assert (warning.file, warning.option) == (MMU, "-Wuninitialized")
    changed = {path for path, digest in sums(build).items() if digest != sums(maker.subject.build)[path]}
    assert changed == {"arch/x86/kvm/kvm.ko"}


def test_modules_alone_are_those_of_a_build_of_everything(maker: Maker) -> None:
    state = maker.state(1, MMU, WARNS)
    quick = maker.build(state)
    reach.save(maker.notes, reach.Uses(frozenset({MMU}), frozenset()))  # as if the image used it
    whole = maker.build(state)
    assert "bzImage" in whole.log.read_text()
    assert sums(whole) == sums(quick)
    assert quick.artifacts is not None
    assert whole.artifacts is not None
    assert new_warnings(whole, None) == new_warnings(quick, None)
    base = maker.subject.image
    assert (whole.artifacts / "bzImage").read_bytes() == base.read_bytes(), "the image is the base's"


def test_back_at_the_base_everything_is_as_before(maker: Maker) -> None:
    again = maker.build(maker.subject.state)
    assert sums(again) == sums(maker.subject.build)
    assert again.warnings == maker.subject.build.warnings


def test_a_header_of_modules_only_reaches_modules_only(maker: Maker) -> None:
    build = maker.build(maker.state(2, HOST, b"\n/* The end. */\n"))
    assert build.status is BuildStatus.OK, build.why
    assert sums(build) == sums(maker.subject.build)
    assert all(path.startswith(("arch/x86/kvm/", "virt/")) for path in compiled(build)) or "bzImage" in (
        build.log.read_text()
    )


def test_the_first_error_is_told(maker: Maker) -> None:
    build = maker.build(maker.state(3, MMU, b"\nint kvm_odd = nothing_of_the_kind;\n"))
    assert build.status is BuildStatus.FAILED
    assert build.errors[0].file == MMU
    assert "nothing_of_the_kind" in build.errors[0].message
    assert build.artifacts is None


def test_a_symbol_nobody_exports(maker: Maker) -> None:
    text = b"\nint kvm_missing(void);\nint kvm_odd(void);\nint kvm_odd(void)\n{\n\treturn kvm_missing();\n}\n"
    build = maker.build(maker.state(4, MMU, text))
    assert build.status is BuildStatus.FAILED
    assert build.errors[0].message == '"kvm_missing" [arch/x86/kvm/kvm.ko] undefined!'


@pytest.mark.skipif(not (REPO_ROOT / "kernel-trees/kvm-3.15.git").exists(), reason="tree kvm-3.15 is not here")
def test_a_kernel_of_2014_builds() -> None:
    """With today's tools, thanks to kbuild/compat.toml."""
    from kpatch_tool.kbuild.command import Request, build_request
    from kpatch_tool.workspace import Workspace

    (build,) = build_request(Workspace(REPO_ROOT), Request(tree="kvm-3.15", base=True)).builds
    assert build.status is BuildStatus.OK, build.why
    assert build.modules[0].path == "arch/x86/kvm/kvm.ko"
