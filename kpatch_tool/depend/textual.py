"""Edges between patches that touch the same lines, and chains of blob ids.

The lines that earlier patches added, removed or showed as context are kept as marks that move as later patches are put
on top, so that each hunk meets the marks where they are by then. A mark counts only where its text agrees with the
hunk's (white space squeezed): a series with a hole in it has line numbers that cannot be relied on. Where blob ids do
not vouch for them, distinctive lines are looked for by their text too.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import accumulate, groupby, islice, pairwise

from kpatch_tool.depend.model import Edge, EdgeKind
from kpatch_tool.depend.order import ordered
from kpatch_tool.diff import names
from kpatch_tool.diff.blob import may_be_same
from kpatch_tool.diff.hostile import unsafe_path
from kpatch_tool.diff.model import FileDiff, Hunk, Kind
from kpatch_tool.diff.nearest import squeezed
from kpatch_tool.diff.spans import Change, Span, changes, context, new_span, old_span
from kpatch_tool.series.model import Patch, Series

_TELLING = 20  # a line of this many characters is taken to be recognisable by its text alone,
_SAYING = 6  # and a shorter one, a brace or blank, says nothing even where its line number fits
_COMMON = (b"return ", b"goto ", b"#include ", b"* SPDX", b"EXPORT_SYMBOL")  # except these
_STRENGTH = (Kind.ADDED, Kind.REMOVED, Kind.CONTEXT)  # which evidence is said first
_SHOWN = 48


@dataclass(frozen=True, slots=True)
class _Mark:
    """Lines that patch `patch` added or showed, or (an empty span) the place where it removed some."""

    patch: int
    what: Kind
    span: Span
    texts: tuple[bytes, ...]
    before: bytes = b""
    after: bytes = b""


@dataclass(slots=True)
class _File:
    """What is known of one path after some of the patches."""

    marks: list[_Mark] = field(default_factory=list)  # by where they start
    longest: int = 0  # lines of a mark
    known: set[bytes] = field(default_factory=set)  # lines that were there before the patch that adds them again
    named_by: tuple[int, str] | None = None  # the patch, and what it did to this name
    gone: bool = False  # by that patch
    mode: int | None = None  # the patch that changed it last, as here
    binary: int | None = None
    lines: int | None = None
    blob: str | None = None  # what the last patch leaves

    def near(self, span: Span) -> list[_Mark]:
        """The marks that may touch `span`."""
        low = bisect_left(self.marks, span.start - self.longest, key=_start)
        return self.marks[low : bisect_right(self.marks, span.end, key=_start)]


@dataclass(slots=True)
class _Files:
    """The files after some of the patches."""

    by_path: defaultdict[str, _File] = field(default_factory=lambda: defaultdict(_File))
    freed: list[str] = field(default_factory=list)  # names that patches took away from files, sorted

    def free(self, path: str, number: int, what: str) -> None:
        """Patch `number` takes away the name `path`, by `what` it does."""
        self.by_path[path] = _File(named_by=(number, what), gone=True)
        at = bisect_left(self.freed, path)
        if self.freed[at : at + 1] != [path]:
            self.freed.insert(at, path)

    def take(self, path: str, state: _File) -> None:
        """Give `state` the name `path`."""
        self.by_path[path] = state
        state.gone = False
        del self.freed[self._below(path)]  # whoever frees it again needs this

    def made_room(self, path: str) -> Iterable[str]:
        """The names that had to go before there could be a file `path`, one for each patch: of the directories it is
        in, and of files in a directory of its name."""
        if not self.freed or unsafe_path(path):  # what no tree can have may have any number of directories
            return ()
        found: dict[int, str] = {}
        for one in (*accumulate(path.split("/")[:-1], "{}/{}".format), *self.freed[self._below(path)]):
            state = self.by_path.get(one)
            if state is not None and state.gone and state.named_by is not None:
                found.setdefault(state.named_by[0], one)
        return found.values()

    def _below(self, path: str) -> slice:
        """Where `freed` has the names in the directory `path`."""
        return slice(bisect_left(self.freed, f"{path}/"), bisect_left(self.freed, f"{path}0"))  # 0 comes after /


def textual_edges(series: Series) -> tuple[Edge, ...]:
    """The edges of kind textual, at most one for each pair of patches."""
    chain = tuple(chain_edges(series))
    found: dict[tuple[int, int], list[str]] = defaultdict(list)
    files = _Files()
    by_number = {patch.number: patch for patch in series.patches}
    for number in ordered(chain, by_number):
        for needs, why in _put_on_top(by_number[number], files, series.total):
            if needs != number and why not in found[number, needs]:
                found[number, needs].append(why)
    edges = [Edge(*pair, EdgeKind.TEXTUAL, joined(whys)) for pair, whys in found.items() if whys]
    have = {(edge.patch, edge.needs) for edge in edges}
    return tuple(edges) + tuple(edge for edge in chain if (edge.patch, edge.needs) not in have)


def joined(whys: Sequence[str], most: int = 2) -> str:
    """Reasons as one text; those beyond `most` are counted."""
    more = f"; and {len(whys) - most} more" if len(whys) > most else ""
    shown = list(whys[:1])
    for before, why in pairwise(whys[:most]):
        place, found, rest = why.partition(": ")
        shown.append(rest if found and before.startswith(f"{place}: ") else why)
    return "; ".join(shown) + more


# Blob ids


def chain_edges(series: Series) -> Iterator[Edge]:
    """A patch that starts from the blob that another one leaves, whatever their numbers."""
    starts: dict[str, list[tuple[int, str, str]]] = defaultdict(list)
    for patch in series.patches:
        for file in patch.files:
            if _is_id(file.old_blob) and _is_id(file.new_blob) and file.old_blob and file.new_blob:
                starts[file.path].append((patch.number, file.old_blob, file.new_blob))
    pairs: dict[tuple[int, int], list[str]] = defaultdict(list)
    for path, links in starts.items():
        for number, needs, blob in _links(links):
            pairs[number, needs].append(f"{shown_path(path)} {blob[:12]}")
    for (number, needs), whys in sorted(pairs.items()):
        why = f"made on {joined(whys)}, as {needs}/{series.total} leaves it"
        yield Edge(number, needs, EdgeKind.TEXTUAL, why, made_on=True)


def _is_id(blob: str | None) -> bool:
    return blob is not None and len(blob) >= 4 and bool(blob.strip("0"))


def _links(links: list[tuple[int, str, str]]) -> Iterator[tuple[int, int, str]]:
    """For one path: (patch, the patch it was made on, blob id). Links against the numbers count only where they do not
    close a circle: a change and its revert end with the blob they began with."""
    needs: dict[int, int] = {}
    for patch, old, _ in links:
        givers = [other for other, _, new in links if other < patch and may_be_same(old, new)]
        if givers:
            needs[patch] = max(givers)
    for patch, old, _ in links:
        givers = [other for other, _, new in links if other > patch and may_be_same(old, new)]
        if patch not in needs and givers and not _leads_to(needs, min(givers), patch):
            needs[patch] = min(givers)
    for patch, old, _ in links:
        if patch in needs:
            yield patch, needs[patch], old


def _leads_to(needs: dict[int, int], start: int, goal: int) -> bool:
    seen = set()
    at: int | None = start
    while at is not None and at not in seen:
        if at == goal:
            return True
        seen.add(at)
        at = needs.get(at)
    return False


# Lines


def _put_on_top(patch: Patch, files: _Files, total: int) -> Iterator[tuple[int, str]]:
    """(patch needed, why) for the files of `patch`, which are then in `files` as it leaves them."""
    by_path = files.by_path
    before = [_apart(by_path[file.old_path or ""]) if file.from_before else None for file in patch.files]
    taken: set[str] = set()
    for file, known in zip(patch.files, before, strict=True):
        start = by_path[file.old_path or file.path] if known is None else known
        yield from _meet(file, start, files, total)
        if file.freed is not None and file.freed not in taken:
            files.free(file.freed, patch.number, "deletes it" if file.new_path is None else "renames it away")
        if file.new_path is not None:
            taken.add(file.new_path)
            files.take(file.new_path, start)
            _change(patch.number, file, start)


def _meet(file: FileDiff, state: _File, files: _Files, total: int) -> Iterator[tuple[int, str]]:
    """(patch needed, why) for one file of a patch, which starts from `state`, against what the earlier ones did."""
    path = file.old_path or file.path
    name = shown_path(path)
    room = () if file.new_path in (None, file.old_path) else files.made_room(file.path)
    for one in dict.fromkeys((path, file.path, *room)):  # a new name must be free
        there = state if one == path else files.by_path[one]
        if there.named_by is not None:
            yield there.named_by[0], f"{shown_path(one)}: {there.named_by[0]}/{total} {there.named_by[1]}"
    if file.binary and state.binary is not None:
        yield state.binary, f"both change the binary file {name}"
    if _changes_mode(file) and state.mode is not None:
        yield state.mode, f"both change the mode of {name}"
    if file.new_path is None and not file.hunks and not file.binary and state.lines is not None:
        yield state.lines, f"deletes {name} as {state.lines}/{total} leaves it"
    vouched = _same_version(file.old_blob, state.blob)
    told_apart = {} if vouched else _told_apart(state)
    for hunk in file.hunks:
        met = sorted(
            _meet_by_position(hunk, state.near(old_span(hunk)), vouched),
            key=lambda found: _STRENGTH.index(found[0].what),
        )
        by_position = {mark.patch for mark, _ in met}
        met += [(mark, how) for mark, how in _meet_by_text(hunk, told_apart) if mark.patch not in by_position]
        said: set[int] = set()
        for mark, how in met:
            if mark.patch not in said:
                said.add(mark.patch)
                yield mark.patch, f"{name}: {how.format(other=f'{mark.patch}/{total}')}"


def _changes_mode(file: FileDiff) -> bool:
    """Whether it gives a file that stays another mode; what deletes a file only names that."""
    return None not in (file.old_path, file.new_path) and file.old_mode != file.new_mode


def _meet_by_position(hunk: Hunk, marks: Iterable[_Mark], vouched: bool) -> Iterator[tuple[_Mark, str]]:
    """The marks that lie in the hunk and agree with its text. Without `vouched` (blob ids that say that the line
    numbers hold) a brace alone is no agreement."""
    span = old_span(hunk)
    old = hunk.old_lines()
    texts = [squeezed(line.text) for line in old]
    lead, trail = context(hunk)
    changed = [change.old for change in changes(hunk)]
    for mark in marks:
        if mark.what is Kind.REMOVED:
            at = mark.span.start - span.start
            # git ties a hunk to the start or the end of the file, where nothing may be missing above or below.
            tied = (lead == 0 or hunk.old_start <= 1, trail == 0)
            if span.meets(mark.span, ends=tied) and _neighbours(mark, texts, at):
                yield mark, _quote("stands where {other} removes lines, after %s", mark.before)
            continue
        low, high = max(span.start, mark.span.start), min(span.end, mark.span.end)
        shared = range(low, high)
        if not shared or any(texts[at - span.start] != mark.texts[at - mark.span.start] for at in shared):
            continue
        if not vouched and all(len(texts[at - span.start]) < _SAYING for at in shared):
            continue
        if mark.what is Kind.ADDED:
            at = max(shared, key=lambda line: len(texts[line - span.start]))
            removed = old[at - span.start].kind is Kind.REMOVED
            how = "removes %s, which {other} adds" if removed else "its context has %s, which {other} adds"
            yield mark, _quote(how, texts[at - span.start])
        elif any(Span(low, high).meets(change) for change in changed):
            yield mark, _quote("changes lines that {other} has as context, at %s", texts[low - span.start])


def _neighbours(mark: _Mark, texts: list[bytes], at: int) -> bool:
    """Whether the lines at a removal are those the remover showed beside it."""
    before = texts[at - 1] if 0 < at <= len(texts) else mark.before
    after = texts[at] if 0 <= at < len(texts) else mark.after
    return before == mark.before and after == mark.after


def _told_apart(state: _File) -> dict[bytes, _Mark]:
    """The lines that can be found by their text alone: those that say enough and were added once."""
    added = [(text, mark) for mark in state.marks if mark.what is Kind.ADDED for text in mark.texts]
    times = Counter(text for text, _ in added)
    return {text: mark for text, mark in added if times[text] == 1 and text not in state.known and _is_telling(text)}


def _meet_by_text(hunk: Hunk, told_apart: Mapping[bytes, _Mark]) -> Iterator[tuple[_Mark, str]]:
    found: dict[int, list[bytes]] = defaultdict(list)
    for text in dict.fromkeys(squeezed(line.text) for line in hunk.old_lines()):
        if text in told_apart:
            found[id(told_apart[text])].append(text)
    for texts in sorted(found.values(), key=lambda texts: told_apart[texts[0]].span.start):
        yield told_apart[texts[0]], _quote("has %s, which {other} adds", max(texts, key=len))


def _is_telling(text: bytes) -> bool:
    return len(text) >= _TELLING and not text.startswith(_COMMON)


def _same_version(old: str | None, left: str | None) -> bool:
    """Whether the blob ids prove that nothing came between, so that line numbers can be relied on."""
    return old is not None and left is not None and may_be_same(old, left)


def _quote(form: str, text: bytes) -> str:
    words = names.show(text).replace("{", "{{").replace("}", "}}")
    words = words if len(words) <= _SHOWN else words[: _SHOWN - 3].rstrip("{}") + "..."
    return form % (f"`{words}`" if words else "a blank line")


def shown_path(path: str) -> str:
    """A path for a person, escapes neutralised."""
    return names.show(path.encode("utf-8", "surrogateescape"))


def _apart(state: _File) -> _File:
    """The same, for changes that `state` is not to have."""
    return replace(state, marks=list(state.marks), known=set(state.known))


def _change(number: int, file: FileDiff, state: _File) -> None:
    """Put a file of patch `number` on top of `state`: move the marks, add its own."""
    if file.new_path != file.old_path:
        state.named_by = (number, "creates it" if file.old_path is None else "gives another file this name")
    state.blob = file.new_blob
    if file.binary:
        state.binary = number
    if file.hunks:
        state.lines = number
    if _changes_mode(file):
        state.mode = number
    state.marks = list(_all_moved(state.marks, [change for hunk in file.hunks for change in changes(hunk)]))
    for hunk in file.hunks:
        state.known |= {squeezed(line.text) for line in hunk.old_lines()}
        state.marks.extend(_marks_of(number, hunk))
    state.marks.sort(key=_start)
    state.longest = max((len(mark.texts) for mark in state.marks), default=0)


def _marks_of(number: int, hunk: Hunk) -> Iterator[_Mark]:
    lines = hunk.new_lines()
    texts = [squeezed(line.text) for line in lines]
    start = new_span(hunk).start
    for change in changes(hunk):
        low, high = change.new.start - start, change.new.end - start
        before = texts[low - 1] if low else b""
        after = texts[high] if high < len(texts) else b""
        what = Kind.ADDED if low < high else Kind.REMOVED
        yield _Mark(number, what, change.new, tuple(texts[low:high]), before, after)
    shown = [line.kind is Kind.CONTEXT for line in lines]
    at = 0
    for is_context, run in groupby(shown):
        end = at + len(list(run))
        if is_context:
            yield _Mark(number, Kind.CONTEXT, Span(start + at, start + end), tuple(texts[at:end]))
        at = end


def _start(mark: _Mark) -> int:
    return mark.span.start


def _all_moved(marks: Iterable[_Mark], on_top: Sequence[Change]) -> Iterator[_Mark]:
    """What is left of `marks` after the changes `on_top`, at their new lines."""
    ends = [change.old.end for change in on_top]
    shifts = [0, *accumulate(map(_grown, on_top))]
    for mark in marks:
        above = bisect_left(ends, mark.span.start)
        yield from _moved(mark, islice(on_top, above, None), shifts[above])


def _moved(mark: _Mark, on_top: Iterable[Change], shift: int) -> Iterator[_Mark]:
    """What is left of a mark, `shift` lines further down by changes above it, after the others, `on_top`."""
    at = mark.span.start
    for change in on_top:
        if change.old.end <= at and (change.old.start < at or change.old.end > change.old.start or at < mark.span.end):
            shift += _grown(change)
        elif change.old.start >= mark.span.end:
            break
        elif at == mark.span.end:
            return  # an empty mark inside what is removed
        else:
            yield from _piece(mark, at, change.old.start, shift)
            at = max(at, min(change.old.end, mark.span.end))
            shift += _grown(change)
            if at == mark.span.end:
                return
    yield from _piece(mark, at, mark.span.end, shift)


def _grown(change: Change) -> int:
    return (change.new.end - change.new.start) - (change.old.end - change.old.start)


def _piece(mark: _Mark, start: int, end: int, shift: int) -> Iterator[_Mark]:
    if start > end or (start == end and mark.texts):
        return
    if shift == 0 and (start, end) == (mark.span.start, mark.span.end):
        yield mark
        return
    texts = mark.texts[start - mark.span.start : end - mark.span.start]
    # not `replace`, which takes most of the time where a thousand patches change one file
    yield _Mark(mark.patch, mark.what, Span(start + shift, end + shift), texts, mark.before, mark.after)
