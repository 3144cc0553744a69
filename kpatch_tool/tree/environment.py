"""What a git hook, `git rebase --exec` or the like leaves in the environment."""

from __future__ import annotations

import os

# `git rev-parse --local-env-vars` without the configuration, which is the user's wish and not a repository.
_LOCAL = (
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_OBJECT_DIRECTORY",
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_IMPLICIT_WORK_TREE",
    "GIT_GRAFT_FILE",
    "GIT_INDEX_FILE",
    "GIT_NO_REPLACE_OBJECTS",
    "GIT_REPLACE_REF_BASE",
    "GIT_PREFIX",
    "GIT_INTERNAL_SUPER_PREFIX",
    "GIT_SHALLOW_FILE",
    "GIT_COMMON_DIR",
    "GIT_NAMESPACE",
    "GIT_QUARANTINE_PATH",
)


def forget_outer_repository() -> None:
    """Remove from this process's environment what would make git work on another repository than the one named.

    Inside a hook GIT_DIR names the user's own repository, and kpt must never write there.
    """
    for name in _LOCAL:
        os.environ.pop(name, None)
