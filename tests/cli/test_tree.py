"""`kpt tree`: every source, and what an interrupted or refused add leaves."""

from __future__ import annotations

import fcntl
import io
import os
import shutil
import signal
import subprocess
import sys
import tarfile
import tempfile
import termios
import time
from pathlib import Path
from typing import Literal

import pytest

from kpatch_tool.errors import InputError
from kpatch_tool.tree import left_out
from kpatch_tool.tree.catalogue import Catalogue
from kpatch_tool.tree.objects import Objects
from kpatch_tool.workspace import Workspace
from tests.conftest import TOY_GITIGNORE, Kpt, git, only_described

_Mode = Literal["w", "w:gz", "w:xz"]


def tree_ids(workspace: Workspace, *names: str) -> set[str]:
    return {git("rev-parse", "base^{tree}", cwd=workspace.trees / f"{name}.git") for name in names}


def archive(source: Path, target: Path, mode: _Mode) -> Path:
    with tarfile.open(target, mode) as tar:
        tar.add(source, arcname="linux-toy")
    return target


def test_every_source_gives_the_same_tree(toy_kernel: Path, workspace: Workspace, kpt: Kpt, tmp_path: Path) -> None:
    kpt("tree", "add", "plain", "--dir", toy_kernel)
    archives: tuple[tuple[str, _Mode], ...] = (("toy.tar", "w"), ("toy.tar.gz", "w:gz"), ("toy.tar.xz", "w:xz"))
    for name, mode in archives:
        archive(toy_kernel, tmp_path / name, mode)
    kpt("tree", "add", "tar", "--tarball", "toy.tar")
    kpt("tree", "add", "gz", "--tarball", "toy.tar.gz")
    kpt("tree", "add", "xz", "--tarball", tmp_path / "toy.tar.xz")
    git("init", "-q", cwd=toy_kernel)
    git("add", "-Af", cwd=toy_kernel)
    git("commit", "-qm", "toy", cwd=toy_kernel)
    kpt("tree", "add", "path", "--git", toy_kernel)
    kpt("tree", "add", "url", "--git", f"file://{toy_kernel}", "--ref", "main")
    kpt("tree", "add", "clean", "--dir", toy_kernel)
    names = ("plain", "tar", "gz", "xz", "path", "url", "clean")
    assert tree_ids(workspace, *names) == {git("rev-parse", "HEAD^{tree}", cwd=toy_kernel)}
    for name in names:
        ours = workspace.trees / f"{name}.git"
        assert git("for-each-ref", "--format=%(refname)", cwd=ours) == "refs/heads/base"
        assert git("symbolic-ref", "HEAD", cwd=ours) == "refs/heads/base"
        assert git("config", "gc.auto", cwd=ours) == "0"
        assert "remote" not in git("config", "--list", "--local", cwd=ours)
    listed = {row["name"]: row for row in kpt("tree", "list", "--json").json["trees"]}
    assert {listed[name]["version"] for name in names} == {"6.1.7"}


def test_gitignore_does_not_hide_files(toy_kernel: Path, workspace: Workspace, kpt: Kpt) -> None:
    assert (toy_kernel / ".gitignore").read_text() == TOY_GITIGNORE
    kpt("tree", "add", "t", "--dir", toy_kernel)
    there = git("ls-tree", "-r", "--name-only", "base", cwd=workspace.trees / "t.git").splitlines()
    assert "arch/x86/kvm/mmu.c" in there
    assert ".gitignore" in there


def test_the_same_directory_gives_the_same_commit(toy_kernel: Path, workspace: Workspace, kpt: Kpt) -> None:
    first = kpt("tree", "add", "one", "--dir", toy_kernel, "--json").json
    second = kpt("tree", "add", "two", "--dir", toy_kernel, "--json").json
    assert first["base"] == second["base"]


