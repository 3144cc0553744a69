"""What a stage found, for one patch -> the cell of it in the record: its outcome, a word or two, and why. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from kpatch_tool.depend.model import Dependencies
from kpatch_tool.kbuild.model import BuildStatus, StateBuild, fails_as, new_warnings
from kpatch_tool.results.deltas import Change, compare, differing, is_broken, is_finding, lost_to_emulator
from kpatch_tool.results.record import Cell, Outcome, PatchRecord, Stage
from kpatch_tool.series.model import Patch, Series
from kpatch_tool.suites.model import StateTests, SuiteStatus
from kpatch_tool.text import plural, state_name


def patch_records(series: Series) -> tuple[PatchRecord, ...]:
    """The rows of the record: what is known of each patch itself."""
    return tuple(
        PatchRecord(
            patch.number,
            patch.subject,
            f"{patch.author.name} <{patch.author.email}>" if patch.author.email else patch.author.name,
            patch.exactness,
            patch.why,
            tuple(map(str, patch.ambiguous)),
        )
        for patch in series.patches
    )


def needs_cell(patch: Patch, needs: Dependencies) -> Cell:
    """The cell of a patch's dependencies; it is a finding where something needed is not there, or comes later."""
    edges = [edge for edge in needs.edges if edge.patch == patch.number]
    outside = [found for found in needs.external if found.patch == patch.number]
    why = "; ".join([*(edge.why for edge in edges), *(found.why for found in outside)])
    lacking = [found for found in outside if found.present is False]
    if lacking:
        return Cell(patch.number, Stage.DEPS, Outcome.FINDING, "lacks", why)
    if early := [edge.why for edge in edges if edge.needs > patch.number]:
        return Cell(patch.number, Stage.DEPS, Outcome.FINDING, "later", "; ".join(early))
    numbers = [str(number) for number in sorted({edge.needs for edge in edges})]
    shown = numbers if len(numbers) <= 3 else [*numbers[:2], f"+{len(numbers) - 2}"]
    return Cell(patch.number, Stage.DEPS, Outcome.WELL, ",".join(shown) or "none", why)


def build_cell(build: StateBuild, base: StateBuild | None) -> Cell:
    """The cell of a build; warnings are new against `base`."""
    fresh = new_warnings(build, base) if build.patch != 0 and base is not None and base.patch == 0 else ()
    if build.status is BuildStatus.INFRA:
        return Cell(build.patch, Stage.BUILD, Outcome.INFRA, "cannot", build.why)
    if build.patch and fails_as(build, base):
        return Cell(build.patch, Stage.BUILD, Outcome.SKIPPED, "as base", f"nor does the base build: {build.why}")
    if build.status is BuildStatus.FAILED:
        return Cell(build.patch, Stage.BUILD, Outcome.FINDING, "FAILED", build.why)
    if fresh:
        return Cell(build.patch, Stage.BUILD, Outcome.FINDING, plural(len(fresh), "warning"), fresh[0].message)
    text = "cached" if build.cached else f"ok {build.seconds:.0f} s"
    return Cell(build.patch, Stage.BUILD, Outcome.WELL, text, build.why)


def tests_cell(
    patch: int, now: Sequence[StateTests], everything: Sequence[StateTests], *, same_as: int | None = None
) -> Cell:
    """The cell of a state's tests, all suites together; `everything` holds the base's results, `same_as` is the
    state whose results these are, if none of them was run."""
    why = "; ".join(dict.fromkeys(tests.why for tests in now if tests.why))
    if any(tests.status is SuiteStatus.INFRA for tests in now):
        return Cell(patch, Stage.TEST, Outcome.INFRA, "cannot", why)
    failed = [tests for tests in now if tests.status is SuiteStatus.FAILED]
    if any(is_broken(everything, tests) for tests in now):
        return Cell(patch, Stage.TEST, Outcome.FINDING, "FAILED", why)
    if failed and len(failed) == len(now):
        return Cell(patch, Stage.TEST, Outcome.SKIPPED, "as base", f"nor does the base get through: {why}")
    if patch == 0:
        return Cell(patch, Stage.TEST, Outcome.WELL, plural(sum(len(tests.cases) for tests in now), "case"), why)
    bases = {tests.suite: tests for tests in everything if tests.patch == 0 and tests.status is not SuiteStatus.INFRA}
    deltas = [delta for tests in now if tests.suite in bases for delta in compare(tests, bases[tests.suite])]
    counts = {change: differing([delta for delta in deltas if delta.change is change]) for change in Change}
    outcome = Outcome.FINDING if any(is_finding(everything, tests) for tests in now) else Outcome.WELL
    if same_as is not None:
        return Cell(patch, Stage.TEST, outcome, f"= {state_name(same_as) if same_as else 'base'}", why)
    words = [f"{count} {change}" for change, count in counts.items() if count]
    alone = [tests.suite for tests in now if tests.suite not in bases]
    if alone:
        words = ["no base"] if len(alone) == len(now) else [*(words or ["same"]), "no base"]
        why = "; ".join(part for part in (why, f"{', '.join(alone)}: the base was not tested") if part)
    return Cell(patch, Stage.TEST, outcome, ", ".join(words) or "same", why)


def untested(patch: int, now: Sequence[StateTests], everything: Sequence[StateTests]) -> list[str]:
    """What this machine could not say of a state, a sentence each; `everything` holds the base's results."""
    found: list[str] = []
    for tests in now:
        if tests.status is SuiteStatus.INFRA:
            found.append(f"{state_name(patch)} could not be tested with {tests.suite}: {tests.why}")
        base = next((one for one in everything if one.patch == 0 and one.suite == tests.suite), None)
        lost = [] if base is None else lost_to_emulator(tests, base)
        found += [
            f"{state_name(patch)} was not tested with {name} of {tests.suite}: the emulator died each time"
            for name in lost
        ]
    return found
