"""What `--test` can name: the tests of a suite, and what is near a name that means nothing."""

from __future__ import annotations

import fnmatch
from collections.abc import Collection, Iterable, Mapping, Sequence

from kpatch_tool.errors import InputError
from kpatch_tool.progress import Progress, silent
from kpatch_tool.suites import catalogue, selftests, unittests_cfg
from kpatch_tool.suites.catalogue import Suite, SuiteKind
from kpatch_tool.suites.model import KERNEL_LOG
from kpatch_tool.suites.run import GUEST_CPUS
from kpatch_tool.text import nearest, printable
from kpatch_tool.tree.model import State, Tree
from kpatch_tool.workspace import Workspace

_NEAR = 6
_GLOB = str.maketrans("", "", "*?[]")


def tests_of(
    workspace: Workspace,
    tree: Tree,
    states: Sequence[State],
    suites: Sequence[str],
    arch: str,
    *,
    progress: Progress = silent,
) -> Mapping[str, tuple[str, ...]]:
    """The names of the tests that each of `suites` has in any of the states (selftests: their paths, too); no kernel is
    built for it.

    Raises InputError for unknown suites.
    """
    return {suite: _tests(catalogue.get(workspace, suite, progress), tree, states, arch) for suite in suites}


def matches(globs: Sequence[str], names: Collection[str]) -> bool:
    """Whether any of the globs matches any of the names."""
    return any(fnmatch.filter(names, glob) for glob in globs)


def chosen(globs: Sequence[str], tests: Mapping[str, Collection[str]]) -> tuple[str, ...]:
    """Those of the globs of `--test` that choose among the `tests` of each suite; one that means what the kernel says
    chooses none. Raises InputError, with the nearest names, for one that means nothing."""
    kept = tuple(glob for glob in globs if not means_the_log(glob, tests.values()))
    require_match(kept, [name for names in tests.values() for name in names], "--test")
    return kept


def means_the_log(glob: str, tests: Iterable[Collection[str]]) -> bool:
    """Whether the glob matches the name that what the kernel says goes by, and none of the `tests` of any suite."""
    return fnmatch.fnmatch(KERNEL_LOG, glob) and not any(fnmatch.filter(names, glob) for names in tests)


def require_match(globs: Sequence[str], names: Collection[str], where: str) -> None:
    """Raise InputError, with the nearest names, for the first glob that matches none of `names`."""
    for glob in globs:
        if not fnmatch.filter(names, glob):
            raise InputError(
                f"no test is called {printable(glob)}", where=where, todo=f"there is {near(glob, names) or 'none'}"
            )


def near(wrong: str, names: Collection[str]) -> str:
    """The names most like `wrong`, or some of them, for a line."""
    names = [name for name in names if "/" not in name]
    found = nearest(wrong.translate(_GLOB), names, most=_NEAR)
    more = len(names) - len(found)
    return ", ".join(map(printable, found)) + (f" and {more} more" if more else "")


def _tests(suite: Suite, tree: Tree, states: Sequence[State], arch: str) -> tuple[str, ...]:
    if suite.kind is SuiteKind.SELFTESTS:
        programs = dict.fromkeys(one for state in states for one in selftests.programs_of(tree, state, arch))
        return (*(program.name for program in programs), *(program.path for program in programs))
    assert suite.directory is not None
    here = unittests_cfg.Here(suite.name, suite.directory, GUEST_CPUS)
    return tuple(test.name for test in unittests_cfg.tests_of(catalogue.config_of(suite), here))
