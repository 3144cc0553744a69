"""Writing into a git repository through one `git fast-import` (git-fast-import(1)).

Nothing becomes visible before `finish`: the stream ends in `done`, without which git keeps no ref, and the refs are
moved afterwards in one transaction (`update_refs`).
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import subprocess
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from kpatch_tool.errors import MachineError
from kpatch_tool.system import process
from kpatch_tool.tree.environment import NO_HOOKS
from kpatch_tool.tree.failed import git_failed

# The branch a stream builds on. It is given back before the stream ends, so it never exists in the repository.
_SCRATCH = b"refs/kpt/stream"
ZERO = "0" * 40
_PATIENCE = 10.0  # seconds that git may take to end
_ABANDONED = 3600.0  # seconds after which a half-written pack is a killed one's: git's own have no lock


@dataclass(frozen=True, slots=True)
class Change:
    """What a commit does to one path: a new mode and content (`data`, or `mark` of a blob sent before), or, with
    neither, its removal."""

    path: str
    mode: str = ""
    data: bytes | None = None
    mark: int | None = None


@dataclass(frozen=True, slots=True)
class Identity:
    """An author or committer line without its keyword: name, email, seconds since 1970, zone ("+0200")."""

    name: str
    email: str
    seconds: int
    zone: str

    def line(self) -> bytes:
        """As fast-import and git's commits have it; what git strips from names is stripped (ident.c)."""
        name, email = strip_crud(self.name), strip_crud(self.email)
        return os.fsencode(f"{name} <{email}> " if name else f"<{email}> ") + f"{self.seconds} {self.zone}".encode()


def strip_crud(text: str) -> str:
    """A name or address as git keeps it: `strbuf_addstr_without_crud` of ident.c."""
    kept = text.strip("".join(map(chr, range(33))) + ".,:;<>\"\\'")
    return kept.translate({ord(sign): None for sign in "\n<>"})


class FastImport:
    """One stream. Use as a context manager; leaving it without `finish` makes git drop everything."""

    def __init__(self, git_dir: Path, *, bulk: bool = False) -> None:
        """`bulk` is for whole trees: no deltas and light compression, about three times as fast."""
        tuning = ["-c", "core.compression=1"] if bulk else []
        options = ["--depth=0"] if bulk else []
        self._git_dir = git_dir
        # Held by every stream into this repository, so that one that fails does not clear away what is another's.
        self._beside = os.open(git_dir, os.O_RDONLY | os.O_DIRECTORY)
        with contextlib.suppress(OSError):  # another stream is at work; of a read-only place git tells better
            fcntl.flock(self._beside, fcntl.LOCK_EX | fcntl.LOCK_NB)
            (git_dir / f"{_SCRATCH.decode()}.lock").unlink(missing_ok=True)  # of a git that was killed
        fcntl.flock(self._beside, fcntl.LOCK_SH)
        self._sweep(older=_ABANDONED)
        # git keeps a few objects loose, and by itself does not wait until those are on the disk, but then the ref is.
        # The same patches make the same commits, and git never writes an object again whose file is there, if empty.
        tuning += ["-c", "core.fsyncMethod=fsync", "-c", "core.fsync=committed"]
        argv = ["git", *tuning, "-c", NO_HOOKS, f"--git-dir={git_dir}", "fast-import"]
        argv += ["--quiet", "--done", "--date-format=raw-permissive", "--force", *options]
        try:
            self._process = subprocess.Popen(
                argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
            )
        except FileNotFoundError as error:
            os.close(self._beside)
            raise MachineError("program 'git' is not installed", todo="run `kpt doctor`") from error
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._in, self._out = self._process.stdin, self._process.stdout
        self._mark = 0
        self._finished = False

    def __enter__(self) -> FastImport:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self._finished:
            self._process.terminate()  # git takes its lock files away then
        with contextlib.suppress(BrokenPipeError):
            self._in.close()
        try:
            self._process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._out.close()
        if self._process.stderr is not None:
            self._process.stderr.close()
        if not self._finished:
            with contextlib.suppress(BlockingIOError):
                fcntl.flock(self._beside, fcntl.LOCK_EX | fcntl.LOCK_NB)
                self._sweep()
        os.close(self._beside)

    def blob(self, data: bytes) -> int:
        """Send a blob; returns its mark."""
        self._mark += 1
        self._write(b"blob\nmark :%d\ndata %d\n" % (self._mark, len(data)), data, b"\n")
        return self._mark

    def commit(
        self,
        *,
        author: Identity,
        committer: Identity,
        message: bytes,
        parent: str | int | None,
        changes: Iterable[Change],
        also: Sequence[str | int] = (),
        anew: bool = False,
    ) -> int:
        """Send a commit on `parent` (a full id, a mark, or None for a root commit); returns its mark.

        `also` are its further parents. With `anew` it has the files of `changes` only, none of its parent's.
        """
        self._mark += 1
        mark = self._mark
        source = b"" if parent is None else b"from %s\n" % _reference(parent)
        self._write(
            b"reset %s\n\n" % _SCRATCH if parent is None else b"",
            b"commit %s\nmark :%d\n" % (_SCRATCH, mark),
            b"author %s\ncommitter %s\n" % (author.line(), committer.line()),
            b"data %d\n" % len(message),
            message,
            b"\n",
            source,
            *(b"merge %s\n" % _reference(one) for one in also),
            b"deleteall\n" if anew else b"",
        )
        for change in changes:
            self._change(change)
        self._write(b"\n")
        return mark

    def oid(self, mark: int) -> str:
        """The full id of what was sent as `mark`."""
        self._write(b"get-mark :%d\n" % mark)
        return self._answer().decode("ascii")

    def tree_id(self, mark: int) -> str:
        """The full id of the tree of the commit sent as `mark`."""
        self._write(b'ls :%d ""\n' % mark)
        return self._answer().split(b" ", 2)[2].split(b"\t", 1)[0].decode("ascii")

    def finish(self) -> None:
        """End the stream; every object sent is then in the repository. Raises MachineError when git failed."""
        if self._mark:
            nothing = b"0" * len(self.oid(self._mark))  # as long as the ids of this repository
            self._write(b"reset %s\nfrom %s\n\n" % (_SCRATCH, nothing))
        self._write(b"done\n")
        try:
            self._in.close()
        except BrokenPipeError:
            self._fail()
        assert self._process.stderr is not None
        self._stderr = self._process.stderr.read()
        if self._process.wait() != 0:
            raise self._error(self._stderr)
        self._finished = True

    def _change(self, change: Change) -> None:
        path = _quoted(change.path)
        if change.mark is not None:
            self._write(b"M %s :%d %s\n" % (change.mode.encode("ascii"), change.mark, path))
        elif change.data is not None:
            head = b"M %s inline %s\ndata %d\n" % (change.mode.encode("ascii"), path, len(change.data))
            self._write(head, change.data, b"\n")
        else:
            self._write(b"D %s\n" % path)

    def _write(self, *parts: bytes) -> None:
        try:
            for part in parts:
                self._in.write(part)
        except BrokenPipeError:
            self._fail()

    def _answer(self) -> bytes:
        with contextlib.suppress(BrokenPipeError):
            self._in.flush()
        line = self._out.readline()
        if not line:
            self._fail()
        return line.rstrip(b"\n")

    def _fail(self) -> None:
        assert self._process.stderr is not None
        raise self._error(self._process.stderr.read())

    def _error(self, said: bytes) -> MachineError:
        return git_failed(said, self._git_dir)

    def _sweep(self, older: float = 0.0) -> None:
        """Remove what a stream that was not finished leaves: its report and half-written packs and objects; those that
        nobody wrote to for `older` seconds."""
        for pattern in ("fast_import_crash_*", "objects/pack/tmp_*", "objects/??/tmp_obj_*"):
            for path in self._git_dir.glob(pattern):
                with contextlib.suppress(OSError):
                    if not older or path.stat().st_mtime < time.time() - older:
                        path.unlink(missing_ok=True)


