"""kpt's own guest tests see faults planted in KVM, each in the cases that are about it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from kpatch_tool.workspace import Workspace
from tests.conftest import Kpt, git
from tests.patch_files import mail

pytestmark = [pytest.mark.kernel, pytest.mark.timeout(3000)]

SVM, NESTED, EMULATE = "arch/x86/kvm/svm/svm.c", "arch/x86/kvm/svm/nested.c", "arch/x86/kvm/emulate.c"
LAPIC, X86, CPUID = "arch/x86/kvm/lapic.c", "arch/x86/kvm/x86.c", "arch/x86/kvm/cpuid.c"
PIC, IOAPIC = "arch/x86/kvm/i8259.c", "arch/x86/kvm/ioapic.c"
KVM_MAIN, EVENTFD, COALESCED = "virt/kvm/kvm_main.c", "virt/kvm/eventfd.c", "virt/kvm/coalesced_mmio.c"


@dataclass(frozen=True, slots=True)
class Fault:
    """What is replaced in a file, the test that sees it, and one of the cases that do."""

    path: str
    old: str
    new: str
    test: str
    case: str


FAULTS = (
    Fault(
        SVM,
        "\t\tkvm_set_cr8(vcpu, cr8);\n",
        "\t\tif (cr8 > kvm_get_cr8(vcpu))\n\t\t\tkvm_set_cr8(vcpu, cr8);\n",
        "apic",
        "cr8: it reads as written",
    ),
    Fault(
        LAPIC,
        "\tif (apic_lvtt_tscdeadline(apic)) {\n\t\tktimer->tscdeadline = 0;\n",
        "\tif (apic_lvtt_tscdeadline(apic)) {\n",
        "timers",
        "deadline: it comes, and is zero then",
    ),
    Fault(
        SVM,
        "\tget_debugreg(vcpu->arch.db[3], 3);\n",
        "",
        "debug",
        "registers: after an exit, addresses are as written",
    ),
    Fault(
        X86,
        "\tif (unlikely(rflags & X86_EFLAGS_TF))\n\t\tr = kvm_vcpu_do_singlestep(vcpu);\n\treturn r;\n",
        "\treturn r;\n",
        "debug",
        "step: cpuid",
    ),
    Fault(
        NESTED,
        "svm->nested.save.dr7 | DR7_FIXED_1",
        "DR7_FIXED_1",
        "nested",
        "debug registers: dr7 is the guest's own",
    ),
    Fault(
        NESTED,
        "svm->nested.save.dr6 | DR6_ACTIVE_LOW",
        "DR6_ACTIVE_LOW",
        "nested",
        "debug registers: dr6 is the guest's own",
    ),
    Fault(
        NESTED,
        "(0xf >> (4 - size)) << start_bit",
        "(0x7 >> (4 - size)) << start_bit",
        "nested",
        "ports: a word ends it by its second port, too",
    ),
    Fault(
        NESTED,
        "u32 int_ctl_vmcb12_bits = V_TPR_MASK | ",
        "u32 int_ctl_vmcb12_bits = ",
        "nested",
        "virtual interrupt: cr8 is the guest's own",
    ),
    Fault(
        KVM_MAIN,
        "\tif (log->first_page & 63)\n\t\treturn -EINVAL;\n\n\tslots",
        "\tslots",
        "slots",
        "clearing: refused where the range begins within a word",
    ),
    Fault(
        EVENTFD,
        "\t\t_val = get_unaligned((u64 *)val);",
        "\t\t_val = get_unaligned((u32 *)val);",
        "signals",
        "value: all of eight bytes count",
    ),
    Fault(
        EVENTFD,
        "\t\t    resampler->notifier.gsi, 0, false);\n\n\tidx",
        "\t\t    resampler->notifier.gsi, 1, false);\n\n\tidx",
        "lines",
        "resampled: its end lowers it, and is told",
    ),
    Fault(
        COALESCED,
        "	ring->coalesced_mmio[insert].phys_addr = addr;\n",
        "	ring->coalesced_mmio[insert].phys_addr = addr - dev->zone.addr;\n",
        "signals",
        "merged: writes do not leave the guest, and are told in their order",
    ),
    Fault(
        IOAPIC,
        "\t\te->fields.delivery_status = old_delivery_status;\n",
        "",
        "lines",
        "i/o apic: what it tells itself cannot be written",
    ),
    Fault(
        PIC,
        "\t\t\t\t\t\t!!(s->imr & (1 << irq)));\n\t\t\tpic_update_irq(s->pics_state);\n",
        "\t\t\t\t\t\t!!(s->imr & (1 << irq)));\n",
        "lines",
        "old controller: no longer masked, it comes",
    ),
    Fault(
        EMULATE,
        "\t\tmask = ~((long)ctxt->dst.bytes * 8 - 1);",
        "\t\tmask = ~((long)ctxt->dst.bytes * 8);",
        "emulate",
        "emulated: bts, btr and btc",
    ),
    Fault(CPUID, " | F(POPCNT) |\n", " |\n", "cpuid", "cpuid: leaf 1 ecx has bit 23"),
    Fault(
        SVM,
        "\t__free_page(pfn_to_page(__sme_clr(svm->vmcb01.pa) >> PAGE_SHIFT));\n",
        "",
        "lives",
        "lives: no memory stays behind",
    ),
)


def test_each_fault_is_seen(kept: Workspace, debian_git_dir: Path, kpt: Kpt, tmp_path: Path) -> None:
    texts: dict[str, str] = {}
    for number, fault in enumerate(FAULTS, 1):
        old = texts.get(fault.path) or git("show", f"base:{fault.path}", cwd=debian_git_dir) + "\n"
        assert old.count(fault.old) == 1, fault
        texts[fault.path] = new = old.replace(fault.old, fault.new)
        one = mail(number, f"KVM: fault {number}", fault.path, old, new, total=len(FAULTS))
        (tmp_path / f"{number:04}.patch").write_text(one)
    kpt("import", tmp_path, "--name", "faults", "--force", cwd=kept.root)
    kpt("apply", "faults", "--tree", "debian-6.1", cwd=kept.root)
    chosen = [word for test in sorted({fault.test for fault in FAULTS}) for word in ("--test", test)]
    test = ("test", "faults", "--suite", "kpt-guest", *chosen, "--json")
    base, state = kpt(*test, cwd=kept.root, status=1, timeout=2400).json["states"]
    assert not base["deltas"]
    worse = {(row["test"], row["case"]) for row in state["deltas"] if row["change"] == "worse"}
    assert [fault for fault in FAULTS if (fault.test, fault.case) not in worse] == []
