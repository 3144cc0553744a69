"""What goes before a series: every statement looked up among the series that are here, and theirs in turn.

Nothing is skipped silently: what is not here is named with what to type, and so are circles and revisions that do not
agree. Pure: the tree is asked through `InTree`.
"""

from __future__ import annotations

import re
import shlex
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from kpatch_tool.diff.patchid import patch_ids
from kpatch_tool.diff.printer import format_diff
from kpatch_tool.series.model import Exactness, Series
from kpatch_tool.series.reading.stated import Form, Stated, change_ids, own_ids, statements

_DEEPEST = 20  # prerequisites of prerequisites
_MOST = 400  # needs of one chain, all told
# b4 makes message-ids of a series' name, revision and patch number: 20240425-NAME-v5-0-46397f23ce35@example.org
_B4_ID = re.compile(r"(?:\d{8}-)?(?P<name>.{1,200})-v(?P<revision>\d{1,4})-\d{1,4}-[0-9a-f]{6,40}@.+")


class InTree(Protocol):
    """Questions to a tree; None: it cannot tell, or no tree is asked."""

    def commit(self, revision: str) -> bool | None:
        """Whether a commit, tag or branch is its base or in the history of that."""

    def patch(self, patch_id: str) -> bool | None:
        """Whether a commit of its history has this patch id."""

    def series(self, series: Series) -> bool | None:
        """Whether it has every patch of `series`."""


@dataclass(frozen=True, slots=True)
class Need:
    """A statement and what became of it. `series` is the series here that it names ("" where none is), `patch` the
    patch of that where one alone is meant; `present` whether the tree has it; `why` a sentence; `todo` what to type,
    "" where nothing is to be done; `needs` what `series` needs in turn. Where several statements name one series, the
    first has its needs and the others are `again`: a graph told as a tree could be endless."""

    stated: Stated
    series: str = ""
    patch: int | None = None
    present: bool | None = None
    why: str = ""
    todo: str = ""
    needs: tuple[Need, ...] = ()
    again: bool = False

    @property
    def known(self) -> bool:
        """Whether it is here or in the tree."""
        return bool(self.series) or self.present is True


@dataclass(frozen=True, slots=True)
class Chain:
    """All that goes before a series. `order` names the series to apply before it, in that order, without those that the
    tree has; `findings` are sentences on circles, revisions that do not agree, and statements that name nothing."""

    needs: tuple[Need, ...] = ()
    order: tuple[str, ...] = ()
    findings: tuple[str, ...] = ()

    @property
    def missing(self) -> tuple[Need, ...]:
        """The needs, also of prerequisites, that are neither here nor known to be in the tree."""
        return tuple(one for one in everything(self.needs) if one.stated.form is not Form.BASE and not one.known)


def everything(needs: Iterable[Need]) -> Iterator[Need]:
    """The needs and theirs, depth first."""
    for one in needs:
        yield one
        yield from everything(one.needs)


class Index:
    """The series of a workspace, found by what mails call them."""

    def __init__(self, known: Sequence[Series]) -> None:
        self._known = known
        self._patches: dict[str, list[tuple[Series, int]]] | None = None

    def by_message(self, message_id: str) -> Series | None:
        """The series with this mail."""
        return next((one for one in self._known if message_id in own_ids(one)), None)

    def by_change(self, change_id: str) -> list[Series]:
        """The series with this change-id, the latest revision first."""
        found = [one for one in self._known if change_id in change_ids(one)]
        return sorted(found, key=lambda one: -one.revision)

    def by_title(self, title: str) -> list[Series]:
        """The series with this title, or with a patch of this subject, the latest revision first."""
        wanted = _folded(title)
        whole = [one for one in self._known if _folded(one.title) == wanted]
        parts = [one for one in self._known if any(_folded(patch.subject) == wanted for patch in one.patches)]
        return sorted(whole or parts, key=lambda one: -one.revision)

    def by_patch(self, patch_id: str) -> list[tuple[Series, int]]:
        """The series with a patch of this id, and that patch's number."""
        if self._patches is None:
            self._patches = {}
            for one in self._known:
                for patch in one.patches:
                    text = format_diff(patch.files) if patch.exactness is Exactness.DAMAGED else patch.diff
                    for known in patch_ids(text, patch.files):
                        self._patches.setdefault(known, []).append((one, patch.number))
        return self._patches.get(patch_id, [])

    def other_revision(self, message_id: str) -> Series | None:
        """The series here that b4 sent under the same name as the series of `message_id`, in another revision."""
        asked = _B4_ID.fullmatch(message_id)
        if asked is None:
            return None
        for one in self._known:
            for known in own_ids(one):
                match = _B4_ID.fullmatch(known)
                if match and match["name"] == asked["name"] and match["revision"] != asked["revision"]:
                    return one
        return None


