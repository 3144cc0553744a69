"""A series for a reader: the JSON document of `kpt show`, and text for a terminal of 80 columns."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from kpatch_tool.diff.hostile import hidden, unsafe_file
from kpatch_tool.diff.model import FileDiff
from kpatch_tool.diff.pairing import heading
from kpatch_tool.mail.message import Address, Damage
from kpatch_tool.series.directory import store
from kpatch_tool.series.directory.store import Unreadable
from kpatch_tool.series.model import Cover, Exactness, Patch, Reply, Series
from kpatch_tool.series.people import attesting
from kpatch_tool.series.reading.diffs import LOST
from kpatch_tool.series.reading.split import has_diff
from kpatch_tool.series.views.gist import gist
from kpatch_tool.text import columns, cut, plural, printable, printable_bytes

if TYPE_CHECKING:
    from kpatch_tool.series.reading.stated import Stated

_SHORT_ID = 7
_ID = 12  # digits of a blob id that are shown; binary diffs name all 40
_SHORTEST_TITLE = 30
_LONGEST_LABEL = 60
_NUMBER_COLUMNS = 5  # what the numbers of patches take


def document(series: Series, only: int | None = None) -> dict[str, object]:
    """The JSON contract of `kpt show` (design, section 3); `only` leaves one patch. Dates are ISO 8601 or null.

    Raises InputError when there is no patch `only`.
    """
    if only:
        store.patch_of(series, only)
    return {
        "name": series.name,
        "title": series.title,
        "revision": series.revision,
        "total": series.total,
        "tree": series.tree,
        "cover": _cover_document(series.cover) if series.cover else None,
        "patches": [_patch_document(patch) for patch in _chosen(series, only)],
        "replies": [_reply_document(reply) for reply in series.replies if only is None or reply.to_patch == only],
        "problems": [*series.problems, *_warnings(_chosen(series, only))],
        "declared": [_stated_document(one) for one in _stated(series)],
    }


def _cover_document(cover: Cover) -> dict[str, object]:
    return {
        "subject": cover.subject,
        "author": _person(cover.author),
        "date": _iso(cover.date),
        "body": cover.body,
    }


def _reply_document(reply: Reply) -> dict[str, object]:
    return {
        "from": _person(reply.author),
        "date": _iso(reply.date),
        "subject": reply.subject,
        "to_patch": reply.to_patch,
        "diff": carries_patch(reply),
    }


def _stated_document(one: Stated) -> dict[str, object]:
    return {
        "patch": one.patch,
        "kind": str(one.form),
        "value": one.value,
        "revision": one.revision,
        "says": one.words,
    }


def _stated(series: Series) -> tuple[Stated, ...]:
    """What the mails declare; its many patterns are of no use to `kpt list`."""
    from kpatch_tool.series.reading.stated import statements

    return statements(series)


def summary(series: Series | Unreadable) -> dict[str, object]:
    """One series in the JSON document of `kpt list`; of one that cannot be read only the name and the reason."""
    if isinstance(series, Unreadable):
        return {"name": series.name, "problems": [series.why]}
    return {
        "name": series.name,
        "title": series.title,
        "revision": series.revision,
        "patches": len(series.patches),
        "total": series.total,
        "exactness": worst(series).value,
        "tree": series.tree,
        "problems": list(series.problems),
    }


def worst(series: Series) -> Exactness:
    """The least exactness among the patches."""
    order = (Exactness.DAMAGED, Exactness.MATCHED, Exactness.PROVEN, Exactness.INTACT)
    return min((patch.exactness for patch in series.patches), key=order.index, default=Exactness.INTACT)


def _chosen(series: Series, only: int | None) -> Iterable[Patch]:
    return [patch for patch in series.patches if only is None or patch.number == only]


def _warnings(patches: Iterable[Patch]) -> Iterator[str]:
    """What makes a patch one to be refused, or to be looked at closely."""
    for patch in patches:
        for file in patch.files:
            if why := unsafe_file(file):
                yield f"patch {patch.number}: {file.path} will be refused: {why}"
        for line in hidden(patch.files):
            yield f"patch {patch.number}: {line}"


def _patch_document(patch: Patch) -> dict[str, object]:
    return {
        "number": patch.number,
        "subject": patch.subject,
        "author": _person(patch.author),
        "date": _iso(patch.date),
        "exactness": patch.exactness.value,
        "why": patch.why,
        "ambiguous": [str(one) for one in patch.ambiguous],
        "message_id": patch.message_id or None,
        "attestation": attesting.documents(patch.attestation),
        "trailers": [{"key": t.key, "value": t.value, "source": t.source} for t in patch.trailers],
        "files": [
            {
                "path": file.path,
                "old_path": file.old_path,
                "new_path": file.new_path,
                "old_mode": file.old_mode,
                "new_mode": file.new_mode,
                "binary": file.binary,
                "old_blob": file.old_blob,
                "new_blob": file.new_blob,
                "hunks": len(file.hunks),
                "added": added,
                "removed": removed,
            }
            for file, added, removed in _counted(patch)
        ],
    }


def _counted(patch: Patch) -> Iterator[tuple[FileDiff, int, int]]:
    """Each file with the number of its lines added and removed. On a page that squeezed its lines some context looks
    added or removed (`++count;`); there the counts in @@ tell, as every line is there."""
    counts_tell = patch.exactness is Exactness.DAMAGED and patch.damage & LOST == {Damage.SQUEEZED}
    for file in patch.files:
        if counts_tell:
            added = sum(len(hunk.lines) - hunk.old_count for hunk in file.hunks)
            removed = sum(len(hunk.lines) - hunk.new_count for hunk in file.hunks)
            if 0 <= added <= file.added and 0 <= removed <= file.removed:
                yield file, added, removed
                continue
        yield file, file.added, file.removed


def _person(author: Address) -> dict[str, str]:
    return {"name": author.name, "email": author.email}


def _iso(when: datetime | None) -> str | None:
    return when.isoformat() if when else None


def shown(series: Series, only: int | None = None) -> Iterator[str]:
    """The lines of `kpt show`: the whole series, the cover letter (`only` is 0) or all of patch `only`.

    Raises InputError when there is no such patch.
    """
    if only is None:
        return text(series)
    return patch_text(series, store.patch_of(series, only)) if only else cover_text(series)


def text(series: Series) -> Iterator[str]:
    """The lines of `kpt show SERIES`, safe for a terminal."""
    version = f" v{series.revision}" if series.revision > 1 else ""
    yield from _wrapped(f"{series.title}{version}", "")
    where = f", for tree {printable(series.tree)}" if series.tree else ""
    yield f"{series.name}: {plural(len(series.patches), 'patch', 'patches')}{where}"
    if series.cover:
        yield f"  0  cover letter, {_byline(series.cover.author, series.cover.date)}"
    for patch in series.patches:
        yield ""
        yield from _wrapped(patch.subject, f"  {patch.number}  ")
        yield f"     {_byline(patch.author, patch.date)}, {patch.exactness.value}"
        for line in (*_patch_lines(patch), *map(printable, attesting.lines(patch, brief=True))):
            yield f"     {line}"
    for one in _stated(series):
        yield from _wrapped(one.words, "declared: ")
    if series.replies:
        yield ""
        yield plural(len(series.replies), "reply", "replies")
        for reply in series.replies:
            target = "?" if reply.to_patch is None else reply.to_patch
            yield from _wrapped(gist(reply.body), f"  to {target}: {_answer_line(reply)}: ")
    for problem in (*series.problems, *_warnings(series.patches)):
        yield from _wrapped(problem, "problem: ")


def patch_text(series: Series, patch: Patch) -> Iterator[str]:
    """The lines of `kpt show SERIES --patch K`: everything about one patch, and its diff."""
    yield from _wrapped(patch.subject, f"{patch.number}/{series.total}  ")
    yield _byline(patch.author, patch.date)
    yield from _wrapped(patch.why, f"{patch.exactness.value}: ")
    for one in patch.ambiguous:
        yield from _wrapped(str(one), "undecided: ")
    for line in _warnings([patch]):
        yield from _wrapped(line, "problem: ")
    yield from _patch_lines(patch)
    for line in attesting.lines(patch):
        yield from _wrapped(line, "")
    yield ""
    yield from printable(patch.message, lines=True).split("\n")
    yield "---"
    if patch.note:
        yield from printable(patch.note, lines=True).split("\n")
        yield ""
    yield from printable_bytes(patch.diff, lines=True).removesuffix("\n").split("\n")
    yield from _replies_to(series, patch.number)


def cover_text(series: Series) -> Iterator[str]:
    """The lines of `kpt show SERIES --patch 0`: the cover letter and what answers it."""
    cover = series.cover
    if cover is None:
        yield "the series has no cover letter"
    else:
        yield from _wrapped(cover.subject, f"0/{series.total}  ")
        yield _byline(cover.author, cover.date)
        yield ""
        yield from printable(cover.body, lines=True).split("\n")
    yield from _replies_to(series, 0)


def _replies_to(series: Series, number: int) -> Iterator[str]:
    for reply in series.replies:
        if reply.to_patch == number:
            yield ""
            yield f"reply: {_answer_line(reply)}"
            for line in printable(reply.body, lines=True).split("\n"):
                yield f"  {line}".rstrip()


def _patch_lines(patch: Patch) -> Iterator[str]:
    for file, added, removed in _counted(patch):
        yield from _below(_file_line(file, added, removed))
    for trailer in patch.trailers:
        if trailer.source == "reply" or not trailer.key.lower().startswith("signed-off"):
            mark = " (in a reply)" if trailer.source == "reply" else ""
            yield from _below(printable(f"{trailer.key}: {trailer.value}{mark}"))


def _below(line: str) -> list[str]:
    """A line below a patch's subject, wrapped where it must be."""
    return textwrap.wrap(
        line, columns() - _NUMBER_COLUMNS, subsequent_indent="    ", break_long_words=False, break_on_hyphens=False
    )


