"""Walks over the history of a repository, by git itself, with what they find streamed.

The states of a few files in a long history are told by two facts: what they are in a commit (asked by `entries`), and
at which commits they differ from the commit's *first* parent (`changes`). git log leaves a merge out when some parent
has the same files; `--full-history` keeps every line of history, `--show-pulls` the merges that differ from their first
parent (git-log(1), History Simplification), and `--diff-merges=first-parent` shows that difference. So nothing is
lost: not a revert that brings an old file back, not a branch merged either way, not a merge of many.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from kpatch_tool.errors import MachineError
from kpatch_tool.system import process
from kpatch_tool.tree.failed import git_failed
from kpatch_tool.tree.fastimport import run_git

_KINDS = ("refs/heads", "refs/tags", "refs/remotes")  # others hold notes, and whatever was ever asked to be pulled
_REF = "%(objectname) %(objecttype) %(*objectname) %(*objecttype) %(refname)"
_OWN = "refs/heads/kpt/"
_CHUNK = 1 << 16
_ID_DIGITS = (40, 64)  # of a SHA-1, and of a SHA-256
_MANY = 50  # commits whose common history is worth asking for


@dataclass(frozen=True, slots=True)
class Change:
    """What a commit does to a file, against its first parent: full blob ids, None where there is no file."""

    path: str
    old: str | None
    new: str | None


@dataclass(frozen=True, slots=True)
class Stretch:
    """Commits that follow one another and have something in common: the oldest and the newest (full ids), how many
    there are, and which of the commits asked about (`mentioned`) are among them. `when` is the newest one's committer
    date in seconds since 1970; `near` the newest that is not younger than a date asked about, or the oldest."""

    oldest: str
    newest: str
    near: str
    commits: int
    when: int
    mentioned: frozenset[str]


def tips(git_dir: Path) -> tuple[str, ...]:
    """The commits that branches and tags name, except the branches kpt itself makes for series."""
    asked = run_git(git_dir, "for-each-ref", f"--format={_REF}", *_KINDS)
    found: dict[str, None] = {}
    for line in asked.splitlines():  # of bytes: a ref may have what Unicode calls the end of a line
        oid, kind, tagged, tagged_kind, ref = line.decode("utf-8", "surrogateescape").split(" ", 4)
        if "commit" in (kind, tagged_kind) and not ref.startswith(_OWN):
            found[tagged or oid] = None
    return tuple(found)


def paths(git_dir: Path, commit: str) -> Iterator[str]:
    """The path of every file in a commit. Raises MachineError when git fails."""
    for path in _split(git_dir, ["ls-tree", "-r", "-z", "--name-only", "--full-tree", commit], b"", b"\0"):
        yield os.fsdecode(path)


def is_shallow(git_dir: Path) -> bool:
    """Whether the history is cut short."""
    return run_git(git_dir, "rev-parse", "--is-shallow-repository").strip() == b"true"


def resolved(git_dir: Path, names: Sequence[str]) -> dict[str, str]:
    """name -> full commit id, of the `names` (ids, abbreviations, refs) that the repository knows as one commit."""
    good = [name for name in names if name and "\n" not in name and not name.startswith("-") and ".." not in name]
    asked = "".join(f"{name}^{{commit}}\n" for name in good)
    out = run_git(git_dir, "cat-file", "--batch-check=%(objectname) %(objecttype)", stdin=os.fsencode(asked))
    rows = [line.split() for line in out.splitlines()]
    return {
        name: row[0].decode("ascii")
        for name, row in zip(good, rows, strict=True)
        if len(row) == 2 and row[1] == b"commit"
    }


def entries(git_dir: Path, commits: Sequence[str], paths: Sequence[str]) -> dict[str, dict[str, str | None]]:
    """commit -> path -> full id of the blob there, None where there is no file."""
    asked = b"".join(b"%s:%s\n" % (commit.encode(), os.fsencode(path)) for commit in commits for path in paths)
    out = run_git(git_dir, "cat-file", "--batch-check=%(objectname) %(objecttype)", stdin=asked)
    rows = iter(out.splitlines())
    found: dict[str, dict[str, str | None]] = {}
    for commit in commits:
        there = found.setdefault(commit, {})
        for path in paths:
            words = next(rows, b"").rsplit(b" ", 1)
            there[path] = words[0].decode("ascii") if words[-1] == b"blob" else None
    return found


def changes(
    git_dir: Path, starts: Sequence[str], paths: Sequence[str], *, since: int | None = None
) -> Iterator[tuple[str, tuple[Change, ...]]]:
    """Every commit in the history of `starts` (not older than `since`, seconds since 1970) at which one of `paths`
    differs from the first parent, and how.

    The children come before their parents. Raises MachineError when git fails.
    """
    argv = ["--literal-pathspecs", "-c", "log.showRoot=true", "log", "-z", "--raw", "--no-abbrev", "--no-renames"]
    argv += ["--full-history", "--show-pulls", "--diff-merges=first-parent", "--format=%x01%H", *_since(since)]
    commit, found = "", list[Change]()
    pending: bytes | None = None
    asked = "".join(f"{start}\n" for start in starts).encode()  # and the paths: a command line would not hold them all
    asked += b"--\n" + b"".join(os.fsencode(path) + b"\n" for path in paths)
    for token in _tokens(git_dir, [*argv, "--stdin"], asked):
        if pending is not None:
            words = pending.split()
            found.append(Change(os.fsdecode(token), _oid(words[2]), _oid(words[3])))
            pending = None
        elif token.startswith(b"\x01"):
            if commit and found:
                yield commit, tuple(found)
            commit, found = token[1:].decode("ascii"), []
        elif token.lstrip(b"\n").startswith(b":"):
            pending = token
    if commit and found:
        yield commit, tuple(found)


@dataclass(frozen=True, slots=True)
class Row:
    """A commit of a walk: its committer's date in seconds since 1970, its full id, its parents."""

    when: int
    commit: str
    parents: tuple[str, ...]


