"""What a program needs to run: its interpreter and shared libraries."""

from __future__ import annotations

import struct
from pathlib import Path

from kpatch_tool import process
from kpatch_tool.errors import MachineError

_PT_INTERP = 3


def interpreter(head: bytes) -> str | None:
    """The dynamic loader named by the first bytes (4 KiB suffice in practice) of an ELF64 program, None if static.

    Raises ValueError when this is no 64-bit little-endian ELF file.
    """
    if head[:6] != b"\x7fELF\x02\x01" or len(head) < 64:
        raise ValueError("not a 64-bit ELF program")
    (table,) = struct.unpack_from("<Q", head, 32)
    size, count = struct.unpack_from("<HH", head, 54)
    for index in range(count):
        at = table + index * size
        if at + 56 > len(head):
            break
        kind, _flags, offset, _vaddr, _paddr, length = struct.unpack_from("<IIQQQQ", head, at)
        if kind == _PT_INTERP:
            return head[offset : offset + length].rstrip(b"\0").decode("utf-8", "surrogateescape")
    return None


def libraries(program: Path) -> tuple[str, ...]:
    """The paths of the dynamic loader and every shared library of `program`, as the loader itself resolves them.

    The program is not run. Raises MachineError when it is no program of this machine or a library is missing.
    """
    try:
        with program.open("rb") as file:
            loader = interpreter(file.read(65536))
    except (OSError, ValueError) as error:
        raise MachineError("cannot be run in the guest", where=str(program), todo="see that it is built") from error
    if loader is None:
        return ()
    done = process.run((loader, "--list", program.resolve()), timeout=60)
    if done.status:
        raise MachineError(f"its libraries cannot be found: {done.last_line()}", where=str(program))
    return (loader, *parse_list(done.stdout.decode("utf-8", "surrogateescape"), program))


def parse_list(text: str, program: Path) -> tuple[str, ...]:
    """The paths in the output of `ld.so --list` ("libc.so.6 => /lib/.../libc.so.6 (0x...)").

    Raises MachineError for a library that was not found.
    """
    paths = []
    for line in text.splitlines():
        name, _, target = line.strip().partition(" => ")
        if target.startswith("not found"):
            raise MachineError(f"needs the library {name}, which is not there", where=str(program))
        path = (target or name).rsplit(" (", 1)[0]
        if path.startswith("/"):
            paths.append(path)
    return tuple(dict.fromkeys(paths))
