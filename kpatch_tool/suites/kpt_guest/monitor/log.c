// SPDX-License-Identifier: GPL-2.0-only
/*
 * A live migration to nowhere: memory is copied while the machine runs, then,
 * again and again, the pages that KVM says were written. Each time the machine
 * is halted a moment later: where a page was said to be written, and is not
 * said to be written since, its copy must be equal. Else a write was not
 * logged, by a processor that still used the old translation perhaps, and a
 * migrated guest would have lost it. At the end all of the copy must be equal.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "machine.h"

#define MOST_PAGES	((MOST_MEMORY << 20) / PAGE_BYTES)
#define WORD_BITS	64
#define PAUSE_US	1000	/* between two rounds, for the machine to write in */
#define STALE_US	300	/* for it to write by what it should not use any more */

/* A bit a page. */
struct pages {
	uint64_t words[MOST_PAGES / WORD_BITS];
};

static uint8_t *copy;
static unsigned long rounds, missing, first_missing;
static pthread_mutex_t copying = PTHREAD_MUTEX_INITIALIZER;

static bool has(const struct pages *pages, unsigned long page)
{
	return pages->words[page / WORD_BITS] >> page % WORD_BITS & 1;
}

static void read_log(struct machine *machine, struct pages *written)
{
	struct kvm_dirty_log log = { .dirty_bitmap = written->words };

	if (ioctl(machine->fd, KVM_GET_DIRTY_LOG, &log) < 0)
		die("KVM_GET_DIRTY_LOG: %s", strerror(errno));
}

static void copy_page(struct machine *machine, unsigned long page)
{
	memcpy(copy + page * PAGE_BYTES, machine->memory + page * PAGE_BYTES, PAGE_BYTES);
}

static void copy_pages(struct machine *machine, const struct pages *written)
{
	unsigned long page;

	for (page = 0; page < machine->size / PAGE_BYTES; page++)
		if (has(written, page))
			copy_page(machine, page);
}

static void check_page(struct machine *machine, unsigned long page)
{
	if (!memcmp(copy + page * PAGE_BYTES, machine->memory + page * PAGE_BYTES, PAGE_BYTES))
		return;
	if (!missing++)
		first_missing = page;
	copy_page(machine, page);
}

static void do_round(struct machine *machine)
{
	static struct pages before, since;
	unsigned long page;

	read_log(machine, &before);
	copy_pages(machine, &before);
	usleep(STALE_US);
	halt_cpus(machine);
	read_log(machine, &since);
	for (page = 0; page < machine->size / PAGE_BYTES; page++)
		if (has(&before, page) && !has(&since, page))
			check_page(machine, page);
	copy_pages(machine, &since);
	resume_cpus(machine);
	rounds++;
}

static void *follow(void *argument)
{
	for (;;) {
		usleep(PAUSE_US);
		pthread_mutex_lock(&copying);
		do_round(argument);
		pthread_mutex_unlock(&copying);
	}
	return NULL;
}

void start_log(struct machine *machine)
{
	struct kvm_userspace_memory_region region = {
		.flags = KVM_MEM_LOG_DIRTY_PAGES,
		.memory_size = machine->size,
		.userspace_addr = (unsigned long)machine->memory,
	};
	pthread_t thread;

	copy = malloc(machine->size);
	if (!copy)
		die("no memory for the copy");
	if (ioctl(machine->fd, KVM_SET_USER_MEMORY_REGION, &region) < 0)
		die("KVM_MEM_LOG_DIRTY_PAGES: %s", strerror(errno));
	memcpy(copy, machine->memory, machine->size);
	if (pthread_create(&thread, NULL, follow, machine))
		die("cannot start a thread");
}

bool check_log(struct machine *machine)
{
	static struct pages written;
	unsigned long page;

	pthread_mutex_lock(&copying);	/* for good */
	halt_cpus(machine);
	read_log(machine, &written);
	copy_pages(machine, &written);
	for (page = 0; page < machine->size / PAGE_BYTES; page++)
		check_page(machine, page);
	printf("INFO: dirty log: %lu rounds\n", rounds);
	printf("%s: dirty log: no written page is missing\n", missing ? "FAIL" : "PASS");
	if (missing)
		printf("SUMMARY: the dirty log misses %lu written pages, the first at %#lx\n", missing,
		       first_missing * PAGE_BYTES);
	return !missing;
}
