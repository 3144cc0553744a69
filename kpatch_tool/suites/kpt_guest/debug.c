// SPDX-License-Identifier: GPL-2.0-only
/*
 * Breakpoints and single steps, and the registers they are in: also where an
 * instruction is one that leaves the guest. AMD64 Architecture Programmer's
 * Manual 2, chapter 13.
 */
#include "lib/kvm.h"
#include "lib/page.h"
#include "lib/report.h"
#include "lib/trap.h"
#include "lib/x86.h"

#define DR6_FIXED	0xffff0ff0ul
#define DR6_STEP	(1ul << 14)
#define DR7_FIXED	0x400ul
#define DR7_LOCAL(n)	(1ul << (2 * (n)))
#define DR7_WRITE_8(n)	(9ul << (16 + 4 * (n)))
#define RFLAGS_TF	(1ul << 8)
#define RFLAGS_RF	(1ul << 16)
#define CR4_DE		(1ul << 3)
#define PORT		0xee
#define MOST		16
#define TRIES		50

#define READ_DR(n)	({ u64 value_; asm volatile("mov %%dr" #n ", %0" : "=r"(value_) :: "memory"); value_; })
#define WRITE_DR(n, v)	asm volatile("mov %0, %%dr" #n :: "r"((u64)(v)) : "memory")

static volatile int count;
static volatile u64 where[MOST], why[MOST];

static void note(struct trap_frame *frame)
{
	if (count < MOST) {
		where[count] = frame->rip;
		why[count] = READ_DR(6);
	}
	count++;
	WRITE_DR(6, DR6_FIXED);
	frame->rflags |= RFLAGS_RF;
}

/* Ways to leave the guest. */
static void to_kvm(void)
{
	cpuid(0);
}

static void to_monitor(void)
{
	inb(PORT);
}

static void nowhere(void)
{
}

struct way {
	const char *name;
	void (*go)(void);
};

static const struct way ways[] = {
	{ "at once", nowhere },
	{ "after an exit", to_kvm },
	{ "after an exit to the monitor", to_monitor },
};

static void test_kept(const struct way *way)
{
	bool good;

	WRITE_DR(0, 0x1111000);
	WRITE_DR(1, 0x2222000);
	WRITE_DR(2, 0x3333000);
	WRITE_DR(3, 0x4444000);
	way->go();
	good = READ_DR(0) == 0x1111000 && READ_DR(1) == 0x2222000;
	way->go();
	good &= READ_DR(2) == 0x3333000 && READ_DR(3) == 0x4444000;
	report(good, "registers: %s, addresses are as written", way->name);
	WRITE_DR(6, DR6_FIXED | DR6_STEP | 5);
	way->go();
	report(READ_DR(6) == (DR6_FIXED | DR6_STEP | 5), "registers: %s, dr6 is as written", way->name);
	WRITE_DR(6, DR6_FIXED);
	WRITE_DR(7, DR7_FIXED | DR7_LOCAL(3) | DR7_WRITE_8(3));
	way->go();
	report(READ_DR(7) == (DR7_FIXED | DR7_LOCAL(3) | DR7_WRITE_8(3)), "registers: %s, dr7 is as written", way->name);
	WRITE_DR(7, DR7_FIXED);
	way->go();
	report(READ_DR(7) == DR7_FIXED, "registers: %s, dr7 is off again", way->name);
}

static struct fault try_write_dr7(u64 value)
{
	struct attempt *attempt = begin_attempt();

	asm volatile(ATTEMPT("mov %[value], %%dr7") : [resume] "+m"(attempt->resume) : [value] "r"(value) : "r11", "memory");
	return attempt->fault;
}

static struct fault try_read_dr4(u64 *value)
{
	struct attempt *attempt = begin_attempt();
	u64 got = 0;

	asm volatile(ATTEMPT("mov %%db4, %[got]") : [resume] "+m"(attempt->resume), [got] "+r"(got) :: "r11", "memory");
	*value = got;
	return attempt->fault;
}

static void test_bits(void)
{
	struct fault fault;
	u64 value, cr4 = read_cr4();

	report(protection_fault(try_write_dr7(1ul << 32)), "registers: dr7's upper half faults");
	WRITE_DR(6, DR6_FIXED | DR6_STEP);
	fault = try_read_dr4(&value);
	report(went_through(fault) && value == (DR6_FIXED | DR6_STEP), "registers: dr4 is dr6");
	write_cr4(cr4 | CR4_DE);
	fault = try_read_dr4(&value);
	report(fault.vector == VECTOR_UD, "registers: with cr4.de there is no dr4");
	write_cr4(cr4);
	WRITE_DR(6, DR6_FIXED);
}

