"""Directories in which a stranger's program wrote: walking through them and removing them, whatever is there.

Python's os.walk (until 3.12) and shutil.rmtree go down by recursion, which ends at a thousand directories.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from kpatch_tool.errors import MachineError
from kpatch_tool.system import process

_LARGEST = 16 << 20  # bytes of a file that lists names


def walk(top: Path) -> Iterator[tuple[Path, list[str]]]:
    """Every directory from `top` on with the names in it that are no directories; links are not followed, and what
    cannot be read is left out."""
    pending = [top]
    while pending:
        directory = pending.pop()
        files = []
        try:
            with os.scandir(directory) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        pending.append(Path(entry.path))
                    else:
                        files.append(entry.name)
        except OSError:  # too long a path, no right to read it
            continue
        yield directory, files


def remove(directory: Path) -> None:
    """Remove `directory` and all in it, if it is there. Raises MachineError when that cannot be."""
    done = process.run(["rm", "-rf", "--", directory])
    if done.status != 0:
        raise MachineError(f"cannot be removed: {done.last_line()}", where=str(directory), todo="remove it yourself")


def listing(path: Path) -> bytes:
    """What a file of names holds (make's .cmd files); nothing where it is a link, no file, or larger than any such.

    Raises FileNotFoundError and NotADirectoryError as they come.
    """
    found = path.lstat()
    return path.read_bytes() if stat.S_ISREG(found.st_mode) and found.st_size <= _LARGEST else b""
