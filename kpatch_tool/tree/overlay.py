"""The files of a commit with changes on top, in memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from kpatch_tool.diff.blob import blob_id
from kpatch_tool.diff.hostile import LINK
from kpatch_tool.tree.objects import Entry, Objects


class Overlay:
    """The files of `commit`, changed by what was `put`. Reads each file once. A `layer` on top is changed alone."""

    def __init__(self, objects: Objects, commit: str, under: Overlay | None = None) -> None:
        self.objects = objects
        self.changed: dict[str, Entry | None] = {}  # by what was put here; None: the file is gone
        self._commit = commit
        self._under = under
        self._directories: set[str] = set()  # that something of `changed` is or was in

    def fresh(self) -> Overlay:
        """The same commit with nothing on top."""
        return Overlay(self.objects, self._commit)

    def layer(self) -> Overlay:
        """Another one that has the files of this one, for changes that this one is not to have."""
        return Overlay(self.objects, self._commit, self)

    def get(self, path: str) -> Entry | None:
        """The file `path` as it is now, None when there is none."""
        if path in self.changed:
            return self.changed[path]
        return self.objects.file(self._commit, path) if self._under is None else self._under.get(path)

    def put(self, changes: Mapping[str, Entry | None]) -> None:
        """Take over the files after a patch."""
        self.changed.update(changes)
        for path, entry in changes.items():
            above = path.rpartition("/")[0]
            while entry is not None and above and above not in self._directories:
                self._directories.add(above)
                above = above.rpartition("/")[0]

    def make(self, mode: str, data: bytes) -> Entry:
        """A file of that mode and content with the id git will give it."""
        return Entry(mode, blob_id(data, like=self._commit), data)

    def obstacle(self, path: str) -> str:
        """What stands where a new file `path` would go, as a phrase, or ""."""
        parts = path.split("/")
        for depth in range(1, len(parts)):
            above = "/".join(parts[:depth])
            entry = self.get(above)
            if entry is not None:
                return f"{above} is a {'symbolic link' if entry.mode == LINK else 'file'}, not a directory"
        return f"{path} is a directory" if self._is_directory(path) else ""

    def _is_directory(self, path: str) -> bool:
        below = f"{path}/"
        there = self.objects.exists(self._commit, path)
        names = self.objects.names(self._commit, path) if there else ()
        if not names and not any(path in layer._directories for layer in self._layers()):
            return False  # nearly always; what follows looks at every change
        changed = {name: entry for layer in self._layers() for name, entry in layer.changed.items()}
        if any(name.startswith(below) and entry is not None for name, entry in changed.items()):
            return True
        return any(self._holds(f"{below}{name}", changed) for name in names)

    def _holds(self, path: str, changed: Mapping[str, Entry | None]) -> bool:
        """Whether anything is left of `path`, a file or a directory of the commit, after what was `changed`."""
        if path in changed:
            return changed[path] is not None
        names = self.objects.names(self._commit, path)
        return not names or any(self._holds(f"{path}/{name}", changed) for name in names)

    def _layers(self) -> Iterator[Overlay]:
        """This one and those under it, the lowest first."""
        if self._under is not None:
            yield from self._under._layers()
        yield self
