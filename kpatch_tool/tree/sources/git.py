"""A tree from a git repository: another's, by URL (fetched as shallow as it allows), or one on this machine."""

from __future__ import annotations

import logging
import os
import re
import shlex
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, cast

from kpatch_tool.diff.hostile import unsafe_path
from kpatch_tool.errors import InputError, MachineError
from kpatch_tool.progress import Progress
from kpatch_tool.system import process
from kpatch_tool.text import plural, printable
from kpatch_tool.tree.environment import FILES, NO_HOOKS, settings
from kpatch_tool.tree.failed import BadSetting, git_failed
from kpatch_tool.tree.fastimport import ZERO, run_git, update_refs
from kpatch_tool.tree.history import paths
from kpatch_tool.tree.importing import MOST_FILES
from kpatch_tool.tree.left_out import MOST, commit_without, missing_objects
from kpatch_tool.tree.model import BASE_REF, TIP_REF

if TYPE_CHECKING:
    from collections.abc import Callable

    from git import RemoteProgress

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://.|[^/:@\s]+@[^/:\s]+:|[^/:\s]{2,}:[^:]")
_ID = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
PATIENCE = 60.0  # seconds for git's first look at a repository
_FETCHED = "refs/kpt/fetched"
# What git says when the network (not the address) is at fault.
_NETWORK = ("Could not resolve host", "Connection timed out", "Connection refused", "Network is unreachable")
_ANY_DEPTH = {"clone.rejectShallow": "false"}  # the user may not want shallow clones elsewhere
_NO_SHALLOW = "does not support shallow"
_NO_REF = ("couldn't find remote ref", "not our ref", "Server does not allow request", "no such remote ref")


