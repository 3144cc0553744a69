"""What the user gave on the command line, made into the source of a tree."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from kpatch_tool.errors import InputError
from kpatch_tool.text import printable
from kpatch_tool.tree.adding import Source
from kpatch_tool.tree.catalogue import Catalogue, Description
from kpatch_tool.tree.sources.debian import DebianPackage
from kpatch_tool.tree.sources.directory import Directory
from kpatch_tool.tree.sources.git import GitRepository
from kpatch_tool.tree.sources.tarball import Tarball


def choose_source(
    catalogue: Catalogue,
    name: str,
    given: Mapping[str, str | None],
    ref: str | None,
    *,
    without_missing: bool = False,
) -> Source:
    """The source that the options `given` (kind -> value, None: not given) name, else the one trees.toml describes,
    else the one that a tree which is here was made from.

    Paths are made absolute: options against the current directory, descriptions against the workspace. A git
    repository may lack files with `without_missing`. Raises InputError for two sources at once, for --ref without
    --git, for `without_missing` of another source, and where nothing is given or described.
    """
    source = _chosen(catalogue, name, given, ref)
    if not without_missing:
        return source
    if not isinstance(source, GitRepository):
        raise InputError("--without-missing is for a git repository", todo="leave it out")
    return replace(source, without_missing=True)


def _chosen(catalogue: Catalogue, name: str, given: Mapping[str, str | None], ref: str | None) -> Source:
    chosen = [(kind, value) for kind, value in given.items() if value is not None]
    if len(chosen) > 1:
        raise InputError(f"both --{chosen[0][0]} and --{chosen[1][0]}", todo="give one source")
    if ref is not None and (not chosen or chosen[0][0] != "git"):
        raise InputError("--ref without --git", todo="give --git URL|PATH with it")
    if chosen:
        kind, value = chosen[0]
        return _source(catalogue, Description(name, kind, value, ref or ""), Path.cwd())
    described = catalogue.descriptions().get(name)
    if described is not None and described.kind:
        return _source(catalogue, described, catalogue.workspace.root)
    known = catalogue.record(name)
    if known is not None:
        return _source(catalogue, Description(name, known.kind, known.source, known.ref), catalogue.workspace.root)
    catalogue.unknown(f"there is no tree {printable(name)!r}", name)


def _source(catalogue: Catalogue, row: Description, start: Path) -> Source:
    if not row.source:
        raise InputError("empty", where=f"--{row.kind}", todo="give a value")
    if row.kind == "debian":
        return DebianPackage(row.source)
    if row.kind == "git":
        local = start / row.source
        return GitRepository(str(local.resolve()) if local.exists() else row.source, row.ref or "HEAD")
    if row.kind == "dir":
        return Directory(os.path.realpath(start / row.source))
    if row.kind == "tarball":
        return Tarball(os.path.realpath(start / row.source))
    from kpatch_tool.series.directory import store
    from kpatch_tool.tree.sources.skeleton import Skeleton

    directory = store.find(catalogue.workspace, row.source)
    return Skeleton(store.load(directory))
