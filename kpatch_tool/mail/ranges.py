"""Commits of a git repository as the mails `git format-patch` makes of them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import count
from pathlib import Path

from kpatch_tool.errors import InputError, MachineError
from kpatch_tool.mail import mbox
from kpatch_tool.mail.read import Received, SourceFile, read_files
from kpatch_tool.system import process
from kpatch_tool.text import plural

MOST = 1000  # commits of one series
_SECONDS = 600.0
_FIRST_SECONDS = 60.0  # a stranger's configuration may include a pipe
_RANGE = re.compile(r"(?P<old>[^\s:]*?)(?P<dots>\.{2,3})(?P<new>[^\s:]*)")
_BLURB = b"\n*** BLURB HERE ***\n"
_SEPARATOR = re.compile(rb"^From [0-9a-f]{40,64}" + mbox.FILES_DATE + rb"\n", re.MULTILINE)
_NUMBER = re.compile(rb"(" + _SEPARATOR.pattern + rb"(?:[^\n]+\n)*?Subject: \[PATCH )\d+/\d+\]", re.MULTILINE)
_QUOTED, _UNQUOTED = re.compile(rb"^>+From ", re.MULTILINE), re.compile("^>*From ", re.MULTILINE)
_OF_QUOTED = b"From mboxrd@z" + mbox.FILES_DATE + b"\n"
# Where git am ends a message (patchbreak of mailinfo.c), and what it and the readers take for the beginning of a mail.
_MISREAD = re.compile(r"^(?:diff -|Index: |--- [^ \t\n]|From: .*@|Subject: |>*From \S+ .*\d:\d\d)", re.MULTILINE)
# Every setting a user may have for mail or diffs is overruled (git-format-patch(1), git-diff(1)): the same commits
# give the same bytes everywhere. The configuration itself stays in force, for safe.directory.
_SETTINGS = (
    "format.outputDirectory=", "format.mboxrd=false", "diff.suppressBlankEmpty=false", "log.showSignature=false",
    "format.forceInBodyFrom=false",
)  # fmt: skip
_OPTIONS = (
    "--stdout", "--pretty=mboxrd", "--no-attach", "--no-signature", "--no-from", "--no-to", "--no-cc",
    "--no-add-header", "--no-thread", "--no-signoff", "--no-notes", "--subject-prefix=PATCH", "--numbered",
    "--encode-email-headers", "--full-index", "--binary", "--src-prefix=a/", "--dst-prefix=b/", "--unified=3",
    "--inter-hunk-context=0", "--find-renames=50%", "--diff-algorithm=myers", "--indent-heuristic", "--no-ext-diff",
    "--no-textconv", "--no-color", "--no-relative", "--submodule=short", "--no-progress", "-O/dev/null",
)  # fmt: skip


def is_range(source: str) -> bool:
    """Whether `source` looks like A..B."""
    found = _RANGE.fullmatch(source)
    if found is None or not (found["old"] or found["new"]) or source.startswith((".", "/", "-")):
        return False
    return not found["new"].startswith("/")  # a path with .. in it


def is_repository(directory: Path) -> bool:
    """Whether git finds a repository from `directory` upward."""
    return process.run(["git", "rev-parse", "--git-dir"], cwd=directory, timeout=_FIRST_SECONDS).status == 0


def is_commit(directory: Path, revision: str) -> bool:
    """Whether `revision` names a commit of the repository around `directory`."""
    return bool(revision) and not revision.startswith("-") and _commit(directory, revision) is not None


def read_range(directory: Path, revisions: str) -> Received:
    """The commits `A..B` (those of B that A has not) or the one commit `REV` of the repository around `directory`.

    Merges and commits without a change are left out, with a note; the branch's description, where B is a branch that
    has one, is the cover letter. Raises InputError: no repository, unknown revision, nothing in the range, too much.
    """
    if not directory.is_dir():
        raise InputError("no such directory", where=str(directory), todo="give a clone with --git PATH")
    if not is_repository(directory):
        raise InputError("no git repository here", where=str(directory), todo="give one with --git PATH")
    found = _RANGE.fullmatch(revisions)
    if found and found["dots"] == "...":
        raise InputError("A...B has commits of both sides", where=revisions, todo="write A..B for those of B")
    if found is None:
        new = _known(directory, revisions, revisions)
        asked, base = ["-1", new], _commit(directory, f"{new}^1")
    else:
        old = _known(directory, found["old"] or "HEAD", revisions)
        new = _known(directory, found["new"] or "HEAD", revisions)
        asked, base = [f"{old}..{new}"], _git(directory, "merge-base", old, new).strip() or None
    counted = asked if found else ["--no-walk", new]
    patches, merges = (_count(directory, kind, counted) for kind in ("--no-merges", "--merges"))
    if patches == 0:
        why = "only a merge, which has no patch of its own" if merges else "no commits in the range"
        raise InputError(why, where=revisions, todo="is it the wrong way round? A..B has what B has and A has not")
    if patches > MOST:
        raise InputError(f"{patches} commits are too many for a series", where=revisions, todo=f"take {MOST} at most")
    branch = (found["new"] if found else "") or ""
    mails, made = _format(directory, asked, base, branch)
    if not made:
        raise InputError("nothing is changed", where=revisions, todo="give commits that change files")
    name = re.sub(r"[^\w.@+-]", "_", revisions) + ".mbox"
    read = read_files([SourceFile(name, mails)], where=revisions)
    origin = f"{directory.resolve()}: {revisions} ({new[:12]})"
    notes = (*read.notes, *_misread(directory, counted), *_left_out(revisions, merges, patches - made))
    return Received(read.files, read.messages, patch_files=False, origins=(origin,), notes=notes)


def _left_out(revisions: str, merges: int, empty: int) -> Iterator[str]:
    if merges:
        yield f"left out: {plural(merges, 'merge commit')} of {revisions}, which have no patch"
    if empty:
        yield f"left out: {plural(empty, 'commit')} of {revisions} without any change"


def _format(directory: Path, asked: Sequence[str], base: str | None, branch: str) -> tuple[bytes, int]:
    """The mails of format-patch, and how many are patches."""
    settings = [word for setting in _SETTINGS for word in ("-c", setting)]
    described = bool(branch) and _git(directory, "config", "--get", f"branch.{branch}.description").strip()
    if described and _UNQUOTED.search(described):  # git quotes such a line in the messages of commits only
        described = ""
    cover = ["--cover-letter", "--cover-from-description=subject"] if described else ["--no-cover-letter"]
    words = ["git", *settings, "format-patch", *_OPTIONS, *cover]
    bases = [f"--base={base}"] if base else []
    if described:  # git looks for the description of the branch that is named
        asked = [f"{asked[-1].partition('..')[0]}..{branch}"]
    for base_option in (bases, ["--no-base"]):
        done = process.run([*words, *base_option, *asked], cwd=directory, timeout=_SECONDS)
        if done.status == 0:
            mails, made = _numbered(done.stdout.replace(_BLURB, b""), covers=int(bool(described)))
            return _told_apart(mails), made
    todo = "if it is a partial clone, fetch what it lacks: `git log -p` in it"
    raise MachineError(f"git format-patch failed: {done.last_line()}", where=str(directory), todo=todo)


def _numbered(mails: bytes, *, covers: int) -> tuple[bytes, int]:
    """The mails numbered without the gaps that git leaves for commits without a change, and how many are patches."""
    made = len(_SEPARATOR.findall(mails)) - covers
    numbers = count(1 - covers)
    return _NUMBER.sub(lambda found: b"%s%d/%d]" % (found[1], next(numbers), made), mails), made


def _told_apart(mails: bytes) -> bytes:
    """The mails as git writes them; where it had to quote a line of a message that looks like the beginning of a mail,
    under separators that say so (mbox.split)."""
    return _SEPARATOR.sub(_OF_QUOTED, mails) if _QUOTED.search(mails) else mails


def _misread(directory: Path, asked: Sequence[str]) -> Iterator[str]:
    """Sentences on commits whose message holds what a reader of mails takes for more than words."""
    for one in _git(directory, "log", "-z", "--no-merges", "--format=%H%n%B", *asked).split("\0"):
        if _MISREAD.search(one):
            what = "holds lines of a diff or a mail, and may be read as that: see the commit"
            yield f"the message of commit {one[:12]} {what}"


def _known(directory: Path, revision: str, where: str) -> str:
    commit = None if revision.startswith("-") else _commit(directory, revision)
    if commit is None:
        raise InputError(
            f"the repository knows no commit {revision!r}", where=where, todo="fetch it, or check the name"
        )
    return commit


def _commit(directory: Path, revision: str) -> str | None:
    return (
        _git(directory, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}").strip()
        or None
    )


def _count(directory: Path, kind: str, asked: Sequence[str]) -> int:
    return int(_git(directory, "rev-list", "--count", kind, *asked).strip() or 0)


def _git(directory: Path, *words: str) -> str:
    """What git says, "" where it fails."""
    done = process.run(["git", *words], cwd=directory, timeout=_SECONDS)
    return done.stdout.decode("utf-8", "surrogateescape") if done.status == 0 else ""
