"""A tree from a plain directory of sources."""

from __future__ import annotations

import os
import stat
from collections.abc import Container, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from kpatch_tool.diff.hostile import unsafe_path
from kpatch_tool.errors import InputError
from kpatch_tool.progress import Progress
from kpatch_tool.system import process
from kpatch_tool.text import plural, printable
from kpatch_tool.tree.environment import settings
from kpatch_tool.tree.importing import FILE, LARGEST, LINK, PROGRAM, Item, import_items
from kpatch_tool.tree.sources import git


@dataclass(frozen=True, slots=True)
class Directory:
    """`source` is the directory's path. Every file in it counts, whatever a .gitignore says; but not what kpt keeps,
    where the workspace lies in it."""

    source: str
    kind: ClassVar[str] = "dir"
    ref: ClassVar[str] = ""

    def fill(self, git_dir: Path, cache: Path, progress: Progress) -> str:
        """See adding.Source. A git work tree gives its HEAD, and is refused when it has changes beyond that."""
        top = Path(self.source)
        if not top.is_dir():
            what = "not a directory" if top.exists() else "no such directory"
            raise InputError(what, where=self.source, todo="give the directory of a kernel source tree")
        if (top / ".git").exists():
            self._refuse_changes(top)
            return git.GitRepository(self.source, "HEAD").fill(git_dir, cache, progress)
        own = frozenset(_identity(place.stat()) for place in (git_dir.parent, cache.parent) if place.is_dir())
        items = _items(top, own, progress)
        return import_items(git_dir, items, f"Import {top.resolve().name}\n", where=self.source)

    def _refuse_changes(self, top: Path) -> None:
        # Without the first option it would write what it learns of the files into the user's index; with the last it
        # starts no git in a submodule, which has settings of its own.
        asked = ["status", "--porcelain", "-z", "--ignore-submodules=dirty"]
        status = process.run(
            ["git", "--no-optional-locks", "-C", top, *asked], env={**os.environ, **settings(_no_filters(top))}
        )
        if status.status != 0:
            raise InputError(f"git cannot read it: {status.last_line()}", where=self.source)
        changed = [row for row in status.stdout.split(b"\0") if row]
        if changed:
            first = printable(os.fsdecode(changed[0][3:]))
            what = f"{plural(len(changed), 'uncommitted change')} ({first}{', ...' if len(changed) > 1 else ''})"
            raise InputError(what, where=self.source, todo="commit or stash them, or use --git PATH --ref COMMIT")


def _no_filters(top: Path) -> dict[str, str]:
    """Settings that empty the filters (gitattributes(5)) which the repository's own configuration defines: programs."""
    asked = ["config", "--show-scope", "--name-only", "-z", "--get-regexp", "^filter[.]"]
    shown = process.run(["git", "-C", top, *asked], timeout=git.PATIENCE)
    if shown.timed_out:
        raise git.no_answer(str(top))
    words = shown.stdout.split(b"\0")
    named = zip(words[::2], words[1::2], strict=False)
    return {os.fsdecode(key): "" for scope, key in named if scope in (b"local", b"worktree")}


def _identity(status: os.stat_result) -> tuple[int, int]:
    return status.st_dev, status.st_ino


def _items(top: Path, without: Container[tuple[int, int]], progress: Progress) -> Iterator[Item]:
    """The files below `top`, but for those in the directories `without` (device and inode)."""
    done = 0
    pending = [("", top)]
    while pending:
        prefix, directory = pending.pop()
        try:
            entries = sorted(os.scandir(directory), key=lambda entry: entry.name)
        except OSError as error:
            raise InputError(f"cannot be read: {(error.strerror or '').lower()}", where=str(directory)) from error
        for entry in entries:
            path = prefix + entry.name
            if problem := unsafe_path(path):
                raise InputError(f"refused: {problem}", where=printable(entry.path))
            if entry.is_dir(follow_symlinks=False):
                if _identity(entry.stat(follow_symlinks=False)) not in without:
                    pending.append((path + "/", Path(entry.path)))
                continue
            yield _item(entry, path)
            done += 1
            if done % 500 == 0:
                progress(f"importing {top.name}", done)


def _item(entry: os.DirEntry[str], path: str) -> Item:
    try:
        info = entry.stat(follow_symlinks=False)
        if stat.S_ISLNK(info.st_mode):
            return Item(path, LINK, os.fsencode(Path(entry.path).readlink()), int(info.st_mtime))
        if not stat.S_ISREG(info.st_mode):
            raise InputError("refused: neither file, link nor directory", where=printable(entry.path))
        if info.st_size > LARGEST:
            raise InputError(f"refused: larger than {LARGEST >> 20} MB", where=printable(entry.path))
        data = Path(entry.path).read_bytes()
    except OSError as error:
        raise InputError(f"cannot be read: {(error.strerror or '').lower()}", where=printable(entry.path)) from error
    return Item(path, PROGRAM if info.st_mode & 0o111 else FILE, data, int(info.st_mtime))
