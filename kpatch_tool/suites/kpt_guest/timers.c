// SPDX-License-Identifier: GPL-2.0-only
/*
 * Clocks that interrupt: the local APIC's timer in its modes, and the PC's old
 * timer. Nothing here depends on how long a thing takes, but for factors.
 */
#include "lib/apic.h"
#include "lib/kvm.h"
#include "lib/report.h"
#include "lib/trap.h"
#include "lib/x86.h"

#define VECTOR		0x51
#define SHORT		20000		/* of the timer's ticks */
#define LONG		0xfffffff0
#define PATIENCE	4000000000ul	/* cycles */
#define SEVERAL		4

#define PIT_COUNTER0	0x40
#define PIT_CONTROL	0x43
#define PIT_LATCH	0x00
#define PIT_WORD	0x30		/* the low byte, then the high one */
#define PIT_RATE	0x04		/* mode 2 */
#define PIT_ONCE	0x00		/* mode 0 */
#define PIT_READ_BACK	0xc2		/* latches count and status of counter 0 */

static volatile int came;

static void note(struct trap_frame *frame)
{
	(void)frame;
	came++;
	apic_write(APIC_EOI, 0);
}

/* Waits until it came that often, or for long; then a moment more. */
static int took(int wanted)
{
	u64 begin = rdtsc();
	int i;

	irq_enable();
	while (came < wanted && rdtsc() - begin < PATIENCE)
		cpuid(0);
	for (i = 0; i < 100; i++)
		cpuid(0);
	irq_disable();
	i = came;
	came = 0;
	return i;
}

static void start(u32 mode, u32 divide, u32 initial)
{
	apic_write(APIC_DIVIDE, divide);
	apic_write(APIC_TIMER, mode | VECTOR);
	apic_write(APIC_INITIAL, initial);
}

static u32 ticks_of(u32 divide, u64 cycles)
{
	u64 begin;

	start(APIC_MASKED, divide, LONG);
	begin = rdtsc();
	while (rdtsc() - begin < cycles)
		pause();
	return LONG - apic_read(APIC_CURRENT);
}

static void test_once(void)
{
	start(0, DIVIDE_BY_1, SHORT);
	report(took(1) == 1 && !took(0), "once: it comes, and not again");
	report(apic_read(APIC_CURRENT) == 0 && apic_read(APIC_INITIAL) == SHORT, "once: then it stands at zero");
	start(0, DIVIDE_BY_1, LONG);
	report(apic_read(APIC_CURRENT) > 0 && apic_read(APIC_CURRENT) <= LONG, "once: it counts down from what it was given");
	apic_write(APIC_INITIAL, 0);
	report(apic_read(APIC_CURRENT) == 0 && !took(0), "once: given zero, it stops");
	start(APIC_MASKED, DIVIDE_BY_1, SHORT);
	while (apic_read(APIC_CURRENT))
		pause();
	report(!took(0), "once: masked, nothing comes");
}

static void test_periodic(void)
{
	start(TIMER_PERIODIC, DIVIDE_BY_16, SHORT);
	report(took(SEVERAL) >= SEVERAL, "periodic: it comes again and again");
	if (!on_old_kvm())
		report(apic_read(APIC_CURRENT) <= SHORT, "periodic: it begins with what it was given");
	apic_write(APIC_TIMER, TIMER_PERIODIC | APIC_MASKED | VECTOR);
	took(0);
	report(!took(0), "periodic: masked, nothing comes");
	apic_write(APIC_INITIAL, 0);
}

static void test_divider(void)
{
	u64 one = ticks_of(DIVIDE_BY_1, 20000000), sixteen = ticks_of(DIVIDE_BY_16, 20000000);

	report(sixteen && one / sixteen >= 4 && one / sixteen <= 64, "divider: by sixteen it is about as much slower");
	apic_write(APIC_INITIAL, 0);
}

