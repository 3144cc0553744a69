"""What builds left, kept by what went in: an equal question is answered without make.

A build counts where there is both its row and its directory; one alone is what a killed kpt or a tidy user left.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from kpatch_tool.kbuild.model import BuildStatus, Diagnostic, Module, StateBuild
from kpatch_tool.storage.contents import Contents, digest_of
from kpatch_tool.storage.database import Database, now
from kpatch_tool.system import atomic, lock
from kpatch_tool.tree.model import State
from kpatch_tool.workspace import Workspace

# Raised when the meaning of an artifact changes, so that old ones are not used any more.
FORMAT = 3

_HERE = Path(__file__).parent
_LOG = "log"
_CONFIG = "config"


def key(parts: Iterable[object]) -> str:
    """The name of the artifact for everything that decides what a build gives, as 64 hex digits."""
    return hashlib.sha256(json.dumps([FORMAT, *parts], sort_keys=True).encode()).hexdigest()


@cache
def rules() -> str:
    """A digest of kpt's own part in a build: whatever of it changes may be what a state needed that did not build."""
    digest = hashlib.sha256()
    for path in sorted(_HERE.rglob("*")):
        if path.is_file() and path.suffix != ".pyc":
            digest.update(path.relative_to(_HERE).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def image_path(directory: Path, image: str) -> Path:
    """Where the kernel image lies in an artifact's directory; `image` as in its Arch."""
    return directory / Path(image).name


@dataclass(frozen=True, slots=True)
class Origin:
    """What a build is of, in words that `kpt results` can search: the tree's name, the architecture, and a digest of
    the tools and flags."""

    tree: str
    arch: str
    toolchain: str


class Artifacts:
    """The builds of a workspace: verdicts in the store's table `builds`, and one directory a build with its files,
    each a link to the one copy of its content."""

    def __init__(self, workspace: Workspace) -> None:
        self._root = workspace.state / "artifacts"
        self._workspace = workspace
        self._contents = Contents.of(workspace)

    def directory(self, name: str) -> Path:
        return self._root / name

    def load(self, name: str, state: State) -> StateBuild | None:
        """The build kept as `name`, told as the build of `state`; None when there is none, it is not whole, or a kpt
        with other rules failed at it.

        What is returned stays on disk as long as this process runs.
        """
        directory = self.directory(name)
        if not lock.pin(directory):
            return None
        with Database(self._workspace) as database:
            rows = database.execute("SELECT value, config FROM builds WHERE key = ?", (name,))
            if not rows:
                return None
            value, config = rows[0]
            try:
                data = json.loads(value)
                build = _build(data, directory, state)
            except (ValueError, KeyError, TypeError):
                return None
            if build.status is BuildStatus.FAILED and data.get("rules") != rules():
                return None
            sums = {directory / module.path: module.sha256 for module in build.modules}
            sums |= {} if build.image is None else {image_path(directory, build.image.path): build.image.sha256}
            sums |= {directory / _CONFIG: config} if config else {}
            if not build.log.is_file() or not all(_is_whole(file, digest) for file, digest in sums.items()):
                return None
            database.touch("builds", name)
        return build

    def store(
        self, name: str, build: StateBuild, state: State, origin: Origin, files: Mapping[str, Path]
    ) -> StateBuild:
        """Keep `build` with `files` (name in the artifact -> where it is now) and its log; return it as kept."""
        directory = self.directory(name)
        with atomic.staged_directory(directory) as stage:
            sums = {inside: self._kept(where, stage / inside) for inside, where in files.items()}
            self._kept(build.log, stage / _LOG)
        lock.pin(directory)
        kept = replace(build, log=directory / _LOG, artifacts=directory if build.status is BuildStatus.OK else None)
        moment = now()
        row = (name, origin.tree, state.tree_id, origin.arch, sums.get(_CONFIG, ""), origin.toolchain,
               str(build.status), moment, moment, json.dumps(_document(build), separators=(",", ":")))  # fmt: skip
        with Database(self._workspace) as database:
            database.execute("INSERT OR REPLACE INTO builds VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", row)
        return kept

    def _kept(self, origin: Path, target: Path) -> str:
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(origin, target)
        return self._contents.share(target)


# The sums of contents that this process has read, by device, inode, size and time of the last change: many builds have
# names of one.
_sums: dict[tuple[int, int, int, int], str] = {}


def _is_whole(file: Path, digest: str) -> bool:
    """Whether `file` is there as it was built. Where the power failed, the row may be on the disk and what it speaks of
    not, or as many zeros."""
    if not file.is_file():
        return False
    status = file.stat()
    content = (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)
    if content not in _sums:
        _sums[content] = digest_of(file)
    return _sums[content] == digest


def module(path: str, file: Path) -> Module:
    """The Module at `file`, called `path`."""
    data = file.read_bytes()
    return Module(path, hashlib.sha256(data).hexdigest(), len(data))


def _document(build: StateBuild) -> dict[str, object]:
    return {
        "rules": rules(),
        "status": str(build.status),
        "seconds": round(build.seconds, 3),
        "why": build.why,
        "image": None if build.image is None else asdict(build.image),
        "modules": [asdict(one) for one in build.modules],
        "errors": [asdict(one) for one in build.errors],
        "warnings": [asdict(one) for one in build.warnings],
    }


def _build(data: Mapping[str, Any], directory: Path, state: State) -> StateBuild:
    status = BuildStatus(data["status"])
    return StateBuild(
        patch=state.patch,
        commit=state.commit,
        status=status,
        seconds=0.0,
        cached=True,
        modules=tuple(Module(**one) for one in data["modules"]),
        errors=tuple(Diagnostic(**one) for one in data["errors"]),
        warnings=tuple(Diagnostic(**one) for one in data["warnings"]),
        artifacts=directory if status is BuildStatus.OK else None,
        log=directory / _LOG,
        why=data["why"],
        image=None if data["image"] is None else Module(**data["image"]),
    )
