"""`kpt restore`: a page of a web archive, restored against a tree, then taken by git."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from kpatch_tool.progress import silent
from kpatch_tool.restore.damaged import squeeze
from kpatch_tool.results.store import Store
from kpatch_tool.running.command import Rooms
from kpatch_tool.series.directory.store import load
from kpatch_tool.testing.tester import Tester
from kpatch_tool.tree.catalogue import Catalogue
from kpatch_tool.workspace import Workspace
from tests.conftest import Kpt, git
from tests.damages import DAMAGES

MMU = "arch/x86/kvm/mmu.c"


def page(*mails: str) -> bytes:
    """The mails of a series as linuxlists.cc shows them."""
    out = []
    for minute, mail in enumerate(mails):
        head, _, body = mail.partition("\n\n")
        subject = next(line for line in head.split("\n") if line.startswith("Subject: "))
        squeezed = b"\n".join(squeeze(line) for line in body.encode().split(b"\n"))
        start = f"2014-04-17 09:0{minute}:00\n\nby A Person\n\n[permalink] [raw]\n{subject}\n\n"
        out.append(start.encode() + squeezed + b"\n")
    return b"\n".join(out)


@pytest.fixture
def archived(toy_repo: Path, workspace: Workspace, kpt: Kpt, tmp_path: Path) -> Path:
    """The tree `toy` and the damaged series `page` of two patches; returns the repository, patches on branch work."""
    kpt("tree", "add", "toy", "--git", toy_repo, "--ref", "main")  # before it has the patches
    git("checkout", "-qb", "work", cwd=toy_repo)
    for old, new, subject in (
        (
            "\tif (is_writable_pte(old_spte) && !is_writable_pte(new_spte))\n",
            "\tif (is_writable_pte(old_spte) &&\n\t      !is_writable_pte(new_spte))\n",
            "break a long line",
        ),
        ("\t*sptep = 0;\n", "\t/*\n\t * Nothing is left.\n\t */\n\tif (*sptep)\n\t\t*sptep = 0;\n", "drop it once"),
    ):
        text = (toy_repo / MMU).read_text()
        assert old in text
        (toy_repo / MMU).write_text(text.replace(old, new))
        git("commit", "-qam", subject, cwd=toy_repo)
    mails = [
        git("format-patch", "-1", "--stdout", f"--subject-prefix=PATCH {n}/2", "--no-numbered", rev, cwd=toy_repo)
        for n, rev in ((1, "work~1"), (2, "work"))
    ]
    (tmp_path / "page.txt").write_bytes(page(*mails))
    kpt("import", tmp_path / "page.txt", "--name", "page")
    return toy_repo


def another(repository: Path, change: Callable[[str], str]) -> Path:
    """A repository of one commit: the files of main with another mmu.c."""
    git("checkout", "-q", "main", cwd=repository)
    other = repository.with_name("other")
    shutil.copytree(repository, other, ignore=shutil.ignore_patterns(".git"))
    (other / MMU).write_text(change((repository / MMU).read_text()))
    git("init", "-q", "-b", "main", cwd=other)
    git("add", "-Af", cwd=other)
    git("commit", "-qm", "another version", cwd=other)
    return other


def test_restored_patches_are_proven_and_git_takes_them(archived: Path, kpt: Kpt, workspace: Workspace) -> None:
    assert {p["exactness"] for p in kpt("show", "page", "--json").json["patches"]} == {"damaged"}
    source = (workspace.series / "page/source/page.txt").read_bytes()
    out = kpt("restore", "page").out
    assert "   1 proven    break a long line\n" in out
    assert out.splitlines()[-1].endswith(": 2 proven")
    git("checkout", "-q", "main", cwd=archived)
    git("am", *sorted((workspace.series / "page").glob("*.patch")), cwd=archived)
    assert git("rev-parse", "HEAD^{tree}", cwd=archived) == git("rev-parse", "work^{tree}", cwd=archived)
    assert (workspace.series / "page/source/page.txt").read_bytes() == source
    assert {p["exactness"] for p in kpt("show", "page", "--json").json["patches"]} == {"proven"}
    # A second time there is nothing to do, and no tree is needed.
    assert kpt("restore", "page", "--json").json["tree"] is None


def test_another_base_gives_matched_patches_and_says_which_lines_are_open(archived: Path, kpt: Kpt) -> None:
    kpt("tree", "remove", "toy")
    kpt(
        "tree",
        "add",
        "other",
        "--git",
        another(archived, lambda text: "/* Another version. */\n" + text),
        "--ref",
        "main",
    )
    document = kpt("restore", "page", "--tree", "other", "--json").json
    first = document["patches"][0]
    assert first["exactness"] == "matched"
    assert "the base has blob" in first["why"]
    assert any("!is_writable_pte(new_spte))`" in line for line in first["ambiguous"])
    # The right tree afterwards: the source is read again.
    kpt("tree", "add", "toy", "--git", archived, "--ref", "work~2")
    assert kpt("restore", "page", "--tree", "toy").out.splitlines()[-1].endswith(": 2 proven")


def test_the_files_before_a_patch_are_found_in_any_tree_that_is_in_order(
    archived: Path, kpt: Kpt, workspace: Workspace
) -> None:
    kpt("tree", "add", "other", "--git", another(archived, lambda _text: "/* All of it is new. */\n"), "--ref", "main")
    kpt("tree", "add", "broken", "--git", archived, "--ref", "main")
    shutil.rmtree(workspace.trees / "broken.git/objects")
    assert kpt("restore", "page", "--tree", "other").out.splitlines()[-1].endswith(": 2 proven")


def test_another_kernel_that_has_the_patches_tells_their_lines(archived: Path, kpt: Kpt) -> None:
    """Where neither the file before a patch nor the one after it is at hand."""
    git("checkout", "-q", "work", cwd=archived)
    (archived / MMU).write_text("/* Another version. */\n" + (archived / MMU).read_text())
    git("commit", "-qam", "later", cwd=archived)
    kpt("tree", "remove", "toy")
    kpt("tree", "add", "other", "--git", another(archived, lambda text: "/* Other. */\n" + text), "--ref", "main")
    kpt("restore", "page", "--tree", "other")
    assert "+\t    !is_writable_pte(new_spte))\n" in kpt("show", "page", "--patch", "1").out
    git("checkout", "-q", "--orphan", "alone", "work", cwd=archived)
    git("commit", "-qm", "later, without history", cwd=archived)
    kpt("tree", "add", "later", "--git", archived, "--ref", "alone")
    kpt("restore", "page", "--tree", "other")
    first = kpt("show", "page", "--patch", "1").out
    assert "+\tif (is_writable_pte(old_spte) &&\n+\t      !is_writable_pte(new_spte))\n" in first


@pytest.mark.parametrize(("taken", "indent"), [("2014-06-01", 6), ("2015-06-01", 4)])
def test_what_a_clone_was_at_soon_after_tells_the_lines(
    taken: str, indent: int, archived: Path, kpt: Kpt, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the patches were taken on another base, below a commit that is no older than they are."""
    git("checkout", "-q", "work", cwd=archived)
    after = (archived / MMU).read_text()
    monkeypatch.setenv("GIT_COMMITTER_DATE", "2014-04-01T00:00:00Z")
    other = another(archived, lambda text: "/* Other. */\n" + text)
    (other / MMU).write_text("/* Other. */\n" + after)
    monkeypatch.setenv("GIT_COMMITTER_DATE", f"{taken}T00:00:00Z")
    git("commit", "-qam", "taken", cwd=other)
    kpt("tree", "remove", "toy")
    kpt("tree", "add", "other", "--git", other, "--ref", "main~1")
    kpt("restore", "page")
    assert f"&&\n+\t{' ' * indent}!is_writable_pte(new_spte))\n" in kpt("show", "page", "--patch", "1").out