@dataclass(frozen=True, slots=True)
class GitRepository:
    """`source` is a URL or the path of a repository (bare, or with a work tree); `ref` a branch, tag or commit id.
    `without_missing`: the files of that commit which a partial clone lacks are left out (tree/left_out.py)."""

    source: str
    ref: str
    without_missing: bool = False
    kind: ClassVar[str] = "git"

    def fill(self, git_dir: Path, cache: Path, progress: Progress) -> str:
        """See adding.Source. Of the other's refs BASE_REF and TIP_REF are kept."""
        if self.ref.startswith("-") or not self.ref:
            raise InputError("not a revision", where=self.ref or "--ref", todo="give a branch, tag or commit id")
        if Path(self.source).is_dir():
            commit = self._clone(git_dir, progress)
        elif _URL.match(self.source) and not self.source.startswith("-"):
            commit = self._fetch(git_dir, progress)
        else:
            raise InputError("no such repository", where=printable(self.source), todo="give a URL or a directory")
        self._refuse_names(git_dir, commit)
        _keep_only(git_dir, commit)
        return commit

    def _clone(self, git_dir: Path, progress: Progress) -> str:
        """Share the other's objects by hard links, which costs neither time nor space, whatever the commit."""
        import git

        commit = self._commit_there()
        progress(f"copying {self.source}")
        config = (git_dir / "config").read_bytes()
        shutil.rmtree(git_dir)
        told = _remote_progress(progress)
        try:
            # Not --local: a path is local as it is, and where links cannot be (another disk) git then copies.
            options = ["--template=", "--no-tags", f"--config {NO_HOOKS}"]
            cloned = git.Repo.clone_from(
                self.source,
                git_dir,
                cast("Callable[..., None]", told),  # an instance is taken, too, and keeps git's own words
                multi_options=options,
                bare=True,
                allow_unsafe_options=True,
                env={**FILES, **settings(_ANY_DEPTH)},
            )
        except git.GitCommandError as error:
            said = "\n".join([*told.error_lines, str(error.stderr)])
            raise git_failed(said.encode(), git_dir) from error
        cloned.close()
        (git_dir / "config").write_bytes(config)
        if len(commit) > len(ZERO):  # the other's ids are SHA-256 (git-config(1), extensions.objectFormat)
            run_git(git_dir, "config", "core.repositoryFormatVersion", "1")
            run_git(git_dir, "config", "extensions.objectFormat", "sha256")
        self._take(git_dir, commit)
        return self._without_missing(git_dir, commit)

    def _take(self, git_dir: Path, commit: str) -> None:
        """Have all of `commit` in the clone, also where no branch or tag of the other leads to it: a repository that
        is shallow sends what they lead to, and one that borrows objects lends what is asked for."""
        if process.run(["git", f"--git-dir={git_dir}", "cat-file", "-e", commit]).status != 0:
            wanted = f"+{commit}:{_FETCHED}"
            run_git(git_dir, "fetch", "--quiet", "--no-tags", "--update-shallow", "--", self.source, wanted)
        update_refs(git_dir, [(_FETCHED, commit)])
        alternates = git_dir / "objects/info/alternates"
        if alternates.exists():
            run_git(git_dir, "repack", "-a", "-d", "-q")
            alternates.unlink()

    def _without_missing(self, git_dir: Path, commit: str) -> str:
        """`commit`, or where the other is a partial clone, which does not have every file of it, one without those.
        Raises InputError where the user did not ask for that, or too much is missing."""
        missing = missing_objects(git_dir, commit)
        if not missing:
            return commit
        left = commit_without(git_dir, commit, missing) if self.without_missing else None
        if left is None:
            what = f"a partial clone, without {plural(len(missing), 'object')} of that commit"
            fetch = f"git -C {shlex.quote(self.source)} fetch --refetch --no-filter"
            todo = f"run `{fetch}`, or give the URL it was cloned from"
            if not self.without_missing and len(missing) <= MOST:
                todo += ", or leave them out with --without-missing"
            raise InputError(what, where=f"{self.source} {printable(self.ref)}", todo=todo)
        return left

    def _refuse_names(self, git_dir: Path, commit: str) -> None:
        """Raise InputError where a path of the commit must not be, or there is no end of them: trees that name one
        another many times make a small repository billions of files."""
        for count, path in enumerate(paths(git_dir, commit), start=1):
            if problem := unsafe_path(path):
                raise InputError(f"refused: {problem}", where=f"{self.source}: {printable(path)}")
            if count > MOST_FILES:
                raise InputError(f"refused: more than {MOST_FILES:,} files", where=self.source)

    def _commit_there(self) -> str:
        """The commit id that `ref` means in the repository at the path `source`."""
        # Not through gitpython, which takes a bare repository without a config file for a work tree.
        there = process.run(["git", "-C", self.source, "rev-parse", "--git-dir"], timeout=PATIENCE)
        if there.timed_out:
            raise no_answer(self.source)
        inside = there.stdout.strip() in (b".", b".git") or (Path(self.source) / ".git").exists()
        if there.status != 0 and b"dubious ownership" in there.stderr:
            todo = f"run `git config --global --add safe.directory {self.source}`"
            raise InputError(
                "git distrusts this repository, which belongs to another user", where=self.source, todo=todo
            )
        if there.status != 0 or not inside:
            raise InputError("not a git repository", where=self.source, todo="use --dir for plain sources")
        name = f"{self.ref}^{{commit}}"
        found = process.run(["git", "-C", self.source, "rev-parse", "--verify", "--quiet", "--end-of-options", name])
        if found.status != 0:
            where = f"{self.source} {printable(self.ref)}"
            raise InputError("no such commit", where=where, todo="give a branch, tag or commit id it has")
        return found.stdout.decode("ascii").strip()

    def _fetch(self, git_dir: Path, progress: Progress) -> str:
        import git

        with git.Repo(git_dir) as repo:
            remote = repo.create_remote("origin", self.source)
            try:
                self._fetch_depth(remote, progress, 1)
            except git.GitCommandError as error:
                if _NO_SHALLOW not in str(error.stderr):
                    raise self._failed(error) from error
                try:
                    self._fetch_depth(remote, progress, 0)
                except git.GitCommandError as second:
                    raise self._failed(second) from second
            except git.UnsafeProtocolError as error:
                raise InputError("refused: that address would run a program", where=self.source) from error
            try:
                commit: str = repo.git.rev_parse("--verify", f"{_FETCHED}^{{commit}}")
            except git.GitCommandError as error:
                raise InputError(
                    "not a commit", where=f"{self.source} {self.ref}", todo="give another --ref"
                ) from error
            repo.delete_remote(remote)
        return commit

    def _fetch_depth(self, remote: object, progress: Progress, depth: int) -> None:
        import git

        assert isinstance(remote, git.Remote)
        progress(f"fetching {self.ref} from {self.source}")
        refspec, shown = f"+{self.ref}:{_FETCHED}", _remote_progress(progress)
        # gitpython logs lines of git's it cannot read, which is not for the user's eyes.
        logging.getLogger("git").setLevel(logging.CRITICAL)
        try:
            if depth:
                remote.fetch(refspec, shown, no_tags=True, depth=depth)
            else:
                remote.fetch(refspec, shown, no_tags=True)
        except TypeError:  # gitpython knows no name for an id, once it was fetched; whoever called looks for it
            if not _ID.fullmatch(self.ref):
                raise

    def _failed(self, error: Exception) -> InputError | MachineError:
        said = str(getattr(error, "stderr", error))
        where = f"{self.source} {self.ref}"
        if isinstance(known := git_failed(said.encode(), Path(self.source)), BadSetting):
            return known
        if any(text in said for text in _NO_REF):
            return InputError("the repository has no such ref", where=where, todo="give a branch or tag it has")
        if any(text in said for text in _NETWORK):
            todo = "check the network, or use a repository on this machine"
            return MachineError(f"cannot be reached ({_last_line(error)})", where=self.source, todo=todo)
        return InputError(f"cannot be fetched ({_last_line(error)})", where=where, todo="check the address")


