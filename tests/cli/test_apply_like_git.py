"""`kpt apply` makes of patches what real `git am` makes of them."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from kpatch_tool.workspace import Workspace
from tests.conftest import Kpt, git

SHOWN = "%T%n%an%n%ae%n%ad%n%B"


def commit(repo: Path, message: str, **env: str) -> None:
    """Commit everything in the work tree, with an author and date of its own."""
    old = {name: os.environ.get(name) for name in env}
    os.environ.update(env)
    try:
        git("add", "-Af", cwd=repo)
        git("commit", "-q", "--allow-empty", "-F", "-", cwd=repo, stdin=message.encode())
    finally:
        for name, value in old.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})


def edit(path: Path, old: bytes, new: bytes) -> None:
    text = path.read_bytes()
    assert old in text
    path.write_bytes(text.replace(old, new, 1))


@pytest.fixture
def history(toy_repo: Path) -> Path:
    """The toy tree with commits of every kind of change on a branch `work` above `main`."""
    base = {
        "dos.txt": b"one\r\ntwo\r\nthree\r\nfour\r\n",
        "unended.txt": b"first\nlast without newline",
        "script.sh": b"#!/bin/sh\necho hello\n",
        "old/name.c": b"".join(b"line %d\n" % n for n in range(40)),
        "gone.c": b"int gone;\n",
        "latin.txt": "d\u00e9j\u00e0 vu\n".encode("latin-1"),
        "blob.bin": bytes(range(256)) * 4,
        "empty.h": b"",
    }
    for name, data in base.items():
        (toy_repo / name).parent.mkdir(exist_ok=True)
        (toy_repo / name).write_bytes(data)
    commit(toy_repo, "Base\n")
    git("checkout", "-qb", "work", cwd=toy_repo)

    edit(toy_repo / "arch/x86/kvm/mmu.c", b"return 1;", b"return 1 + 1;")
    commit(toy_repo, "KVM: MMU: change a line\n\nA reason.\n\n\n\nSigned-off-by: A <a@example.org>\n")
    edit(toy_repo / "arch/x86/kvm/mmu.c", b"#define PT_PRESENT_MASK", b"#define PT_NEW 4\n#define PT_PRESENT_MASK")
    edit(toy_repo / "dos.txt", b"two\r\n", b"2\r\n")
    commit(toy_repo, "Change lines with CRLF\n", GIT_AUTHOR_DATE="1300000000 -0730")
    edit(toy_repo / "unended.txt", b"newline", b"any newline")
    edit(toy_repo / "latin.txt", b"vu", b"entendu")
    name = "J\u00fcrgen Gro\u00df"
    commit(toy_repo, "Gr\u00fc\u00dfe: no newline\n", GIT_AUTHOR_NAME=name, GIT_AUTHOR_EMAIL="j@example.org")
    (toy_repo / "old/name.c").rename(toy_repo / "renamed.c")
    edit(toy_repo / "renamed.c", b"line 20\n", b"line twenty\n")
    commit(toy_repo, "Rename and change a file\n", GIT_AUTHOR_NAME="A. U. Thor, Jr.")
    (toy_repo / "script.sh").chmod(0o755)
    (toy_repo / "gone.c").unlink()
    (toy_repo / "new/deep").mkdir(parents=True)
    (toy_repo / "new/deep/file.c").write_bytes(b"int deep;\n")
    commit(toy_repo, "Mode, deletion, creation\n\nbody\n")
    (toy_repo / "link").symlink_to("script.sh")
    (toy_repo / "empty.h").write_bytes(b"#pragma once\n")
    (toy_repo / "made-empty.h").write_bytes(b"")
    commit(toy_repo, "A link, an empty file filled, an empty file made\n")
    edit(toy_repo / "blob.bin", b"\x00\x01\x02", b"\x00\x00\x02\x00")
    commit(toy_repo, "Change bytes\n")
    edit(toy_repo / "renamed.c", b"line 1\n", b"line 1\nline 1b\n")
    edit(toy_repo / "renamed.c", b"line 35\n", b"")
    commit(toy_repo, "Two hunks after a rename\n", GIT_AUTHOR_DATE="1300000000 +1445")
    (toy_repo / "new/deep/file.c").unlink()
    (toy_repo / "new/deep").rmdir()
    (toy_repo / "new/deep").write_bytes(b"a file that takes the name of a directory\n")
    commit(toy_repo, "Directory to file\n")
    (toy_repo / "new/deep").unlink()
    (toy_repo / "new/deep").mkdir()
    (toy_repo / "new/deep/again.c").write_bytes(b"int again;\n")
    (toy_repo / "link").unlink()
    (toy_repo / "link").write_bytes(b"a file that takes the name of a link\n")
    commit(toy_repo, "File to directory, link to file\n")
    return toy_repo


def format_patches(repo: Path, where: Path, *options: str) -> Path:
    sender = "--from=Test Person <test@example.org>"
    git("format-patch", "-q", "--binary", sender, *options, "-o", where, "main..work", cwd=repo)
    return where


def test_commits_equal_those_of_git_am(history: Path, workspace: Workspace, kpt: Kpt, tmp_path: Path) -> None:
    patches = format_patches(history, tmp_path / "patches")
    kpt("tree", "add", "toy", "--git", history, "--ref", "main")
    kpt("import", patches, "--name", "s")
    document = kpt("apply", "s", "--json").json
    assert {row["status"] for row in document["patches"]} == {"clean"}

    git("checkout", "-qb", "am", "main", cwd=history)
    # kpt keeps the CR of a file with CRLF by itself.
    git("am", "-q", "--keep-cr", *sorted(patches.iterdir()), cwd=history)
    ours = workspace.trees / "toy.git"
    expected = git("log", "--reverse", "--date=raw", f"--format={SHOWN}", "main..am", cwd=history)
    got = git("log", "--reverse", "--date=raw", f"--format={SHOWN}", "base..kpt/s", cwd=ours)
    assert got == expected
    assert [row["commit"] for row in document["patches"]] == git(
        "rev-list", "--reverse", "base..kpt/s", cwd=ours
    ).split()
    for row in document["patches"]:
        for file in row["files"]:
            there = git("ls-tree", row["commit"], "--", file["path"], cwd=ours).split()
            # the name of a file that is gone may be a directory's now
            assert (there[2] if there and there[1] == "blob" else None) == file["blob"]
    git("fsck", "--strict", cwd=ours)


def test_applying_again_gives_the_same_commits(history: Path, kpt: Kpt, workspace: Workspace, tmp_path: Path) -> None:
    kpt("tree", "add", "toy", "--git", history, "--ref", "main")
    kpt("import", format_patches(history, tmp_path / "patches"), "--name", "s")
    first = kpt("apply", "s", "--json").json
    second = kpt("apply", "s", "--json", env={"GIT_COMMITTER_NAME": "Other"}).json
    assert first == second


def test_every_object_is_on_the_disk_before_the_refs_name_it(
    history: Path, kpt: Kpt, workspace: Workspace, tmp_path: Path
) -> None:
    kpt("tree", "add", "toy", "--git", history, "--ref", "main")
    kpt("import", format_patches(history, tmp_path / "patches"), "--name", "s")
    before = set((workspace.trees / "toy.git/objects").glob("??/*"))
    kpt("apply", "s", env={"GIT_TRACE2_EVENT": str(tmp_path / "trace")})
    loose = set((workspace.trees / "toy.git/objects").glob("??/*")) - before
    events = [json.loads(line) for line in (tmp_path / "trace").read_text().splitlines()]
    waited = [event["value"] for event in events if event.get("key") == "fsync/hardware-flush"]
    assert len(loose) > 10
    assert sum(map(int, waited)) > len(loose)


def test_reverse_takes_the_series_out(history: Path, kpt: Kpt, workspace: Workspace, tmp_path: Path) -> None:
    kpt("tree", "add", "toy", "--git", history, "--ref", "work")
    kpt("import", format_patches(history, tmp_path / "patches"), "--name", "s")
    there = kpt("apply", "s", "--json").json
    assert {row["status"] for row in there["patches"]} == {"already"}
    assert there["head"] == there["base"]
    out = kpt("apply", "s", "--reverse", "--json").json
    assert {row["status"] for row in out["patches"]} == {"clean"}
    ours = workspace.trees / "toy.git"
    git("fetch", "-q", ours, "kpt/s", cwd=history)
    assert git("diff", "main", "FETCH_HEAD", cwd=history) == ""
