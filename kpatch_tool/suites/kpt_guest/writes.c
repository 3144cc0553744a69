// SPDX-License-Identifier: GPL-2.0-only
/*
 * Every processor writes to pages of its own, without a pause and without a
 * reason to leave the guest: what is done to its translations meanwhile, by a
 * hypervisor that wants to know of every write, must reach it all the same.
 * Whether all writes were noticed the monitor says (-dirty-log).
 */
#include "lib/budget.h"
#include "lib/page.h"
#include "lib/report.h"
#include "lib/smp.h"
#include "lib/x86.h"

#define WORDS_A_PAGE	(PAGE_SIZE / sizeof(u64))
#define PAGES		128		/* a processor */
#define MOST_ROUNDS	1000000

struct part {
	volatile u64 *at;
	u64 *frames;
	u64 rounds;
};

static struct part parts[MAX_CPUS];

static void new_part(struct part *part)
{
	u64 i;

	part->at = new_address(PAGES * PAGE_SIZE);
	part->frames = alloc_frames(PAGES);
	for (i = 0; i < PAGES; i++)
		map(part->at + i * WORDS_A_PAGE, part->frames + i * WORDS_A_PAGE, PT_RW);
}

static void write_on(void *argument)
{
	struct part *part = argument;
	u64 start = rdtsc(), round, i;

	for (round = 0; another(round, MOST_ROUNDS, start); round++)
		for (i = 0; i < PAGES; i++)
			part->at[i * WORDS_A_PAGE + round % WORDS_A_PAGE] = round;
	part->rounds = round;
}

/* The last round's word of every page, and the one before. */
static u64 wrong_words(const struct part *part)
{
	u64 wrong = 0, round, i;

	for (round = part->rounds - 2; round < part->rounds; round++)
		for (i = 0; i < PAGES; i++)
			wrong += part->frames[i * WORDS_A_PAGE + round % WORDS_A_PAGE] != round;
	return wrong;
}

void test_main(void)
{
	u64 wrong = 0;
	int cpu;

	for (cpu = 0; cpu < cpu_count(); cpu++)
		new_part(&parts[cpu]);
	for (cpu = 1; cpu < cpu_count(); cpu++)
		start_on(cpu, write_on, &parts[cpu]);
	write_on(&parts[0]);
	for (cpu = 0; cpu < cpu_count(); cpu++) {
		if (cpu)
			wait_for(cpu);
		wrong += wrong_words(&parts[cpu]);
	}
	report(!wrong, "writes: every page holds what was written last");
}
