// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which interrupt comes, and when: priorities, what holds one back and lets
 * it in, and which processors one is for. AMD64 Architecture Programmer's
 * Manual 2, chapter 16 ("Advanced Programmable Interrupt Controller").
 */
#include "lib/apic.h"
#include "lib/kvm.h"
#include "lib/report.h"
#include "lib/smp.h"
#include "lib/trap.h"
#include "lib/x86.h"

#define LOW		0x51		/* of two neighbouring classes, */
#define HIGH		0x61		/* and two of the higher one */
#define HIGHER		0x62
#define NESTED		0x71
#define MOST		16
#define MOMENTS		20
#define MANY_MOMENTS	100000
#define NOBODY		0x3f		/* no machine here has so many processors */
#define EVERYBODY	0xff
#define FLAT		0xffffffff

/* The vectors that came, in their order. */
static u8 came[MOST];
static int count;
static bool ends = true;	/* whether the handler ends the interrupt */
static void (*inside)(void);	/* run by the handler of HIGH, once */
static int came_to[MAX_CPUS];

static void note(struct trap_frame *frame)
{
	void (*run)(void) = frame->vector == HIGH ? inside : NULL;

	if (!cpu_self() && count < MOST)
		came[count++] = frame->vector;
	__atomic_add_fetch(&came_to[cpu_self()], 1, __ATOMIC_SEQ_CST);
	if (run) {
		inside = NULL;
		run();
	}
	if (ends && frame->vector != VECTOR_NMI)
		apic_write(APIC_EOI, 0);
}

/* Leaves the guest, so that a hypervisor has the chance to do wrong. */
static void moment(void)
{
	cpuid(0);
}

/* Takes what may come. */
static void open_window(void)
{
	int i;

	irq_enable();
	for (i = 0; i < MOMENTS; i++)
		moment();
	irq_disable();
}

/* What came since the last time is exactly @first, then @second (0: no more). */
static bool took(u8 first, u8 second)
{
	bool good;

	open_window();
	good = count == !!first + !!second && (!first || came[0] == first) && (!second || came[1] == second);
	count = 0;
	return good;
}

static bool took_nothing(void)
{
	return took(0, 0);
}

static void to_self(u8 vector)
{
	apic_command(TO_SELF | COMMAND_FIXED | vector, 0);
}

static void set_register(u64 class)
{
	apic_write(APIC_TPR, class << 4);
}

static void test_cr8(void)
{
	u64 class, wrong = 0, unequal = 0, backward = 0;

	for (class = 0; class < 16; class++) {
		write_cr8(class);
		moment();
		wrong += read_cr8() != class;
		unequal += apic_read(APIC_TPR) != class << 4;
		set_register(15 - class);
		moment();
		backward += read_cr8() != 15 - class;
	}
	write_cr8(0);
	report(!wrong, "cr8: it reads as written");
	report(!unequal, "cr8: what is written the task priority register has, too");
	report(!backward, "cr8: it reads as the task priority register was written");
	apic_write(APIC_TPR, 0x57);
	moment();
	report(read_cr8() == 5, "cr8: it is the class of the task priority, without the rest");
	write_cr8(0);
}

/* With an interrupt held back, so that a hypervisor sees the write: QEMU alone takes any value. */
static void test_cr8_reserved(void)
{
	struct attempt *attempt = begin_attempt();

	if (!on_kvm()) {
		report_skip("cr8: a reserved bit faults");
		return;
	}
	write_cr8(15);
	to_self(LOW);
	moment();
	asm volatile(ATTEMPT("mov %[bad], %%cr8") : [resume] "+m"(attempt->resume) : [bad] "r"(0x10ul) : "r11", "memory");
	report(protection_fault(attempt->fault) && read_cr8() == 15, "cr8: a reserved bit faults");
	write_cr8(0);
	took(LOW, 0);
}

struct way {
	const char *name;
	void (*set)(u64 class);
};

static const struct way ways[] = {
	{ "cr8", write_cr8 },
	{ "register", set_register },
};

static void test_task_priority(const struct way *by)
{
	by->set(HIGH >> 4);
	to_self(HIGH);
	report(took_nothing() && apic_has(APIC_IRR, HIGH), "task priority by %s: it holds its own class back", by->name);
	to_self(LOW);
	report(took_nothing() && apic_has(APIC_IRR, LOW), "task priority by %s: it holds a class below back", by->name);
	to_self(NESTED);
	report(took(NESTED, 0), "task priority by %s: a class above comes at once", by->name);
	by->set(LOW >> 4);
	report(took(HIGH, 0) && !apic_has(APIC_IRR, HIGH), "task priority by %s: lowered, the class above it comes", by->name);
	by->set(0);
	report(took(LOW, 0) && !apic_has(APIC_IRR, LOW), "task priority by %s: zero, the rest comes", by->name);
	/* Raised again before anything could come, with a look in between. */
	by->set(15);
	to_self(LOW);
	by->set(LOW >> 4);
	moment();
	report(took_nothing(), "task priority by %s: lowered to the class of what waits, it still waits", by->name);
	by->set((LOW >> 4) - 1);
	report(took(LOW, 0), "task priority by %s: lowered by one more, it comes", by->name);
	by->set(0);
}

