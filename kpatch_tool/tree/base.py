"""Finding the commits a series was made on: those that hold every file as the patches' `index a..b` lines name it.

The first patch that touches a file names its pre-image; what later patches start from comes from the patches before
them. A file that a patch creates must not be there. A file without an `index` line is judged by its hunks, which must
fit. Only the history of these files is walked (see tree/history.py), so a long history takes seconds.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from kpatch_tool.diff.blob import may_be_same
from kpatch_tool.diff.hostile import unsafe_path
from kpatch_tool.diff.model import FileDiff
from kpatch_tool.errors import InputError
from kpatch_tool.series.model import Patch, Series
from kpatch_tool.text import plural
from kpatch_tool.tree import history
from kpatch_tool.tree.fits import Fits, chain_fits, fitting, is_damaged
from kpatch_tool.tree.objects import Objects

LONG = 50_000  # commits; a longer history is looked through in part
_MANY_NAMES = 60  # commits that get a name
_LOOKUPS = 2_000_000  # files of commits that are asked for, all told
_FEW = 100  # commits whose files are asked for however many files there are
_MANY_TIPS = 200  # ends of branches that are looked at by themselves
_YEAR = 366 * 86_400
_HEAD_START = 86_400  # seconds by which clocks may differ: a base is not younger than the series


@dataclass(frozen=True, slots=True)
class Wanted:
    """A file of the base: `blob` as abbreviated in the patch, "" where it must not be there, None where the patch does
    not say. `patch` is the first patch that touches it, `file` what that patch does."""

    path: str
    blob: str | None
    patch: int
    file: FileDiff
    damaged: bool = False


@dataclass(frozen=True, slots=True)
class Differs:
    """A file that a commit has otherwise than the series wants it: `found` is the full blob id, None where there is
    no file; `wanted` the id as abbreviated, None for a file whose id no patch names and for one that must not be
    there (`fresh`)."""

    path: str
    wanted: str | None
    found: str | None
    fits: Fits
    fresh: bool = False


@dataclass(frozen=True, slots=True)
class Interval:
    """Commits that all hold the files wanted: `commit` is the one to take, `oldest` and `newest` the ends, `commits`
    how many there are. The names are as history.names_of gives them, "" where there is none."""

    commit: str
    oldest: str
    newest: str
    commits: int
    commit_name: str = ""
    oldest_name: str = ""
    newest_name: str = ""


@dataclass(frozen=True, slots=True)
class Near:
    """A commit that holds most of the files, and those it does not."""

    commit: str
    name: str
    differs: tuple[Differs, ...]
    matching: int


@dataclass(frozen=True, slots=True)
class Declared:
    """A base that a message declares: `value` as written, the commit it is here (None: not here), whether that is in
    the history of the tree's own base, and how its files differ from those wanted (empty: it holds them)."""

    value: str
    commit: str | None
    in_history: bool | None = None
    differs: tuple[Differs, ...] = ()

    @property
    def holds(self) -> bool | None:
        """Whether it holds the files wanted; None where it is not here."""
        return None if self.commit is None else not self.differs


@dataclass(frozen=True, slots=True)
class Sought:
    """What a search found in one repository. `exact` is best first; `nearest` is given where `exact` is empty."""

    wanted: tuple[Wanted, ...]
    exact: tuple[Interval, ...]
    nearest: Near | None
    declared: tuple[Declared, ...] = ()
    notes: tuple[str, ...] = ()


def wanted_files(series: Series) -> tuple[Wanted, ...]:
    """The files the series starts from, by the first patch that touches each; in the patches' order.

    Raises InputError for a path that no tree can have.
    """
    found: dict[str, Wanted] = {}
    made: set[str] = set()
    for patch in sorted(series.patches, key=lambda patch: patch.number):
        _refuse_unsafe(patch)
        for one in _wanted_by(patch, made):
            if one.path not in found or (found[one.path].blob is None and one.blob):  # a copy may name no id
                found[one.path] = one
        made.update(path for file in patch.files for path in _changed_names(file))
    return tuple(found.values())


