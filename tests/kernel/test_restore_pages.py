"""Real changes between two versions of Debian's kernel source, as git's own mails, through every archive's page.

The newer version is the tree that the other tests use; the older one is what apt offers beside it.
"""

from __future__ import annotations

import random
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from benchmarks.archive_shapes import SHAPES
from tests.archive_pages import Change, commit, tallies
from tests.conftest import git

pytestmark = pytest.mark.kernel

PACKAGE = "linux-source-6.1"
DIRECTORIES = ("net/core", "net/ipv4", "net/bluetooth", "fs/btrfs", "kernel/sched", "mm", "sound/core", "include/net")
PATCHES = 24
MOST_ADDED = 100  # lines of a file's change
LEAST_PROVEN = 0.8  # of the patches, in every shape that loses white space; each may need the one before it


@pytest.fixture(scope="session")
def older(debian_git_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A few directories of an older version than that of the tree, unpacked."""
    offered = _versions()
    if not offered:
        pytest.skip(f"apt offers no {PACKAGE} older than the tree's")
    directory = tmp_path_factory.mktemp("older")
    asked = subprocess.run(
        ["apt-get", "download", f"{PACKAGE}={offered[-1]}"], cwd=directory, capture_output=True, text=True, check=False
    )
    packages = list(directory.glob("*.deb"))
    if asked.returncode or not packages:
        pytest.skip(f"apt cannot download {PACKAGE} {offered[-1]}: {asked.stderr.strip().splitlines()[-1:]}")
    members = [f"{PACKAGE}/{name}" for name in DIRECTORIES]
    with subprocess.Popen(["dpkg-deb", "--fsys-tarfile", packages[0]], stdout=subprocess.PIPE) as package:
        source = [f"./usr/src/{PACKAGE}.tar.xz"]
        with subprocess.Popen(["tar", "-xO", *source], stdin=package.stdout, stdout=subprocess.PIPE) as inner:
            done = subprocess.run(["tar", "-xJ", *members], stdin=inner.stdout, cwd=directory, check=False)
    assert done.returncode == 0
    packages[0].unlink()
    return directory / PACKAGE


def _versions() -> list[str]:
    """Versions that apt offers besides its newest, the newest first."""
    if not shutil.which("apt-cache") or not shutil.which("dpkg-deb"):
        return []
    said = subprocess.run(["apt-cache", "madison", PACKAGE], capture_output=True, text=True, check=False).stdout
    found = dict.fromkeys(line.split("|")[1].strip() for line in said.splitlines() if line.count("|") > 1)
    upstream = [version.rpartition("-")[0] for version in found]
    return [version for version, name in zip(found, upstream, strict=True) if name != upstream[0]]


def changes(older: Path, newer: Path) -> list[Change]:
    """What the newer version made of the older one, in random groups of one to three files."""
    rng = random.Random(61)
    names = [str(path.relative_to(older)) for path in sorted(older.rglob("*")) if path.is_file()]
    rng.shuffle(names)
    out: list[Change] = []
    group: dict[str, bytes | None] = {}
    size = 1
    for name in names:
        before, after = (older / name).read_bytes(), _content(newer, name)
        if after is None or after == before or _added(older / name, newer / name) > MOST_ADDED:
            continue
        group[name] = after
        if len(group) >= size:
            out.append(group)
            group, size = {}, rng.choice((1, 1, 2, 3))
        if len(out) == PATCHES:
            break
    return out


def _content(newer: Path, name: str) -> bytes | None:
    path = newer / name
    return path.read_bytes() if path.is_file() else None


def _added(old: Path, new: Path) -> int:
    said = subprocess.run(
        ["git", "diff", "--no-index", "--numstat", old, new], capture_output=True, text=True, check=False
    ).stdout
    found = re.match(r"(\d+)", said)
    return int(found[1]) if found else MOST_ADDED + 1


def test_real_changes_come_back_from_every_archive(debian_git_dir: Path, older: Path, tmp_path: Path) -> None:
    newer = tmp_path / "newer"
    newer.mkdir()
    archive = subprocess.run(
        ["git", f"--git-dir={debian_git_dir}", "archive", "base", *DIRECTORIES], stdout=subprocess.PIPE, check=True
    )
    subprocess.run(["tar", "-x"], input=archive.stdout, cwd=newer, check=True)
    found = changes(older, newer)
    assert len(found) == PATCHES
    repository = tmp_path / "repository"
    repository.mkdir()
    git("init", "-q", cwd=repository)
    start = {name: (older / name).read_bytes() for change in found for name in change}
    commit(repository, start, "Start")
    git("tag", "start", cwd=repository)
    for number, change in enumerate(found, 1):
        commit(repository, change, f"Change {number}")
    result = tallies(repository, "start", start.get, tmp_path)
    for shape in SHAPES:
        tally = result[shape.name]
        assert tally.counts.total() == PATCHES
        assert tally.counts["wrong"] == 0, tally.failures
        assert tally.counts["missing"] == 0, tally.failures
        least = LEAST_PROVEN if shape.squeezes else 1.0
        assert tally.counts["proven"] >= least * PATCHES, (shape.name, tally.failures)
