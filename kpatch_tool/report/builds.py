"""What building did, for the terminal (the JSON document is document.build_document's)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from kpatch_tool.kbuild.command import Built
from kpatch_tool.kbuild.model import (
    BuildStatus,
    Diagnostic,
    ModuleChange,
    StateBuild,
    module_changes,
    new_warnings,
)
from kpatch_tool.report.lines import diagnostic_line, from_here, wrapped
from kpatch_tool.results.answer import not_compiled
from kpatch_tool.text import columns, plural, printable, short_state_name, state_name

_SHOWN = 10  # errors and warnings of one state that are shown


def text(done: Built) -> str:
    """One line a state; below it what its patch changed, what is wrong, and where the rest is."""
    lines = [line for build in done.builds for line in _lines(build, done.base, done.previous(build))]
    if done.uncompiled:
        said = f"{not_compiled(done.uncompiled)} (--config FRAGMENT adds to it)"
        lines += wrapped(printable(said), columns(), later="  ")
    return "\n".join(lines)


def _lines(build: StateBuild, base: StateBuild | None, previous: StateBuild | None) -> Iterator[str]:
    name = short_state_name(build.patch)
    took = "known from before" if build.cached else f"{build.seconds:.1f} s"
    yield f"{name:9} {build.status:7} {took:18} {build.commit[:12]}"
    if build.status is BuildStatus.INFRA:
        yield from wrapped(f"  {printable(build.why)}", columns(), later="  ")
    yield from _found("error", build.errors)
    if build.later:
        yield from wrapped(f"  {printable(build.later)}", columns(), later="  ")
    yield from _warned(build, base, previous)
    yield from _binaries(build, base, previous)
    place = build.artifacts if build.artifacts is not None else build.log
    yield f"  {'kept in' if build.artifacts else 'log:'} {from_here(place)}"


def _warned(build: StateBuild, base: StateBuild | None, previous: StateBuild | None) -> Iterator[str]:
    """The state's own new warnings in full, those an earlier patch brought in a line."""
    if build.patch == 0:
        if build.warnings:
            yield f"  {plural(len(build.warnings), 'warning')} of the base"
        return
    if base is None or base.status is not BuildStatus.OK:
        why = "was not built (`kpt build --base`)" if base is None else "does not build"
        yield f"  warnings not compared: the base {why}"
        return
    fresh = new_warnings(build, base)
    own = [warning for warning in fresh if warning in new_warnings(build, previous)]
    yield from _found("new warning", own)
    if len(own) < len(fresh) and previous is not None:
        yield f"  {plural(len(fresh) - len(own), 'warning')} more than the base, as after patch {previous.patch}"


def _binaries(build: StateBuild, base: StateBuild | None, previous: StateBuild | None) -> Iterator[str]:
    """The image where it changed, and each module: whether it is as before, else by how much it grew."""
    if build.status is not BuildStatus.OK:
        return
    if previous is None or build.patch == 0:
        for module in build.modules:
            yield f"  {module.path:30} {module.sha256[:12]} {module.size:>9,} bytes"
        return
    if build.same_binaries(previous):
        those = state_name(previous.patch) + _also(build, base, previous)
        yield f"  kernel and modules are byte for byte those of {those}"
        return
    as_base = {change.path for change in module_changes(build, base) if change.same} if base is not None else set()
    for change in module_changes(build, previous):
        if change.path == (build.image.path if build.image is not None else "") and change.same:
            continue
        back = ", as on the base" if change.path in as_base and previous.patch and not change.same else ""
        yield f"  {change.path:30} {_told(change, previous)}{back}"


def _also(build: StateBuild, base: StateBuild | None, previous: StateBuild) -> str:
    return ", and of the base" if previous.patch and base is not None and build.same_binaries(base) else ""


def _told(change: ModuleChange, previous: StateBuild) -> str:
    if not change.present:
        return "is not built any more"
    if not change.was_present:
        return f"is new, {change.growth:,} bytes"
    if change.same:
        return f"as after {state_name(previous.patch)}" if previous.patch else "as on the base"
    return f"changed, {change.growth:+,} bytes" if change.growth else "changed, of the same size"


def _found(what: str, diagnostics: Sequence[Diagnostic]) -> Iterator[str]:
    for one in diagnostics[:_SHOWN]:
        yield f"  {what}: {printable(diagnostic_line(one))}"
    if len(diagnostics) > _SHOWN:
        yield f"  ... and {plural(len(diagnostics) - _SHOWN, what)} more (--json has them)"
