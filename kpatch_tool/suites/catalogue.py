"""The suites of a workspace: kpt's own, the tree's selftests, and those the user added (.kpt/suites/NAME/).

An added suite keeps the built images, unittests.cfg and suite.json; neither its sources nor its objects.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import re
import shutil
import stat
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path

from kpatch_tool.errors import InputError, MachineError
from kpatch_tool.progress import Progress, silent
from kpatch_tool.suites import own, unittests_cfg
from kpatch_tool.suites.fetching import build_unit_tests, fetch_sources
from kpatch_tool.system import atomic, leftovers, lock
from kpatch_tool.system.sandbox import plain
from kpatch_tool.text import printable, some_of
from kpatch_tool.workspace import Workspace

SELFTESTS = "selftests"
BUILT_IN = (own.SUITE, SELFTESTS)
_FILE = "suite.json"
_IMAGES = "x86"
_CFG = "unittests.cfg"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_LOCK_SECONDS = 5.0
_LARGEST = 4 << 20  # bytes of a text of a suite; upstream's unittests.cfg has 15,000


class SuiteKind(StrEnum):
    """Images for a nested QEMU, or programs that run in the guest."""

    UNIT_TESTS = "unit tests"
    SELFTESTS = "selftests"


@dataclass(frozen=True, slots=True)
class Suite:
    """A suite that can be run. `directory` holds unittests.cfg and the images (None for selftests: they come from the
    state); `version` changes whenever what it runs changes; `source` says where it came from; `arch` is the one its
    images were built for; `monitor` runs them in QEMU's place (model.Test)."""

    name: str
    kind: SuiteKind
    directory: Path | None
    version: str
    source: str
    arch: str = unittests_cfg.ARCH
    monitor: Path | None = None


@dataclass(frozen=True, slots=True)
class _Row:
    """suite.json. `images` is a path, absolute for a suite added with --dir."""

    kpt: int
    name: str
    source: str
    commit: str
    images: str


def get(workspace: Workspace, name: str, progress: Progress = silent) -> Suite:
    """The suite called `name`, kpt's own built if need be.

    Raises InputError when there is none, MachineError when it cannot be built or read.
    """
    if name == own.SUITE:
        directory = own.build(workspace, progress)
        monitor = directory / own.MONITOR
        return Suite(name, SuiteKind.UNIT_TESTS, directory, directory.name, "shipped with kpt", monitor=monitor)
    if name == SELFTESTS:
        return Suite(name, SuiteKind.SELFTESTS, None, "", "tools/testing/selftests/kvm of the tree")
    row = _read(_directory(workspace, name))
    if row is None:
        names = [*BUILT_IN, *(suite.name for suite in added(workspace))]
        known = some_of(names, name, others="kpt suite list")
        raise InputError(f"no suite {printable(name)!r} here", todo=f"known: {known}; `kpt suite add` adds one")
    return _suite(_directory(workspace, name), row)


def added(workspace: Workspace) -> tuple[Suite, ...]:
    """The suites the user added that can still be read, by name."""
    root = workspace.state / "suites"
    rows = [(path, _read(path)) for path in sorted(root.glob("*")) if not path.name.startswith(".")]
    return tuple(_suite(path, row) for path, row in rows if row is not None and (path / row.images / _CFG).is_file())


def everything(workspace: Workspace) -> tuple[Suite, ...]:
    """Every suite `kpt test` knows, kpt's own first. Nothing is built for it."""
    ours = Suite(own.SUITE, SuiteKind.UNIT_TESTS, None, "", "shipped with kpt")
    return (ours, get(workspace, SELFTESTS), *added(workspace))


def add(
    workspace: Workspace,
    name: str,
    *,
    git: str | None,
    ref: str | None,
    directory: Path | None,
    progress: Progress = silent,
) -> Suite:
    """Add a suite from exactly one of a repository (at `ref`) and a directory that is built already.

    Raises InputError for none or both, and what add_git and add_directory raise.
    """
    if (git is None) == (directory is None):
        raise InputError("a suite comes from --git or from --dir", todo="give one of them")
    if directory is not None:
        if ref is not None:
            raise InputError("--ref without --git", todo="give --git URL|PATH with it")
        return add_directory(workspace, name, directory)
    assert git is not None
    return add_git(workspace, name, git, ref or "HEAD", progress)


def add_git(workspace: Workspace, name: str, source: str, ref: str, progress: Progress = silent) -> Suite:
    """Fetch kvm-unit-tests from a URL or repository, build it, and keep the images as suite `name`.

    All or nothing; a suite of that name is replaced. Raises InputError for a bad name, source or ref, or sources that
    are no kvm-unit-tests; MachineError when it does not build.
    """
    target = _directory(workspace, name)
    log = workspace.logs / "suites" / f"{name}.log"
    with _locked(workspace, name), atomic.staged_directory(target) as stage:
        work = stage / "work"
        commit = fetch_sources(work, source, ref, workspace.cache, progress)
        build_unit_tests(work, log, progress)
        _keep_images(work / "build" / _IMAGES, work / "source" / _IMAGES / _CFG, stage / _IMAGES)
        leftovers.remove(work)
        _write(stage, _Row(1, name, source, commit, _IMAGES))
    return get(workspace, name)


