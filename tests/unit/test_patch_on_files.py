"""A diff on the files of a tree: kpt takes what git takes, makes the same of it, and refuses what git refuses."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from kpatch_tool.diff.parse import parse_diff
from kpatch_tool.tree.model import ApplyStatus
from kpatch_tool.tree.objects import Objects
from kpatch_tool.tree.overlay import Overlay
from kpatch_tool.tree.patching import Put, put_patch
from tests.conftest import git

TEXT = b"1\n2\n3\n4\n5\n"
LINK = b"--- a/f\n+++ b/f\n@@ -1 +1 @@\n-t\n\\ No newline at end of file\n+u\n\\ No newline at end of file\n"
UNLINK = b"--- a/f\n+++ /dev/null\n@@ -1 +0,0 @@\n-t\n\\ No newline at end of file\n"
GONE = b"diff --git a/%s b/%s\ndeleted file mode 100644\n--- a/%s\n+++ /dev/null\n@@ -1 +0,0 @@\n-1\n"
MADE = b"diff --git a/%s b/%s\nnew file mode 100644\n--- /dev/null\n+++ b/%s\n@@ -0,0 +1 @@\n+n\n"
RENAME = b"diff --git a/%s b/%s\nsimilarity index 100%%\nrename from %s\nrename to %s\n"
EDIT = b"--- a/%s\n+++ b/%s\n@@ -1,2 +1,2 @@\n-1\n+one\n 2\n"


def gone(name: bytes) -> bytes:
    return GONE % (name, name, name)


def made(name: bytes) -> bytes:
    return MADE % (name, name, name)


def renamed(old: bytes, new: bytes) -> bytes:
    return RENAME % (old, new, old, new)


def edited(name: bytes) -> bytes:
    return EDIT % (name, name)


@dataclass(frozen=True)
class Case:
    patch: bytes
    files: Mapping[str, bytes]
    links: Mapping[str, str] = field(default_factory=dict)


REFUSED = {
    "a deletion of a file that was changed": Case(gone(b"f"), {"f": b"1\nfix\n"}),
    "that and a change that fits": Case(gone(b"f") + edited(b"g"), {"f": b"1\nfix\n", "g": b"1\n2\n"}),
    "deleted twice": Case(gone(b"f") + gone(b"f"), {"f": b"1\n"}),
    "renamed onto a file that is deleted otherwise": Case(renamed(b"a", b"b") + gone(b"b"), {"a": TEXT, "b": b"x\n"}),
    "an empty file is deleted, it is not empty": Case(
        b"diff --git a/f b/f\ndeleted file mode 100644\nindex e69de29..0000000\n", {"f": TEXT}
    ),
    "an empty file is made, it is not empty": Case(
        b"diff --git a/f b/f\nnew file mode 100644\nindex 0000000..e69de29\n", {"f": TEXT}
    ),
    "a file for the patch, a link here": Case(
        b"diff --git a/f b/f\nindex 1234567..2345678 100644\n" + LINK, {"t": TEXT, "u": TEXT}, {"f": "t"}
    ),
    "that, and the link leads there already": Case(
        b"diff --git a/f b/f\nindex 1234567..2345678 100644\n" + LINK, {"t": TEXT, "u": TEXT}, {"f": "u"}
    ),
    "a link for the patch, a file here": Case(
        b"diff --git a/f b/f\nindex 1234567..2345678 120000\n" + LINK, {"t": TEXT, "f": b"t"}
    ),
    "a link is made executable": Case(
        b"diff --git a/f b/f\nold mode 100644\nnew mode 100755\n", {"t": TEXT}, {"f": "t"}
    ),
    "a link is deleted as a file": Case(
        b"diff --git a/f b/f\ndeleted file mode 100644\nindex 1234567..0000000\n" + UNLINK, {"t": TEXT}, {"f": "t"}
    ),
}
TAKEN = {
    "a link is deleted": Case(
        b"diff --git a/f b/f\ndeleted file mode 120000\nindex 1234567..0000000\n" + UNLINK, {"t": TEXT}, {"f": "t"}
    ),
    "a link leads elsewhere": Case(
        b"diff --git a/f b/f\nindex 1234567..2345678 120000\n" + LINK, {"t": TEXT, "u": TEXT}, {"f": "t"}
    ),
    "two change their names": Case(renamed(b"b", b"a") + renamed(b"a", b"b"), {"a": TEXT, "b": b"x\n"}),
    "made where one was, that goes": Case(made(b"a") + renamed(b"a", b"b"), {"a": TEXT}),
    "the same, first it goes": Case(renamed(b"a", b"b") + made(b"a"), {"a": TEXT}),
    "a directory becomes a file": Case(made(b"d") + gone(b"d/x"), {"d/x": b"1\n", "q": b"q"}),
    "a directory in a directory": Case(made(b"d") + gone(b"d/s/x"), {"d/s/x": b"1\n", "q": b"q"}),
    "first the file in it goes": Case(gone(b"d/s/x") + made(b"d"), {"d/s/x": b"1\n", "q": b"q"}),
    "the file in it takes its name": Case(renamed(b"d/s/x", b"d"), {"d/s/x": b"1\n", "q": b"q"}),
    "a file becomes a directory": Case(gone(b"d") + made(b"d/x"), {"d": b"1\n", "q": b"q"}),
}


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    git("init", "-q", ".", cwd=tmp_path)
    return tmp_path


def put(repo: Path, case: Case) -> Put:
    """kpt's answer, on a commit of the case's files."""
    for name, data in case.files.items():
        (repo / name).parent.mkdir(parents=True, exist_ok=True)
        (repo / name).write_bytes(data)
    for name, target in case.links.items():
        (repo / name).symlink_to(target)
    git("add", "-A", cwd=repo)
    git("commit", "-qm", "base", cwd=repo)
    with Objects(repo / ".git") as objects:
        return put_patch(parse_diff(case.patch), Overlay(objects, git("rev-parse", "HEAD", cwd=repo).strip()))


def listed(repo: Path) -> dict[str, str]:
    """Path -> mode and id of what is in the index."""
    lines = git("ls-files", "-s", cwd=repo).splitlines()
    return {path: f"{mode} {oid}" for mode, oid, _, path in (line.split(maxsplit=3) for line in lines)}


def given(cases: Mapping[str, Case]) -> Iterable[object]:
    return [pytest.param(case, id=name) for name, case in cases.items()]


def taken_by_git(repo: Path, patch: bytes) -> bool:
    """Whether git applies it (it does then)."""
    done = subprocess.run(["git", "apply", "--index"], cwd=repo, input=patch, capture_output=True, check=False)
    return done.returncode == 0


@pytest.mark.parametrize("case", given(REFUSED))
def test_refused_as_git_refuses_it(repo: Path, case: Case) -> None:
    answer = put(repo, case)
    assert not taken_by_git(repo, case.patch)
    assert answer.status is ApplyStatus.CONFLICT
    assert not answer.changes
    assert answer.why


@pytest.mark.parametrize("case", given(TAKEN))
def test_what_git_makes_of_it(repo: Path, case: Case) -> None:
    answer = put(repo, case)
    assert answer.status is ApplyStatus.CLEAN
    files = listed(repo)
    for path, entry in answer.changes.items():
        if entry is None:
            del files[path]
        else:
            files[path] = f"{entry.mode} {entry.oid}"
    assert taken_by_git(repo, case.patch)
    assert files == listed(repo)


def test_a_deletion_without_its_lines_is_proven_by_the_blob_id(repo: Path) -> None:
    """As `git format-patch -D` makes it, which git itself does not take."""
    known = Case(b"diff --git a/f b/f\ndeleted file mode 100644\nindex 8a1218a..0000000\n", {"f": TEXT, "g": b"g"})
    assert put(repo, known).changes == {"f": None}
