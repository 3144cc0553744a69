"""Configuration: fragments in, questions of what survived out.

A fragment is a list of `CONFIG_X=value` (or `# CONFIG_X is not set`) lines. A remark after a value may limit it to some
kernel versions: `CONFIG_RSEQ=y  # since 4.18`. Nothing here runs make.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from kpatch_tool.errors import InputError
from kpatch_tool.kbuild.versions import Range, Version, parse

OFF = "n"

_SET = re.compile(r"^(?P<symbol>CONFIG_\w+)\s*=\s*(?P<value>\"(?:[^\"\\]|\\.)*\"|[^\s#]+)\s*(?:#(?P<remark>.*))?$")
_UNSET = re.compile(r"^#\s*(?P<symbol>CONFIG_\w+) is not set\s*$")
_SINCE = re.compile(r"\bsince (\d+(?:\.\d+)+)")
_UNTIL = re.compile(r"\buntil (\d+(?:\.\d+)+)")


@dataclass(frozen=True, slots=True)
class Asked:
    """A symbol somebody asks for. `value` is "y", "m", "n" (also for "is not set"), a number or a quoted string;
    `origin` says where ("kvm-guest.config:12")."""

    symbol: str
    value: str
    origin: str


@dataclass(frozen=True, slots=True)
class Lost:
    """A symbol that came out other than asked; `got` is "n" for one that is off or that the kernel does not know."""

    asked: Asked
    got: str


def read_fragment(text: str, origin: str, kernel: Version) -> tuple[Asked, ...]:
    """The symbols a fragment asks of a kernel of that version. Raises InputError for a line that is neither a
    setting, a comment nor blank."""
    asked = []
    for number, raw in enumerate(text.splitlines(), 1):
        line = raw.strip()
        where = f"{origin}:{number}"
        unset = _UNSET.match(line)
        if unset is not None:
            asked.append(Asked(unset["symbol"], OFF, where))
            continue
        if not line or line.startswith("#"):
            continue
        found = _SET.match(line)
        if found is None:
            raise InputError(f"not a line of configuration: {line[:60]!r}", where=where, todo="write CONFIG_NAME=value")
        if _range(found["remark"] or "").holds(kernel):
            asked.append(Asked(found["symbol"], found["value"], where))
    return tuple(asked)


def merged(asked: Iterable[Asked]) -> tuple[Asked, ...]:
    """One entry a symbol: the last, in the order of first mention."""
    return tuple({one.symbol: one for one in asked}.values())


def render(asked: Iterable[Asked]) -> str:
    """The text for KCONFIG_ALLCONFIG."""
    return "".join(
        f"# {one.symbol} is not set\n" if one.value == OFF else f"{one.symbol}={one.value}\n" for one in asked
    )


def values(dotconfig: str) -> Mapping[str, str]:
    """The symbols a .config sets (those that are off are absent)."""
    found = (_SET.match(line) for line in dotconfig.splitlines() if line.startswith("CONFIG_"))
    return {match["symbol"]: match["value"] for match in found if match}


def lost(asked: Iterable[Asked], dotconfig: str) -> tuple[Lost, ...]:
    """Which of the symbols asked for are not so in the .config that came out."""
    have = values(dotconfig)
    return tuple(Lost(one, have.get(one.symbol, OFF)) for one in asked if have.get(one.symbol, OFF) != one.value)


def depends_on(kconfig: str, symbol: str) -> str | None:
    """The `depends on` lines of `config SYMBOL` (without CONFIG_) in the text of a Kconfig file, joined; empty where
    it has none, None where the text has no such entry."""
    entry = re.search(rf"^(?:menu)?config {re.escape(symbol)}\n((?:(?:[ \t].*)?\n)*)", kconfig, re.MULTILINE)
    if entry is None:
        return None
    wants = re.findall(r"^[ \t]+depends on (.+)$", entry[1].split("help\n")[0], re.MULTILINE)
    return " && ".join(wants)


def _range(remark: str) -> Range:
    since, until = _SINCE.search(remark), _UNTIL.search(remark)
    return Range(parse(since[1]) if since else (), parse(until[1]) if until else ())
