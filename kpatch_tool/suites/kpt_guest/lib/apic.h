/* SPDX-License-Identifier: GPL-2.0-only */
/* The local APIC of the processor one runs on: AMD64 Architecture Programmer's Manual 2, chapter 16. */
#ifndef KPT_APIC_H
#define KPT_APIC_H

#include "types.h"

#define APIC			0xfee00000ul
#define APIC_ID			0x20
#define APIC_VERSION		0x30
#define APIC_TPR		0x80
#define APIC_PPR		0xa0
#define APIC_EOI		0xb0
#define APIC_LOGICAL		0xd0
#define APIC_FORMAT		0xe0
#define APIC_SPURIOUS		0xf0
#define APIC_ISR		0x100
#define APIC_IRR		0x200
#define APIC_COMMAND		0x300
#define APIC_TARGET		0x310
#define APIC_TIMER		0x320
#define APIC_LINT0		0x350
#define APIC_LINT1		0x360
#define APIC_INITIAL		0x380
#define APIC_CURRENT		0x390
#define APIC_DIVIDE		0x3e0

#define APIC_ON			0x1ff		/* and 0xff is the spurious vector */
#define APIC_OFF		0x0ff
#define APIC_MASKED		(1u << 16)
#define APIC_EXTINT		(7u << 8)
#define TIMER_PERIODIC		(1u << 17)
#define TIMER_DEADLINE		(2u << 17)
#define DIVIDE_BY_1		0xb
#define DIVIDE_BY_16		0x3

#define COMMAND_PENDING		(1u << 12)
#define COMMAND_FIXED		0x4000
#define COMMAND_LOWEST		0x4100
#define COMMAND_NMI		0x4400
#define COMMAND_INIT		0x4500
#define COMMAND_START		0x4600
#define COMMAND_LOGICAL		0x0800
#define TO_SELF			0x40000
#define TO_ALL			0x80000
#define TO_OTHERS		0xc0000

#define MSR_APIC_BASE		0x1b
#define APIC_BASE_ENABLE	(1ul << 11)
#define APIC_BASE_X2		(1ul << 10)
#define MSR_TSC_DEADLINE	0x6e0
#define MSR_X2APIC		0x800		/* and the register's offset / 16 */

static inline u32 apic_read(u32 offset)
{
	return *(volatile u32 *)(APIC + offset);
}

static inline void apic_write(u32 offset, u32 value)
{
	*(volatile u32 *)(APIC + offset) = value;
}

/* Whether @vector's bit is set in the 256 that begin at register @first. */
static inline bool apic_has(u32 first, u8 vector)
{
	return apic_read(first + vector / 32 * 16) >> vector % 32 & 1;
}

/* Sends an interrupt; returns when it is on its way. */
void apic_command(u32 command, u32 apic_id);

/* The APIC on, with nothing of the PC's old interrupt controller let in. */
void apic_init(void);

#endif
