"""The compiler, binutils and make of this machine."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from kpatch_tool.errors import MachineError
from kpatch_tool.kbuild.versions import Version, parse
from kpatch_tool.system import process

_PROBE_SECONDS = 20.0
_IN_BRACKETS = re.compile(r"\([^)]*\)")


@dataclass(frozen=True, slots=True)
class Toolchain:
    """Versions as numbers, and `identity`: what the programs say of themselves, for the key of an artifact.

    `gcc` is empty when the compiler is another (clang)."""

    cc: str
    gcc: Version
    binutils: Version
    make: Version
    identity: tuple[str, ...]


def probe(variables: Mapping[str, str]) -> Toolchain:
    """The tools a build with these make variables (CC, LD, AS, CROSS_COMPILE) uses. Raises MachineError when one is
    missing."""
    prefix = variables.get("CROSS_COMPILE", "")
    return _probe(
        variables.get("CC", f"{prefix}gcc"),
        variables.get("AS", f"{prefix}as"),
        variables.get("LD", f"{prefix}ld"),
        os.environ.get("PATH", ""),
    )


@cache
def _probe(cc: str, assembler: str, linker: str, _path: str) -> Toolchain:
    lines = tuple(_first_line(program) for program in (cc, assembler, linker, "make"))
    compiler, binutils, _, make = lines
    is_gcc = "clang" not in compiler
    return Toolchain(
        cc=cc,
        gcc=_version(compiler) if is_gcc else (),
        binutils=_version(binutils),
        make=_version(make),
        identity=lines,
    )


def _first_line(program: str) -> str:
    done = process.run([*program.split(), "--version"], timeout=_PROBE_SECONDS)
    if done.status != 0 or not done.stdout:
        raise MachineError(f"does not tell its version: {done.last_line()}", where=program, todo="run `kpt doctor`")
    return done.stdout.decode("utf-8", "replace").splitlines()[0].strip()


def _version(line: str) -> Version:
    """The version in "gcc (Debian 12.2.0-14) 12.2.0", where the vendor's note in brackets has numbers too."""
    return parse(_IN_BRACKETS.sub("", line)) or parse(line)
