"""Restoring series from archive pages, beside `git am` of what comes out: the v5 series on the kernel it was written
for, where that tree is here, and a series of this workspace shown as a page that squeezes white space, on Debian's
6.1."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from benchmarks.archive_shapes import SHAPES
from benchmarks.measure import KPT, Absent, Row, run, seconds, side_by_side
from benchmarks.restore_pages import mail_of
from kpatch_tool.mail.read import read_sources
from kpatch_tool.workspace import Workspace

V5, V5_TREE = "tlb-flush-v5", "kvm-3.15"
SERIES, TREE = "dirty-log-6.1", "debian-6.1"
_USER = ("-c", "user.name=Bench", "-c", "user.email=bench@example.org", "-c", "commit.gpgsign=false")


def rows(workspace: Workspace, scratch: Path) -> list[Row | Absent]:
    """Lines of the table; `scratch` is an empty directory."""
    run(KPT, "init", scratch)
    page = workspace.series / V5 / "source" / f"{V5}.txt"
    squeezed = scratch / "squeezed.txt"
    source = workspace.series / SERIES / "source"
    messages = read_sources([str(path) for path in sorted(source.iterdir())]).messages
    shape = next(shape for shape in SHAPES if shape.squeezes)
    squeezed.write_text(shape.page([mail_of(message) for message in messages]))
    return [
        _restored(workspace, scratch, V5_TREE, page, V5),
        _restored(workspace, scratch, TREE, squeezed, SERIES),
    ]


def _restored(workspace: Workspace, scratch: Path, tree: str, page: Path, name: str) -> Row | Absent:
    """A page's series restored against the tree, beside git am of the result."""
    git_dir = workspace.trees / f"{tree}.git"
    what = f"restoring {name}"
    if not git_dir.is_dir():
        return Absent(what, f"the tree {tree} is not here; `kpt tree add {tree}` brings it from the network")
    run(KPT, "tree", "add", tree, "--git", git_dir, "--ref", "base", cwd=scratch)
    clone = scratch / f"am-{tree}"
    run("git", "clone", "--quiet", "--shared", "--branch", "base", git_dir, clone)
    series = scratch / "series" / name

    def ours() -> float:
        run(KPT, "import", page, "--name", name, "--force", cwd=scratch)
        return seconds(KPT, "restore", name, "--tree", tree, cwd=scratch, ok=(0, 1))

    def theirs() -> float:
        run("git", "-C", clone, "reset", "--quiet", "--hard", "origin/base")
        return seconds("git", *_USER, "-C", clone, "am", "--quiet", *_patches(series))

    kpt, git = side_by_side(3, ours, theirs)
    return Row(f"{what}, {len(_patches(series))} patches", kpt, "git am of the result", git, "2 s", kpt <= 2.0)


def _patches(series: Path) -> Sequence[Path]:
    return sorted(series.glob("*.patch"))
