"""`kpt tree add` of archives and repositories by somebody who means harm: refused in one line, nothing left."""

from __future__ import annotations

import gzip
import io
import lzma
import os
import resource
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from kpatch_tool.errors import InputError
from kpatch_tool.tree import archive, importing
from kpatch_tool.tree.importing import Item
from kpatch_tool.tree.sources import git as git_source
from kpatch_tool.tree.sources.directory import Directory
from kpatch_tool.tree.sources.git import GitRepository
from kpatch_tool.workspace import Workspace
from tests.conftest import Kpt, git, only_described


def member(name: str, data: bytes = b"x\n", **fields: object) -> bytes:
    """A file of a tar archive: its header (with the fields given) and its content."""
    info = tarfile.TarInfo(name)
    info.size = len(data)
    for field, value in fields.items():
        setattr(info, field, value)
    return info.tobuf(tarfile.PAX_FORMAT) + data + bytes(-len(data) % tarfile.BLOCKSIZE)


MAKEFILE = member("linux/Makefile", b"VERSION = 6\n")
END = bytes(2 * tarfile.BLOCKSIZE)
HARD = {"type": tarfile.LNKTYPE, "size": 0}
HOLES = {"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.name": "linux/s", "GNU.sparse.realsize": "5"}


def items(data: bytes) -> list[Item]:
    return list(archive.tar_items(io.BytesIO(data), "x.tar", lambda done: None))


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (MAKEFILE, "cut short"),
        (MAKEFILE[:-100], "damaged archive"),
        (MAKEFILE + MAKEFILE[:200], "cut short"),
        (MAKEFILE + b"no header here" * 100 + END, "damaged archive"),
        (MAKEFILE + member("linux/a", pax_headers={"size": "-5"}) + END, "negative size"),
        (MAKEFILE + member("linux/a", pax_headers={"size": "9" * 20}) + END, "larger than 1024 MB"),
        (MAKEFILE + member("linux/a", pax_headers={"path": "../a"}) + END, r"component '\.\.'"),
        (MAKEFILE + member("linux/s", b"zz\n", pax_headers=HOLES) + END, "damaged archive"),
        (MAKEFILE + member("linux/s", b"99999\n", pax_headers=HOLES) + END, "damaged archive"),
        (MAKEFILE + member("linux/p", b"", type=tarfile.FIFOTYPE) + END, "neither file, link nor directory"),
    ],
)
def test_an_archive_that_is_not_whole_or_lies(data: bytes, reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        items(data)


@pytest.mark.parametrize("when", ["nan", "inf", "-inf", "9" * 400, "1e300"])
def test_dates_of_any_length(workspace: Workspace, kpt: Kpt, tmp_path: Path, when: str) -> None:
    (tmp_path / "x.tar").write_bytes(member("linux/Makefile", pax_headers={"mtime": when}) + END)
    kpt("tree", "add", "t", "--tarball", "x.tar")
    assert int(git("log", "-1", "--format=%ct", "base", cwd=workspace.trees / "t.git")) in (0, (1 << 32) - 1)


def test_a_hard_link_to_nothing_of_the_archive(workspace: Workspace, kpt: Kpt, tmp_path: Path) -> None:
    (tmp_path / "x.tar").write_bytes(MAKEFILE + member("linux/h", b"", linkname="/etc/passwd", **HARD) + END)
    failed = kpt("tree", "add", "t", "--tarball", "x.tar", status=2)
    assert "a hard link to '/etc/passwd', which is not there" in failed.err
    assert only_described(workspace)


@pytest.mark.parametrize("kind", [tarfile.GNUTYPE_LONGNAME, tarfile.XHDTYPE])
def test_a_name_without_end_takes_no_memory(workspace: Workspace, tmp_path: Path, kind: bytes) -> None:
    """Half a gigabyte of it, in 2 MB; the address space is limited to 400 MB."""
    head = tarfile.TarInfo("x")
    head.type, head.size = kind, 3 << 30
    with gzip.open(tmp_path / "x.tar.gz", "wb", 1) as out:
        out.write(head.tobuf(tarfile.GNU_FORMAT))
        for _ in range(32):
            out.write(b"a" * (1 << 24))
    done = subprocess.run(
        [sys.executable, "-m", "kpatch_tool", "tree", "add", "t", "--tarball", "x.tar.gz"],
        cwd=tmp_path,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (400 << 20, 400 << 20)),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].endswith("x.tar.gz: damaged archive (a header without end); fetch it again")