def test_any_commit_of_a_repository(toy_repo: Path, workspace: Workspace, kpt: Kpt) -> None:
    """Also one that no branch leads to, and with branches that stand in the way of `base`."""
    git("branch", "base/x", cwd=toy_repo)
    lost = git("commit-tree", "-m", "lost", "HEAD^{tree}", cwd=toy_repo)
    assert kpt("tree", "add", "t", "--git", toy_repo, "--ref", lost, "--json").json["base"] == lost
    assert git("for-each-ref", "--format=%(refname)", cwd=workspace.trees / "t.git") == "refs/heads/base\nrefs/kpt/tip"
    kpt("tree", "add", "u", "--git", toy_repo, "--ref", "nowhere", status=2)
    kpt("tree", "add", "u", "--git", f"file://{toy_repo}", "--ref", "nowhere", status=2)
    kpt("tree", "add", "u", "--git", toy_repo / "arch", status=2)


def test_a_repository_on_another_disk(toy_repo: Path, workspace: Workspace, kpt: Kpt) -> None:
    """No hard links there: the objects are copied."""
    memory = Path("/dev/shm")
    if not memory.is_dir() or memory.stat().st_dev == toy_repo.stat().st_dev:
        pytest.skip("one file system here")
    with tempfile.TemporaryDirectory(dir=memory) as other:
        kpt("init", cwd=Path(other))
        made = kpt("tree", "add", "t", "--git", toy_repo, "--ref", "main", "--json", cwd=Path(other)).json
    assert made["base"] == git("rev-parse", "main", cwd=toy_repo).strip()


PATCH = """\
From: A <a@example.org>
Subject: [PATCH] Change a file

---
diff --git a/a b/a
--- a/a
+++ b/a
@@ -1,3 +1,3 @@
 one
-two
+2
 three
"""


def small(where: Path, *options: str) -> Path:
    """A repository with two small files."""
    git("init", "-q", *options, where, cwd=where.parent)
    (where / "Makefile").write_text("VERSION = 6\nPATCHLEVEL = 1\n")
    (where / "a").write_text("one\ntwo\nthree\n")
    git("add", "-A", cwd=where)
    git("commit", "-qm", "base", cwd=where)
    return where


def beside(repo: Path) -> str:
    """The id of a commit that no branch of `repo` leads to."""
    (repo / "a").write_text("one\ntwo\nthree\nfour\n")
    git("commit", "-qam", "beside", cwd=repo)
    commit = git("rev-parse", "HEAD", cwd=repo)
    git("reset", "-q", "--hard", "HEAD^", cwd=repo)
    return commit


def applied_and_undone(workspace: Workspace, kpt: Kpt, tmp_path: Path, tree: str) -> None:
    (tmp_path / "a.patch").write_text(PATCH)
    kpt("import", tmp_path / "a.patch", "--name", "s")
    (row,) = kpt("apply", "s", "--tree", tree, "--json").json["patches"]
    git_dir = workspace.trees / f"{tree}.git"
    assert git("cat-file", "-p", "kpt/s:a", cwd=git_dir) == "one\n2\nthree"
    assert git("rev-parse", "kpt/s:a", cwd=git_dir) == row["files"][0]["blob"]
    git("fsck", "--strict", cwd=git_dir)
    kpt("undo", "s", "--tree", tree)
    assert git("for-each-ref", "refs/heads/kpt", cwd=git_dir) == ""


def test_a_repository_with_ids_of_sha256(workspace: Workspace, kpt: Kpt, tmp_path: Path) -> None:
    there = small(tmp_path / "there", "--object-format=sha256")
    kpt("tree", "add", "t", "--git", there)
    assert Catalogue(workspace).get("t").base == git("rev-parse", "HEAD", cwd=there)
    applied_and_undone(workspace, kpt, tmp_path, "t")


def test_a_user_whose_new_repositories_have_ids_of_sha256(workspace: Workspace, kpt: Kpt, tmp_path: Path) -> None:
    (tmp_path / "plain").mkdir()
    (tmp_path / "plain/a").write_text("one\ntwo\nthree\n")
    kpt("tree", "add", "t", "--dir", tmp_path / "plain", env={"GIT_DEFAULT_HASH": "sha256"})
    assert len(Catalogue(workspace).get("t").base) == 40
    applied_and_undone(workspace, kpt, tmp_path, "t")