@dataclass(slots=True)
class _Walk:
    """What a walk through the needs has met so far."""

    index: Index
    tree: InTree | None
    order: dict[str, None] = field(default_factory=dict)
    findings: dict[str, None] = field(default_factory=dict)
    asked: dict[str, dict[int, str]] = field(default_factory=dict)  # what is meant -> revision -> who asks for it
    there: dict[str, bool | None] = field(default_factory=dict)
    done: set[str] = field(default_factory=set)  # series whose needs are known
    count: int = 0


def resolve(series: Series, index: Index, tree: InTree | None = None) -> Chain:
    """What goes before `series`, looked up in `index` and `tree`, and what goes before that."""
    walk = _Walk(index, tree)
    needs = _needs(series, walk, (series.name,))
    for what, revisions in walk.asked.items():
        if len(revisions) > 1:
            told = ", ".join(f"v{revision} ({who})" for revision, who in sorted(revisions.items()))
            walk.findings[f"different revisions of {what} are asked for: {told}"] = None
    order = tuple(name for name in walk.order if name != series.name)
    return Chain(needs, order, tuple(walk.findings))


def _needs(series: Series, walk: _Walk, path: tuple[str, ...]) -> tuple[Need, ...]:
    found = []
    for stated in statements(series):
        walk.count += 1
        if walk.count > _MOST:
            walk.findings[f"{path[0]} needs more than {_MOST} things, all told; the rest was not looked at"] = None
            break
        found.append(_need(stated, series, walk, path))
    walk.done.add(series.name)
    return tuple(found)


def _need(stated: Stated, series: Series, walk: _Walk, path: tuple[str, ...]) -> Need:
    if stated.form is Form.BASE:
        present = walk.tree.commit(stated.value) if walk.tree else None
        if not stated.exact and present is False:
            present = None  # a sentence may speak of an earlier revision's base
        return Need(stated, present=present)
    if stated.form is Form.INVALID:
        walk.findings[f"{_who(stated, series)} says {_shown(stated.words)!a}, which names nothing"] = None
        return Need(stated, why="it names nothing that can be looked up")
    found, patch, why = _looked_up(stated, series, walk)
    if found is None:
        present = walk.tree.patch(stated.value) if walk.tree and stated.form is Form.PATCH_ID else None
        if present:
            return Need(stated, present=True, why="a commit of the tree's history has this patch id")
        return Need(stated, present=present, why=why, todo=_todo(stated))
    if found.name == series.name:
        return Need(stated, found.name, patch, None, "it is in the series itself")
    return _followed(Need(stated, found.name, patch, _present(found, walk), why), found, walk, path)


def _followed(need: Need, found: Series, walk: _Walk, path: tuple[str, ...]) -> Need:
    """`need`, met by the series `found`, with what that needs in turn; and the order."""
    if found.name in path:
        ring = " -> ".join([*path[path.index(found.name) :], found.name])
        walk.findings[f"series that need one another: {ring}"] = None
        return replace(need, why=f"{need.why}; it needs this series in turn")
    if need.present is True:
        return replace(need, why=f"{need.why}; the tree has all of it")
    if len(path) >= _DEEPEST:
        walk.findings[f"prerequisites lie more than {_DEEPEST} deep; {found.name} was not followed"] = None
        return need
    need = replace(need, todo=f"kpt apply {found.name}")
    if found.name in walk.done:
        return replace(need, again=True)
    inner = _needs(found, walk, (*path, found.name))
    walk.order.setdefault(found.name)
    return replace(need, needs=inner)


