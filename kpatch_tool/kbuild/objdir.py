"""The object directory of one tree and architecture: what it holds, and how it survives a killed make.

What kpt itself keeps of it lies beside it, in `notes`: a stranger's Makefile, which writes in the object directory,
could put a link to any file in the place of one that kpt is going to write.
"""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from kpatch_tool.kbuild import diagnostics
from kpatch_tool.kbuild.model import Diagnostic
from kpatch_tool.system import atomic, leftovers

_RECORD = "record.json"
# Raised when the meaning of the record changes: what was kept before is none, and its objects are made again.
_FORMAT = 1
_BUILDING = "building"
LOG = "log"

# fixdep writes it: the file an object was compiled from (scripts/basic/fixdep.c).
_SOURCE = re.compile(rb"^source_\S+ := (/.+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Record:
    """What an object directory holds."""

    generation: str = ""  # the tools and make variables its objects were made with; another one: start anew
    config: str = ""  # the configuration asked for,
    config_tree: str = ""  # and the git tree its Kconfig files came from
    image_tree: str = ""  # the git tree for which everything was last up to date; empty: never
    objects: int = 0  # files that a build of everything compiles
    # What each object's compilation said last.
    warnings: Mapping[str, tuple[Diagnostic, ...]] = field(default_factory=dict)


class ObjectDirectory:
    """`path`, and `notes` with the record of it. The caller holds the build lock of the tree."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.notes = path.with_name(f"{path.name}.notes")

    def record(self) -> Record:
        """What is kept; an empty Record when there is none or it cannot be read."""
        try:
            data = json.loads((self.notes / _RECORD).read_bytes())
            if data.pop("format", 0) != _FORMAT:
                return Record()
            warnings = {unit: tuple(Diagnostic(**one) for one in found) for unit, found in data["warnings"].items()}
            return Record(**{**data, "warnings": warnings})
        except (FileNotFoundError, NotADirectoryError, ValueError, KeyError, TypeError, AttributeError):
            return Record()

    def keep(self, record: Record) -> None:
        """Write the record."""
        atomic.write_text(self.notes / _RECORD, json.dumps({"format": _FORMAT, **asdict(record)}, indent=0))

    def prepare(self, generation: str) -> Record:
        """Make the directory ready for a build with these tools and return its record.

        Objects of other tools are thrown away, and all of them when the clock went back: make would take them for newer
        than sources that changed after them. What a killed make left half-written is removed, so that make does not
        take it for finished.
        """
        record = Record() if self._clock_went_back() else self.record()
        if record.generation != generation:
            for place in (self.notes, self.path):  # the record first: never one without its objects
                leftovers.remove(place)
        with atomic.machine_errors(self.path):
            for place in (self.path, self.notes):
                place.mkdir(parents=True, exist_ok=True)
        atomic.sweep(self.notes)
        if record.generation != generation:
            record = Record(generation=generation)
            self.keep(record)
        if (self.notes / _BUILDING).exists():
            record = self._repair(record)
        return record

    def began(self) -> None:
        """Note that make runs from now on; the log of the build before is noted already."""
        (self.notes / LOG).unlink(missing_ok=True)
        (self.notes / _BUILDING).touch()

    def ended(self) -> None:
        """Note that make came to its end by itself, whatever its verdict."""
        (self.notes / _BUILDING).unlink(missing_ok=True)

    def _clock_went_back(self) -> bool:
        """Whether something here was written later than now, or the last lines of a build's log before its start."""
        begun, log = self.notes / _BUILDING, self.notes / LOG
        if later_than_now(self.notes / _RECORD, begun, log):
            return True
        return begun.exists() and log.exists() and log.stat().st_mtime_ns < begun.stat().st_mtime_ns

    def _repair(self, record: Record) -> Record:
        """After a killed make: forget that anything is up to date and remove targets that may be half-written.

        Kbuild writes .NAME.cmd after NAME is complete, so a target of that build without a younger .cmd is suspect.
        Generated headers are exempt: Kbuild moves them into place whole.
        """
        since = (self.notes / _BUILDING).stat().st_mtime_ns
        for directory, names in leftovers.walk(self.path):
            inside = os.path.relpath(directory, self.path)
            if inside.startswith("include") or "/include/generated" in f"/{inside}":
                continue
            for name in names:
                _remove_unfinished(Path(directory, name), since)
        log = self.notes / LOG
        if log.exists():
            source = str((self.path / "source").readlink()) if (self.path / "source").is_symlink() else ""
            units = diagnostics.read(log.read_bytes(), diagnostics.Roots(source, str(self.path)))
            record = replace(record, warnings=carried(record.warnings, units))
        record = replace(record, image_tree="", config="")
        self.keep(record)
        self.ended()
        return record


def later_than_now(*paths: Path) -> bool:
    """Whether one of those of `paths` that are there was written in the future, as the clock goes now."""
    now = time.time()
    return any(path.stat().st_mtime > now for path in paths if path.exists())


def _remove_unfinished(target: Path, since: int) -> None:
    if target.name.startswith(".") or target.is_symlink():
        return
    written = target.stat().st_mtime_ns
    if written < since:
        return
    command = target.with_name(f".{target.name}.cmd")
    if not command.exists() or command.stat().st_mtime_ns < written:
        target.unlink()


def carried(
    before: Mapping[str, tuple[Diagnostic, ...]], units: Iterable[diagnostics.Unit]
) -> dict[str, tuple[Diagnostic, ...]]:
    """The warnings of a state as if it had been built whole.

    An incremental build prints only what it compiles again; every other object is what it was, and so are its
    warnings. So each object made again replaces what was known of it, and the rest stays.
    """
    now = dict(before)
    for unit in units:
        if unit.name == diagnostics.OTHER_UNIT:
            continue
        if unit.warnings:
            now[unit.name] = unit.warnings
        else:
            now.pop(unit.name, None)
    return now


def without_vanished(
    warnings: Mapping[str, tuple[Diagnostic, ...]], objects: Path
) -> dict[str, tuple[Diagnostic, ...]]:
    """`warnings` without those of objects whose source file is no longer there."""
    return {unit: found for unit, found in warnings.items() if not _vanished(objects / unit)}


def _vanished(target: Path) -> bool:
    try:
        source = _SOURCE.search(leftovers.listing(target.with_name(f".{target.name}.cmd")))
    except (FileNotFoundError, NotADirectoryError):
        return False
    return source is not None and not Path(os.fsdecode(source[1])).exists()
