"""Files and directories that appear whole or not at all."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import fcntl
import os
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import BinaryIO

from kpatch_tool.errors import MachineError
from kpatch_tool.system import leftovers

STAGING = ".kpt-staging-"
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_NO_SYNC = frozenset({errno.EINVAL, errno.ENOSYS, errno.ENOTSUP})
_SMALL = 1 << 16
_OPEN = "/proc/self/fd/{}"  # a link to what a descriptor is open on (proc(5))
_AT_FDCWD = -100
_RENAME_EXCHANGE = 2  # renameat2(2)


def write_bytes(path: Path, data: bytes) -> None:
    """Replace `path` with `data` in one step (temporary sibling, fsync, rename).

    Raises MachineError when the disk is full or the directory cannot be written.
    """
    with staged_file(path) as out:
        out.write(data)


@contextlib.contextmanager
def staged_file(target: Path, mode: int = 0o644) -> Iterator[BinaryIO]:
    """Yield a file, open for writing; when the block ends well it takes `target`'s place.

    Until it is whole it has no name (open(2), O_TMPFILE), so that a killed writer leaves nothing. Where the file system
    cannot do that it lies beside `target`, locked (flock(2)) as long as its writer lives: `sweep` goes by that.
    """
    with machine_errors(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, staged = _nameless(target.parent)
        with os.fdopen(handle, "wb") as out:
            try:
                with contextlib.suppress(OSError):  # without locks `sweep` removes nothing either
                    fcntl.flock(handle, fcntl.LOCK_EX)
                yield out
                out.flush()
                os.fchmod(handle, mode)
                _flush(handle)
                staged = staged or _named(handle, target.parent)
                staged.replace(target)
            except BaseException:
                if staged:
                    staged.unlink(missing_ok=True)
                raise


def _nameless(directory: Path) -> tuple[int, Path | None]:
    """A new file of `directory`, open for writing, and its name where it has to have one."""
    with contextlib.suppress(OSError):  # many file systems, and those without /proc: an error of no one kind
        handle = os.open(directory, os.O_TMPFILE | os.O_WRONLY | os.O_CLOEXEC, 0o600)
        if Path(_OPEN.format(handle)).exists():
            return handle, None
        os.close(handle)
    handle, name = tempfile.mkstemp(prefix=STAGING, dir=directory)
    return handle, Path(name)


def _named(handle: int, directory: Path) -> Path:
    """A name in `directory` for a file that had none, to be renamed: a link cannot take the place of a file."""
    while True:
        name = directory / f"{STAGING}{os.urandom(4).hex()}"
        with contextlib.suppress(FileExistsError):
            # with a directory's descriptor this is linkat(2) with AT_SYMLINK_FOLLOW, as open(2) shows it for O_TMPFILE
            os.link(_OPEN.format(handle), name, src_dir_fd=handle)
            return name


def sweep(directory: Path) -> None:
    """Remove the files that killed writers (`staged_file`) left in `directory`; those still at work keep theirs.

    The caller holds a lock that every writer of this directory holds, too: one that is born with a name is not locked
    in that moment.
    """
    for path in directory.glob(f"{STAGING}*"):
        with contextlib.suppress(OSError), path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            path.unlink()


def write_text(path: Path, text: str) -> None:
    """`write_bytes` for text, as UTF-8."""
    write_bytes(path, text.encode("utf-8"))


@contextlib.contextmanager
def staged_directory(target: Path) -> Iterator[Path]:
    """Yield an empty directory beside `target`; when the block ends well it takes target's place.

    An existing target is exchanged for it, so no moment is without one (renameat2(2); where the file system cannot,
    between two renames), and all in it is on the disk by then: the old one is removed, and may have held the only copy.
    What a killed run left behind is removed by the next one for the same target. Two writers of one target must hold a
    lock (kpatch_tool.system.lock).
    """
    stage = target.parent / f"{STAGING}{target.name}"
    old = target.parent / f"{STAGING}{target.name}.old"
    with machine_errors(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        if old.exists() and not target.exists():  # killed between the two renames below
            old.rename(target)
        _remove(stage, old)
        stage.mkdir()
        try:
            yield stage
            _to_disk(stage)
            if not _exchanged(stage, target):
                if target.exists():
                    target.rename(old)
                stage.rename(target)
            sync(target.parent)
        except BaseException:
            _remove(stage)
            raise
        finally:
            if target.exists():
                _remove(stage, old)


def remove_directory(target: Path) -> bool:
    """Remove `target` in one step, with what killed writers and removers of it left; whether it was there. Its lock is
    held, as for `staged_directory`."""
    aside = target.with_name(f"{STAGING}{target.name}")
    _remove(aside)
    if not target.exists():
        return False
    with machine_errors(target):
        target.rename(aside)  # from here on it is gone, whatever happens to the rest
    _remove(aside)
    return True


def sweep_directories(
    parent: Path, name: str, locked: Callable[[str], AbstractContextManager[object]], *, suffix: str = ""
) -> None:
    """Remove what killed writers of other targets than `name` left in `parent`, where `staged_directory` makes NAME
    (and `suffix`); those at work hold the lock that `locked(NAME)` would take, and keep theirs."""
    for path in parent.glob(f"{STAGING}*{suffix}"):
        other = path.name.removeprefix(STAGING).removesuffix(suffix)
        if other != name and not other.endswith(".old"):  # which may be all there is of a target
            with contextlib.suppress(MachineError), locked(other):
                _remove(path)


def _remove(*directories: Path) -> None:
    """Remove what is there of them, as far as that is allowed; strangers may have written into them."""
    for directory in directories:
        if directory.exists():
            with contextlib.suppress(MachineError):
                leftovers.remove(directory)


def sync(path: Path) -> None:
    """Have what is in a file, or the names in a directory, on the disk before anything goes on (fsync(2)).

    Raises OSError, also for what an earlier write could not bring there.
    """
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        _flush(handle)
    finally:
        os.close(handle)


def _flush(handle: int) -> None:
    """fsync(2), where the file system has it."""
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in _NO_SYNC:
            raise


def _to_disk(top: Path) -> None:
    """`sync` everything below `top`; what kpt may not read stays with the system."""
    for directory, names in leftovers.walk(top):
        for path in (directory / name for name in names):
            if stat.S_ISREG(path.lstat().st_mode):
                with contextlib.suppress(PermissionError):
                    sync(path)
        sync(directory)


def _exchanged(one: Path, other: Path) -> bool:
    """Whether the two have changed places, in one step; False where `other` is not there or the system cannot."""
    try:
        rename = ctypes.CDLL(None, use_errno=True).renameat2
    except AttributeError:  # glibc before 2.28
        return False
    return bool(rename(_AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other), _RENAME_EXCHANGE) == 0)


def copy_tree(source: Path, target: Path) -> None:
    """`shutil.copytree` into what may be there, links as links. Raises OSError for a full disk, as others do, and
    shutil.Error for what else stands in the way: that one has no number, only words."""
    full: list[OSError] = []

    def copied(one: str, other: str) -> str:
        try:
            return shutil.copy2(one, other)
        except OSError as error:
            if error.errno in _FULL:
                full.append(error)
            raise

    try:
        shutil.copytree(source, target, symlinks=True, dirs_exist_ok=True, copy_function=copied)
    except shutil.Error:
        if full:
            raise full[0] from None
        raise


def is_full(directory: Path) -> bool:
    """Whether there is no room for a small file in `directory`, be it for the user's quota."""
    try:
        with tempfile.TemporaryFile(dir=directory) as file:
            file.write(bytes(_SMALL))
    except OSError as error:
        return error.errno in _FULL
    return False


@contextlib.contextmanager
def machine_errors(path: Path) -> Iterator[None]:
    """Turn the operating system's refusals while writing `path` into one MachineError."""
    advice = {
        errno.ENOSPC: "free some space and run the command again",
        errno.EDQUOT: "free some of your quota and run the command again",
        errno.EFBIG: "raise your limit of the size of a file (ulimit -f) and run the command again",
        errno.EROFS: "choose a place that can be written",
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
