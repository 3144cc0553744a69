"""make bench: kpt beside its peers, measured in turn in one run, whole processes, medians.

Most rows need the tree debian-6.1 in this workspace (`make demo` brings it); a row that cannot be measured says why.
`python -m benchmarks.mailbox` measures the index of mail with larger mailboxes.
"""

from __future__ import annotations

import re
import shutil
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks import applying, mailbox
from benchmarks.measure import KPT, Absent, Row, run, seconds, side_by_side, table
from kpatch_tool import workspace as workspaces
from kpatch_tool.errors import KptError
from kpatch_tool.kbuild import arch as archs
from kpatch_tool.kbuild.artifacts import Artifacts
from kpatch_tool.kbuild.make import Make
from kpatch_tool.kbuild.plan import make_plan
from kpatch_tool.suites.run import Options
from kpatch_tool.testing import Request, test_request
from kpatch_tool.text import printable
from kpatch_tool.tree.applied import load_applied
from kpatch_tool.tree.catalogue import Catalogue
from kpatch_tool.tree.worktree import worktree_of
from kpatch_tool.vm import qemu
from kpatch_tool.workspace import Workspace

V5, V5_TREE = "tlb-flush-v5", "kvm-3.15"
_MESSAGES, _WITH_PEERS = 20_000, 3_000  # `make bench` is to end in minutes
TREE, SERIES, ARCH = "debian-6.1", "dirty-log-6.1", "x86_64"
_FIRST_TEST = re.compile(r"first test ([\d.]+) s")


def main() -> None:
    workspace = workspaces.find(Path(__file__).parent)
    rows: list[Row | Absent] = []
    with tempfile.TemporaryDirectory(prefix="kpt-bench-", dir=_made(workspace.state)) as scratch:
        places = {name: _made(Path(scratch) / name) for name in ("mail", "restore", "apply")}
        parts: list[tuple[str, Callable[[], Sequence[Row | Absent]]]] = [
            ("index of mail", lambda: mailbox.rows(places["mail"], _MESSAGES, _WITH_PEERS)),
            ("restoring the v5 series", lambda: [_restoring(workspace, places["restore"])]),
            ("kpt --help, kpt show", lambda: _starting(workspace, _git_dir(workspace))),
            ("kpt apply", lambda: applying.rows(_git_dir(workspace), places["apply"])),
            ("next patch, modules rebuilt", lambda: [_next_patch(workspace)]),
            ("QEMU's start to the first test", lambda: [_first_test(workspace)]),
        ]
        for what, measure in parts:
            try:
                rows += measure()
            except (SystemExit, KptError, OSError) as error:
                why = str(error.code) if isinstance(error, SystemExit) else str(error)
                rows.append(Absent(what, " ".join(printable(why).split())[:200]))
    sys.stdout.write(table(rows) + "\n")
    sys.exit(0 if all(isinstance(row, Row) and row.met for row in rows) else 1)


def _made(directory: Path) -> Path:
    directory.mkdir(parents=True, exist_ok=True)
    return directory


def _git_dir(workspace: Workspace) -> Path:
    """The repository of the tree, with the series applied that the rows use."""
    run(KPT, "apply", SERIES, "--tree", TREE, cwd=workspace.root)
    return Catalogue(workspace).get(TREE).git_dir


def _restoring(workspace: Workspace, scratch: Path) -> Row | Absent:
    """The page of the v5 series, restored against the kernel it was written for, beside git am of what comes out."""
    what = "restoring the v5 series"
    git_dir = workspace.trees / f"{V5_TREE}.git"
    if not git_dir.is_dir():
        return Absent(what, f"the tree {V5_TREE} is not here; `kpt tree add {V5_TREE}` brings it from the network")
    run(KPT, "init", scratch)
    run(KPT, "tree", "add", V5_TREE, "--git", git_dir, "--ref", "base", cwd=scratch)
    page = workspace.series / V5 / "source" / f"{V5}.txt"
    clone = scratch / "am"
    run("git", "clone", "--quiet", "--shared", "--branch", "base", git_dir, clone)

    def ours() -> float:
        run(KPT, "import", page, "--name", V5, "--force", cwd=scratch)
        return seconds(KPT, "restore", V5, "--tree", V5_TREE, cwd=scratch, ok=(0, 1))

    def theirs() -> float:
        run("git", "-C", clone, "reset", "--quiet", "--hard", "origin/base")
        patches = sorted((scratch / "series" / V5).glob("*.patch"))
        user = ("-c", "user.name=Bench", "-c", "user.email=bench@example.org", "-c", "commit.gpgsign=false")
        return seconds("git", *user, "-C", clone, "am", "--quiet", *patches)

    kpt, git = side_by_side(3, ours, theirs)
    return Row(what, kpt, "git am of the result", git, "2 s", kpt <= 2.0)


