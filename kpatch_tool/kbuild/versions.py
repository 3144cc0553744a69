"""Version numbers as tuples, and the ranges the data files speak of."""

from __future__ import annotations

import re
from dataclasses import dataclass

Version = tuple[int, ...]

_NUMBERS = re.compile(r"\d{1,9}(?:\.\d{1,9})*")


def parse(text: str) -> Version:
    """The first version number in `text` ("GNU Make 4.3" -> (4, 3)); empty when there is none."""
    found = _NUMBERS.search(text)
    return tuple(int(part) for part in found[0].split(".")) if found else ()


@dataclass(frozen=True, slots=True)
class Range:
    """Versions from `since` (inclusive; empty: the first) until `until` (exclusive; empty: no end)."""

    since: Version = ()
    until: Version = ()

    def holds(self, version: Version) -> bool:
        """Whether `version` lies inside. An unknown (empty) version counts as the newest there is."""
        if not version:
            return not self.until
        return self.since <= version and (not self.until or version < self.until)