def test_a_user_whose_git_is_set_up_for_other_work(
    workspace: Workspace, kpt: Kpt, tmp_path: Path, sealed: Path
) -> None:
    first = small(tmp_path / "first")
    git("clone", "-q", "--depth=1", f"file://{first}", tmp_path / "shallow", cwd=tmp_path)
    hook = tmp_path / "hooks/reference-transaction"
    hook.parent.mkdir()
    hook.write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\nexit 1\n")
    hook.chmod(0o755)
    wishes = ("core.hooksPath", str(hook.parent)), ("clone.rejectShallow", "true"), ("core.autocrlf", "true")
    for key, value in (*wishes, ("diff.external", "false"), ("color.ui", "always"), ("log.follow", "true")):
        git("config", "--global", key, value, cwd=sealed)
    for name, source in (("path", first), ("shallow", tmp_path / "shallow"), ("url", f"file://{first}")):
        kpt("tree", "add", name, "--git", source)
    applied_and_undone(workspace, kpt, tmp_path, "url")
    assert not (tmp_path / "ran").exists()


def test_a_commit_with_a_mode_that_git_does_not_write_any_more(workspace: Workspace, kpt: Kpt, tmp_path: Path) -> None:
    there = small(tmp_path / "there")
    tree = bytes.fromhex(git("rev-parse", "HEAD:a", cwd=there))
    old = git("hash-object", "-w", "-t", "tree", "--literally", "--stdin", cwd=there, stdin=b"100664 a\0" + tree)
    kpt("tree", "add", "t", "--git", there, "--ref", git("commit-tree", "-m", "old", old, cwd=there))
    (tmp_path / "a.patch").write_text(PATCH)
    kpt("import", tmp_path / "a.patch", "--name", "s")
    kpt("apply", "s", "--tree", "t")
    assert git("ls-tree", "kpt/s", cwd=workspace.trees / "t.git").startswith("100644 blob")


@pytest.mark.parametrize("how", [["--shared"], ["--depth=1"]], ids=["borrowing", "shallow"])
def test_a_commit_that_no_branch_leads_to(how: list[str], workspace: Workspace, kpt: Kpt, tmp_path: Path) -> None:
    first = small(tmp_path / "first")
    from_where = first if how == ["--shared"] else f"file://{first}"
    git("clone", "-q", *how, from_where, tmp_path / "second", cwd=tmp_path)
    commit = beside(first if how == ["--shared"] else tmp_path / "second")
    kpt("tree", "add", "t", "--git", tmp_path / "second", "--ref", commit)
    shutil.rmtree(first)
    shutil.rmtree(tmp_path / "second")
    git_dir = workspace.trees / "t.git"
    assert git("cat-file", "-p", "base:a", cwd=git_dir) == "one\ntwo\nthree\nfour"
    assert git("rev-parse", "base", cwd=git_dir) == commit
    git("fsck", "--strict", cwd=git_dir)


def test_a_partial_clone_is_refused_where_files_are_missing(workspace: Workspace, kpt: Kpt, tmp_path: Path) -> None:
    first = small(tmp_path / "first")
    git("config", "uploadpack.allowFilter", "true", cwd=first)
    url = f"file://{first}"
    git("clone", "-q", "--bare", "--filter=blob:none", url, tmp_path / "bare", cwd=tmp_path)
    git("clone", "-q", "--filter=blob:none", url, tmp_path / "checkout", cwd=tmp_path)
    refused = kpt("tree", "add", "t", "--git", tmp_path / "bare", status=2)
    assert "a partial clone, without 2 objects of that commit" in refused.err
    assert only_described(workspace)
    kpt("tree", "add", "t", "--git", tmp_path / "checkout")
    applied_and_undone(workspace, kpt, tmp_path, "t")


