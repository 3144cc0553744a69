// SPDX-License-Identifier: GPL-2.0-only
/* Exceptions and interrupts: catching expected ones, running code as user. */
#include "trap.h"
#include "report.h"
#include "smp.h"
#include "x86.h"

#define GATE_INTERRUPT	0x8e
#define GATE_FROM_USER	0xee
#define TSS_AVAILABLE	0x89ull

struct gate {
	u16 offset_low, selector;
	u8 stack_table, type;
	u16 offset_middle;
	u32 offset_high, reserved;
} __attribute__((packed));

struct task_state {
	u32 reserved;
	u64 stack[3];
	u64 unused[10];
	u16 reserved2, io_map;
} __attribute__((packed));

struct table_pointer {
	u16 limit;
	u64 base;
} __attribute__((packed));

extern const char trap_stubs[], leave_user[];
extern u64 gdt[];

void handle_trap(struct trap_frame *frame);
void enter_user(const void *code, u64 argument, void *stack, u64 *kernel_sp);

static struct gate idt[256];
static struct task_state tasks[MAX_CPUS];
static char trap_stacks[MAX_CPUS][8192] __attribute__((aligned(16)));
static struct attempt attempts[MAX_CPUS];
static handler_t handlers[256];

static void set_gate(u8 vector, u8 type)
{
	u64 offset = (u64)trap_stubs + 16 * vector;

	idt[vector] = (struct gate) {
		.offset_low = offset,
		.selector = KERNEL_CS,
		.type = type,
		.offset_middle = offset >> 16,
		.offset_high = offset >> 32,
	};
}

void traps_init(void)
{
	int vector;

	for (vector = 0; vector < 256; vector++)
		set_gate(vector, GATE_INTERRUPT);
	set_gate(VECTOR_FROM_USER, GATE_FROM_USER);
}

void traps_init_cpu(int cpu)
{
	struct table_pointer pointer = { sizeof(idt) - 1, (u64)idt };
	struct task_state *task = &tasks[cpu];
	u16 selector = FIRST_TSS + 16 * cpu;
	u64 base = (u64)task;

	task->stack[0] = (u64)(trap_stacks[cpu] + sizeof(trap_stacks[cpu]));
	task->io_map = sizeof(*task);
	gdt[selector / 8] = (sizeof(*task) - 1) | (base & 0xffffff) << 16 |
			    TSS_AVAILABLE << 40 | (base >> 24 & 0xff) << 56;
	gdt[selector / 8 + 1] = base >> 32;
	asm volatile("lidt %0" :: "m"(pointer));
	asm volatile("ltr %0" :: "r"(selector));
}

void set_handler(u8 vector, handler_t handler)
{
	handlers[vector] = handler;
}

static void note_fault(struct attempt *attempt, const struct trap_frame *frame)
{
	attempt->fault.vector = frame->vector;
	attempt->fault.error = frame->error;
	attempt->fault.address = frame->vector == VECTOR_PF ? read_cr2() : 0;
}

static void back_from_user(struct attempt *attempt, struct trap_frame *frame)
{
	if (frame->vector != VECTOR_FROM_USER)
		note_fault(attempt, frame);
	attempt->user_result = frame->rax;
	frame->rip = (u64)leave_user;
	frame->cs = KERNEL_CS;
	frame->ss = KERNEL_DS;
	frame->rflags = 2;
	frame->rsp = attempt->user_sp;
	attempt->user_sp = 0;
}

void handle_trap(struct trap_frame *frame)
{
	struct attempt *attempt = &attempts[cpu_self()];

	if (handlers[frame->vector]) {
		handlers[frame->vector](frame);
	} else if ((frame->cs & 3) && attempt->user_sp) {
		back_from_user(attempt, frame);
	} else if (attempt->resume && frame->vector < 32) {
		note_fault(attempt, frame);
		frame->rip = attempt->resume;
		attempt->resume = 0;
	} else {
		abort_run("unexpected trap %lu on cpu %d, error %lx, rip %lx, cr2 %lx",
			  frame->vector, cpu_self(), frame->error, frame->rip, read_cr2());
	}
}

struct attempt *begin_attempt(void)
{
	struct attempt *attempt = &attempts[cpu_self()];

	attempt->fault = (struct fault) { .vector = NO_FAULT };
	return attempt;
}

struct fault try_read(const volatile void *address, u64 *value)
{
	struct attempt *attempt = begin_attempt();
	u64 got = 0;

	asm volatile(ATTEMPT("mov (%[address]), %[got]")
		     : [resume] "+m"(attempt->resume), [got] "+r"(got)
		     : [address] "r"(address)
		     : "r11", "memory");
	if (value)
		*value = got;
	return attempt->fault;
}

struct fault try_write(volatile void *address, u64 value)
{
	struct attempt *attempt = begin_attempt();

	asm volatile(ATTEMPT("mov %[value], (%[address])")
		     : [resume] "+m"(attempt->resume)
		     : [address] "r"(address), [value] "r"(value)
		     : "r11", "memory");
	return attempt->fault;
}

struct fault try_execute(const volatile void *address)
{
	struct attempt *attempt = begin_attempt();

	/* A fault in the callee leaves its return address on the stack: rbx remembers where that was. */
	asm volatile("mov %%rsp, %%rbx\n\t"
		     ATTEMPT("call *%[address]") "\n\t"
		     "mov %%rbx, %%rsp"
		     : [resume] "+m"(attempt->resume)
		     : [address] "r"(address)
		     : "rbx", "r11", "memory", "cc");
	return attempt->fault;
}

struct fault try_rdmsr(u32 msr, u64 *value)
{
	struct attempt *attempt = begin_attempt();
	u32 low = 0, high = 0;

	asm volatile(ATTEMPT("rdmsr")
		     : [resume] "+m"(attempt->resume), "+a"(low), "+d"(high)
		     : "c"(msr)
		     : "r11", "memory");
	if (value)
		*value = low | (u64)high << 32;
	return attempt->fault;
}

struct fault try_wrmsr(u32 msr, u64 value)
{
	struct attempt *attempt = begin_attempt();

	asm volatile(ATTEMPT("wrmsr")
		     : [resume] "+m"(attempt->resume)
		     : "a"((u32)value), "d"((u32)(value >> 32)), "c"(msr)
		     : "r11", "memory");
	return attempt->fault;
}

struct fault run_user(const void *code, u64 argument, void *stack, u64 *result)
{
	struct attempt *attempt = begin_attempt();

	enter_user(code, argument, stack, &attempt->user_sp);
	if (result)
		*result = attempt->user_result;
	return attempt->fault;
}
