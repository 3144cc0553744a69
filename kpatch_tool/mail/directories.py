"""Which files of a directory are a series: a quilt series, a Maildir, patches and mails, saved pages."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from kpatch_tool.errors import InputError
from kpatch_tool.mail import headers

_PACKED = (".gz", ".xz", ".bz2")
_MAIL = frozenset({".patch", ".diff", ".eml", ".mbox", ".mbx", ".mail", ".msg"})
_PAGES = frozenset({".html", ".htm", ".mhtml", ".mht", ".txt"})  # where there is nothing better
_DEEPEST = 4
_MOST = 20_000  # files of one directory tree


@dataclass(frozen=True, slots=True)
class Listing:
    """The files of a directory to read, in order. `top` is what their names are relative to; `series` are the bytes
    of quilt's list, None where there is none."""

    top: Path
    paths: tuple[Path, ...]
    series: bytes | None = None


def listed(directory: Path, source: str) -> Listing:
    """The files to read of `directory`, which `source` names in errors.

    Raises InputError when there are none, or quilt's list asks for what cannot be done. OSError as it comes.
    """
    for top in (directory, directory / "patches"):
        quilt = top / "series"
        if quilt.is_file():
            series = quilt.read_bytes()
            return Listing(top, tuple(_inside(top, name, source) for name in quilt_names(series, source)), series)
    boxes = [directory / name for name in ("cur", "new")]
    if all(box.is_dir() for box in boxes):
        # A name begins with the time of delivery: https://cr.yp.to/proto/maildir.html
        mails = sorted((path for box in boxes for path in box.iterdir() if _is_shown(path)), key=lambda path: path.name)
        if not mails:
            raise InputError("the Maildir holds no mail", where=source)
        return Listing(directory, tuple(mails))
    files = [path for path in directory.iterdir() if _is_shown(path)]
    found = [path for path in files if _is_mail(path)] or list(_below(directory, 1))
    found = found or [path for path in files if _suffix(path) in _PAGES]
    if not found:
        todo = "give .patch, .eml or .mbox files"
        if (directory / ".git").exists() or (directory / "objects").is_dir():
            todo = f"of a git repository name commits: kpt import --git {source} A..B"
        raise InputError("no patch files in this directory", where=source, todo=todo)
    if len(found) > _MOST:
        raise InputError(f"more than {_MOST} files", where=source, todo="give the directory of one series")
    return Listing(directory, tuple(sorted(found, key=_by_number)))


def _by_number(path: Path) -> tuple[list[tuple[int, str]], str]:
    """The key to sort by, in which p10 comes after p9, as in an MH folder 10 after 9."""
    name = str(path)
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"([0-9]{1,18})", name)], name


def _below(directory: Path, depth: int) -> Iterator[Path]:
    """The mail files in the directories below."""
    if depth > _DEEPEST:
        return
    for path in sorted(directory.iterdir()):
        if path.is_dir() and not path.is_symlink() and not path.name.startswith("."):
            yield from (inner for inner in path.iterdir() if _is_shown(inner) and _is_mail(inner))
            yield from _below(path, depth + 1)


def _is_shown(path: Path) -> bool:
    return not path.name.startswith(".") and path.is_file()


def _suffix(path: Path) -> str:
    return next((suffix.lower() for suffix in reversed(path.suffixes) if suffix not in _PACKED), "")


def _is_mail(path: Path) -> bool:
    return path.name.isdigit() or _suffix(path) in _MAIL  # numbers: an MH folder


def quilt_names(series: bytes, source: str = "series") -> list[str]:
    """The patch names of a quilt series file; comments are left out. Raises InputError for options (quilt(1), series
    file) that mean another patch than the file's: -R, and -p with more than 1."""
    names = []
    for line in headers.decode(series, "utf-8").splitlines():
        words = line.split(" #")[0].split("\t#")[0].split()
        if not words or words[0].startswith("#"):
            continue
        name, *options = words
        for option, value in pairwise([*options, ""]):
            level = value if option == "-p" else option.removeprefix("-p")
            if option == "-R" or (option.startswith("-p") and level not in ("0", "1", "ab")):
                raise InputError(
                    f"the series file wants {name!r} applied with {option}",
                    where=source,
                    todo="write that patch the way `git am` takes it (-p1, not reversed)",
                )
        names.append(name)
    return names


def _inside(directory: Path, name: str, source: str) -> Path:
    path = directory / name
    if Path(name).is_absolute() or ".." in Path(name).parts:
        raise InputError(f"the series file names {name!r}, outside of the directory", where=source)
    if not path.is_file():
        raise InputError(f"the series file names {name!r}, which is not there", where=source)
    return path
