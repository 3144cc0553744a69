"""The layout of a diffstat that lost its white space: git's (`show_stats` in diff.c)."""

from __future__ import annotations

import re

# Bounded, since every line of a diffstat is made as wide as its widest one.
_FILE = re.compile(r"^(\S.{0,254}?) \| (Bin(?: .*)?|\d{1,9})(?: ([+-]+))?$")
_SUMMARY = re.compile(r"^\d+ files? changed(, \d+ insertions?\(\+\))?(, \d+ deletions?\(-\))?$")
_MODE = re.compile(
    r"^(create|delete) mode [0-7]{6} |^mode change [0-7]{6} => [0-7]{6} |^(rename|copy|rewrite) .*\(\d+%\)$"
)


def laid_out(text: str) -> str:
    """`text` (a note below `---`) with every diffstat in it laid out as git does.

    A diffstat is a run of ` path | N +++--` lines that ends in ` N files changed`; other lines stay as they are.
    """
    out: list[str] = []
    block: list[tuple[str, str, str]] = []
    lines = text.split("\n")
    after = False
    for line in lines:
        stripped = line.strip()
        if found := _FILE.match(stripped):
            block.append((found[1], found[2], found[3] or ""))
            after = False
            continue
        if block:
            is_stat = bool(_SUMMARY.match(stripped))
            out += _formatted(block) if is_stat else [_as_received(entry) for entry in block]
            block = []
            if is_stat:
                out.append(f" {stripped}")
                after = True
                continue
        if after and _MODE.match(stripped):
            out.append(f" {stripped}")
            continue
        after = False
        out.append(line)
    return "\n".join([*out, *(_as_received(entry) for entry in block)])


def _as_received(entry: tuple[str, str, str]) -> str:
    name, count, graph = entry
    return f"{name} | {count}{' ' + graph if graph else ''}"


def _formatted(block: list[tuple[str, str, str]]) -> list[str]:
    names = max(len(name) for name, _, _ in block)
    digits = max((len(count) if count.isdigit() else 3) for _, count, _ in block)
    out = []
    for name, count, graph in block:
        if count.isdigit():
            out.append(f" {name:<{names}} | {count:>{digits}}{' ' + graph if graph else ''}")
        else:
            # `Bin` stands at the right end of the numbers' column, its sizes after it.
            out.append(f" {name:<{names}} | {'Bin':>{digits}}{count[3:]}")
    return out
