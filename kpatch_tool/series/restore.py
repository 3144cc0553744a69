"""Gives the patches of a series their bytes back, each against the files as the patches before it left them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from kpatch_tool.diff.apply import Applied, apply_file
from kpatch_tool.diff.model import FileDiff
from kpatch_tool.diff.printer import format_diff, second_reading
from kpatch_tool.diff.restore import Restoration, blob_id, restore_file
from kpatch_tool.mail.message import Damage
from kpatch_tool.series.diffstat import laid_out
from kpatch_tool.series.model import Exactness, Patch, Series
from kpatch_tool.text import plural

ReadBase = Callable[[str], bytes | None]
_LOST = frozenset({Damage.SQUEEZED, Damage.BLANK_LINES_DROPPED})
_SURE = frozenset({Exactness.INTACT, Exactness.PROVEN})


def needs_restoring(series: Series) -> bool:
    """Whether a patch of `series` is not the author's bytes for sure."""
    return any(patch.exactness not in _SURE for patch in series.patches)


def restore_series(series: Series, read_base: ReadBase) -> Series:
    """`series` (as received: from `store.reread`) with every patch restored as far as the base tells.

    `read_base` gives the content of a file of the base by its path, None where there is none; each path is asked for
    once. Intact and proven patches are passed through, and change the files that later ones see. A patch of which one
    file does not fit stays damaged as a whole, with the reason.
    """
    files = _Files(read_base)
    return replace(series, patches=tuple(_patch(patch, files) for patch in series.patches))


class _Files:
    """The files of the base as the patches so far left them."""

    def __init__(self, read_base: ReadBase) -> None:
        self._read_base = read_base
        self._known: dict[str, bytes | None] = {}

    def read(self, path: str | None) -> bytes | None:
        if path is None:
            return None
        if path not in self._known:
            self._known[path] = self._read_base(path)
        return self._known[path]

    def before(self, file: FileDiff) -> bytes | None:
        """The file a diff starts from; for a created one what stands in its way, usually nothing."""
        return self.read(file.old_path or file.new_path)

    def put(self, file: FileDiff, post: bytes | None) -> None:
        """Take over what `file` makes of it."""
        if file.old_path and file.old_path != file.new_path and not file.copied:
            self._known[file.old_path] = None
        if file.new_path:
            self._known[file.new_path] = post


def _patch(patch: Patch, files: _Files) -> Patch:
    if patch.exactness in _SURE:
        for file in patch.files:
            outcome = apply_file(files.before(file), file)
            if isinstance(outcome, Applied):
                files.put(file, outcome.post)
        return patch
    if not patch.files:
        return replace(patch, exactness=Exactness.DAMAGED, why=patch.why or "its diff could not be read")
    results: list[Restoration] = []
    for file in patch.files:
        result = _file(file, files.before(file), patch.damage)
        if result.found:
            files.put(file, result.post)
        results.append(result)
    return _judged(patch, results)


def _file(file: FileDiff, base: bytes | None, damage: frozenset[Damage]) -> Restoration:
    """Restore one file; where white space was not lost, the text as received is tried first."""
    if not damage & _LOST and file.new_blob:
        outcome = apply_file(base if file.old_path else None, file, fuzz=0)
        post = outcome.post if isinstance(outcome, Applied) else None
        if post is not None and blob_id(post, file.new_blob).startswith(file.new_blob):
            return Restoration(file, post, True, True, f"blob {file.new_blob} as received")
    return restore_file(file, base)


def _judged(patch: Patch, results: list[Restoration]) -> Patch:
    lost = [result for result in results if not result.found]
    if lost:
        return replace(patch, exactness=Exactness.DAMAGED, why=_reasons(lost), ambiguous=())
    restored = tuple(result.file for result in results)
    diff = format_diff(restored)
    differs = second_reading(diff, restored)
    if differs:
        return replace(patch, exactness=Exactness.DAMAGED, why=f"restored, but read back wrongly: {differs}")
    done = replace(
        patch,
        diff=diff,
        files=restored,
        note=laid_out(patch.note),
        ambiguous=tuple(line for result in results for line in result.ambiguous),
    )
    unsure = [result for result in results if not result.proven]
    if unsure:
        return replace(done, exactness=Exactness.MATCHED, why=_reasons(unsure))
    blobs = plural(len(restored), "file has", "files have")
    return replace(done, exactness=Exactness.PROVEN, why=f"restored; {blobs} the blob id the patch names")


def _reasons(results: list[Restoration]) -> str:
    """The reasons of files, those with the same reason together."""
    by_reason: dict[str, list[str]] = {}
    for result in results:
        by_reason.setdefault(result.why, []).append(result.file.path)
    return "; ".join(f"{', '.join(paths)}: {why}" for why, paths in by_reason.items())


def base_of(files: Mapping[str, bytes]) -> ReadBase:
    """A base that consists of `files`."""
    return files.get
