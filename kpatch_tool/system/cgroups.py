"""What control groups leave kpt of the machine, as in a container or below a service manager (cgroups(7)).

Both versions are read, of kpt's own group and of those it lies in: the least of their limits holds. Formats: the
kernel's Documentation/admin-guide/cgroup-v2.rst, cgroup-v1/memory.rst, scheduler/sched-bwc.rst.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path, PurePosixPath

_QUOTAS = (("cpu.max",), ("cpu.cfs_quota_us", "cpu.cfs_period_us"))  # microseconds of each period
# What a group may have, has, and could give back of that: memory.stat counts bytes, in version 1 with the groups below
# it under other names.
_MEMORY = (("memory.max", "memory.current", ""), ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_"))
_GIVEN_BACK = ("active_file", "inactive_file", "slab_reclaimable")


def processors() -> int | None:
    """How many processors' time the groups leave, rounded up; None where they set no limit."""
    return quota(_groups("cpu"))


def memory() -> list[tuple[int, int]]:
    """The bytes of memory that each group with a limit can still have, and may have in all."""
    return list(room(_groups("memory")))


def quota(groups: Sequence[Path]) -> int | None:
    """`processors` for these directories of the cgroup file system."""
    found = []
    for group in groups:
        for names in _QUOTAS:
            words = [word for name in names for word in _read(group / name).split()]
            if len(words) == 2 and all(word.isdecimal() and int(word) for word in words):  # none: "max", or -1
                found.append(int(words[0]) / int(words[1]))
    return max(1, math.ceil(min(found))) if found else None


def room(groups: Sequence[Path]) -> Iterator[tuple[int, int]]:
    """`memory` for these directories of the cgroup file system. What the kernel keeps of files is not counted as
    taken, as in MemAvailable of proc(5): it goes when memory is wanted."""
    for group in groups:
        for limit, usage, prefix in _MEMORY:
            most, used = (_read(group / name).strip() for name in (limit, usage))
            if most.isdecimal() and used.isdecimal():  # none: "max", or in version 1 more than any machine has
                lines = (line.split() for line in _read(group / "memory.stat").split("\n"))
                counts = {line[0]: int(line[1]) for line in lines if len(line) == 2 and line[1].isdecimal()}
                back = sum(counts.get(f"{prefix}{name}", 0) for name in _GIVEN_BACK)
                yield max(0, int(most) - max(0, int(used) - back)), int(most)


def places(controller: str, memberships: str, mounts: str) -> tuple[Path, ...]:
    """The directories of a process's group and of those it lies in, where `controller` ("cpu", "memory") may have its
    files: `memberships` is its /proc/PID/cgroup, `mounts` its /proc/PID/mountinfo (proc(5))."""
    rows = (line.split(":", 2) for line in memberships.split("\n") if line.count(":") >= 2)
    paths = {name: PurePosixPath(path) for _, names, path in rows for name in names.split(",")}
    found: list[Path] = []
    for name, mounted in _mounted(controller, mounts).items():
        path = paths.get(name)
        if path is None:
            continue
        ours = [(top, path.relative_to(root)) for root, top in mounted if path.is_relative_to(root)]
        if ".." in path.parts or not ours:  # of a place that /proc does not know in these words, or not of this one
            ours = [(top, PurePosixPath()) for _, top in mounted]
        found += [Path(top, step) for top, inside in ours for step in (inside, *inside.parents)]
    return tuple(dict.fromkeys(found))


def _mounted(controller: str, mounts: str) -> dict[str, list[tuple[str, str]]]:
    """Which directory of the groups is mounted where, by the name that /proc/PID/cgroup has for their kind: that of the
    controller, or none in version 2."""
    found: dict[str, list[tuple[str, str]]] = {}
    for line in mounts.split("\n"):  # names may have what Unicode calls the end of a line, or a blank
        mount, _, system = line.partition(" - ")
        ends, words = mount.split(" ")[3:5], system.split(" ")
        name = {"cgroup2": "", "cgroup": controller}.get(words[0])
        if name is not None and (not name or name in words[-1].split(",")) and len(ends) == 2:
            root, top = map(_plain, ends)
            found.setdefault(name, []).append((root, top))
    return found


@cache
def _groups(controller: str) -> tuple[Path, ...]:
    return places(controller, _read(Path("/proc/self/cgroup")), _read(Path("/proc/self/mountinfo")))


def _plain(word: str) -> str:
    """A path of mountinfo with its blanks and backslashes, which it writes in octal."""
    return re.sub(r"\\([0-7]{3})", lambda found: chr(int(found[1], 8)), word)


def _read(file: Path) -> str:
    """What is in a file; nothing where it is not there or not for us."""
    try:
        return file.read_bytes().decode("utf-8", "surrogateescape")
    except OSError:
        return ""