def walk(
    git_dir: Path, starts: Iterable[str], *, without: Iterable[str] = (), since: int | None = None
) -> Iterator[Row]:
    """The history of `starts`, parents before children, without that of the commits `without` and without what is older
    than `since` (seconds since 1970)."""
    argv = ["rev-list", "--topo-order", "--reverse", "--parents", "--timestamp", *_since(since), "--stdin"]
    asked = [*starts, *(f"^{one}" for one in without)]
    for line in _lines(git_dir, argv, "".join(f"{one}\n" for one in asked).encode()):
        words = line.decode("ascii").split()
        yield Row(int(words[0]), words[1], tuple(words[2:]))


def before_all(git_dir: Path, commits: Sequence[str]) -> tuple[str, ...]:
    """Commits that are in the history of every one of `commits`, and none of them: nothing before has to be walked."""
    if not commits or len(commits) > _MANY:
        return ()
    found = process.run(["git", f"--git-dir={git_dir}", "merge-base", "--octopus", *commits])
    common = found.stdout.split()[:1]
    return parents(git_dir, [common[0].decode("ascii")])[common[0].decode("ascii")] if common else ()


def frontier(git_dir: Path, starts: Sequence[str], when: int) -> tuple[str, ...]:
    """The newest commits in the history of `starts` that are not younger than `when` (seconds since 1970)."""
    younger = {row.commit: row.parents for row in walk(git_dir, starts, since=when + 1)}
    below = (parent for found in younger.values() for parent in found)
    return tuple(dict.fromkeys(commit for commit in (*starts, *below) if commit not in younger))


def stretches(
    rows: Iterable[Row],
    begin: Iterable[str],
    end: Iterable[str],
    *,
    mentioned: Iterable[str] = (),
    before: int | None = None,
) -> tuple[Stretch, ...]:
    """The commits of `rows` (parents before children) that hold what begins at the commits `begin` and goes on along
    first parents up to, not including, the commits `end`; those joined by any parent make one Stretch.

    `before` is a date in seconds since 1970 (see Stretch.near).
    """
    first, last, asked = set(begin), set(end), frozenset(mentioned)
    group: dict[str, int] = {}
    groups: list[_Group] = []
    for row in rows:
        goes_on = bool(row.parents) and row.parents[0] in group and row.commit not in last
        if row.commit not in first and not goes_on:
            continue
        known = {_root(groups, group[parent]) for parent in row.parents if parent in group}
        at = _joined(groups, known, row.commit, row.when)
        group[row.commit] = at
        groups[at].add(row.commit, row.when, asked, before)
    return tuple(one.stretch() for at, one in enumerate(groups) if one.into == at)


