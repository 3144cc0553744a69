"""`kpt apply`: conflicts, selection, statuses, what must not happen."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from kpatch_tool.errors import InputError
from kpatch_tool.tree.applied import load_applied
from kpatch_tool.tree.fastimport import FastImport
from kpatch_tool.workspace import Workspace
from tests.conftest import REPO_ROOT, Kpt, git
from tests.repositories import change, patches

MMU = "arch/x86/kvm/mmu.c"


@pytest.fixture
def three(toy_repo: Path, workspace: Workspace, kpt: Kpt, tmp_path: Path) -> Path:
    """The series `three` (patch 2 builds on 1, patch 3 stands alone), and the tree `toy` at its base."""
    git("checkout", "-qb", "work", cwd=toy_repo)
    change(toy_repo, MMU, "static void drop_spte(", "static void drop_one_spte(", "rename drop_spte")
    change(toy_repo, MMU, "drop_one_spte(unsigned long *sptep)", "drop_one_spte(unsigned long *p)", "shorter name")
    change(toy_repo, "virt/kvm/kvm_main.c", "dirty_count != 0", "!!dirty_count", "say it shorter")
    kpt("tree", "add", "toy", "--git", toy_repo, "--ref", "main")
    kpt("import", patches(toy_repo, tmp_path / "mails"), "--name", "three")
    return toy_repo


def refs(workspace: Workspace) -> str:
    return git("for-each-ref", cwd=workspace.trees / "toy.git")


def test_text_is_80_columns_and_says_how_to_look(three: Path, kpt: Kpt) -> None:
    out = kpt("apply", "three").out
    assert all(len(line) <= 80 for line in out.splitlines()[:-1])
    assert "   3 clean    intact   say it shorter\n" in out
    assert out.endswith("git -C kernel-trees/toy.git log --oneline base..kpt/three\n")


def test_check_writes_nothing(three: Path, kpt: Kpt, workspace: Workspace) -> None:
    before = refs(workspace)
    document = kpt("apply", "three", "--check", "--json").json
    assert document["head"] is None
    assert [row["status"] for row in document["patches"]] == ["clean"] * 3
    assert [row["commit"] for row in document["patches"]] == [None] * 3
    assert refs(workspace) == before


def test_conflict_shows_the_hunk_and_changes_nothing(
    three: Path, kpt: Kpt, workspace: Workspace, tmp_path: Path
) -> None:
    git("checkout", "-q", "main", cwd=three)
    change(three, MMU, "*sptep = 0;\n}\n\nint kvm", "*sptep = 1;\n\treturn;\n}\n\nint kvm", "in the way")
    change(three, MMU, "drop_spte(unsigned long *sptep)\n", "drop_spte(unsigned long *one, int two)\n", "more")
    kpt("tree", "add", "toy", "--git", three, "--ref", "main", "--force")
    before = refs(workspace)
    shown = kpt("apply", "three", status=1)
    assert "conflict" in shown.out
    assert "+ static void drop_spte(unsigned long *one, int two)" in shown.out
    assert "         -static void drop_spte(unsigned long *sptep)\n" in shown.out  # the hunk as the patch has it
    assert "nothing was changed" in shown.out
    document = kpt("apply", "three", "--json", status=1).json
    assert [row["status"] for row in document["patches"]] == ["conflict", "skipped", "skipped"]
    assert document["head"] is None
    assert refs(workspace) == before


def test_offset_and_fuzz_are_told_for_each_hunk(three: Path, kpt: Kpt) -> None:
    git("checkout", "-q", "main", cwd=three)
    change(three, MMU, "/*\n", "/* a\n * longer\n * head */\n/*\n", "three more lines")
    change(three, "virt/kvm/kvm_main.c", "\t\tkvm->tlbs_dirty = 0;", "\t\tkvm->tlbs_dirty = 1;", "other context")
    shutil.rmtree(three / ".git")  # else the blobs the patches name are there, and merging is better than fuzz
    kpt("tree", "add", "other", "--dir", three)
    rows = kpt("apply", "three", "--tree", "other", "--json").json["patches"]
    assert [row["status"] for row in rows] == ["offset", "offset", "fuzz"]
    assert rows[0]["details"][0].startswith(f"{MMU}: hunk 1 at line ")
    assert rows[0]["details"][0].endswith("offset +3 lines")
    assert rows[2]["details"] == ["virt/kvm/kvm_main.c: hunk 1 at line 7, fuzz 2"]


def test_merges_with_the_blob_the_patch_names(three: Path, kpt: Kpt, workspace: Workspace) -> None:
    git("checkout", "-q", "main", cwd=three)
    change(three, MMU, "*sptep = 0;\n}", "*sptep = 0; /* gone */\n}", "one line of the context")
    change(three, MMU, "\treturn 0;\n}\n\nstatic void drop", "\treturn -0;\n}\n\nstatic void drop", "another")
    git("checkout", "-q", "-b", "both", cwd=three)
    kpt("tree", "add", "both", "--git", three, "--ref", "both")
    document = kpt("apply", "three", "--tree", "both", "--json").json
    assert [row["status"] for row in document["patches"]] == ["merged", "merged", "clean"]
    text = git("show", f"{document['head']}:{MMU}", cwd=workspace.trees / "both.git")
    assert "drop_one_spte(unsigned long *p)" in text
    assert "/* gone */" in text


def test_patches_bring_what_they_need(three: Path, kpt: Kpt) -> None:
    rows = kpt("apply", "three", "--patches", "2", "--json").json["patches"]
    assert [row["status"] for row in rows] == ["clean", "clean", "skipped"]
    assert "because patch 2 needs it" in rows[0]["why"]
    rows = kpt("apply", "three", "--patches", "3", "--json").json["patches"]
    assert [row["status"] for row in rows] == ["skipped", "skipped", "clean"]


def test_patches_without_what_they_need(three: Path, kpt: Kpt) -> None:
    """Patch 2 changes a line that 1 makes; 3 stands alone."""
    done = kpt("apply", "three", "--patches", "2", "--no-deps", "--json", status=1)
    rows = done.json["patches"]
    assert [row["status"] for row in rows] == ["skipped", "conflict", "skipped"]
    assert "patch 2 goes without patch 1: " in done.err
    done = kpt("apply", "three", "--patches", "3,1", "--no-deps", "--json")
    assert [row["status"] for row in done.json["patches"]] == ["clean", "skipped", "clean"]
    assert done.err == ""
    assert "choose some" in kpt("apply", "three", "--no-deps", status=2).err
    kpt("tree", "add", "has-all", "--git", three, "--ref", "work")
    out = kpt("apply", "three", "--tree", "has-all", "--reverse", "--patches", "1", "--no-deps", status=1)
    assert "patch 2 goes without patch 1: " in " ".join(out.out.split())


def test_taking_out_brings_what_needs_it(three: Path, kpt: Kpt) -> None:
    kpt("tree", "add", "has-all", "--git", three, "--ref", "work")
    reverse = ("apply", "three", "--tree", "has-all", "--reverse", "--json", "--patches")
    rows = kpt(*reverse, "1").json["patches"]
    assert [row["status"] for row in rows] == ["clean", "clean", "skipped"]
    assert "goes out first because it needs patch 1" in rows[1]["why"]
    rows = kpt(*reverse, "2").json["patches"]
    assert [row["status"] for row in rows] == ["skipped", "clean", "skipped"]


def test_a_patch_that_the_tree_has_half_of(toy_repo: Path, workspace: Workspace, kpt: Kpt, tmp_path: Path) -> None:
    """Of one file it has all, of the other nothing: the patch makes a commit, of that file alone."""
    main = "virt/kvm/kvm_main.c"
    git("checkout", "-qb", "work", cwd=toy_repo)
    for path in (MMU, main):
        (toy_repo / path).write_text("int first;\n" + (toy_repo / path).read_text())
    git("commit", "-qam", "both", cwd=toy_repo)
    change(toy_repo, MMU, "static void drop_spte(", "static void drop_one_spte(", "one")
    git("checkout", "-qb", "half", "main", cwd=toy_repo)
    change(toy_repo, main, "dirty_count != 0", "!!dirty_count", "another change")
    (toy_repo / main).write_text("int first;\n" + (toy_repo / main).read_text())
    git("commit", "-qam", "half of it", cwd=toy_repo)
    kpt("import", patches(toy_repo, tmp_path / "mails"), "--name", "two")
    kpt("tree", "add", "half", "--git", toy_repo, "--ref", "half")
    rows = kpt("apply", "two", "--tree", "half", "--json").json["patches"]
    assert [row["status"] for row in rows] == ["clean", "clean"]
    assert [bool(row["commit"]) for row in rows] == [True, True]
    log = git("log", "--format=%s", "--name-only", "base..kpt/two", cwd=workspace.trees / "half.git")
    assert log.split() == ["one", MMU, "both", MMU]


def test_a_tree_that_has_what_a_later_patch_takes_away(
    toy_repo: Path, kpt: Kpt, tmp_path: Path, workspace: Workspace
) -> None:
    git("checkout", "-qb", "work", cwd=toy_repo)
    change(toy_repo, MMU, "static void drop_spte(", "static void drop_one_spte(", "one")
    for subject, old, new in (("break", "!= 0", "!= 7"), ("mend", "!= 7", "!= 0")):
        change(toy_repo, "virt/kvm/kvm_main.c", f"dirty_count {old}", f"dirty_count {new}", subject)
    kpt("import", patches(toy_repo, tmp_path / "mails"), "--name", "three")
    kpt("tree", "add", "toy", "--git", toy_repo, "--ref", "main")
    kpt("tree", "add", "has-all", "--git", toy_repo, "--ref", "work")
    for words in (("--tree", "has-all"), ("--tree", "toy", "--reverse")):
        document = kpt("apply", "three", *words, "--json").json
        assert [row["status"] for row in document["patches"]] == ["already"] * 3
        assert not any(row["commit"] for row in document["patches"])


def test_a_copy_is_taken_out(three: Path, workspace: Workspace, kpt: Kpt, tmp_path: Path) -> None:
    """One as it is, one with a change; `git apply -R` finds the file in its way that it was copied from."""
    git("checkout", "-q", "-b", "copies", "main", cwd=three)
    text = (three / MMU).read_text()
    plain = (three / MMU).with_name("plain.c")
    for name, content in (("plain.c", text), ("changed.c", text.replace("static void drop_spte(", "void drop("))):
        plain.with_name(name).write_text(content)
        git("add", "--force", "arch", cwd=three)
        git("commit", "-qm", f"copy to {name}", cwd=three)
    mail = tmp_path / "copy.mbox"
    mail.write_text(git("format-patch", "--stdout", "-C", "--find-copies-harder", "-2", cwd=three) + "\n")
    assert mail.read_text().count("\ncopy to ") == 2
    kpt("import", mail, "--name", "copy")
    kpt("apply", "copy", "--tree", "toy")
    kpt("tree", "add", "has-it", "--git", three, "--ref", "copies")
    rows = kpt("apply", "copy", "--tree", "has-it", "--json").json["patches"]
    assert [row["status"] for row in rows] == ["already"] * 2
    rows = kpt("apply", "copy", "--tree", "has-it", "--reverse", "--json").json["patches"]
    assert [row["status"] for row in rows] == ["clean"] * 2
    main = git("rev-parse", "main^{tree}", cwd=three)
    assert git("rev-parse", "kpt/copy^{tree}", cwd=workspace.trees / "has-it.git") == main
    rows = kpt("apply", "copy", "--tree", "toy", "--reverse", "--json").json["patches"]
    assert [row["status"] for row in rows] == ["already"] * 2, "there is nothing to take out"
    plain.write_text("int other;\n")
    git("commit", "-qam", "another file", cwd=three)
    kpt("tree", "add", "has-another", "--git", three, "--ref", "copies")
    rows = kpt("apply", "copy", "--tree", "has-another", "--reverse", "--json", status=1).json["patches"]
    assert [row["status"] for row in rows] == ["conflict", "clean"]
    assert "plain.c is not the copy of arch/x86/kvm/mmu.c any more that the patch made" in rows[0]["why"]
    plain.write_text(text)
    plain.with_name("changed.c").open("a").write("int precious;\n")
    git("commit", "-qam", "a line of somebody else", cwd=three)
    kpt("tree", "add", "has-more", "--git", three, "--ref", "copies")
    rows = kpt("apply", "copy", "--tree", "has-more", "--reverse", "--json", status=1).json["patches"]
    assert [row["status"] for row in rows] == ["skipped", "conflict"]


def test_a_copy_of_a_file_that_the_same_patch_changes(
    three: Path, workspace: Workspace, kpt: Kpt, tmp_path: Path
) -> None:
    """As `git format-patch -C` finds them."""
    git("checkout", "-q", "-b", "copies", "main", cwd=three)
    plain = (three / MMU).with_name("plain.c")
    shutil.copyfile(three / MMU, plain)
    git("add", "--force", "arch", cwd=three)
    change(three, MMU, "static void drop_spte(", "static void drop_one_spte(", "copy and change")
    mail = tmp_path / "copy.patch"
    mail.write_text(git("format-patch", "--stdout", "-C", "-1", cwd=three) + "\n")
    assert "\ncopy to arch/x86/kvm/plain.c\n" in mail.read_text()
    kpt("import", mail, "--name", "copy")
    kpt("tree", "add", "has-it", "--git", three, "--ref", "copies")
    assert kpt("apply", "copy", "--tree", "has-it", "--json").json["patches"][0]["status"] == "already"
    kpt("apply", "copy", "--tree", "has-it", "--reverse")
    main = git("rev-parse", "main^{tree}", cwd=three)
    assert git("rev-parse", "kpt/copy^{tree}", cwd=workspace.trees / "has-it.git") == main


def test_wrong_numbers_are_the_users(three: Path, kpt: Kpt) -> None:
    for numbers in ("9", "x", "1-", "", "1,,2"):
        assert len(kpt("apply", "three", "--patches", numbers, status=2).err.splitlines()) == 1


def test_what_the_tree_has_is_recognised(three: Path, kpt: Kpt) -> None:
    """The first patch is in the tree, but its lines were changed again by the second one."""
    kpt("tree", "add", "has-two", "--git", three, "--ref", "work~1")
    document = kpt("apply", "three", "--tree", "has-two", "--json").json
    assert [row["status"] for row in document["patches"]] == ["already", "already", "clean"]
    assert [row["commit"] is None for row in document["patches"]] == [True, True, False]
    kpt("tree", "add", "has-all", "--git", three, "--ref", "work")
    rows = kpt("apply", "three", "--tree", "has-all", "--reverse", "--json").json["patches"]
    assert [row["status"] for row in rows] == ["clean"] * 3


def test_taking_out_what_is_not_there_moves_nothing(three: Path, kpt: Kpt, workspace: Workspace) -> None:
    kpt("apply", "three")
    before = refs(workspace)
    document = kpt("apply", "three", "--tree", "toy", "--reverse", "--json").json
    assert [row["status"] for row in document["patches"]] == ["already"] * 3
    assert document["head"] is None
    assert refs(workspace) == before


def test_a_patch_that_removes_what_is_not_there_says_so(three: Path, kpt: Kpt, tmp_path: Path) -> None:
    git("rm", "-q", MMU, cwd=three)
    git("commit", "-qm", "away with it", cwd=three)
    git("format-patch", "-q", "-1", "-o", tmp_path / "away", cwd=three)
    kpt("import", tmp_path / "away", "--name", "away")
    kpt("tree", "add", "without", "--git", three)
    (row,) = kpt("apply", "away", "--tree", "without", "--json").json["patches"]
    assert (row["status"], row["why"]) == ("already", "what it removes is not there")


GERMAN = {"LC_ALL": "C.UTF-8", "LANGUAGE": "de"}


def says_it_in_german() -> bool:
    argv = ["git", "--git-dir=/nowhere", "log"]
    return b"fatal:" not in subprocess.run(argv, check=False, env={**os.environ, **GERMAN}, capture_output=True).stderr


@pytest.mark.parametrize(
    "words",
    [{}, pytest.param(GERMAN, marks=pytest.mark.skipif(not says_it_in_german(), reason="git speaks no German here"))],
    ids=["English", "German"],
)
def test_a_lock_of_git_is_named_and_nothing_changes(
    words: dict[str, str], three: Path, kpt: Kpt, workspace: Workspace
) -> None:
    kpt("apply", "three", "--patches", "1")
    before = refs(workspace)
    lock = workspace.trees / "toy.git/refs/heads/kpt/three.lock"
    lock.write_text("")
    failed = kpt("apply", "three", status=3, env=words)
    assert f"{lock}: a git lock is in the way" in failed.err
    assert len(failed.err.splitlines()) == 1
    lock.unlink()
    assert refs(workspace) == before


def test_unsafe_paths_are_refused(three: Path, kpt: Kpt, tmp_path: Path) -> None:
    mail = (tmp_path / "mails/0003-say-it-shorter.patch").read_text()
    for path in ("../escape", ".git/config", "a/../../b", "a/.GIT/hooks/x"):
        (tmp_path / "evil.patch").write_text(mail.replace("virt/kvm/kvm_main.c", path))
        imported = kpt("import", "evil.patch", "--name", "evil", "--force", status=None)
        if imported.status == 0:
            assert "patch 3" in kpt("apply", "evil", "--tree", "toy", status=2).err


def test_two_at_once_end_well(three: Path, kpt: Kpt, workspace: Workspace) -> None:
    with ThreadPoolExecutor(4) as pool:
        heads = list(pool.map(lambda _: kpt("apply", "three", "--json").json["head"], range(4)))
    assert len(set(heads)) == 1
    git("fsck", "--strict", cwd=workspace.trees / "toy.git")
    assert load_applied(workspace).head.commit == heads[0]


def test_the_record_knows_every_state(three: Path, kpt: Kpt, workspace: Workspace) -> None:
    with pytest.raises(InputError, match="no series was applied yet"):
        load_applied(workspace)
    document = kpt("apply", "three", "--json").json
    applied = load_applied(workspace, "three")
    assert [state.patch for state in applied.states] == [0, 1, 2, 3]
    assert [state.commit for state in applied.states] == [document["base"], *(p["commit"] for p in document["patches"])]
    for state in applied.states:
        tree = git("rev-parse", f"{state.commit}^{{tree}}", cwd=workspace.trees / "toy.git")
        assert state.tree_id == tree
    git("update-ref", "refs/heads/kpt/three", document["base"], cwd=workspace.trees / "toy.git")
    with pytest.raises(InputError, match="moved by another hand"):
        load_applied(workspace)
    failed = kpt("apply", "three", status=2)
    assert "branch -m kpt/three" in failed.err
    git("branch", "-m", "kpt/three", "mine", cwd=workspace.trees / "toy.git")
    assert kpt("apply", "three", "--json").json == document


def test_what_a_killed_apply_left_among_the_packs_goes_an_hour_later(tmp_path: Path) -> None:
    """git fast-import, killed or left alone by a killed kpt, leaves the pack that it was writing."""
    where = tmp_path / "r"
    git("init", "-q", "--bare", where, cwd=tmp_path)
    die = (
        "import os, sys; from pathlib import Path; from kpatch_tool.tree.fastimport import FastImport;"
        "stream = FastImport(Path(sys.argv[1])); stream.blob(os.urandom(1 << 20)); stream._in.flush();"
        "stream.oid(1); os.kill(stream._process.pid, 9); os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", die, where], cwd=REPO_ROOT, check=False)
    (left,) = where.glob("objects/pack/tmp_pack_*")
    for age, there in ((60, True), (7200, False)):
        os.utime(left, (time.time() - age,) * 2)
        with FastImport(where) as stream:
            stream.finish()
        assert left.exists() == there


def test_a_stream_that_fails_clears_up_after_itself_but_takes_no_pack_of_another(tmp_path: Path) -> None:
    where = tmp_path / "r"
    git("init", "-q", "--bare", where, cwd=tmp_path)
    with FastImport(where) as working:
        working.oid(working.blob(os.urandom(1 << 20)))
        packs = list(where.glob("objects/pack/tmp_pack_*"))
        assert packs
        with FastImport(where) as failing:
            failing.oid(failing.blob(os.urandom(1 << 20)))
        assert all(path.exists() for path in packs)
        kept = working.oid(working.blob(b"kept\n"))
        working.finish()
    assert git("cat-file", "-p", kept, cwd=where) == "kept"
    with FastImport(where) as failing:
        failing.oid(failing.blob(os.urandom(1 << 20)))
    assert not list(where.glob("objects/pack/tmp_pack_*"))


def test_the_lock_of_a_killed_stream_goes_with_the_next_one_that_is_alone(tmp_path: Path) -> None:
    where = tmp_path / "r"
    git("init", "-q", "--bare", where, cwd=tmp_path)
    left = where / "refs/kpt/stream.lock"
    left.parent.mkdir()
    left.touch()
    with FastImport(where) as stream:
        assert not left.exists()
        left.touch()  # of the stream that is at work
        with FastImport(where) as other:
            other.finish()
        assert left.exists()
        left.unlink()
        stream.finish()
    left.mkdir()  # cannot be taken away
    with FastImport(where) as stream:
        stream.finish()


def test_a_branch_that_is_checked_out_stays(three: Path, workspace: Workspace, kpt: Kpt, tmp_path: Path) -> None:
    """git does not move one either: the next commit there would take back what it moved to."""
    kpt("apply", "three")
    git("worktree", "add", "-q", tmp_path / "mine", "kpt/three", cwd=workspace.trees / "toy.git")
    kpt("apply", "three")  # it stays where it is
    before = refs(workspace)
    for words in (("apply", "three", "--patches", "3"), ("undo", "three")):
        err = kpt(*words, status=2).err
        assert "branch kpt/three is checked out" in err and f"git -C {tmp_path / 'mine'} checkout --detach" in err
    assert refs(workspace) == before
    git("checkout", "-q", "--detach", cwd=tmp_path / "mine")
    assert f"it has a worktree: {tmp_path / 'mine'}" in kpt("tree", "remove", "toy", status=2).err
    kpt("apply", "three", "--patches", "3")
    assert refs(workspace) != before


def test_a_tree_with_branches_of_the_users_is_not_replaced(three: Path, workspace: Workspace, kpt: Kpt) -> None:
    kpt("apply", "three")
    tree = workspace.trees / "toy.git"
    git("branch", "mine", "kpt/three", cwd=tree)
    for words in (("add", "toy", "--git", three, "--ref", "work", "--force"), ("remove", "toy")):
        err = kpt("tree", *words, status=2).err
        assert err.startswith("kpt: tree toy: branches of yours would be lost: mine; ")
    git("branch", "-D", "mine", cwd=tree)
    kpt("tree", "add", "toy", "--git", three, "--ref", "work", "--force")
    kpt("tree", "remove", "toy")
    assert not tree.exists()
