"""Applying 50 and 5 patches to the 78,579 files of Debian's 6.1: kpt apply beside git am."""

from __future__ import annotations

import subprocess
from pathlib import Path

from benchmarks.measure import KPT, Row, run, seconds, side_by_side

TREE = "debian-6.1"
_AUTHOR = ("-c", "user.name=Bench", "-c", "user.email=bench@example.org", "-c", "commit.gpgsign=false")
_DIRECTORY = "arch/x86/kernel"


def rows(git_dir: Path, scratch: Path) -> list[Row]:
    """Two rows. `git_dir` is the bare repository of the tree, `scratch` an empty directory beside it (same disk)."""
    work = scratch / "am"
    run("git", "clone", "--quiet", "--shared", "--branch", "base", git_dir, work)
    workspace = scratch / "workspace"
    run(KPT, "init", workspace)
    run(KPT, "tree", "add", TREE, "--git", git_dir, "--ref", "base", cwd=workspace)
    return [_row(work, workspace, count, goal) for count, goal in ((50, 10.0), (5, 3.0))]


def _row(work: Path, workspace: Path, count: int, goal: float) -> Row:
    patches = _write_patches(work, count)
    name = f"bench-{count}"
    run(KPT, "import", patches, "--name", name, cwd=workspace)
    _reset(work)
    ours, theirs = side_by_side(
        3,
        lambda: seconds(KPT, "apply", name, "--tree", TREE, cwd=workspace),
        lambda: _git_am(work, patches),
    )
    git_dir = workspace / "kernel-trees" / f"{TREE}.git"
    same = run("git", "-C", git_dir, "rev-parse", f"kpt/{name}^{{tree}}") == run(
        "git", "-C", work, "rev-parse", f"bench-{count}^{{tree}}"
    )
    met = same and theirs / ours >= goal
    # Nothing that failed for want of something, which the table would call not measured.
    words = f"{goal:.0f}x" + ("" if same else ", and the same tree as git am")
    return Row(f"apply {count} patches, 78k files", ours, "git am", theirs, words, met)


def _write_patches(work: Path, count: int) -> Path:
    """`count` commits of one changed line each on branch bench-<count>, as git format-patch writes them."""
    files = run("git", "ls-files", f"{_DIRECTORY}/*.c", cwd=work).splitlines()[:count]
    run("git", "checkout", "--quiet", "-b", f"bench-{count}", "base", cwd=work)
    for name in files:
        with (work / name).open("ab") as out:
            out.write(b"/* a line of a benchmark */\n")
        run("git", *_AUTHOR, "commit", "--quiet", "-m", f"x86: add a line to {name}", "--", name, cwd=work)
    patches = work.parent / f"patches-{count}"
    run("git", "format-patch", "--quiet", "-o", patches, "base", cwd=work)
    return patches


def _reset(work: Path) -> None:
    subprocess.run(["git", "am", "--abort"], cwd=work, capture_output=True, check=False)
    run("git", "checkout", "--quiet", "--detach", "base", cwd=work)


def _git_am(work: Path, patches: Path) -> float:
    taken = seconds("git", *_AUTHOR, "am", "--quiet", *sorted(patches.iterdir()), cwd=work)
    _reset(work)
    return taken
