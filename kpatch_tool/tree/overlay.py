"""The files of a commit with changes on top, in memory."""

from __future__ import annotations

from collections.abc import Mapping

from kpatch_tool.diff.blob import blob_id
from kpatch_tool.diff.hostile import LINK
from kpatch_tool.tree.objects import Entry, Objects


class Overlay:
    """The files of `commit`, changed by what was `put`. Reads each file once."""

    def __init__(self, objects: Objects, commit: str) -> None:
        self.objects = objects
        self._commit = commit
        self._changed: dict[str, Entry | None] = {}

    def fresh(self) -> Overlay:
        """The same commit with nothing on top."""
        return Overlay(self.objects, self._commit)

    def get(self, path: str) -> Entry | None:
        """The file `path` as it is now, None when there is none."""
        if path in self._changed:
            return self._changed[path]
        return self.objects.file(self._commit, path)

    def put(self, changes: Mapping[str, Entry | None]) -> None:
        """Take over the files after a patch."""
        self._changed.update(changes)

    def make(self, mode: str, data: bytes) -> Entry:
        """A file of that mode and content with the id git will give it."""
        return Entry(mode, blob_id(data, like=self._commit), data)

    def obstacle(self, path: str, more: Mapping[str, Entry | None]) -> str:
        """What stands where a new file `path` would go, as a phrase, or "". `more` are changes on top of those that
        were put."""
        changed = {**self._changed, **more}
        parts = path.split("/")
        for depth in range(1, len(parts)):
            above = "/".join(parts[:depth])
            entry = changed[above] if above in changed else self.get(above)
            if entry is not None:
                return f"{above} is a {'symbolic link' if entry.mode == LINK else 'file'}, not a directory"
        below = f"{path}/"
        gone = {name for name, entry in changed.items() if entry is None}
        if any(name.startswith(below) and entry is not None for name, entry in changed.items()):
            return f"{path} is a directory"
        names = self.objects.names(self._commit, path)
        if any(f"{below}{name}" not in gone for name in names):
            return f"{path} is a directory"
        return ""
