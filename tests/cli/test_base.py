"""`kpt base`: the commits a series was made on, from the command line."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from kpatch_tool.workspace import Workspace
from tests.conftest import Kpt, git

MMU = "arch/x86/kvm/mmu.c"


def change(repo: Path, path: str, old: str, new: str, subject: str) -> str:
    """One commit that replaces `old` by `new` in `path`; its id."""
    text = (repo / path).read_text()
    assert old in text
    (repo / path).write_text(text.replace(old, new, 1))
    git("commit", "-qam", subject, cwd=repo)
    return git("rev-parse", "HEAD", cwd=repo)


@pytest.fixture
def made(toy_repo: Path, workspace: Workspace, kpt: Kpt, tmp_path: Path) -> dict[str, str]:
    """The series `fix` made on the first commit of the toy kernel, whose main went on by two commits, the second of
    which changes the file, too. The tree `toy` stands at main."""
    first = git("rev-parse", "HEAD", cwd=toy_repo)
    git("checkout", "-qb", "work", cwd=toy_repo)
    change(toy_repo, MMU, "static void drop_spte(", "static void drop_one_spte(", "rename drop_spte")
    git("format-patch", "-q", "--base=main", "-o", tmp_path / "mails", "main..work", cwd=toy_repo)
    git("checkout", "-q", "main", cwd=toy_repo)
    second = change(toy_repo, "virt/kvm/kvm_main.c", "dirty_count != 0", "!!dirty_count", "say it shorter")
    third = change(toy_repo, MMU, "static void drop_spte(", "static int drop_spte(", "in the way")
    kpt("tree", "add", "toy", "--git", toy_repo, "--ref", "main")
    kpt("import", tmp_path / "mails", "--name", "fix")
    return {"first": first, "second": second, "third": third, "repo": str(toy_repo)}


def test_json_is_the_contract(made: dict[str, str], kpt: Kpt) -> None:
    document = kpt("base", "fix", "--json").json
    assert (document["kpt"], document["series"], document["tree"]) == (1, "fix", "toy")
    (one,) = document["exact"]
    assert (one["commit"], one["from"], one["to"]) == (made["first"], made["first"], made["second"])
    assert (one["describe"], one["commits"]) == ("base~2", 2)
    assert document["nearest"] is None
    declared = document["declared"]
    assert (declared["value"], declared["present"], declared["holds"]) == (made["first"], True, True)
    assert document["wanted"][0]["path"] == MMU


def test_text_fits_80_columns(made: dict[str, str], kpt: Kpt) -> None:
    out = kpt("base", "fix", "--tree", "toy").out
    assert all(len(line) <= 80 for line in out.splitlines())
    assert "2 commits hold the file as the patches name it\n" in out
    assert f"  fits  {made['first'][:12]} (base~2)\n" in out


def without_history(repo: str, where: Path) -> Path:
    """The files of a repository alone."""
    shutil.copytree(repo, where, ignore=shutil.ignore_patterns(".git"))
    return where


def test_only_near_is_a_finding(made: dict[str, str], kpt: Kpt, tmp_path: Path) -> None:
    kpt("tree", "add", "alone", "--dir", without_history(made["repo"], tmp_path / "plain"))
    document = kpt("base", "fix", "--tree", "alone", "--json", status=1).json
    assert document["exact"] == []
    (differs,) = document["nearest"]["differs"]
    assert (differs["path"], differs["fits"]) == (MMU, "conflict")
    assert document["declared"]["present"] is False
    out = kpt("base", "fix", "--tree", "alone", status=1).out
    assert "conflict arch/x86/kvm/mmu.c  wants " in out
    assert "this repository does not have it" in out


def test_all_trees(made: dict[str, str], kpt: Kpt, tmp_path: Path) -> None:
    kpt("tree", "add", "alone", "--dir", without_history(made["repo"], tmp_path / "plain"))
    for words in (("--tree", "all"), ()):  # several trees and none in use: all are asked
        document = kpt("base", "fix", *words, "--json").json
        assert (document["tree"], [other["tree"] for other in document["trees"]]) == ("toy", ["alone"])


def test_other_branches_of_the_repository_a_tree_was_made_from(made: dict[str, str], kpt: Kpt, tmp_path: Path) -> None:
    repo = Path(made["repo"])
    git("checkout", "-qb", "elsewhere", cwd=repo)
    change(repo, MMU, "static int drop_spte(", "static long drop_spte(", "another way")
    base = git("rev-parse", "HEAD", cwd=repo)
    change(repo, MMU, "static long drop_spte(", "static char drop_spte(", "a patch")
    git("format-patch", "-q", "-1", "-o", tmp_path / "other", cwd=repo)
    git("reset", "-q", "--hard", "HEAD~", cwd=repo)
    kpt("import", tmp_path / "other", "--name", "other")
    document = kpt("base", "other", "--tree", "toy", "--json").json
    assert [one["commit"] for one in document["exact"]] == [base]
    assert document["repository"].endswith(".git")
    assert document["todo"].startswith("kpt tree add NAME --git ")


def test_branches_with_what_unicode_takes_for_the_end_of_a_line(
    made: dict[str, str], workspace: Workspace, kpt: Kpt, tmp_path: Path
) -> None:
    """git takes such a name; a no-break space comes by a slip of the Alt key."""
    repo = Path(made["repo"])
    for name in ("a\u00a0b", "c\u2028d", "e\x85f"):
        git("branch", name, cwd=repo)
    git("checkout", "-q", "e\x85f", cwd=repo)
    change(repo, MMU, "static int drop_spte(", "static long drop_spte(", "another way")
    base = change(repo, MMU, "static long drop_spte(", "static char drop_spte(", "another one")
    change(repo, MMU, "static char drop_spte(", "static short drop_spte(", "a patch")
    git("format-patch", "-q", "-1", "-o", tmp_path / "other", cwd=repo)
    git("reset", "-q", "--hard", "HEAD~", cwd=repo)
    kpt("import", tmp_path / "other", "--name", "other")
    (one,) = kpt("base", "other", "--tree", "toy", "--json").json["exact"]
    assert (one["commit"], one["describe"]) == (base, "e\x85f")
    kpt("tree", "add", "again", "--git", repo, "--ref", base)
    assert git("for-each-ref", "--format=%(refname)", cwd=workspace.trees / "again.git") == "refs/heads/base"


def test_what_cannot_be_asked(made: dict[str, str], kpt: Kpt) -> None:
    assert "nothing-like-it" in kpt("base", "nothing-like-it", status=2).err
    assert "no-tree" in kpt("base", "fix", "--tree", "no-tree", status=2).err
    kpt("tree", "add", "thin", "--skeleton", "fix")
    assert "has no history" in kpt("base", "fix", "--tree", "thin", status=2).err
    kpt("tree", "remove", "toy")
    told = "kpt: no kernel tree is here, only trees made of series' own lines; run `kpt tree add "
    for options in ([], ["--tree", "all"]):
        failed = kpt("base", "fix", *options, status=2).err
        assert failed.startswith(told)
        assert "thin" not in failed


def test_a_conflict_says_which_commit_fits(made: dict[str, str], kpt: Kpt) -> None:
    out = kpt("apply", "fix", "--tree", "toy", status=1).out
    words = " ".join(out.split())
    assert f"kpt base finds a commit that fits: {made['first'][:12]} (2 commits before base)" in words
    assert "declared base" in words


@pytest.mark.parametrize("onto", ["declared", "found", "base~2"])
def test_onto_another_commit(onto: str, made: dict[str, str], kpt: Kpt, workspace: Workspace) -> None:
    document = kpt("apply", "fix", "--tree", "toy", "--onto", onto, "--json").json
    assert (document["base"], document["patches"][0]["status"]) == (made["first"], "clean")
    repo = workspace.trees / "toy.git"
    assert git("rev-parse", "kpt/fix~", cwd=repo) == made["first"]
    assert git("rev-parse", "base", cwd=repo) == made["third"]
    out = kpt("apply", "fix", "--tree", "toy", "--onto", onto).out
    assert f"{made['first'][:12]}..kpt/fix" in out


def test_onto_what_is_not_there(made: dict[str, str], kpt: Kpt) -> None:
    assert "no such commit" in kpt("apply", "fix", "--onto", "v9.9", status=2).err
    kpt("apply", "fix", "--onto", "--all", status=2)


@pytest.fixture
def two(made: dict[str, str], kpt: Kpt, tmp_path: Path) -> dict[str, str]:
    """The series `second`, made on what the series `first` makes of main, which it names by message-id."""
    repo = Path(made["repo"])
    git("checkout", "-qb", "more", cwd=repo)
    change(repo, MMU, "static int drop_spte(", "static int first_spte(", "first")
    git("format-patch", "-q", "-1", "-o", tmp_path / "first", cwd=repo)
    change(repo, MMU, "static int first_spte(", "static int second_spte(", "second")
    git("format-patch", "-q", "-1", "--base=HEAD~2", "-o", tmp_path / "second", cwd=repo)
    for name in ("first", "second"):
        (mail,) = (tmp_path / name).iterdir()
        text = mail.read_text().replace("Subject:", f"Message-Id: <{name}@example.org>\nSubject:", 1)
        mail.write_text(
            text.replace("\n---\n", "\n---\nDepends-on: <first@example.org>\n", 1) if name == "second" else text
        )
    kpt("import", tmp_path / "second", "--name", "second")
    return made


def test_what_is_missing_is_said(two: dict[str, str], kpt: Kpt) -> None:
    run = kpt("apply", "second", "--tree", "toy", "--check", status=1)
    assert "prerequisite message-id first@example.org is missing" in " ".join(run.out.split())
    assert "`kpt import first@example.org`" in run.out
    external = kpt("deps", "second", "--tree", "toy", "--json", status=None).json["external"]
    (need,) = [one for one in external if one["kind"] == "message-id"]
    assert (need["commit"], need["present"], need["todo"]) == (
        "first@example.org",
        None,
        "kpt import first@example.org",
    )
    assert "what goes first is not all here" in kpt("apply", "second", "--with-prerequisites", status=2).err
    declared = kpt("show", "second", "--json").json["declared"]
    assert {one["kind"] for one in declared} == {"base-commit", "patch-id", "message-id"}


def test_a_prerequisite_is_applied_first(two: dict[str, str], kpt: Kpt, workspace: Workspace, tmp_path: Path) -> None:
    kpt("import", tmp_path / "first", "--name", "first")
    document = kpt("deps", "second", "--tree", "toy", "--json", status=1).json
    kinds = {one["kind"]: (one["present"], one["series"]) for one in document["external"]}
    assert kinds["patch-id"] == kinds["message-id"] == (False, "first")
    assert document["prerequisites"]["order"] == ["first"]
    assert "apply before it: first" in kpt("deps", "second", "--tree", "toy", status=1).out
    assert "goes first, and is not in the tree: first" in kpt("apply", "second", "--check", status=1).out
    checked = kpt("apply", "second", "--check", "--with-prerequisites", "--json").json
    assert [row["status"] for row in checked["patches"]] == ["clean"]
    repo = workspace.trees / "toy.git"
    assert "kpt/" not in git("for-each-ref", cwd=repo)
    kpt("apply", "second", "--with-prerequisites")
    subjects = git("log", "--format=%s", "-3", "kpt/second", cwd=repo).splitlines()
    assert subjects == ["second", "first", "in the way"]
    assert git("rev-parse", "kpt/second~", cwd=repo) == git("rev-parse", "kpt/first", cwd=repo)
    kpt("tree", "add", "has-it", "--git", repo, "--ref", "kpt/first")
    known = kpt("deps", "second", "--tree", "has-it", "--json").json
    assert all(one["present"] is True for one in known["external"])
    assert known["prerequisites"]["order"] == []


def test_nothing_is_written_where_it_does_not_fit_together(
    two: dict[str, str], kpt: Kpt, workspace: Workspace, tmp_path: Path
) -> None:
    (mail,) = (tmp_path / "second").iterdir()
    mail.write_text(mail.read_text().replace("-static int first_spte(", "-static int other_spte("))
    kpt("import", tmp_path / "second", "--name", "second", "--force")
    kpt("import", tmp_path / "first", "--name", "first")
    out = kpt("apply", "second", "--with-prerequisites", status=1).out
    assert "conflict" in out
    assert "kpt/" not in git("for-each-ref", cwd=workspace.trees / "toy.git")


def test_a_patch_id_is_found_in_the_history_of_the_tree(two: dict[str, str], kpt: Kpt) -> None:
    """The prerequisite is in no series here, but its commit is in the tree, moved to another place by a merge."""
    kpt("tree", "add", "more", "--git", two["repo"], "--ref", "more")
    external = kpt("deps", "second", "--tree", "more", "--json", status=None).json["external"]
    (found,) = [one for one in external if one["kind"] == "patch-id"]
    assert found["present"] is True
    assert "a commit of the tree's history has this patch id" in found["why"]
    (lost,) = [
        one
        for one in kpt("deps", "second", "--tree", "toy", "--json", status=1).json["external"]
        if one["kind"] == "patch-id"
    ]
    assert lost["present"] is False


def test_a_cover_letters_message_id_is_kept(two: dict[str, str], kpt: Kpt, tmp_path: Path) -> None:
    """What others name is most often the cover letter."""
    (mail,) = (tmp_path / "first").iterdir()
    lines = ["From mboxrd Thu Jan  1 00:00:00 1970", "Message-Id: <first@example.org>", "From: T <t@example.org>"]
    cover = "\n".join(
        [*lines, "Date: Tue, 2 Jan 2018 00:00:00 +0000", "Subject: [PATCH 0/1] first of all", "", "x", ""]
    )
    one = mail.read_text().replace("<first@example.org>", "<first-1@example.org>").replace("[PATCH]", "[PATCH 1/1]")
    one = one.replace("Subject:", "In-Reply-To: <first@example.org>\nSubject:", 1)
    (tmp_path / "first.mbox").write_text(f"{cover}\n{one}")
    kpt("import", tmp_path / "first.mbox", "--name", "first")
    needs = kpt("deps", "second", "--json", status=None).json["prerequisites"]["needs"]
    (need,) = [one for one in needs if one["kind"] == "message-id"]
    assert (need["series"], need["of_patch"]) == ("first", None)