def names_of(git_dir: Path, commits: Sequence[str]) -> dict[str, str]:
    """commit -> how a person would call it, by the nearest tag that contains it, else by a branch ("v6.1-rc3~12",
    "base"); left out where neither contains it."""
    wanted = list(dict.fromkeys(commits))
    named: dict[str, str] = {}
    for kinds in (["--tags"], ["--exclude=refs/kpt/*", "--exclude=refs/heads/kpt/*"]):
        left = [commit for commit in wanted if commit not in named]
        if left:
            lines = run_git(git_dir, "name-rev", "--name-only", *kinds, *left).splitlines()
            pairs = zip(left, (line.decode("utf-8", "replace") for line in lines), strict=True)
            named.update({commit: _plain(name) for commit, name in pairs if name != "undefined"})
    return named


def tip_at(git_dir: Path, ref: str, when: int) -> str | None:
    """The commit that `ref` was at then (seconds since 1970), along first parents; None where there is none."""
    words = ["rev-list", "-1", "--first-parent", f"--min-age={when}", ref, "--"]
    found = process.run(["git", f"--git-dir={git_dir}", *words])
    return found.stdout.decode("ascii").strip() or None


def date_of(git_dir: Path, commits: Sequence[str]) -> dict[str, int]:
    """commit -> its committer's date in seconds since 1970."""
    if not commits:
        return {}
    out = run_git(
        git_dir, "rev-list", "--no-walk=unsorted", "--timestamp", "--stdin", stdin="\n".join(commits).encode()
    )
    return {words[1].decode(): int(words[0]) for words in map(bytes.split, out.splitlines())}


def last_before(git_dir: Path, start: str, when: int) -> str | None:
    """The newest commit in the history of `start` whose date is not after `when` (seconds since 1970)."""
    out = run_git(git_dir, "rev-list", "-1", f"--before={when}", start).strip()
    return out.decode("ascii") or None


def is_ancestor(git_dir: Path, old: str, new: str) -> bool:
    """Whether `old` is `new` or in its history."""
    return process.run(["git", f"--git-dir={git_dir}", "merge-base", "--is-ancestor", old, new]).status == 0


def count(git_dir: Path, starts: Sequence[str], *, most: int) -> int:
    """How many commits the history of `starts` has, `most` at the most."""
    asked = "\n".join(starts).encode() + b"\n"
    return int(run_git(git_dir, "rev-list", "--count", f"--max-count={most}", "--stdin", stdin=asked)) if starts else 0


def distance(git_dir: Path, old: str, new: str) -> int:
    """How many commits the history of `new` has that the one of `old` has not."""
    return int(run_git(git_dir, "rev-list", "--count", f"{old}..{new}"))


def small_commits(git_dir: Path, tip: str, *, since: str | None, most: int, files: int) -> list[str]:
    """The newest `most` commits of one parent in the history of `tip` (not in that of `since`) that change at most
    `files` files, newest first."""
    argv = ["log", "-z", "--raw", "--no-merges", "--min-parents=1", "--no-renames", "--format=%x01%H", f"-{most}", tip]
    found: list[str] = []
    count = 0
    for token in _tokens(git_dir, [*argv, *([f"^{since}"] if since else []), "--"], b""):
        if token.startswith(b"\x01"):
            found.append(token[1:].decode("ascii"))
            count = 0
        elif token.lstrip(b"\n").startswith(b":"):
            count += 1
            if count == files + 1:
                found.pop()
    return found


def diffs(git_dir: Path, commits: Sequence[str]) -> Iterator[bytes]:
    """The diff of each of `commits` against its parent, as git format-patch writes it."""
    argv = ["diff-tree", "--stdin", "-r", "-p", "-M", "--full-index", "--binary", "--no-ext-diff", "--no-textconv"]
    lines: list[bytes] = []
    for line in _lines(git_dir, argv, "".join(f"{commit}\n" for commit in commits).encode()):
        if len(line) in _ID_DIGITS and not line.strip(b"0123456789abcdef"):
            if lines:
                yield b"\n".join(lines) + b"\n"
            lines = []
        else:
            lines.append(line)
    if lines:
        yield b"\n".join(lines) + b"\n"