def _file_line(file: FileDiff, added: int, removed: int) -> str:
    """A file with the ids of its blobs, as many digits as there is room for."""
    line = f"{_done_to(file)}  {'binary' if file.binary else f'+{added} -{removed}'}"
    if not file.old_blob:
        return line
    digits = _ID if len(line) + 2 * _ID + 4 <= columns() - _NUMBER_COLUMNS else _SHORT_ID
    return f"{line}  {file.old_blob[:digits]}..{(file.new_blob or '')[:digits]}"


def _done_to(file: FileDiff) -> str:
    """A file's name with what is done to it but for its lines: "old => new", "path (mode change 100644 => 100755)"."""
    shown = heading(file)
    if file.copied and file.old_path is not None:
        shown = file.old_path.encode("utf-8", "surrogateescape") + b" => " + shown + b" (copy)"
    return printable_bytes(shown)


def _byline(author: Address, when: datetime | None) -> str:
    return printable(f"{author.name or 'unknown'}, {when.date().isoformat() if when else 'no date'}")


def carries_patch(reply: Reply) -> bool:
    """Whether a reply proposes a diff of its own (one that is not quoted)."""
    return has_diff(reply.body.encode("utf-8", "replace"))


def _answer_line(reply: Reply) -> str:
    return _byline(reply.author, reply.date) + (", with a patch" if carries_patch(reply) else "")