def test_what_a_partial_clone_lacks_is_left_out_on_demand(workspace: Workspace, kpt: Kpt, tmp_path: Path) -> None:
    first = small(tmp_path / "first")
    (first / "table \u00e9.h").write_text("#define A 1\n" * 1000)
    git("add", "-A", cwd=first)
    git("commit", "-q", "-m", "a table", cwd=first)
    git("config", "uploadpack.allowFilter", "true", cwd=first)
    git("clone", "-q", "--bare", "--filter=blob:limit=1k", f"file://{first}", tmp_path / "bare", cwd=tmp_path)
    assert "with --without-missing" in kpt("tree", "add", "t", "--git", tmp_path / "bare", status=2).err
    added = kpt("tree", "add", "t", "--git", tmp_path / "bare", "--without-missing")
    assert "without 1 file that the clone lacks, to which no patch applies:\n  table \u00e9.h" in added.out
    again = kpt("tree", "add", "t", "--git", tmp_path / "bare", "--without-missing", "--json").json
    assert (again["made"], again["left_out"]) == (False, ["table \u00e9.h"])
    git_dir = workspace.trees / "t.git"
    assert git("diff-tree", "-r", "--name-status", "-z", "base^", "base", cwd=git_dir) == "D\0table \u00e9.h\0"
    assert git("rev-parse", "base^", cwd=git_dir) == git("rev-parse", "HEAD", cwd=first)
    (tmp_path / "a.patch").write_text(PATCH)
    kpt("import", tmp_path / "a.patch", "--name", "s")
    kpt("apply", "s", "--tree", "t")
    assert git("cat-file", "-p", "kpt/s:a", cwd=git_dir) == "one\n2\nthree"
    git("worktree", "add", "-q", tmp_path / "out", "kpt/s", cwd=git_dir)


def test_what_cannot_be_left_out(workspace: Workspace, kpt: Kpt, tmp_path: Path) -> None:
    first = small(tmp_path / "first")
    refused = kpt("tree", "add", "t", "--dir", first, "--without-missing", status=2)
    assert "--without-missing is for a git repository" in refused.err
    kpt("tree", "add", "t", "--git", first)
    git_dir, base = workspace.trees / "t.git", git("rev-parse", "HEAD", cwd=first)
    many = frozenset(f"{number:040x}" for number in range(left_out.MOST + 1))
    assert left_out.commit_without(git_dir, base, many) is None
    assert left_out.commit_without(git_dir, base, frozenset(["0" * 40])) is None, "no file of the commit: a directory"


def test_a_workspace_in_the_directory_is_no_part_of_the_tree(workspace: Workspace, kpt: Kpt, tmp_path: Path) -> None:
    (tmp_path / "drivers").mkdir()
    (tmp_path / "drivers/a.c").write_text("int a;\n")
    (tmp_path / "drivers/kernel-trees").mkdir()
    (tmp_path / "drivers/kernel-trees/b.c").write_text("int b;\n")
    kpt("tree", "add", "t", "--dir", ".")
    kpt("tree", "add", "u", "--dir", tmp_path)
    first, second = tree_ids(workspace, "t"), tree_ids(workspace, "u")
    names = git("ls-tree", "-r", "--name-only", "base", cwd=workspace.trees / "u.git").splitlines()
    assert {"drivers/a.c", "drivers/kernel-trees/b.c"} <= set(names)
    assert not [name for name in names if name.startswith((".kpt", "kernel-trees"))]
    assert first == second


def test_a_fetch_by_url_is_shallow(toy_repo: Path, workspace: Workspace, kpt: Kpt) -> None:
    git("commit", "--allow-empty", "-qm", "second", cwd=toy_repo)
    git("tag", "-a", "-m", "annotated", "v1", cwd=toy_repo)
    made = kpt("tree", "add", "t", "--git", f"file://{toy_repo}", "--ref", "v1", "--json").json
    assert made["base"] == git("rev-parse", "HEAD", cwd=toy_repo)
    assert git("rev-list", "--count", "base", cwd=workspace.trees / "t.git") == "1"


