"""kpt's own checkout of a tree, moved between states by rewriting only the files that differ.

The work is git's (`git read-tree --reset -u`): with an index of its own it knows what every file should be, looks at
all of them (0.2 s for 78,000), rewrites those that differ from the wanted state or were tampered with, removes deleted
ones, keeps modes and symbolic links, never writes through a link, and leaves the times of all others alone, which is
what make goes by. Nothing is written into the tree's repository: the index lies beside the checkout.

A move that was killed leaves a note, `.moving`; the next move then starts by removing what no state has.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from kpatch_tool.errors import MachineError
from kpatch_tool.progress import Progress, silent
from kpatch_tool.system import atomic, leftovers, lock, process
from kpatch_tool.tree.model import State, Tree
from kpatch_tool.workspace import Workspace

_HOLDS = "kpt-holds"
_INDEX = b"DIRC"  # how git's index begins (gitformat-index(5))
_MOVING = "kpt-moving"
_LITTERED = "kpt-littered"
# Files are checked out as the bytes of their blobs, whatever the tree's own .gitattributes or the user's git say.
PLAIN_FILES = "* -text -ident -filter -working-tree-encoding\n"


def worktree_of(workspace: Workspace, tree: Tree) -> Worktree:
    """The checkout of `tree` in a workspace (.kpt/worktrees/NAME); nothing is made yet."""
    return Worktree(tree, workspace.state / "worktrees" / tree.name)


def build_lock(workspace: Workspace, tree: Tree) -> Path:
    """The lock file (system.lock) of who builds in the checkout of `tree`, or moves it."""
    return workspace.lock(f"build-{tree.name}")


class Worktree:
    """The checkout of `tree` in the directory `path`.

    Who moves it holds its `build_lock`, and keeps it while files must stay as they are (kbuild.build does); `move_to`
    itself takes only a lock for the time of the move.
    """

    def __init__(self, tree: Tree, path: Path) -> None:
        self.tree = tree
        self.path = path
        self._git_dir = path.parent / f"{path.name}.git"

    @property
    def holds(self) -> str | None:
        """The tree id of the state the files are in; None before the first and after an interrupted move."""
        if (self._git_dir / _MOVING).exists() or not self.path.is_dir():
            return None
        try:
            return (self._git_dir / _HOLDS).read_text("ascii").strip() or None
        except FileNotFoundError:
            return None

    def move_to(self, state: State, progress: Progress = silent, *, litters: bool = False) -> Path:
        """Bring the files to `state` and return the directory. `litters`: a program that is not kpt's is to run in it.
        What such a one leaves there is there for the next of them (as with git bisect run), and for nobody else.

        The first time this checks out everything. Raises MachineError when git cannot (disk full, repository damaged)
        or another kpt is moving this checkout.
        """
        with lock.held(self._git_dir.parent / f"{self.path.name}.lock", wait_seconds=60.0):
            if self._is_new():
                progress(f"checking out {self.tree.name}")
                self._make()
            elif self._was_interrupted() or (self._is_littered() and not litters):
                self._git("clean", "-fdxq")
                (self._git_dir / _LITTERED).unlink(missing_ok=True)
            if litters:
                with atomic.machine_errors(self._git_dir):
                    (self._git_dir / _LITTERED).touch()
            self._move(state.tree_id)
        return self.path

    def _is_new(self) -> bool:
        return not (self.path.is_dir() and self._has_index())

    def _has_index(self) -> bool:
        """Whether there is an index; git does not wait until it is on the disk, and the power may have failed."""
        try:
            with (self._git_dir / "index").open("rb") as index:
                return index.read(len(_INDEX)) == _INDEX
        except FileNotFoundError:
            return False

    def _was_interrupted(self) -> bool:
        """Whether a move was killed. The lock of the move is ours, so a lock of git's is nobody's."""
        (self._git_dir / "index.lock").unlink(missing_ok=True)
        return (self._git_dir / _MOVING).exists()

    def _is_littered(self) -> bool:
        return (self._git_dir / _LITTERED).exists()

    def _make(self) -> None:
        for leftover in (self.path, self._git_dir):
            leftovers.remove(leftover)
        with atomic.machine_errors(self.path):
            self.path.mkdir(parents=True)
        hash_name = "sha256" if len(self.tree.base) == 64 else "sha1"
        self._run(
            ["git", "init", "-q", "--bare", f"--object-format={hash_name}", "--template=", str(self._git_dir)],
            _environment({}),
        )
        atomic.write_text(self._git_dir / "info" / "attributes", PLAIN_FILES)

    def _move(self, tree_id: str) -> None:
        moving = self._git_dir / _MOVING
        with atomic.machine_errors(moving):
            moving.touch()
        self._git("read-tree", "--reset", "-u", tree_id)
        atomic.write_text(self._git_dir / _HOLDS, f"{tree_id}\n")
        moving.unlink()

    def _git(self, *words: str) -> None:
        environment = _environment(
            {
                "GIT_DIR": str(self._git_dir),
                "GIT_WORK_TREE": str(self.path),
                "GIT_OBJECT_DIRECTORY": str(self.tree.git_dir / "objects"),
            }
        )
        self._run(["git", "-c", "core.bare=false", "-c", "checkout.workers=0", *words], environment)

    def _run(self, argv: list[str], environment: Mapping[str, str]) -> None:
        done = process.run(argv, env=environment)
        if done.status != 0:
            full = process.disk_full(done.stderr.decode("utf-8", "replace"))
            # git does not say so of its index, which it writes last.
            room = not full and not atomic.is_full(self.path.parent)
            todo = f"remove {self.path}" if room else "free some space"
            raise MachineError(
                f"cannot check out {self.tree.name}: {full or done.last_line()}",
                where=str(self.path),
                todo=f"{todo} and run the command again",
            )


def _environment(extra: Mapping[str, str]) -> dict[str, str]:
    """The environment without the caller's GIT_ variables and git's configuration of user and system."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    return {**kept, "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": os.devnull, "LC_ALL": "C", **extra}
