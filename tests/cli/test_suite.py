"""kpt suite and kpt test on the command line, as far as they need no kernel."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from kpatch_tool.errors import MachineError
from kpatch_tool.suites import catalogue, unittests_cfg
from kpatch_tool.workspace import Workspace
from tests.conftest import Kpt, git

CFG = "[one]\nfile = one.flat\n[two]\nfile = two.flat\nsmp = 2\n"
# Stands in for kvm-unit-tests: configure and make that leave images, out of the source directory.
CONFIGURE = '#!/bin/sh\ntest "$1" = --arch=x86_64 || exit 9\ncp "$(dirname "$0")/Makefile" .\n'
DEEP = "/".join("d" * 1500)
MAKEFILE = "all:\n\tmkdir x86\n\techo image > x86/one.flat\n\techo image > x86/two.flat\n"


@pytest.fixture
def upstream(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A git repository that looks like kvm-unit-tests."""
    place = tmp_path_factory.mktemp("with blank") / "upstream"
    (place / "x86").mkdir(parents=True)
    (place / "x86/unittests.cfg").write_text(CFG)
    (place / "configure").write_text(CONFIGURE)
    (place / "configure").chmod(0o755)
    (place / "Makefile").write_text(MAKEFILE)
    git("init", "-q", "-b", "main", cwd=place)
    git("add", "-A", cwd=place)
    git("commit", "-qm", "Tests", cwd=place)
    git("tag", "v1", cwd=place)
    return place


@pytest.fixture
def suites(workspace: Workspace) -> Path:
    return workspace.state / "suites"


def test_from_git(upstream: Path, suites: Path, kpt: Kpt) -> None:
    document = kpt("suite", "add", "mine", "--git", upstream, "--ref", "v1", "--json").json
    assert document["version"] == git("rev-parse", "HEAD", cwd=upstream)
    kept = sorted(str(path.relative_to(suites)) for path in suites.rglob("*") if path.is_file())
    assert kept == ["mine/suite.json", "mine/x86/one.flat", "mine/x86/two.flat", "mine/x86/unittests.cfg"]
    assert git("status", "--porcelain", cwd=upstream) == ""
    names = [row["name"] for row in kpt("suite", "list", "--json").json["suites"]]
    assert names == ["kpt-guest", "selftests", "mine"]
    assert "mine" in kpt("suite", "list").out
    kpt("suite", "remove", "mine")
    assert list(suites.iterdir()) == []


def test_a_failed_add_leaves_the_old_one(upstream: Path, suites: Path, kpt: Kpt) -> None:
    kpt("suite", "add", "mine", "--git", upstream)
    before = kpt("suite", "list").out
    (upstream / "Makefile").write_text("all:\n\t@echo 'x86/a.c:1: error: no such thing'; exit 1\n")
    git("commit", "-qam", "Break", cwd=upstream)
    failed = kpt("suite", "add", "mine", "--git", upstream, status=3)
    assert "x86/a.c:1: error: no such thing" in failed.err
    assert failed.err.count("kpt: ") == 1
    assert kpt("suite", "list").out == before
    assert [path.name for path in suites.iterdir()] == ["mine"]


def test_from_a_directory(tmp_path: Path, kpt: Kpt, workspace: Workspace) -> None:
    built = tmp_path / "built"
    (built / "x86").mkdir(parents=True)
    assert "no unittests.cfg" in kpt("suite", "add", "mine", "--dir", built, status=2).err
    (built / "x86/unittests.cfg").write_text(CFG)
    assert "nothing is built" in kpt("suite", "add", "mine", "--dir", built, status=2).err
    (built / "x86/one.efi").write_text("image")
    assert "built for UEFI" in kpt("suite", "add", "mine", "--dir", built, status=2).err
    (built / "x86/one.flat").write_text("image")
    one = kpt("suite", "add", "mine", "--dir", built, "--json").json
    assert one["directory"] == str(built / "x86")
    (built / "x86/one.flat").write_text("another image")
    assert kpt("suite", "add", "mine", "--dir", built, "--json").json["version"] != one["version"]
    assert catalogue.get(workspace, "mine").arch == "x86_64"
    (built / "config.mak").write_text("ARCH_NAME=x\nARCH=i386\nTEST_DIR=x86\n")
    assert catalogue.get(workspace, "mine").arch == "i386"
    (built / "x86/unittests.cfg").unlink()
    assert "mine" not in kpt("suite", "list").out


@pytest.mark.parametrize("end", ["", "; exit 1"])
def test_what_make_leaves_deep_down_is_removed(upstream: Path, suites: Path, kpt: Kpt, end: str) -> None:
    (upstream / "Makefile").write_text(f"{MAKEFILE}\t@mkdir -p {DEEP}{end}\n")
    git("commit", "-qam", "Deep", cwd=upstream)
    done = kpt("suite", "add", "mine", "--git", upstream, status=None)
    assert done.status == (3 if end else 0)
    assert [path.name for path in suites.iterdir()] == ([] if end else ["mine"])


def test_what_killed_ones_left_is_cleared(upstream: Path, suites: Path, kpt: Kpt) -> None:
    """Of this suite and of others, whatever is to be done; not what may be the only copy."""
    for name in ("mine", "other", "third.old"):
        work = suites / f".kpt-staging-{name}/work"
        work.mkdir(parents=True)
        if name != "third.old":
            subprocess.run(["mkdir", "-p", DEEP], cwd=work, check=True)
    kpt("suite", "add", "mine", "--git", upstream)
    assert sorted(path.name for path in suites.iterdir()) == [".kpt-staging-third.old", "mine"]
    (suites / ".kpt-staging-other").mkdir()
    kpt("suite", "remove", "mine")
    assert [path.name for path in suites.iterdir()] == [".kpt-staging-third.old"]


