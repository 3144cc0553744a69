"""What must hold after a fault: each check gives sentences about what was lost, none when all is well."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

from kpatch_tool.results.store import Store
from kpatch_tool.series.directory import store as series_store
from kpatch_tool.series.directory.store import Unreadable
from kpatch_tool.tree.refs import settle
from kpatch_tool.workspace import Workspace
from tests.stress.world import Done, Step, World

# What two runs of one command may say differently.
_VARIES = frozenset({"seconds", "cached", "started", "log", "output", "outputs", "why", "notes"})
_DEBRIS = ("**/.kpt-staging-*", "kernel-trees/*.git/**/*.lock", ".kpt/worktrees/*/*.lock", "**/fast_import_crash_*")
_LASTING = ("kpt-refs.lock",)


def everything(root: Path) -> str:
    """A digest of names, kinds, modes and bytes of all below `root`, a git directory included."""
    digest = hashlib.sha256()
    for path in sorted(root.rglob("*")):
        digest.update(f"{path.relative_to(root)}\0{path.lstat().st_mode:o}\0".encode("utf-8", "surrogateescape"))
        if path.is_symlink():
            digest.update(os.fsencode(path.readlink()))
        elif path.is_file():
            digest.update(path.read_bytes())
    return digest.hexdigest()


def parts(workspace: Path) -> dict[str, str]:
    """What a workspace holds for its user, as independent parts (each series, each tree): name -> digest."""
    found = {f"series {path.name}": everything(path) for path in _shown(workspace / "series")}
    for git_dir in _shown(workspace / "kernel-trees"):
        if git_dir.is_dir():
            record = (git_dir / "kpt-tree.toml").read_text()
            found[f"tree {git_dir.name}"] = hashlib.sha256(
                (record + _git(git_dir, "for-each-ref")).encode()
            ).hexdigest()
    for path in _shown(workspace / ".kpt" / "artifacts"):
        files = (file for file in path.rglob("*") if file.name not in ("log", "diagnostics.json"))
        found[f"artifact {path.name}"] = repr(
            [(file.name, file.is_file() and file.read_bytes()) for file in sorted(files)]
        )
    return found


def whole(world: World, before: Path, after: Path) -> Iterator[str]:
    """Right after the fault: every part is there as before the command or as after it; repositories are sound."""
    for git_dir in _shown(world.workspace / "kernel-trees"):
        if git_dir.is_dir():
            settle(git_dir)
    old, new, now = parts(before), parts(after), parts(world.workspace)
    for name in sorted({*old, *new, *now}):
        if now.get(name) not in (old.get(name), new.get(name)):
            yield f"{name} is neither as before nor as after"
    yield from sound(world.workspace)


def sound(root: Path) -> Iterator[str]:
    """Repositories pass git's check, series can be read, the store opens, the memory is no garbage."""
    workspace = Workspace(root)
    for git_dir in _shown(workspace.trees):
        if git_dir.is_dir():
            done = subprocess.run(["git", f"--git-dir={git_dir}", "fsck", "--strict"], capture_output=True, check=False)
            if done.returncode:
                yield f"git fsck of {git_dir.name}: {done.stderr.decode(errors='replace')[-300:]}"
    for one in series_store.load_all(workspace):
        if isinstance(one, Unreadable):
            yield f"series {one.name} cannot be read: {one.why}"
    notes: list[str] = []
    if (workspace.state / "store.sqlite").exists():
        with Store(workspace, note=lambda what, done=0, total=0: notes.append(what)) as kept:
            kept.last_series()
        yield from notes
    if (workspace.state / "state.json").exists():
        json.loads((workspace.state / "state.json").read_bytes())


def same(world: World, step: Step, done: Done, after: Path) -> Iterator[str]:
    """After the undisturbed run that follows: the answer and what is there are those of a run without faults."""
    wanted = world.answers[step.name]
    again = step.once  # it was done already perhaps, and is refused or goes further now
    if done.status != wanted.status and not (again and done.status in (0, 2)):
        yield f"the next run ends with {done.status}, not {wanted.status}: {_text(done.err)[-300:]}"
    elif "--json" in step.words and not again and _answer(done.out) != _answer(wanted.out):
        yield f"the next run says something else: {_difference(_answer(wanted.out), _answer(done.out))}"
    new, now = parts(after), parts(world.workspace)
    for name in sorted({*new, *now}):
        if new.get(name) != now.get(name) and not again:
            yield f"after the next run {name} is not as it is without faults"
    yield from sound(world.workspace)
    yield from (f"left behind: {path.relative_to(world.workspace)}" for path in debris(world.workspace))


def debris(root: Path) -> list[Path]:
    """Staging files and git's locks that nobody will clear."""
    return [path for pattern in _DEBRIS for path in root.glob(pattern) if path.name not in _LASTING]


def civil(done: Done) -> Iterator[str]:
    """An error is one line and says what to do; never a traceback."""
    said = _text(done.err)
    if "Traceback" in said:
        yield f"a traceback: {said[-400:]}"
    elif done.status not in (0, 1, 2, 3):
        yield f"ended with {done.status}: {said[-200:]}"
    elif done.status in (2, 3) and not said.strip() and not done.out.strip():
        yield f"ended with {done.status} and said nothing"


def _answer(out: bytes) -> object:
    try:
        return _stripped(json.loads(out))
    except ValueError:
        return f"no JSON: {out[:200]!r}"


def _stripped(value: object) -> object:
    if isinstance(value, Mapping):
        return {key: _stripped(one) for key, one in value.items() if key not in _VARIES}
    return [_stripped(one) for one in value] if isinstance(value, list) else value


def _difference(wanted: object, got: object) -> str:
    a, b = (json.dumps(one, indent=1, sort_keys=True).splitlines() for one in (wanted, got))
    return "; ".join([line.strip() for line in b if line not in a][:5]) or "less than before"


def _shown(directory: Path) -> list[Path]:
    return sorted(path for path in directory.iterdir() if not path.name.startswith(".")) if directory.is_dir() else []


def _git(git_dir: Path, *words: str) -> str:
    done = subprocess.run(["git", f"--git-dir={git_dir}", *words], capture_output=True, check=False)
    return _text(done.stdout)


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace")
