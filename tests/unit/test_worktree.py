"""kpt's own checkout: what a move writes, what it leaves alone, what it survives."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from kpatch_tool.errors import MachineError
from kpatch_tool.tree.model import State, Tree
from kpatch_tool.tree.worktree import Worktree
from tests.conftest import git

MMU = "arch/x86/kvm/mmu.c"


@pytest.fixture
def states(toy_repo: Path) -> tuple[State, State]:
    """The toy tree; and with a file changed, one deleted, one made a link, one made a program, one added."""
    before = state(toy_repo, 0)
    (toy_repo / MMU).write_text("changed\n")
    (toy_repo / "kernel/sched.c").unlink()
    (toy_repo / "init/main.c").unlink()
    (toy_repo / "init/main.c").symlink_to("../Makefile")
    (toy_repo / "arch/x86/kvm/x86.c").chmod(0o755)
    (toy_repo / "new/deep").mkdir(parents=True)
    (toy_repo / "new/deep/file.h").write_bytes(b"a line\n")
    (toy_repo / ".gitattributes").write_text("*.h text eol=crlf\n*.c export-ignore\n")
    git("add", "-Af", cwd=toy_repo)
    git("commit", "-qm", "much", cwd=toy_repo)
    return before, state(toy_repo, 1)


def state(repo: Path, patch: int) -> State:
    return State(patch, git("rev-parse", "HEAD", cwd=repo), git("rev-parse", "HEAD^{tree}", cwd=repo))


@pytest.fixture
def worktree(toy_repo: Path, tmp_path: Path) -> Worktree:
    return Worktree(Tree("toy", toy_repo / ".git", "0" * 40), tmp_path / "worktrees" / "toy")


def content(root: Path) -> dict[str, tuple[str, bytes]]:
    """Every file below `root`: kind and mode, and bytes or the target of a link."""
    found = {}
    for path in sorted(root.rglob("*")):
        name = str(path.relative_to(root))
        if path.is_symlink():
            found[name] = ("link", os.fsencode(path.readlink()))
        elif path.is_file() and not name.startswith(".git/"):
            found[name] = ("program" if os.access(path, os.X_OK) else "file", path.read_bytes())
    return found


def test_moves_both_ways(worktree: Worktree, states: tuple[State, State], toy_repo: Path) -> None:
    before, after = states
    assert worktree.holds is None
    assert content(worktree.move_to(after)) == content(toy_repo)
    assert worktree.holds == after.tree_id
    worktree.move_to(before)
    assert not (worktree.path / "new").exists()
    git("checkout", "-q", before.commit, cwd=toy_repo)
    assert content(worktree.path) == content(toy_repo)
    assert sorted(path.name for path in worktree.path.iterdir()) == sorted(
        path.name for path in toy_repo.iterdir() if path.name != ".git"
    )


def test_what_a_program_leaves_is_not_there_for_a_build(worktree: Worktree, states: tuple[State, State]) -> None:
    """A .config in the sources, and no kernel builds elsewhere any more: nobody is to be blamed for that."""
    before, after = states
    litter = worktree.move_to(before, litters=True) / ".config"
    litter.write_text("CONFIG_KVM=y\n")
    worktree.move_to(after, litters=True)
    assert litter.exists(), "as with git bisect run"
    worktree.move_to(after)
    assert not litter.exists()
    litter.write_text("by hand\n")
    worktree.move_to(before)
    assert litter.exists()


def test_unchanged_files_keep_their_time(worktree: Worktree, states: tuple[State, State]) -> None:
    worktree.move_to(states[0])
    for path in worktree.path.rglob("*.c"):
        os.utime(path, ns=(10**18, 10**18))
    worktree.move_to(states[0])  # takes note of the times, and of the bytes that are as they should be
    times = {path: path.stat().st_mtime_ns for path in worktree.path.rglob("*.c")}
    worktree.move_to(states[1])
    changed = {str(path.relative_to(worktree.path)) for path, time in times.items() if _time(path) != time}
    assert changed == {MMU, "kernel/sched.c", "init/main.c", "arch/x86/kvm/x86.c"}


def _time(path: Path) -> int | None:
    return path.lstat().st_mtime_ns if path.exists() else None


def test_tampering_is_undone(worktree: Worktree, states: tuple[State, State]) -> None:
    root = worktree.move_to(states[0])
    good = content(root)
    (root / MMU).write_text("by hand\n")
    (root / "Makefile").unlink()
    worktree.move_to(states[0])
    assert content(root) == good


@pytest.mark.parametrize("held", [True, False])
def test_killed_move_is_finished(worktree: Worktree, states: tuple[State, State], held: bool) -> None:
    before, after = states
    root = worktree.move_to(before)
    good = content(root)
    # What a kill in the middle leaves: some files of the new state, some gone, git's lock, the note.
    (root / MMU).write_text("half of the new te")
    (root / "kernel/sched.c").unlink()
    (root / "new").mkdir()
    (root / "new/stray.h").write_text("stray\n")
    private = root.parent / "toy.git"
    (private / "kpt-moving").write_text(after.tree_id)
    if held:
        (private / "index.lock").write_bytes(b"")
    assert worktree.holds is None
    worktree.move_to(before)
    assert content(root) == good
    assert worktree.holds == before.tree_id


def test_killed_first_checkout_starts_again(worktree: Worktree, states: tuple[State, State]) -> None:
    root = worktree.move_to(states[0])
    good = content(root)
    (root.parent / "toy.git/index").unlink()
    (root / MMU).unlink()
    (root / "stray").write_text("")
    worktree.move_to(states[0])
    assert content(root) == good


@pytest.mark.parametrize("left", [0, 4096], ids=["empty", "zeros"])
def test_an_index_that_a_power_cut_left_without_content(
    left: int, worktree: Worktree, states: tuple[State, State], toy_repo: Path
) -> None:
    before, after = states
    root = worktree.move_to(before)
    (root / "stray").write_text("from before")
    (worktree.path.parent / "toy.git/index").write_bytes(bytes(left))
    assert content(worktree.move_to(after)) == content(toy_repo)


def test_nothing_is_written_through_a_link(
    worktree: Worktree, states: tuple[State, State], tmp_path: Path, toy_repo: Path
) -> None:
    root = worktree.move_to(states[0])
    outside = tmp_path / "outside"
    (root / "kernel").rename(outside)
    (root / "kernel").symlink_to(outside)
    (outside / "sched.c").write_text("mine\n")
    worktree.move_to(states[0])
    assert (outside / "sched.c").read_text() == "mine\n"
    assert not (root / "kernel").is_symlink()


def test_the_trees_repository_is_not_touched(worktree: Worktree, states: tuple[State, State], toy_repo: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in (toy_repo / ".git").rglob("*")}
    worktree.move_to(states[0])
    worktree.move_to(states[1])
    assert {path: path.stat().st_mtime_ns for path in (toy_repo / ".git").rglob("*")} == before


def test_unknown_state_is_one_line(worktree: Worktree, states: tuple[State, State]) -> None:
    worktree.move_to(states[0])
    with pytest.raises(MachineError, match="cannot check out toy") as error:
        worktree.move_to(State(3, "c" * 40, "d" * 40))
    assert "\n" not in error.value.line()
    worktree.move_to(states[1])
    assert worktree.holds == states[1].tree_id
