"""What a series is put on other than the tree's base, what goes before it, and what to say of both."""

from __future__ import annotations

from collections.abc import Iterator

from kpatch_tool.depend.prerequisites import Chain, everything
from kpatch_tool.errors import InputError
from kpatch_tool.series.model import Series
from kpatch_tool.series.reading.stated import Form
from kpatch_tool.text import plural, printable
from kpatch_tool.tree import base, history
from kpatch_tool.tree.basing import bases_of
from kpatch_tool.tree.model import ApplyOutcome, Tree

DECLARED, FOUND = "declared", "found"
_QUICK = 50_000  # commits whose history is searched unasked


def commit_for(tree: Tree, series: Series, onto: str) -> str:
    """The full id of the commit that `onto` means: a revision of the tree's repository; "declared": the base the
    messages name; "found": the first that holds every file (`kpt base`). Raises InputError when there is none."""
    where = f"--onto {printable(onto)}"
    if tree.skeleton:
        raise InputError("the tree is made of the series' own lines and has one commit", where=where)
    if onto == DECLARED:
        named = declared_commits(tree, series)
        if not named:
            said = ", ".join(one.value[:60] for one in bases_of(series))
            what = f"tree {tree.name} does not have {said}" if said else "no message names a base"
            raise InputError(what, where=where, todo=f"see `kpt base {series.name} --tree {tree.name}`")
        return named[0][1]
    if onto == FOUND:
        exact = base.search(tree.git_dir, series, own=tree.base, declared=[one.value for one in bases_of(series)]).exact
        if not exact:
            todo = f"see `kpt base {series.name} --tree {tree.name}` for the nearest"
            raise InputError("no commit of the tree holds every file as the patches name it", where=where, todo=todo)
        return exact[0].commit
    known = history.resolved(tree.git_dir, [onto])
    if onto not in known:
        todo = "give a commit, tag or branch (kpt/SERIES, too), `declared` or `found`"
        raise InputError(f"tree {tree.name} has no such commit", where=where, todo=todo)
    return known[onto]


def declared_commits(tree: Tree, series: Series) -> list[tuple[str, str]]:
    """(as written, full id) of the bases that messages name and the repository has."""
    values = [one.value for one in bases_of(series)]
    known = history.resolved(tree.git_dir, [form for value in values for form in base.spellings(value)])
    found = [(value, form) for value in values for form in base.spellings(value) if form in known]
    return [(value, known[form]) for value, form in found]


def notes(tree: Tree, series: Series, chain: Chain) -> Iterator[str]:
    """Sentences on what messages declare: the base where it is another than the tree's, what goes first and is not in
    the tree, findings. `chain` is what was looked up for `series` in `tree`."""
    here = declared_commits(tree, series)
    for one in chain.needs:
        if one.stated.form is Form.BASE and one.stated.exact:
            known = dict(here).get(one.stated.value)
            if known != tree.base:
                yield f"declared base {_short(one.stated.value)}: {_place(tree, known)}"
    for one in everything(chain.needs):
        if one.stated.form is not Form.BASE and not one.known:
            todo = f" (`{one.todo}`)" if one.todo else ""
            yield f"prerequisite {one.stated.form} {one.stated.value} is missing: {one.why}{todo}"
    if chain.order:
        yield f"goes first, and is not in the tree: {', '.join(chain.order)} (--with-prerequisites applies that, too)"
    for finding in chain.findings:
        yield f"finding: {finding}"


def hint(tree: Tree, series: Series, outcome: ApplyOutcome) -> Iterator[str]:
    """After a conflict: a commit of the tree's history that fits, where one is known or quickly found."""
    if not outcome.conflicts or tree.skeleton or outcome.base != tree.base:
        return
    exact: tuple[base.Interval, ...] = ()
    bases = [commit for _, commit in declared_commits(tree, series)]
    if history.count(tree.git_dir, [tree.base], most=_QUICK + 1) <= _QUICK or bases:
        exact = base.search(tree.git_dir, series, own=tree.base, declared=[one.value for one in bases_of(series)]).exact
    if exact and exact[0].commit != tree.base:  # else the conflict is the series' own
        commit = exact[0].commit
        before = history.distance(tree.git_dir, commit, tree.base)
        apart = f"{plural(before, 'commit')} before base" if before else "not in the history of base"
        again = f"kpt apply {series.name} --tree {tree.name} --onto {commit[:12]}"
        yield f"kpt base finds a commit that fits: {commit[:12]} ({apart}); `{again}`"


def _short(value: str) -> str:
    return value[:12] if len(value) >= 40 else value[:60]


def _place(tree: Tree, known: str | None) -> str:
    if known is None:
        return f"tree {tree.name} does not have it"
    if not history.is_ancestor(tree.git_dir, known, tree.base):
        return f"tree {tree.name} has it, outside the history of its base"
    return f"{plural(history.distance(tree.git_dir, known, tree.base), 'commit')} before the tree's base"
