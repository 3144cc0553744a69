"""What a patch mail's diffstat says of its diff: its last line counts files and lines (git's diff.c,
print_stat_summary_inserts_deletes: one of both counts of lines is always there)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from kpatch_tool.diff.model import FileDiff
from kpatch_tool.series.model import Exactness, Patch
from kpatch_tool.text import plural

_SUMMARY = re.compile(
    r"^ (\d{1,6}) files? changed(?=,)(?:, (\d{1,9}) insertions?\(\+\))?(?:, (\d{1,9}) deletions?\(-\))?$", re.MULTILINE
)


def agrees(note: str, files: Sequence[FileDiff]) -> bool:
    """Whether there is one diffstat in `note`, and it counts what `files` are."""
    stated = _stated(note)
    return stated is not None and not _contradiction(stated, files)


def contradicted(patches: Iterable[Patch]) -> list[str]:
    """Sentences on patches whose diffs look whole but are others than their diffstats count: a mail that was cut off
    between two files, say. Those that are known to be damaged are not looked at."""
    found: list[str] = []
    for patch in patches:
        stated = _stated(patch.note) if patch.exactness is not Exactness.DAMAGED else None
        if stated is not None and (what := _contradiction(stated, patch.files)):
            found.append(f"patch {patch.number}: {what}; cut off, or edited by hand")
    return found


def _stated(note: str) -> tuple[int, int, int] | None:
    """How many files, added and removed lines a diffstat counts; None without one, and with several, of which one may
    be the cover letter's."""
    summaries = _SUMMARY.findall(note)
    if len(summaries) != 1:
        return None
    files, added, removed = (int(number or 0) for number in summaries[0])
    return files, added, removed


def _contradiction(stated: tuple[int, int, int], files: Sequence[FileDiff]) -> str:
    most = len({file.path for file in files})
    # Before 1.8.1 git did not count files in which no line changes.
    silent = {file.path for file in files if not (file.hunks or file.payload or file.renamed or file.copied)}
    if not most - len(silent) <= stated[0] <= most:
        return f"its diffstat counts {plural(stated[0], 'file')}, its diff has {most}"
    added, removed = sum(file.added for file in files), sum(file.removed for file in files)
    # git format-patch -D leaves out the lines of removed files, and counts them.
    left_out = any(file.new_path is None and not (file.hunks or file.payload) for file in files)
    if stated[1] != added or (stated[2] < removed if left_out else stated[2] != removed):
        return f"its diffstat counts +{stated[1]} -{stated[2]} lines, its diff +{added} -{removed}"
    return ""