def add_directory(workspace: Workspace, name: str, directory: Path) -> Suite:
    """Use an already built tree of kvm-unit-tests (or its x86 directory) where it is, as suite `name`.

    Raises InputError when there is no unittests.cfg or no image.
    """
    target = _directory(workspace, name)
    place = Path(os.path.realpath(directory))
    images = next((path for path in (place / _IMAGES, place) if (path / _CFG).is_file()), None)
    if images is None:
        raise InputError(f"no {_CFG} there", where=str(place), todo="give a tree of kvm-unit-tests")
    if not any(images.glob("*.flat")):
        if any(images.glob("*.efi")):
            raise InputError("is built for UEFI", where=str(images), todo="configure it without --enable-efi")
        raise InputError("nothing is built there", where=str(images), todo="run ./configure && make in it first")
    with _locked(workspace, name), atomic.staged_directory(target) as stage:
        _write(stage, _Row(1, name, str(place), "", str(images)))
    return get(workspace, name)


def remove(workspace: Workspace, name: str) -> None:
    """Forget a suite that was added. Raises InputError when there is none of that name."""
    target = _directory(workspace, name)
    with _locked(workspace, name):
        if not atomic.remove_directory(target):
            raise InputError(f"no suite {printable(name)!r} was added here", todo="see `kpt suite list`")


def config_of(suite: Suite) -> unittests_cfg.Config:
    """The suite's unittests.cfg. Raises MachineError when it cannot be read."""
    assert suite.directory is not None
    path = suite.directory / _CFG
    try:
        return unittests_cfg.parse(_text(path))
    except OSError as error:
        raise MachineError(
            f"cannot be read: {(error.strerror or 'error').lower()}", where=str(path), todo="add the suite again"
        ) from error


def built_for(directory: Path) -> str:
    """The architecture that a tree of kvm-unit-tests was configured for (ARCH in config.mak), x86_64 if none says."""
    try:
        text = _text(directory / "config.mak")
    except OSError:
        return unittests_cfg.ARCH
    found = re.search(r"^ARCH=(\w+)$", text, re.MULTILINE)
    return found.group(1) if found is not None else unittests_cfg.ARCH


def _text(path: Path) -> str:
    """The beginning of a file; OSError where it is none: reading a pipe would wait for ever."""
    with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise OSError(errno.EINVAL, "not a plain file")
        return file.read(_LARGEST).decode("utf-8", "replace")


def _suite(directory: Path, row: _Row) -> Suite:
    images = directory / row.images  # an absolute path stays itself
    arch = built_for(images.parent)
    return Suite(row.name, SuiteKind.UNIT_TESTS, images, _version(images, row.commit), row.source, arch)


def _version(images: Path, commit: str) -> str:
    """The commit; for a directory of the user's, names, sizes and times of what is in it."""
    if commit:
        return commit
    digest = hashlib.sha256()
    for path in (images / _CFG, *sorted(images.glob("*.flat"))):
        try:
            status = path.stat()
        except OSError:
            continue
        digest.update(f"{path.name} {status.st_size} {status.st_mtime_ns}\n".encode("utf-8", "surrogateescape"))
    return digest.hexdigest()


def _keep_images(built: Path, cfg: Path, target: Path) -> None:
    if not plain(cfg.parent, cfg):
        raise InputError(f"{_CFG} is a link out of {_IMAGES}", where=str(cfg), todo="give a tree of kvm-unit-tests")
    images: Sequence[Path] = sorted(path for path in built.glob("*.flat") if plain(built.parent, path))
    if not images:
        raise MachineError("make left no image", where=str(built), todo="see the log")
    target.mkdir()
    for path in (*images, cfg):
        shutil.copyfile(path, target / path.name)


def _directory(workspace: Workspace, name: str) -> Path:
    if name in BUILT_IN:
        raise InputError("this suite is kpt's own, it stays as it is", where=name, todo="give another name")
    if not _NAME.fullmatch(name):
        todo = "choose letters, digits, dots and dashes"
        raise InputError(f"{printable(name)!r} cannot be the name of a suite", todo=todo)
    return workspace.state / "suites" / name


@contextlib.contextmanager
def _locked(workspace: Workspace, name: str) -> Iterator[None]:
    """Hold the right to change suite `name`, with what killed kpts left of others cleared."""
    with lock.held(workspace.lock(f"suite-{name}"), wait_seconds=_LOCK_SECONDS):
        atomic.sweep_directories(
            workspace.state / "suites", name, lambda other: lock.held(workspace.lock(f"suite-{other}"))
        )
        yield


def _write(stage: Path, row: _Row) -> None:
    (stage / _FILE).write_text(json.dumps(asdict(row), indent=1) + "\n", "utf-8")


def _read(directory: Path) -> _Row | None:
    try:
        row = json.loads((directory / _FILE).read_bytes())
        return _Row(1, directory.name, str(row["source"]), str(row["commit"]), str(row["images"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None
