"""Apply a `GIT binary patch`: base 85 lines of deflated data, whole (`literal`) or as a git delta.

Source: git's apply.c (parse_binary_hunk), base85.c and patch-delta.c.
"""

from __future__ import annotations

import base64
import zlib

# A patch of a few bytes may inflate, or copy what is there, to any size; nothing in a kernel tree comes near this.
LARGEST = 64 << 20


def patched(pre: bytes, payload: bytes) -> bytes | str:
    """`pre` after the binary patch `payload`, or the reason why that cannot be, in words."""
    lines = payload.split(b"\n")
    if lines[0].rstrip(b"\r") != b"GIT binary patch":
        return "the patch says that a binary file differs, but does not bring the bytes"
    word, _, size = lines[1].rstrip(b"\r").partition(b" ")
    packed = bytearray()
    for raw in lines[2:]:
        line = raw.rstrip(b"\r")
        if not line:
            break
        piece = _decoded(line)
        if piece is None:
            return "the binary patch is damaged (not base 85)"
        packed += piece
    data = _inflated(bytes(packed), int(size))
    if data is None:
        return "the binary patch is damaged (its data does not inflate to the size it names)"
    return data if word == b"literal" else _delta(pre, data)


def _decoded(line: bytes) -> bytes | None:
    """One line: a letter for the length (A-Z 1-26, a-z 27-52), then base 85."""
    letter = line[0]
    length = letter - 64 if 65 <= letter <= 90 else letter - 70 if 97 <= letter <= 122 else 0
    try:
        data = base64.b85decode(line[1:])
    except ValueError:
        return None
    return data[:length] if length and len(data) >= length else None


def _inflated(packed: bytes, size: int) -> bytes | None:
    if size > LARGEST:
        return None
    try:
        data = zlib.decompressobj().decompress(packed, size + 1)
    except zlib.error:
        return None
    return data if len(data) == size else None


def _delta(pre: bytes, delta: bytes) -> bytes | str:
    damaged = "the binary patch is damaged (its delta cannot be read)"
    try:
        source, at = _number(delta, 0)
        target, at = _number(delta, at)
        if source != len(pre):
            return f"the binary file has {len(pre)} bytes, the patch expects {source}"
        if target > LARGEST:
            return f"the binary file would have {target} bytes; more than {LARGEST >> 20} MB are none of a kernel's"
        out = bytearray()
        while at < len(delta) and len(out) <= target:
            code = delta[at]
            at += 1
            if code & 0x80:
                start, length, at = _copy(delta, code, at)
                if start + length > len(pre):
                    return damaged
                out += pre[start : start + length]
            elif code:
                out += delta[at : at + code]
                at += code
            else:
                return damaged
    except IndexError:
        return damaged
    return bytes(out) if len(out) == target else damaged


def _copy(delta: bytes, code: int, at: int) -> tuple[int, int, int]:
    values = [0] * 7
    for bit in range(7):
        if code & (1 << bit):
            values[bit] = delta[at]
            at += 1
    start = int.from_bytes(bytes(values[:4]), "little")
    return start, int.from_bytes(bytes(values[4:]), "little") or 0x10000, at


def _number(delta: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = delta[at]
        at += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if not byte & 0x80:
            return value, at
