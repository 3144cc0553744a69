"""What builds left, kept by what went in: an equal question is answered without make."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from kpatch_tool import atomic
from kpatch_tool.kbuild.model import BuildStatus, Diagnostic, Module, StateBuild
from kpatch_tool.tree.model import State

# Raised when the meaning of an artifact changes, so that old ones are not used any more.
FORMAT = 1

_RESULT = "diagnostics.json"
_LOG = "log"
_CONFIG = "config"


def key(parts: Iterable[object]) -> str:
    """The name of the artifact for everything that decides what a build gives, as 64 hex digits."""
    return hashlib.sha256(json.dumps([FORMAT, *parts], sort_keys=True).encode()).hexdigest()


def image_path(directory: Path, image: str) -> Path:
    """Where the kernel image lies in an artifact's directory; `image` as in its Arch."""
    return directory / Path(image).name


class Artifacts:
    """The directory that holds one subdirectory an artifact."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def directory(self, name: str) -> Path:
        return self._root / name

    def load(self, name: str, state: State) -> StateBuild | None:
        """The build kept as `name`, told as the build of `state`; None when there is none or it is not whole."""
        directory = self.directory(name)
        try:
            data = json.loads((directory / _RESULT).read_bytes())
            build = _build(data, directory, state)
        except (FileNotFoundError, NotADirectoryError, ValueError, KeyError, TypeError):
            return None
        whole = all((directory / module.path).is_file() for module in build.modules)
        return build if whole and build.log.is_file() else None

    def store(self, name: str, build: StateBuild, files: Mapping[str, Path]) -> StateBuild:
        """Keep `build` with `files` (name in the artifact -> where it is now) and its log; return it as kept."""
        directory = self.directory(name)
        with atomic.staged_directory(directory) as stage:
            for inside, origin in files.items():
                (stage / inside).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(origin, stage / inside)
            shutil.copyfile(build.log, stage / _LOG)
            (stage / _RESULT).write_text(json.dumps(_document(build), indent=1) + "\n", "utf-8")
        return replace(
            build,
            log=directory / _LOG,
            artifacts=directory if build.status is BuildStatus.OK else None,
        )


def module(path: str, file: Path) -> Module:
    """The Module at `file`, called `path`."""
    data = file.read_bytes()
    return Module(path, hashlib.sha256(data).hexdigest(), len(data))


def _document(build: StateBuild) -> dict[str, object]:
    return {
        "status": str(build.status),
        "seconds": round(build.seconds, 3),
        "why": build.why,
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
    )
