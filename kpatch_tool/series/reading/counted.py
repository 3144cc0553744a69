"""What a patch mail's diffstat says of its diff: its last line counts files and lines (git's diff.c,
print_stat_summary_inserts_deletes: one of both counts of lines is always there)."""

from __future__ import annotations

import re
from collections.abc import Iterable

from kpatch_tool.series.model import Exactness, Patch
from kpatch_tool.text import plural

_SUMMARY = re.compile(
    r"^ (\d{1,6}) files? changed(?=,)(?:, (\d{1,9}) insertions?\(\+\))?(?:, (\d{1,9}) deletions?\(-\))?$", re.MULTILINE
)


def contradicted(patches: Iterable[Patch]) -> list[str]:
    """Sentences on patches whose diffs look whole but are others than their diffstats count: a mail that was cut off
    between two files, say. Those that are known to be damaged are not looked at."""
    found = ((patch, _contradiction(patch)) for patch in patches if patch.exactness is not Exactness.DAMAGED)
    return [f"patch {patch.number}: {what}; cut off, or edited by hand" for patch, what in found if what]


def _contradiction(patch: Patch) -> str:
    summaries = _SUMMARY.findall(patch.note)
    if len(summaries) != 1:  # the cover's may stand there as well
        return ""
    files, added, removed = (int(number or 0) for number in summaries[0])
    here = len({file.path for file in patch.files})
    if here != files:
        return f"its diffstat counts {plural(files, 'file')}, its diff has {here}"
    lines = sum(file.added for file in patch.files), sum(file.removed for file in patch.files)
    if lines != (added, removed):
        return f"its diffstat counts +{added} -{removed} lines, its diff +{lines[0]} -{lines[1]}"
    return ""
