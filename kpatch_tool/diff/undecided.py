"""What nothing decided in a restored diff, as a value; and as it is shown and kept."""

from __future__ import annotations

import re
from dataclasses import dataclass

_LINE = re.compile(r"(?P<path>.+?):(?P<side>[+-])(?P<line>[0-9]{1,9}) `(?P<text>.*)`: (?P<why>[^`]*)", re.DOTALL)
_HUNK = re.compile(
    r"(?P<path>.+?): hunk (?P<hunk>[0-9]{1,9}) \((?P<side>[+])(?P<line>[0-9]{1,9})\): (?P<why>.*)", re.DOTALL
)


@dataclass(frozen=True, slots=True)
class Undecided:
    """A line of a file's diff, or a hunk as a whole, of which nothing told what the author wrote.

    `line` counts from 1 in the new file, where `removed` in the old one; `text` is the line as it is shown. A hunk has
    its number (from 1) in `hunk`, and no text. `why` tells what is open ("2 readings").
    """

    path: str
    line: int
    text: str
    why: str
    hunk: int = 0
    removed: bool = False

    def __str__(self) -> str:
        """As in the JSON: "mm/a.c:+12 `int b;`: 2 readings", "mm/a.c: hunk 2 (+30): 2 ways to ..."."""
        if not self.path:
            return self.why
        if self.hunk:
            return f"{self.path}: hunk {self.hunk} (+{self.line}): {self.why}"
        return f"{self.path}:{'-' if self.removed else '+'}{self.line} `{self.text}`: {self.why}"


def undecided_hunk(path: str, number: int, start: int, ways: int) -> Undecided:
    """That hunk `number`, which begins at line `start` of the new file, may be told apart in several ways."""
    return Undecided(path, start, "", f"{ways} ways to tell its context from its changes", hunk=number)


def read(said: str) -> Undecided:
    """What str() says of an Undecided, as that again. Anything else (people edit what is kept) is one without a path,
    of which `said` is the `why`."""
    found = _LINE.fullmatch(said) or _HUNK.fullmatch(said)
    if found is None:
        return Undecided("", 0, "", said)
    part = found.groupdict("")
    hunk = int(part.get("hunk", 0))
    return Undecided(part["path"], int(part["line"]), part.get("text", ""), part["why"], hunk, part["side"] == "-")
