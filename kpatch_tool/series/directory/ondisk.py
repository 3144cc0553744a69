"""Reading the files of a series' directory, which may be a stranger's: links, pipes and values of any kind in it."""

from __future__ import annotations

import stat
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kpatch_tool.errors import InputError

LARGEST = 1 << 29  # bytes of one file
_BROKEN = "correct the file, or import the series again"
_TODO = "see what it is, or import the series again"


class Forbidden(InputError):
    """A file that this user may not read: nothing is known of what is in it."""


def contents(directory: Path, name: str) -> bytes:
    """The file `name` of a series' directory, which may be a link to another file in it.

    Raises FileNotFoundError where there is none, InputError for what is no plain file in `directory`, for more than
    LARGEST bytes, and for what cannot be read.
    """
    path = directory / name
    try:
        real = path.resolve(strict=True)
        status = real.stat()
        if not real.is_relative_to(directory.resolve()):
            raise InputError("leads out of the directory of the series", where=str(path), todo=_TODO)
        if not stat.S_ISREG(status.st_mode):
            raise InputError("cannot be read: this is no file", where=str(path), todo=_TODO)
        if status.st_size > LARGEST:
            raise InputError(f"larger than {LARGEST >> 20} MB", where=str(path), todo=_TODO)
        return real.read_bytes()
    except FileNotFoundError:
        raise
    except PermissionError as error:
        raise Forbidden("cannot be read: permission denied", where=str(path), todo="check its permissions") from error
    except OSError as error:
        reason = (error.strerror or "input/output error").lower()
        raise InputError(f"cannot be read: {reason}", where=str(path), todo=_TODO) from error
    except (ValueError, RuntimeError) as error:  # a NUL in the name; links that go round
        raise InputError("cannot be read: its name leads nowhere", where=str(path), todo=_TODO) from error


def table(directory: Path, name: str) -> dict[str, Any]:
    """`contents` as TOML. The same errors, and InputError for what is none."""
    data = contents(directory, name)
    try:
        return tomllib.loads(data.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise InputError(f"not readable as TOML: {error}", where=str(directory / name), todo=_BROKEN) from error


def strings(row: Mapping[str, Any], key: str) -> tuple[str, ...]:
    """The list called `key` of a table of TOML, its members as text; () where it is none."""
    value = row.get(key)
    return tuple(map(str, value)) if isinstance(value, list) else ()


def number(row: Mapping[str, Any], key: str) -> int | None:
    """The number called `key` of a table of TOML, from 0; None where it is none."""
    value = row.get(key)
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None