def _refuse_unsafe(patch: Patch) -> None:
    for file in patch.files:
        for path in (file.old_path, file.new_path):
            if path is not None and unsafe_path(path):
                where = f"patch {patch.number}: {path!a}"
                raise InputError(f"refused: {unsafe_path(path)}", where=where, todo="do not apply this series")


def _wanted_by(patch: Patch, made: Collection[str]) -> Iterator[Wanted]:
    """What a patch finds in the base where the patches before it made the files `made`: first those it starts from,
    then the names that must be free, as files may change places."""
    damaged = is_damaged(patch)
    here: set[str] = set()
    for file in patch.files:
        old = file.old_path
        if old is not None and old not in made and (file.from_before or old not in here):
            yield Wanted(old, _named(file.old_blob), patch.number, file, damaged)
        here.update(_changed_names(file))
    for file in patch.files:
        new = file.new_path
        if new is not None and new not in made:
            yield Wanted(new, "", patch.number, file, damaged)


def _changed_names(file: FileDiff) -> Iterator[str]:
    """The paths at which `file` leaves something else than it finds."""
    if file.old_path is not None and not file.copied:
        yield file.old_path
    if file.new_path is not None:
        yield file.new_path


def chain_notes(series: Series) -> tuple[str, ...]:
    """Sentences on what makes the ids of the series doubtful: missing patches, a patch not made on the one before."""
    notes = []
    have = {patch.number for patch in series.patches}
    missing = [number for number in range(1, series.total + 1) if number not in have]
    if missing:
        listed = ", ".join(map(str, missing[:8])) + (", ..." if len(missing) > 8 else "")
        notes.append(f"patch {listed} of the series is not here: files it changes may be named as it leaves them")
    left: dict[str, tuple[int, str]] = {}
    for patch in sorted(series.patches, key=lambda patch: patch.number):
        notes += _off_the_chain(patch, left)
    return tuple(notes)


def _off_the_chain(patch: Patch, left: dict[str, tuple[int, str]]) -> Iterator[str]:
    """A sentence for each file of `patch` that was not made on what patches before it leave, by `left`: path -> (patch,
    id), which is brought up to date."""
    start = {file.old_path: left.get(file.old_path) for file in patch.files if file.old_path is not None}
    for file in patch.files:
        before = (start if file.from_before else left).get(file.old_path or "")
        if before and file.old_blob and not may_be_same(before[1], file.old_blob):
            yield (f"patch {patch.number} was made on {file.old_path} {file.old_blob[:12]}, "
                   f"but patch {before[0]} leaves it as {before[1][:12]}")  # fmt: skip
        after = (patch.number, file.new_blob) if file.new_blob else None if file.hunks or file.binary else before
        if file.new_path and after:
            left[file.new_path] = after
        elif file.new_path:
            left.pop(file.new_path, None)


def search(
    git_dir: Path,
    series: Series,
    *,
    own: str | None = None,
    declared: Sequence[str] = (),
    full: bool = False,
    progress: Callable[[str], None] = lambda _: None,
) -> Sought:
    """Look through the repository for the commits `series` was made on.

    `own` is the commit a person works on (the tree's base), if any; `declared` are revisions that messages name as the
    base. Of a history of more than LONG commits only the year before the series was posted is looked through, besides
    `own`, `declared` and the ends of branches, unless `full`. Raises InputError for a series without patches that
    change files, MachineError when git fails.
    """
    wanted = wanted_files(series)
    if not wanted:
        raise InputError("no patch of the series changes a file", where=series.name, todo="import it again")
    with Objects(git_dir) as objects:
        return _Search(git_dir, series, wanted, objects, own).run(declared, progress, full=full)


