// SPDX-License-Identifier: GPL-2.0-only
/* Machines that come and go beside the one that runs the image: what memory they leave behind. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "machine.h"

#define MEMORY		(16 * PAGE_BYTES)
#define ENTRY		PAGE_BYTES
#define TOGETHER	4	/* as a machine that comes or goes mostly waits for grace periods */
#define SETTLE_US	100000	/* what the kernel frees after a grace period is free by then */

static const uint8_t leave[] = { 0xe6, 0xf4 };	/* out %al, $0xf4 */

/* A machine with one processor, which runs until it leaves the guest once. */
static void live(void)
{
	struct machine machine = { .cpus = 1, .size = MEMORY };
	struct cpu *cpu = &machine.cpu[0];

	create_machine(&machine);
	memcpy(machine.memory + ENTRY, leave, sizeof(leave));
	start_at(cpu, ENTRY);
	while (ioctl(cpu->fd, KVM_RUN, NULL) < 0)
		if (errno != EINTR && errno != EAGAIN)
			die("KVM_RUN of another machine: %s", strerror(errno));
	if (cpu->run->exit_reason != KVM_EXIT_IO)
		die("KVM left another machine for reason %u", cpu->run->exit_reason);
	end_machine(&machine);
}

/* Those of the kernel's lists, and those that each processor keeps for its next requests (proc(5)). */
static int64_t free_pages(void)
{
	FILE *file = fopen("/proc/zoneinfo", "re");
	char line[256];
	int64_t count = 0, some;

	if (!file)
		die("/proc/zoneinfo: %s", strerror(errno));
	while (fgets(line, sizeof(line), file))
		if (sscanf(line, " pages free %ld", &some) == 1 || sscanf(line, " count: %ld", &some) == 1)
			count += some;
	fclose(file);
	return count;
}

static void *live_on(void *lives)
{
	while (__atomic_fetch_sub((int64_t *)lives, 1, __ATOMIC_SEQ_CST) > 0)
		live();
	return NULL;
}

int64_t free_after(int64_t lives)
{
	pthread_t thread[TOGETHER];
	int i;

	for (i = 0; i < TOGETHER; i++)
		if (pthread_create(&thread[i], NULL, live_on, &lives))
			die("cannot start a thread");
	for (i = 0; i < TOGETHER; i++)
		pthread_join(thread[i], NULL);
	usleep(SETTLE_US);
	return free_pages();
}