/* Steps over one instruction from step_from on; the step's trap comes behind it. */
#define STEP(label, text)				\
	asm(".pushsection .text\n"			\
	    "step_" #label ":	push %rbx\n"		\
	    "	pushfq\n"				\
	    "	orq $0x100, (%rsp)\n"			\
	    "	popfq\n"				\
	    "step_" #label "_in:	" text "\n"	\
	    "step_" #label "_behind:	nop\n"		\
	    "	pushfq\n"				\
	    "	andq $~0x100, (%rsp)\n"			\
	    "	popfq\n"				\
	    "	nop\n"					\
	    "	pop %rbx\n"				\
	    "	ret\n"					\
	    ".popsection\n");				\
	extern const char step_##label##_behind[];	\
	void step_##label(void);

STEP(nop, "nop")
STEP(cpuid, "xor %eax, %eax; cpuid")
STEP(in, "mov $0xee, %edx; in %dx, %al")
STEP(rdmsr, "mov $0xc0000080, %ecx; rdmsr")
STEP(load, "mov $0xd0000000, %eax; mov (%rax), %edx")

struct step {
	const char *name;
	void (*run)(void);
	const char *behind;
	int before;		/* steps before that one */
};

static const struct step steps[] = {
	{ "nop", step_nop, step_nop_behind, 0 },
	{ "cpuid", step_cpuid, step_cpuid_behind, 1 },
	{ "in", step_in, step_in_behind, 1 },
	{ "rdmsr", step_rdmsr, step_rdmsr_behind, 1 },
	{ "load from a device", step_load, step_load_behind, 1 },
};

static void test_step(const struct step *step)
{
	if (on_old_kvm() && step->before) {	/* it forgets the step of what it carries out itself */
		report_skip("step: %s", step->name);
		return;
	}
	count = 0;
	step->run();
	report(count > step->before && where[step->before] == (u64)step->behind && why[step->before] == (DR6_FIXED | DR6_STEP),
	       "step: %s", step->name);
}

/* Called, it does nothing; a place to stop at. */
asm(".pushsection .text\n"
    "place:	nop\n"
    "place_next:	nop\n"
    "	ret\n"
    ".popsection\n");
extern const char place_next[];
void place(void);

/*
 * Once more where nothing stopped: QEMU's VMRUN, up to 7.2 at least, loads dr7
 * and forgets what it says, so that an interrupt in between costs the stop.
 */
static bool stops(void (*run)(volatile u64 *at), volatile u64 *at, u64 dr7, int times)
{
	int i;

	for (i = 0; i < TRIES; i++) {
		count = 0;
		WRITE_DR(7, DR7_FIXED | dr7);
		run(at);
		WRITE_DR(7, DR7_FIXED);
		if (count == times)
			return true;
	}
	return false;
}

static void call_place(volatile u64 *at)
{
	(void)at;
	place();
}

static void test_breakpoints(void)
{
	bool good;

	WRITE_DR(0, place);
	WRITE_DR(2, place_next);
	good = stops(call_place, NULL, DR7_LOCAL(0) | DR7_LOCAL(2), 2);
	report(good && where[0] == (u64)place && where[1] == (u64)place_next, "breakpoint: it stops before each instruction it names");
	report(good && (why[0] & 0xf) == 1 && (why[1] & 0xf) == 4, "breakpoint: dr6 says which");
	count = 0;
	place();
	report(!count, "breakpoint: off, it does not stop");
}

static void write_there(volatile u64 *at)
{
	*at = 1;
}

static void test_watch(void)
{
	struct page page = new_page(PT_RW);
	volatile u64 *at = page.at + 1;

	WRITE_DR(1, at);
	count = 0;
	WRITE_DR(7, DR7_FIXED | DR7_LOCAL(1) | DR7_WRITE_8(1));
	at[-1] = 1;
	at[1] = at[0];
	WRITE_DR(7, DR7_FIXED);
	report(!count, "watch: its neighbours, and a read, do not stop");
	report(stops(write_there, at, DR7_LOCAL(1) | DR7_WRITE_8(1), 1) && (why[0] & 0xf) == 2, "watch: a write stops, and dr6 says which");
	count = 0;
	*at = 2;
	report(!count, "watch: off, it does not stop");
}

void test_main(void)
{
	const struct way *way;
	const struct step *step;

	set_handler(VECTOR_DB, note);
	for (way = ways; way < ways + ARRAY_SIZE(ways); way++)
		test_kept(way);
	test_bits();
	for (step = steps; step < steps + ARRAY_SIZE(steps); step++)
		test_step(step);
	test_breakpoints();
	test_watch();
}
