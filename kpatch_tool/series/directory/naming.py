"""Series as people name them: NAME, a path, or either with @K for revision K of the thread they came from."""

from __future__ import annotations

import re

from kpatch_tool.errors import InputError
from kpatch_tool.series.directory import store
from kpatch_tool.series.model import Series
from kpatch_tool.workspace import Workspace

_REVISION = re.compile(r"(.+)@v?([0-9]{1,3})")


def load_named(where: Workspace, named: str) -> Series:
    """The series `named`: a name or path as `store.find` takes it, or one with @K ("tlb-flush@4", "series/x@v4"), which
    reads revision K from the source that the series was imported from.

    Raises InputError when there is no such series or revision.
    """
    try:
        return store.load(store.find(where, named))
    except InputError:
        asked = _REVISION.fullmatch(named)
        if asked is None:
            raise
    directory = store.find(where, asked[1])
    series = store.load(directory)
    return series if series.revision == int(asked[2]) else store.reread(directory, int(asked[2]))
