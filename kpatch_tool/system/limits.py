"""What a sandbox may use of this machine, and the watch that looks at what all its processes use together.

It reads proc(5) and statvfs(3): limits hold without control groups, which few users may write.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from kpatch_tool.system import cgroups, process

GIB = 1 << 30
MIB = 1 << 20
_CHILDREN = Path("/proc/thread-self/children")  # where the kernel has CONFIG_PROC_CHILDREN


@dataclass(frozen=True, slots=True)
class Limits:
    """What a room may use, in bytes, tasks and seconds."""

    memory: int  # of all its processes together, and the address space of each
    tasks: int = 1024
    file: int = 16 * GIB  # of one file
    written: int = 48 * GIB  # what the disk loses while it runs
    spare: int = 512 * MIB  # what stays free of the machine's memory and disk, or 5 % where that is less
    output: int = 256 * MIB  # what it may print
    seconds: float = 4 * 3600.0
    nice: int = 10  # how much it stands back from other programs


def default_limits(*, aside: bool = True) -> Limits:
    """For a kernel build on this machine: three quarters of its memory, 32 processes for each processor that kpt
    may run on. `aside`: it stands back from other programs."""
    _, size = memory()
    limits = Limits(memory=max(2 * GIB, size * 3 // 4), tasks=max(1024, 32 * process.processors()))
    return limits if aside else replace(limits, nice=0)


class Watch:
    """Looks at a running room: call it with the process id of its bwrap, it tells which limit is passed, else ""."""

    def __init__(self, limits: Limits, places: Sequence[Path]) -> None:
        self._limits = limits
        self._disks = [(place, _free_disk(place)[0]) for place in places]

    def __call__(self, pid: int) -> str:
        return self._of_disk() or self._of_memory() or self._of_processes(pid)

    def _of_disk(self) -> str:
        for place, before in self._disks:
            free, size = _free_disk(place)
            if before - free > self._limits.written:
                return f"it wrote more than {_size(self._limits.written)}"
            if free < min(self._limits.spare, size // 20) and free < before:
                return f"only {_size(free)} of disk are left"
        return ""

    def _of_memory(self) -> str:
        free, size = memory()
        low = free < min(self._limits.spare, size // 20)
        return f"only {_size(free)} of the machine's memory are left" if low else ""

    def _of_processes(self, pid: int) -> str:
        tasks = used = 0
        for one in descendants(pid):
            tasks += one.tasks
            used += one.resident
            if tasks > self._limits.tasks:
                return f"it started more than {self._limits.tasks} processes"
            if used > self._limits.memory:
                return f"it used more than {_size(self._limits.memory)} of memory"
        return ""


def memory() -> tuple[int, int]:
    """The bytes of memory that this machine can still give to programs, and all it has (proc(5)): what the container
    may have, where kpt is in one."""
    fields = dict(line.split(":", 1) for line in Path("/proc/meminfo").read_text("ascii").splitlines())
    free, size = (int(fields[name].split()[0]) << 10 for name in ("MemAvailable", "MemTotal"))
    groups = cgroups.memory()
    return min([free, *(left for left, _ in groups)]), min([size, *(most for _, most in groups)])


@dataclass(frozen=True, slots=True)
class Running:
    """A running process: its id, number of threads, resident memory in bytes."""

    pid: int
    tasks: int
    resident: int


def descendants(pid: int) -> Iterator[Running]:
    """The processes that `pid` started, and those they started (proc(5)); what ends meanwhile is left out."""
    children_of = _listed_children if _CHILDREN.exists() else _children_by_parent()
    pending = [pid]
    page = os.sysconf("SC_PAGE_SIZE")
    while pending:
        one = pending.pop()
        here = Path("/proc", str(one))
        try:
            pending += children_of(one)
            tasks = sum(1 for _ in (here / "task").iterdir())
            resident = int(_words(here / "statm")[1]) * page
        except (OSError, IndexError):
            continue
        if one != pid:
            yield Running(one, tasks, resident)


def _listed_children(pid: int) -> list[int]:
    return [int(word) for task in Path("/proc", str(pid), "task").iterdir() for word in _words(task / "children")]


def _children_by_parent() -> Callable[[int], list[int]]:
    """The same from what every process says of its parent, for kernels that list no children."""
    children: dict[int, list[int]] = {}
    for status in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            # "PID (NAME) STATE PARENT ...": the name may hold anything.
            parent = int(status.read_bytes().rpartition(b")")[2].split()[1])
            children.setdefault(parent, []).append(int(status.parent.name))
    return lambda pid: children.get(pid, [])


def _words(path: Path) -> list[str]:
    return path.read_text("ascii").split()


def _free_disk(place: Path) -> tuple[int, int]:
    found = os.statvfs(place)
    return found.f_bavail * found.f_frsize, found.f_blocks * found.f_frsize


def _size(count: int) -> str:
    return f"{count / GIB:.1f} GB" if count >= GIB else f"{count / MIB:.0f} MB"