def _wrapped(what: str, label: str) -> list[str]:
    """`what` behind `label`, wrapped at 80 columns with the following lines under its beginning."""
    shown = printable(what) or "(empty)"
    indent = " " * min(len(label), 12)
    if len(label) > _LONGEST_LABEL:
        return [label.rstrip(), *textwrap.wrap(shown, columns(), initial_indent=indent, subsequent_indent=indent)]
    return textwrap.wrap(shown, columns(), initial_indent=label, subsequent_indent=indent, break_on_hyphens=False)


def imported(series: Series, directory: Path, *, written: bool) -> Iterator[str]:
    """What `kpt import` says."""
    done = "imported" if written else "already imported, nothing changed"
    yield f"{done}: {printable(str(directory))}"
    yield from text(series)
    for line in attesting.summary(series):
        yield from _wrapped(line, "")
    refused = any(unsafe_file(file) for patch in series.patches for file in patch.files)
    if worst(series) is Exactness.DAMAGED and not refused:
        lost = any(patch.damage & LOST for patch in series.patches)
        does = "gives the white space back" if lost else "undoes the damage"
        yield from _wrapped(f"kpt restore {series.name} --tree NAME {does}", "next: ")


def _row(series: Series | Unreadable) -> tuple[str, str, str, str]:
    if isinstance(series, Unreadable):
        return printable(series.name), "?", "broken", series.why
    return series.name, f"{len(series.patches)}", worst(series).value, series.title


def table(found: Iterable[Series | Unreadable]) -> Iterator[str]:
    """The lines of `kpt list`: name, number of patches, the least exactness, title; the title below where the names
    leave it no room."""
    rows = [_row(series) for series in found]
    if not rows:
        yield "no series here yet: kpt import FILE --name NAME"
        return
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    for name, count, exactness, title in rows:
        line = f"{name:<{widths[0]}}  {count:>{widths[1]}}  {exactness:<{widths[2]}}"
        shown = printable(title)
        if columns() - len(line) < _SHORTEST_TITLE:
            yield line.rstrip()
            line = " "
        yield f"{line}  {cut(shown, columns() - len(line) - 2)}"
