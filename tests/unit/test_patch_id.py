"""Patch ids are git's: compared with `git patch-id --stable` and with what `git format-patch --base` writes."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from kpatch_tool.diff.parse import parse_diff
from kpatch_tool.diff.patchid import patch_id, patch_ids, tree_patch_id
from tests.conftest import git

TEXT = "".join(f"line {number}\n" for number in range(30))


def git_says(diff: bytes, repo: Path) -> str | None:
    said = git("patch-id", "--stable", cwd=repo, stdin=diff)
    return said.split(" ")[0] if said else None


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    """A repository whose commits change files in every way there is."""
    where = tmp_path / "repo"
    where.mkdir()
    git("init", "-q", cwd=where)
    for name in ("a", "b c", "deleted", "moved", "mode", "rewritten"):
        (where / name).write_text(name + "\n" + TEXT)
    (where / "bin").write_bytes(bytes(range(256)))
    (where / "no-newline").write_text("one\ntwo")

    def commit(subject: str) -> None:
        git("add", "-A", cwd=where)
        git("commit", "-qm", subject, cwd=where)

    commit("base")
    git("tag", "start", cwd=where)
    (where / "a").write_text(("a\n" + TEXT).replace("line 3\n", "line\t three \n").replace("line 25\n", "\n\f--\n"))
    (where / "b c").write_text("b c\n" + TEXT + "more\n")
    commit("text")
    (where / "new").write_text("x\n")
    (where / "empty").write_text("")
    (where / "deleted").unlink()
    commit("new and deleted")
    shutil.move(where / "moved", where / "moved away")
    commit("rename")
    shutil.move(where / "moved away", where / "back")
    (where / "back").write_text("moved\n" + TEXT + "tail\n")
    (where / "a").write_text("a\n" + TEXT)
    commit("rename with changes")
    (where / "mode").chmod(0o755)
    commit("mode")
    (where / "mode").chmod(0o644)
    (where / "mode").write_text("mode\n" + TEXT + "x\n")
    (where / "a").write_text("aa\n" + TEXT)
    (where / "no-newline").write_text("one\nthree")
    commit("mode with changes")
    (where / "bin").write_bytes(bytes(range(255, -1, -1)))
    (where / "zz").write_text("after\n")
    commit("binary")
    (where / "rewritten").write_text("".join(f"other {number}\r\n" for number in range(30)))
    (where / "form").write_bytes(b"a\x0bb\x0cc d e\n")
    commit("rewritten")
    return where


def test_like_git_patch_id(repo: Path, tmp_path: Path) -> None:
    for options in ((), ("--no-renames",), ("--binary", "--full-index"), ("-U0",), ("-B", "-M", "-C")):
        where = tmp_path / "-".join(("m", *options))
        git("format-patch", "-q", *options, "-o", where, "start..HEAD", cwd=repo)
        mails = sorted(where.iterdir())
        assert len(mails) == 8
        for mail in mails:
            assert patch_id(mail.read_bytes()[80:]) == git_says(mail.read_bytes(), repo), (options, mail.name)


def test_like_format_patch_base(repo: Path, tmp_path: Path) -> None:
    """Every commit but the last, named by format-patch as a prerequisite of the last, is known by one of its ids."""
    git("format-patch", "-q", "--full-index", "--binary", "-o", tmp_path / "all", "start..HEAD~1", cwd=repo)
    git("format-patch", "-q", "--base=start", "-o", tmp_path / "last", "HEAD~1..HEAD", cwd=repo)
    (last,) = (tmp_path / "last").iterdir()
    named = re.findall(r"^prerequisite-patch-id: (\w+)$", last.read_text(), re.MULTILINE)
    ours = []
    for mail in sorted((tmp_path / "all").iterdir()):
        diff = mail.read_bytes()
        diff = diff[diff.index(b"diff --git") : diff.rindex(b"\n-- \n") + 1]
        ours.append(patch_ids(diff, parse_diff(diff)))
    assert len(named) == len(ours) == 7
    for name, ids, mail in zip(named, ours, sorted((tmp_path / "all").iterdir()), strict=True):
        assert name in ids, mail.name


@pytest.mark.parametrize(
    "diff",
    [
        b"",
        b"words\n",
        b"--- a/f\n+++ b/f\n@@ -1 +1 @@\n-a\n+b\n",
        b"diff --git a/f b/f\n--- a/f\n+++ b/f\n@@ -1 +1 @@\n-a\n+b\n-- \n2.39\n",
        b"diff --git a/f b/f\n--- a/f\n+++ b/f\n@@ -1,2 +1,2 @@ x\n a\0b c\n-a\n+b\n\\ No newline at end of file\n",
        b"diff --git a/f b/f\r\n--- a/f\r\n+++ b/f\r\n@@ -1 +1 @@\r\n-a\r\n+b\r\n",
        b"diff --git a/f b/f\n--- a/f\n+++ b/f\n@@ -1,3 +1,3 @@\n-a\n+b\n",
        b"diff --git a/f b/f\nBinary files differ\ndiff --git a/g b/g\n--- a/g\n+++ b/g\n@@ -1 +1 @@\n-a\n+b\n",
        b"diff --git a/f b/f\nindex 1..2\nold mode 1\n\ndiff --git a/g b/g\n",
        b"diff -ur a/f b/f\n--- a/f\t2001\n+++ b/f\t2002\n@@ -0,0 +1 @@\n+b\n",
    ],
)
def test_like_git_on_odd_texts(diff: bytes, repo: Path) -> None:
    if b"Binary" in diff:
        diff = diff.replace(b"Binary", b"index 1234567..89abcde 100644\nBinary")
    assert patch_id(diff) == git_says(diff, repo)


def test_white_space_and_places_do_not_count() -> None:
    one = b"diff --git a/f b/f\n--- a/f\n+++ b/f\n@@ -1,2 +1,2 @@\n \tx\n-a  b\n+b\n"
    other = b"diff --git a/f b/f\nindex 1..2\n--- a/f\n+++ b/f\n@@ -7,2 +9,2 @@ g\n x\n-ab\n+  b\n"
    assert patch_id(one) == patch_id(other)
    assert tree_patch_id(parse_diff(one)) == patch_id(one)
    assert patch_id(one) != patch_id(one.replace(b"+b", b"+c"))
