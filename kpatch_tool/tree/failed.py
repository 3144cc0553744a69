"""Why a git failed, read from what it printed: a lock, a full disk, the user's configuration, or the repository."""

from __future__ import annotations

import re
from pathlib import Path

from kpatch_tool.errors import MachineError
from kpatch_tool.system import process

REPAIR = "remove the tree and add it again (`kpt tree add NAME --force`)"
_LOCKED = re.compile(r"Unable to create '([^']+\.lock)': File exists")
# What git says of a setting it cannot take, in whatever file or variable (config.c); "file" is a place to correct.
_BAD_SETTING = re.compile(
    r"bad config (?:line|variable|file)\b.*|bad (?:boolean|numeric) config value\b.*|bogus config parameter\b.*"
    r"|bogus (?:format|count) in GIT_CONFIG\w*|(?:missing config|too many entries in) .*GIT_CONFIG_\w+.*"
    r"|unable to parse .*command-line config.*|unable to access '[^']*config'.*|exceeded maximum include depth.*"
)
_IN_FILE = re.compile(r"in file '?(.+?)'?(?: at line \d+)?$|unable to access '(.+)'")
_REFUSED_TRANSPORT = re.compile(r"transport '([^']+)' not allowed")


class BadSetting(MachineError):
    """The fault is the user's git configuration: nothing is known of the repository."""


def git_failed(said: bytes, git_dir: Path) -> MachineError:
    """The MachineError for what a failing git printed while it was to change `git_dir`."""
    text = said.decode("utf-8", "replace")
    if lock := _LOCKED.search(text):
        todo = "end the git that holds it, or remove that file if none is running"
        return MachineError("a git lock is in the way, nothing was changed", where=lock[1], todo=todo)
    if known := _not_the_repository(text, git_dir):
        return known
    return MachineError(f"git failed, nothing was changed: {_reason(text)}", where=str(git_dir))


def unreadable(said: bytes, git_dir: Path) -> MachineError:
    """The MachineError for what git printed when it could not read the repository of a tree: with the advice to replace
    the tree only where nothing else is known to be at fault."""
    text = said.decode("utf-8", "replace")
    if known := _not_the_repository(text, git_dir):
        return known
    reason = f": {_reason(text)}" if text.strip() else ""
    return MachineError(f"git cannot read this repository{reason}", where=str(git_dir), todo=REPAIR)


def _not_the_repository(text: str, git_dir: Path) -> MachineError | None:
    """What else than the repository is at fault, if that is what git says."""
    if process.disk_full(text):
        what, todo = "no space left on the disk, nothing was changed", "free some space and try again"
        return MachineError(what, where=str(git_dir), todo=todo)
    if refused := _REFUSED_TRANSPORT.search(text):
        todo = f"allow it for this command, GIT_ALLOW_PROTOCOL={refused[1]}, or in git's configuration (protocol.allow)"
        return BadSetting(f"git is configured not to use transport {refused[1]!r}", todo=todo)
    setting = _BAD_SETTING.search(text)
    if setting is None:
        return None
    file = _IN_FILE.search(setting[0])
    if file and Path(file[1] or file[2]).is_relative_to(git_dir):
        return None
    todo = "correct that file" if file else "correct it (`git config --list --show-origin` tells where it is set)"
    return BadSetting(f"git cannot read its configuration: {setting[0]}", todo=todo)


def _reason(text: str) -> str:
    lines = [line for line in text.splitlines() if line.startswith(("fatal:", "error:"))] or text.splitlines()
    return re.sub(r"^(fatal|error): ", "", lines[0]) if lines else "it was killed"
