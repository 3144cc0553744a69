"""The guest's root: an initramfs with what no state changes (init, QEMU, libraries, firmware), kept in the cache. Init
waits there for the host, which sends the rest: modules, what the jobs run and their libraries.

It is uncompressed: under TCG the guest would spend seconds on decompressing, while copying 50 MB takes it 0.2 s.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Iterable
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from kpatch_tool.errors import MachineError
from kpatch_tool.system import atomic, lock, process, scratch
from kpatch_tool.vm.cpio import Entry, write_archive
from kpatch_tool.vm.elf import libraries, strangers_libraries
from kpatch_tool.vm.wire import Step, encode_program

GUEST_QEMU = "/usr/bin/qemu-system-x86_64"
GUEST_FIRMWARE = "/usr/share/qemu"
PROGRAM = "/kpt/program"
PRELOAD = "/kpt/memfd.so"
# What `-kernel` of a multiboot image on pc and q35 loads (found by trial); no display, no network: no other ROM.
FIRMWARE = ("bios-256k.bin", "kvmvapic.bin", "multiboot.bin", "multiboot_dma.bin")
_INIT_FLAGS = ("-static", "-O2", "-Wall", "-Wextra")
_PRELOAD_FLAGS = ("-shared", "-fPIC", "-O2", "-Wall", "-Wextra")
_KEPT_LAYERS = 4
_LOCK_SECONDS = 60.0  # writing a layer takes another kpt less than one


@dataclass(frozen=True, slots=True)
class Program:
    """A program of the host that jobs run: where it is here, and its path in the guest."""

    host: Path
    guest: str


def build_init(cache: Path) -> Path:
    """The static init program, compiled once for each version of its source; a path below `cache`.

    Raises MachineError when it cannot be compiled.
    """
    return _compile(cache, "init", ("init.c", "wire.h"), _INIT_FLAGS)


def build_preload(cache: Path) -> Path:
    """The library init puts before the others on kernels older than memfd_create(); made as build_init() does."""
    return _compile(cache, "memfd.so", ("memfd.c",), _PRELOAD_FLAGS)


def _compile(cache: Path, output: str, names: tuple[str, ...], flags: tuple[str, ...]) -> Path:
    source = resources.files("kpatch_tool.vm") / "init"
    texts = {name: (source / name).read_bytes() for name in names}
    digest = hashlib.sha256(repr((flags, sorted(texts.items()))).encode()).hexdigest()[:16]
    target = cache / "init" / digest
    if target.is_file():
        return target
    with scratch.directory("init") as place:
        for file, text in texts.items():
            (place / file).write_bytes(text)
        done = process.run(("gcc", *flags, "-o", output, names[0]), cwd=place, timeout=120)
        if done.status:
            raise MachineError(
                f"the guest's {output} does not compile: {done.last_line()}", todo="run `kpt doctor` (gcc, libc6-dev)"
            )
        atomic.write_bytes(target, (place / output).read_bytes())
    return target


def program_entries(programs: Iterable[Program]) -> list[Entry]:
    """Programs that strangers made, with the libraries they need, at the paths their loader looks for them."""
    made = tuple(programs)
    entries = [Entry(program.guest, 0o755, source=program.host) for program in made]
    return entries + _libraries(strangers_libraries([program.host for program in made]))


def _libraries(paths: Iterable[str]) -> list[Entry]:
    return [Entry(path, 0o755, source=Path(path)) for path in paths]


def qemu_entries(qemu: Path) -> list[Entry]:
    """QEMU for the guest, with its libraries and the firmware that multiboot images need."""
    done = process.run((qemu, "-L", "help"), timeout=60)
    directories = [Path(line) for line in done.stdout.decode("utf-8", "surrogateescape").splitlines() if line]
    entries = [Entry(GUEST_QEMU, 0o755, source=qemu), *_libraries(libraries(qemu))]
    for name in FIRMWARE:
        found = next((place / name for place in directories if (place / name).is_file()), None)
        if found is None:
            raise MachineError(
                f"QEMU's firmware {name} is not installed", where=str(qemu), todo="run `kpt doctor` (seabios)"
            )
        entries.append(Entry(f"{GUEST_FIRMWARE}/{name}", source=found))
    return entries


def base_layer(cache: Path, qemu: Path | None) -> Path:
    """An archive with an init that waits for the host, and QEMU where `qemu` is given, kept in `cache`."""
    entries = [
        Entry(PROGRAM, data=encode_program([Step("W")])),
        Entry("/init", 0o755, source=build_init(cache)),
        Entry(PRELOAD, 0o755, source=build_preload(cache)),
    ]
    if qemu is not None:
        entries += qemu_entries(qemu)
    target = cache / "root" / f"{_identity(entries)}.cpio"
    with contextlib.suppress(FileNotFoundError):
        os.utime(target)  # which makes none where another kpt has just removed it
        return target
    with lock.held(target.parent / "layers.lock", wait_seconds=_LOCK_SECONDS):
        atomic.sweep(target.parent)
        with atomic.staged_file(target) as out:
            write_archive(out, entries)
        _forget_old(target.parent)
    return target


def file_steps(entries: Iterable[Entry]) -> list[Step]:
    """The steps that make init write `entries`, each path once (the first counts).

    Raises MachineError for a source that cannot be read.
    """
    files = {entry.path: entry for entry in reversed(tuple(entries))}
    return [Step("F", (path, f"{files[path].mode:o}", _content(files[path]))) for path in sorted(files)]


def _content(entry: Entry) -> bytes:
    if entry.source is None:
        return entry.data
    try:
        return entry.source.read_bytes()
    except (FileNotFoundError, PermissionError, IsADirectoryError) as error:
        reason = (error.strerror or "unreadable").lower()
        raise MachineError(f"cannot put this file into the guest: {reason}", where=str(entry.source)) from error


def _identity(entries: Iterable[Entry]) -> str:
    """Names, sizes and times of the files: a package update changes them, and reading 50 MB for a hash takes longer."""
    digest = hashlib.sha256()
    for entry in entries:
        if entry.source is None:
            digest.update(repr((entry.path, entry.mode, entry.data)).encode())
            continue
        status = entry.source.stat()
        digest.update(repr((entry.path, entry.mode, status.st_size, status.st_mtime_ns, status.st_ino)).encode())
    return digest.hexdigest()[:32]


def _forget_old(directory: Path) -> None:
    layers = sorted(directory.glob("*.cpio"), key=lambda path: path.stat().st_mtime, reverse=True)
    for layer in layers[_KEPT_LAYERS:]:
        layer.unlink(missing_ok=True)
