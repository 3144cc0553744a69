"""The answer of a run, as a sentence."""

from __future__ import annotations

import shlex
from collections.abc import Collection, Sequence
from itertools import pairwise

from kpatch_tool.kbuild.model import (
    BuildStatus,
    StateBuild,
    Uncompiled,
    changed_files,
    fails_as,
    new_warnings,
    told_apart,
)
from kpatch_tool.results.deltas import (
    ABSENT,
    Change,
    Delta,
    case_count,
    compare,
    differing,
    identity,
    sentence,
    since,
    why_broken,
)
from kpatch_tool.results.repeats import flaky_tests, noise_between
from kpatch_tool.suites.model import KERNEL_LOG, StateTests, SuiteStatus
from kpatch_tool.text import plural, spelt
from kpatch_tool.tree.model import ApplyOutcome, ApplyStatus

_NAMED_AT_MOST = 4  # patches that are named one by one
_REASONS_AT_MOST = 3  # for which suites cannot be run


def answer(
    series: str,
    tree: str,
    applied: ApplyOutcome | None,
    builds: Sequence[StateBuild],
    tests: Sequence[StateTests],
    *,
    never_loaded: Collection[str] = (),
    uncompiled: Sequence[Uncompiled] = (),
) -> str:
    """What the stages said together: "S applies to T; all 3 patches build without new warnings; of 142 test cases 140
    are as on the base, 2 better from patch 1 on (...)."

    `builds` and `tests` go over the states, base first; `never_loaded` are the file names of modules that no guest
    loads here: what a patch does to them, no test tells. `uncompiled` are the source files that each patch changes and
    no build here compiles.
    """
    if applied is None:
        return f"{series} was not applied to {tree}."
    patches = sorted(({build.patch for build in builds} | {found.patch for found in tests}) - {0})
    parts = [_applied(series, tree, applied), _built(builds), _tested(tests, patches)]
    if tests:
        parts.append(out_of_reach(builds, never_loaded, [build.patch for build in builds]))
    parts.append(not_compiled(uncompiled))
    return "; ".join(part for part in parts if part) + "."


def _applied(series: str, tree: str, applied: ApplyOutcome) -> str:
    conflicts = [patch for patch in applied.patches if patch.status is ApplyStatus.CONFLICT]
    if conflicts:
        return f"{series} does not apply to {tree}: patch {conflicts[0].number} conflicts ({conflicts[0].why})"
    already = [patch.number for patch in applied.patches if patch.status is ApplyStatus.ALREADY]
    if already and len(already) == len(applied.patches):
        return f"{tree} has all of {series} already"
    known = f" ({_patches(already)} {'is' if len(already) == 1 else 'are'} in it already)" if already else ""
    hiding = [patch.number for patch in applied.patches if patch.hidden]
    warned = f", but {_patches(hiding)} {'adds' if len(hiding) == 1 else 'add'} hidden characters" if hiding else ""
    return f"{series} applies to {tree}{known}{warned}"


def _built(builds: Sequence[StateBuild]) -> str:
    base = next((build for build in builds if build.patch == 0), None)
    states = [build for build in builds if build.patch != 0]
    alike = [build for build in states if fails_as(build, base)]
    parts = []
    if base is not None and base.status is not BuildStatus.OK:
        also = f", and {_states(alike)} {_does(alike)} not for the same reason" if alike else ""
        parts.append(f"the base itself does not build ({base.why}){also}")
    unknown = [build for build in states if build.status is BuildStatus.INFRA]
    if unknown:
        parts.append(f"{_states(unknown)} could not be built on this machine ({unknown[0].why})")
    failed = [build for build in states if build.status is BuildStatus.FAILED and not fails_as(build, base)]
    good = [build for build in states if build.status is BuildStatus.OK]
    if failed:
        parts.append(f"{_states(failed)} {_does(failed)} not build ({_first_error(failed[0])})")
    if good:
        parts.append(_good_builds(good, base, everything=len(good) == len(states)))
    return "; ".join(parts)


def _good_builds(good: Sequence[StateBuild], base: StateBuild | None, *, everything: bool) -> str:
    many = f"all {len(good)} patches build" if everything and len(good) > 1 else ""
    built = many or f"{_states(good)} {'builds' if len(good) == 1 else 'build'}"
    if base is None or base.status is not BuildStatus.OK:
        return built
    guilty = [(build.patch, found) for build in good if (found := new_warnings(build, base))]
    if not guilty:
        return f"{built} without new warnings"
    patch, found = guilty[0]
    distinct = {one for _, some in guilty for one in told_apart(some)}
    return f"{built} with {plural(len(distinct), 'new warning')}, first at patch {patch} ({found[0].told})"