def test_a_repository_that_leads_elsewhere(
    upstream: Path, suites: Path, kpt: Kpt, tmp_path: Path, sealed: Path
) -> None:
    """Its list of tests is a link out of it, its files want a filter that the user has, an image is a link."""
    (tmp_path / "key").write_text("SECRET-KEY\n")
    with (sealed / "gitconfig").open("a") as settings:
        settings.write(f'[filter "theirs"]\n\tsmudge = touch {tmp_path}/ran; cat\n')
    (upstream / ".gitattributes").write_text("* filter=theirs\n")
    (upstream / "Makefile").write_text(f"{MAKEFILE}\tln -s {tmp_path}/key x86/three.flat\n")
    git("add", "-A", cwd=upstream)
    git("commit", "-qam", "Filter", cwd=upstream)
    kpt("suite", "add", "mine", "--git", upstream)
    assert not (tmp_path / "ran").exists()
    assert not (suites / "mine/x86/three.flat").exists()
    (tmp_path / "private.flat").write_text("SECRET-KEY\n")
    (upstream / "Makefile").write_text(f"all:\n\tln -s {tmp_path} x86\n")
    git("commit", "-qam", "Elsewhere", cwd=upstream)
    assert "make left no image" in kpt("suite", "add", "other", "--git", upstream, status=3).err
    (upstream / "x86/unittests.cfg").unlink()
    (upstream / "x86/unittests.cfg").symlink_to(tmp_path / "key")
    git("commit", "-qam", "Link", cwd=upstream)
    assert "unittests.cfg is a link out of x86" in kpt("suite", "add", "other", "--git", upstream, status=2).err
    assert not list(suites.rglob("other*"))


def test_a_directory_of_pipes_and_endless_files(tmp_path: Path, kpt: Kpt, workspace: Workspace) -> None:
    built = tmp_path / "built"
    (built / "x86").mkdir(parents=True)
    (built / "x86/unittests.cfg").write_text(CFG + "[\x1b[2J]\nfile = kcore.flat\nextra_params = a\0b\n")
    for name in ("one.flat", "\n.flat", "\udcff.flat"):
        (built / "x86" / name).write_text("image")
    (built / "x86/two.flat").symlink_to("/dev/zero")
    (built / "x86/kcore.flat").symlink_to("/proc/kcore")
    os.mkfifo(built / "config.mak")
    kpt("suite", "add", "mine", "--dir", built, timeout=60)
    suite = catalogue.get(workspace, "mine")
    here = unittests_cfg.Here("mine", built / "x86", 4)
    one, two, three = unittests_cfg.tests_of(catalogue.config_of(suite), here)
    assert (one.path, two.path, three.path) == (built / "x86/one.flat", None, None)
    assert three.name == "\\x1b[2J" and two.why_skip == "Test file 'x86/two.flat' not found"
    (built / "x86/unittests.cfg").unlink()
    (built / "x86/unittests.cfg").symlink_to("/dev/zero")
    with pytest.raises(MachineError, match="cannot be read"):
        catalogue.config_of(suite)
    (built / "x86/unittests.cfg").unlink()
    with (built / "x86/unittests.cfg").open("w") as huge:
        huge.write(CFG)
        huge.truncate(1 << 40)
    assert len(catalogue.config_of(suite).sections) == 2


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["add", "kpt-guest", "--dir", "."], "kpt's own"),
        (["add", "../x", "--dir", "."], "cannot be the name"),
        (["add", "x"], "--git or from --dir"),
        (["add", "x", "--git", "a", "--dir", "b"], "--git or from --dir"),
        (["add", "x", "--dir", "b", "--ref", "c"], "--ref without --git"),
        (["add", "x", "--git", "/no/such"], "no such repository"),
        (["remove", "x"], "no suite 'x'"),
        (["remove", "\x1b[2J"], "\\x1b"),
    ],
)
def test_bad_input_is_one_line(workspace: Workspace, kpt: Kpt, words: list[str], complaint: str) -> None:
    failed = kpt("suite", *words, status=2)
    assert complaint in failed.err
    assert failed.err.count("\n") == 1
    assert "\x1b" not in failed.err


def test_sources_that_are_something_else(toy_repo: Path, workspace: Workspace, kpt: Kpt) -> None:
    assert "no kvm-unit-tests" in kpt("suite", "add", "x", "--git", toy_repo, status=2).err


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        ([], "no series was applied"),
        (["--base"], "no kernel tree is here"),
        (["nothing"], "nothing"),
        (["--base", "--tree", "nothing"], "nothing"),
    ],
)
def test_nothing_to_test(workspace: Workspace, kpt: Kpt, words: list[str], complaint: str) -> None:
    failed = kpt("test", *words, status=2)
    assert complaint in failed.err
    assert failed.err.count("\n") == 1


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["--suite", "nothing"], "no suite 'nothing'"),
        (["--variant", "warp", "--suite", "kpt-guest"], "no variant 'warp'"),
        (["--test", "tlb@warp", "--suite", "kpt-guest"], "no variant 'warp'"),
        (["--accel", "warp"], "unknown accelerator 'warp'"),
        (["--arch", "vax"], "'vax'"),
        (["--patch", "1"], "exclude one another"),
        (["--each"], "exclude one another"),
        (["--timeout", "0"], "--timeout"),
    ],
)
def test_mistakes_are_told_before_anything_is_built(
    toy_repo: Path, workspace: Workspace, kpt: Kpt, words: list[str], complaint: str
) -> None:
    kpt("tree", "add", "toy", "--git", toy_repo)
    assert complaint in kpt("test", "--base", *words, status=2).err
    assert not (workspace.state / "build").exists()