def _present(found: Series, walk: _Walk) -> bool | None:
    if found.name not in walk.there:
        walk.there[found.name] = walk.tree.series(found) if walk.tree else None
    return walk.there[found.name]


_Found = tuple[Series | None, int | None, str]


def _looked_up(stated: Stated, series: Series, walk: _Walk) -> _Found:
    """The series a statement names, the one patch of it that is meant (else None), and a sentence."""
    if stated.form is Form.PATCH_ID:
        return _by_patch(stated, series, walk)
    if stated.form is Form.MESSAGE_ID:
        return _by_message(stated, series, walk)
    if stated.form is Form.CHANGE_ID:
        return _of_revision(stated, series, walk.index.by_change(stated.value), walk, "has this change-id")
    if stated.form is Form.TITLE:
        return _of_revision(stated, series, walk.index.by_title(stated.value), walk, "has this title")
    return None, None, "the address names no message"


def _by_patch(stated: Stated, series: Series, walk: _Walk) -> _Found:
    hits = walk.index.by_patch(stated.value)
    if not hits:
        return None, None, "no patch here has this patch id"
    # Revisions share patches: the one meant has most of the patches named.
    named = [one.value for one in statements(series) if one.form is Form.PATCH_ID]
    shared = Counter(name for value in named for name in {hit.name for hit, _ in walk.index.by_patch(value)})
    found, number = max(hits, key=lambda hit: (hit[0].name == series.name, shared[hit[0].name], hit[0].revision))
    _note_revision(_folded(found.title), found.revision, f"{series.name}, by patch id", walk)
    return found, number, f"it is patch {number} of {_named(found)}"


def _by_message(stated: Stated, series: Series, walk: _Walk) -> _Found:
    met = walk.index.by_message(stated.value)
    if met is not None:
        _note_revision(_folded(met.title), met.revision, series.name, walk)
        return met, None, f"it is a mail of {_named(met)}"
    other, asked = walk.index.other_revision(stated.value), _B4_ID.fullmatch(stated.value)
    if other is None or asked is None:
        return None, None, "no series here has this mail"
    return _mismatch(stated, series, other, int(asked["revision"]), walk)


def _of_revision(stated: Stated, series: Series, hits: Sequence[Series], walk: _Walk, has: str) -> _Found:
    """The one of several revisions that is asked for; the latest where none is."""
    if not hits:
        return None, None, f"no series here {has}"
    if stated.revision is None:
        return hits[0], None, f"{_named(hits[0])} {has}"
    _note_revision(_folded(hits[0].title), stated.revision, series.name, walk)
    exact = next((one for one in hits if one.revision == stated.revision), None)
    if exact is None:
        return _mismatch(stated, series, hits[0], stated.revision, walk)
    return exact, None, f"{_named(exact)} {has}"


def _mismatch(stated: Stated, series: Series, other: Series, wanted: int, walk: _Walk) -> _Found:
    """Another revision is here than the one asked for: a finding, and not taken for it."""
    _note_revision(_folded(other.title), wanted, series.name, walk)
    asked = f"{stated.value} v{wanted}" if stated.form is not Form.MESSAGE_ID else f"v{wanted} (<{stated.value}>)"
    walk.findings[f"{_who(stated, series)} needs {asked}, but {_named(other)} is what is here"] = None
    return None, None, f"v{wanted} is not here; {_named(other)} is"


def _note_revision(what: str, revision: int, who: str, walk: _Walk) -> None:
    walk.asked.setdefault(what, {}).setdefault(revision, who)


def _todo(stated: Stated) -> str:
    if stated.form in (Form.MESSAGE_ID, Form.URL):
        return f"kpt import {shlex.quote(stated.value)}"
    if stated.form is Form.CHANGE_ID and not stated.value.startswith("I"):
        return f"search an archive for {stated.value} and kpt import the thread"
    return "kpt import the series it belongs to"


def _named(series: Series) -> str:
    return f"series {series.name} (v{series.revision})"


def _who(stated: Stated, series: Series) -> str:
    return f"the cover letter of {series.name}" if stated.patch == 0 else f"patch {stated.patch} of {series.name}"


def _shown(words: str) -> str:
    return words if len(words) <= 60 else words[:57] + "..."


def _folded(title: str) -> str:
    return " ".join(title.lower().split())