static void test_deadline(void)
{
	u64 far;

	if (!(cpuid(1).c & 1u << 24)) {
		report_skip("deadline: not offered");
		return;
	}
	apic_write(APIC_TIMER, TIMER_DEADLINE | VECTOR);
	wrmsr(MSR_TSC_DEADLINE, rdtsc() + 10000000);
	report(took(1) == 1 && rdmsr(MSR_TSC_DEADLINE) == 0, "deadline: it comes, and is zero then");
	wrmsr(MSR_TSC_DEADLINE, rdtsc() - 1);
	report(took(1) == 1, "deadline: in the past, it comes at once");
	far = rdtsc() + (1ul << 40);
	wrmsr(MSR_TSC_DEADLINE, far);
	report(rdmsr(MSR_TSC_DEADLINE) == far, "deadline: before, it reads as written");
	wrmsr(MSR_TSC_DEADLINE, 0);
	report(!took(0), "deadline: zero, it stops");
	apic_write(APIC_INITIAL, SHORT);
	report(apic_read(APIC_INITIAL) == 0, "deadline: the counter is not in use");
	apic_write(APIC_TIMER, APIC_MASKED);
}

static void pit_start(u8 mode, u16 initial)
{
	outb(PIT_CONTROL, PIT_WORD | mode);
	outb(PIT_COUNTER0, initial);
	outb(PIT_COUNTER0, initial >> 8);
}

static u16 pit_count(void)
{
	u16 low;

	outb(PIT_CONTROL, PIT_LATCH);
	low = inb(PIT_COUNTER0);
	return low | inb(PIT_COUNTER0) << 8;
}

static void test_old(void)
{
	u16 first, latched;
	u64 begin;
	u8 status;
	int i;

	pit_start(PIT_RATE, 0xf000);
	first = pit_count();
	report(first && first <= 0xf000, "old timer: it counts down from what it was given");
	outb(PIT_CONTROL, PIT_READ_BACK);
	status = inb(PIT_COUNTER0);
	report((status & 0x3f) == (PIT_WORD | PIT_RATE), "old timer: its mode reads as written");
	latched = inb(PIT_COUNTER0);
	latched |= inb(PIT_COUNTER0) << 8;
	report(latched && latched <= 0xf000, "old timer: its count can be read with the mode");
	outb(PIT_CONTROL, PIT_LATCH);
	for (i = 0; i < 2000; i++)
		cpuid(0);
	latched = inb(PIT_COUNTER0);
	latched |= inb(PIT_COUNTER0) << 8;
	first = pit_count();
	report(latched != first, "old timer: latched, it stays, and goes on behind that");
	pit_start(PIT_ONCE, 100);
	begin = rdtsc();
	do {
		outb(PIT_CONTROL, 0xe2);	/* latches the status alone */
		status = inb(PIT_COUNTER0);
	} while (!(status & 0x80) && rdtsc() - begin < PATIENCE);
	report(status & 0x80, "old timer: once, its output rises at the end");
}

static void test_old_interrupts(void)
{
	static const u32 lines[] = { 0, 2 };	/* QEMU has it on the latter */
	u64 i;

	for (i = 0; i < ARRAY_SIZE(lines); i++) {
		*(volatile u32 *)0xfec00000ul = 0x10 + 2 * lines[i];
		*(volatile u32 *)0xfec00010ul = VECTOR;
	}
	pit_start(PIT_RATE, 1200);
	report(took(SEVERAL) >= SEVERAL, "old timer: it interrupts again and again");
	for (i = 0; i < ARRAY_SIZE(lines); i++) {
		*(volatile u32 *)0xfec00000ul = 0x10 + 2 * lines[i];
		*(volatile u32 *)0xfec00010ul = APIC_MASKED;
	}
	took(0);
	report(!took(0), "old timer: masked, nothing comes");
}

void test_main(void)
{
	set_handler(VECTOR, note);
	test_once();
	test_periodic();
	test_divider();
	test_deadline();
	test_old();
	if (on_old_kvm())
		report_skip("old timer: it interrupts");
	else
		test_old_interrupts();
}
