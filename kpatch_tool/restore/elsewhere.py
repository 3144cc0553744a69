"""What is known of a file's added lines from outside the file: the people of the mail, the patch's other files, other
versions of the file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from kpatch_tool.diff.model import FileDiff, Kind
from kpatch_tool.restore.addresses import Person
from kpatch_tool.restore.damaged import squeeze
from kpatch_tool.restore.style.structure import RecentFiles

TELLING = 6  # characters of a line whose like elsewhere says something


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """People whose addresses may be hidden; lines by their squeezed text: those that the patch removes from other files
    (`moved`), and those that other files have, before or after it (`seen`); versions of files that have the patch, by
    their paths; and what was read of files before other patches (`recent`)."""

    people: Sequence[Person] = ()
    moved: Mapping[bytes, bytes] = field(default_factory=dict)
    seen: Mapping[bytes, bytes] = field(default_factory=dict)
    versions: Mapping[str, Sequence[bytes]] = field(default_factory=dict)
    recent: RecentFiles | None = None

    def also(self, lines: Mapping[bytes, bytes]) -> Elsewhere:
        """With more lines that other files have."""
        return replace(self, seen={**self.seen, **lines})

    def before(self, lines: Mapping[bytes, bytes]) -> Elsewhere:
        """With lines that the patches before this one add, where none of its own files has them."""
        return replace(self, seen={**lines, **self.seen})


NOTHING = Elsewhere()


def elsewhere(files: Iterable[tuple[FileDiff, bytes]], people: Sequence[Person] = ()) -> Elsewhere:
    """What the files of a patch, each with the content it is made for, tell of each other's added lines."""
    pairs = list(files)
    added = {text for file, _ in pairs for text in telling_texts(file, Kind.ADDED)}
    if len(pairs) < 2 or not added:
        return Elsewhere(people)
    moved: dict[bytes, bytes] = {}
    seen: dict[bytes, bytes] = {}
    for file, base in pairs:
        removed = telling_texts(file, Kind.REMOVED)
        for line in base.split(b"\n"):
            text = squeeze(line)
            if text in added:
                (moved if text in removed else seen).setdefault(text, line.rstrip(b"\r"))
    return Elsewhere(people, moved, seen)


def added_lines(file: FileDiff) -> dict[bytes, bytes]:
    """The added lines of a restored file by their squeezed text, of lines with the same text the last one."""
    return {
        text: line.text
        for hunk in file.hunks
        for line in hunk.lines
        if line.kind is Kind.ADDED and len(text := squeeze(line.text)) >= TELLING
    }


def telling_texts(file: FileDiff, kind: Kind) -> set[bytes]:
    """The lines of a kind in a file diff that say something, white space squeezed."""
    texts = {squeeze(line.text) for hunk in file.hunks for line in hunk.lines if line.kind is kind}
    return {text for text in texts if len(text) >= TELLING}
