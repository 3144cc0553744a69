"""How far a change reaches: does it touch modules only, or the image too?

Asking make for the named modules costs a fraction of asking it for everything, because make then visits two directories
instead of all. That is allowed only when nothing that is linked into the image can differ. Three kinds of files
qualify:

- C and assembler files and headers inside the architecture's `module_directories` (arch/x86/kvm/, virt/kvm/), whose
  objects are all parts of modules while CONFIG_KVM and its like are `m`. Built-in parts of KVM (arch/x86/kernel/kvm.c)
  lie elsewhere and do not qualify.
- tests and texts that no kernel build reads (tools/testing/, .rst and .txt below Documentation/);
- headers elsewhere that make's own records (.cmd files, written by fixdep) name as used by objects in those directories
  and by no other: include/linux/kvm_host.h in most configurations.

A file that a record of the image names never qualifies. Everything else (Makefiles, Kconfig, scripts, new or deleted
files outside) is taken to reach everything. The records are collected after each build of everything; a build of
modules alone cannot change what the image's objects include, so they stay true until the next.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from kpatch_tool.system import atomic, leftovers

_FILE = "reach.json"
_CODE = (".c", ".h", ".S")
_APART = re.compile(r"tools/testing/|Documentation/.*\.(?:rst|txt)$")


@dataclass(frozen=True, slots=True)
class ChangedPath:
    """A path that differs between two states; `status` is git's letter (M, A, D, T)."""

    path: str
    status: str


@dataclass(frozen=True, slots=True)
class Uses:
    """Source files by who uses them: objects of the image (and host tools), objects of modules."""

    image: frozenset[str]
    modules: frozenset[str]


def modules_suffice(changes: Iterable[ChangedPath], uses: Uses, directories: tuple[str, ...]) -> bool:
    """Whether building the modules brings everything up to date after `changes`; all objects in `directories`
    ("virt/kvm/") are in modules."""
    return all(_is_module_only(change, uses, directories) for change in changes)


def _is_module_only(change: ChangedPath, uses: Uses, directories: tuple[str, ...]) -> bool:
    if change.path in uses.image:
        return False
    if _APART.match(change.path):
        return True
    if not change.path.endswith(_CODE):
        return False
    if change.path.startswith(directories):
        return True
    return change.status == "M" and change.path in uses.modules


def collect(objects: Path, source: Path, directories: tuple[str, ...]) -> Uses:
    """Read make's records below the object directory; all objects in `directories` are in modules."""
    image: set[str] = set()
    modules: set[str] = set()
    prefix = os.fsencode(source) + b"/"
    word = re.compile(rb"(?<![^\s])" + re.escape(prefix) + rb"([^\s)]+)")
    for directory, names in leftovers.walk(objects):
        inside = os.path.relpath(directory, objects) + "/"
        into = modules if inside.startswith(directories) else image
        for name in names:
            if name.startswith(".") and name.endswith((".cmd", ".d")):
                text = leftovers.listing(directory / name)
                into.update(os.path.normpath(os.fsdecode(found)) for found in word.findall(text))
    return Uses(frozenset(image), frozenset(modules))


def save(notes: Path, uses: Uses) -> None:
    """Keep `uses` among the notes of the object directory."""
    atomic.write_text(
        notes / _FILE, json.dumps({"image": sorted(uses.image), "modules": sorted(uses.modules)}, indent=0)
    )


def load(notes: Path) -> Uses | None:
    """What `save` kept, or None."""
    try:
        data = json.loads((notes / _FILE).read_bytes())
        return Uses(frozenset(data["image"]), frozenset(data["modules"]))
    except (FileNotFoundError, ValueError, KeyError):
        return None
