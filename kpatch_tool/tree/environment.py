"""What git takes from the environment: not the repository of a hook around kpt, and no programs of a stranger's."""

from __future__ import annotations

import os
from collections.abc import Mapping

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


# Settings that let a repository name a program for commands which only read it (git-config(1)). Its own configuration
# is whose it is: of a repository out of an archive, a stranger's.
_NO_PROGRAMS = {"core.fsmonitor": "false", "log.showSignature": "false"}


def run_no_programs_of_repositories() -> None:
    """Let every git that this process starts run nothing that the configuration of the repository it reads names.

    Objects that a partial clone has left out are not fetched (which would run its core.sshCommand, and write into it;
    git 2.39.4, 2.45.1 and later).
    """
    os.environ["GIT_NO_LAZY_FETCH"] = "1"
    os.environ.update(settings(_NO_PROGRAMS))


def take_words_in_english() -> None:
    """Let every git (and tar, xz, dpkg) that this process starts say in English why it failed: that is what tells a
    full disk, a lock or a merge of binary files from anything else. Goes before LC_ALL (gettext(3))."""
    os.environ["LANGUAGE"] = "C"


# The hooks of the user's own repositories (core.hooksPath may be set for all of them) have no say in kpt's.
NO_HOOKS = f"core.hooksPath={os.devnull}"

# kpt moves refs as files (tree.refs) and compares the ids of blobs with those of the patches; the user may have asked
# for other forms of every new repository (git-config(1), init.defaultRefFormat and init.defaultObjectFormat).
FILES = {"GIT_DEFAULT_REF_FORMAT": "files"}
SHA1_IN_FILES = {**FILES, "GIT_DEFAULT_HASH": "sha1"}


def settings(values: Mapping[str, str]) -> dict[str, str]:
    """Environment variables that give git these settings before all others (git-config(1), GIT_CONFIG_COUNT), besides
    those that the environment has already."""
    there = os.environ.get("GIT_CONFIG_COUNT", "")
    first = int(there) if there.isdecimal() else 0
    given = {"GIT_CONFIG_COUNT": str(first + len(values))}
    for place, (key, value) in enumerate(values.items(), start=first):
        given |= {f"GIT_CONFIG_KEY_{place}": key, f"GIT_CONFIG_VALUE_{place}": value}
    return given
