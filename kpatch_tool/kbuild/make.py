"""Running make for the kernel: the same words and the same environment every time, so that equal states give equal
files."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from kpatch_tool import process

# What Kbuild puts into images and modules besides the source (Documentation/kbuild/reproducible-builds.rst).
_REPRODUCIBLE = {
    "KBUILD_BUILD_TIMESTAMP": "Thu Jan  1 00:00:00 UTC 1970",
    "KBUILD_BUILD_USER": "kpt",
    "KBUILD_BUILD_HOST": "kpt",
    "KBUILD_BUILD_VERSION": "1",
}
_KEPT = ("PATH", "HOME", "TMPDIR", "LD_LIBRARY_PATH", "CCACHE_DIR")

# When kpt is killed with no chance to clean up, the kernel sends this shell SIGTERM and it takes make and all its
# children along. Without it they would go on writing into the object directory.
_GUARD = 'trap "kill -KILL 0" TERM; "$@" & wait $!'


@dataclass(frozen=True, slots=True)
class Make:
    """How to call make for one object directory. `variables` are given on the command line."""

    source: Path
    objects: Path
    arch: str
    variables: Mapping[str, str]
    jobs: int

    def run(
        self,
        goals: Sequence[str],
        log: Path,
        *,
        env: Mapping[str, str] | None = None,
        on_line: Callable[[bytes], None] | None = None,
    ) -> process.Finished:
        """Make `goals` (targets or VARIABLE=value words), everything it prints going to the file `log`."""
        return process.run_logged(
            guarded(self.argv(goals)), log, cwd=self.source, env={**environment(), **(env or {})}, on_line=on_line
        )

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


def environment() -> dict[str, str]:
    """The environment of make: nothing of the caller's that a kernel Makefile reads."""
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    return {**kept, **_REPRODUCIBLE, "LC_ALL": "C", "TERM": "dumb"}


def guarded(argv: Sequence[str]) -> tuple[str, ...]:
    """`argv`, so started that it dies with all its children when kpt does (where util-linux has setpriv)."""
    if shutil.which("setpriv") is None:
        return tuple(argv)
    return ("setpriv", "--pdeathsig", "TERM", "--", "sh", "-c", _GUARD, "sh", *argv)
