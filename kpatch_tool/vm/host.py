"""What a guest has of this machine: its CPU, and its kernel's KVM."""

from __future__ import annotations

import os
import re
from pathlib import Path

_CPU = ("vendor_id", "cpu family", "model", "stepping", "microcode", "flags", "vmx flags", "bugs")  # proc_cpuinfo(5)
VENDORS = {"kvm_amd": "amd", "kvm_intel": "intel"}  # whose CPU a module is for


def identity(cpuinfo: Path = Path("/proc/cpuinfo")) -> str:
    """What a guest has of this machine when it runs on its CPU: which CPU, and which kernel's KVM. Workspaces are
    copied and moved, and kernels are replaced."""
    first, _, _ = cpuinfo.read_text("utf-8", "replace").partition("\n\n")
    rows = (line.partition(":") for line in first.splitlines())
    known = [f"{name.strip()}:{value}" for name, _, value in rows if name.strip() in _CPU]
    return "\n".join([os.uname().release, os.uname().version, *known])


def never_loaded(accelerator: str, cpuinfo: Path = Path("/proc/cpuinfo")) -> frozenset[str]:
    """The file names of the modules that no guest loads here: those for the other vendor's CPU. QEMU's TCG emulates
    AMD's SVM; with KVM guests have this machine's CPU. Empty for no accelerator, before the first guest."""
    if not accelerator:
        return frozenset()
    flags = re.search(r"^flags\s*:(.*)$", cpuinfo.read_text("utf-8", "replace"), re.MULTILINE)
    here = "amd" if accelerator == "tcg" or (flags and "svm" in flags[1].split()) else "intel"  # as vm/init/init.c
    return frozenset(f"{name.replace('_', '-')}.ko" for name, vendor in VENDORS.items() if vendor != here)
