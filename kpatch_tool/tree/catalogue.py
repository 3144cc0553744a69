"""The kernel trees of a workspace: what trees.toml describes, and what is here as kernel-trees/NAME.git.

trees.toml belongs to people: kpt reads it and never writes it. What kpt made of a description (or of the options of
`kpt tree add`) is recorded inside the repository, in kpt-tree.toml, so a tree and its record cannot part.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

from kpatch_tool.errors import InputError
from kpatch_tool.series.model import Series
from kpatch_tool.text import printable, some_of
from kpatch_tool.tree.model import Tree
from kpatch_tool.tree.paths import check_name
from kpatch_tool.workspace import Workspace

RECORD = "kpt-tree.toml"
IN_USE = "tree"  # the workspace's memory of `kpt tree use`
KINDS = ("debian", "git", "dir", "tarball")


@dataclass(frozen=True, slots=True)
class Description:
    """A tree as trees.toml describes it. `kind` is one of KINDS (or "" for a table that only adds make variables or
    configuration), `source` its value, `ref` the revision of a git source."""

    name: str
    kind: str = ""
    source: str = ""
    ref: str = ""
    make: Mapping[str, str] = field(default_factory=dict)
    config: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Record:
    """Where a tree that is here came from: kind ("skeleton" too), source and ref as given, the commit of its base,
    the Makefile's version as numbers."""

    kind: str
    source: str
    ref: str
    commit: str
    version: tuple[int, ...]

    def to_toml(self) -> str:
        """The record as the text of kpt-tree.toml (JSON's strings are TOML's)."""
        rows = {
            "kind": json.dumps(self.kind),
            "source": json.dumps(self.source),
            "ref": json.dumps(self.ref),
            "commit": json.dumps(self.commit),
            "version": json.dumps(".".join(map(str, self.version))),
        }
        return "# Written by kpt when it made this repository.\n" + "".join(f"{k} = {v}\n" for k, v in rows.items())

    @staticmethod
    def from_toml(text: str) -> Record:
        """The record in `text`. Raises ValueError (or KeyError) for anything else."""
        row = tomllib.loads(text)
        version = tuple(int(part) for part in str(row["version"]).split(".") if part)
        return Record(str(row["kind"]), str(row["source"]), str(row["ref"]), str(row["commit"]), version)


@dataclass(frozen=True, slots=True)
class Listed:
    """A line of `kpt tree list`: a tree that is here (`tree` and `record`), described (`description`), or both."""

    name: str
    tree: Tree | None
    record: Record | None
    description: Description | None
    in_use: bool
    problem: str = ""  # why a repository that is here cannot be used


