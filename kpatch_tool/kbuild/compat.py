"""What a kernel of some version needs from this machine's tools (the rules are in compat.toml)."""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Literal

from kpatch_tool.kbuild.toolchain import Toolchain
from kpatch_tool.kbuild.versions import Range, Version, parse
from kpatch_tool.system import atomic

_HERE = Path(__file__).parent
_RULES = "compat.toml"

ModuleGoals = Literal["names", "directories"]


@dataclass(frozen=True, slots=True)
class Rule:
    """One entry of compat.toml."""

    name: str
    why: str
    kernel: Range
    gcc: Range
    binutils: Range
    make_version: Range
    cc: tuple[str, ...] = ()
    hostcc: tuple[str, ...] = ()
    make: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    config: tuple[str, ...] = ()
    modules: ModuleGoals | None = None

    def holds(self, kernel: Version, tools: Toolchain) -> bool:
        """Whether that kernel with those tools is what the rule is about."""
        return (
            self.kernel.holds(kernel)
            and (bool(tools.gcc) or self.gcc == Range())
            and self.gcc.holds(tools.gcc)
            and self.binutils.holds(tools.binutils)
            and self.make_version.holds(tools.make)
        )


@dataclass(frozen=True, slots=True)
class Compat:
    """The rules that hold, put together. `cc` and `hostcc` are the words after the compiler's name; {data} in them and
    in `make` stands for the directory given to `install`; `identity` is a digest of all of it."""

    rules: tuple[str, ...]
    cc: tuple[str, ...]
    hostcc: tuple[str, ...]
    make: Mapping[str, str]
    headers: Mapping[str, str]
    config: tuple[str, ...]
    modules: ModuleGoals
    identity: str

    def variables(self, tools: Toolchain, data: Path) -> dict[str, str]:
        """The make variables, with headers in `data`."""
        found = {name: value.replace("{data}", str(data)) for name, value in self.make.items()}
        if self.cc:
            found["CC"] = " ".join([tools.cc, *(word.replace("{data}", str(data)) for word in self.cc)])
        if self.hostcc:
            found["HOSTCC"] = " ".join(["gcc", *self.hostcc])
        return found

    def install(self, data: Path) -> None:
        """Write the headers below `data`; what is there already and right is left alone (make goes by its time)."""
        for target, source in self.headers.items():
            text = (_HERE / "compat" / source).read_bytes()
            place = data / target
            if not place.is_file() or place.read_bytes() != text:
                atomic.write_bytes(place, text)


@cache
def rules() -> tuple[Rule, ...]:
    """All rules, in the order of the file."""
    data = tomllib.loads((_HERE / _RULES).read_text("utf-8"))
    return tuple(_rule(entry) for entry in data["rule"])


def compat(kernel: Version, tools: Toolchain) -> Compat:
    """What it takes to build `kernel` (empty: unknown, taken for the newest) with `tools`."""
    held = tuple(rule for rule in rules() if rule.holds(kernel, tools))
    major = str(tools.gcc[0]) if tools.gcc else ""
    make: dict[str, str] = {}
    headers: dict[str, str] = {}
    modules: ModuleGoals = "names"
    for rule in held:
        make.update(rule.make)
        headers.update({name.replace("{gcc}", major): source for name, source in rule.headers.items()})
        modules = rule.modules or modules
    cc = tuple(word for rule in held for word in rule.cc)
    hostcc = tuple(word for rule in held for word in rule.hostcc)
    config = tuple(line for rule in held for line in rule.config)
    digest = hashlib.sha256(repr((cc, hostcc, sorted(make.items()), config)).encode())
    for name, source in sorted(headers.items()):
        digest.update(name.encode() + (_HERE / "compat" / source).read_bytes())
    return Compat(tuple(rule.name for rule in held), cc, hostcc, make, headers, config, modules, digest.hexdigest())


def _rule(entry: Mapping[str, Any]) -> Rule:
    return Rule(
        name=entry["name"],
        why=entry["why"],
        kernel=_range(entry, "kernel"),
        gcc=_range(entry, "gcc"),
        binutils=_range(entry, "binutils"),
        make_version=_range(entry, "make_version"),
        cc=tuple(entry.get("cc", ())),
        hostcc=tuple(entry.get("hostcc", ())),
        make=entry.get("make", {}),
        headers=entry.get("headers", {}),
        config=tuple(entry.get("config", ())),
        modules=entry.get("modules"),
    )


def _range(entry: Mapping[str, Any], name: str) -> Range:
    found = entry.get(name, {})
    return Range(parse(found.get("since", "")), parse(found.get("until", "")))
