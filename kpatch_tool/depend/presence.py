"""Whether a base has what a series needs from outside, told from the files of the base alone."""

from __future__ import annotations

from collections.abc import Callable

from kpatch_tool.diff.model import FileDiff, Hunk, Kind
from kpatch_tool.diff.nearest import squeezed
from kpatch_tool.series.model import Patch

Read = Callable[[str], bytes | None]


def reverted_is_there(patch: Patch, read: Read) -> bool | None:
    """Whether the files of the base still hold what the revert `patch` takes out.

    `read` gives a file of the base by its path, None where there is none. True when every hunk finds the lines it
    removes among its context, False when every hunk finds its outcome instead, None when it cannot be told. White
    space is squeezed on both sides, so a damaged patch can be asked about too.
    """
    found = {_state(file, read) for file in patch.files if file.hunks and not file.binary}
    return found.pop() if len(found) == 1 else None


def _state(file: FileDiff, read: Read) -> bool | None:
    data = read(file.old_path or file.path)
    if data is None:
        return None
    text = _joined([squeezed(line) for line in data.split(b"\n")])
    if all(_image(hunk, Kind.ADDED) in text for hunk in file.hunks):
        return True
    return False if all(_image(hunk, Kind.REMOVED) in text for hunk in file.hunks) else None


def _image(hunk: Hunk, without: Kind) -> bytes:
    return _joined([squeezed(line.text) for line in hunk.lines if line.kind is not without])


def _joined(lines: list[bytes]) -> bytes:
    """Lines as one text in which only whole lines are found."""
    return b"\n" + b"".join(line + b"\n" for line in lines)
