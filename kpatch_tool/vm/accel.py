"""Which acceleration the guest gets: KVM with nesting where a trial proves it, else TCG, which emulates AMD's SVM.

/dev/kvm being there proves nothing: on some machines (virtual ones themselves) a guest hangs at its first
instruction, on others it runs but cannot run guests of its own, which is all that KVM's tests are about.
"""

from __future__ import annotations

import json
import os
import struct
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from kpatch_tool.errors import InputError, MachineError
from kpatch_tool.system import atomic, process, scratch
from kpatch_tool.text import printable
from kpatch_tool.vm import qemu
from kpatch_tool.vm.qemu import Machine

ENVIRONMENT = "KPT_ACCEL"
KINDS = ("kvm", "tcg")
_TRIAL_SECONDS = 10.0
_LATE_KEPT_SECONDS = 3600.0
_DEVICE = Path("/dev/kvm")
# Whether KVM lets guests have guests: "Y" or "1". Its modules may be loaded anew without another boot.
_NESTED = (Path("/sys/module/kvm_amd/parameters/nested"), Path("/sys/module/kvm_intel/parameters/nested"))
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
# No guest of the guest on its first CPU: whenever another CPU loads FPU registers, TCG takes a flag out of the first
# one's hflags2, without a lock (cpu_clear_ignne() in QEMU's target/i386/tcg, 7.2 to 11), and what VMRUN or VMEXIT write
# there at that moment is lost. A guest that loses "nested paging" so ends by a triple fault.
_TCG_SPARE = 1

# The trial image leaves with one of these codes; QEMU's exit status is (code << 1) | 1.
_PLAIN, _CAN_NEST = 2, 3
_LOAD_ADDRESS = 0x100000
_CODE = bytes.fromhex(
    "b801000080 0fa2 89ce"  # mov eax, 0x80000001; cpuid; mov esi, ecx
    "b801000000 0fa2"  # mov eax, 1; cpuid
    "c1e905 83e101"  # shr ecx, 5; and ecx, 1: VMX
    "c1ee02 83e601"  # shr esi, 2; and esi, 1: SVM
    "09f1 8d4102"  # or ecx, esi; lea eax, [ecx + 2]
    "e6f4 f4ebfd"  # out 0xf4, al; hlt for ever
)


@dataclass(frozen=True, slots=True)
class Choice:
    """The acceleration chosen ("kvm" or "tcg"), QEMU's version, and a sentence telling why."""

    accel: str
    qemu_version: str
    why: str

    def machine(self, smp: int = 2, memory: int = 2048) -> Machine:
        """The machine to boot: under TCG a CPU with SVM, the only virtualisation it emulates, and a spare one."""
        if self.accel == "kvm":
            return Machine(self.accel, "host", memory, smp)
        return Machine(self.accel, "EPYC", memory, smp, _TCG_SPARE)


@dataclass(frozen=True, slots=True)
class Trial:
    """Whether KVM works, and why not. `late`: only the clock says that it does not; a machine that had much else to do
    at that moment says the same."""

    works: bool
    why: str = ""
    late: bool = False


Proof = Callable[[Machine], Trial]


def trial_image() -> bytes:
    """A multiboot image of under 100 bytes that asks the CPU for VMX or SVM and leaves through isa-debug-exit.

    Multiboot specification 0.6.96, section 3.1 (header with addresses, flag 16).
    """
    magic, flags = 0x1BADB002, 1 << 16
    checksum = -(magic + flags) & 0xFFFFFFFF
    size = 32 + len(_CODE)
    end = _LOAD_ADDRESS + size
    return struct.pack("<8I", magic, flags, checksum, _LOAD_ADDRESS, _LOAD_ADDRESS, end, end, end - len(_CODE)) + _CODE


def trial_arguments(image: str) -> tuple[str, ...]:
    """QEMU's arguments, after the accelerator's, that run the trial image."""
    return (
        *qemu.hardened(),
        *("-m", "16", "-device", "isa-debug-exit,iobase=0xf4,iosize=0x4", "-kernel", image),
    )


