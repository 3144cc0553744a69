"""The part of a log that a report shows: bounded, its characters made safe, never failing."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from kpatch_tool.text import cut, printable_bytes

_MOST_BYTES = 1 << 20  # of a log that are looked at, from its end
_LONGEST_LINE = 400
_BEFORE = 8  # lines shown before the telling one
# What the telling line of a log looks like: compiler, linker, make, kernel, unit test, harness.
_TELLING = re.compile(
    rb"\berror\b|undefined reference|\bFAIL\b|^\s*not ok\b|Assertion Failure|\bBUG:|\bOops\b|Kernel panic|timeout",
    re.IGNORECASE,
)
# A case of a test and its verdict, as kvm-unit-tests (lib/report.c) and TAP print them; those that are failures.
_CASE = re.compile(rb"\s*(?:(?P<bad>FAIL: |XPASS: |not ok \d+ )|PASS: |SKIP: |XFAIL: |ok \d+ )(?:- )?(?P<name>.*)")
_COUNTED = re.compile(rb"(?P<name>.*) #(?P<number>\d{1,5})")  # as kpt calls a case whose name comes again


@dataclass(frozen=True, slots=True)
class Excerpt:
    """`lines` of the log at `path`, the first of which is its line `first` (from 1) of `total`.

    Both count from the part that was read where the log is longer than a megabyte; `cut` says so.
    """

    path: Path
    lines: tuple[str, ...]
    first: int
    total: int
    cut: bool = False

    @property
    def summary(self) -> str:
        """Where the lines are from, in words: "make.log, lines 12-51 of 400"."""
        if len(self.lines) == self.total and not self.cut:
            return f"{self.path.name}, whole"
        end = " of its last megabyte" if self.cut else ""
        return f"{self.path.name}, lines {self.first}-{self.first + len(self.lines) - 1} of {self.total}{end}"


def excerpt(path: Path, most: int = 40, telling: str = "") -> Excerpt | None:
    """At most `most` lines of a log: those around the line that says the case `telling` failed; failing that, around
    the first line that contains `telling`, or looks like an error; else its last ones. None where it cannot be read or
    is empty."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - _MOST_BYTES))
            data = file.read(_MOST_BYTES)
    except (OSError, ValueError):
        return None
    lines = data.replace(b"\r\n", b"\n").rstrip().split(b"\n")
    if lines == [b""]:
        return None
    start = _start(lines, most, telling.encode("utf-8", "surrogateescape"))
    shown = tuple(_shown(line) for line in lines[start : start + most])
    return Excerpt(path, shown, start + 1, len(lines), size > _MOST_BYTES)


def _start(lines: list[bytes], most: int, telling: bytes) -> int:
    last = max(0, len(lines) - most)
    place = _place_of_case(lines, telling) if telling else None
    if place is None:
        place = next((at for at, line in enumerate(lines) if telling and telling in line), None)
    if place is None:
        place = next((at for at, line in enumerate(lines) if _TELLING.search(line[:_LONGEST_LINE])), None)
    return last if place is None else max(0, place - _BEFORE)


def _place_of_case(lines: list[bytes], case: bytes) -> int | None:
    """Where the verdict of a case is: where it failed, or where its name comes for the time that kpt counts."""
    found = [(at, match) for at, line in enumerate(lines) if (match := _CASE.match(line))]
    failed = next((at for at, match in found if match["bad"] and match["name"].strip() == case), None)
    counted = _COUNTED.fullmatch(case)
    if failed is not None or counted is None:
        return failed
    alike = [at for at, match in found if match["name"].strip() == counted["name"]]
    number = int(counted["number"])
    return alike[number - 1] if 0 < number <= len(alike) else None


def _shown(line: bytes) -> str:
    return cut(printable_bytes(line.replace(b"\t", b"    ")[: 2 * _LONGEST_LINE].rstrip()), _LONGEST_LINE)
