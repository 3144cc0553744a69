"""Mails that look intact, and are not what their blob ids say."""

from __future__ import annotations

from pathlib import Path

import pytest

from kpatch_tool.progress import silent
from kpatch_tool.results.store import Store
from kpatch_tool.running.command import Rooms
from kpatch_tool.series.directory.store import load
from kpatch_tool.testing.tester import Tester
from kpatch_tool.tree.catalogue import Catalogue
from kpatch_tool.workspace import Workspace
from tests.conftest import Kpt, git

MMU = "arch/x86/kvm/mmu.c"
NOTE = "patch 1 makes another file than the mail's index line names, of the very file that line is for"


@pytest.fixture
def typeset(toy_repo: Path, workspace: Workspace, kpt: Kpt, tmp_path: Path) -> Path:
    """The tree `toy` and the series `quotes`, whose second patch came with an apostrophe that some program typeset;
    returns the repository, patches on branch work."""
    kpt("tree", "add", "toy", "--git", toy_repo, "--ref", "main")
    git("checkout", "-qb", "work", cwd=toy_repo)
    first = ("*sptep = 0", "*sptep = 0UL")
    second = ("\t*sptep = 0UL;\n", "\t/* It isn't used. */\n\t*sptep = 0UL;\n")
    for old, new in (first, second):
        text = (toy_repo / MMU).read_text()
        assert old in text
        (toy_repo / MMU).write_text(text.replace(old, new, 1))
        git("commit", "-qam", "change it", cwd=toy_repo)
    mails = git("format-patch", "-2", "--stdout", "--full-index", cwd=toy_repo)
    (tmp_path / "quotes.mbox").write_text(mails.replace("isn't", "isn\N{RIGHT SINGLE QUOTATION MARK}t") + "\n")
    kpt("import", tmp_path / "quotes.mbox", "--name", "quotes")
    return toy_repo


def exactnesses(kpt: Kpt) -> list[str]:
    return [patch["exactness"] for patch in kpt("show", "quotes", "--json").json["patches"]]


def test_apply_restores_what_the_tree_shows_to_be_damaged(typeset: Path, kpt: Kpt, workspace: Workspace) -> None:
    assert exactnesses(kpt) == ["intact", "intact"]
    out = kpt("apply", "quotes")
    assert "restored against tree toy: patch 2 (proven)" in out.out + out.err
    made = git("rev-parse", "kpt/quotes^{tree}", cwd=workspace.trees / "toy.git")
    assert made == git("rev-parse", "work^{tree}", cwd=typeset)
    assert exactnesses(kpt) == ["intact", "proven"]


def test_restore_compares_intact_patches_with_the_tree_that_is_named(typeset: Path, kpt: Kpt) -> None:
    assert kpt("restore", "quotes", "--json").json["tree"] is None
    assert exactnesses(kpt) == ["intact", "intact"]
    assert kpt("restore", "quotes", "--tree", "toy", "--json").json["tree"] == "toy"
    assert exactnesses(kpt) == ["intact", "proven"]


def test_a_run_restores_them_as_well(typeset: Path, kpt: Kpt, workspace: Workspace) -> None:
    directory = workspace.series / "quotes"
    kernel = Catalogue(workspace).get("toy")
    with Store(workspace) as store:
        rooms = Rooms(workspace, directory, kernel, "x86_64", (), Tester(workspace, kernel, store), 1, silent)
        restored = rooms.restore(load(directory))
    assert [patch.exactness for patch in restored.patches] == ["intact", "proven"]


def test_what_somebody_changed_in_the_series_is_kept_and_told(typeset: Path, kpt: Kpt, workspace: Workspace) -> None:
    (file, _) = sorted((workspace.series / "quotes").glob("0*.patch"))
    file.write_text(file.read_text().replace("+\t*sptep = 0UL;", "+\t*sptep = 0ULL;"))
    for command in (("restore", "quotes", "--tree", "toy"), ("apply", "quotes", "--patches", "1")):
        out = kpt(*command)
        assert "+\t*sptep = 0ULL;" in file.read_text()
    assert NOTE in " ".join((out.out + out.err).split())
    assert "0ULL" in git("show", f"kpt/quotes:{MMU}", cwd=workspace.trees / "toy.git")


def test_restore_tells_of_a_patch_that_makes_another_file(typeset: Path, kpt: Kpt, tmp_path: Path) -> None:
    mails = git("format-patch", "-2", "--stdout", cwd=typeset)
    (tmp_path / "edited.mbox").write_text(mails.replace("+\t*sptep = 0UL;", "+\t*sptep = 0ULL;") + "\n")
    kpt("import", tmp_path / "edited.mbox", "--name", "edited")
    out = kpt("restore", "edited", "--tree", "toy")
    assert "it makes another: edited by hand, or damaged" in " ".join(out.out.split())
    (one, two) = kpt("restore", "edited", "--tree", "toy", "--json").json["patches"]
    assert (one["exactness"], two["exactness"]) == ("intact", "intact")
    assert one["why"].startswith(f"{MMU}: of the very file that its index line names")
    assert two["why"] == "the mail kept its white space"