def test_an_apply_looks_again_when_another_tree_has_come(archived: Path, kpt: Kpt) -> None:
    kpt("tree", "add", "other", "--git", another(archived, lambda text: "/* Other. */\n" + text), "--ref", "main")
    kpt("tree", "remove", "toy")
    assert "1 (matched), 2 (matched)" in kpt("apply", "page", "--tree", "other").out
    kpt("tree", "add", "toy", "--git", archived, "--ref", "work~2")
    assert "1 (proven), 2 (proven)" in kpt("apply", "page", "--tree", "other").out


def test_created_files_are_restored_without_a_tree(toy_repo: Path, workspace: Workspace, kpt: Kpt) -> None:
    git("checkout", "-qb", "work", cwd=toy_repo)
    (toy_repo / "new.c").write_text("int one(int a,\n\tint b)\n{\n\tif (a)\n\t\treturn b;\n\treturn 1;\n}\n")
    git("add", "-f", "new.c", cwd=toy_repo)
    git("commit", "-qm", "create it", cwd=toy_repo)
    (toy_repo / "new.c").write_text((toy_repo / "new.c").read_text().replace("return 1", "return 2"))
    git("commit", "-qam", "change it", cwd=toy_repo)
    (toy_repo / MMU).write_text((toy_repo / MMU).read_text().replace("\t*sptep = 0;\n", "\t*sptep = 1;\n"))
    git("commit", "-qam", "change another", cwd=toy_repo)
    mails = [git("format-patch", "-1", "--stdout", f"work~{3 - n}", cwd=toy_repo) for n in (1, 2, 3)]
    numbered = [mail.replace("[PATCH]", f"[PATCH {n}/3]") for n, mail in enumerate(mails, 1)]
    (workspace.root / "page.txt").write_bytes(page(*numbered))
    kpt("import", workspace.root / "page.txt", "--name", "page")
    done = kpt("restore", "page", status=1)
    assert [line.split()[1] for line in done.out.splitlines() if line[3:4].isdigit()] == ["proven", "proven", "damaged"]
    assert "without a tree only created files are restored: no kernel tree is here" in done.out
    first = sorted((workspace.series / "page").glob("*.patch"))[0]
    assert git("apply", "--numstat", first, cwd=toy_repo).split() == ["7", "0", "new.c"]
    # Nothing more can be told: now the missing tree is what is wrong.
    assert "no kernel tree is here" in kpt("restore", "page", status=2).err
    for name in ("one", "two"):
        kpt("tree", "add", name, "--git", toy_repo, "--ref", "main")
    kpt("import", workspace.root / "page.txt", "--name", "again")
    assert "name one with --tree" in kpt("restore", "again", status=2).err


