"""Why a state does not build that a later patch of its series mends."""

from __future__ import annotations

import re
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace

from kpatch_tool.depend.graph import dependencies
from kpatch_tool.depend.model import Edge
from kpatch_tool.errors import InputError
from kpatch_tool.kbuild.model import BuildStatus, StateBuild
from kpatch_tool.series.directory import store
from kpatch_tool.workspace import Workspace

# A name in quotation marks, as compilers, linkers and modpost have it; what they guess was meant is another.
_NAMED = re.compile(r"['\"](?:(?:struct|union|enum) )?(\w+)['\"]")
_GUESS = re.compile(r"; did you mean|, perhaps you meant")


def explained(build: StateBuild, edges: Iterable[Edge]) -> StateBuild:
    """`build` with `later` (and `why`) saying which patch behind it brings a name that its errors miss: by those of
    the series' `edges` that lead from a patch of the state to one that it does not have."""
    if build.status is not BuildStatus.FAILED or build.later:
        return build
    missed = _missed(build)
    said = [
        f"patch {edge.patch} {edge.why}"
        for edge in edges
        if edge.patch <= build.patch < edge.needs and missed.intersection(re.findall(r"\w+", edge.why))
    ]
    later = "; ".join(said)
    return replace(build, later=later, why=f"{build.why}; {later}") if later else build


def edges_of(workspace: Workspace, series: str, builds: Iterable[StateBuild]) -> tuple[Edge, ...]:
    """The edges of a series as far as they matter to why `builds` of its states failed; none where it is gone since.
    No tree is asked what it has: the compiler was."""
    missed = set().union(*(_missed(build) for build in builds if build.status is BuildStatus.FAILED))
    with suppress(InputError):
        return dependencies(store.load(store.find(workspace, series)), lacking=missed.intersection).edges
    return ()


def _missed(build: StateBuild) -> set[str]:
    return {name for error in build.errors for name in _NAMED.findall(_GUESS.split(error.message)[0])}
