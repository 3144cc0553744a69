// SPDX-License-Identifier: GPL-2.0-only
/* What the image asks for: KVM's calls on its own machine. ../lib/call.h has the kinds. */
#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "../lib/call.h"
#include "machine.h"

#define PAGE_SIZE PAGE_BYTES	/* for KVM_COALESCED_MMIO_MAX */

static long exits;

void count_exit(void)
{
	exits++;
}

/* An address in the machine, of something that has @size bytes at least; NULL where there is none. */
static void *at(struct machine *machine, uint64_t address, uint64_t size)
{
	if (address > machine->size || size > machine->size - address)
		return NULL;
	return machine->memory + address;
}

static int64_t answer(int64_t result)
{
	return result < 0 ? -errno : result;
}

static int64_t take_event(int event)
{
	uint64_t count = 0;

	if (read(event, &count, sizeof(count)) < 0 && errno != EAGAIN)
		return -errno;
	return count;
}

static int64_t send_event(int event)
{
	uint64_t one = 1;

	return answer(write(event, &one, sizeof(one)));
}

static int64_t take_merged(struct machine *machine, struct cpu *cpu, uint64_t address)
{
	struct kvm_coalesced_mmio_ring *ring = (void *)((uint8_t *)cpu->run + KVM_COALESCED_MMIO_PAGE_OFFSET * PAGE_BYTES);
	struct merged *to = at(machine, address, MOST_MERGED * sizeof(*to));
	int64_t count = 0;

	if (!to)
		return -EFAULT;
	while (ring->first != ring->last && count < MOST_MERGED) {
		memcpy(&to[count++], &ring->coalesced_mmio[ring->first], sizeof(*to));
		ring->first = (ring->first + 1) % KVM_COALESCED_MMIO_MAX;
	}
	return count;
}

static int64_t do_call(struct machine *machine, struct cpu *cpu, const struct call *call)
{
	void *argument = at(machine, call->argument, 1);
	int64_t before = exits;

	switch (call->kind) {
	case CALL_EXTENSION:
		return answer(ioctl(machine->kvm, KVM_CHECK_EXTENSION, call->argument));
	case CALL_MACHINE:
		return argument ? answer(ioctl(machine->fd, call->request, argument)) : -EFAULT;
	case CALL_MACHINE_VALUE:
		return answer(ioctl(machine->fd, call->request, call->argument));
	case CALL_CPU:
		return argument ? answer(ioctl(cpu->fd, call->request, argument)) : -EFAULT;
	case CALL_BASE:
		return (int64_t)machine->memory;
	case CALL_NEW_EVENT:
		return answer(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
	case CALL_TAKE_EVENT:
		return take_event(call->argument);
	case CALL_SEND_EVENT:
		return send_event(call->argument);
	case CALL_EXITS:
		exits = 0;
		return before;
	case CALL_MERGED:
		return take_merged(machine, cpu, call->argument);
	case CALL_LIVES:
		return free_after(call->argument);
	default:
		return -ENOSYS;
	}
}

void handle_call(struct machine *machine, struct cpu *cpu, uint64_t address)
{
	struct call *call = at(machine, address, sizeof(*call));

	if (call)
		call->result = do_call(machine, cpu, call);
}
