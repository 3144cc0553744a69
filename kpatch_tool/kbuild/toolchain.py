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
    """The tools a build with these make variables (CC, LD, AS, CROSS_COMPILE, LLVM) uses. Raises MachineError when one
    is missing."""
    prefix = variables.get("CROSS_COMPILE", "")
    compiler, linker = _of_llvm(variables.get("LLVM", "")) or (f"{prefix}gcc", f"{prefix}ld")
    return _probe(
        variables.get("CC", compiler),
        variables.get("AS", f"{prefix}as"),
        variables.get("LD", linker),
        os.environ.get("PATH", ""),
    )


def _of_llvm(value: str) -> tuple[str, str] | None:
    """Compiler and linker by the make variable LLVM, which is a directory with a slash behind it, a version behind a
    hyphen or anything else (Documentation/kbuild/llvm.rst); None where it is not set."""
    if not value:
        return None
    before = value if value.endswith("/") else ""
    behind = value if value.startswith("-") else ""
    return f"{before}clang{behind}", f"{before}ld.lld{behind}"


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