def _tested(tests: Sequence[StateTests], patches: Sequence[int]) -> str:
    bases = {found.suite: found for found in tests if found.patch == 0}
    states = [found for found in tests if found.patch != 0]
    if not bases:
        return ""
    last = _last_states(states)
    ran = _last_states([found for found in states if _ran(found, bases.get(found.suite))])
    broken = [found for found in tests if found.status is not SuiteStatus.OK]
    parts = _all_broken(tests, broken)
    # A last state that says nothing takes nothing back.
    compared = [found for found in ran if found in last or _is_worse(found, bases[found.suite])]
    if compared:
        dated: list[tuple[tuple[int, int], Delta]] = []
        for found in compared:
            deltas = compare(found, bases[found.suite])
            dated += zip(_dates(deltas, tests, found, bases[found.suite]), deltas, strict=True)
        dated.sort(key=lambda one: one[0][1])
        total = sum(case_count(found, bases[found.suite]) for found in compared)
        said = sentence([delta for _, delta in dated], total, [_when(*dates, patches) for dates, _ in dated])
        parts.append(f"{_at_last(compared, patches)}{said}")
    elif not states and not broken:
        count = sum(len(found.cases) for found in bases.values())
        parts.append(f"the base gives {plural(count, 'test case')}, there is nothing to compare with it")
    parts += [_on_the_way(states, ran, bases), _now_and_then(states)]
    return "; ".join(part for part in parts if part)


def _dates(
    deltas: Sequence[Delta], tests: Sequence[StateTests], found: StateTests, base: StateTests
) -> list[tuple[int, int]]:
    """Since when each of `deltas` is so. Where in its test the emulator dies is nobody's doing: the cases that are not
    reached for it are gone since it does."""
    dates = since(deltas, tests, found, base)
    whole = {delta.test: at for at, delta in zip(dates, deltas, strict=True) if not delta.case}
    gone = [delta.follows and (delta.change, delta.now) == (Change.CHANGED, ABSENT) for delta in deltas]
    return [whole.get(delta.test, at) if no else at for at, delta, no in zip(dates, deltas, gone, strict=True)]


def _at_last(compared: Sequence[StateTests], patches: Sequence[int]) -> str:
    """Which state the comparison is of, where it is not the whole series'."""
    last = max(found.patch for found in compared)
    return f"after patch {last}, the last that was tested, " if last < max(patches) else ""


def _when(before: int, at: int, patches: Sequence[int]) -> str:
    """Which of `patches` did it, as far as the tested states `before` and `at` tell; nothing where there is but one."""
    between = [patch for patch in patches if before < patch <= at]
    if len(patches) == 1:
        return ""
    return f"from patch {at} on" if len(between) == 1 else f"by one of {_patches(between)}"


def _ran(state: StateTests, base: StateTests | None) -> bool:
    """Whether a suite ran on a state and on the base; where it did not, no case of it says anything."""
    return base is not None and state.status is base.status is SuiteStatus.OK


def _is_worse(state: StateTests, base: StateTests) -> bool:
    return any(delta.change is Change.WORSE for delta in compare(state, base))


def _last_states(states: Sequence[StateTests]) -> list[StateTests]:
    """The last state's results, one a suite."""
    return list({found.suite: found for found in states}.values())


def _all_broken(tests: Sequence[StateTests], broken: Sequence[StateTests]) -> list[str]:
    """Each reason once, with the states it is true of, as the first suite has them; the first reasons."""
    alike: dict[str, list[StateTests]] = {}
    for found in broken:
        group = alike.setdefault(why_broken(tests, found), [])
        if not group or group[0].suite == found.suite:
            group.append(found)
    groups = list(alike.values())
    more = len(groups) - _REASONS_AT_MOST
    rest = [f"others do not for {plural(more, 'more reason')}"] if more > 0 else []
    return [*map(_broken, groups[:_REASONS_AT_MOST]), *rest]


def _broken(all_alike: Sequence[StateTests]) -> str:
    """`all_alike` are results that failed for the same reason."""
    first = all_alike[0]
    if not first.patch:
        state, does = "the base", "does"
    else:
        numbers = list(dict.fromkeys(found.patch for found in all_alike))
        state, does = _patches(numbers), "does" if len(numbers) == 1 else "do"
    if first.status is SuiteStatus.INFRA:
        return f"{state} could not be tested with {first.suite} on this machine ({first.why})"
    return f"{state} {does} not get through {first.suite} ({first.why})"


