/* SPDX-License-Identifier: GPL-2.0-only */
/* Instructions C has no words for. */
#ifndef KPT_X86_H
#define KPT_X86_H

#include "types.h"

#define CR0_WP		(1ul << 16)
#define CR4_PGE		(1ul << 7)
#define MSR_EFER	0xc0000080

struct cpuid {
	u32 a, b, c, d;
};

static inline void barrier(void)
{
	asm volatile("" ::: "memory");
}

static inline void pause(void)
{
	asm volatile("pause" ::: "memory");
}

static inline void outb(u16 port, u8 value)
{
	asm volatile("outb %0, %1" :: "a"(value), "Nd"(port));
}

static inline void outw(u16 port, u16 value)
{
	asm volatile("outw %0, %1" :: "a"(value), "Nd"(port));
}

/* What lies in memory may be part of the message. */
static inline void outl(u16 port, u32 value)
{
	asm volatile("outl %0, %1" :: "a"(value), "Nd"(port) : "memory");
}

static inline u8 inb(u16 port)
{
	u8 value;

	asm volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
	return value;
}

static inline struct cpuid cpuid(u32 leaf)
{
	struct cpuid r;

	asm volatile("cpuid" : "=a"(r.a), "=b"(r.b), "=c"(r.c), "=d"(r.d) : "a"(leaf), "c"(0));
	return r;
}

static inline u64 rdmsr(u32 msr)
{
	u32 low, high;

	asm volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(msr) : "memory");
	return low | (u64)high << 32;
}

static inline void wrmsr(u32 msr, u64 value)
{
	asm volatile("wrmsr" :: "a"((u32)value), "d"((u32)(value >> 32)), "c"(msr) : "memory");
}

static inline u64 rdtsc(void)
{
	u32 low, high;

	asm volatile("lfence; rdtsc" : "=a"(low), "=d"(high) :: "memory");
	return low | (u64)high << 32;
}

static inline u64 read_cr0(void)
{
	u64 value;

	asm volatile("mov %%cr0, %0" : "=r"(value) :: "memory");
	return value;
}

static inline void write_cr0(u64 value)
{
	asm volatile("mov %0, %%cr0" :: "r"(value) : "memory");
}

static inline u64 read_cr2(void)
{
	u64 value;

	asm volatile("mov %%cr2, %0" : "=r"(value) :: "memory");
	return value;
}

static inline u64 read_cr3(void)
{
	u64 value;

	asm volatile("mov %%cr3, %0" : "=r"(value) :: "memory");
	return value;
}

static inline void write_cr3(u64 value)
{
	asm volatile("mov %0, %%cr3" :: "r"(value) : "memory");
}

static inline u64 read_cr4(void)
{
	u64 value;

	asm volatile("mov %%cr4, %0" : "=r"(value) :: "memory");
	return value;
}

static inline void write_cr4(u64 value)
{
	asm volatile("mov %0, %%cr4" :: "r"(value) : "memory");
}

static inline u64 read_cr8(void)
{
	u64 value;

	asm volatile("mov %%cr8, %0" : "=r"(value) :: "memory");
	return value;
}

static inline void write_cr8(u64 value)
{
	asm volatile("mov %0, %%cr8" :: "r"(value) : "memory");
}

/*
 * BREAK_FLUSH builds images whose flushes do nothing. They must fail: that
 * is how the suite's own tests know that its cases can.
 */
static inline void invlpg(const volatile void *address)
{
#ifndef BREAK_FLUSH
	asm volatile("invlpg (%0)" :: "r"(address) : "memory");
#else
	(void)address;
#endif
}

static inline void flush_by_cr3(void)
{
#ifndef BREAK_FLUSH
	write_cr3(read_cr3());
#endif
}

/* Drops global translations too. */
static inline void flush_by_pge(void)
{
#ifndef BREAK_FLUSH
	u64 cr4 = read_cr4();

	write_cr4(cr4 ^ CR4_PGE);
	write_cr4(cr4);
#endif
}

static inline void irq_enable(void)
{
	asm volatile("sti" ::: "memory");
}

static inline void irq_disable(void)
{
	asm volatile("cli" ::: "memory");
}

#endif
