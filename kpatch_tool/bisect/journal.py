"""The looks of a search, kept after each one: a search that was stopped goes on where it was."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from kpatch_tool.bisect.model import Answer, Observation
from kpatch_tool.system import atomic, lock
from kpatch_tool.tree.model import State
from kpatch_tool.workspace import Workspace

_FORMAT = 5
_PATIENCE = 30.0  # seconds that another search of the series may take to write
_SetRow = tuple[tuple[int, ...], Observation]


class Journal:
    """The looks at `states` for one question, in .kpt/bisect/SERIES/, and those at sets of patches (`--minimal`) beside
    them. Other states, another question, or other inputs (both are in `identity`) have another journal."""

    def __init__(self, workspace: Workspace, series: str, states: Sequence[State], identity: str) -> None:
        parts = json.dumps([_FORMAT, identity, [(state.patch, state.tree_id) for state in states]])
        name = hashlib.sha256(parts.encode()).hexdigest()[:16]
        self.path: Path = workspace.state / "bisect" / series / f"{name}.json"
        self._sets: Path = self.path.with_name(f"{name}.sets.json")
        self._lock: Path = workspace.lock(f"journal-{series}")

    def read(self) -> tuple[Observation, ...]:
        """The looks kept, in order; none where the file is missing or not in order."""
        try:
            return tuple(_observation(row) for row in json.loads(self.path.read_bytes()))
        except (OSError, ValueError, TypeError, KeyError):
            return ()

    def write(self, seen: Sequence[Observation]) -> None:
        """Keep `seen`. Raises MachineError when it cannot be written."""
        self._keep(self.path, [asdict(one) for one in seen])

    def read_sets(self) -> tuple[_SetRow, ...]:
        """The looks at sets of patches, likewise."""
        try:
            rows = json.loads(self._sets.read_bytes())
            return tuple((tuple(map(int, row["patches"])), _observation(row["seen"])) for row in rows)
        except (OSError, ValueError, TypeError, KeyError):
            return ()

    def write_sets(self, looks: Sequence[_SetRow]) -> None:
        """Keep `looks`. Raises MachineError when it cannot be written."""
        self._keep(self._sets, [{"patches": patches, "seen": asdict(seen)} for patches, seen in looks])

    def forget(self) -> None:
        """Begin anew."""
        with atomic.machine_errors(self.path):
            self.path.unlink(missing_ok=True)
            self._sets.unlink(missing_ok=True)

    def _keep(self, path: Path, rows: Sequence[Any]) -> None:
        with lock.held(self._lock, wait_seconds=_PATIENCE):  # the series may be searched on another tree, too
            atomic.sweep(path.parent)
            atomic.write_text(path, json.dumps(rows, indent=1) + "\n")


def _observation(row: Mapping[str, Any]) -> Observation:
    named = {key: tuple(row.get(key, ())) for key in ("about", "cases")}
    return Observation(**{**row, **named, "answer": Answer(row["answer"])})
