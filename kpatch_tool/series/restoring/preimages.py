"""The files that the patches of a series are made for: the base's, as earlier patches left them, or found by their blob
ids."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache

from kpatch_tool.diff.blob import is_blob
from kpatch_tool.diff.model import FileDiff

ReadBase = Callable[[str], bytes | None]
ReadBlob = Callable[[str], bytes | None]
ReadVersions = Callable[[str], Sequence[bytes]]
_LEAST_DIGITS = 7  # of a blob id that is looked up: git's own least (core.abbrev in git-config(1))


class Blobs:
    """Blobs by the beginning of their ids, each looked up once."""

    def __init__(self, read_blob: ReadBlob) -> None:
        self._read = cache(read_blob)

    def read(self, named: str | None) -> bytes | None:
        """The content of the blob whose id begins so; None where the beginning is too short to mean one, or none is at
        hand."""
        found = self._read(named) if named and len(named) >= _LEAST_DIGITS and named.strip("0") else None
        return found if found is not None and is_blob(found, named) else None


class Files:
    """The files of the base as the patches so far left them."""

    def __init__(self, read_base: ReadBase, blobs: Blobs, known: dict[str, bytes | None] | None = None) -> None:
        self._read_base = read_base
        self._blobs = blobs
        self._known = known if known is not None else {}
        self._at_start: Callable[[str | None], bytes | None] = self.read
        self._given: set[str] = set()  # names that diffs of the patch under way have given to files

    def trial(self) -> Files:
        """The same files, to be changed apart."""
        return Files(self.read, self._blobs, dict(self._known))

    def trial_of_patch(self) -> Files:
        """The same files, to be changed apart by the diffs of one patch, which may give a file the name that another
        diff takes from one."""
        trial = self.trial()
        trial._at_start = self.read
        return trial

    def take(self, other: Files) -> None:
        """Take over what a trial came to."""
        self._known.update(other._known)

    def read(self, path: str | None) -> bytes | None:
        if path is None:
            return None
        if path not in self._known:
            self._known[path] = self._read_base(path)
        return self._known[path]

    def before(self, file: FileDiff) -> bytes | None:
        """The file a diff starts from; for a created one what stands in its way, usually nothing."""
        read = self._at_start if file.from_before else self.read
        return read(file.old_path or file.new_path)

    def exact(self, file: FileDiff) -> bytes | None:
        """The very file a diff was made for (b"" for a created one): as `before` gives it, or found by its id; None
        where it is not at hand."""
        if file.old_path is None:
            return b""
        here = self.before(file)
        return here if here is not None and is_blob(here, file.old_blob) else self._blobs.read(file.old_blob)

    def bases(self, file: FileDiff) -> list[bytes | None]:
        """What a diff is restored against: the very file it was made for, where that is another and found by its id,
        then what `before` gives."""
        here = self.before(file)
        exact = self.exact(file) if file.old_path is not None else here
        return [here] if exact is None or exact is here else [exact, here]

    def put(self, file: FileDiff, post: bytes | None) -> None:
        """Take over what `file` makes of it."""
        if file.freed and file.freed not in self._given:
            self._known[file.freed] = None
        if file.new_path:
            self._known[file.new_path] = post
            self._given.add(file.new_path)
