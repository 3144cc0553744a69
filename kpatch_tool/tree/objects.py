"""Reading a git repository through one long-lived `git cat-file --batch`.

The shape is git-revise's (gitrevise/odb.py): one child process, values with slots, nothing read twice. Names are sent
one a line, so a path with a newline cannot be asked for (kpatch_tool.tree.paths refuses such paths before).
"""

from __future__ import annotations

import contextlib
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from kpatch_tool.diff.hostile import unsafe_path
from kpatch_tool.errors import InputError, MachineError
from kpatch_tool.tree.failed import REPAIR, unreadable

TREE_MODE = "40000"
GITLINK_MODE = "160000"


@dataclass(frozen=True, slots=True)
class Entry:
    """A file in a commit: git's octal mode ("100644", "100755", "120000"), full blob id and content."""

    mode: str
    oid: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Commit:
    """A commit: full ids of itself, its tree and its parents; author and committer lines as git keeps them
    ("Name <email> 1400000000 +0200"); the message as bytes."""

    oid: str
    tree: str
    parents: tuple[str, ...]
    author: bytes
    committer: bytes
    message: bytes

    @property
    def subject(self) -> str:
        return self.message.split(b"\n", 1)[0].decode("utf-8", "replace")

    @property
    def committed(self) -> int:
        """Seconds since 1970 of the committer's date."""
        return int(self.committer.rsplit(b" ", 2)[1])