@dataclass(slots=True)
class _Group:
    """A Stretch while it grows; `into` is the group it was joined with, its own number while it stands."""

    into: int
    oldest: str
    since: int
    newest: str = ""
    when: int = -(1 << 62)
    near: str = ""
    near_when: int = -(1 << 62)
    commits: int = 0
    mentioned: frozenset[str] = frozenset()

    def add(self, commit: str, when: int, asked: frozenset[str], before: int | None) -> None:
        self.commits += 1
        if when >= self.when:
            self.newest, self.when = commit, when
        if when >= self.near_when and (before is None or when <= before):
            self.near, self.near_when = commit, when
        if commit in asked:
            self.mentioned |= {commit}

    def take(self, other: _Group) -> None:
        self.commits += other.commits
        self.mentioned |= other.mentioned
        if other.since < self.since:
            self.oldest, self.since = other.oldest, other.since
        if other.when > self.when:
            self.newest, self.when = other.newest, other.when
        if other.near_when > self.near_when:
            self.near, self.near_when = other.near, other.near_when

    def stretch(self) -> Stretch:
        return Stretch(self.oldest, self.newest, self.near or self.oldest, self.commits, self.when, self.mentioned)


def _joined(groups: list[_Group], known: set[int], commit: str, when: int) -> int:
    """The number of the group of a commit whose parents are in the groups `known`."""
    if not known:
        groups.append(_Group(len(groups), commit, when))
        return len(groups) - 1
    kept = min(known)
    for other in known - {kept}:
        groups[kept].take(groups[other])
        groups[other].into = kept
    return kept


def _root(groups: list[_Group], at: int) -> int:
    while groups[at].into != at:
        groups[at].into = groups[groups[at].into].into
        at = groups[at].into
    return at


def parents(git_dir: Path, commits: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """commit -> its parents (those that a shallow history does not have are left out)."""
    asked = "".join(f"{commit}\n" for commit in commits).encode()
    if not asked:
        return {}
    out = run_git(git_dir, "rev-list", "--no-walk=unsorted", "--parents", "--stdin", stdin=asked).decode("ascii")
    return {words[0]: tuple(words[1:]) for words in map(str.split, out.splitlines())}


def _since(when: int | None) -> list[str]:
    return [] if when is None else [f"--max-age={when}"]


def _oid(word: bytes) -> str | None:
    return None if not word.strip(b"0") else word.decode("ascii")


def _plain(name: str) -> str:
    return name.removesuffix("^0").removeprefix("tags/")


def _lines(git_dir: Path, argv: Sequence[str], stdin: bytes) -> Iterator[bytes]:
    yield from _split(git_dir, argv, stdin, b"\n")


def _tokens(git_dir: Path, argv: Sequence[str], stdin: bytes) -> Iterator[bytes]:
    for token in _split(git_dir, argv, stdin, b"\0"):
        if token:
            yield token


def _split(git_dir: Path, argv: Sequence[str], stdin: bytes, separator: bytes) -> Iterator[bytes]:
    """What git prints, cut at `separator`, as it comes. git reads all of its standard input before it prints."""
    with tempfile.TemporaryFile() as errors, tempfile.TemporaryFile() as given:
        given.write(stdin)
        given.seek(0)
        with _started(["git", f"--git-dir={git_dir}", *argv], given.fileno(), errors.fileno()) as child:
            assert child.stdout is not None
            rest = b""
            try:
                while chunk := child.stdout.read(_CHUNK):
                    *whole, rest = (rest + chunk).split(separator)
                    yield from whole
                if rest:
                    yield rest
            except BaseException:  # nobody wants the rest (GeneratorExit), or kpt ends
                child.kill()
                raise
        if child.returncode != 0:
            errors.seek(0)
            raise git_failed(errors.read(_CHUNK), git_dir)


def _started(argv: Sequence[str], stdin: int, stderr: int) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen([*argv], stdin=stdin, stdout=subprocess.PIPE, stderr=stderr)
    except FileNotFoundError as error:
        raise MachineError("program 'git' is not installed", todo="run `kpt doctor`") from error
