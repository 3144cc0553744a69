/* SPDX-License-Identifier: GPL-2.0-only */
/* KVM's calls on the machine one runs in, by way of the monitor. */
#ifndef KPT_MACHINE_CALLS_H
#define KPT_MACHINE_CALLS_H

#include <linux/kvm.h>

#include "call.h"
#include "types.h"
#include "x86.h"

/* Numbers of errors, from asm-generic/errno-base.h. */
#define ENOENT	2
#define E2BIG	7
#define EEXIST	17
#define EBUSY	16
#define EINVAL	22

static inline s64 call_monitor(u32 kind, u32 request, u64 argument)
{
	struct call call = { .kind = kind, .request = request, .argument = argument };

	outl(CALL_PORT, (u64)&call);
	return READ_ONCE(call.result);
}

static inline s64 machine_call(u32 request, const void *argument)
{
	return call_monitor(CALL_MACHINE, request, (u64)argument);
}

static inline bool has_extension(u32 number)
{
	return call_monitor(CALL_EXTENSION, 0, number) > 0;
}

/* Accesses that left the guest since the last time. */
static inline s64 exits(void)
{
	return call_monitor(CALL_EXITS, 0, 0);
}

static inline int new_event(void)
{
	return call_monitor(CALL_NEW_EVENT, 0, 0);
}

static inline s64 take_event(int event)
{
	return call_monitor(CALL_TAKE_EVENT, 0, event);
}

static inline void send_event(int event)
{
	call_monitor(CALL_SEND_EVENT, 0, event);
}

static inline void set_line(u32 line, u32 level)
{
	struct kvm_irq_level set = { .irq = line, .level = level };

	machine_call(KVM_IRQ_LINE, &set);
}

#endif
