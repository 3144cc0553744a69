"""The looks of a search, kept after each one: a search that was stopped goes on where it was."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from kpatch_tool import atomic
from kpatch_tool.bisect.model import Answer, Observation
from kpatch_tool.tree.model import State
from kpatch_tool.workspace import Workspace

_FORMAT = 1


class Journal:
    """The looks at `states` for one question, in .kpt/bisect/SERIES/. Other states, or another question, have another
    journal."""

    def __init__(self, workspace: Workspace, series: str, states: Sequence[State], identity: str) -> None:
        parts = json.dumps([_FORMAT, identity, [state.tree_id for state in states]])
        name = hashlib.sha256(parts.encode()).hexdigest()[:16]
        self.path: Path = workspace.state / "bisect" / series / f"{name}.json"

    def read(self) -> tuple[Observation, ...]:
        """The looks kept, in order; none where the file is missing or not in order."""
        try:
            rows = json.loads(self.path.read_bytes())
            return tuple(Observation(**{**row, "answer": Answer(row["answer"])}) for row in rows)
        except (OSError, ValueError, TypeError, KeyError):
            return ()

    def write(self, seen: Sequence[Observation]) -> None:
        """Keep `seen`. Raises MachineError when it cannot be written."""
        atomic.write_text(self.path, json.dumps([asdict(one) for one in seen], indent=1) + "\n")

    def forget(self) -> None:
        """Begin anew."""
        with atomic.machine_errors(self.path):
            self.path.unlink(missing_ok=True)
