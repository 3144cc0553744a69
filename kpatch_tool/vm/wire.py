"""What kpt and the guest's init say to each other (vm/init/wire.h is the other side).

Nothing the guest sends is trusted: a frame that cannot be is a WireError, and whoever reads bounds what is kept.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

_HEADER = struct.Struct("<IIIIQ")
_MAGIC = 0x4654504B
_CHUNK = 65536
NOW = "\x01now\x01"  # in a program's argument: when it starts, in seconds since 1970 by the clock where it runs
MOST_FIELDS = 511  # init reads no step that has more, and none behind it
_NANO = 1e-9


class WireError(ValueError):
    """The guest sent something that is no frame."""


class FrameType(StrEnum):
    """Kinds of frames, as in wire.h."""

    BOOTED = "B"
    MODULE = "M"
    STARTED = "S"
    OUTPUT = "O"
    ERRORS = "P"
    ENDED = "E"
    DROPPED = "D"
    HEARTBEAT = "H"
    STUCK = "K"
    REFUSED = "R"
    WAITING = "W"
    DONE = "X"


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame. `id` is the job's (or the step's for MODULE); `clock` the guest's monotonic clock in seconds."""

    type: FrameType
    id: int
    clock: float
    data: bytes

    def text(self) -> str:
        """The payload as text; every control character is replaced."""
        decoded = self.data.decode("utf-8", "replace")
        return "".join(c if c.isprintable() or c == "\n" else "\N{REPLACEMENT CHARACTER}" for c in decoded)


@dataclass(frozen=True, slots=True)
class Step:
    """One step of init's program: its kind ("W", "F", "G", "M", "R") and fields."""

    kind: str
    fields: tuple[str | bytes, ...] = ()


def encode_program(steps: Iterable[Step]) -> bytes:
    """Steps as init reads them. Raises ValueError for a field of text with a NUL in it, and for a step of more than
    MOST_FIELDS."""
    out = bytearray()
    for step in steps:
        if len(step.fields) > MOST_FIELDS:
            raise ValueError(f"a step {step.kind} of {len(step.fields)} fields")
        out += step.kind.encode("ascii") + struct.pack("<I", len(step.fields))
        for field in step.fields:
            encoded = field if isinstance(field, bytes) else field.encode("utf-8", "surrogateescape")
            if isinstance(field, str) and b"\0" in encoded:
                raise ValueError(f"NUL in {field!r}")
            out += struct.pack("<I", len(encoded)) + encoded + b"\0"
    return bytes(out)


def message(steps: Iterable[Step]) -> bytes:
    """What the host answers to a frame WAITING."""
    program = encode_program(steps)
    return struct.pack("<Q", len(program)) + program


class FrameReader:
    """Cuts a stream into frames. Holds at most one unfinished frame (64 KiB)."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[Frame]:
        """The frames completed by `data`. Raises WireError when the stream is no stream of frames."""
        buffer = self._rest + data
        frames = []
        at = 0
        while len(buffer) - at >= _HEADER.size:
            magic, kind, number, length, clock = _HEADER.unpack_from(buffer, at)
            if magic != _MAGIC or length > _CHUNK:
                raise WireError("the guest's port sent something that is no frame")
            end = at + _HEADER.size + length
            if len(buffer) < end:
                break
            frames.append(_frame(kind, number, clock, buffer[at + _HEADER.size : end]))
            at = end
        self._rest = buffer[at:]
        return frames


def _frame(kind: int, number: int, clock: int, data: bytes) -> Frame:
    try:
        return Frame(FrameType(chr(kind)), number, clock * _NANO, data)
    except (ValueError, OverflowError):
        raise WireError(f"the guest's port sent a frame of unknown type {kind}") from None
