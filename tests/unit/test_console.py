"""Finding what a kernel complained about, in the wordings of several versions."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kpatch_tool.vm.console import MAX_TRACE_LINES, MAX_TRACES, TraceKind, find_traces
from kpatch_tool.vm.session import Console

OOPS = b"""\
Run /init as init process\r
[    1.203400] BUG: kernel NULL pointer dereference, address: 0000000000000010\r
[    1.203500] #PF: supervisor read access in kernel mode\r
[    1.203600] Oops: 0000 [#1] SMP\r
[    1.203700] CPU: 1 PID: 77 Comm: qemu-system-x86 Not tainted 6.1.192 #1\r
[    1.203800] RIP: 0010:kvm_mmu_page_fault+0x1d/0x60 [kvm]\r
[    1.203900] Call Trace:\r
[    1.203910]  <TASK>\r
[    1.203920]  kvm_arch_vcpu_ioctl_run+0x2c1/0x9a0 [kvm]\r
[    1.203930]  </TASK>\r
[    1.204000] ---[ end trace 0000000000000000 ]---\r
[    1.204010] RIP: 0010:kvm_mmu_page_fault+0x1d/0x60 [kvm]\r
[    1.204100] Kernel panic - not syncing: Fatal exception\r
[    1.204200] Kernel Offset: disabled\r
"""
OLD_WARNING = b"""\
------------[ cut here ]------------
WARNING: CPU: 0 PID: 48 at /src/arch/x86/kvm/mmu.c:2345 mmu_spte_clear_track_bits+0x1d/0x90 [kvm]()
Modules linked in: kvm_amd kvm
CPU: 0 PID: 48 Comm: qemu Not tainted 3.15.5 #1
Call Trace:
 [<ffffffff8100a000>] dump_stack+0x12/0x20
---[ end trace 1234567890abcdef ]---
kvm: exiting hardware virtualization
"""


def test_an_oops_and_the_panic_after_it_are_one() -> None:
    (trace,) = find_traces(OOPS)
    assert trace.kind is TraceKind.OOPS
    assert trace.fatal
    assert trace.title == "BUG: kernel NULL pointer dereference, address: 0000000000000010"
    assert trace.headline == f"{trace.title} in kvm_mmu_page_fault [kvm]"
    assert "kvm_arch_vcpu_ioctl_run+0x2c1" in trace.text
    assert "Kernel panic - not syncing: Fatal exception" in trace.text
    assert "[    1.2" not in trace.text
    assert OOPS[trace.offset :].startswith(b"[    1.203400]")


def test_a_warning_of_an_old_kernel_ends_at_its_mark() -> None:
    (trace,) = find_traces(OLD_WARNING)
    assert trace.kind is TraceKind.WARNING
    assert not trace.fatal
    assert trace.offset == 0
    assert trace.text.endswith("---[ end trace 1234567890abcdef ]---")
    assert "cut here" in trace.text


REFCOUNT = b"""\
[    2.000000] ------------[ cut here ]------------
[    2.000001] refcount_t: underflow; use-after-free.
[    2.000002] WARNING: CPU: 1 PID: 74 at lib/refcount.c:28 refcount_warn_saturate+0x8d/0xe0
[    2.000003] Modules linked in: kvm_amd kvm
[    2.000004] ---[ end trace 0000000000000000 ]---
"""
OLD_MESSAGE = b"""\
------------[ cut here ]------------
WARNING: CPU: 0 PID: 48 at lib/list_debug.c:33 __list_add+0xbe/0xd0()
list_add corruption. prev->next should be next (c1), but was c2. (prev=c3).
Modules linked in: kvm_amd kvm
---[ end trace 1234567890abcdef ]---
"""


NEW_MESSAGE = REFCOUNT.replace(
    b"CPU: 1 PID: 74 at lib/refcount.c:28 refcount_warn_saturate+0x8d/0xe0",
    b"lib/refcount.c:28 at refcount_warn_saturate+0x8d/0xe0, CPU#1: monitor/74",
)


def test_what_a_warning_says_is_told_before_its_line_or_behind() -> None:
    (new,), (old,), (none,) = map(find_traces, (REFCOUNT, OLD_MESSAGE, OLD_WARNING))
    assert new.message == "refcount_t: underflow; use-after-free."
    assert new.headline == f"{new.title}: {new.message}"
    assert new.text.startswith("------------[ cut here ]------------\nrefcount_t: ")
    assert new.identity == "WARNING: at lib/refcount.c refcount_warn_saturate"
    assert old.message == "list_add corruption. prev->next should be next (c1), but was c2. (prev=c3)."
    assert none.message == "" and none.headline == none.title
    assert [trace.message for trace in find_traces(OLD_WARNING + REFCOUNT)] == ["", new.message]
    (newest,) = find_traces(NEW_MESSAGE)
    assert newest.message == new.message
    assert newest.identity == "WARNING: lib/refcount.c at refcount_warn_saturate"


def test_a_mark_without_a_complaint_keeps_nothing() -> None:
    far = REFCOUNT.replace(b"refcount_t: underflow; use-after-free.", b"\n".join([b"other"] * 9))
    (trace,) = find_traces(far)
    assert trace.message == "" and trace.text.startswith("WARNING: CPU: ")


def test_two_warnings_are_two() -> None:
    assert len(find_traces(OLD_WARNING * 2)) == 2


def test_kinds() -> None:
    lines = {
        "kernel BUG at arch/x86/kvm/mmu/mmu.c:100!": TraceKind.BUG,
        "general protection fault, probably for non-canonical address 0xdead: 0000 [#1] SMP": TraceKind.OOPS,
        "BUG: unable to handle kernel paging request at ffffc90000000000": TraceKind.OOPS,
        "invalid opcode: 0000 [#1] SMP": TraceKind.OOPS,
        "watchdog: BUG: soft lockup - CPU#0 stuck for 22s! [qemu:44]": TraceKind.LOCKUP,
        "BUG: soft lockup - CPU#1 stuck for 23s! [qemu:44]": TraceKind.LOCKUP,
        "rcu: INFO: rcu_sched self-detected stall on CPU": TraceKind.STALL,
        "INFO: rcu_sched detected stalls on CPUs/tasks: {} (detected by 1, t=60002 jiffies)": TraceKind.STALL,
        "INFO: task qemu:33 blocked for more than 120 seconds.": TraceKind.STALL,
        "BUG: sleeping function called from invalid context at mm/slab.h:1": TraceKind.WARNING,
        "BUG: KASAN: slab-out-of-bounds in kvm_write+0x1/0x2": TraceKind.WARNING,
        "WARNING: possible circular locking dependency detected": TraceKind.WARNING,
        "[ INFO: possible circular locking dependency detected ]": TraceKind.WARNING,
        "[ INFO: suspicious RCU usage. ]": TraceKind.WARNING,
        "[ BUG: bad unlock balance detected! ]": TraceKind.WARNING,
        "INFO: trying to register non-static key.": TraceKind.WARNING,
        "BUG kmalloc-64 (Not tainted): Redzone overwritten": TraceKind.WARNING,
        "BUG kvm_vcpu (Tainted: G    B   W     ): Objects remaining in kvm_vcpu": TraceKind.WARNING,
        "kmem_cache_destroy kvm_vcpu: Slab cache still has objects": TraceKind.WARNING,
        "PANIC: double fault, error_code: 0x0": TraceKind.PANIC,
    }
    for line, kind in lines.items():
        (trace,) = find_traces(b"noise\n" + line.encode() + b"\n")
        assert (trace.kind, trace.title) == (kind, line)


def test_harmless_lines_are_none() -> None:
    quiet = b"""\
Linux version 6.1.192 (root@host) (gcc (Debian 12.2.0-14) 12.2.0) #1 SMP
printk: console [ttyS0] enabled
x86/fpu: x87 FPU will use FXSAVE
debug: unmapping init memory, WARNING level 3
kvm: Nested Virtualization enabled
INFO: lockdep is turned off.
[ BUG: cut off
"""
    assert find_traces(quiet) == ()


def test_what_a_hostile_guest_prints_is_bounded_and_tame() -> None:
    flood = b"WARNING: \x1b[2Jowned\n" * 10_000 + b"Kernel panic - not syncing: x\n" + b"y" * 5000 + b"\n" * 5000
    traces = find_traces(flood)
    assert len(traces) <= MAX_TRACES
    assert "\x1b" not in "".join(trace.text for trace in traces)
    long = find_traces(b"WARNING: a\n" + b"line\n" * 5000)
    assert len(long[0].text.splitlines()) <= MAX_TRACE_LINES


@given(st.binary(max_size=2000))
def test_never_fails(console: bytes) -> None:
    for trace in find_traces(console):
        assert 0 <= trace.offset <= len(console)


@pytest.mark.parametrize(
    ("line", "identity"),
    [
        (
            "WARNING: CPU: 1 PID: 177 at arch/x86/kvm/svm.c:1059 svm_adjust_tsc_offset+0x23/0x68 [kvm_amd]()",
            "WARNING: at arch/x86/kvm/svm.c svm_adjust_tsc_offset [kvm_amd]",
        ),
        (
            "WARNING: CPU: 0 PID: 9 at arch/x86/kvm/svm.c:1061 svm_adjust_tsc_offset+0x25/0x70 [kvm_amd]",
            "WARNING: at arch/x86/kvm/svm.c svm_adjust_tsc_offset [kvm_amd]",
        ),
        (
            "WARNING: arch/x86/kvm/svm/svm.c:1059 at svm_exit+0x23/0x68 [kvm_amd], CPU#1: monitor/74",
            "WARNING: arch/x86/kvm/svm/svm.c at svm_exit [kvm_amd]",
        ),
        (
            "WARNING: arch/x86/kvm/svm/svm.c:1061 at svm_exit+0x25/0x70 [kvm_amd], CPU#0: kworker/u4:2 a, b: c/90",
            "WARNING: arch/x86/kvm/svm/svm.c at svm_exit [kvm_amd]",
        ),
        ("WARNING: at svm_exit+0x25/0x70 [kvm_amd], CPU#0: qemu/9", "WARNING: at svm_exit [kvm_amd]"),
        ("kernel BUG at arch/x86/kvm/mmu/mmu.c:42!", "kernel BUG at arch/x86/kvm/mmu/mmu.c!"),
        (
            "BUG: unable to handle page fault for address: ffff888003a1c000",
            "BUG: unable to handle page fault",
        ),
        ("BUG: soft lockup - CPU#0 stuck for 22s! [qemu:74]", "soft lockup"),
        ("NMI watchdog: Watchdog detected hard LOCKUP on cpu 1", "hard lockup"),
        ("rcu: INFO: rcu_sched self-detected stall on CPU", "RCU stall"),
        ("INFO: task qemu:33 blocked for more than 120 seconds.", "hung task"),
        ("BUG: scheduling while atomic: kworker/0:1/33/0x00000002", "BUG: scheduling while atomic: kworker///"),
        ("BUG: scheduling while atomic: kworker/u4:2-ev/145/0x00000002", "BUG: scheduling while atomic: kworker///"),
        (
            "BUG: Bad rss-counter state mm:00000000f1b5d2a1 type:MM_ANONPAGES val:3",
            "BUG: Bad rss-counter state mm: type:MM_ANONPAGES val:",
        ),
        ("BUG: non-zero pgtables_bytes on freeing mm: 4096", "BUG: non-zero pgtables_bytes on freeing mm: "),
        (
            "UBSAN: shift-out-of-bounds in arch/x86/kvm/x86.c:12:34",
            "UBSAN: shift-out-of-bounds in arch/x86/kvm/x86.c",
        ),
        (
            "unchecked MSR access error: WRMSR to 0x1d9 (tried to write 0x0000000000004000) at rIP: 0xffffffff81063f14"
            " (native_write_msr+0x4/0x20)",
            "unchecked MSR access error: WRMSR to 0x1d9 (tried to write ) at rIP:  (native_write_msr)",
        ),
        (
            "WARNING: suspicious RCU usage\n6.1.0 #1 Not tainted\n-----------------------------\n"
            "arch/x86/kvm/mmu/tdp_mmu.c:412 suspicious rcu_dereference_check() usage!",
            "WARNING: suspicious RCU usage in arch/x86/kvm/mmu/tdp_mmu.c",
        ),
        (
            "WARNING: possible circular locking dependency detected\n6.1.0 #1 Not tainted\n------\n"
            "qemu/77 is trying to acquire lock:\n"
            "ffffc900004c5a70 (&kvm->slots_lock){+.+.}-{3:3}, at: kvm_set_memory+0x2c/0x40 [kvm]",
            "WARNING: possible circular locking dependency detected in &kvm->slots_lock kvm_set_memory",
        ),
        (
            "WARNING: possible circular locking dependency detected\nqemu/77 is trying to acquire lock:\n"
            "ffff888237c2a958 (&rq->__lock/1){-.-.}-{2:2}, at: raw_spin_rq_lock_nested+0x2c/0x40\n"
            "ffff8881003f8020 (&kvm->lock){+.+.}-{3:3}, at: kvm_lock_all+0x12/0x30",
            "WARNING: possible circular locking dependency detected in &rq->__lock/1 raw_spin_rq_lock_nested",
        ),
        (
            "[ BUG: bad unlock balance detected! ]\nqemu/77 is trying to release lock (&kvm->srcu) at:",
            "[ BUG: bad unlock balance detected! ] in &kvm->srcu",
        ),
        ("kmemleak: 3 new suspected memory leaks (see /sys)", "kmemleak:  new suspected memory leaks (see /sys)"),
        (
            "BUG: sleeping function called from invalid context at kernel/locking/mutex.c:580\n"
            "in_atomic(): 1, irqs_disabled(): 0, non_block: 0, pid: 77, name: qemu\nCall Trace:\n <TASK>\n"
            " dump_stack_lvl+0x44/0x5c\n __might_resched.cold+0xc9/0xf3\n mutex_lock+0x1a/0x40\n"
            " ? kvm_b+0x1/0x2 [kvm]\n kvm_a+0x17/0x90 [kvm]\n kvm_vcpu_ioctl+0x1/0x2 [kvm]",
            "BUG: sleeping function called from invalid context at kernel/locking/mutex.c in kvm_a",
        ),
        (
            "BUG: using smp_processor_id() in preemptible [00000000] code: qemu/74\ncaller is kvm_c+0x5/0x16 [kvm]",
            "BUG: using smp_processor_id() in preemptible [] code: qemu/ in kvm_c",
        ),
        ("BUG: scheduling while atomic: qemu/74/0x00000002", "BUG: scheduling while atomic: qemu//"),
        (
            "BUG: using smp_processor_id() in preemptible [00000000] code: qemu/74",
            "BUG: using smp_processor_id() in preemptible [] code: qemu/",
        ),
        ("[ BUG: qemu/74 still has locks held! ]", "[ BUG: qemu/ still has locks held! ]"),
        ("BUG: Bad page state in process qemu  pfn:0a2b3", "BUG: Bad page state in process qemu  pfn:"),
        ("BUG kmalloc-64 (Tainted: G    B   W     ): Redzone overwritten", "BUG kmalloc-64: Redzone overwritten"),
        (
            "BUG: kernel NULL pointer dereference, address: 0000000000000010\nRIP: 0010:0x0\n"
            "RIP: 0010:svm_cpu_uninit.isra.0+0x62/0xd0 [kvm_amd]\nRIP: 0033:0x445859\nRIP: 0010:another+0x1/0x2",
            "BUG: kernel NULL pointer dereference in svm_cpu_uninit [kvm_amd]",
        ),
        (
            "BUG: unable to handle kernel NULL pointer dereference at           (null)\n"
            "IP: [<ffffffffa0006a3c>] svm_exit+0x5/0x16 [kvm_amd]\nPGD 0 ",
            "BUG: unable to handle kernel NULL pointer dereference in svm_exit [kvm_amd]",
        ),
        (
            "BUG: unable to handle kernel paging request at ffffc90000000000\n"
            "RIP: 0010:[<ffffffff8100a000>]  [<ffffffff8100a000>] kvm_exit+0x5/0x16",
            "BUG: unable to handle kernel paging request in kvm_exit",
        ),
        (
            "kernel BUG at arch/x86/kvm/mmu/mmu.c:42!\nRIP: 0010:mmu_free_root+0x5/0x16 [kvm]",
            "kernel BUG at arch/x86/kvm/mmu/mmu.c! in mmu_free_root [kvm]",
        ),
        (
            "WARNING: CPU: 0 PID: 9 at arch/x86/kvm/svm.c:1 svm_exit+0x5/0x16\nRIP: 0010:svm_exit+0x5/0x16",
            "WARNING: at arch/x86/kvm/svm.c svm_exit",
        ),
    ],
)
def test_a_complaint_is_known_again_in_another_run(line: str, identity: str) -> None:
    (trace,) = find_traces(line.encode() + b"\n")
    assert trace.identity == identity


def test_what_a_kernel_dies_of_is_found_behind_any_number_of_warnings() -> None:
    """A warning in a path that is often taken must not hide what comes after it."""
    often = "WARNING: CPU: 0 PID: 1 at a.c:1 often+0x1/0x2 [kvm]\n"
    other = "WARNING: CPU: 0 PID: 1 at b.c:2 other+0x1/0x2 [kvm]\nby other\n"
    oops = "general protection fault: 0000 [#1] SMP\nRIP: 0010:gone+0x1/0x2 [kvm]\nKernel panic - not syncing: Fatal\n"
    text = 2 * MAX_TRACES * often + "of no complaint\n" + other + often + "of no complaint\n" + oops
    traces = find_traces(text.encode())
    assert len(traces) == MAX_TRACES
    assert [trace.text for trace in traces[-3:]] == [often.strip(), other.strip(), oops.strip()]
    assert traces[-1].place == "gone [kvm]" and traces[-1].offset == text.index("general")
    distinct = "".join(f"WARNING: at f{chr(97 + one % 26)}{chr(97 + one // 26)} [kvm]\n" for one in range(99))
    assert [trace.fatal for trace in find_traces((distinct + oops).encode())] == [False] * (MAX_TRACES - 1) + [True]


@pytest.mark.parametrize("flood", [0, 1 << 20, 2 << 20, (2 << 20) + 100, 9 << 20])
def test_a_complaint_is_of_the_time_when_it_came(flood: int) -> None:
    """However much was printed before it, and left out: it belongs to the test that ran then."""
    console = Console()
    console.add(b"WARNING: early\n" + b"x" * 79 + b"\n")
    for _ in range(flood // 4096):
        console.add((b"y" * 63 + b"\n") * 64)
    before = console.position()
    console.add(b"kernel BUG at virt/kvm/kvm_main.c:1!\n")
    early, late = find_traces(console.text())
    assert console.came_at(early.offset) == 0
    assert console.came_at(late.offset) == before


@pytest.mark.parametrize(
    ("below", "kinds"),
    [
        ("BUG: unable to handle kernel NULL pointer dereference at 10", [TraceKind.WARNING, TraceKind.OOPS]),
        ("Kernel panic - not syncing: panic_on_warn set ...", [TraceKind.WARNING, TraceKind.PANIC]),
        ("INFO: rcu_sched self-detected stall on CPU", [TraceKind.WARNING, TraceKind.STALL]),
        ("BUG: KASAN: use-after-free in g+0x1/0x2", [TraceKind.WARNING, TraceKind.WARNING]),
        ("sysfs: cannot create duplicate filename '/kvm'", [TraceKind.WARNING]),
    ],
)
def test_what_stands_right_below_a_warning(below: str, kinds: list[TraceKind]) -> None:
    """Up to 4.14 WARN() says there what it was given; everything else is a complaint of its own."""
    for said in ("CPU: 0 PID: 9 at fs/sysfs/dir.c:31 f+0x5/0x16()", "fs/sysfs/dir.c:31 at f+0x5/0x16, CPU#0: qemu/9"):
        console = f"WARNING: {said}\n{below}\nModules linked in: kvm\n"
        assert [trace.kind for trace in find_traces(console.encode())] == kinds