class Objects:
    """The objects of one repository, for reading. Use as a context manager; the child starts with the first question.

    Every method raises MachineError when git is missing or the repository cannot be read.
    """

    def __init__(self, git_dir: Path) -> None:
        self._git_dir = git_dir
        self._process: subprocess.Popen[bytes] | None = None
        self._said = -1
        self._trees: dict[str, dict[bytes, tuple[str, str]]] = {}
        self._entries: dict[tuple[str, str], Entry | None] = {}

    def __enter__(self) -> Objects:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        assert process.stdin is not None
        assert process.stdout is not None
        with contextlib.suppress(BrokenPipeError):  # a git that died; whoever asked it was told
            process.stdin.close()
        process.stdout.close()
        process.wait()
        os.close(self._said)

    def file(self, commit: str, path: str) -> Entry | None:
        """The file `path` of `commit` (a full id or any revision), or None when there is no such file.

        A directory or a submodule is no file.
        """
        key = (commit, path)
        if key not in self._entries:
            self._entries[key] = self._read_file(commit, path)
        return self._entries[key]

    def exists(self, commit: str, path: str) -> bool:
        """Whether anything (file, directory, submodule) is called `path` in `commit`."""
        directory, _, name = path.rpartition("/")
        return os.fsencode(name) in self._directory(commit, directory)

    def names(self, commit: str, directory: str) -> tuple[str, ...]:
        """The names inside `directory` ("" for the top) of `commit`; empty when there is no such directory."""
        return tuple(os.fsdecode(name) for name in self._directory(commit, directory))

    def blob(self, oid: str) -> bytes | None:
        """The content of a blob by full or abbreviated id; None when it is absent or the id names several."""
        found = self._ask(f"{oid}^{{blob}}")
        return None if found is None else found[2]

    def commit(self, rev: str) -> Commit | None:
        """The commit that `rev` (id, branch, tag) names, or None."""
        found = self._ask(f"{rev}^{{commit}}")
        return None if found is None else _parse_commit(found[0], found[2])

    def base(self, tree_base: str) -> Commit:
        """The base commit of the tree that this is the repository of. Raises MachineError when it is gone."""
        found = self.commit(tree_base)
        if found is None:
            raise MachineError("the base of this tree is missing", where=str(self._git_dir), todo=REPAIR)
        return found

    def tree_id(self, commit: str) -> str:
        """The full tree id of a commit. Raises InputError when there is no such commit."""
        found = self.commit(commit)
        if found is None:
            raise InputError(f"no commit {commit!r}", where=str(self._git_dir))
        return found.tree

    def _read_file(self, commit: str, path: str) -> Entry | None:
        directory, _, name = path.rpartition("/")
        known = self._directory(commit, directory).get(os.fsencode(name))
        if known is None or known[0] in (TREE_MODE, GITLINK_MODE):
            return None
        found = self._ask(known[1])
        if found is None:
            raise MachineError(f"blob {known[1]} of {path} is missing", where=str(self._git_dir), todo=REPAIR)
        return Entry(_canonical(known[0]), known[1], found[2])

    def _directory(self, commit: str, directory: str) -> dict[bytes, tuple[str, str]]:
        name = f"{commit}:{directory}"
        if name not in self._trees:
            # Where a path is unsafe no tree has it, and git ends at a "../" that leads out.
            found = None if directory and unsafe_path(directory) else self._ask(name)
            is_tree = found is not None and found[1] == "tree"
            self._trees[name] = _parse_tree(found[2], len(found[0]) // 2) if found is not None and is_tree else {}
        return self._trees[name]

    def _ask(self, name: str) -> tuple[str, str, bytes] | None:
        """Full id, type and content of what `name` means, or None."""
        if "\n" in name or "\0" in name:
            return None
        process = self._process or self._start()
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.write(os.fsencode(name) + b"\n")
            process.stdin.flush()
            header = process.stdout.readline()
        except BrokenPipeError:
            header = b""
        if not header.endswith(b"\n"):
            raise self._unreadable(process)
        words = header.rstrip(b"\n").rsplit(b" ", 2)
        if len(words) != 3 or not words[2].isdigit() or words[1] not in _TYPES:
            return None  # "... missing" or "... ambiguous"
        size = int(words[2])
        data = process.stdout.read(size)
        if len(data) < size:
            raise self._unreadable(process)
        process.stdout.read(1)
        return words[0].decode("ascii"), words[1].decode("ascii"), data

    def _unreadable(self, process: subprocess.Popen[bytes]) -> MachineError:
        process.wait()  # it has closed its output
        return unreadable(os.pread(self._said, _MOST_SAID, 0), self._git_dir)

    def _start(self) -> subprocess.Popen[bytes]:
        said = os.memfd_create("stderr")  # no pipe: nobody reads before git has ended
        try:
            self._process = subprocess.Popen(
                ["git", f"--git-dir={self._git_dir}", "cat-file", "--batch"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=said,
            )
        except FileNotFoundError as error:
            os.close(said)
            raise MachineError("program 'git' is not installed", todo="run `kpt doctor`") from error
        self._said = said
        return self._process


_MOST_SAID = 1 << 16
_TYPES = (b"blob", b"tree", b"commit", b"tag")


def _canonical(mode: str) -> str:
    """One of the modes that git writes: old commits have others ("100664"), which it reads so (cache.h, canon_mode)."""
    if not mode.startswith("100"):
        return mode
    return "100755" if int(mode, 8) & 0o100 else "100644"


def _parse_tree(data: bytes, hash_size: int) -> dict[bytes, tuple[str, str]]:
    """name -> (mode, id) of a raw tree object: "mode SP name NUL raw-id" repeated."""
    entries: dict[bytes, tuple[str, str]] = {}
    at = 0
    while at < len(data):
        end = data.index(b"\0", at)
        mode, _, name = data[at:end].partition(b" ")
        at = end + 1 + hash_size
        entries[name] = (mode.decode("ascii"), data[end + 1 : at].hex())
    return entries


def _parse_commit(oid: str, data: bytes) -> Commit:
    head, _, message = data.partition(b"\n\n")
    fields: dict[bytes, list[bytes]] = {}
    for line in head.split(b"\n"):
        key, _, value = line.partition(b" ")
        fields.setdefault(key, []).append(value)
    return Commit(
        oid=oid,
        tree=fields[b"tree"][0].decode("ascii"),
        parents=tuple(parent.decode("ascii") for parent in fields.get(b"parent", [])),
        author=fields[b"author"][0],
        committer=fields[b"committer"][0],
        message=message,
    )
