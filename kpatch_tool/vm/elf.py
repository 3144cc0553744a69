"""What a program needs to run: its interpreter and shared libraries."""

from __future__ import annotations

import os
import re
import struct
from collections.abc import Sequence
from pathlib import Path

from kpatch_tool.errors import MachineError
from kpatch_tool.system import process, sandbox
from kpatch_tool.system.sandbox import Room
from kpatch_tool.text import printable

_PT_INTERP = 3
_SECONDS = 60.0
_LOADER = re.compile(r"ld[\w.+-]*\.so[\w.]*")  # ld-linux-x86-64.so.2, ld-musl-x86_64.so.1
_EACH = 'for one; do "$0" --list "$one" || exit; done'


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
    """The paths of the dynamic loader and every shared library of one of this machine's own programs, as the loader
    itself resolves them.

    The program is not run, but the loader that it names is (see `strangers_libraries`). Raises MachineError when it is
    no program of this machine or a library is missing.
    """
    loader = _loader(program)
    if loader is None:
        return ()
    done = process.run((loader, "--list", program.resolve()), timeout=_SECONDS)
    return (loader, *_listed(done, program))


def strangers_libraries(programs: Sequence[Path]) -> tuple[str, ...]:
    """The same for all of `programs`, which a stranger made: each may name any file as its loader, and as a library.

    A loader is asked in a sandbox, and only if it is a file of the system, as every library must be. Raises
    MachineError for any other, besides what `libraries` does.
    """
    found: dict[str, None] = {}
    asked: dict[str, list[Path]] = {}
    for program in programs:
        if (loader := _loader(program)) is not None:
            if not _LOADER.fullmatch(loader.rpartition("/")[2]):
                raise _not_ours(loader, program)
            asked.setdefault(_of_system(loader, program), []).append(program.resolve())
    env = {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"}
    for loader, files in asked.items():
        words = ("sh", "-c", _EACH, loader, *map(str, files))
        done = sandbox.run(words, Room(readable=tuple(files)), cwd=Path("/"), env=env, timeout=_SECONDS)
        found |= dict.fromkeys((loader, *(_of_system(path, files[0]) for path in _listed(done, files[0]))))
    return tuple(found)


def _loader(program: Path) -> str | None:
    try:
        with program.open("rb") as file:
            return interpreter(file.read(65536))
    except (OSError, ValueError) as error:
        raise MachineError("cannot be run in the guest", where=str(program), todo="see that it is built") from error


def _of_system(path: str, program: Path) -> str:
    if "\0" in path or not path.startswith("/") or not sandbox.of_system(Path(path)):
        raise _not_ours(path, program)
    return path


def _not_ours(path: str, program: Path) -> MachineError:
    return MachineError(f"wants {printable(path)}, which is none of this machine's libraries", where=str(program))


def _listed(done: process.Finished, program: Path) -> tuple[str, ...]:
    if done.status:
        raise MachineError(f"its libraries cannot be found: {done.last_line()}", where=str(program))
    return parse_list(done.stdout.decode("utf-8", "surrogateescape"), program)


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