def test_a_history_that_has_the_files_before_or_after_a_patch_proves_it(
    archived: Path, kpt: Kpt, workspace: Workspace
) -> None:
    git("checkout", "-q", "work", cwd=archived)
    (archived / MMU).write_text("/* All of it is new. */\n")
    git("commit", "-qam", "another version", cwd=archived)
    kpt("tree", "add", "later", "--git", archived, "--ref", "work")
    assert kpt("restore", "page", "--tree", "later").out.splitlines()[-1].endswith(": 2 proven")
    git("checkout", "-q", "main", cwd=archived)
    git("am", *sorted((workspace.series / "page").glob("*.patch")), cwd=archived)
    assert git("rev-parse", "HEAD^{tree}", cwd=archived) == git("rev-parse", "work~1^{tree}", cwd=archived)


def test_a_run_on_another_tree_takes_back_no_proof_and_no_correction(
    archived: Path, kpt: Kpt, workspace: Workspace
) -> None:
    kpt("restore", "page")
    kpt("tree", "remove", "toy")
    directory = workspace.series / "page"
    head, proven, tail = (directory / "series.toml").read_text().rpartition('"proven"')
    assert proven
    (directory / "series.toml").write_text(f'{head}"matched"{tail}')  # one patch that is worth another look
    kpt("tree", "add", "other", "--git", another(archived, lambda _text: "/* All of it is new. */\n"), "--ref", "main")
    kernel = Catalogue(workspace).get("other")
    before = load(directory)
    with Store(workspace) as store:
        rooms = Rooms(workspace, directory, kernel, "x86_64", (), Tester(workspace, kernel, store), 1, silent)
        restored = rooms.restore(before)
    assert [patch.exactness for patch in restored.patches] == ["proven", "matched"]
    assert load(directory) == before
    rows = kpt("restore", "page", "--tree", "other", "--json", status=None).json["patches"]
    assert [row["exactness"] for row in rows] == ["proven", "matched"]


def test_what_does_not_fit_stays_damaged_and_is_a_finding(archived: Path, kpt: Kpt, workspace: Workspace) -> None:
    other = another(archived, lambda text: text.replace("long old_spte", "int old_spte").replace("*sptep", "*s"))
    kpt("tree", "remove", "toy")
    kpt("tree", "add", "unlike", "--git", other, "--ref", "main")
    out = kpt("restore", "page", "--tree", "unlike", status=1).out
    assert "   2 damaged   drop it once\n" in out
    assert "does not fit the base" in out


def test_a_missing_tree_is_one_line(workspace: Workspace, archived: Path, kpt: Kpt) -> None:
    done = kpt("restore", "page", "--tree", "nowhere", status=2)
    assert len(done.err.splitlines()) == 1
    assert "nowhere" in done.err


@pytest.mark.parametrize("name", ["tabs by column", "indented"])
def test_a_mail_that_a_program_changed_is_restored_and_applied(
    name: str, archived: Path, kpt: Kpt, workspace: Workspace, tmp_path: Path
) -> None:
    text = git("format-patch", "-2", "--stdout", "work", cwd=archived).encode()
    mails = []
    for mail in text.split(b"\nFrom ")[0:2]:
        head, _, body = mail.removeprefix(b"From ").partition(b"\n\n")
        mails.append(b"From " + head + b"\n\n" + DAMAGES[name](body + b"\n", random.Random(1)))
    (tmp_path / "mails").write_bytes(b"\n".join(mails))
    kpt("import", tmp_path / "mails", "--name", "hurt")
    assert {p["exactness"] for p in kpt("show", "hurt", "--json").json["patches"]} == {"damaged"}
    assert kpt("restore", "hurt").out.splitlines()[-1].endswith(": 2 proven")
    git("checkout", "-q", "main", cwd=archived)
    git("am", *sorted((workspace.series / "hurt").glob("*.patch")), cwd=archived)
    assert git("rev-parse", "HEAD^{tree}", cwd=archived) == git("rev-parse", "work^{tree}", cwd=archived)
