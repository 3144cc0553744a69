"""The values of a build."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path, PurePosixPath

# What moves in a message when code moves: offsets in a function, a section or a frame. The same complaint of objtool
# ("f()+0x1a: ..."), modpost ("(.text+0x12)"), gcc ("the frame size of 2064 bytes", "stack usage is 2064 bytes") or
# clang ("stack frame size (2064) exceeds limit") stays the same.
_MOVES = re.compile(
    r"\+0x[0-9a-f]+|(?:(?<=frame size of )|(?<=stack usage is )|(?<=stack usage might be ))\d+(?= bytes)"
    r"|(?<=frame size \()\d+(?=\) exceeds limit)"
)
_OF_MODPOST = re.compile(r"ection mismatch|\[[^]]+\.ko\] undefined!$")

Identity = tuple[str, str, str]


class BuildStatus(StrEnum):
    """Whose fault it is: `failed` is the kernel's, `infra` this machine's (disk full, compiler killed)."""

    OK = "ok"
    FAILED = "failed"
    INFRA = "infra"


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """An error or warning of compiler, assembler, linker, modpost or make. `file` is relative to the source tree,
    `line` 0 where none is known, `option` as in "-Wunused-variable", empty for an error; `echo`: it says no more than
    that something else went wrong ("vmlinux: Error 1")."""

    file: str
    line: int
    message: str
    option: str = ""
    echo: bool = False

    @property
    def told(self) -> str:
        """ "file:line: message", as far as these are known."""
        line = f":{self.line}" if self.line else ""
        return f"{self.file}{line}: {self.message}" if self.file else self.message

    def identity(self) -> Identity:
        """What stays the same when lines move, and with them the offsets that some messages name."""
        return (self.file, self.option, _MOVES.sub("", self.message))


@dataclass(frozen=True, slots=True)
class Module:
    """A built module: path in the object directory ("arch/x86/kvm/kvm.ko"), sha256 and size in bytes."""

    path: str
    sha256: str
    size: int


@dataclass(frozen=True, slots=True)
class StateBuild:
    """The build of one state. `artifacts` is the directory that keeps the kernel image (named as in its Arch), the
    modules under their paths and `config`; it is None unless status is ok. `log` is make's whole output. `why` is a
    sentence, never empty. `image` is the kernel image, None where it was not built or not told. `later`: what a state
    that does not build lacks and a later patch of the series brings, where that is known (kbuild.later)."""

    patch: int
    commit: str
    status: BuildStatus
    seconds: float
    cached: bool
    modules: tuple[Module, ...]
    errors: tuple[Diagnostic, ...]
    warnings: tuple[Diagnostic, ...]
    artifacts: Path | None
    log: Path
    why: str
    image: Module | None = None
    later: str = ""

    @property
    def compiled(self) -> bool:
        """Whether every file was compiled: it was built, or only modpost, which comes last, had something to say
        against it. Then all warnings there are were given."""
        return self.status is BuildStatus.OK or (
            bool(self.errors) and all(_OF_MODPOST.search(error.told) for error in self.errors)
        )

    def same_binaries(self, other: StateBuild) -> bool:
        """Whether both were built, and kernel image and modules are byte for byte the same."""
        built = self.status is other.status is BuildStatus.OK and self.image is not None
        return built and (self.image, self.modules) == (other.image, other.modules)


@dataclass(frozen=True, slots=True)
class ModuleChange:
    """A module beside the same one of another state. `same`: byte for byte; `growth` is how many bytes it grew by.
    `present`: it is in this state, `was_present`: it is in the other."""

    path: str
    same: bool
    growth: int
    present: bool = True
    was_present: bool = True


@dataclass(frozen=True, slots=True)
class Uncompiled:
    """The source files that a patch changes and its build does not compile."""

    patch: int
    files: tuple[str, ...]


def module_changes(build: StateBuild, other: StateBuild) -> tuple[ModuleChange, ...]:
    """Image and modules of `build` beside those of `other`, in the order of `build`, then those it has no more. Empty
    where one of them was not built."""
    if BuildStatus.OK is not build.status or BuildStatus.OK is not other.status:
        return ()
    now, then = _files(build), _files(other)
    here = (
        ModuleChange(path, then.get(path) == file, file.size - _size(then.get(path)), was_present=path in then)
        for path, file in now.items()
    )
    return (*here, *(ModuleChange(path, False, -file.size, False) for path, file in then.items() if path not in now))


def changed_files(build: StateBuild, other: StateBuild) -> list[str]:
    """The file names of image and modules that `build` and `other` have not alike."""
    return [PurePosixPath(change.path).name for change in module_changes(build, other) if not change.same]


def previous_built(builds: Iterable[StateBuild], patch: int) -> StateBuild | None:
    """The build that a state's own doing shows against: the nearest before `patch` that was built."""
    earlier = [build for build in builds if build.patch < patch and build.status is BuildStatus.OK]
    return max(earlier, key=lambda build: build.patch, default=None)


def _size(file: Module | None) -> int:
    return 0 if file is None else file.size


def _files(build: StateBuild) -> dict[str, Module]:
    image = (build.image,) if build.image is not None else ()
    return {file.path: file for file in (*image, *build.modules)}


def fails_as(build: StateBuild, base: StateBuild | None) -> bool:
    """Whether a state does not build for nothing but what keeps the base from it: the same errors by identity, some of
    them; where make's output names none, the same reason. Of an error that only echoes another that is not known."""
    if base is None or not build.status is base.status is BuildStatus.FAILED:
        return False
    if not build.errors:
        return not base.errors and build.why == base.why
    if any(error.echo for error in build.errors):
        return False
    return {error.identity() for error in build.errors} <= {error.identity() for error in base.errors}


def new_warnings(build: StateBuild, base: StateBuild | None) -> tuple[Diagnostic, ...]:
    """The warnings of `build` that the base does not have, or not as often, by identity (not by line); all of them
    without a base, none beside one that does not build: what it would warn of is not known."""
    if base is not None and base.status is not BuildStatus.OK:
        return ()
    left: dict[Identity, list[Diagnostic]] = {}
    for warning in build.warnings:
        left.setdefault(warning.identity(), []).append(warning)
    for known in base.warnings if base is not None else ():
        if alike := left.get(known.identity()):
            alike.remove(_nearest(alike, known.line))
    fresh = {warning for alike in left.values() for warning in alike}
    return tuple(warning for warning in build.warnings if warning in fresh)


def _nearest(warnings: Iterable[Diagnostic], line: int) -> Diagnostic:
    """The one that most likely was at `line`: lines move, but seldom far."""
    return min(warnings, key=lambda one: abs(one.line - line))


def told_apart(warnings: Iterable[Diagnostic]) -> dict[tuple[Identity, int], Diagnostic]:
    """Each of the warnings of one build under its identity and how many alike come before it."""
    found: dict[tuple[Identity, int], Diagnostic] = {}
    before: Counter[Identity] = Counter()
    for warning in warnings:
        same = warning.identity()
        found[same, before[same]] = warning
        before[same] += 1
    return found
