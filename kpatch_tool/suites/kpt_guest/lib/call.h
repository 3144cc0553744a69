/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the image asks of kpt's monitor: KVM's calls on its own machine, as
 * Documentation/virt/kvm/api.rst of the kernel has them. The monitor reads
 * this file, too.
 */
#ifndef KPT_CALL_H
#define KPT_CALL_H

#include <stdint.h>

#define CALL_PORT	0x3ec		/* takes the address of a struct call */

enum call_kind {
	CALL_EXTENSION,		/* KVM_CHECK_EXTENSION of argument */
	CALL_MACHINE,		/* ioctl `request` on the machine, argument: the address of its structure */
	CALL_MACHINE_VALUE,	/* the same with a number for an argument */
	CALL_CPU,		/* on the processor that asks */
	CALL_BASE,		/* where the monitor has the machine's memory */
	CALL_NEW_EVENT,		/* an eventfd: its number */
	CALL_TAKE_EVENT,	/* what it counted since the last time */
	CALL_SEND_EVENT,	/* adds one to it */
	CALL_EXITS,		/* how many accesses to memory or a port left the guest since the last time, but for calls */
	CALL_MERGED,		/* how many writes lie in the ring of coalesced ones, which is emptied into argument */
	CALL_LIVES,		/* other machines come and go, as many as argument says: how many pages are free then */
};

struct call {
	uint32_t kind, request;
	uint64_t argument;
	int64_t result;		/* negative: an error number */
};

/* As struct kvm_coalesced_mmio. */
struct merged {
	uint64_t address;
	uint32_t length, pad;
	uint8_t data[8];
};

#define MOST_MERGED	512

#endif
