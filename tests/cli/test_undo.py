"""`kpt undo`: what it takes back, how often, what it refuses; moves of refs that were killed in the middle."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from kpatch_tool.errors import MachineError
from kpatch_tool.series.directory.store import load
from kpatch_tool.tree import refs
from kpatch_tool.tree.applied import load_applied
from kpatch_tool.tree.apply import apply_series
from kpatch_tool.tree.catalogue import Catalogue
from kpatch_tool.tree.objects import Objects
from kpatch_tool.tree.refs import Move, move_refs, settle
from kpatch_tool.workspace import Workspace
from tests.conftest import Kpt, git

BRANCH = "refs/heads/kpt/two"


@pytest.fixture
def two(toy_repo: Path, workspace: Workspace, kpt: Kpt, tmp_path: Path) -> Path:
    """The series `two` (independent patches) and the tree `toy`; returns the tree's repository."""
    git("checkout", "-qb", "work", cwd=toy_repo)
    for path in ("kernel/sched.c", "virt/kvm/kvm_main.c"):
        (toy_repo / path).write_text((toy_repo / path).read_text() + "\n/* more */\n")
        git("commit", "-qam", f"more of {path}", cwd=toy_repo)
    kpt("tree", "add", "toy", "--git", toy_repo, "--ref", "main")
    git("format-patch", "-q", "-o", tmp_path / "mails", "main..work", cwd=toy_repo)
    kpt("import", tmp_path / "mails", "--name", "two")
    return workspace.trees / "toy.git"


def all_refs(git_dir: Path) -> dict[str, str]:
    rows = (
        line.split(" ") for line in git("for-each-ref", "--format=%(refname) %(objectname)", cwd=git_dir).split("\n")
    )
    return {row[0]: row[1] for row in rows}


def visible(git_dir: Path) -> dict[str, str]:
    """The branches and records, without what undo keeps for itself."""
    return {name: oid for name, oid in all_refs(git_dir).items() if "/history/" not in name and "/undone/" not in name}


