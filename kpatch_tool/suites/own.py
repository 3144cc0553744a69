"""kpt's own guest tests (kpt_guest/): built from the sources shipped in this package with the machine's gcc.

They have the form of kvm-unit-tests: a directory with unittests.cfg and *.flat images, run by the same code. In the
guest a program beside them (kpt_guest/monitor) takes QEMU's place.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path

from kpatch_tool.errors import MachineError
from kpatch_tool.progress import Progress, silent
from kpatch_tool.system import atomic, lock, process, scratch
from kpatch_tool.workspace import Workspace

SUITE = "kpt-guest"
SOURCE = Path(__file__).parent / "kpt_guest"
MONITOR = "monitor"

_BUILD_SECONDS = 120.0
_TOOLS = ("gcc", "ld", "objcopy", "make")


def build(workspace: Workspace, progress: Progress = silent) -> Path:
    """The directory with the images and unittests.cfg, built now unless an equal build is cached.

    The cache key is the content of every source file and the versions of the tools. Raises MachineError when a tool
    is missing, cannot build them, or the disk is full.
    """
    target = workspace.cache / SUITE / _key(SOURCE)
    if target.is_dir():
        return target
    with lock.held(workspace.lock(SUITE), wait_seconds=_BUILD_SECONDS):
        if target.is_dir():
            return target
        progress("building kpt's own guest tests")
        with atomic.staged_directory(target) as stage:
            compile_into(stage)
    return target


def compile_into(directory: Path, *variables: str) -> None:
    """Compile the images and put them with unittests.cfg into `directory`. `variables` go to make ("BREAK=flush").

    Raises MachineError naming the first error of the compiler.
    """
    # Made in a copy with relative paths only: make cannot work with blanks in file names.
    with scratch.directory("guest") as place:
        work = place / "source"
        with atomic.machine_errors(work):
            atomic.copy_tree(SOURCE, work)
        done = process.run(["make", "O=out", *variables], cwd=work, env=_environment(), timeout=_BUILD_SECONDS)
        if done.status != 0 and (full := process.disk_full(done.stderr.decode("utf-8", "replace"))):
            what = f"cannot build {SUITE}: {full}"
            raise MachineError(what, where=str(place.parent), todo="free some space, or set TMPDIR to another place")
        if done.status != 0:
            raise MachineError(
                f"cannot build: {first_error(done.stderr) or done.last_line()}", where=SUITE, todo="run `kpt doctor`"
            )
        with atomic.machine_errors(directory):
            out = work / "out"
            for built in (*sorted(out.glob("*.flat")), out / "unittests.cfg", out / MONITOR / MONITOR):
                shutil.copy(built, directory / built.name)


def first_error(log: bytes) -> str:
    """The first line of a compiler's, linker's or make's output that tells of an error, or an empty string."""
    lines = [line.strip() for line in log.decode("utf-8", "replace").splitlines()]
    lines = [line for line in lines if not line.startswith("collect2:")]  # it only repeats that the linker failed
    signs = ("error:", "undefined reference", "Error ", "***")
    return next((line for sign in signs for line in lines if sign in line), "")


def _key(source: Path) -> str:
    digest = hashlib.sha256()
    for tool in _TOOLS:
        version, _, _ = process.run([tool, "--version"], env=_environment()).stdout.partition(b"\n")
        digest.update(version + b"\n")
    for path in sorted(path for path in source.rglob("*") if path.is_file()):
        content = path.read_bytes()
        digest.update(f"{path.relative_to(source)} {len(content)}\n".encode() + content)
    return digest.hexdigest()[:16]


def _environment() -> dict[str, str]:
    """The environment without what an outer make would hand down, and with messages in English."""
    return {k: v for k, v in os.environ.items() if not k.startswith(("MAKE", "MFLAGS"))} | {"LC_ALL": "C"}
