"""What this machine lacks for kpt, and the one command that brings it. The tools are described in doctor.toml."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

from kpatch_tool.errors import MachineError
from kpatch_tool.system import limits, process, sandbox

_GIB = 1 << 30
_PROBE_SECONDS = 10.0
_APT_LISTS = Path("/var/lib/apt/lists")
_KVM_DEVICE = Path("/dev/kvm")
_VERSION = re.compile(r"\d+(?:\.\d+)+")


class Kind(StrEnum):
    """How a tool is recognised."""

    PROGRAM = "program"
    HEADER = "header"
    LIBRARY = "library"


@dataclass(frozen=True, slots=True)
class Tool:
    """One entry of doctor.toml (the fields are explained there)."""

    name: str
    kind: Kind
    find: str
    package: str
    commands: frozenset[str]
    why: str
    required: bool = True
    version: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Finding:
    """A tool as found here: `place` is its path (None: missing), `version` empty where it has none to tell."""

    tool: Tool
    place: Path | None
    version: str = ""

    @property
    def there(self) -> bool:
        return self.place is not None


@dataclass(frozen=True, slots=True)
class Machine:
    """The machine itself: processors, memory and free disk in GiB, what is needed of them; in words, /dev/kvm and the
    sandbox."""

    cores: int
    memory_gb: float
    free_gb: float
    needed_memory_gb: float
    needed_free_gb: float
    kvm: str
    sandbox: str

    @property
    def short_of(self) -> tuple[str, ...]:
        """What there is too little of, as sentences; empty when there is enough."""
        lacks = []
        if self.free_gb < self.needed_free_gb:
            lacks.append(f"{self.free_gb:.1f} GB of disk are free; trees and builds take about {self.needed_free_gb:g}")
        if self.memory_gb < self.needed_memory_gb:
            lacks.append(f"{self.memory_gb:.1f} GB of memory; builds and guests want {self.needed_memory_gb:g}")
        return tuple(lacks)


@dataclass(frozen=True, slots=True)
class Checkup:
    """All that was looked at. `install` is the command that brings what is required and missing: empty when nothing
    is missing, or where there is no apt (`packages` has the names all the same)."""

    findings: tuple[Finding, ...]
    machine: Machine
    packages: tuple[str, ...]
    install: tuple[str, ...]

    @property
    def well(self) -> bool:
        """Nothing required is missing."""
        return not self.packages


def check(place: Path) -> Checkup:
    """Look at this machine; `place` is a directory on the disk that is to hold trees and builds."""
    findings = tuple(find(tool) for tool in tools())
    packages = packages_of(found.tool for found in findings if found.tool.required and not found.there)
    return Checkup(findings, _machine(place), packages, install_command(packages))


@cache
def tools() -> tuple[Tool, ...]:
    """The tools of doctor.toml, in its order."""
    return tuple(_tool(entry) for entry in _data()["tool"])


def missing_for(command: str) -> tuple[Tool, ...]:
    """The required tools that the kpt command `command` ("build") needs and this machine lacks."""
    return tuple(
        tool
        for tool in tools()
        if tool.required and command in tool.commands and find(tool, version=False).place is None
    )


def require(command: str) -> None:
    """Raise MachineError, naming what is missing and the command that brings it, unless `command` can work here."""
    missing = missing_for(command)
    if missing:
        names = ", ".join(tool.name for tool in missing)
        raise MachineError(f"`kpt {command}` needs {names}", todo=_advice(packages_of(missing)))


def packages_of(missing: Iterable[Tool]) -> tuple[str, ...]:
    """The Debian packages that bring `missing`, each once, in order."""
    return tuple(dict.fromkeys(tool.package for tool in missing))


def install_command(packages: tuple[str, ...]) -> tuple[str, ...]:
    """The command that installs `packages`; empty without packages or on a machine without apt-get."""
    if not packages or shutil.which("apt-get") is None:
        return ()
    root = () if os.geteuid() == 0 else ("sudo",)
    return (*root, "apt-get", "install", "-y", "--no-install-recommends", *packages)


def install(packages: tuple[str, ...]) -> None:
    """Install Debian packages, apt's output on standard error; the package lists are fetched when they are absent,
    or when the packages cannot be had with the lists that are here.

    Raises MachineError without apt, without the right to use it, or when apt fails.
    """
    if not packages:
        return
    command = install_command(packages)
    if not command:
        raise MachineError("no apt-get here", todo=f"install what your system calls {' '.join(packages)}")
    if command[0] == "sudo" and shutil.which("sudo") is None:
        raise MachineError(
            "installing packages takes root, and there is no sudo", todo=f"as root: {_line(command[1:])}"
        )
    update = (*command[: command.index("install")], "update", "-q")
    if not any(_APT_LISTS.glob("*_Packages*")):
        _apt(update)
    elif _apt(command) == 0:
        return
    else:
        _apt(update)
    status = _apt(command)
    if status != 0:
        raise MachineError(f"apt-get ended with status {status}", todo=f"see its output above, then: {_line(command)}")


def find(tool: Tool, *, version: bool = True) -> Finding:
    """Look for one tool; with `version` also ask a program for its own."""
    if tool.kind is Kind.PROGRAM:
        place = _program(tool.find)
        known = _program_version(place, tool.version) if place is not None and version and tool.version else ""
        return Finding(tool, place, known)
    return Finding(tool, _header(tool.find) if tool.kind is Kind.HEADER else _library(tool.find))


def version_in(text: str) -> str:
    """The first thing in a program's output that looks like a version ("2.39.5"), or its first line, shortened."""
    first = text.strip().splitlines()[0] if text.strip() else ""
    numbers = _VERSION.search(text)
    return numbers.group() if numbers else first[:16]


