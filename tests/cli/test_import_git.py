"""kpt import A..B: commits of a clone as git format-patch gives them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.conftest import Kpt, git

LOUD = """
[format]
	attach = x
	signature = me
	coverLetter = true
	from = Somebody <some@body>
	headers = "X-Mine: 1\\n"
	subjectPrefix = WRONG
	numbered = false
	signOff = true
	notes = true
	outputDirectory = /nonexistent
	useAutoBase = true
	mboxrd = true
	noprefix = true
	encodeEmailHeaders = false
[diff]
	noprefix = true
	mnemonicPrefix = true
	context = 1
	renames = false
	suppressBlankEmpty = true
	external = false
[color]
	ui = always
[core]
	quotePath = false
"""


@pytest.fixture
def clone(kpt: Kpt, tmp_path: Path) -> Path:
    """A workspace in tmp_path; a repository with `main` and, two commits and a merge ahead, `topic`."""
    kpt("init")
    path = tmp_path / "clone"
    path.mkdir()
    git("init", "-q", cwd=path)
    (path / "f.c").write_text("int a;\n\nint b;\n\tint c;\nint d;\nint e;\nint f;\nint g;\n")
    git("add", ".", cwd=path)
    git("commit", "-qm", "base", cwd=path)
    git("checkout", "-qb", "topic", cwd=path)
    for number, subject in enumerate(("mm: först", "mm: second"), start=1):
        (path / "f.c").write_text((path / "f.c").read_text().replace("int d;", f"int d;\nint n{number};"))
        git("commit", "-qam", f"{subject}\n\nWhy {number}.", cwd=path)
    return path


def test_a_range(kpt: Kpt, clone: Path, tmp_path: Path) -> None:
    shown = kpt("import", "--git", clone, "main..topic", "--name", "s", "--json").json
    assert [one["subject"] for one in shown["patches"]] == ["mm: först", "mm: second"]
    assert {one["exactness"] for one in shown["patches"]} == {"intact"}
    new = git("rev-parse", "topic:f.c", cwd=clone)
    assert shown["patches"][1]["files"][0]["new_blob"] == new
    text = (tmp_path / "series/s/source/main..topic.mbox").read_text()
    assert f"base-commit: {git('rev-parse', 'main', cwd=clone)}" in text
    assert kpt("import", "main..topic", "--name", "s2", cwd=clone, status=None).status == 0
    assert (
        f"main..topic ({git('rev-parse', 'topic', cwd=clone)[:12]})" in (tmp_path / "series/s/series.toml").read_text()
    )


def test_the_users_settings_change_nothing(kpt: Kpt, clone: Path, tmp_path: Path) -> None:
    kpt("import", "--git", clone, "main..topic", "--name", "quiet")
    with Path(os.environ["GIT_CONFIG_GLOBAL"]).open("a") as config:
        config.write(LOUD)
    kpt("import", "--git", clone, "main..topic", "--name", "loud")
    quiet, loud = ((tmp_path / f"series/{name}/source/main..topic.mbox").read_bytes() for name in ("quiet", "loud"))
    assert loud == quiet


def test_the_branchs_description_is_the_cover(kpt: Kpt, clone: Path) -> None:
    git("config", "branch.topic.description", "mm: do it\n\nSince it must be.", cwd=clone)
    shown = kpt("import", "--git", clone, "main..topic", "--json").json
    assert (shown["title"], shown["cover"]["subject"]) == ("mm: do it", "mm: do it")
    assert "Since it must be." in shown["cover"]["body"]
    assert "BLURB" not in shown["cover"]["body"]


def test_one_commit_and_merges(kpt: Kpt, clone: Path, tmp_path: Path) -> None:
    assert kpt("import", "topic", "--name", "one", cwd=clone, status=None).status == 0
    git("checkout", "-qb", "side", "main", cwd=clone)
    (clone / "g.c").write_text("int x;\n")
    git("add", ".", cwd=clone)
    git("commit", "-qm", "mm: side", cwd=clone)
    git("merge", "-q", "--no-ff", "-m", "Merge", "topic", cwd=clone)
    shown = kpt("import", "--git", clone, "main..side", "--name", "m", "--json").json
    assert len(shown["patches"]) == 3
    assert any("1 merge commit" in problem for problem in shown["problems"])
    assert "only a merge" in kpt("import", "--git", clone, "side", status=2).err


def test_commits_without_a_change_are_told(kpt: Kpt, clone: Path) -> None:
    git("checkout", "-qb", "side", "main", cwd=clone)
    git("commit", "-q", "--allow-empty", "-m", "mm: nothing", cwd=clone)
    assert "side: nothing is changed" in kpt("import", "--git", clone, "side", status=2).err
    for name in ("g.c", "h.c"):
        (clone / name).write_text("int x;\n")
        git("add", ".", cwd=clone)
        git("commit", "-qm", f"mm: {name}", cwd=clone)
        git("commit", "-q", "--allow-empty", "-m", "mm: nothing", cwd=clone)
    shown = kpt("import", "--git", clone, "main..side", "--name", "e", "--json").json
    assert [patch["subject"] for patch in shown["patches"]] == ["mm: g.c", "mm: h.c"]
    assert shown["problems"] == ["left out: 3 commits of main..side without any change"]


def test_mistakes(kpt: Kpt, clone: Path, tmp_path: Path) -> None:
    for words, what in (
        (("--git", clone, "topic..main"), "no commits in the range"),
        (("--git", clone, "main..nowhere"), "knows no commit 'nowhere'"),
        (("--git", clone, "main...topic"), "both sides"),
        (("--git", clone, "--", "-x"), "knows no commit"),
        (("--git", tmp_path / "void", "a..b"), "no such directory"),
        ((clone,), "kpt import --git "),
        (("a..b",), "no git repository here"),
        (("topic",), "no such file"),
        (("clone/../missing.mbox",), "no such file"),
    ):
        run = kpt("import", *words, status=2)
        assert what in run.err
        assert len(run.err.splitlines()) == 1


DIFF = "diff --git a/x b/x\nnew file mode 100644\n--- /dev/null\n+++ b/x\n@@ -0,0 +1 @@\n+x\n"


@pytest.mark.parametrize(
    "message",
    [
        f"mm: one\n\nFrom mboxrd@z Thu Jan  1 00:00:00 1970\nFrom: Evil <e@x>\nSubject: [PATCH 1/1] evil\n\n{DIFF}",
        f"mm: one\n\nFrom {'1' * 40} Mon Sep 17 00:00:00 2001\nFrom: Evil <e@x>\nSubject: [PATCH 2/2] evil\n\n---\n",
        f"mm: one\n\n---\n{DIFF}",
        "mm: one\n\nFrom: Evil <e@x>\n\nWhy.\n",
    ],
)
def test_a_message_that_is_read_as_more_is_told(message: str, kpt: Kpt, clone: Path, tmp_path: Path) -> None:
    git("commit", "-q", "--allow-empty", "-m", "mm: nothing", cwd=clone)
    (clone / "f.c").write_text("int a;\n")
    git("commit", "-qaF", "-", "--cleanup=verbatim", cwd=clone, stdin=message.encode())
    head = git("rev-parse", "HEAD", cwd=clone)
    problems = kpt("import", "--git", clone, "topic~1..topic", "--name", "s", "--json").json["problems"]
    told = f"the message of commit {head[:12]} holds lines of a diff or a mail, and may be read as that: see the commit"
    assert told in problems


def test_a_line_that_begins_like_a_mail_is_a_line(kpt: Kpt, clone: Path, tmp_path: Path) -> None:
    """git quotes both in such a mailbox; the message is the commit's all the same."""
    text = "mm: one\n\nFrom here on\nit is prose.\n>From the start\n"
    (clone / "f.c").write_text("int a;\n")
    git("commit", "-qaF", "-", "--cleanup=verbatim", cwd=clone, stdin=text.encode())
    kpt("import", "--git", clone, "topic~1..topic", "--name", "s")
    (patch,) = (tmp_path / "series/s").glob("0001-*.patch")
    assert "\n\nFrom here on\nit is prose.\n>From the start\n" in patch.read_text()