def test_a_branch_that_another_kpt_moves_meanwhile_was_moved_by_no_other_hand(
    two: Path, kpt: Kpt, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    kpt("apply", "two", "--patches", "1")
    kpt("apply", "two")
    read, waiting = Objects.blob, ["undo"]

    def after_an_undo(objects: Objects, oid: str) -> bytes | None:
        if waiting and oid == "refs/kpt/applied/two":
            kpt(waiting.pop(), "two")
        return read(objects, oid)

    monkeypatch.setattr(Objects, "blob", after_an_undo)
    assert [state.patch for state in load_applied(workspace, "two").states] == [0, 1]
    waiting.append("undo")
    series = load(workspace.series / "two")
    head = apply_series(workspace, Catalogue(workspace).get("toy"), series).head
    assert not waiting and all_refs(two)[BRANCH] == head


def test_back_and_forth(two: Path, kpt: Kpt) -> None:
    clean = visible(two)
    kpt("apply", "two", "--patches", "1")
    one = visible(two)
    kpt("apply", "two")
    both = visible(two)
    document = kpt("undo", "--json").json
    assert visible(two) == one
    assert document == {
        "kpt": 1, "series": "two", "tree": "toy", "branch": "kpt/two", "action": "undo", "before": both[BRANCH],
        "head": one[BRANCH], "patches": 1, "can_undo": True, "can_redo": True,
    }  # fmt: skip
    shown = kpt("undo", "two").out
    assert shown.startswith(
        f"branch kpt/two of tree toy is gone, as before it was applied; it was {one[BRANCH][:12]}\n"
    )
    assert visible(two) == clean
    assert "is not applied to tree toy" in kpt("build", "two", status=2).err
    assert "no apply to take back: two on tree toy; other series and trees have their own" in kpt("undo", status=2).err
    for state in (one, both):
        assert "to take it back: kpt undo two" in kpt("undo", "--redo").out
        assert visible(two) == state
    assert "no undo to take back" in kpt("undo", "--redo", status=2).err
    assert all_refs(two).keys() - visible(two).keys() == {"refs/kpt/history/two"}
    git("fsck", "--strict", cwd=two)


def test_the_same_again_is_no_step(two: Path, kpt: Kpt) -> None:
    clean = visible(two)
    kpt("apply", "two")
    kpt("apply", "two")
    kpt("undo")
    assert visible(two) == clean


def test_an_apply_ends_the_way_forth(two: Path, kpt: Kpt) -> None:
    kpt("apply", "two")
    kpt("undo")
    kpt("apply", "two", "--patches", "2")
    assert "no undo to take back" in kpt("undo", "--redo", status=2).err


def test_what_it_takes_back_survives_gits_gc(two: Path, kpt: Kpt) -> None:
    kpt("apply", "two", "--patches", "2")
    one = visible(two)
    kpt("apply", "two")
    git("gc", "-q", "--prune=now", cwd=two)
    kpt("undo")
    git("gc", "-q", "--prune=now", cwd=two)
    kpt("undo", "--redo")
    kpt("undo")
    assert visible(two) == one
    git("fsck", "--strict", cwd=two)


def test_anothers_commits_are_not_taken_back(two: Path, kpt: Kpt) -> None:
    kpt("apply", "two")
    git("update-ref", BRANCH, "refs/heads/base", cwd=two)
    before = all_refs(two)
    refused = kpt("undo", status=2).err
    assert "branch kpt/two was moved by another hand" in refused
    assert "branch -m kpt/two NEW-NAME" in refused
    assert len(refused.splitlines()) == 1
    git("update-ref", "-d", BRANCH, cwd=two)
    assert "removed by another hand" in kpt("undo", status=2).err
    git("update-ref", BRANCH, "refs/heads/base", cwd=two)
    assert all_refs(two) == before


def test_applied_before_kpt_kept_a_history(two: Path, kpt: Kpt) -> None:
    kpt("apply", "two", "--patches", "1")
    old = visible(two)
    git("update-ref", "-d", "refs/kpt/history/two", cwd=two)
    assert "no apply to take back" in kpt("undo", status=2).err
    kpt("apply", "two")
    kpt("undo")
    assert visible(two) == old


def test_names_that_are_none(two: Path, kpt: Kpt, workspace: Workspace) -> None:
    assert "no series was applied yet" in kpt("undo", status=2).err
    for name in ("../../x", "a b", "nothing"):
        assert len(kpt("undo", name, status=2).err.splitlines()) == 1
    kpt("apply", "two")
    assert "is gone" in kpt("undo", ".", cwd=workspace.series / "two").out
    kpt("undo", "--redo", "../two", cwd=workspace.series / "two")
    for path in sorted((workspace.series / "two").rglob("*"), reverse=True):
        path.unlink() if path.is_file() else path.rmdir()
    assert kpt("undo", "series/two").out.startswith("branch kpt/two of tree toy is gone")


def moved(git_dir: Path, count: int) -> tuple[list[Move], dict[str, str]]:
    """What a git leaves that was killed after `count` of three refs; the moves, and the refs before."""
    old, new = git("rev-parse", "base", cwd=git_dir), git("rev-parse", "kpt/two", cwd=git_dir)
    for name in ("a", "c"):
        git("update-ref", f"refs/heads/{name}", old, cwd=git_dir)
    before = all_refs(git_dir)
    moves = [Move("refs/heads/a", old, new), Move("refs/heads/b", None, new), Move("refs/heads/c", old, None)]
    lines = "".join(f"{m.old or '-'} {m.new or '-'} {m.ref}\n" for m in moves)
    (git_dir / "kpt-moving-refs").write_text(lines)
    for move in moves[:count]:
        git("update-ref", *([move.ref, move.new] if move.new else ["-d", move.ref]), cwd=git_dir)
    for move in moves[count:]:
        (git_dir / f"{move.ref}.lock").write_text("half")
    (git_dir / "packed-refs.lock").write_text("")
    return moves, before


@pytest.mark.parametrize("count", [0, 1, 2, 3])
def test_a_killed_move_ends_as_before_or_as_after(two: Path, kpt: Kpt, count: int) -> None:
    kpt("apply", "two")
    moves, before = moved(two, count)
    settle(two)
    after = {name: oid for name, oid in {**before, **{m.ref: m.new for m in moves}}.items() if oid}
    assert all_refs(two) == (after if count else before)
    assert not [*two.glob("refs/**/*.lock"), *two.glob("packed-refs.*")]
    kpt("undo")


def test_a_killed_move_does_not_move_what_another_moved(two: Path, kpt: Kpt) -> None:
    kpt("apply", "two")
    moves, _ = moved(two, 1)
    (two / "refs/heads/c.lock").unlink()
    (two / "packed-refs.lock").unlink()
    git("update-ref", "refs/heads/c", moves[0].new or "", cwd=two)
    settle(two)
    assert all_refs(two)["refs/heads/c"] == moves[0].new


def test_a_ref_that_moved_meanwhile_stops_all(two: Path, kpt: Kpt) -> None:
    kpt("apply", "two")
    before = all_refs(two)
    base, head = before["refs/heads/base"], before[BRANCH]
    for wrong in (
        Move(BRANCH, base, None),
        Move(BRANCH, None, base),
        Move(BRANCH, None, None),
        Move(BRANCH, base, base),
    ):
        with pytest.raises(MachineError, match="nothing was changed"):
            move_refs(two, [Move("refs/heads/new", None, head), wrong])
        assert all_refs(two) == before
    assert not (two / refs._NOTE).exists()


def test_taking_out_a_series_that_is_not_in_the_tree_moves_nothing(two: Path, kpt: Kpt) -> None:
    before = all_refs(two)
    assert "nothing was written" in kpt("apply", "two", "--reverse").out
    assert all_refs(two) == before
    assert "to take back" in kpt("undo", "two", "--tree", "toy", status=2).err


def test_adding_a_tree_leaves_the_users_index_alone(toy_repo: Path, workspace: Workspace, kpt: Kpt) -> None:
    """`git status` writes what it learns of the files into the index, unless told not to."""
    index = toy_repo / ".git/index"
    for path in toy_repo.rglob("*.c"):
        os.utime(path, (1, 1))
    before = index.read_bytes()
    kpt("tree", "add", "toy", "--dir", toy_repo)
    assert index.read_bytes() == before


def test_the_memory_of_the_workspace_is_lost(two: Path, workspace: Workspace, kpt: Kpt, toy_repo: Path) -> None:
    """The record lies in the tree: it tells where the series is applied."""
    kpt("tree", "add", "other", "--git", toy_repo, "--ref", "main")
    memory = workspace.state / "state.json"
    assert "not applied to any tree here" in kpt("undo", "two", status=2).err
    kpt("apply", "two", "--tree", "toy")
    for text in ("", '{"applied:two": "to', "\x00junk"):
        memory.write_text(text)
        assert load_applied(workspace, "two").tree == "toy"
    (workspace.trees / "other.git/HEAD").write_text("not a repository\n")
    assert kpt("undo", "two", "--json").json["tree"] == "toy"
    memory.write_text("")
    kpt("undo", "two", "--redo")
    kpt("tree", "add", "other", "--git", toy_repo, "--ref", "main", "--force")
    kpt("apply", "two", "--tree", "other")
    memory.write_text("")
    assert "several trees: other, toy; name one with --tree" in kpt("undo", "two", status=2).err
