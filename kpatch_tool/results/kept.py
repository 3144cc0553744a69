"""What the store holds, as a list to look through: builds, results of tests, records of runs, saved guests."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path

from kpatch_tool.errors import InputError
from kpatch_tool.series.directory.store import name_of
from kpatch_tool.storage.database import FILE_NAME, Database, Row
from kpatch_tool.system import leftovers
from kpatch_tool.tree.applied import all_applied
from kpatch_tool.tree.catalogue import Catalogue
from kpatch_tool.vm import saved
from kpatch_tool.workspace import Workspace

_LEAST_ID = 4
_LOG = "log"


class Kind(StrEnum):
    """What is kept."""

    BUILD = "build"
    TESTS = "tests"
    RUN = "run"
    GUEST = "guest"


class Status(StrEnum):
    """What came of it; nothing for a saved guest."""

    OK = "ok"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Named:
    """A state by the names people know: a series and the number of its last patch (0: the base)."""

    series: str
    patch: int


@dataclass(frozen=True, slots=True)
class Kept:
    """One thing in the store.

    `key` is what it depends on, hashed (a run: its number). `status` is "ok", "failed" or empty. `git_trees` are the
    states it speaks for, `states` the same by name, as far as the series applied here have them; several where a patch
    changed nothing, or where two revisions of a series share a tree. `config` is the sha256 of the resolved
    configuration, `toolchain` a digest of tools and flags. `kept_at` and `used_at` are ISO 8601, UTC. `size` is in
    bytes, contents that others share included. `directory` holds its files, None where it has none; `files` are those
    a reader may want, by what they are. `why` is a sentence.
    """

    kind: Kind
    key: str
    status: str
    kept_at: str
    used_at: str
    size: int
    why: str
    tree: str = ""
    git_trees: tuple[str, ...] = ()
    states: tuple[Named, ...] = ()
    arch: str = ""
    config: str = ""
    toolchain: str = ""
    suite: str = ""
    suite_version: str = ""
    accelerator: str = ""
    directory: Path | None = None
    files: Mapping[str, Path] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """Enough of the key to name it by."""
        return self.key[:12]


@dataclass(frozen=True, slots=True)
class Filter:
    """Which of it to show; None and empty: all. `tree` is the name of a kernel tree or the beginning of a git tree
    id, `series` the name of a series or its directory, `patch` the number of a state of any series."""

    kind: Kind | None = None
    tree: str | None = None
    series: str | None = None
    patch: int | None = None
    suite: str | None = None
    status: Status | None = None

    def holds(self, one: Kept) -> bool:
        """Whether `one` is to be shown."""
        wanted = (
            (self.kind, {one.kind}),
            (self._name, {state.series for state in one.states}),
            (self.suite, {one.suite}),
            (self.status, {one.status}),
        )
        if any(value is not None and value not in there for value, there in wanted):
            return False
        if self.patch is not None and not any(self._is_patch(state) for state in one.states):
            return False
        return self.tree is None or self._is_tree(one, self.tree)

    @property
    def _name(self) -> str | None:
        return None if self.series is None else name_of(self.series)

    def _is_patch(self, state: Named) -> bool:
        return state.patch == self.patch and self._name in (None, state.series)

    @staticmethod
    def _is_tree(one: Kept, tree: str) -> bool:
        long_enough = len(tree) >= _LEAST_ID
        return one.tree == tree or (long_enough and any(oid.startswith(tree) for oid in one.git_trees))


def kept(workspace: Workspace, wanted: Filter = Filter()) -> tuple[Kept, ...]:
    """All that is kept and that `wanted` lets through, used last first. Raises MachineError when the store cannot be
    read."""
    names = _names(workspace)
    with Database(workspace) as database:
        verdicts = [*_builds(workspace, database, names), *_tests(workspace, database, names)]
        found = [*verdicts, *_runs(database), *_guests(workspace)]
    return tuple(sorted(filter(wanted.holds, found), key=lambda one: one.used_at, reverse=True))


def find(workspace: Workspace, prefix: str) -> Kept:
    """The one whose key begins with `prefix`. Raises InputError when there is none, or several."""
    found = [one for one in kept(workspace) if one.key.startswith(prefix)]
    exact = [one for one in found if one.key == prefix]
    if len(exact or found) == 1:
        return (exact or found)[0]
    if not found:
        raise InputError(f"nothing is kept as {prefix!r}", todo="see `kpt results`")
    raise InputError(f"{prefix!r} may be {', '.join(one.id for one in found[:5])}", todo="give more of it")


def disk_use(paths: Iterable[Path]) -> int:
    """The bytes of all files below `paths`, one with several names counted once."""
    seen: dict[tuple[int, int], int] = {}
    for path in paths:
        for status in stats(path):
            seen[status.st_dev, status.st_ino] = status.st_size
    return sum(seen.values())


def places(workspace: Workspace) -> tuple[Path, ...]:
    """Where the store and its files lie."""
    state = workspace.state
    database = (state / FILE_NAME, state / f"{FILE_NAME}-wal")
    return (state / "objects", state / "artifacts", workspace.logs / "test", saved.place(workspace.cache), *database)


def stats(path: Path) -> Iterator[os.stat_result]:
    """What the file system says of the file `path`, or of all files below that directory."""
    if path.is_file():
        yield path.stat()
    for directory, names in leftovers.walk(path):
        for name in names:
            with contextlib.suppress(FileNotFoundError):
                yield (directory / name).lstat()


def _names(workspace: Workspace) -> dict[str, tuple[Named, ...]]:
    """Git tree id -> the states of it among the series that are applied here."""
    found: dict[str, list[Named]] = {}
    for tree in Catalogue(workspace).here():
        for applied in all_applied(tree):
            for state in applied.states:
                found.setdefault(state.tree_id, []).append(Named(applied.series, state.patch))
    return {oid: tuple(states) for oid, states in found.items()}


def _builds(workspace: Workspace, database: Database, names: Mapping[str, tuple[Named, ...]]) -> Iterator[Kept]:
    rows = database.execute(
        "SELECT key, tree, git_tree, arch, config, toolchain, status, kept_at, used_at, value FROM builds"
    )
    for key, tree, git_tree, arch, config, toolchain, status, kept_at, used_at, value in rows:
        directory = workspace.state / "artifacts" / key
        yield Kept(
            kind=Kind.BUILD,
            key=key,
            status=status,
            kept_at=kept_at,
            used_at=used_at,
            size=disk_use([directory]),
            why=_why(value),
            tree=tree,
            git_trees=(git_tree,),
            states=names.get(git_tree, ()),
            arch=arch,
            config=config,
            toolchain=toolchain,
            directory=directory,
            files={name: directory / name for name in (_LOG, "config") if (directory / name).is_file()},
        )


def _tests(workspace: Workspace, database: Database, names: Mapping[str, tuple[Named, ...]]) -> Iterator[Kept]:
    spoken_for: dict[str, list[Row]] = {}
    links = "SELECT tested.key, builds.* FROM tested JOIN builds ON builds.key = tested.build ORDER BY builds.kept_at"
    for key, _, tree, git_tree, arch, config, toolchain, *_rest in database.execute(links):
        spoken_for.setdefault(key, []).append((tree, git_tree, arch, config, toolchain))
    rows = database.execute("SELECT key, suite, suite_version, accelerator, status, kept_at, used_at, value FROM tests")
    for key, suite, version, accelerator, status, kept_at, used_at, value in rows:
        builds = spoken_for.get(key, [])
        tree, _, arch, config, toolchain = builds[0] if builds else ("",) * 5
        outputs = {test: workspace.absolute(path) for test, path in _outputs(value).items()}
        directory = next(iter(outputs.values())).parent if outputs else None
        yield Kept(
            kind=Kind.TESTS,
            key=key,
            status=status,
            kept_at=kept_at,
            used_at=used_at or kept_at,
            size=len(value) + (disk_use([directory]) if directory is not None else 0),
            why=_why(value),
            tree=tree,
            git_trees=tuple(build[1] for build in builds),
            states=tuple(named for build in builds for named in names.get(build[1], ())),
            arch=arch,
            config=config,
            toolchain=toolchain,
            suite=suite,
            suite_version=version,
            accelerator=accelerator,
            directory=directory,
            files={test: path for test, path in outputs.items() if path.is_file()},
        )


def _runs(database: Database) -> Iterator[Kept]:
    # A record has megabytes, of which a line is told.
    readable = "SELECT *, CASE WHEN json_valid(value) THEN value ELSE '{}' END AS record FROM runs"
    rows = database.execute(
        "SELECT id, series, started, length(value), json_array_length(record, '$.patches'), record ->> 'sentence',"
        f" record ->> 'tree', record ->> 'accelerator' FROM ({readable})"
    )
    for number, series, started, size, patches, sentence, tree, accelerator in rows:
        yield Kept(
            kind=Kind.RUN,
            key=str(number),
            status="",
            kept_at=started,
            used_at=started,
            size=size,
            why=str(sentence or ""),
            tree=str(tree or ""),
            states=(Named(series, patches or 0),),
            accelerator=str(accelerator or ""),
        )


def _guests(workspace: Workspace) -> Iterator[Kept]:
    for machine in saved.saved_machines(workspace.cache):
        try:
            status = machine.path.stat()
        except FileNotFoundError:
            continue
        used = datetime.fromtimestamp(status.st_mtime, UTC).isoformat(timespec="seconds")
        yield Kept(
            kind=Kind.GUEST,
            key=machine.path.name,
            status="",
            kept_at=used,
            used_at=used,
            size=status.st_size,
            why="a guest that has booted, to go on from instead of booting",
            files={"machine": machine.path},
        )


def _decoded(value: str) -> dict[str, object]:
    try:
        found = json.loads(value)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _why(value: str) -> str:
    return str(_decoded(value).get("why", ""))


def _outputs(value: str) -> dict[str, Path]:
    found = _decoded(value).get("outputs", {})
    return {str(test): Path(str(path)) for test, path in found.items()} if isinstance(found, dict) else {}