def _starting(workspace: Workspace, git_dir: Path) -> list[Row]:
    """kpt's own start, beside another program in Python and beside git showing the same commits."""
    root = workspace.root
    pip = KPT.with_name("pip")
    ours, theirs = side_by_side(5, lambda: seconds(KPT, "--help", cwd=root), lambda: seconds(pip, "--help", cwd=root))
    rows = [Row("kpt --help", ours, "pip --help", theirs, "150 ms", ours <= 0.150)]
    ours, theirs = side_by_side(
        5,
        lambda: seconds(KPT, "show", "tlb-flush-v5", cwd=root),
        lambda: seconds("git", "-C", git_dir, "log", "--stat", f"base..kpt/{SERIES}"),
    )
    return [*rows, Row("kpt show, 5 patches", ours, "git log --stat, 3 commits", theirs, "250 ms", ours <= 0.250)]


def _next_patch(workspace: Workspace) -> Row:
    """Moving from patch 2 to patch 3 and rebuilding the modules, beside make alone after the same file changed."""
    applied = load_applied(workspace, SERIES, tree=TREE)
    plan = make_plan(Catalogue(workspace).get(TREE), archs.load(ARCH), ())
    artifacts = Artifacts(workspace.state / "artifacts")
    objects = workspace.state / "build" / f"{TREE}-{ARCH}"
    worktree = worktree_of(workspace, plan.tree)
    variables = {**plan.compat.variables(plan.tools, objects / ".kpt-compat"), **plan.tree.make}
    make = Make(worktree.path, objects, plan.arch.make_arch, variables, 2)
    directories = " ".join(dict.fromkeys(str(Path(module).parent) for module in plan.modules))

    def build(patch: int) -> float:
        state = applied.state(patch)
        assert state is not None
        shutil.rmtree(artifacts.directory(plan.key(state)), ignore_errors=True)
        return seconds(KPT, "build", SERIES, "--tree", TREE, "--patch", str(patch), cwd=workspace.root)

    def ours() -> float:
        build(2)
        return build(3)

    def theirs() -> float:
        (worktree.path / "arch/x86/kvm/mmu/mmu.c").touch()
        return seconds(*make.argv(["modules", f"vmlinux-dirs={directories}"]), cwd=worktree.path)

    kpt, alone = side_by_side(3, ours, theirs)
    return Row("next patch, modules rebuilt", kpt, "make alone", alone, "make + 0.5 s", kpt <= alone + 0.5)


def _first_test(workspace: Workspace) -> Row:
    """From QEMU's start to the first test, beside the same kernel started alone until it panics for want of a root."""

    def ours() -> float:
        options = Options(tests=("exits",), variants=("default",), accel="tcg")
        tested = test_request(
            workspace, Request(tree=TREE, base=True, suites=("kpt-guest",), fresh=True, options=options)
        )
        found = _FIRST_TEST.search(tested.states[0].why)
        if found is None:
            sys.exit(f"no test ran: {tested.states[0].why}")
        return float(found[1])

    plan = make_plan(Catalogue(workspace).get(TREE), archs.load(ARCH), ())
    base = load_applied(workspace, SERIES, tree=TREE).states[0]
    image = Artifacts(workspace.state / "artifacts").directory(plan.key(base)) / Path(plan.arch.image).name

    def theirs() -> float:
        bare = ("-accel", "tcg,thread=multi", "-cpu", "EPYC", "-smp", "2", "-m", "2048", "-nodefaults", "-no-reboot")
        quiet = ("-display", "none", "-serial", "stdio", "-kernel", image, "-append", "console=ttyS0 panic=-1")
        return seconds(qemu.find(), *bare, *quiet)

    kpt, alone = side_by_side(3, ours, theirs)
    return Row("QEMU's start to the first test", kpt, "the kernel alone, no root", alone, "4 s under TCG", kpt <= 4.0)


if __name__ == "__main__":
    main()
