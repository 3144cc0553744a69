"""Files and directories that appear whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from kpatch_tool.errors import MachineError

_STAGING_PREFIX = ".kpt-staging-"


def write_bytes(path: Path, data: bytes) -> None:
    """Replace `path` with `data` in one step (temporary sibling, fsync, rename).

    Raises MachineError when the disk is full or the directory cannot be written.
    """
    with machine_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=_STAGING_PREFIX, dir=path.parent)
        try:
            with os.fdopen(handle, "wb") as out:
                out.write(data)
                out.flush()
                os.fsync(out.fileno())
            Path(name).chmod(0o644)
            Path(name).replace(path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise


def write_text(path: Path, text: str) -> None:
    """`write_bytes` for text, as UTF-8."""
    write_bytes(path, text.encode("utf-8"))


@contextlib.contextmanager
def staged_directory(target: Path) -> Iterator[Path]:
    """Yield an empty directory beside `target`; when the block ends well it takes target's place.

    An existing target is replaced. What a killed run left behind is removed by the next one for the same target.
    Two writers of one target must hold a lock (kpatch_tool.lock).
    """
    stage = target.parent / f"{_STAGING_PREFIX}{target.name}"
    old = target.parent / f"{_STAGING_PREFIX}{target.name}.old"
    with machine_errors(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        if old.exists() and not target.exists():  # killed between the two renames below
            old.rename(target)
        for leftover in (stage, old):
            shutil.rmtree(leftover, ignore_errors=True)
        stage.mkdir()
        try:
            yield stage
            if target.exists():
                target.rename(old)
            stage.rename(target)
        except BaseException:
            shutil.rmtree(stage, ignore_errors=True)
            raise
        finally:
            if target.exists():
                shutil.rmtree(old, ignore_errors=True)


@contextlib.contextmanager
def machine_errors(path: Path) -> Iterator[None]:
    """Turn the operating system's refusals while writing `path` into one MachineError."""
    advice = {
        errno.ENOSPC: "free some space and run the command again",
        errno.EDQUOT: "free some of your quota and run the command again",
        errno.EROFS: "choose a workspace that can be written",
        errno.EACCES: "check the permissions of that directory",
        errno.EPERM: "check the permissions of that directory",
    }
    try:
        yield
    except OSError as error:
        if error.errno not in advice:
            raise
        reason = os.strerror(error.errno).lower()
        raise MachineError(f"cannot write: {reason}", where=str(path), todo=advice[error.errno]) from error