/* It is lowered with interrupts on: what waits must come by itself. */
static void test_lowered_openly(const struct way *by)
{
	int i;

	by->set(15);
	to_self(HIGH);
	irq_enable();
	moment();
	by->set(0);
	for (i = 0; i < MANY_MOMENTS && !READ_ONCE(count); i++)
		pause();
	irq_disable();
	report(took(HIGH, 0), "task priority by %s: lowered with interrupts on, what waits comes", by->name);
}

static void test_processor_priority(void)
{
	u32 task, both;

	write_cr8(3);
	moment();
	task = apic_read(APIC_PPR);
	write_cr8(0);
	ends = false;
	to_self(HIGH);
	open_window();
	both = apic_read(APIC_PPR);
	ends = true;
	apic_write(APIC_EOI, 0);
	count = 0;
	report(task == 3 << 4 && (both & 0xf0) == (HIGH & 0xf0), "processor priority: the task's, or what is in service where that is more");
	report((apic_read(APIC_PPR) & 0xf0) == 0, "processor priority: zero again behind the end of interrupt");
}

static void test_order(void)
{
	to_self(LOW);
	to_self(HIGH);
	report(took(HIGH, LOW), "order: of two classes the higher comes first");
	to_self(HIGHER);
	to_self(HIGH);
	report(took(HIGHER, HIGH), "order: within a class the higher comes first");
	to_self(LOW);
	to_self(LOW);
	report(took(LOW, 0), "order: asked for twice before it comes, it comes once");
}

static void ask_for_lower(void)
{
	to_self(HIGHER);
	to_self(LOW);
	open_window();
}

static void ask_for_nested(void)
{
	to_self(NESTED);
	open_window();
}

/* What comes while HIGH is in service. */
static void test_in_service(void)
{
	inside = ask_for_nested;
	to_self(HIGH);
	report(took(HIGH, NESTED), "in service: a class above interrupts");
	ends = false;
	to_self(HIGH);
	open_window();
	report(count == 1 && apic_has(APIC_ISR, HIGH) && !apic_has(APIC_IRR, HIGH), "in service: it is so until its end");
	count = 0;
	ask_for_lower();
	report(took_nothing() && apic_has(APIC_IRR, HIGHER) && apic_has(APIC_IRR, LOW), "in service: its class and those below wait");
	to_self(NESTED);
	open_window();
	apic_write(APIC_EOI, 0);
	report(!apic_has(APIC_ISR, NESTED) && apic_has(APIC_ISR, HIGH), "in service: an end of interrupt is that of the highest");
	count = 0;
	ends = true;
	apic_write(APIC_EOI, 0);
	report(took(HIGHER, LOW), "in service: behind the end of interrupt the others come, in their order");
}

static void test_off(void)
{
	apic_write(APIC_TIMER, LOW);
	apic_write(APIC_SPURIOUS, APIC_OFF);
	if (on_kvm())	/* not in QEMU's own */
		report(apic_read(APIC_TIMER) & APIC_MASKED, "off: switched off, the local vectors are masked");
	to_self(LOW);
	report(took_nothing(), "off: no interrupt comes");
	apic_write(APIC_SPURIOUS, APIC_ON);
	apic_write(APIC_TIMER, APIC_MASKED);
	count = 0;
	to_self(LOW);
	open_window();
	report(count && came[0] == LOW, "off: switched on again, interrupts come");
	count = 0;
}

struct target {
	const char *name;
	u32 command;
	s64 id;			/* -1: this processor's own */
	bool is_self;
};

static const struct target targets[] = {
	{ "self", TO_SELF, 0, true },
	{ "all", TO_ALL, 0, true },
	{ "all but self", TO_OTHERS, 0, false },
	{ "own id", 0, -1, true },
	{ "id of nobody", 0, NOBODY, false },
	{ "id of everybody", 0, EVERYBODY, true },
	{ "own logical id", COMMAND_LOGICAL, 0x01, true },
	{ "logical id of nobody", COMMAND_LOGICAL, 0x80, false },
	{ "several logical ids", COMMAND_LOGICAL, 0x81, true },
	{ "logical id of everybody", COMMAND_LOGICAL, EVERYBODY, true },
};

static void test_targets(void)
{
	const struct target *to;

	for (to = targets; to < targets + ARRAY_SIZE(targets); to++) {
		apic_command(to->command | COMMAND_FIXED | LOW, to->id < 0 ? cpu_apic_id(0) : to->id);
		report(took(to->is_self ? LOW : 0, 0), "target: %s", to->name);
	}
}

