"""The machine the kernel boots on, as a command line made of values."""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from kpatch_tool.errors import MachineError
from kpatch_tool.system import process, sandbox
from kpatch_tool.system.limits import Limits
from kpatch_tool.system.sandbox import Room

NAME = "qemu-system-x86_64"
_KVM = Path("/dev/kvm")
# Of address space, besides the guest's memory: programs and libraries, TCG's translations (1 GB), stacks.
_OWN_MEMORY = 16 << 30
_THREADS = 256
_LARGEST = 8 << 30
PORT_NAME = "kpt.out"  # init looks for this name
# Before a command: setpriv (util-linux) makes it die with kpt, however kpt ends.
DIES_WITH_KPT = ("setpriv", "--pdeathsig", "KILL", "--")
# -no-reboot turns the reboot after a panic into the end of QEMU; what a kernel says when it dies is printed at any
# loglevel, warnings at 5; everything below only costs time on the serial line.
KERNEL_WORDS = ("console=ttyS0", "panic=-1", "oops=panic", "loglevel=5", "rdinit=/init")


@dataclass(frozen=True, slots=True)
class Machine:
    """Accelerator ("kvm" or "tcg"), CPU model, memory in MiB, number of CPUs; `spare` CPUs more, the first ones, on
    which no job runs."""

    accel: str
    cpu: str
    memory: int = 1024
    smp: int = 2
    spare: int = 0


@dataclass(frozen=True, slots=True)
class Wires:
    """File descriptors of connected sockets, QEMU's ends: control (QMP), console, init's port; and `saved` of the file
    with a saved machine to go on from."""

    control: int
    console: int
    port: int
    saved: int | None = None


def find() -> Path:
    """QEMU on this machine. Raises MachineError when it is not installed."""
    found = shutil.which(NAME)
    if found is None:
        raise MachineError(f"{NAME} is not installed", todo="run `kpt doctor --install`")
    return Path(found)


def version(qemu: Path) -> str:
    """What `--version` says, without the copyright: "7.2.22 (Debian 1:7.2+dfsg-7+deb12u18)"."""
    done = process.run((qemu, "--version"), timeout=30)
    match = re.search(rb"version ([^\r\n]+)", done.stdout)
    if done.status or match is None:
        raise MachineError(f"does not start: {done.last_line()}", where=str(qemu), todo="reinstall QEMU")
    return match.group(1).decode("utf-8", "replace").strip()


def accelerator(machine: Machine) -> tuple[str, ...]:
    """The arguments for the accelerator and CPU."""
    accel = "tcg,thread=multi" if machine.accel == "tcg" else machine.accel
    return ("-accel", accel, "-cpu", machine.cpu)


def hardened() -> tuple[str, ...]:
    """No device, configuration file, display or network that was not asked for."""
    return ("-nodefaults", "-no-user-config", "-display", "none", "-nic", "none", "-no-reboot")


def seccomp_arguments(qemu: Path) -> tuple[str, ...]:
    """The arguments that deny QEMU what it does not need (system calls), where this QEMU was built with seccomp."""
    wanted = ("-sandbox", "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny")
    done = process.run((qemu, *hardened(), *wanted, "-machine", "help"), timeout=30)
    return wanted if done.status == 0 else ()


def command_line(
    qemu: Path,
    machine: Machine,
    kernel: Path,
    initrd: Path,
    wires: Wires,
    *,
    extra: tuple[str, ...] = (),
) -> tuple[str, ...]:
    """The arguments that boot `kernel` with `initrd`; `extra` come last.

    QEMU runs in a room of its own where the machine can make one: it sees no file but its own, the kernel and the
    initrd. There or not, it dies with kpt, however kpt ends (setpriv is util-linux's).
    """
    # What the kernel does not know, init finds in its environment.
    kernel_words = (*KERNEL_WORDS, f"spare_cpus={machine.spare}") if machine.spare else KERNEL_WORDS
    words = (
        str(qemu),
        *hardened(),
        *("-name", "kpt,process=kpt-guest"),
        *accelerator(machine),
        *("-m", str(machine.memory), "-smp", str(machine.smp + machine.spare)),
        *("-kernel", str(kernel), "-initrd", str(initrd), "-append", " ".join(kernel_words)),
        *("-chardev", f"socket,id=control,fd={wires.control}", "-mon", "chardev=control,mode=control"),
        *("-chardev", f"socket,id=console,fd={wires.console}", "-device", "isa-serial,chardev=console"),
        *("-device", "virtio-serial-pci", "-chardev", f"socket,id=port,fd={wires.port}"),
        *("-device", f"virtserialport,chardev=port,name={PORT_NAME}"),
        *(("-incoming", f"fd:{wires.saved}") if wires.saved is not None else ()),
        *extra,
    )
    devices = (_KVM,) if machine.accel == "kvm" else ()
    room = Room(readable=(kernel, initrd, *sandbox.beyond_system([str(qemu)])), devices=devices)
    limits = Limits(memory=(machine.memory << 20) + _OWN_MEMORY, tasks=_THREADS, file=_LARGEST, nice=0)
    return sandbox.where_it_can(words, room, limits) or (*DIES_WITH_KPT, *words)