def _data() -> Mapping[str, Any]:
    return tomllib.loads(resources.files("kpatch_tool").joinpath("doctor.toml").read_text("utf-8"))


def _tool(entry: Mapping[str, Any]) -> Tool:
    return Tool(
        name=entry["name"],
        kind=Kind(entry["kind"]),
        find=entry["find"],
        package=entry["package"],
        commands=frozenset(entry["commands"]),
        why=entry["why"],
        required=entry.get("required", True),
        version=tuple(entry.get("version", ())),
    )


def _program(name: str) -> Path | None:
    found = shutil.which(name)
    return Path(found) if found else None


def _program_version(place: Path, arguments: tuple[str, ...]) -> str:
    finished = process.run([place, *arguments], timeout=_PROBE_SECONDS)
    return version_in((finished.stdout or finished.stderr).decode("utf-8", "replace"))


def _header(name: str) -> Path | None:
    """Where gcc finds a header: the first line of its dependencies that ends in that name."""
    if shutil.which("gcc") is None:
        return None
    finished = process.run(
        ["gcc", "-M", "-include", name, "-x", "c", "/dev/null"],
        timeout=_PROBE_SECONDS,
        env={**os.environ, "LC_ALL": "C"},
    )
    words = finished.stdout.decode("utf-8", "replace").split() if finished.status == 0 else []
    return next((Path(word) for word in words if word.endswith(f"/{name}")), None)


def _library(name: str) -> Path | None:
    """Where gcc finds a file to link with; it answers with the bare name when it finds none."""
    if shutil.which("gcc") is None:
        return None
    finished = process.run(["gcc", f"-print-file-name={name}"], timeout=_PROBE_SECONDS)
    place = Path(finished.stdout.decode("utf-8", "replace").strip())
    return place if place.is_absolute() and place.is_file() else None


def _machine(place: Path) -> Machine:
    needed = _data()["machine"]
    return Machine(
        cores=process.processors(),
        memory_gb=limits.memory()[1] / _GIB,
        free_gb=shutil.disk_usage(place).free / _GIB,
        needed_memory_gb=float(needed["memory_gb"]),
        needed_free_gb=float(needed["disk_gb"]),
        kvm=_kvm(),
        sandbox=sandbox.missing() or "works",
    )


def _kvm() -> str:
    """/dev/kvm in words. Its being there proves nothing: `kpt test` tries it and falls back to TCG."""
    if not _KVM_DEVICE.exists():
        return "absent: guests run under TCG"
    if not os.access(_KVM_DEVICE, os.R_OK | os.W_OK):
        return "present, not accessible (group kvm): guests run under TCG"
    return "present; `kpt test` tries it before it trusts it"


def _advice(packages: tuple[str, ...]) -> str:
    command = install_command(packages)
    return (
        f"{_line(command)}, or `kpt doctor --install`"
        if command
        else f"install what your system calls {' '.join(packages)}"
    )


def _line(command: tuple[str, ...]) -> str:
    return f"`{' '.join(command)}`"


def _apt(command: tuple[str, ...]) -> int:
    # Not process.run: sudo asks for the password on the terminal, and the user watches apt at work.
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    return subprocess.run(command, stdout=2, env=environment, check=False).returncode
