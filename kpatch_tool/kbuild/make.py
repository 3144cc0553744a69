"""Running make for the kernel: the same words and the same environment every time, so that equal states give equal
files."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from kpatch_tool.kbuild import diagnostics
from kpatch_tool.system import process, sandbox
from kpatch_tool.system.limits import default_limits
from kpatch_tool.system.sandbox import Room

# What Kbuild puts into images and modules besides the source (Documentation/kbuild/reproducible-builds.rst).
_REPRODUCIBLE = {
    "KBUILD_BUILD_TIMESTAMP": "Thu Jan  1 00:00:00 UTC 1970",
    "KBUILD_BUILD_USER": "kpt",
    "KBUILD_BUILD_HOST": "kpt",
    "KBUILD_BUILD_VERSION": "1",
}
_KEPT = ("PATH", "HOME", "TMPDIR", "LD_LIBRARY_PATH")
# Where distributions keep compilers' names that lead to ccache (its manual, "Run modes"): Debian, Arch, Fedora.
_CCACHE = tuple(map(Path, ("/usr/lib/ccache", "/usr/lib/ccache/bin", "/usr/lib64/ccache")))
_CCACHE_SIZE = "2G"
_BY_SIGNAL = 128  # make ends with 0, 1 or 2; the shell around it adds this to the number of a signal


@dataclass(frozen=True, slots=True)
class Make:
    """How to call make for one object directory. `variables` are given on the command line; `notes` is the directory
    with what kpt gives it to read (the configuration asked for, headers); `aside`: make stands back from other
    programs."""

    source: Path
    objects: Path
    notes: Path
    arch: str
    variables: Mapping[str, str]
    jobs: int
    aside: bool = False

    def run(
        self,
        goals: Sequence[str],
        log: Path,
        *,
        env: Mapping[str, str] | None = None,
        on_line: Callable[[bytes], None] | None = None,
    ) -> process.Finished:
        """Make `goals` (targets or VARIABLE=value words) in a sandbox, everything it prints going to the file `log`."""
        words = {**environment(), **self._cached(), **(env or {})}
        limits = default_limits(aside=self.aside)
        return sandbox.run_logged(
            self.argv(goals), log, self.room, cwd=self.source, env=words, limits=limits, on_line=on_line
        )

    @property
    def room(self) -> Room:
        """What make may write and read."""
        own = sandbox.beyond_system(["make", *toolchain_programs(self.variables)])
        return Room(self._writable, (self.source, self.notes, *own))

    @property
    def _writable(self) -> tuple[Path, ...]:
        return (self.objects, self.cache) if ccache() is not None else (self.objects,)

    @property
    def cache(self) -> Path:
        """ccache's directory. It has the objects' own scope, a tree and an architecture: whoever may write the one may
        write the other, so that a Makefile that lies in its cache fools nobody whom it could not fool without."""
        return self.objects.with_name(f"{self.objects.name}.ccache")

    def _cached(self) -> dict[str, str]:
        """The environment in which compilers' names lead to ccache. `CC` stays what it is: Kbuild would make everything
        anew where it changes."""
        links = ccache()
        if links is None:
            return {}
        self.cache.mkdir(parents=True, exist_ok=True)
        path = f"{links}:{os.environ.get('PATH', os.defpath)}"
        # Kbuild has every compiler write what it read: ccache needs no preprocessor of its own to know (its manual).
        return {"PATH": path, "CCACHE_DIR": str(self.cache), "CCACHE_MAXSIZE": _CCACHE_SIZE, "CCACHE_DEPEND": "1"}

    def argv(self, goals: Sequence[str]) -> tuple[str, ...]:
        """The words of the command."""
        return (
            "make",
            f"-j{self.jobs}",
            "--output-sync=target",  # the lines of a recipe stay together: kbuild.diagnostics counts on it
            "--no-print-directory",
            f"O={self.objects}",
            f"ARCH={self.arch}",
            "LOCALVERSION=",
            *(f"{name}={value}" for name, value in sorted(self.variables.items())),
            *goals,
        )


def machine_fault(done: process.Finished, log: bytes) -> str | None:
    """Why it is this machine's fault that make, which printed `log`, failed: a bound, a full disk, a signal. None where
    it is the fault of what it made."""
    if done.stopped:
        return f"make was stopped: {done.stopped}"
    if done.timed_out:
        return f"make was stopped after {done.seconds:.0f} s"
    if (reason := diagnostics.infra_reason(log)) is not None:
        return reason
    return None if 0 <= done.status < _BY_SIGNAL else f"make was ended by a signal (status {done.status})"


def ccache() -> Path | None:
    """The directory with compilers' names that lead to ccache; None where it is not installed or not wanted
    (CCACHE_DISABLE, ccache(1))."""
    if os.environ.get("CCACHE_DISABLE"):
        return None
    return next((links for links in _CCACHE if (links / "gcc").exists()), None)


def environment() -> dict[str, str]:
    """The environment of make: nothing of the caller's that a kernel Makefile reads."""
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    return {**kept, **_REPRODUCIBLE, "LC_ALL": "C", "TERM": "dumb"}


def toolchain_programs(variables: Mapping[str, str]) -> list[str]:
    """The compilers and linkers that make variables name."""
    prefix = variables.get("CROSS_COMPILE", "")
    named = (variables.get(name, "").split()[:1] for name in ("CC", "LD", "AS", "HOSTCC"))
    return [f"{prefix}gcc", f"{prefix}ld", *(word for words in named for word in words)]
