"""The journal of a search: what is kept of its looks, and what a killed search leaves."""

from __future__ import annotations

import fcntl
from pathlib import Path

from kpatch_tool import workspace
from kpatch_tool.bisect.journal import Journal
from kpatch_tool.bisect.model import Answer, Observation
from kpatch_tool.system.atomic import STAGING
from kpatch_tool.tree.model import State

SEEN = (Observation(0, Answer.GOOD), Observation(4, Answer.BAD))


def test_what_a_killed_search_left_is_gone_with_the_next_look(tmp_path: Path) -> None:
    here = workspace.create(tmp_path / "w")
    journal = Journal(here, "s", (), "whether it builds")
    journal.write(SEEN)
    directory = journal.path.parent
    (directory / f"{STAGING}killed").write_text("[")
    with (directory / f"{STAGING}at-work").open("w") as another:
        fcntl.flock(another, fcntl.LOCK_EX)
        journal.write(SEEN)
        assert {path.name for path in directory.iterdir()} == {journal.path.name, f"{STAGING}at-work"}
    assert Journal(here, "s", (), "whether it builds").read() == SEEN
    assert Journal(here, "s", (), "another question").read() == ()


def test_the_same_trees_behind_other_patches_are_other_states(tmp_path: Path) -> None:
    """What the patches 1 and 2 give, the patches 2 and 3 may give: looks tell of patches by their numbers."""
    here = workspace.create(tmp_path / "w")
    ones, others = (
        [State(patch, "", f"{at}") for at, patch in enumerate(numbers)] for numbers in ((0, 1, 2), (0, 2, 3))
    )
    Journal(here, "s", ones, "whether it builds").write(SEEN)
    assert Journal(here, "s", ones, "whether it builds").read() == SEEN
    assert Journal(here, "s", others, "whether it builds").read() == ()
