"""What an undo did."""

from __future__ import annotations

from typing import Any

from kpatch_tool.text import plural
from kpatch_tool.tree.undo import Undone


def text(done: Undone) -> str:
    """For the terminal: what the branch is now, and how to go on."""
    again = f"kpt undo {done.series}" + ("" if done.redo else " --redo")
    if done.head is None:
        assert done.before is not None
        what = f"branch {done.branch} of tree {done.tree} is gone, as before it was applied"
        return f"{what}; it was {done.before[:12]}\nto have it again: {again}"
    what = f"branch {done.branch} of tree {done.tree} is {done.head[:12]}, {plural(done.patches, 'patch', 'patches')}"
    was = f"; it was {done.before[:12]}" if done.before else ""
    return f"{what}{was}\n{'to take it back' if done.redo else 'to have that again'}: {again}"


def document(done: Undone) -> dict[str, Any]:
    """What `kpt undo --json` prints."""
    return {
        "series": done.series,
        "tree": done.tree,
        "branch": done.branch,
        "action": "redo" if done.redo else "undo",
        "before": done.before,
        "head": done.head,
        "patches": done.patches,
        "can_undo": done.can_undo,
        "can_redo": done.can_redo,
    }
