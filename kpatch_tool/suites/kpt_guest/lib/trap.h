/* SPDX-License-Identifier: GPL-2.0-only */
/* Exceptions and interrupts: catching expected ones, running code as user. */
#ifndef KPT_TRAP_H
#define KPT_TRAP_H

#include "types.h"

#define KERNEL_CS	0x08
#define KERNEL_DS	0x10
#define USER_CS		(0x20 | 3)
#define USER_DS		(0x28 | 3)
#define FIRST_TSS	0x30

#define VECTOR_DB	1
#define VECTOR_NMI	2
#define VECTOR_UD	6
#define VECTOR_GP	13
#define VECTOR_PF	14
#define VECTOR_WAKE	0x40
#define VECTOR_CALL	0x41
#define VECTOR_FROM_USER 0x80

/* Error code of a page fault. */
#define PF_PRESENT	(1ul << 0)
#define PF_WRITE	(1ul << 1)
#define PF_USER		(1ul << 2)
#define PF_FETCH	(1ul << 4)

struct trap_frame {
	u64 r15, r14, r13, r12, r11, r10, r9, r8;
	u64 rdi, rsi, rbp, rbx, rdx, rcx, rax;
	u64 vector, error;
	u64 rip, cs, rflags, rsp, ss;
};

/* What an attempt met; @vector is NO_FAULT when it went through. */
struct fault {
	u64 vector;
	u64 error;
	u64 address;
};

#define NO_FAULT	(~0ul)

static inline bool went_through(struct fault fault)
{
	return fault.vector == NO_FAULT;
}

static inline bool protection_fault(struct fault fault)
{
	return fault.vector == VECTOR_GP;
}

static inline bool page_fault(struct fault fault, u64 error)
{
	return fault.vector == VECTOR_PF && fault.error == error;
}

typedef void (*handler_t)(struct trap_frame *frame);

void traps_init(void);
void traps_init_cpu(int cpu);
void set_handler(u8 vector, handler_t handler);

/* What a processor is to do when a trap comes that a test waits for. */
struct attempt {
	u64 resume;		/* where to go on; 0: traps are unexpected */
	struct fault fault;
	u64 user_sp;		/* kernel's stack while in user mode; 0: not there */
	u64 user_result;
};

struct attempt *begin_attempt(void);

/* One instruction; a trap in it goes on behind it. Clobbers r11. */
#define ATTEMPT(instruction)		\
	"lea 1f(%%rip), %%r11\n\t"	\
	"mov %%r11, %[resume]\n\t"	\
	instruction "\n"		\
	"1:\tmovq $0, %[resume]"

/* One access each, which may fault. */
struct fault try_read(const volatile void *address, u64 *value);
struct fault try_write(volatile void *address, u64 value);
struct fault try_execute(const volatile void *address);
struct fault try_rdmsr(u32 msr, u64 *value);
struct fault try_wrmsr(u32 msr, u64 value);

/*
 * Runs @code at CPL 3 with @argument in rdi, on the stack that ends at
 * @stack. It ends with int $VECTOR_FROM_USER; *@result is its rax then.
 */
struct fault run_user(const void *code, u64 argument, void *stack, u64 *result);

#endif
