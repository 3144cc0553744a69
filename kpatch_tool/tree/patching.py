"""One patch on the files of a state: where it fits, how well, or why not. Nothing is written.

For each file, from the surest way to the least: every line as the patch has it, at the line it names or elsewhere;
a three-way merge with the file the patch was written for, when the repository has that blob; the lines with some
context left out (fuzz). git am knows the first, git am -3 the second, patch(1) the third.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from kpatch_tool.diff.apply import Applied, Conflict, Placement, apply_file, is_already
from kpatch_tool.diff.hostile import LINK, kept_mode, unsafe_link
from kpatch_tool.diff.model import FileDiff, Hunk
from kpatch_tool.text import plural, printable, printable_bytes
from kpatch_tool.tree.model import ApplyStatus
from kpatch_tool.tree.objects import Entry
from kpatch_tool.tree.overlay import Overlay

# A patch is the last of these that one of its files is: it is there already only where all of it is.
_ORDER = (
    ApplyStatus.ALREADY,
    ApplyStatus.CLEAN,
    ApplyStatus.OFFSET,
    ApplyStatus.MERGED,
    ApplyStatus.FUZZ,
    ApplyStatus.CONFLICT,
)
_HUNK_SHOWN = 30  # lines of a hunk that does not fit
_ID_DIGITS = 7  # fewer digits of a blob id prove nothing


@dataclass(frozen=True, slots=True)
class Put:
    """What became of a patch: status, a sentence, lines for a person, and path -> the file after it (None: gone)."""

    status: ApplyStatus
    why: str
    details: tuple[str, ...] = ()
    changes: Mapping[str, Entry | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _FilePut:
    status: ApplyStatus
    why: str = ""
    details: tuple[str, ...] = ()
    post: bytes | None = None


def put_patch(files: Sequence[FileDiff], overlay: Overlay) -> Put:
    """Try the diffs `files` on `overlay` (which is left as it is). An empty diff is CLEAN and changes nothing."""
    if not files:
        return Put(ApplyStatus.CLEAN, "there is nothing in it to apply")
    if all(_has_result(file, overlay) for file in files):
        made = any(file.new_path is not None for file in files)
        why = "every file is what the patch makes of it, by blob id" if made else "what it removes is not there"
        return already(files, overlay, why)
    strict = _put_files(files, overlay, thorough=False)
    if strict.status is not ApplyStatus.CONFLICT:
        return strict
    if all(_is_there(file, overlay) for file in files):
        return already(files, overlay, "the tree has every change of it")
    return _put_files(files, overlay, thorough=True)


def _put_files(files: Sequence[FileDiff], overlay: Overlay, *, thorough: bool) -> Put:
    """Every file by strict placement, or (thorough) by any way that works."""
    written = overlay.layer()
    results: list[tuple[FileDiff, _FilePut]] = []
    going = {file.old_path for file in files if file.old_path and (file.renamed or file.new_path is None)}
    for file in files:
        pre = _pre_image(file, overlay, written, going)
        result = _wrong_type(file, pre) or _obstacle(file, written, going)
        result = result or _put_file(file, pre, overlay, thorough=thorough)
        if result.status is not ApplyStatus.CONFLICT and (
            refused := _leads_astray(file, pre, result.post) or _is_another(file, pre, result.post, written)
        ):
            result = refused
        results.append((file, result))
        if result.status is ApplyStatus.CONFLICT:
            break
        if result.status is not ApplyStatus.ALREADY:
            _record(file, pre, result.post, written)
    worst = max((result.status for _, result in results), key=_ORDER.index)
    details = tuple(line for file, result in results for line in result.details)
    if worst is ApplyStatus.CONFLICT:
        return Put(worst, results[-1][1].why, details)
    return Put(worst, _sentence(worst, results), details, written.changed)


def _put_file(file: FileDiff, pre: Entry | None, overlay: Overlay, *, thorough: bool) -> _FilePut:
    data = None if pre is None else pre.data
    strict = apply_file(data, file, fuzz=0)
    if isinstance(strict, Applied):
        return _placed(file, strict)
    if thorough:
        merged = _merged(file, pre, overlay)
        if merged is not None:
            return merged
        if _is_there(file, overlay):
            return _FilePut(ApplyStatus.ALREADY, details=(f"{_name(file)}: has the change already",))
        loose = apply_file(data, file)
        if isinstance(loose, Applied):
            return _placed(file, loose)
    return _refused(file, strict)


def _placed(file: FileDiff, applied: Applied) -> _FilePut:
    moved = [placement for placement in applied.placements if placement.offset or placement.fuzz]
    details = tuple(_placement_line(file, placement) for placement in moved)
    status = ApplyStatus.CLEAN
    if any(placement.fuzz for placement in moved):
        status = ApplyStatus.FUZZ
    elif moved:
        status = ApplyStatus.OFFSET
    return _FilePut(status, details=details, post=applied.post)


def _placement_line(file: FileDiff, placement: Placement) -> str:
    parts = [f"{_name(file)}: hunk {placement.hunk + 1} at line {placement.line}"]
    if placement.offset:
        parts.append(f"offset {placement.offset:+d} {'line' if abs(placement.offset) == 1 else 'lines'}")
    if placement.fuzz:
        parts.append(f"fuzz {placement.fuzz}")
    return ", ".join(parts)


def _refused(file: FileDiff, conflict: Conflict) -> _FilePut:
    hunk = f"hunk {conflict.hunk + 1} of " if conflict.hunk is not None else ""
    reason = printable(conflict.reason)
    details = [f"{_name(file)}: {hunk and 'hunk ' + str((conflict.hunk or 0) + 1) + ': '}{reason}"]
    if conflict.header:
        details.append(printable(conflict.header))
    if conflict.hunk is not None:
        details += _hunk_lines(file.hunks[conflict.hunk])
    if conflict.near is not None:
        details.append(
            f"line {conflict.near.line} on, {conflict.near.score:.0%} alike (- the patch expects, + the file has):"
        )
        details += [printable(line, lines=True).replace("\n", " ") for line in conflict.near.differs]
    return _FilePut(ApplyStatus.CONFLICT, f"{hunk}{_name(file)} does not fit: {reason}", tuple(details))


def _hunk_lines(hunk: Hunk) -> list[str]:
    """The lines of a hunk for a person, each two blanks in; of a long one the beginning."""
    shown = [f"  {line.kind.value}{printable_bytes(line.text, lines=True)}" for line in hunk.lines[:_HUNK_SHOWN]]
    left = len(hunk.lines) - len(shown)
    return [*shown, f"  ... {plural(left, 'more line')}"] if left else shown


def _merged(file: FileDiff, pre: Entry | None, overlay: Overlay) -> _FilePut | None:
    """The three-way merge of `pre` with what the patch makes of the blob it names; None where that cannot be."""
    if pre is None or file.old_blob is None or len(file.old_blob) < _ID_DIGITS or file.binary or file.uncopied:
        return None
    if file.new_path is None or file.old_path is None or pre.oid.startswith(file.old_blob):
        return None
    origin = overlay.objects.blob(file.old_blob)
    if origin is None:
        return None
    theirs = apply_file(origin, file, fuzz=0)
    if not isinstance(theirs, Applied) or theirs.post is None:
        return None
    from kpatch_tool.tree.merge import merge_texts

    both = merge_texts(pre.data, origin, theirs.post)
    if both is None:
        return None
    note = f"{_name(file)}: merged with blob {file.old_blob}, which the patch was written for"
    return _FilePut(ApplyStatus.ALREADY if both == pre.data else ApplyStatus.MERGED, details=(note,), post=both)


def _pre_image(file: FileDiff, overlay: Overlay, written: Overlay, going: Container[str]) -> Entry | None:
    """The file a diff starts from (for a created file: what is in its way, but what the patch takes away itself)."""
    if file.old_path is None:
        return None if file.path in going and file.path not in written.changed else written.get(file.path)
    return (overlay if file.from_before else written).get(file.old_path)


def _wrong_type(file: FileDiff, pre: Entry | None) -> _FilePut | None:
    """The refusal to take a symbolic link for a file, or a file for a link (git's apply.c, check_preimage)."""
    if file.old_path is None or not _is_of_another_type(file.old_mode, pre):
        return None
    types = ["a file", "a symbolic link"]
    here, there = reversed(types) if pre is not None and pre.mode == LINK else types
    why = f"{printable(file.old_path)} is {here} here, for the patch {there}"
    return _FilePut(ApplyStatus.CONFLICT, why, (why,))


def _is_of_another_type(mode: str | None, entry: Entry | None) -> bool:
    """Whether one of both is a symbolic link and the other is none; a mode of None says nothing."""
    return entry is not None and mode is not None and (kept_mode(mode) == LINK) != (entry.mode == LINK)


def _obstacle(file: FileDiff, written: Overlay, going: Iterable[str]) -> _FilePut | None:
    """Whether the name of a created, renamed or copied file is free."""
    path = file.new_path
    if path is None or path == file.old_path or file.uncopied:
        return None
    taken = written.get(path)
    if taken is not None and path not in going and file.old_path is not None:
        why = f"{printable(path)} exists already"
        return _FilePut(ApplyStatus.CONFLICT, why, (why,))
    if taken is None and (blocked := _without(going, written).obstacle(path)):
        why = f"{printable(path)} cannot be made: {printable(blocked)}"
        return _FilePut(ApplyStatus.CONFLICT, why, (why,))
    return None


def _without(going: Iterable[str], written: Overlay) -> Overlay:
    """The files once those the patch takes away are gone: a diff names them in the order of their paths, so that a file
    with the name a directory had comes before the directory's own (git's apply.c, too, writes after it removed)."""
    left = {path: None for path in going if path not in written.changed}
    if not left:
        return written
    after = written.layer()
    after.put(left)
    return after


def _mode_after(file: FileDiff, pre: Entry | None) -> str:
    kept = pre.mode if pre is not None and file.old_path is not None else "100644"
    return _mode_change(file) or kept


def _leads_astray(file: FileDiff, pre: Entry | None, post: bytes | None) -> _FilePut | None:
    """The refusal of a symbolic link that must not be. That a file is one may be known from the tree alone."""
    if file.new_path is None or post is None or _mode_after(file, pre) != LINK:
        return None
    why = unsafe_link(file.new_path, post)
    return _FilePut(ApplyStatus.CONFLICT, f"{_name(file)} is refused: {why}", (why,)) if why else None


def _is_another(file: FileDiff, copy: Entry | None, post: bytes | None, written: Overlay) -> _FilePut | None:
    """The refusal to take back what is no longer the copy that the patch made: it would go with what others did to it.
    Its blob id tells; where the patch names none, what it was copied from does."""
    if not file.uncopied:
        return None
    source = written.get(file.new_path or "")
    if file.old_blob is not None and len(file.old_blob) >= _ID_DIGITS:
        same = copy is not None and copy.oid.startswith(file.old_blob)
    else:
        same = source is not None and post == source.data
    why = f"{_name(file)} is not the copy of {printable(file.new_path or '')} any more that the patch made"
    return None if same else _FilePut(ApplyStatus.CONFLICT, why, (why,))


def _record(file: FileDiff, pre: Entry | None, post: bytes | None, written: Overlay) -> None:
    freed = file.freed
    if freed is not None and written.changed.get(freed) is None:  # else another file of this patch took the name
        written.put({freed: None})
    if file.new_path is not None and post is not None and not file.uncopied:
        written.put({file.new_path: written.make(_mode_after(file, pre), post)})


def _has_result(file: FileDiff, overlay: Overlay) -> bool:
    """Whether the file is, by its blob id, what the patch makes of it."""
    if file.new_path is None or file.uncopied:
        return file.old_path is not None and overlay.get(file.old_path) is None
    now = overlay.get(file.new_path)
    if now is None or file.new_blob is None or len(file.new_blob) < _ID_DIGITS or file.new_blob == file.old_blob:
        return False
    moved = file.renamed and file.old_path is not None and overlay.get(file.old_path) is not None
    return now.oid.startswith(file.new_blob) and _mode_change(file) in (None, now.mode) and not moved


def _is_there(file: FileDiff, overlay: Overlay) -> bool:
    """Whether the tree has what the patch does to this file."""
    if (there := _has_result(file, overlay)) or file.uncopied or file.new_path is None:
        return there
    now = overlay.get(file.new_path)
    if _is_of_another_type(file.new_mode, now):
        return False
    if file.renamed and (now is None or (file.old_path is not None and overlay.get(file.old_path) is not None)):
        return False
    mode = _mode_change(file)
    if mode is not None and now is not None and now.mode != mode:
        return False
    if not file.hunks and not file.binary and file.old_path is not None:
        return file.renamed or mode is not None
    return is_already(None if now is None else now.data, file)


def _mode_change(file: FileDiff) -> str | None:
    """The mode the patch gives the file, None when it leaves that alone (an `index` line only tells the mode)."""
    return kept_mode(file.new_mode) if file.new_mode and file.new_mode != file.old_mode else None


def strictly(files: Sequence[FileDiff], overlay: Overlay) -> Mapping[str, Entry | None] | None:
    """path -> the file after `files`, where every line of them fits as it is; else None."""
    if not files:
        return {}
    put = _put_files(files, overlay, thorough=False)
    return None if put.status is ApplyStatus.CONFLICT else put.changes


def already(files: Sequence[FileDiff], overlay: Overlay, why: str) -> Put:
    """The answer for a patch whose changes the files have."""
    return Put(ApplyStatus.ALREADY, why, changes={file.path: overlay.get(file.path) for file in files})


def _sentence(status: ApplyStatus, results: Sequence[tuple[FileDiff, _FilePut]]) -> str:
    hunks = sum(len(file.hunks) for file, _ in results)
    lines = sum(len(result.details) for _, result in results)
    if status is ApplyStatus.OFFSET:
        return f"{plural(lines, 'hunk')} of {hunks} at another line than the patch names"
    if status is ApplyStatus.FUZZ:
        return "some context lines differ (fuzz); see that the hunks are in the right place"
    if status is ApplyStatus.MERGED:
        return "merged three ways with the files the patch was written for"
    if status is ApplyStatus.ALREADY:
        return "the tree has every change of it"
    if any(result.status is ApplyStatus.ALREADY for _, result in results):
        return "a part of it is there already; the rest fits at the line it names"
    return "every hunk fits at the line it names" if hunks else "the names and modes it changes are as it expects"


def _name(file: FileDiff) -> str:
    return printable(file.path)
