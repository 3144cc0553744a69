"""`kpt base` as a whole: names in, where a series fits out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from kpatch_tool.errors import InputError
from kpatch_tool.progress import Progress, silent
from kpatch_tool.series.directory import store
from kpatch_tool.series.model import Series
from kpatch_tool.series.reading.stated import Form, Stated, statements
from kpatch_tool.system import process
from kpatch_tool.text import plural
from kpatch_tool.tree import base
from kpatch_tool.tree.base import Sought
from kpatch_tool.tree.catalogue import Catalogue
from kpatch_tool.tree.fits import Fits
from kpatch_tool.tree.model import Tree
from kpatch_tool.workspace import Workspace

ALL = "all"
_GOES_FIRST = (Form.PATCH_ID, Form.CHANGE_ID, Form.MESSAGE_ID, Form.URL, Form.TITLE)


@dataclass(frozen=True, slots=True)
class Answer:
    """Where a series fits: the tree, the repository looked through (the tree's own, or the one on this machine that it
    was made from), what was found, a sentence that sums it up, and what to do next ("" where nothing).

    `others` are the answers for further trees, best first, when all were asked."""

    series: str
    tree: Tree
    repository: Path
    sought: Sought
    why: str
    todo: str = ""
    others: tuple[Answer, ...] = ()

    @property
    def found(self) -> bool:
        """Whether a commit holds every file as the series wants it."""
        return bool(self.sought.exact)


def base_named(
    workspace: Workspace, name: str, *, tree: str | None, full: bool = False, progress: Progress = silent
) -> Answer:
    """Where the series called `name` fits in the tree called `tree` ("all": every tree that is here; None: the one that
    Catalogue.resolve chooses, else every tree). `full`: all of a long history, too (base.search).

    Raises what directory.store and the catalogue raise, and InputError for a tree made of the series' own lines.
    """
    series = store.load(store.find(workspace, name))
    trees = _trees(Catalogue(workspace), series, tree)
    answers = [_in_tree(Catalogue(workspace), one, series, progress, full=full) for one in trees]
    best, *others = sorted(answers, key=_goodness)
    return Answer(best.series, best.tree, best.repository, best.sought, best.why, best.todo, tuple(others))


def bases_of(series: Series) -> tuple[Stated, ...]:
    """What the messages name as the base, the fixed lines before the sentences."""
    named = [one for one in statements(series) if one.form is Form.BASE]
    return tuple(sorted(named, key=lambda one: not one.exact))


def _trees(catalogue: Catalogue, series: Series, name: str | None) -> Sequence[Tree]:
    real = [tree for tree in catalogue.here() if not tree.skeleton]
    if name == ALL and catalogue.find(ALL) is None:
        return real or [catalogue.resolve(None, series)]
    try:
        chosen = catalogue.resolve(name, series)
    except InputError:
        if name is not None or not real:
            raise
        return real
    if chosen.skeleton:
        todo = "name a kernel tree with --tree, or add one: kpt tree add"
        raise InputError(
            "it is made of the series' own lines and has no history", where=f"tree {chosen.name}", todo=todo
        )
    return [chosen]


def _in_tree(catalogue: Catalogue, tree: Tree, series: Series, progress: Progress, *, full: bool) -> Answer:
    declared = [one.value for one in bases_of(series)]

    def looked(repository: Path) -> Answer:
        sought = base.search(repository, series, own=tree.base if repository == tree.git_dir else None,
                             declared=declared, full=full, progress=progress)  # fmt: skip
        todo = _todo(series, tree, sought, own=repository == tree.git_dir, repository=repository)
        return Answer(series.name, tree, repository, sought, _sentence(series, sought), todo)

    own = looked(tree.git_dir)
    source = None if own.found else _source(catalogue, tree)
    return own if source is None else min(own, looked(source), key=_goodness)


def _source(catalogue: Catalogue, tree: Tree) -> Path | None:
    """The repository on this machine that the tree was made from: it has the other branches and the tags."""
    record = catalogue.record(tree.name)
    if record is None or record.kind != "git" or not Path(record.source).is_dir():
        return None
    asked = process.run(["git", "-C", record.source, "rev-parse", "--absolute-git-dir"])
    return Path(asked.stdout.decode("utf-8", "surrogateescape").strip()) if asked.status == 0 else None


def _goodness(answer: Answer) -> tuple[int, int, int]:
    """Smaller is better: exact first, then the fewest files that do not fit, then the fewest that differ."""
    near = answer.sought.nearest
    if answer.found:
        return 0, 0, 0
    if near is None:
        return 2, 0, 0
    stuck = sum(one.fits in (Fits.CONFLICT, Fits.MISSING) for one in near.differs)
    return 1, stuck, len(near.differs)


def _sentence(series: Series, sought: Sought) -> str:
    total = len(sought.wanted)
    if sought.exact:
        count = sum(one.commits for one in sought.exact)
        files = "file as the patches name it" if total == 1 else f"{total} files as the patches name them"
        return f"{plural(count, 'commit holds', 'commits hold')} the {files}"
    near = sought.nearest
    if near is None:
        return "the repository has no commit"
    together = "the file" if total == 1 else f"the {total} files together"
    parts = [f"no commit holds {together}; the nearest has {near.matching} of {total}"]
    stuck = [one for one in near.differs if one.fits in (Fits.CONFLICT, Fits.MISSING)]
    parts.append(f"{plural(len(stuck), 'file does', 'files do')} not fit there" if stuck else "the hunks fit there")
    made = {file.path: file.new_blob for patch in series.patches for file in patch.files if file.new_blob}
    there = sum(bool(one.found and made.get(one.path) and one.found.startswith(made[one.path] or "?"))
                for one in near.differs)  # fmt: skip
    if there:
        parts.append(f"{plural(there, 'file is', 'files are')} as the series leaves {'it' if there == 1 else 'them'}")
    first = [one for one in statements(series) if one.form in _GOES_FIRST]
    if first:
        parts.append("the series names patches that go first (`kpt deps`), which may make the files it starts from")
    return "; ".join(parts)


def _todo(series: Series, tree: Tree, sought: Sought, *, own: bool, repository: Path) -> str:
    if sought.exact:
        commit = sought.exact[0].commit
        if not own:
            return f"kpt tree add NAME --git {repository} --ref {commit[:12]}"
        return f"kpt apply {series.name} --tree {tree.name}" + (f" --onto {commit[:12]}" if commit != tree.base else "")
    near = sought.nearest
    if own and near and near.commit != tree.base and not any(one.fits is Fits.CONFLICT for one in near.differs):
        return f"kpt apply {series.name} --tree {tree.name} --onto {near.commit[:12]}"
    return ""
