"""A three-way merge of texts, by git."""

from __future__ import annotations

import tempfile

from kpatch_tool.errors import MachineError
from kpatch_tool.system import process, scratch

_MOST_CONFLICTS = 127  # git-merge-file(1): the status is the number of conflicts, above that an error


def merge_texts(ours: bytes, origin: bytes, theirs: bytes) -> bytes | None:
    """`ours` with the change from `origin` to `theirs`; None when they conflict or a text is binary.

    Raises MachineError when git or the temporary directory fails.
    """
    try:
        with scratch.directory("merge") as room:
            paths = []
            for name, text in (("ours", ours), ("origin", origin), ("theirs", theirs)):
                paths.append(room / name)
                paths[-1].write_bytes(text)
            done = process.run(["git", "merge-file", "--stdout", "--quiet", *paths])
    except OSError as error:
        raise MachineError(f"cannot merge: {error.strerror}", where=tempfile.gettempdir()) from error
    if done.status == 0:
        return done.stdout
    if 0 < done.status <= _MOST_CONFLICTS or b"Cannot merge binary files" in done.stderr:
        return None
    raise MachineError(f"git merge-file failed: {done.last_line()}")