def test_a_fetch_of_a_commit_by_its_id(toy_repo: Path, workspace: Workspace, kpt: Kpt) -> None:
    git("commit", "--allow-empty", "-qm", "second", cwd=toy_repo)
    first = git("rev-parse", "HEAD^", cwd=toy_repo)
    assert kpt("tree", "add", "t", "--git", f"file://{toy_repo}", "--ref", first, "--json").json["base"] == first
    assert git("for-each-ref", "--format=%(refname)", cwd=workspace.trees / "t.git") == "refs/heads/base"
    unknown = kpt("tree", "add", "u", "--git", f"file://{toy_repo}", "--ref", "1" * 40, status=2)
    assert "the repository has no such ref" in unknown.err


def test_inside_a_hook_the_users_repository_is_left_alone(
    toy_repo: Path, workspace: Workspace, kpt: Kpt, tmp_path: Path
) -> None:
    git("init", "-q", "mine", cwd=tmp_path)
    git("commit", "-q", "--allow-empty", "-m", "mine", cwd=tmp_path / "mine")
    before = git("for-each-ref", cwd=tmp_path / "mine")
    hook = {"GIT_DIR": str(tmp_path / "mine/.git"), "GIT_INDEX_FILE": str(tmp_path / "mine/.git/index")}
    for name, source in (("path", str(toy_repo)), ("url", f"file://{toy_repo}")):
        made = kpt("tree", "add", name, "--git", source, "--ref", "main", "--json", env=hook).json
        assert made["base"] == git("rev-parse", "main", cwd=toy_repo)
    assert git("for-each-ref", cwd=tmp_path / "mine") == before
    assert "remote" not in git("config", "--list", "--local", cwd=tmp_path / "mine")


def test_uncommitted_changes_are_refused(toy_repo: Path, workspace: Workspace, kpt: Kpt) -> None:
    (toy_repo / "Makefile").write_text("changed\n")
    failed = kpt("tree", "add", "t", "--dir", toy_repo, status=2)
    assert "1 uncommitted change (Makefile)" in failed.err
    assert "--git PATH --ref COMMIT" in failed.err
    assert only_described(workspace)


def evil(where: Path, member: tarfile.TarInfo) -> Path:
    with tarfile.open(where / "evil.tar", "w") as tar:
        tar.addfile(member, io.BytesIO(b"x" * member.size))
    return where / "evil.tar"


@pytest.mark.parametrize(
    "name", ["../up", "/abs", "a/../../b", ".git/config", "a/.Git/hooks/post-checkout", "a\x1b[2J"]
)
def test_unsafe_members_are_refused(workspace: Workspace, kpt: Kpt, tmp_path: Path, name: str) -> None:
    member = tarfile.TarInfo(name)
    member.size = 1
    failed = kpt("tree", "add", "t", "--tarball", evil(tmp_path, member), status=2)
    assert "refused" in failed.err
    assert "\x1b" not in failed.err
    assert only_described(workspace)


def test_devices_are_refused(workspace: Workspace, kpt: Kpt, tmp_path: Path) -> None:
    member = tarfile.TarInfo("dev")
    member.type = tarfile.CHRTYPE
    kpt("tree", "add", "t", "--tarball", evil(tmp_path, member), status=2)


def test_a_sparse_file_is_no_bomb(workspace: Workspace, kpt: Kpt, tmp_path: Path) -> None:
    (tmp_path / "linux").mkdir()
    os.truncate(os.open(tmp_path / "linux" / "Makefile", os.O_CREAT | os.O_WRONLY), 1 << 40)
    subprocess.run(["tar", "-cSf", tmp_path / "x.tar", "-C", tmp_path, "linux"], check=True)
    for source in (("--tarball", tmp_path / "x.tar"), ("--dir", tmp_path / "linux")):
        assert "Makefile: refused: larger than 1024 MB" in kpt("tree", "add", "t", *source, status=2).err


