"""The workspace: the directory that holds kpt.toml, and where everything in it lies."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

from kpatch_tool.errors import InputError
from kpatch_tool.system import atomic, lock

MARKER = "kpt.toml"
_STATE = ".kpt"
_PATIENCE = 10.0  # seconds that another kpt may take to write the few lines of state.json
_MARKER_TEXT = "# This file marks a kpt workspace.\nkpt = 1\n"
_IGNORE_TEXT = "/.kpt/\n/kernel-trees/*\n!/kernel-trees/trees.toml\n"
_TREES_TEXT = "# Kernel trees this workspace knows; `kpt tree add NAME` fetches one of them.\n"


@dataclass(frozen=True, slots=True)
class Workspace:
    """Paths below one workspace root. Making a Workspace touches nothing on disk."""

    root: Path

    @property
    def series(self) -> Path:
        """Directory with one subdirectory a series."""
        return self.root / "series"

    @property
    def trees(self) -> Path:
        """Directory with trees.toml and one bare repository NAME.git a tree."""
        return self.root / "kernel-trees"

    @property
    def state(self) -> Path:
        """Directory of everything kpt computes: store, logs, caches, locks."""
        return self.root / _STATE

    @property
    def logs(self) -> Path:
        return self.state / "logs"

    @property
    def cache(self) -> Path:
        return self.state / "cache"

    def lock(self, name: str) -> Path:
        """The lock file for `name` (for kpatch_tool.system.lock.held)."""
        return self.state / "locks" / f"{name}.lock"

    def relative(self, path: Path) -> Path:
        """`path` as the store names it: from the root on, where it lies below; workspaces are moved and copied."""
        return path.relative_to(self.root) if path.is_relative_to(self.root) else path

    def absolute(self, path: Path) -> Path:
        """Where a path of the store is now. Older stores have absolute ones, maybe of a place the workspace has left
        since: then the same file of this workspace is meant, if it is there."""
        _, state, inside = str(path).rpartition(f"/{_STATE}/")
        here = self.state / inside
        return here if state and path.is_absolute() and here.exists() else self.root / path

    def remembered(self, key: str) -> str | None:
        """A value kept by `remember` ("series": the one applied last; "tree": the one in use), or None."""
        value = self._memory().get(key)
        return value if isinstance(value, str) else None

    def remember(self, key: str, value: str | None) -> None:
        """Keep `value` for `key` over runs; None forgets it."""
        with lock.held(self.lock("state"), wait_seconds=_PATIENCE):
            atomic.sweep(self.state)
            memory = {k: v for k, v in self._memory().items() if k != key}
            if value is not None:
                memory[key] = value
            atomic.write_text(self.state / "state.json", json.dumps(memory, indent=1, sort_keys=True) + "\n")

    def _memory(self) -> dict[str, object]:
        try:
            loaded = json.loads((self.state / "state.json").read_bytes())
        except (FileNotFoundError, NotADirectoryError, ValueError):
            return {}
        return loaded if isinstance(loaded, dict) else {}


def find(start: Path) -> Workspace:
    """The workspace around `start`: the nearest directory upward with kpt.toml.

    Raises InputError when there is none.
    """
    found = around(start)
    if found is None:
        raise InputError("not in a kpt workspace", where=str(start.resolve()), todo="run `kpt init` where you want one")
    return found


def around(start: Path) -> Workspace | None:
    """As `find`, for what can do without a workspace."""
    here = start.resolve()
    for directory in (here, *here.parents):
        if (directory / MARKER).is_file():
            return Workspace(directory)
    return None


def create(root: Path) -> Workspace:
    """Make `root` a workspace (what is there already is kept) and return it.

    Raises InputError where no directory of that name can be, MachineError where nothing may be written.
    """
    workspace = Workspace(Path(os.path.realpath(root)))  # links that go round are told below
    try:
        for path, text in (
            (root / ".gitignore", _IGNORE_TEXT),
            (workspace.trees / "trees.toml", _TREES_TEXT),
            (root / MARKER, _MARKER_TEXT),
        ):
            if not path.exists():
                atomic.write_text(path, text)
        with atomic.machine_errors(workspace.series):
            workspace.series.mkdir(exist_ok=True)
    except OSError as error:
        reason, todo = (error.strerror or "input/output error").lower(), "name a directory, or one to be made"
        raise InputError(f"cannot be a workspace: {reason}", where=error.filename or str(root), todo=todo) from error
    return workspace
