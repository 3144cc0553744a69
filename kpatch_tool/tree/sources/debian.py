"""A tree from a Debian package of kernel source (linux-source-6.1), fetched with apt and never unpacked to disk.

`apt-get download` needs no root. Where the package is installed in the version apt would fetch, its archive under
/usr/src is taken instead.
"""

from __future__ import annotations

import contextlib
import re
import shutil
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from kpatch_tool.errors import InputError, MachineError
from kpatch_tool.progress import Progress
from kpatch_tool.system import atomic, lock, process
from kpatch_tool.text import printable
from kpatch_tool.tree.sources.tarball import import_tarball

_PACKAGE = re.compile(r"[a-z0-9][a-z0-9.+-]+")
_INSTALLED = Path("/usr/src")
_PATIENCE = 3600.0  # seconds to wait for another kpt that fetches the same package


@dataclass(frozen=True, slots=True)
class DebianPackage:
    """`source` is the package's name."""

    source: str
    kind: ClassVar[str] = "debian"
    ref: ClassVar[str] = ""

    def fill(self, git_dir: Path, cache: Path, progress: Progress) -> str:
        """See adding.Source."""
        if not _PACKAGE.fullmatch(self.source):
            raise InputError("not a package's name", where=self.source, todo="give one like linux-source-6.1")
        installed, candidate = _installed_version(self.source), _candidate(self.source)
        archive = _INSTALLED / f"{self.source}.tar.xz"
        if installed and archive.exists() and (candidate is None or candidate.version == installed):
            return self._import(git_dir, archive, installed, progress)
        if candidate is None:
            todo = "run `apt-get update` (as root), and see that the name is right"
            raise MachineError("apt knows no such package", where=self.source, todo=todo)
        package = cache / candidate.file
        with lock.held(cache / f"{candidate.file}.lock", wait_seconds=_PATIENCE):
            if not package.exists():
                _download(self.source, candidate, package, progress)
            with _room(package.with_name(f"{candidate.file}.unpacked")) as room:
                archive = _extracted(package, room, progress)
                return self._import(git_dir, archive, candidate.version, progress)

    def _import(self, git_dir: Path, archive: Path, version: str, progress: Progress) -> str:
        return import_tarball(git_dir, archive, f"Import Debian package {self.source} {version}\n", progress)


def _installed_version(package: str) -> str:
    """The installed version, "" when it is not installed or this is no Debian."""
    try:
        asked = process.run(["dpkg-query", "--show", "--showformat=${db:Status-Status} ${Version}", package])
    except MachineError:
        return ""
    status, _, version = asked.stdout.decode("utf-8", "replace").partition(" ")
    return version.strip() if asked.status == 0 and status == "installed" else ""


@dataclass(frozen=True, slots=True)
class _Candidate:
    """What apt would fetch: the file's name, the version and the size in bytes."""

    file: str
    version: str
    size: int


def _candidate(package: str) -> _Candidate | None:
    """What apt would fetch, None when it knows no such package (or there is no apt)."""
    try:
        asked = process.run(["apt-get", "download", "--print-uris", package])
    except MachineError:
        return None
    found = re.search(r"^'[^']*' (\S+_(\S+)_\S+\.deb) (\d+)", asked.stdout.decode("utf-8", "replace"), re.MULTILINE)
    if asked.status != 0 or found is None or "/" in found[1]:
        return None
    return _Candidate(found[1], found[2].replace("%3a", ":"), int(found[3]))


def _download(package: str, candidate: _Candidate, target: Path, progress: Progress) -> None:
    """Fetch into a directory of its own, where apt resumes what an earlier run began; `target` appears when whole."""
    room = target.with_name(f"{target.name}.partial")
    with atomic.machine_errors(room):
        room.mkdir(parents=True, exist_ok=True)
    # As root apt would fetch as user _apt, who may not write here; what is fetched is checked by its hash either way.
    argv = ["apt-get", "-qq", "-o", "APT::Sandbox::User=root", "download", f"{package}={candidate.version}"]
    with _watched(room, f"fetching {candidate.file}", candidate.size, progress):
        done = process.run(argv, cwd=room)
    _require_space(done, room)
    if done.status != 0 or not (room / candidate.file).exists():
        todo = "check the network, run `apt-get update` (as root), and try again"
        raise MachineError(f"apt cannot fetch it: {_reason(done.stderr)}", where=package, todo=todo)
    (room / candidate.file).replace(target)
    shutil.rmtree(room, ignore_errors=True)


@contextlib.contextmanager
def _room(path: Path) -> Iterator[Path]:
    """An empty directory while the block runs, under the package's lock; what a killed run left of it goes first."""
    with atomic.machine_errors(path):
        shutil.rmtree(path, ignore_errors=True)
        path.mkdir()
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


@contextlib.contextmanager
def _watched(room: Path, what: str, total: int, progress: Progress) -> Iterator[None]:
    """Report how many bytes lie in `room` twice a second while the block runs."""
    ended = threading.Event()

    def watch() -> None:
        while not ended.wait(0.5):
            sizes = 0
            for path in room.rglob("*"):
                with contextlib.suppress(OSError):
                    sizes += path.lstat().st_size
            progress(what, min(sizes, total), total)

    progress(what, 0, total)
    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield
    finally:
        ended.set()
        watcher.join()


def _extracted(package: Path, room: Path, progress: Progress) -> Path:
    """The kernel's archive out of the package file `package`, unpacked into `room`."""
    progress(f"opening {package.name}")
    done = process.run(["dpkg-deb", "--extract", package, room])
    archives = sorted((room / "usr/src").glob("*.tar.*"))
    _require_space(done, room)
    if done.status != 0:
        package.unlink(missing_ok=True)
        raise MachineError(f"damaged package: {_reason(done.stderr)}", where=str(package), todo="try again")
    if not archives:
        raise InputError("no kernel source in this package", where=package.name, todo="give one like linux-source-6.1")
    return max(archives, key=lambda path: path.stat().st_size)


def _require_space(done: process.Finished, room: Path) -> None:
    if done.status != 0 and process.disk_full(done.stderr.decode("utf-8", "replace")):
        raise MachineError("no space left on the disk", where=str(room), todo="free some space and try again")


def _reason(said: bytes) -> str:
    lines = [line for line in said.decode("utf-8", "replace").splitlines() if line.startswith(("E:", "Err", "dpkg"))]
    return printable(re.sub(r"^(E: |dpkg-deb: error: )", "", lines[-1])) if lines else "no reason given"