def test_links_of_an_archive(workspace: Workspace, kpt: Kpt, tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    (tmp_path / "src/file").write_bytes(b"content\n")
    (tmp_path / "src/file").chmod(0o755)
    (tmp_path / "src/hard").hardlink_to(tmp_path / "src/file")
    (tmp_path / "src/soft").symlink_to("file")
    kpt("tree", "add", "t", "--tarball", archive(tmp_path / "src", tmp_path / "a.tar", "w"))
    rows = git("ls-tree", "-r", "--format=%(objectmode) %(path)", "base", cwd=workspace.trees / "t.git")
    assert rows.splitlines() == ["100755 file", "100755 hard", "120000 soft"]


@pytest.mark.parametrize("cut", [0, 10, 600, -100])
def test_a_truncated_archive_is_one_line(
    toy_kernel: Path, workspace: Workspace, kpt: Kpt, tmp_path: Path, cut: int
) -> None:
    whole = archive(toy_kernel, tmp_path / "toy.tar.xz", "w:xz").read_bytes()
    (tmp_path / "cut.tar.xz").write_bytes(whole[:cut])
    failed = kpt("tree", "add", "t", "--tarball", "cut.tar.xz", status=2)
    assert failed.err.splitlines()[-1].startswith("kpt: ")
    assert only_described(workspace)


def test_bad_input_is_one_line(toy_kernel: Path, workspace: Workspace, kpt: Kpt) -> None:
    for name in ("-x", ".hidden", "a/b", "..", "a b", "x.lock", "\x1b[2J"):
        failed = kpt("tree", "add", "--dir", toy_kernel, "--", name, status=2)
        assert len(failed.err.splitlines()) == 1
        assert "\x1b" not in failed.err
    (workspace.root / "nothing").mkdir()
    mistakes: tuple[tuple[str, ...], ...] = (
        ("--dir", "nowhere"),
        ("--dir", str(toy_kernel / "Makefile")),
        ("--dir", "nothing"),
        ("--tarball", "nowhere.tar"),
        ("--git", "nowhere"),
        ("--git", "ext::sh -c true"),
        ("--git", str(toy_kernel)),
        ("--dir", str(toy_kernel), "--ref", "x"),
        ("--dir", str(toy_kernel), "--git", "x"),
        ("--debian", "../x"),
        ("--skeleton", "nowhere"),
        (),
    )
    for options in mistakes:
        failed = kpt("tree", "add", "t", *options, status=2)
        assert failed.err.splitlines()[-1].startswith("kpt: "), options
        if options[:1] == ("--dir",):
            assert options[1] in failed.err or len(options) > 2
    assert only_described(workspace)


def test_a_second_add_is_the_same_tree_or_refused(toy_kernel: Path, workspace: Workspace, kpt: Kpt) -> None:
    first = kpt("tree", "add", "t", "--dir", toy_kernel, "--json").json
    assert first["made"]
    again = kpt("tree", "add", "t", "--dir", toy_kernel, "--json").json
    assert again == {**first, "made": False}
    failed = kpt("tree", "add", "t", "--git", toy_kernel, status=2)
    assert "--force" in failed.err
    (toy_kernel / "new").write_text("new\n")
    assert kpt("tree", "add", "t", "--dir", toy_kernel, "--force", "--json").json["base"] != first["base"]


def test_a_damaged_tree_is_one_line_and_can_be_made_anew(toy_kernel: Path, workspace: Workspace, kpt: Kpt) -> None:
    first = kpt("tree", "add", "t", "--dir", toy_kernel, "--json").json
    shutil.rmtree(workspace.trees / "t.git/objects")
    (workspace.trees / "t.git/objects").mkdir()
    assert kpt("tree", "add", "t", "--force", "--json").json == first
    assert "6.1.7" in kpt("tree", "list").out
    (workspace.trees / "t.git/kpt-tree.toml").write_text("garbage")
    assert "kpt tree remove t" in kpt("tree", "list").out
    kpt("tree", "remove", "t")
    (workspace.trees / "t.git").mkdir()
    assert "not made by kpt" in kpt("tree", "add", "t", "--dir", toy_kernel, status=2).err


def test_descriptions(toy_repo: Path, workspace: Workspace, kpt: Kpt) -> None:
    described = workspace.trees / "trees.toml"
    text = f'["toy-6.1"]\ngit = "{toy_repo}"\nref = "main"\nmake = {{V = "1"}}\nconfig = ["CONFIG_X=y"]\n'
    described.write_text(text)
    assert "not here; `kpt tree add toy-6.1` brings it" in kpt("tree", "list").out
    assert "kpt tree add toy-6.1" in kpt("tree", "use", "toy-6.1", status=2).err
    kpt("tree", "add", "toy-6.1")
    tree = Catalogue(workspace).get("toy-6.1")
    assert (tree.make, tree.config, tree.version) == ({"V": "1"}, ("CONFIG_X=y",), (6, 1, 7))
    assert described.read_text() == text


@pytest.mark.parametrize(
    "text",
    [
        "[a",
        "a = 1",
        '[kvm-3.15]\ngit = "x"',
        '[a]\ngit = "x"\ndir = "y"',
        "[a]\nwhat = 1",
        "[a]\ngit = 1",
        '[a]\nmake = "x"',
        '["a/b"]\ngit = "x"',
        '[a]\ndir = "x\\u0000y"',
        "a = " + "[" * 5000,
    ],
)
def test_a_wrong_trees_toml_is_one_line(workspace: Workspace, kpt: Kpt, text: str) -> None:
    (workspace.trees / "trees.toml").write_text(text)
    failed = kpt("tree", "list", status=2)
    assert len(failed.err.splitlines()) == 1


def test_use_remove_and_which_tree_is_meant(toy_kernel: Path, workspace: Workspace, kpt: Kpt) -> None:
    catalogue = Catalogue(workspace)
    with pytest.raises(InputError, match="no kernel tree is here"):
        catalogue.resolve(None)
    kpt("tree", "add", "one", "--dir", toy_kernel)
    assert catalogue.resolve(None).name == "one"
    kpt("tree", "add", "two", "--dir", toy_kernel)
    with pytest.raises(InputError, match="several trees are here: one, two"):
        catalogue.resolve(None)
    assert catalogue.resolve("two").name == "two"
    kpt("tree", "use", "two")
    assert catalogue.resolve(None).name == "two"
    assert [row["in_use"] for row in kpt("tree", "list", "--json").json["trees"]] == [False, True]
    kpt("tree", "remove", "two")
    assert catalogue.resolve(None).name == "one"
    kpt("tree", "remove", "two", status=2)


def test_no_other_tree_is_put_in_the_place_of_the_one_in_use(toy_kernel: Path, workspace: Workspace, kpt: Kpt) -> None:
    catalogue = Catalogue(workspace)
    kpt("tree", "add", "one", "--dir", toy_kernel)
    kpt("tree", "add", "two", "--dir", toy_kernel)
    kpt("tree", "use", "two")
    shutil.rmtree(workspace.trees / "two.git")
    with pytest.raises(InputError, match="two: the tree in use is not here any more"):
        catalogue.resolve(None)
    kpt("tree", "use", "one")
    assert catalogue.resolve(None).name == "one"


def test_debian_without_lists_or_network(workspace: Workspace, kpt: Kpt, tmp_path: Path) -> None:
    """An apt that knows nothing, as before the first `apt-get update`."""
    empty = tmp_path / "apt"
    (empty / "lists/partial").mkdir(parents=True)
    (empty / "status").write_text("")
    config = tmp_path / "apt.conf"
    config.write_text(
        f'Dir::State::lists "{empty}/lists";\nDir::State::status "{empty}/status";\n'
        'Dir::Cache::pkgcache "";\nDir::Cache::srcpkgcache "";\n'
    )
    failed = kpt("tree", "add", "d", "--debian", "linux-source-9.9", status=3, env={"APT_CONFIG": str(config)})
    assert "apt-get update" in failed.err.splitlines()[-1]
    assert only_described(workspace)


def wait_until_read(pipe: int) -> None:
    deadline = time.monotonic() + 60
    while int.from_bytes(fcntl.ioctl(pipe, termios.FIONREAD, bytes(4)), sys.byteorder):
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_an_interrupted_add_leaves_nothing(
    toy_kernel: Path, workspace: Workspace, kpt: Kpt, tmp_path: Path, how: signal.Signals
) -> None:
    """The archive is a pipe that stays open, so the add is certainly in the middle when the signal comes."""
    data = archive(toy_kernel, tmp_path / "toy.tar", "w").read_bytes()
    pipe = tmp_path / "pipe.tar"
    os.mkfifo(pipe)
    command = [sys.executable, "-m", "kpatch_tool", "tree", "add", "t", "--tarball", str(pipe)]
    child = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    keeper = os.open(pipe, os.O_RDWR)  # so that no end of the pipe is ever alone
    try:
        for part in (data[:100], data[:40_000]):  # the archive's kind is looked at first
            os.write(keeper, part)
            wait_until_read(keeper)
        child.send_signal(how)
        child.wait(20)
    finally:
        child.kill()
        os.close(keeper)
    assert child.returncode != 0
    assert not (workspace.trees / "t.git").exists()
    assert "not here" not in kpt("tree", "list").out
    if how is signal.SIGINT:
        assert only_described(workspace)
    kpt("tree", "add", "other", "--tarball", "toy.tar")
    assert sorted(path.name for path in workspace.trees.iterdir()) == ["other.git", "trees.toml"]


def test_objects(toy_repo: Path) -> None:
    (toy_repo / "run").write_text("#!/bin/sh\n")
    (toy_repo / "run").chmod(0o755)
    git("add", "-f", "run", cwd=toy_repo)
    git("commit", "-qm", "run", cwd=toy_repo)
    head = git("rev-parse", "HEAD", cwd=toy_repo)
    blob = git("rev-parse", "HEAD:Makefile", cwd=toy_repo)
    with Objects(toy_repo / ".git") as objects:
        entry = objects.file(head, "Makefile")
        assert entry is not None
        assert (entry.mode, entry.oid, entry.data) == ("100644", blob, (toy_repo / "Makefile").read_bytes())
        run = objects.file("HEAD", "run")
        assert run is not None
        assert run.mode == "100755"
        assert objects.blob(blob[:8]) == entry.data
        assert objects.blob("0" * 40) is None
        assert objects.blob("zzz") is None
        assert objects.blob(head) is None
        assert objects.file(head, "arch") is None
        assert objects.file(head, "arch/x86/kvm/nothing.c") is None
        assert objects.file(head, "Makefile/below") is None
        assert objects.file(head, "a\nb") is None
        assert objects.tree_id(head) == git("rev-parse", "HEAD^{tree}", cwd=toy_repo)
        commit = objects.commit("main")
        assert commit is not None
        assert commit.oid == head
        assert commit.subject == "run"
        assert objects.commit("nothing") is None


def test_a_broken_record_spoils_only_its_own_tree(toy_kernel: Path, workspace: Workspace, kpt: Kpt) -> None:
    for name in ("good", "bad"):
        kpt("tree", "add", name, "--dir", toy_kernel)
    (workspace.trees / "bad.git" / "kpt-tree.toml").write_text("kind = \n")
    rows = {row["name"]: row for row in kpt("tree", "list", "--json").json["trees"]}
    assert rows["good"]["here"] and not rows["good"]["problem"]
    assert not rows["bad"]["here"] and "kpt tree remove bad" in rows["bad"]["problem"]
    assert "bad  cannot be used" in kpt("tree", "list").out
    assert [tree.name for tree in Catalogue(workspace).here()] == ["good"]
    kpt("tree", "remove", "bad")
    assert "bad" not in kpt("tree", "list").out