class Catalogue:
    """The trees of one workspace. Reads the disk at every question; holds nothing open."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace

    def git_dir(self, name: str) -> Path:
        """Where the repository of `name` is or would be. Raises InputError for what is no name."""
        return self.workspace.trees / f"{check_name(name)}.git"

    def record(self, name: str) -> Record | None:
        """The record of a tree that is here, else None. Raises InputError when it cannot be read."""
        path = self.git_dir(name) / RECORD
        try:
            return Record.from_toml(path.read_text("utf-8"))
        except (FileNotFoundError, NotADirectoryError):
            return None
        except (ValueError, KeyError) as error:
            todo = f"run `kpt tree remove {name}` and add the tree again"
            raise InputError(f"not a record of kpt ({error})", where=str(path), todo=todo) from error

    def find(self, name: str) -> Tree | None:
        """The tree called `name` if it is here."""
        record = self.record(name)
        if record is None:
            return None
        description = self.descriptions().get(name, Description(name))
        return Tree(
            name=name,
            git_dir=self.git_dir(name),
            base=record.commit,
            version=record.version,
            skeleton=record.kind == "skeleton",
            make=description.make,
            config=description.config,
        )

    def get(self, name: str) -> Tree:
        """The tree called `name`. Raises InputError, saying what to do, when it is not here."""
        found = self.find(name)
        if found is None:
            known = self.descriptions().get(name)
            if known is not None and known.kind:
                raise InputError("the tree is not here yet", where=name, todo=f"run `kpt tree add {name}`")
            self.unknown(f"there is no tree {printable(name)!r}", name)
        return found

    def here(self) -> tuple[Tree, ...]:
        """The trees that are here and in order, by name."""
        return tuple(tree for tree in self._found().values() if isinstance(tree, Tree))

    def _found(self) -> dict[str, Tree | InputError]:
        """Every repository that is here, by name: its tree, or what is wrong with it."""
        names = sorted(path.parent.name.removesuffix(".git") for path in self.workspace.trees.glob(f"*.git/{RECORD}"))
        self.descriptions()  # what is wrong with trees.toml is not the trees' fault
        found: dict[str, Tree | InputError] = {}
        for name in names:
            try:
                tree = None if name.startswith(".") else self.find(name)
            except InputError as error:
                found[name] = error
            else:
                found.update({} if tree is None else {name: tree})
        return found

    def list(self) -> tuple[Listed, ...]:
        """Every tree that is here or described, by name."""
        found = self._found()
        trees = {name: tree for name, tree in found.items() if isinstance(tree, Tree)}
        broken = {name: error.line() for name, error in found.items() if isinstance(error, InputError)}
        described = self.descriptions()
        used = self.workspace.remembered(IN_USE)
        return tuple(
            Listed(
                name=name,
                tree=trees.get(name),
                record=self.record(name) if name in trees else None,
                description=described.get(name),
                in_use=name == used,
                problem=broken.get(name, ""),
            )
            for name in sorted({*found, *(name for name, row in described.items() if row.kind)})
        )

    def resolve(self, explicit: str | None, series: Series | None = None, *, skeleton: bool = False) -> Tree:
        """The tree a command means.

        In order: the one named (`--tree`); the one chosen with `kpt tree use`; the one the series is meant for, when
        it is here; the only one here. Where the series is meant for a tree that is not here, or no tree is here at
        all, and `skeleton` is set: a tree made from the series' own hunks, made now or before. Trees made from
        hunks count only for their own series. Raises InputError, listing what there is, when none of these holds.
        """
        if explicit is not None:
            return self.get(explicit)
        used = self.workspace.remembered(IN_USE)
        if used is not None:
            if (chosen := self.find(used)) is not None:
                return chosen
            todo = f"run `kpt tree use NAME`, or `kpt tree add {used}` again"  # no other tree is put in its place
            raise InputError("the tree in use is not here any more", where=used, todo=todo)
        meant = series.tree if series is not None else None
        if meant is not None and (found := self.find(meant)) is not None:
            return found
        real = [tree for tree in self.here() if not tree.skeleton]
        if series is not None and skeleton and (meant is not None or not real):
            from kpatch_tool.tree.sources.skeleton import skeleton_tree

            return skeleton_tree(self, series)
        if meant is not None:
            self._missing(meant, series)
        if len(real) == 1:
            return real[0]
        if not real:
            thin = ", only trees made of series' own lines" if self.here() else ""
            self.unknown(f"no kernel tree is here{thin}")
        names = ", ".join(tree.name for tree in real)
        raise InputError(f"several trees are here: {names}", todo="name one with --tree, or run `kpt tree use NAME`")

    def descriptions(self) -> dict[str, Description]:
        """What trees.toml describes. Raises InputError, naming the place, when it is not in order."""
        path = self.workspace.trees / "trees.toml"
        try:
            tables = tomllib.loads(path.read_text("utf-8"))
        except (FileNotFoundError, NotADirectoryError):
            return {}
        except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
            raise InputError(f"cannot be read: {error}", where=str(path), todo="correct the file") from error
        return {name: _description(name, table, path) for name, table in tables.items()}

    def _missing(self, name: str, series: Series | None) -> NoReturn:
        described = self.descriptions().get(name)
        add = f"kpt tree add {name}" + ("" if described is not None and described.kind else " --git URL --ref R")
        here = ", ".join(tree.name for tree in self.here() if not tree.skeleton)
        other = f"or choose with --tree: {here}" if here else "or give another tree with --tree"
        what = f"series {series.name} is meant for tree {printable(name)}, which is not here" if series else name
        raise InputError(what, todo=f"run `{add}`, {other}")

    def unknown(self, what: str, name: str = "") -> NoReturn:
        """Raise InputError `what`, with the commands that bring trees and, where `name` was asked for, the trees that
        are here; of many those most like it."""
        here = some_of([tree.name for tree in self.here()], name, others="kpt tree list") or "none"
        adds = [f"`kpt tree add {known}`" for known, row in sorted(self.descriptions().items()) if row.kind]
        add = some_of(adds, f"`kpt tree add {name}`", others="kpt tree list")
        todo = f"run {add}" if add else "run `kpt tree add NAME --git URL --ref R` (or --debian, --dir)"
        raise InputError(f"{what} (here: {here})" if name else what, todo=todo)


def _description(name: str, table: object, path: Path) -> Description:
    where = f"{path}: [{name}]"
    try:
        check_name(name)
    except InputError as error:
        raise InputError(error.what, where=where, todo=error.todo) from error
    if not isinstance(table, dict):
        raise InputError("not a table", where=where, todo='write ["NAME"] and below it e.g. git = "URL"')
    if any(isinstance(value, dict) and key != "make" for key, value in table.items()):
        raise InputError("a table inside a table", where=where, todo='put a name with a dot in quotes: ["kvm-3.15"]')
    kinds = [kind for kind in KINDS if kind in table]
    unknown = sorted(set(table) - {*KINDS, "ref", "make", "config"})
    if len(kinds) > 1 or unknown:
        bad = f"unknown key {unknown[0]!r}" if unknown else f"both {kinds[0]} and {kinds[1]}"
        raise InputError(bad, where=where, todo=f"keep one of {', '.join(KINDS)}, and ref, make, config")
    make, config = table.get("make", {}), table.get("config", [])
    texts = [*(table[kind] for kind in kinds), table.get("ref", "")]
    well = isinstance(make, dict) and isinstance(config, list)
    if not well or not all(isinstance(text, str) for text in [*texts, *make.values(), *config]):
        raise InputError("values must be strings (make: a table, config: a list)", where=where, todo="correct it")
    if any("\0" in text for text in [*texts, *make, *make.values(), *config]):
        raise InputError("a NUL in a value", where=where, todo="correct it")
    kind = kinds[0] if kinds else ""
    source = table[kind] if kind else ""
    return Description(check_name(name), kind, source, table.get("ref", ""), dict(make), tuple(config))