static void test_nmi(void)
{
	apic_command(COMMAND_NMI, cpu_apic_id(0));
	moment();
	report(count == 1 && came[0] == VECTOR_NMI, "nmi: it comes with interrupts off");
	count = 0;
	write_cr8(15);
	apic_command(COMMAND_NMI, cpu_apic_id(0));
	moment();
	write_cr8(0);
	report(count == 1 && came[0] == VECTOR_NMI, "nmi: no task priority holds it back");
	count = 0;
}

/* Whether all came within a long moment, and no more. */
static bool reached(int first, int second)
{
	int i;

	irq_enable();
	for (i = 0; i < MANY_MOMENTS && (READ_ONCE(came_to[0]) < first || READ_ONCE(came_to[1]) < second); i++)
		relax();
	for (i = 0; i < MOMENTS; i++)
		yield();
	irq_disable();
	return came_to[0] == first && came_to[1] == second;
}

static bool reaches(u32 command, u32 id, int first, int second)
{
	WRITE_ONCE(came_to[0], 0);
	WRITE_ONCE(came_to[1], 0);
	apic_command(command | LOW, id);
	return reached(first, second);
}

static void set_logical(void *id)
{
	apic_write(APIC_FORMAT, FLAT);
	apic_write(APIC_LOGICAL, (u32)(u64)id << 24);
}

static void test_other_processor(void)
{
	set_logical((void *)1ul);
	start_on(1, set_logical, (void *)2ul);
	wait_for(1);
	report(reaches(COMMAND_FIXED, cpu_apic_id(1), 0, 1), "two processors: one's id is that one's");
	report(reaches(COMMAND_FIXED | TO_ALL, 0, 1, 1), "two processors: all are both");
	report(reaches(COMMAND_FIXED | TO_OTHERS, 0, 0, 1), "two processors: all but self is the other");
	report(reaches(COMMAND_FIXED | COMMAND_LOGICAL, 2, 0, 1), "two processors: one's logical id is that one's");
	report(reaches(COMMAND_FIXED | COMMAND_LOGICAL, 3, 1, 1), "two processors: logical ids name both");
	report(reaches(COMMAND_NMI, cpu_apic_id(1), 0, 1), "two processors: an nmi by id is for one");
	reaches(COMMAND_LOWEST | COMMAND_LOGICAL, 3, 1, 0);
	report(came_to[0] + came_to[1] == 1, "two processors: the lowest priority is one of both");
	count = 0;
}

/* In this mode the registers are model specific ones; Intel's SDM 3, 10.12. */
static void test_x2(void)
{
	u64 base = rdmsr(MSR_APIC_BASE), value = 0;

	if (!(cpuid(1).c & 1u << 21)) {
		report_skip("x2apic: this processor has none");
		return;
	}
	wrmsr(MSR_APIC_BASE, base | APIC_BASE_X2);
	report(rdmsr(MSR_X2APIC + APIC_ID / 16) == cpu_apic_id(0), "x2apic: its id");
	wrmsr(MSR_X2APIC + APIC_COMMAND / 16, (u64)cpu_apic_id(0) << 32 | COMMAND_FIXED | LOW);
	open_window();
	report(count == 1 && came[0] == LOW, "x2apic: a command in one write");
	wrmsr(MSR_X2APIC + APIC_EOI / 16, 0);
	count = 0;
	wrmsr(MSR_X2APIC + 0x3f, HIGH);
	open_window();
	report(count == 1 && came[0] == HIGH, "x2apic: an interrupt to oneself");
	wrmsr(MSR_X2APIC + APIC_EOI / 16, 0);
	count = 0;
	write_cr8(4);
	moment();
	try_rdmsr(MSR_X2APIC + APIC_TPR / 16, &value);
	write_cr8(0);
	report(value == 0x40, "x2apic: cr8 is the task priority");
	report(protection_fault(try_wrmsr(MSR_APIC_BASE, base)), "x2apic: there is no way straight back");
	wrmsr(MSR_APIC_BASE, base & ~(APIC_BASE_ENABLE | APIC_BASE_X2));
	wrmsr(MSR_APIC_BASE, base);
	apic_init();
	to_self(LOW);
	report(took(LOW, 0), "x2apic: off and on, the APIC is as before");
}

static void set_handlers(void)
{
	static const u8 vectors[] = { VECTOR_NMI, LOW, HIGH, HIGHER, NESTED };
	u64 i;

	for (i = 0; i < sizeof(vectors); i++)
		set_handler(vectors[i], note);
}

void test_main(void)
{
	const struct way *by;

	set_handlers();
	set_logical((void *)1ul);
	test_cr8();
	test_cr8_reserved();
	for (by = ways; by < ways + ARRAY_SIZE(ways); by++) {
		test_task_priority(by);
		test_lowered_openly(by);
	}
	test_processor_priority();
	test_order();
	test_in_service();
	test_off();
	test_nmi();
	if (cpu_count() > 1)
		test_other_processor();
	else
		report_skip("two processors: there is one");
	test_targets();
	ends = false;
	test_x2();
}
