"""A tree from a tar archive (plain, .gz, .bz2, .xz), read as a stream and never unpacked."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, ClassVar

from kpatch_tool.errors import InputError, MachineError
from kpatch_tool.progress import Progress
from kpatch_tool.system import magic, process
from kpatch_tool.tree.archive import tar_items
from kpatch_tool.tree.importing import import_items

_MOMENT = 0.2  # seconds
_MEMORY = "--memlimit-decompress=1GiB"  # an archive may ask xz for 4 GB
# First bytes of the file -> the program that unpacks it. They count, not the name.
_UNPACKERS = ((magic.GZIP, "gzip"), (magic.XZ, "xz"), (magic.BZIP2, "bzip2"), (magic.ZSTD, "zstd"))


@dataclass(frozen=True, slots=True)
class Tarball:
    """`source` is the archive's path."""

    source: str
    kind: ClassVar[str] = "tarball"
    ref: ClassVar[str] = ""

    def fill(self, git_dir: Path, cache: Path, progress: Progress) -> str:
        """See adding.Source."""
        return import_tarball(git_dir, Path(self.source), f"Import {Path(self.source).name}\n", progress)


def import_tarball(git_dir: Path, path: Path, message: str, progress: Progress) -> str:
    """Import the archive `path` as one commit, its common top directory left out; returns the commit id."""
    program = _unpacker(path)
    total = _unpacked_size(path, program)
    with _unpacked(path, program) as stream:

        def show(done: int) -> None:
            progress(f"importing {path.name}", min(done, total) if total else done, total)

        return import_items(git_dir, tar_items(stream, str(path), show), message, where=str(path), strip=True)


def _unpacker(path: Path) -> str | None:
    """The program that unpacks the archive, None for a plain one. Raises InputError when it cannot be read."""
    try:
        with path.open("rb") as file:
            begin = file.read(8)
    except OSError as error:
        raise InputError(f"cannot be read: {(error.strerror or '').lower()}", where=str(path)) from error
    return next((name for start, name in _UNPACKERS if begin.startswith(start)), None)


@contextlib.contextmanager
def _unpacked(path: Path, program: str | None) -> Iterator[IO[bytes]]:
    """The archive as an uncompressed stream. Raises InputError when it is damaged."""
    if program is None:
        with path.open("rb") as stream:
            yield stream
        return
    try:
        child = subprocess.Popen(
            [program, *((_MEMORY,) if program == "xz" else ()), "-dc", "--", path],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
    except FileNotFoundError as error:
        raise MachineError(f"program {program!r} is not installed", todo="run `kpt doctor`") from error
    assert child.stdout is not None
    assert child.stderr is not None
    try:
        try:
            yield child.stdout
        except InputError as error:
            with contextlib.suppress(subprocess.TimeoutExpired):  # it waits for its reader: it is well
                if child.wait(_MOMENT) > 0:
                    raise _damaged(child.stderr, path) from error
            raise
        while child.stdout.read(1 << 20):  # padding after the last member
            pass
        if child.wait() != 0:
            raise _damaged(child.stderr, path)
    finally:
        child.kill()
        child.wait()
        child.stdout.close()
        child.stderr.close()


def _damaged(complaint: IO[bytes], path: Path) -> InputError:
    """What a program that unpacks complained of."""
    first, _, _ = complaint.read(4096).decode("utf-8", "replace").strip().partition("\n")
    return InputError(f"damaged archive ({first.rpartition(f'{path}: ')[2]})", where=str(path), todo="fetch it again")


def _unpacked_size(path: Path, program: str | None) -> int:
    """Bytes of the uncompressed archive where that is cheap to know (xz keeps an index), else 0."""
    if program is None:
        return path.stat().st_size
    if program == "xz":
        listed = process.run(["xz", "--robot", "--list", "--", path])
        for line in listed.stdout.decode("ascii", "replace").splitlines():
            if line.startswith("totals\t"):
                return int(line.split("\t")[4])
    return 0
