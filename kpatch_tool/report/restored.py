"""What restoring did, for the terminal and as JSON."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Iterator, Sequence

from kpatch_tool.diff.undecided import Undecided
from kpatch_tool.series.model import Exactness, Patch
from kpatch_tool.text import columns, cut, plural, printable
from kpatch_tool.tree.restoring import Restored

_LINES = 12  # undecided places of one patch that are shown


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


def in_runs(ambiguous: Sequence[Undecided]) -> list[str]:
    """The undecided lines in words, those that follow one another in one file as one place: "FILE:+12-14, 3 lines:
    `text`"."""
    runs: list[list[Undecided]] = []
    for one in ambiguous:
        if runs and _follows(runs[-1][-1], one):
            runs[-1].append(one)
        else:
            runs.append([one])
    return [_run(run) for run in runs]


def _follows(last: Undecided, one: Undecided) -> bool:
    """Whether two are added lines, one right below the other."""
    lines = not (last.hunk or one.hunk or last.removed or one.removed)
    return lines and (last.path, last.line + 1) == (one.path, one.line)


def _run(lines: Sequence[Undecided]) -> str:
    first = lines[0]
    if len(lines) == 1:
        return str(first)
    return f"{first.path}:+{first.line}-{lines[-1].line}, {len(lines)} lines: `{first.text}`"


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
                "ambiguous": [str(one) for one in patch.ambiguous],
                "files": [{"path": file.path, "blob": file.new_blob} for file in patch.files],
            }
            for patch in done.series.patches
        ],
    }
