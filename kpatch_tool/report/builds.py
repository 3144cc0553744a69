"""What building did, for the terminal (the JSON document is document.build_document's)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from kpatch_tool.kbuild.model import BuildStatus, Diagnostic, StateBuild, new_warnings
from kpatch_tool.text import plural, printable

_WIDTH = 80
_SHOWN = 10  # errors and warnings of one state that are shown


def text(builds: Sequence[StateBuild], base: StateBuild | None) -> str:
    """One line a state, below it what is wrong with it and where the rest is."""
    return "\n".join(line for build in builds for line in _lines(build, base))


def _lines(build: StateBuild, base: StateBuild | None) -> Iterator[str]:
    name = f"patch {build.patch}" if build.patch else "base"
    took = "known from before" if build.cached else f"{build.seconds:.1f} s"
    yield f"{name:9} {build.status:7} {took:18} {build.commit[:12]}"
    if build.status is BuildStatus.INFRA:
        yield _cut(f"  {printable(build.why)}")
    yield from _found("error", build.errors)
    yield from _warned(build, base)
    if build.status is BuildStatus.OK:
        for module in build.modules:
            yield f"  {module.path:34} {module.sha256[:12]} {module.size:>9,} bytes"
    place = build.artifacts if build.artifacts is not None else build.log
    yield f"  {'kept in' if build.artifacts else 'log:'} {_short(place)}"


def _warned(build: StateBuild, base: StateBuild | None) -> Iterator[str]:
    if build.patch == 0:
        if build.warnings:
            yield f"  {plural(len(build.warnings), 'warning')} of the base"
        return
    if base is None:
        yield "  warnings not compared: the base was not built (`kpt build --base`)"
        return
    yield from _found("new warning", new_warnings(build, base))


def _found(what: str, diagnostics: Sequence[Diagnostic]) -> Iterator[str]:
    for one in diagnostics[:_SHOWN]:
        place = f"{one.file}:{one.line}: " if one.line else f"{one.file}: " if one.file else ""
        option = f" [{one.option}]" if one.option else ""
        yield f"  {what}: {printable(f'{place}{one.message}{option}')}"
    if len(diagnostics) > _SHOWN:
        yield f"  ... and {plural(len(diagnostics) - _SHOWN, what)} more (--json has them)"


def _short(path: Path) -> str:
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)


def _cut(line: str) -> str:
    return line if len(line) <= _WIDTH else line[: _WIDTH - 3] + "..."
