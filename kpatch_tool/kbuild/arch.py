"""Architectures are data: arch/NAME.toml says how one is configured, built and loaded."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from kpatch_tool.errors import InputError
from kpatch_tool.kbuild.versions import Range, Version, parse

_HERE = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class ArchModule:
    """A module to build: path in the object directory, and the kernel versions that have it."""

    path: str
    kernels: Range


@dataclass(frozen=True, slots=True)
class Arch:
    """One architecture (the fields are explained in arch/x86_64.toml). `fragments` are existing files."""

    name: str
    make_arch: str
    image: str
    image_target: str
    base_config: str
    fragments: tuple[Path, ...]
    modules: tuple[ArchModule, ...]
    module_directories: tuple[str, ...]
    module_symbols: tuple[str, ...]

    def modules_of(self, kernel: Version) -> tuple[str, ...]:
        """The modules that kernel has, in the order to load them."""
        return tuple(module.path for module in self.modules if module.kernels.holds(kernel))


def names() -> tuple[str, ...]:
    """The architectures kpt knows."""
    return tuple(sorted(path.stem for path in (_HERE / "arch").glob("*.toml")))


@cache
def load(name: str) -> Arch:
    """The architecture called `name`. Raises InputError for one kpt does not know."""
    if name not in names():
        raise InputError(f"unknown architecture {name!r}", where="--arch", todo=f"known: {', '.join(names())}")
    data = tomllib.loads((_HERE / "arch" / f"{name}.toml").read_text("utf-8"))
    return Arch(
        name=name,
        make_arch=data["make_arch"],
        image=data["image"],
        image_target=data["image_target"],
        base_config=data["base_config"],
        fragments=tuple(_HERE / "config" / fragment for fragment in data["fragments"]),
        modules=tuple(_module(entry) for entry in data["modules"]),
        module_directories=tuple(data["module_directories"]),
        module_symbols=tuple(data["module_symbols"]),
    )


def _module(entry: dict[str, Any]) -> ArchModule:
    return ArchModule(entry["path"], Range(parse(entry.get("since", "")), parse(entry.get("until", ""))))