class _Search:
    """One search in one repository."""

    def __init__(
        self, git_dir: Path, series: Series, wanted: tuple[Wanted, ...], objects: Objects, own: str | None
    ) -> None:
        self.git_dir = git_dir
        self.series = series
        self.wanted = {one.path: one for one in wanted}
        self.objects = objects
        self.own = own
        self.before = _posted(series)
        self._known: dict[tuple[str, str | None], bool] = {}
        self._transitions: list[tuple[str, tuple[history.Change, ...]]] = []
        self._files_of: dict[str, dict[str, str | None]] = {}
        self.starts: list[str] = []
        self.likely: list[str] = []
        self.since: int | None = None  # where only a part of the history is looked through: its beginning, its commits
        self.rows: list[history.Row] = []
        self.passed_over = 0  # commits that were not looked at, being too many

    def run(self, declared: Sequence[str], progress: Callable[[str], None], *, full: bool) -> Sought:
        named = history.resolved(self.git_dir, [form for value in declared for form in spellings(value)])
        at = {value: next((named[form] for form in spellings(value) if form in named), None) for value in declared}
        self.likely = [*filter(None, at.values()), *([self.own] if self.own else [])]
        self.starts = list(dict.fromkeys([*history.tips(self.git_dir), *self.likely]))
        self._learn_files([*self.likely, *self.starts[:_MANY_TIPS]])
        if any(one.blob for one in self.wanted.values()):
            progress("looking through the history of the files")
            self._search_history(full=full)
        whole = [commit for commit in self._files_of if len(self._matching(commit)) == len(self.wanted)]
        exact = self._intervals(frozenset(self.wanted), whole, progress) if whole else ()
        nearest = None if exact else self._nearest(progress)
        return Sought(
            wanted=tuple(self.wanted.values()),
            exact=exact,
            nearest=nearest,
            declared=tuple(self._declared(value, commit) for value, commit in at.items()),
            notes=(*chain_notes(self.series), *self._notes()),
        )

    def _search_history(self, *, full: bool) -> None:
        """Find the commits at which a wanted file comes or goes, and learn the files of those where one comes."""
        if self.before is not None and not full and history.count(self.git_dir, self.starts, most=LONG + 1) > LONG:
            self.since = self.before - _YEAR
            newest = history.frontier(self.git_dir, self.starts, self.before)
            self.rows = list(history.walk(self.git_dir, newest, since=self.since))
            inside = {row.commit for row in self.rows}
            # What is so at the lower edge of the year began before it.
            self._learn_files(row.commit for row in self.rows if not row.parents or row.parents[0] not in inside)
            known = history.changes(self.git_dir, newest, list(self.wanted), since=self.since)
        else:
            known = history.changes(self.git_dir, self.starts, list(self.wanted))
        self._transitions = [(commit, changed) for commit, changed in known if self._changes_match(changed)]
        coming = [commit for commit, changed in self._transitions if self._becomes(changed, self.wanted)]
        most = max(_FEW, _LOOKUPS // len(self.wanted))
        self.passed_over = max(0, len(coming) - most)
        self._learn_files(coming[:most])

    def _changes_match(self, changed: Iterable[history.Change]) -> bool:
        """Whether a wanted file comes or goes with these changes."""
        return any(
            one.path in self.wanted and self._is_wanted(one.path, one.old) != self._is_wanted(one.path, one.new)
            for one in changed
        )

    def _becomes(self, changed: Iterable[history.Change], paths: Collection[str]) -> bool:
        return any(one.path in paths and self._is_wanted(one.path, one.new) for one in changed)

    def _leaves(self, changed: Iterable[history.Change], paths: Collection[str]) -> bool:
        return any(
            one.path in paths and self._is_wanted(one.path, one.old) and not self._is_wanted(one.path, one.new)
            for one in changed
        )

    def _is_wanted(self, path: str, oid: str | None) -> bool:
        """Whether the blob `oid` (None: no file) at `path` is what the series wants there."""
        key = (path, oid)
        if key not in self._known:
            self._known[key] = self._judged(self.wanted[path], oid)
        return self._known[key]

    def _judged(self, one: Wanted, oid: str | None) -> bool:
        if one.blob is None:
            return oid is not None and fitting(self.objects.blob(oid), one.file, one.damaged) is Fits.CLEAN
        return oid is None if not one.blob else oid is not None and oid.startswith(one.blob)

    def _learn_files(self, commits: Iterable[str]) -> None:
        """Learn what the wanted files are in `commits`."""
        new = [commit for commit in dict.fromkeys(commits) if commit not in self._files_of]
        self._files_of.update(history.entries(self.git_dir, new, list(self.wanted)))

    def _matching(self, commit: str) -> frozenset[str]:
        """The files that `commit` holds as wanted."""
        return frozenset(path for path, oid in self._files_of[commit].items() if self._is_wanted(path, oid))

    def _stretches(
        self, paths: frozenset[str], begin: Sequence[str], mentioned: Sequence[str]
    ) -> tuple[history.Stretch, ...]:
        """Where the files `paths` are all as wanted, from the commits `begin` on, which hold them."""
        rows: Iterable[history.Row] = self.rows
        if self.since is None:
            rows = history.walk(self.git_dir, self.starts, without=self._excluded_history(paths, begin))
        end = [commit for commit, changed in self._transitions if self._leaves(changed, paths)]
        found = history.stretches(rows, begin, end, mentioned=mentioned, before=self.before)
        met = frozenset(commit for one in found for commit in one.mentioned)
        outside = [commit for commit in dict.fromkeys(mentioned) if commit in begin and commit not in met]
        dates = history.date_of(self.git_dir, outside)
        alone = (history.Stretch(one, one, one, 1, dates.get(one, 0), frozenset((one,))) for one in outside)
        return (*found, *alone)

    def _excluded_history(self, paths: frozenset[str], begin: Sequence[str]) -> tuple[str, ...]:
        """Commits before all those of `begin` that have the files from no parent."""
        known = history.parents(self.git_dir, begin)
        self._learn_files(parent for found in known.values() for parent in found)
        origins = [
            commit for commit in begin if not any(paths <= self._matching(parent) for parent in known.get(commit, ()))
        ]
        return history.before_all(self.git_dir, origins)

    def _intervals(
        self, paths: frozenset[str], begin: Sequence[str], progress: Callable[[str], None]
    ) -> tuple[Interval, ...]:
        progress("counting the commits that fit")
        ends = set(self.starts).intersection(begin)
        found = sorted(self._stretches(paths, begin, [*self.likely, *ends]), key=self._rank)
        chosen = [next((commit for commit in self.likely if commit in one.mentioned), one.near) for one in found]
        pairs = list(zip(chosen, found, strict=True))
        shown = [commit for taken, one in pairs for commit in (taken, one.oldest, one.newest)]
        names = history.names_of(self.git_dir, shown[:_MANY_NAMES])
        return tuple(
            Interval(
                taken,
                one.oldest,
                one.newest,
                one.commits,
                names.get(taken, ""),
                names.get(one.oldest, ""),
                names.get(one.newest, ""),
            )
            for taken, one in pairs
        )

    def _rank(self, one: history.Stretch) -> tuple[int, int]:
        """First what a message declares, then what holds the tree's base, then the newest."""
        place = next((at for at, commit in enumerate(self.likely) if commit in one.mentioned), len(self.likely))
        return place, -one.when

    def _nearest(self, progress: Callable[[str], None]) -> Near | None:
        if self.own and self.before is not None:
            self._learn_files(filter(None, [history.last_before(self.git_dir, self.own, self.before)]))
        if not self._files_of:
            return None
        best = max(len(self._matching(commit)) for commit in self._files_of)
        able = [commit for commit in self._files_of if len(self._matching(commit)) == best]
        chosen = next((commit for commit in self.likely if commit in able), None)
        if chosen is None and best and self._transitions:
            dates = history.date_of(self.git_dir, able)
            newest = max(able, key=lambda commit: self._by_date(dates.get(commit, 0)))
            paths = self._matching(newest)
            begin = [commit for commit in self._files_of if paths <= self._matching(commit)]
            found = self._stretches(paths, begin, [newest])
            chosen = next((one.near for one in found if newest in one.mentioned), newest)
        chosen = chosen or able[-1]
        progress("looking at the files of the nearest commit")
        self._learn_files([chosen])
        name = history.names_of(self.git_dir, [chosen]).get(chosen, "")
        return Near(chosen, name, self._differing(chosen), len(self._matching(chosen)))

    def _by_date(self, when: int) -> tuple[bool, int]:
        """Commits that are not younger than the series come first, the newest of them first."""
        early = self.before is None or when <= self.before
        return early, when if early else -when

    def _declared(self, value: str, commit: str | None) -> Declared:
        if commit is None:
            return Declared(value, None)
        inside = None if self.own is None else history.is_ancestor(self.git_dir, commit, self.own)
        self._learn_files([commit])
        return Declared(value, commit, inside, self._differing(commit))

    def _differing(self, commit: str) -> tuple[Differs, ...]:
        found = []
        for path, oid in self._files_of[commit].items():
            if not self._is_wanted(path, oid):
                one = self.wanted[path]
                found.append(Differs(path, one.blob or None, oid, self._fits(one, oid), one.blob == ""))
        return tuple(found)

    def _fits(self, one: Wanted, oid: str | None) -> Fits:
        if oid is None:
            return Fits.MISSING
        if one.blob == "":  # the series creates it
            return Fits.CONFLICT
        return chain_fits(self.series, one.path, self.objects.blob(oid))

    def _notes(self) -> Iterable[str]:
        met = Counter(path for (path, oid), right in self._known.items() if right and oid and self.wanted[path].blob)
        for path, count in met.items():
            if count > 1:
                blob = self.wanted[path].blob
                yield f"{path}: {blob} is the beginning of {plural(count, 'blob id')} of that file; all count"
        if not any(one.blob for one in self.wanted.values()):
            yield "no patch names a blob id: only the ends of branches were judged, by the hunks"
        if self.since is not None and self.before is not None:
            first, last = (time.strftime("%Y-%m-%d", time.gmtime(when)) for when in (self.since, self.before))
            yield (
                f"a long history: looked through from {first} to {last}, besides the tree's base and the ends of "
                "branches (--full: all of it)"
            )
        if self.passed_over:
            yield f"{plural(self.passed_over, 'old commit')} with changes of these files, too many, were not looked at"
        if history.is_shallow(self.git_dir):
            yield "the history of this repository is cut short; older commits were not seen"


def spellings(value: str) -> tuple[str, ...]:
    """The revisions that a base as people write it may be in a repository."""
    words = value.split()
    forms = [value, f"refs/tags/{value}", f"refs/remotes/origin/{value}"]
    if len(words) == 2 and words[0] in ("linux-next", "next"):
        forms.append(f"refs/tags/next-{words[1].replace('-', '').removeprefix('next')}")
    if "/" in value:
        forms += [f"refs/remotes/{value}", f"refs/heads/{value.partition('/')[2]}"]
    return tuple(forms)


def _named(blob: str | None) -> str | None:
    """The id of an `index` line; None for what names no blob."""
    return blob if blob and blob.strip("0") and len(blob) >= 4 else None


def _posted(series: Series) -> int | None:
    """When the series was posted, and a day, in seconds since 1970; None where no date is known or it is absurd."""
    dates = [series.cover.date] if series.cover else []
    known = [date for date in [*dates, *(patch.date for patch in series.patches)] if date and date.year > 1990]
    return int(max(known).timestamp()) + _HEAD_START if known else None
