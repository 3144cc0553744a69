/* SPDX-License-Identifier: GPL-2.0-only */
/* A guest of the test's own, by AMD's SVM: AMD64 Architecture Programmer's Manual 2, chapter 15 and appendix B, C. */
#ifndef KPT_SVM_H
#define KPT_SVM_H

#include "types.h"

#define MSR_HSAVE		0xc0010117
#define MSR_KERNEL_GS		0xc0000102
#define MSR_STAR		0xc0000081
#define EFER_SVME		(1ul << 12)
#define LEAF_SVM		0x8000000a
#define SVM_NESTED_PAGING	(1u << 0)	/* in edx of that leaf */
#define SVM_NEXT_RIP		(1u << 3)

/* What ends the guest. */
#define EXIT_CR_READ		0x00
#define EXIT_CR_WRITE		0x10
#define EXIT_DR_READ		0x20
#define EXIT_DR_WRITE		0x30
#define EXIT_EXCEPTION		0x40
#define EXIT_INTERRUPT		0x60
#define EXIT_NMI		0x61
#define EXIT_VIRTUAL_INTERRUPT	0x64
#define EXIT_INSTRUCTION	0x60		/* bit n of intercepts */
#define EXIT_PORT		0x7b
#define EXIT_MSR		0x7c
#define EXIT_SHUTDOWN		0x7f
#define EXIT_INSTRUCTION2	0x80		/* bit n of intercepts2 */
#define EXIT_VMMCALL		0x81
#define EXIT_NESTED_FAULT	0x400
#define EXIT_INVALID		(~0u)		/* KVM leaves the upper half zero */

/* Bits of intercepts, */
#define ON_INTERRUPT		(1u << 0)
#define ON_NMI			(1u << 1)
#define ON_VIRTUAL_INTERRUPT	(1u << 4)
#define ON_PORT			(1u << 27)
#define ON_MSR			(1u << 28)
#define ON_SHUTDOWN		(1u << 31)
/* of intercepts2, */
#define ON_VMRUN		(1u << 0)
#define ON_VMMCALL		(1u << 1)
/* of virtual, */
#define VIRTUAL_TPR		0xfful
#define VIRTUAL_IRQ		(1ul << 8)
#define VIRTUAL_PRIORITY(class)	((u64)(class) << 16)
#define VIRTUAL_MASKING		(1ul << 24)
#define VIRTUAL_VECTOR(vector)	((u64)(vector) << 32)
/* and of inject. */
#define INJECT_INTERRUPT	0x80000000ul
#define INJECT_EXCEPTION	0x80000300ul

struct vmcb_segment {
	u16 selector, attributes;
	u32 limit;
	u64 base;
} __attribute__((packed));

struct vmcb {
	u16 cr_read, cr_write, dr_read, dr_write;
	u32 exceptions, intercepts, intercepts2;
	u8 reserved1[0x40 - 0x14];
	u64 port_map, msr_map, tsc_offset;
	u32 asid;
	u8 flush, reserved2[3];
	u64 virtual, shadow, exit_code, exit_info1, exit_info2, exit_interrupt, nested_paging;
	u8 reserved3[0xa8 - 0x98];
	u64 inject, nested_root, lbr, clean_bits, next_rip;
	u8 reserved4[0x400 - 0xd0];
	struct vmcb_segment es, cs, ss, ds, fs, gs, gdtr, ldtr, idtr, tr;
	u8 reserved5[43], cpl;
	u32 reserved6;
	u64 efer;
	u8 reserved7[0x548 - 0x4d8];
	u64 cr4, cr3, cr0, dr7, dr6, rflags, rip;
	u8 reserved8[0x5d8 - 0x580];
	u64 rsp;
	u8 reserved9[0x5f8 - 0x5e0];
	u64 rax, star, lstar, cstar, sfmask, kernel_gs, sysenter_cs, sysenter_esp, sysenter_eip, cr2;
	u8 reserved10[0x668 - 0x648];
	u64 pat;
	u8 reserved11[0x1000 - 0x670];
} __attribute__((packed));

_Static_assert(offsetof(struct vmcb, efer) == 0x4d0 && offsetof(struct vmcb, rax) == 0x5f8, "the VMCB as in appendix B");

/* The guest's block, and what it left in these registers. */
extern struct vmcb vmcb;
extern u64 left_rbx, left_rcx, left_rdx;

/* Whether this processor can, and is on. */
bool svm_init(void);

/*
 * Has the guest begin at @code the next time, in the state the processor is
 * in, with interrupts off and a stack of its own. vmmcall ends it, and nothing
 * else but a shutdown.
 */
void guest_at(const void *code);

/* Goes on until it ends; the exit code. Interrupts are taken meanwhile as it says, and pend afterwards. */
u64 guest_run(void);

/* Both. */
u64 guest_run_at(const void *code);

/* Its maps of ports (12 KiB) and registers (8 KiB): a set bit ends it. */
extern u8 port_map[], msr_map[];

#endif