def test_more_than_a_kernel_has(workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    git("init", "-q", "--bare", "r", cwd=tmp_path)
    some = [Item(f"f{number}", "100644", b"x" * 1000, 0) for number in range(20)]
    monkeypatch.setattr(importing, "MOST_FILES", 19)
    with pytest.raises(InputError, match="more than 19 files or 64 GB"):
        importing.import_items(tmp_path / "r", some, "m", where="w")
    monkeypatch.setattr(importing, "MOST_FILES", 20)
    monkeypatch.setattr(importing, "MOST_BYTES", 19_999)
    with pytest.raises(InputError, match="refused: more than"):
        importing.import_items(tmp_path / "r", some, "m", where="w")
    monkeypatch.setattr(importing, "MOST_BYTES", 20_000)
    assert len(importing.import_items(tmp_path / "r", some, "m", where="w")) == 40


@pytest.fixture
def odd(tmp_path: Path) -> Path:
    """An empty repository."""
    git("init", "-q", "-b", "main", "odd", cwd=tmp_path)
    return tmp_path / "odd"


def made(repository: Path, *entries: tuple[str, bytes, str]) -> str:
    """A tree object of any content: mode, name, id."""
    raw = b"".join(mode.encode() + b" " + name + b"\0" + bytes.fromhex(oid) for mode, name, oid in entries)
    return git("hash-object", "-t", "tree", "-w", "--literally", "--stdin", cwd=repository, stdin=raw)


def commit(repository: Path, tree: str) -> None:
    git("update-ref", "refs/heads/main", git("commit-tree", "-m", "x", tree, cwd=repository), cwd=repository)


NAMES = [
    ("40000", b"..", "the component '..'"),
    ("40000", b".git", "a path inside .git"),
    ("40000", b"GIT~1", "a path inside .git"),
    ("40000", b"/etc", "an absolute path"),
    ("100644", b"a/../../x", "the component '..'"),
    ("100644", b"a\x1b[31m", "a control character"),
    ("100644", b"a\nb", "a control character"),
    ("100644", b"a\\b", "a backslash"),
    ("100644", "a\u202eb".encode(), "an invisible character"),
    ("100644", b"a" * 256, "more than 255 bytes"),
    ("100644", b"NUL", "the name of a device"),
    ("1x", b"a", "malformed mode"),
    ("100644", b"", "empty filename"),
]


@pytest.mark.parametrize("case", NAMES)
def test_names_in_a_repository(odd: Path, workspace: Workspace, kpt: Kpt, case: tuple[str, bytes, str]) -> None:
    """git itself looks at names when it writes files, and kpt would only meet them there."""
    mode, name, reason = case
    blob = git("hash-object", "-w", "--stdin", cwd=odd, stdin=b"x\n")
    below = made(odd, ("100644", b"x", blob))
    commit(odd, made(odd, ("100644", b"Makefile", blob), (mode, name, below if mode == "40000" else blob)))
    failed = kpt("tree", "add", "t", "--git", odd, "--ref", "main", status=None)
    assert failed.status in (2, 3)
    assert reason in failed.err
    assert "\x1b" not in failed.err
    if name == b"..":
        fetched = kpt("tree", "add", "t", "--git", f"file://{odd}", "--ref", "main", status=2)
        assert reason in fetched.err
    assert only_described(workspace)


def test_a_repository_of_billions_of_files(odd: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nine trees, each ten times the one before."""
    monkeypatch.setattr(git_source, "MOST_FILES", 20_000)
    tree = made(odd, ("100644", b"x", git("hash-object", "-w", "--stdin", cwd=odd, stdin=b"x\n")))
    for _ in range(9):
        tree = made(odd, *(("40000", b"%d" % number, tree) for number in range(10)))
    commit(odd, tree)
    git("init", "-q", "--bare", "--template=", "target", cwd=tmp_path)
    with pytest.raises(InputError, match="refused: more than 20,000 files"):
        GitRepository(str(odd), "main").fill(tmp_path / "target", tmp_path, lambda what, done=0, total=0: None)


def test_refs_and_objects_that_are_not_what_they_seem(
    odd: Path, workspace: Workspace, kpt: Kpt, tmp_path: Path
) -> None:
    """Names in no charset, thousands of them; replaced and grafted commits; borrowed objects that lead round."""
    (odd / "Makefile").write_text("VERSION = 6\n")
    git("add", "-A", cwd=odd)
    git("commit", "-qm", "true", cwd=odd)
    true = git("rev-parse", "HEAD", cwd=odd)
    (odd / "Makefile").write_text("VERSION = 5\n")
    git("commit", "-qam", "false", cwd=odd)
    git("replace", true, "HEAD", cwd=odd)
    git("update-ref", "refs/heads/kept", true, cwd=odd)
    many = "".join(f"create refs/heads/many/{number} {true}\n" for number in range(3000)).encode()
    git("update-ref", "--stdin", cwd=odd, stdin=many + b"create refs/heads/\xff\xfe %s\n" % true.encode())
    (odd / ".git/info").mkdir(exist_ok=True)
    (odd / ".git/info/grafts").write_text(f"{true} {'1' * 40}\n")
    other = tmp_path / "other"
    git("init", "-q", "--bare", other, cwd=tmp_path)
    (other / "objects/info").mkdir(exist_ok=True)
    (other / "objects/info/alternates").write_text(f"{odd}/.git/objects\n../objects\n")
    (odd / ".git/objects/info").mkdir(exist_ok=True)
    (odd / ".git/objects/info/alternates").write_text(f"{other}/objects\n../../.git/objects\n")
    assert kpt("tree", "add", "t", "--git", odd, "--ref", "kept", "--json").json["base"] == true
    ours = workspace.trees / "t.git"
    assert git("cat-file", "blob", "base:Makefile", cwd=ours) == "VERSION = 6"
    assert git("for-each-ref", "--format=%(refname)", cwd=ours) == "refs/heads/base\nrefs/kpt/tip"
    assert not os.path.lexists(ours / "objects/info/alternates")
    git("fsck", "--strict", cwd=ours)


def test_a_repository_that_is_read_stays_as_it_is(toy_repo: Path, workspace: Workspace, kpt: Kpt) -> None:
    """Bit for bit, and no file has another time: not even an index whose times are stale is refreshed."""
    git("commit", "-q", "--allow-empty", "-m", "second", cwd=toy_repo)
    git("gc", "-q", cwd=toy_repo)
    for path in toy_repo.rglob("*"):
        if ".git" not in path.parts:
            os.utime(path, (1, 1))

    def state() -> dict[str, tuple[int, bytes]]:
        files = (path for path in toy_repo.rglob("*") if path.is_file())
        return {
            str(path): (0 if "objects" in path.parts else path.stat().st_mtime_ns, path.read_bytes()) for path in files
        }

    before = state()
    kpt("tree", "add", "dir", "--dir", toy_repo)
    kpt("tree", "add", "git", "--git", toy_repo, "--ref", "main")
    kpt("tree", "add", "url", "--git", f"file://{toy_repo}", "--ref", "main")
    kpt("import", "--git", toy_repo, "main~1..main", status=2)  # an empty commit has no patch
    kpt("import", "--git", toy_repo, "main", status=None)
    assert state() == before


def test_an_archive_that_wants_gigabytes_of_memory(workspace: Workspace, kpt: Kpt, tmp_path: Path) -> None:
    filters = [{"id": lzma.FILTER_LZMA2, "preset": 0, "dict_size": 1536 << 20}]
    (tmp_path / "x.tar.xz").write_bytes(lzma.compress(MAKEFILE + END, filters=filters))
    failed = kpt("tree", "add", "t", "--tarball", "x.tar.xz", status=2).err
    assert failed.endswith("x.tar.xz: damaged archive (Memory usage limit reached); fetch it again\n")
    assert only_described(workspace)
    (tmp_path / "y.tar.xz").write_bytes(lzma.compress(MAKEFILE + END, preset=9))
    kpt("tree", "add", "t", "--tarball", "y.tar.xz")


def test_a_configuration_without_end(toy_repo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(git_source, "PATIENCE", 0.5)
    os.mkfifo(toy_repo / ".git/pipe")
    with (toy_repo / ".git/config").open("a") as settings:
        settings.write("[include]\n\tpath = pipe\n")
    for source in (GitRepository(str(toy_repo), "main"), Directory(str(toy_repo))):
        with pytest.raises(InputError, match="git does not come to an end in it"):
            source.fill(tmp_path / "target", tmp_path, lambda what, done=0, total=0: None)
