"""What restoring did, for the terminal and as JSON."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Iterator

from kpatch_tool.series.model import Exactness, Patch
from kpatch_tool.text import plural, printable
from kpatch_tool.tree.restoring import Restored

_WIDTH = 80
_LINES = 12  # undecided lines of one patch that are shown


def text(done: Restored) -> str:
    """A line a patch, its reason, and the lines that nothing decided; then the sum."""
    lines = [line for patch in done.series.patches for line in _patch_lines(patch)]
    counts = Counter(patch.exactness for patch in done.series.patches)
    total = ", ".join(f"{counts[kind]} {kind}" for kind in Exactness if counts[kind])
    against = f" against tree {done.tree.name} (base {done.tree.base[:12]})" if done.tree else ""
    return "\n".join([*lines, f"{plural(len(done.series.patches), 'patch', 'patches')}{against}: {total}"])


def _patch_lines(patch: Patch) -> Iterator[str]:
    head = f"{patch.number:4} {patch.exactness:8}  "
    yield _cut(head + printable(patch.subject))
    yield from textwrap.wrap(
        printable(patch.why), _WIDTH, initial_indent=" " * 5, subsequent_indent=" " * 5, break_long_words=False
    )
    for line in patch.ambiguous[:_LINES]:
        yield _cut(f"       {printable(line)}")
    if len(patch.ambiguous) > _LINES:
        yield f"       ... and {plural(len(patch.ambiguous) - _LINES, 'line')} more (--json has them)"


def _cut(line: str) -> str:
    return line if len(line) <= _WIDTH else line[: _WIDTH - 3] + "..."


def document(done: Restored) -> dict[str, object]:
    """The JSON document."""
    return {
        "name": done.series.name,
        "tree": done.tree.name if done.tree else None,
        "base": done.tree.base if done.tree else None,
        "patches": [
            {
                "number": patch.number,
                "subject": patch.subject,
                "exactness": patch.exactness.value,
                "why": patch.why,
                "ambiguous": list(patch.ambiguous),
                "files": [{"path": file.path, "blob": file.new_blob} for file in patch.files],
            }
            for patch in done.series.patches
        ],
    }
