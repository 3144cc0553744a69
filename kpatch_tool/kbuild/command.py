"""What `kpt build` does: which states, in which order, and what to compare them with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from kpatch_tool.errors import InputError
from kpatch_tool.kbuild.arch import load
from kpatch_tool.kbuild.build import build_state, known_build
from kpatch_tool.kbuild.compiled import not_compiled
from kpatch_tool.kbuild.later import edges_of, explained
from kpatch_tool.kbuild.model import BuildStatus, StateBuild, Uncompiled, new_warnings, previous_built
from kpatch_tool.progress import Progress, silent
from kpatch_tool.tree.applied import base_state, load_applied
from kpatch_tool.tree.catalogue import Catalogue
from kpatch_tool.tree.model import State, Tree
from kpatch_tool.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Request:
    """What to build: the series (None: the one applied last) on `tree`, its last state or the one named by `patch`,
    `each` or only the `base`. `jobs` is make's -j."""

    series: str | None = None
    tree: str | None = None
    arch: str = "x86_64"
    patch: int | None = None
    each: bool = False
    base: bool = False
    fragments: tuple[Path, ...] = ()
    jobs: int | None = None


@dataclass(frozen=True, slots=True)
class Built:
    """What was built, in order. `base` is the base's build and `earlier` are those of the states before the first,
    where they are known from before. `uncompiled` are the source files that each patch changes and its build does not
    compile."""

    tree: Tree
    builds: tuple[StateBuild, ...]
    base: StateBuild | None
    earlier: tuple[StateBuild, ...] = ()
    uncompiled: tuple[Uncompiled, ...] = ()

    def previous(self, build: StateBuild) -> StateBuild | None:
        """The nearest state before `build` that was built, None where it is not known."""
        return previous_built((*self.earlier, *self.builds), build.patch)

    @property
    def findings(self) -> bool:
        """Whether a state does not build, or warns of what the base does not, where that is known."""
        return any(build.status is BuildStatus.FAILED or self._warns(build) for build in self.builds)

    def _warns(self, build: StateBuild) -> bool:
        return build.patch != 0 and self.base is not None and bool(new_warnings(build, self.base))

    @property
    def infra(self) -> StateBuild | None:
        """The first build that this machine could not do."""
        return next((build for build in self.builds if build.status is BuildStatus.INFRA), None)


def build_request(workspace: Workspace, request: Request, progress: Progress = silent) -> Built:
    """Build what was asked for. Raises InputError for names that mean nothing, and what `build_state` raises.

    A state that does not build does not keep the next from being built; after one that this machine could not do, no
    other is tried.
    """
    load(request.arch)
    if (request.patch is not None) + request.each + request.base > 1:
        raise InputError("--patch, --each and --base exclude one another", todo="give one of them")
    tree, all_states, states, series = _states(workspace, request)
    builds: list[StateBuild] = []
    for state in states:
        build = build_state(
            workspace, tree, state, request.arch, fragments=request.fragments, progress=progress, jobs=request.jobs
        )
        builds.append(build)
        if build.status is BuildStatus.INFRA:
            break
    earlier = tuple(
        known
        for state in all_states
        if state.patch < states[0].patch
        and (known := known_build(workspace, tree, state, request.arch, fragments=request.fragments)) is not None
    )
    base = next((build for build in (*earlier, *builds) if build.patch == 0), None)
    uncompiled = not_compiled(workspace, tree, request.arch, all_states, builds, fragments=request.fragments)
    if series and any(build.status is BuildStatus.FAILED for build in builds):
        edges = edges_of(workspace, series, builds)
        builds = [explained(build, edges) for build in builds]
    return Built(tree, tuple(builds), base, earlier, uncompiled)


def _states(workspace: Workspace, request: Request) -> tuple[Tree, Sequence[State], Sequence[State], str]:
    """The tree, all its states with the series, those to build in order, and the series' name, "" for none."""
    catalogue = Catalogue(workspace)
    if request.base and request.series is None:
        tree = catalogue.resolve(request.tree)
        base = base_state(tree)
        return tree, (base,), (base,), ""
    applied = load_applied(workspace, request.series, tree=request.tree)
    tree = catalogue.get(applied.tree)
    if request.base:
        return tree, applied.states, applied.states[:1], applied.series
    if request.each:
        return tree, applied.states, applied.states, applied.series
    if request.patch is None:
        return tree, applied.states, (applied.head,), applied.series
    state = applied.state(request.patch)
    if state is None:
        there = ", ".join(str(one.patch) for one in applied.states)
        raise InputError(f"patch {request.patch} of {applied.series} is not applied", todo=f"there is: {there}")
    return tree, applied.states, (state,), applied.series
