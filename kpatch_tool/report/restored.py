"""What restoring did, for the terminal and as JSON."""

from __future__ import annotations

import re
import textwrap
from collections import Counter
from collections.abc import Iterator, Sequence

from kpatch_tool.series.model import Exactness, Patch
from kpatch_tool.text import columns, cut, plural, printable
from kpatch_tool.tree.restoring import Restored

_LINES = 12  # undecided places of one patch that are shown
_PLACE = re.compile(r"(?P<file>.+):\+(?P<line>\d+) (?=`)")


def text(done: Restored) -> str:
    """A line a patch, its reason, and the lines that nothing decided; then the sum."""
    lines = [line for patch in done.series.patches for line in _patch_lines(patch)]
    counts = Counter(patch.exactness for patch in done.series.patches)
    total = ", ".join(f"{counts[kind]} {kind}" for kind in Exactness if counts[kind])
    against = f" against tree {done.tree.name} (base {done.tree.base[:12]})" if done.tree else ""
    if done.treeless:
        lines.append(f"without a tree only created files are restored: {done.treeless}")
    return "\n".join([*lines, f"{plural(len(done.series.patches), 'patch', 'patches')}{against}: {total}"])


def _patch_lines(patch: Patch) -> Iterator[str]:
    head = f"{patch.number:4} {patch.exactness:8}  "
    yield cut(head + printable(patch.subject), columns())
    yield from textwrap.wrap(
        printable(patch.why), columns(), initial_indent=" " * 5, subsequent_indent=" " * 5, break_long_words=False
    )
    shown = in_runs(patch.ambiguous)
    for line in shown[:_LINES]:
        yield cut(f"       {printable(line)}", columns())
    if len(shown) > _LINES:
        yield f"       ... and {plural(len(shown) - _LINES, 'place')} more (--json has every line)"


def in_runs(ambiguous: Sequence[str]) -> list[str]:
    """The undecided lines ("FILE:+12 `text`: 2 readings"), those that follow one another in one file as one place:
    "FILE:+12-14, 3 lines: `text`". Others are passed through."""
    runs: list[list[str]] = []
    last: tuple[str, int] | None = None
    for line in ambiguous:
        found = _PLACE.match(line)
        here = (found["file"], int(found["line"])) if found else None
        if here and last and here == (last[0], last[1] + 1):
            runs[-1].append(line)
        else:
            runs.append([line])
        last = here
    return [_run(run) for run in runs]


def _run(lines: Sequence[str]) -> str:
    first = _PLACE.match(lines[0])
    if len(lines) == 1 or first is None:
        return lines[0]
    start = int(first["line"])
    text = lines[0][first.end() :].rpartition(": ")[0]
    return f"{first['file']}:+{start}-{start + len(lines) - 1}, {len(lines)} lines: {text}"


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
