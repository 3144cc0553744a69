"""Which part of a name in a diff's header is the path: git's prefixes, none (--no-prefix, -p0), trees' directories."""

from __future__ import annotations

from pathlib import Path

import pytest

from kpatch_tool.diff.model import DiffError
from kpatch_tool.diff.parse import parse_diff
from tests.conftest import git

HUNK = "@@ -1 +1 @@\n-a\n+b\n"
NEW = "@@ -0,0 +1 @@\n+b\n"


@pytest.mark.parametrize(
    ("header", "path"),
    [
        ("diff --git a/mm/f.c b/mm/f.c\n--- a/mm/f.c\n+++ b/mm/f.c\n", "mm/f.c"),
        ("diff --git i/mm/f.c w/mm/f.c\n--- i/mm/f.c\n+++ w/mm/f.c\n", "mm/f.c"),
        ("diff --git c/Makefile i/Makefile\n--- c/Makefile\n+++ i/Makefile\n", "Makefile"),
        ("diff --git mm/f.c mm/f.c\n--- mm/f.c\n+++ mm/f.c\n", "mm/f.c"),
        ("diff --git Makefile Makefile\n--- Makefile\n+++ Makefile\n", "Makefile"),
        ("diff --git other/f.c other/f.c\n--- other/f.c\n+++ other/f.c\n", "other/f.c"),
        ("--- a/mm/f.c\n+++ b/mm/f.c\n", "mm/f.c"),
        ("--- linux-2.6.orig/mm/f.c\n+++ linux-2.6/mm/f.c\n", "mm/f.c"),
        ("--- linux/mm/f.c.orig\n+++ linux/mm/f.c\n", "mm/f.c"),
        ("--- mm/f.c\n+++ mm/f.c\n", "mm/f.c"),
        ("--- mm/f.c.orig\n+++ mm/f.c\n", "mm/f.c"),
        ("--- Makefile\n+++ Makefile\n", "Makefile"),
    ],
)
def test_the_path(header: str, path: str) -> None:
    (file,) = parse_diff((header + HUNK).encode())
    assert (file.old_path, file.new_path) == (path, path)


@pytest.mark.parametrize(
    ("header", "path"),
    [
        ("diff --git mm/n.c mm/n.c\nnew file mode 100644\n--- /dev/null\n+++ mm/n.c\n", "mm/n.c"),
        ("diff --git a/mm/n.c b/mm/n.c\nnew file mode 100644\n--- /dev/null\n+++ b/mm/n.c\n", "mm/n.c"),
        ("--- /dev/null\n+++ mm/n.c\n", "mm/n.c"),
        ("--- /dev/null\n+++ b/mm/n.c\n", "mm/n.c"),
    ],
)
def test_a_created_file(header: str, path: str) -> None:
    (file,) = parse_diff((header + NEW).encode())
    assert (file.old_path, file.new_path) == (None, path)


def test_renames_without_prefix() -> None:
    for old, new in (("mm/f.c", "mm/g.c"), ("mm/f.c", "fs/g.c"), ("f.c", "mm/f.c")):
        text = f"diff --git {old} {new}\nsimilarity index 100%\nrename from {old}\nrename to {new}\n"
        (file,) = parse_diff(text.encode())
        assert (file.old_path, file.new_path) == (old, new)


def test_as_git_writes_them(tmp_path: Path) -> None:
    git("init", "-q", cwd=tmp_path)
    (tmp_path / "mm").mkdir()
    for name in ("Makefile", "mm/f.c", "mm/gone.c"):
        (tmp_path / name).write_text(f"{name}\n" * 5)
    git("add", ".", cwd=tmp_path)
    git("commit", "-qm", "one", cwd=tmp_path)
    git("mv", "mm/f.c", "mm/g h.c", cwd=tmp_path)
    (tmp_path / "Makefile").write_text("all:\n")
    (tmp_path / "mm/gone.c").unlink()
    (tmp_path / "new.c").write_text("int a;\n")
    git("add", "-A", cwd=tmp_path)
    plain = parse_diff(git("diff", "--cached", cwd=tmp_path).encode() + b"\n")
    for option in ("--no-prefix", "--src-prefix=x/y/"):
        text = git("diff", "--cached", option, cwd=tmp_path).encode() + b"\n"
        if option == "--no-prefix":
            assert parse_diff(text) == plain
        else:  # nothing tells how long such a prefix is
            with pytest.raises(DiffError):
                parse_diff(text)
