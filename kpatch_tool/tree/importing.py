"""A whole tree of files into an empty repository, as one commit, without unpacking anything to disk.

Because fast-import is told each file by name, no .gitignore has a say (Debian's kernel source has one that ignores
everything).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path

from kpatch_tool.errors import InputError
from kpatch_tool.text import printable
from kpatch_tool.tree.fastimport import Change, FastImport, Identity, update_refs
from kpatch_tool.tree.model import BASE_REF

FILE, PROGRAM, LINK = "100644", "100755", "120000"
LARGEST = 1 << 30  # bytes of one file; where it is sparse, as many take no room in an archive or on a disk
MOST_FILES, MOST_BYTES = 2_000_000, 64 << 30  # of a tree; Debian's 6.1 has 78,669 files and 1.3 GB
_LATEST = (1 << 32) - 1  # seconds since 1970: the newest date of a commit, whatever a file says


@dataclass(frozen=True, slots=True)
class Item:
    """One file to import: path, git's octal mode, content (for LINK: the target), time of change (seconds since 1970).

    A hard link has no content of its own but `same_as`, the path of an item that came before it.
    """

    path: str
    mode: str
    data: bytes
    changed: int
    same_as: str = ""


def import_items(git_dir: Path, items: Iterable[Item], message: str, *, where: str, strip: bool = False) -> str:
    """Commit `items` on refs/heads/base of the repository and return the commit's id.

    The commit is the same for the same items: author "kpt", date of the newest item. With `strip` a directory that
    holds everything is left out of the paths. Raises InputError, naming `where`, when there is no file, or more than
    any kernel has; MachineError when git fails.
    """
    newest = size = 0
    changes: dict[str, Change] = {}
    with FastImport(git_dir, bulk=True) as stream:
        for item in items:
            known = changes.get(item.same_as)
            if item.same_as and known is None:
                raise InputError(f"a hard link to {printable(item.same_as)!r}, which is not there", where=where)
            mark = stream.blob(item.data) if known is None else known.mark
            changes[item.path] = Change(item.path, item.mode if known is None else known.mode, mark=mark)
            newest = max(newest, min(item.changed, _LATEST))
            size += len(item.data)
            if len(changes) > MOST_FILES or size > MOST_BYTES:
                most = f"{MOST_FILES:,} files or {MOST_BYTES >> 30} GB"
                raise InputError(f"refused: more than {most}", where=where, todo="give a kernel source tree")
        if not changes:
            raise InputError("there is no file in it", where=where, todo="give a kernel source tree")
        who = Identity("kpt", "", newest, "+0000")
        prefix = len(common_directory(changes)) if strip else 0
        kept = (Change(change.path[prefix:], change.mode, mark=change.mark) for change in changes.values())
        last = stream.commit(author=who, committer=who, message=message.encode(), parent=None, changes=kept)
        commit = stream.oid(last)
        stream.finish()
    update_refs(git_dir, [(BASE_REF, commit)])
    return commit


def common_directory(paths: Collection[str]) -> str:
    """The top directory ("linux-6.1/") that every one of `paths` lies in, or ""."""
    top = next(iter(paths), "").partition("/")[0] + "/"
    return top if all(path.startswith(top) for path in paths) else ""