def proven(status: int) -> bool:
    """Whether the trial image ran to its end, by QEMU's exit status."""
    return status >> 1 in (_PLAIN, _CAN_NEST) and bool(status & 1)


def check(accel: str) -> None:
    """Raise InputError for an accelerator kpt does not know."""
    if accel not in KINDS:
        raise InputError(f"unknown accelerator {printable(accel)!r}", todo=f"known: {', '.join(KINDS)}")


def choose(cache: Path, program: Path, wanted: str | None, prove_nesting: Proof) -> Choice:
    """The acceleration to use with the QEMU `program`.

    `wanted` is "kvm", "tcg" or None (then KPT_ACCEL counts; nothing there: a trial decides, whose answer is kept in
    `cache` until the next boot of this machine or change of QEMU, of the access to KVM or of whether it nests, an hour
    where it came `late`). `prove_nesting` runs a guest inside a guest on the machine given; a MachineError of its is no
    answer: TCG is taken, and the next call tries again. Raises InputError for an unknown kind.
    """
    version = qemu.version(program)
    asked = wanted or os.environ.get(ENVIRONMENT) or None
    if asked is not None:
        check(asked)
        return Choice(asked, version, f"{asked} was asked for")
    answer = cache / "accel.json"
    identity = f"{_boot_id()} {version} {_permitted()}"
    known = _remembered(answer, identity)
    if known is not None:
        return known
    try:
        trial = _try_kvm(program, prove_nesting)
    except MachineError as error:
        return Choice("tcg", version, f"KVM could not be tried: {error.line()}")
    choice = Choice("kvm" if trial.works else "tcg", version, trial.why)
    row = {"identity": identity, **asdict(choice), "tried": time.time(), "late": trial.late}
    atomic.write_text(answer, json.dumps(row) + "\n")
    return choice


def has_device() -> bool:
    """Whether KVM could be tried here."""
    return os.access(_DEVICE, os.R_OK | os.W_OK)


def _try_kvm(program: Path, prove_nesting: Proof) -> Trial:
    if not has_device():
        return Trial(False, f"{_DEVICE} is not there or not ours")
    with scratch.directory("trial") as place:
        image = place / "trial"
        image.write_bytes(trial_image())
        arguments = (*qemu.accelerator(Machine("kvm", "host")), *trial_arguments(str(image)))
        done = process.run((program, *arguments), timeout=_TRIAL_SECONDS)
    if done.timed_out:
        return Trial(False, f"a trial guest with KVM hung for {_TRIAL_SECONDS:.0f} s", late=True)
    if not proven(done.status):
        said = "".join(c for c in done.last_line() if c.isprintable())
        return Trial(False, f"a trial guest with KVM failed: {said}")
    if done.status >> 1 != _CAN_NEST:
        return Trial(False, "KVM here does not nest: its guests have neither VMX nor SVM")
    nested = prove_nesting(Machine("kvm", "host"))
    works = "KVM runs a guest inside a guest here"
    return replace(nested, why=works if nested.works else f"nesting does not work here: {nested.why}")


def _remembered(path: Path, identity: str) -> Choice | None:
    try:
        row = json.loads(path.read_bytes())
        if row["identity"] != identity or row["accel"] not in KINDS:
            return None
        if row["late"] and not 0 <= time.time() - row["tried"] < _LATE_KEPT_SECONDS:
            return None
        return Choice(row["accel"], str(row["qemu_version"]), str(row["why"]))
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return None


def _permitted() -> str:
    """What an administrator may change of KVM at any time: the access to it, and whether it nests."""
    return " ".join(["open" if has_device() else "closed", *(_line(path, "-") for path in _NESTED)])


def _boot_id() -> str:
    return _line(_BOOT_ID, "unknown")


def _line(path: Path, otherwise: str) -> str:
    """The one line of a file of the kernel's, or `otherwise` where it is not to be read."""
    try:
        return path.read_text("ascii").strip()
    except OSError:
        return otherwise
