"""A whole tree of files into an empty repository, as one commit, without unpacking anything to disk.

Because fast-import is told each file by name, no .gitignore has a say (Debian's kernel source has one that ignores
everything).
"""

from __future__ import annotations

import tarfile
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from kpatch_tool.diff.hostile import unsafe_path
from kpatch_tool.errors import InputError
from kpatch_tool.text import printable
from kpatch_tool.tree.fastimport import Change, FastImport, Identity, update_refs
from kpatch_tool.tree.model import BASE_REF

FILE, PROGRAM, LINK = "100644", "100755", "120000"
LARGEST = 1 << 30  # bytes of one file; where it is sparse, as many take no room in an archive or on a disk


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
    holds everything is left out of the paths. Raises InputError, naming `where`, when there is no file, MachineError
    when git fails.
    """
    newest = 0
    changes: dict[str, Change] = {}
    with FastImport(git_dir, bulk=True) as stream:
        for item in items:
            known = changes.get(item.same_as)
            mark = stream.blob(item.data) if known is None else known.mark
            changes[item.path] = Change(item.path, item.mode if known is None else known.mode, mark=mark)
            newest = max(newest, item.changed)
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


def tar_items(stream: IO[bytes], where: str, on_bytes: Callable[[int], None]) -> Iterator[Item]:
    """The files of an uncompressed tar stream; `on_bytes` is told how many bytes of it were read.

    Raises InputError for a damaged archive, for a member that is neither file, link nor directory, and for a name
    that would leave the tree.
    """
    try:
        with tarfile.open(fileobj=stream, mode="r|", encoding="utf-8", errors="surrogateescape") as archive:
            headers: list[tarfile.TarInfo] = vars(archive)["members"]  # 78,000 of them would stay in memory
            for member in archive:
                if not member.isdir():
                    yield _tar_item(archive, member, where)
                on_bytes(member.offset_data + member.size)
                headers.clear()
    except (tarfile.TarError, EOFError) as error:
        raise InputError(f"damaged archive ({error})", where=where, todo="fetch it again") from error


def _tar_item(archive: tarfile.TarFile, member: tarfile.TarInfo, where: str) -> Item:
    path = member.name.removeprefix("./")
    changed = int(member.mtime)
    if problem := unsafe_path(path):
        raise InputError(f"refused: {problem}", where=f"{where}: {printable(member.name)}")
    if member.issym():
        return Item(path, LINK, member.linkname.encode("utf-8", "surrogateescape"), changed)
    if member.islnk():
        return Item(path, FILE, b"", changed, same_as=member.linkname.removeprefix("./"))
    if member.size > LARGEST:
        raise InputError(f"refused: larger than {LARGEST >> 20} MB", where=f"{where}: {printable(member.name)}")
    content = archive.extractfile(member) if member.isfile() else None
    if content is None:
        raise InputError("refused: neither file, link nor directory", where=f"{where}: {printable(member.name)}")
    return Item(path, PROGRAM if member.mode & 0o111 else FILE, content.read(), changed)
