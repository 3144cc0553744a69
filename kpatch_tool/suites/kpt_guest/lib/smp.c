// SPDX-License-Identifier: GPL-2.0-only
/* More than one processor: starting them, giving them work, interrupting them. */
#include "smp.h"
#include "apic.h"
#include "report.h"
#include "trap.h"
#include "x86.h"

#define TRAMPOLINE		0x8000
#define PIC_MASK		0x21
#define PIC2_MASK		0xa1
#define FIRMWARE_SELECT		0x510
#define FIRMWARE_DATA		0x511
#define FIRMWARE_CPU_COUNT	5

#define YIELD_PORT		0xed	/* the monitor's; nothing is there in QEMU */
#define TURNS_TO_YIELD		64

struct cpu {
	u32 apic_id;
	void (*work)(void *argument);
	void *argument;
};

struct call {
	void (*function)(void *argument);
	void *argument;
	int missing;		/* processors that have not run it yet */
};

extern const char trampoline[], trampoline_end[];
extern u32 cpus_started;

void cpu_main(int cpu);

static struct cpu cpus[MAX_CPUS];
static struct call call;
static int cpus_ready = 1;

void yield(void)
{
	outb(YIELD_PORT, 0);
}

void relax(void)
{
	static u32 turns[MAX_CPUS];

	if (++turns[cpu_self()] % TURNS_TO_YIELD)
		pause();
	else
		yield();
}

void apic_command(u32 command, u32 apic_id)
{
	apic_write(APIC_TARGET, apic_id << 24);
	apic_write(APIC_COMMAND, command);
	while (apic_read(APIC_COMMAND) & COMMAND_PENDING)
		pause();
}

/* From sti to hlt no interrupt is taken: the one that wakes must come while it sleeps, or before it looks for work. */
asm(".pushsection .text\n"
    "sleep:	sti\n"
    "sleep_halt:	hlt\n"
    "	ret\n"
    ".popsection\n");
extern const char sleep_halt[];
void sleep(void);

static void handle_wake(struct trap_frame *frame)
{
	/* QEMU's VMRUN, up to 7.2 at least, forgets that sti was the last instruction before an exit, and takes one there. */
	if (frame->rip == (u64)sleep_halt)
		frame->rip++;
	apic_write(APIC_EOI, 0);
}

static void handle_call(struct trap_frame *frame)
{
	(void)frame;
	call.function(call.argument);
	__atomic_sub_fetch(&call.missing, 1, __ATOMIC_RELEASE);
	apic_write(APIC_EOI, 0);
}

void apic_init(void)
{
	/* Old KVM sends the timer of the PC, which the firmware left running, to every processor that listens. */
	apic_write(APIC_LINT0, APIC_MASKED);
	apic_write(APIC_SPURIOUS, APIC_ON);
	cpus[cpu_self()].apic_id = apic_read(APIC_ID) >> 24;
}

int cpu_self(void)
{
	u16 selector;

	asm volatile("str %0" : "=r"(selector));
	return (selector - FIRST_TSS) / 16;
}

u32 cpu_apic_id(int cpu)
{
	return cpus[cpu].apic_id;
}

int cpu_count(void)
{
	return __atomic_load_n(&cpus_ready, __ATOMIC_ACQUIRE);
}

static int cpus_of_machine(void)
{
	int count;

	outw(FIRMWARE_SELECT, FIRMWARE_CPU_COUNT);
	count = inb(FIRMWARE_DATA);
	return count > MAX_CPUS ? MAX_CPUS : count;
}

void smp_init(void)
{
	int count = cpus_of_machine();

	outb(PIC_MASK, 0xff);
	outb(PIC2_MASK, 0xff);
	set_handler(VECTOR_WAKE, handle_wake);
	set_handler(VECTOR_CALL, handle_call);
	if (count < 2)
		return;
	memcpy((void *)TRAMPOLINE, trampoline, trampoline_end - trampoline);
	apic_command(COMMAND_INIT | TO_OTHERS, 0);
	apic_command(COMMAND_START | TO_OTHERS | TRAMPOLINE >> 12, 0);
	while (cpu_count() < count)
		relax();
}

/* The life of every processor but the first. */
void cpu_main(int cpu)
{
	void (*work)(void *);

	if (cpu >= MAX_CPUS)
		for (;;)
			asm volatile("cli; hlt");
	traps_init_cpu(cpu);
	apic_init();
	__atomic_add_fetch(&cpus_ready, 1, __ATOMIC_RELEASE);
	for (;;) {
		irq_disable();
		work = __atomic_load_n(&cpus[cpu].work, __ATOMIC_ACQUIRE);
		if (!work) {
			sleep();
			continue;
		}
		irq_enable();
		work(cpus[cpu].argument);
		__atomic_store_n(&cpus[cpu].work, NULL, __ATOMIC_RELEASE);
	}
}

void start_on(int cpu, void (*work)(void *), void *argument)
{
	wait_for(cpu);
	cpus[cpu].argument = argument;
	__atomic_store_n(&cpus[cpu].work, work, __ATOMIC_RELEASE);
	apic_command(COMMAND_FIXED | VECTOR_WAKE, cpus[cpu].apic_id);
}

void wait_for(int cpu)
{
	while (__atomic_load_n(&cpus[cpu].work, __ATOMIC_ACQUIRE))
		relax();
}

void call_others(void (*function)(void *), void *argument)
{
	int others = cpu_count() - 1;

	if (!others)
		return;
	call.function = function;
	call.argument = argument;
	__atomic_store_n(&call.missing, others, __ATOMIC_RELEASE);
	apic_command(COMMAND_FIXED | TO_OTHERS | VECTOR_CALL, 0);
	while (__atomic_load_n(&call.missing, __ATOMIC_ACQUIRE))
		relax();
}
