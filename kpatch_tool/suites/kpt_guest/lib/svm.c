// SPDX-License-Identifier: GPL-2.0-only
/* A guest of the test's own, by AMD's SVM. */
#include "svm.h"
#include "kvm.h"
#include "paging.h"
#include "trap.h"
#include "x86.h"

#define CODE_64		0xa9b		/* attributes of segments, */
#define DATA		0xc93
#define STACK_BYTES	8192
#define RFLAGS_FIXED	2ul

struct table_pointer {
	u16 limit;
	u64 base;
} __attribute__((packed));

struct vmcb vmcb __attribute__((aligned(4096)));
u8 port_map[3 * PAGE_SIZE] __attribute__((aligned(4096)));
u8 msr_map[2 * PAGE_SIZE] __attribute__((aligned(4096)));
u64 left_rbx, left_rcx, left_rdx;

static u8 host_save[PAGE_SIZE] __attribute__((aligned(4096)));
static u8 stack[STACK_BYTES] __attribute__((aligned(16)));

void run_vmcb(struct vmcb *vmcb);

/* Between clgi and stgi interrupts are on, for the guest to be interrupted, or not, as its block says. */
asm(".pushsection .text\n"
    "run_vmcb:	push %rbx\n"
    "	push %rbp\n"
    "	push %r12\n"
    "	push %r13\n"
    "	push %r14\n"
    "	push %r15\n"
    "	mov %rdi, %rax\n"
    "	clgi\n"
    "	sti\n"
    "	vmrun %rax\n"
    "	cli\n"
    "	stgi\n"
    "	mov %rbx, left_rbx(%rip)\n"
    "	mov %rcx, left_rcx(%rip)\n"
    "	mov %rdx, left_rdx(%rip)\n"
    "	pop %r15\n"
    "	pop %r14\n"
    "	pop %r13\n"
    "	pop %r12\n"
    "	pop %rbp\n"
    "	pop %rbx\n"
    "	ret\n"
    ".popsection\n");

bool svm_init(void)
{
	if (!on_amd() || cpuid(0x80000000).a < LEAF_SVM || !(cpuid(0x80000001).c & 1u << 2))
		return false;
	wrmsr(MSR_EFER, rdmsr(MSR_EFER) | EFER_SVME);
	wrmsr(MSR_HSAVE, (u64)host_save);
	return true;
}

static struct vmcb_segment segment(u16 selector, u16 attributes)
{
	return (struct vmcb_segment) { .selector = selector, .attributes = attributes, .limit = 0xffffffff };
}

static struct vmcb_segment table(struct table_pointer pointer)
{
	return (struct vmcb_segment) { .limit = pointer.limit, .base = pointer.base };
}

void guest_at(const void *code)
{
	struct table_pointer gdt, idt;

	asm volatile("sgdt %0" : "=m"(gdt));
	asm volatile("sidt %0" : "=m"(idt));
	memset(&vmcb, 0, sizeof(vmcb));
	memset(port_map, 0, sizeof(port_map));
	memset(msr_map, 0, sizeof(msr_map));
	asm volatile("vmsave %%rax" :: "a"(&vmcb) : "memory");
	vmcb.intercepts = ON_SHUTDOWN;
	vmcb.intercepts2 = ON_VMRUN | ON_VMMCALL;
	vmcb.port_map = (u64)port_map;
	vmcb.msr_map = (u64)msr_map;
	vmcb.asid = 1;
	vmcb.cs = segment(KERNEL_CS, CODE_64);
	vmcb.ss = vmcb.ds = vmcb.es = segment(KERNEL_DS, DATA);
	vmcb.gdtr = table(gdt);
	vmcb.idtr = table(idt);
	vmcb.efer = rdmsr(MSR_EFER);
	vmcb.cr0 = read_cr0();
	vmcb.cr3 = read_cr3();
	vmcb.cr4 = read_cr4();
	vmcb.dr6 = 0xffff0ff0;
	vmcb.dr7 = 0x400;
	vmcb.pat = 0x0007040600070406;
	vmcb.rflags = RFLAGS_FIXED;
	vmcb.rip = (u64)code;
	vmcb.rsp = (u64)(stack + sizeof(stack) - 8);
}

u64 guest_run(void)
{
	run_vmcb(&vmcb);
	return vmcb.exit_code;
}

u64 guest_run_at(const void *code)
{
	guest_at(code);
	return guest_run();
}
