"""The values of a build."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path


class BuildStatus(StrEnum):
    """Whose fault it is: `failed` is the kernel's, `infra` this machine's (disk full, compiler killed)."""

    OK = "ok"
    FAILED = "failed"
    INFRA = "infra"


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """An error or warning of compiler, assembler, linker, modpost or make. `file` is relative to the source tree,
    `line` 0 where none is known, `option` as in "-Wunused-variable", empty for an error."""

    file: str
    line: int
    message: str
    option: str = ""

    def identity(self) -> tuple[str, str, str]:
        """What stays the same when lines move."""
        return (self.file, self.option, self.message)


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
    sentence, never empty."""

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


def new_warnings(build: StateBuild, base: StateBuild | None) -> tuple[Diagnostic, ...]:
    """The warnings of `build` that the base does not have, by identity (not by count or line)."""
    known = {warning.identity() for warning in base.warnings} if base is not None else set()
    return tuple(warning for warning in build.warnings if warning.identity() not in known)