def no_answer(source: str) -> InputError:
    """What a repository is told that git waits in for ever."""
    return InputError("git does not come to an end in it", where=source, todo="see whether its config includes a pipe")


def _keep_only(git_dir: Path, commit: str) -> None:
    """Leave refs/heads/base, HEAD on it, what HEAD was on as TIP_REF, and nothing that names the other repository."""
    was = process.run(["git", f"--git-dir={git_dir}", "rev-parse", "--verify", "--quiet", "HEAD^{commit}"])
    tip = was.stdout.decode("ascii").strip()
    listed = process.run(["git", f"--git-dir={git_dir}", "for-each-ref", "--format=%(refname)"])
    others = [ref for ref in map(os.fsdecode, listed.stdout.splitlines()) if ref != BASE_REF]
    # HEAD may stand on a branch that goes; it is moved first so that no moment has a HEAD without a branch.
    process.run(["git", f"--git-dir={git_dir}", "symbolic-ref", "HEAD", BASE_REF])
    if any(ref.startswith(f"{BASE_REF}/") for ref in others):  # refs/heads/base/x stands in the way of refs/heads/base
        update_refs(git_dir, [(ref, ZERO) for ref in others])
        others = []
    kept = [(BASE_REF, commit)] + ([(TIP_REF, tip)] if tip and tip != commit else [])
    update_refs(git_dir, [*kept, *((ref, ZERO) for ref in others)])
    for name in ("FETCH_HEAD", "description", "ORIG_HEAD"):
        (git_dir / name).unlink(missing_ok=True)


def _remote_progress(progress: Progress) -> RemoteProgress:
    from git import RemoteProgress

    stages = {
        RemoteProgress.COUNTING: "counting",
        RemoteProgress.COMPRESSING: "compressing",
        RemoteProgress.RECEIVING: "receiving",
        RemoteProgress.RESOLVING: "resolving",
        RemoteProgress.WRITING: "writing",
    }

    class Adapter(RemoteProgress):
        def update(
            self, op_code: int, cur_count: str | float, max_count: str | float | None = None, message: str = ""
        ) -> None:
            what = stages.get(op_code & RemoteProgress.OP_MASK, "working")
            progress(f"{what} objects", int(float(cur_count)), int(float(max_count or 0)))

    return Adapter()


def _last_line(error: Exception) -> str:
    said = str(getattr(error, "stderr", "") or error).strip().strip("'").strip()
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    chosen = next((line for line in lines if "fatal:" in line), lines[-1] if lines else "no reason given")
    return printable(re.sub(r"^.*?(fatal|error): ", "", chosen))