def update_refs(git_dir: Path, updates: Sequence[tuple[str, str]]) -> None:
    """Point every ref at its full id (all zeros: delete it) in one transaction: all of them move, or none.

    Raises MachineError when a ref is locked by another program (naming the lock file) or the disk is full.
    """
    lines = [f"delete {ref}\n" if set(oid) == {"0"} else f"update {ref} {oid}\n" for ref, oid in updates]
    argv = ["git", "-c", NO_HOOKS, f"--git-dir={git_dir}", "update-ref", "--stdin"]
    done = process.run(argv, stdin=os.fsencode("".join(lines)))
    if done.status != 0:
        raise git_failed(done.stderr, git_dir)


def run_git(git_dir: Path, *words: str, stdin: bytes | None = None) -> bytes:
    """What `git` printed in a repository. Raises MachineError when it failed."""
    done = process.run(["git", f"--git-dir={git_dir}", *words], stdin=stdin)
    if done.status != 0:
        raise git_failed(done.stderr, git_dir)
    return done.stdout


def ls_tree(git_dir: Path, commit: str, *words: str) -> dict[str, str]:
    """Path -> object id of what `git ls-tree` lists of a commit, with its options and paths as `words` (the format is
    in its manual: mode SP type SP id TAB path NUL). Raises MachineError when git fails."""
    rows = run_git(git_dir, "ls-tree", "-z", "--full-tree", commit, *words).split(b"\0")[:-1]
    found = (row.split(b"\t", 1) for row in rows)
    return {os.fsdecode(path): about.split()[2].decode("ascii") for about, path in found}


def _reference(parent: str | int) -> bytes:
    return b":%d" % parent if isinstance(parent, int) else parent.encode("ascii")


def _quoted(path: str) -> bytes:
    raw = os.fsencode(path)
    if raw.startswith(b'"') or b"\n" in raw:
        raw = b'"' + raw.replace(b"\\", b"\\\\").replace(b'"', b'\\"').replace(b"\n", b"\\n") + b'"'
    return raw