def _on_the_way(states: Sequence[StateTests], last: Sequence[StateTests], bases: dict[str, StateTests]) -> str:
    """Regressions of the states between, each where it came, which a later patch takes back, or keeps from being
    reached."""
    ended = [delta for found in last for delta in compare(found, bases[found.suite])]
    final = {identity(delta) for delta in ended}
    ends = {found.suite: found for found in last}
    came: dict[tuple[int, str], list[Delta]] = {}
    there: dict[str, set[tuple[str, str, str]]] = {}
    for found in states:
        if found in last or not _ran(found, bases.get(found.suite)):
            continue
        base = bases[found.suite]
        no_verdict = noise_between(found, ends[found.suite], base)  # whatever ran has a last state that did
        passing = [
            delta
            for delta in compare(found, base)
            if delta.change is Change.WORSE and identity(delta) not in final and not no_verdict(delta)
        ]
        new = [delta for delta in passing if identity(delta) not in there.get(found.suite, ())]
        there[found.suite] = set(map(identity, passing))
        for delta in new:
            how = "not reached later" if (delta.test, delta.case, ABSENT) in final else "taken back later"
            came.setdefault((found.patch, how), []).append(delta)
    return "; ".join(_passing(patch, deltas, how) for (patch, how), deltas in came.items())


def _passing(patch: int, deltas: Sequence[Delta], how: str) -> str:
    """What came with a patch and went later; what the kernel said tells more than which tests were stopped by it."""
    log = [delta for delta in deltas if delta.test == KERNEL_LOG]
    said = [delta.case for delta in log if delta.case] or [delta.why for delta in log]
    tests = list(dict.fromkeys(delta.test for delta in deltas if delta.test != KERNEL_LOG))
    if not tests:
        return f"at patch {patch} the kernel says {said[0]}, {how}"
    count = differing([delta for delta in deltas if delta.test != KERNEL_LOG])
    named = " and ".join(tests) if len(tests) < 3 else f"{tests[0]} and {plural(len(tests) - 1, 'more test')}"
    kernel = f" (the kernel says {said[0]})" if said else ""
    return f"at patch {patch}, {plural(count, 'case')} of {named} worse{kernel}, {how}"


def _now_and_then(states: Sequence[StateTests]) -> str:
    """Tests that were worse in one run and not in the next: no regression by that, and no all-clear."""
    names = [(name, found.patch) for found in states if found.same_as is None for name in flaky_tests(found)]
    if not names:
        return ""
    first, patch = names[0]
    more = len({name for name, _ in names}) - 1
    told = f"{first} and {plural(more, 'more test')}" if more else first
    look = f"`kpt bisect --test {shlex.quote(first.partition('@')[0])}` looks more often"
    return f"at patch {patch} {told} worse in some runs only, which is no verdict: {look}"


def out_of_reach(builds: Sequence[StateBuild], never_loaded: Collection[str], patches: Sequence[int]) -> str:
    """Which of `patches`, the series', change a module that no guest loads here: "what patch 2 changes in
    kvm-intel.ko is not tested, no guest loads it here"; nothing where none does.

    `builds` are those that are known, base first. Patches between two of them are named together.
    """
    built = [build for build in builds if build.status is BuildStatus.OK]
    changed: dict[str, list[int]] = {}
    for before, build in pairwise(built):
        between = [patch for patch in patches if before.patch < patch <= build.patch]
        for name in changed_files(build, before):
            if name in never_loaded:
                changed.setdefault(name, []).extend(between)
    return "; ".join(
        f"{_change_in(numbers, name)} is not tested, no guest loads it here" for name, numbers in changed.items()
    )


def not_compiled(uncompiled: Sequence[Uncompiled]) -> str:
    """The source files that patches change and no build here compiles: "what patch 2 changes in arch/x86/kvm/xen.c is
    not compiled in this configuration"; nothing where there are none."""
    patches: dict[str, tuple[int, ...]] = {}
    for one in uncompiled:
        for path in one.files:
            patches[path] = (*patches.get(path, ()), one.patch)
    groups: dict[tuple[int, ...], list[str]] = {}
    for path, numbers in patches.items():
        groups.setdefault(numbers, []).append(path)
    return "; ".join(
        f"{_change_in(numbers, _and_more(files))} is not compiled in this configuration"
        for numbers, files in groups.items()
    )


def _change_in(patches: Sequence[int], place: str) -> str:
    return f"what {_patches(patches)} {'changes' if len(patches) == 1 else 'change'} in {place}"


def _and_more(files: Sequence[str]) -> str:
    return f"{files[0]} and {plural(len(files) - 1, 'more file')}" if len(files) > 1 else files[0]


def _first_error(build: StateBuild) -> str:
    later = f"; {build.later}" if build.later else ""
    return f"{build.errors[0].told}{later}" if build.errors else build.why


def _states(builds: Sequence[StateBuild]) -> str:
    return _patches([build.patch for build in builds])


def _does(builds: Sequence[StateBuild]) -> str:
    return "does" if len(builds) == 1 else "do"


def _patches(numbers: Sequence[int]) -> str:
    if len(numbers) == 1:
        return f"patch {numbers[0]}"
    if len(numbers) > _NAMED_AT_MOST:
        return f"patches {spelt(numbers)}"
    return f"patches {', '.join(map(str, numbers[:-1]))} and {numbers[-1]}"
