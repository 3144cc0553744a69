// SPDX-License-Identifier: GPL-2.0-only
/*
 * Instructions on a device's memory, which a hypervisor has to carry out
 * itself: each must leave the memory, the registers and the flags as the
 * processor does on plain memory.
 */
#include "lib/page.h"
#include "lib/report.h"
#include "lib/trap.h"
#include "lib/x86.h"

#define WORDS		8		/* of memory that an instruction may change, */
#define OPERAND		3		/* and the one among them that it is given */
#define CF		0x001ul
#define PF		0x004ul
#define AF		0x010ul
#define ZF		0x040ul
#define SF		0x080ul
#define OF		0x800ul
#define FLAGS		(CF | PF | AF | ZF | SF | OF)
#define FIXED_FLAGS	2ul

/* run_code() knows the order. */
struct registers {
	u64 rax, rcx, rdx, rbx, rsi, rdi, flags;
};

void run_code(const void *code, struct registers *registers);

asm(".pushsection .text\n"
    "run_code:	push %rbx\n"
    "	push %rbp\n"
    "	push %r12\n"
    "	mov %rsi, %rbp\n"
    "	mov %rdi, %r12\n"
    "	pushq 48(%rbp)\n"
    "	mov 0(%rbp), %rax\n"
    "	mov 8(%rbp), %rcx\n"
    "	mov 16(%rbp), %rdx\n"
    "	mov 24(%rbp), %rbx\n"
    "	mov 32(%rbp), %rsi\n"
    "	mov 40(%rbp), %rdi\n"
    "	popfq\n"
    "	call *%r12\n"
    "	pushfq\n"
    "	mov %rax, 0(%rbp)\n"
    "	mov %rcx, 8(%rbp)\n"
    "	mov %rdx, 16(%rbp)\n"
    "	mov %rbx, 24(%rbp)\n"
    "	mov %rsi, 32(%rbp)\n"
    "	mov %rdi, 40(%rbp)\n"
    "	popq 48(%rbp)\n"
    "	cld\n"
    "	pop %r12\n"
    "	pop %rbp\n"
    "	pop %rbx\n"
    "	ret\n"
    ".popsection\n");

struct instruction {
	const char *name;	/* rows of one name are one case */
	const void *code;
	u64 undefined;		/* flags that the processor leaves as it likes */
	u64 rcx;		/* 0: a value like any other */
};

#define I(label, title, text, ...)	extern const char code_##label[];
#include "lib/instructions.h"
#undef I

#define I(label, title, text, ...)	"code_" #label ":	" text "\n	ret\n"
asm(".pushsection .text\n"
#include "lib/instructions.h"
    ".popsection\n");
#undef I

#define I(label, title, text, ...)	{ .name = title, .code = code_##label, __VA_ARGS__ },
static const struct instruction instructions[] = {
#include "lib/instructions.h"
};
#undef I

static const u64 values[] = {
	0, 0x7f7f7f7f7f7f7f7f, 0x8080808080808080, 0xffffffffffffffff, 0x0123456789abcdef,
};

static u64 plain[WORDS];

/* Runs it with the operand at @memory; what it left of @memory lies in @after. */
static struct registers run_on(const struct instruction *instruction, volatile u64 *memory, u64 first, u64 second, u64 *after)
{
	volatile u64 *operand = memory + OPERAND;
	struct registers registers = {
		.rax = second, .rcx = instruction->rcx ? instruction->rcx : first, .rdx = second, .rbx = ~first,
		.rsi = (u64)operand, .rdi = (u64)operand,
		.flags = FIXED_FLAGS | (first & FLAGS),
	};
	int i;

	for (i = 0; i < WORDS; i++)
		memory[i] = first + 0x1111111111111111 * (i - OPERAND);
	run_code(instruction->code, &registers);
	for (i = 0; i < WORDS; i++)
		after[i] = memory[i];
	registers.flags &= FLAGS & ~instruction->undefined;
	registers.rsi -= (u64)operand;
	registers.rdi -= (u64)operand;
	return registers;
}

static bool equal(const struct registers *one, const struct registers *other)
{
	return one->rax == other->rax && one->rcx == other->rcx && one->rdx == other->rdx && one->rbx == other->rbx &&
	       one->rsi == other->rsi && one->rdi == other->rdi && one->flags == other->flags;
}

/* How many operands it takes another way on a device's memory. */
static u64 wrong_results(const struct instruction *instruction)
{
	volatile u64 *device = (volatile u64 *)DEVICE_MEMORY;
	u64 first, second, wrong = 0, after[2][WORDS];
	struct registers left[2];
	int i;

	for (first = 0; first < ARRAY_SIZE(values); first++) {
		second = (first * 3 + 1) % ARRAY_SIZE(values);
		left[0] = run_on(instruction, plain, values[first], values[second], after[0]);
		left[1] = run_on(instruction, device, values[first], values[second], after[1]);
		wrong += !equal(&left[0], &left[1]);
		for (i = 0; i < WORDS; i++)
			wrong += after[0][i] != after[1][i];
	}
	return wrong;
}

/* At the end of a page whose neighbour is not there. */
static void test_page_ends(void)
{
	struct page page = new_page(PT_RW);
	volatile u8 *end = (volatile u8 *)page.at + PAGE_SIZE;
	volatile u64 *device = (volatile u64 *)DEVICE_MEMORY;
	u64 count = 12, to = (u64)end - 8, from = (u64)device;
	struct attempt *attempt = begin_attempt();

	new_address(PAGE_SIZE);
	device[0] = 0x0807060504030201;
	device[1] = 0x1112131415161718;
	asm volatile(ATTEMPT("rep movsb")
		     : [resume] "+m"(attempt->resume), "+c"(count), "+D"(to), "+S"(from) :: "r11", "memory");
	report(page_fault(attempt->fault, PF_WRITE) && attempt->fault.address == (u64)end,
	       "page ends: a string instruction faults at the first byte that is not there");
	report(count == 4 && to == (u64)end && *(volatile u64 *)(end - 8) == 0x0807060504030201,
	       "page ends: what the string instruction did before is done");
}

static bool same_name(const char *one, const char *other)
{
	while (*one && *one == *other) {
		one++;
		other++;
	}
	return *one == *other;
}

void test_main(void)
{
	const struct instruction *row, *end = instructions + ARRAY_SIZE(instructions);
	u64 wrong = 0;

	if (!on_monitor()) {
		report_skip("emulate: this machine has no device with memory");
		return;
	}
	for (row = instructions; row < end; row++) {
		wrong += wrong_results(row);
		if (row + 1 < end && same_name(row[0].name, row[1].name))
			continue;
		report(!wrong, "emulated: %s", row->name);
		wrong = 0;
	}
	test_page_ends();
}
