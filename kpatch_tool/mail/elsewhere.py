"""Sources that are no file: URLs, message ids, commits of a git repository."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from kpatch_tool.mail import addresses
from kpatch_tool.mail.read import Received
from kpatch_tool.workspace import MARKER, Workspace


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """Reads what a source names outside of this machine's files; a `Fetch` of mail.read. `seconds` bounds the network;
    `repository` is where all sources are revisions (None: those that can be nothing else, of the directory kpt was
    started in)."""

    workspace: Workspace
    seconds: float
    repository: Path | None = None

    def __call__(self, source: str) -> Received | None:
        """The mails `source` names, None when it names nothing that is known. Same errors as the readers."""
        from kpatch_tool.mail import ranges

        if self.repository is not None:
            return ranges.read_range(self.repository, source)
        if (wanted := addresses.parse(source)) is not None:
            from kpatch_tool.mail import lore

            named = isinstance(wanted, addresses.Mail) and not wanted.inbox
            origin = lore.configured_origin(self.workspace.root / MARKER) if named else addresses.LORE
            return lore.Fetcher(self.workspace.cache / "lore", origin, self.seconds)(source)
        here = Path.cwd()
        if ranges.is_range(source) or (ranges.is_repository(here) and ranges.is_commit(here, source)):
            return ranges.read_range(here, source)
        return None
