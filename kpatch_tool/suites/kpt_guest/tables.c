// SPDX-License-Identifier: GPL-2.0-only
/*
 * Page tables as the memory they are: written through other mappings, by
 * other processors, shared, given up and used again. A hypervisor with shadow
 * pages write-protects such memory and must notice every change in time.
 */
#include "lib/budget.h"
#include "lib/page.h"
#include "lib/report.h"
#include "lib/smp.h"
#include "lib/trap.h"
#include "lib/x86.h"

#define WORDS_A_PAGE	(PAGE_SIZE / sizeof(u64))
#define ALIASES		64
#define ROUNDS		100
#define RECURSIVE	300	/* a free entry of the root */

/* Two frames that can be told apart: word 0 is @first, @first + 1. */
static void new_pair(u64 *frames[2], u64 first)
{
	int i;

	for (i = 0; i < 2; i++) {
		frames[i] = alloc_frame();
		*frames[i] = first + i;
	}
}

/* A frame with many writable mappings becomes a page table; each mapping changes it once. */
static void test_aliases(void)
{
	volatile u64 *aliases[ALIASES], *at = new_address(LARGE_SIZE);
	u64 *table = alloc_frame(), *frames[2];
	u64 wrong = 0, start, i;

	new_pair(frames, 50);
	for (i = 0; i < ALIASES; i++) {
		aliases[i] = new_address(PAGE_SIZE);
		map(aliases[i], table, PT_RW);
		aliases[i][i] = 0;
	}
	WRITE_ONCE(*entry(at, 2), (u64)table | PT_RW);
	start = rdtsc();
	for (i = 0; another(i, 2 * ALIASES, start); i++) {
		aliases[i % ALIASES][0] = (u64)frames[i % 2] | PT_RW;
		invlpg(at);
		wrong += *at != 50 + i % 2;
	}
	report(!wrong, "aliases: a page table changes through each of its mappings");
}

static void test_large_alias(void)
{
	struct page page = new_large_page(PT_RW);
	volatile u64 *at = new_address(LARGE_SIZE), *inside;
	u64 *frames[2];
	u64 wrong = 0, start, i;

	new_pair(frames, 60);
	start = rdtsc();
	for (i = 0; another(i, ROUNDS, start); i++) {
		inside = page.at + i % 8 * WORDS_A_PAGE;
		WRITE_ONCE(*entry(at, 2), ((u64)page.frame + i % 8 * PAGE_SIZE) | PT_RW);
		*inside = (u64)frames[i % 2] | PT_RW;
		flush_by_cr3();
		wrong += *at != 60 + i % 2;
	}
	report(!wrong, "aliases: page tables inside a writable large page change through it");
}

/* A page table given up is plain memory, and may be a page table again. */
static void test_reuse(void)
{
	volatile u64 *at = new_address(LARGE_SIZE);
	u64 *table = alloc_frame(), *upper = entry(at, 2), *frames[2];
	u64 wrong = 0, start, i, word;

	new_pair(frames, 70);
	start = rdtsc();
	for (i = 0; another(i, ROUNDS, start); i++) {
		WRITE_ONCE(table[0], (u64)frames[i % 2] | PT_RW);
		WRITE_ONCE(*upper, (u64)table | PT_RW);
		wrong += *at != 70 + i % 2;
		WRITE_ONCE(*upper, 0);
		flush_by_cr3();
		for (word = 0; word < WORDS_A_PAGE; word += 8)
			WRITE_ONCE(table[word], ~word);
		for (word = 0; word < WORDS_A_PAGE; word += 8)
			wrong += table[word] != ~word;
		/* Word by word: as one string instruction an old KVM would emulate all of it. */
		for (word = 0; word < WORDS_A_PAGE; word += 8)
			WRITE_ONCE(table[word], 0);
	}
	report(!wrong, "reuse: a frame is page table and plain memory in turn");
}

/* A root that maps itself shows every page table at an address of its own. */
static void test_recursive(void)
{
	u64 *root = (u64 *)(read_cr3() & PT_ADDRESS), *frames[2];
	struct page page = new_page(PT_RW);
	volatile u64 *own;
	u64 wrong = 0, start, i;

	new_pair(frames, 80);
	root[RECURSIVE] = (u64)root | PT_RW;
	own = (volatile u64 *)(0xffff000000000000ul | (u64)RECURSIVE << 39 | ((u64)page.at >> 12) * sizeof(u64));
	start = rdtsc();
	for (i = 0; another(i, ROUNDS, start); i++) {
		*own = (u64)frames[i % 2] | PT_RW;
		invlpg(page.at);
		wrong += *page.at != 80 + i % 2;
	}
	root[RECURSIVE] = 0;
	flush_by_cr3();
	report(!wrong, "recursive: page tables change through the root that maps itself");
}

/* Tables of a root that is not in use change; all must be there when it is loaded. */
static void test_other_root(void)
{
	volatile u64 *at = new_address(LARGE_SIZE);
	u64 roots[2] = { new_root(), new_root() }, home = read_cr3();
	u64 *entries[2][8], *frames[2];
	u64 wrong = 0, start, i, page;

	new_pair(frames, 90);
	for (i = 0; i < 2; i++)
		for (page = 0; page < 8; page++)
			entries[i][page] = entry_of(roots[i], (u64)at + page * PAGE_SIZE, 1);
	start = rdtsc();
	for (i = 0; another(i, ROUNDS, start); i++) {
		for (page = 0; page < 8; page++)
			WRITE_ONCE(*entries[i % 2][page], (u64)frames[(i / 2 + page) % 2] | PT_RW);
		write_cr3(roots[i % 2]);
		for (page = 0; page < 8; page++)
			wrong += at[page * WORDS_A_PAGE] != 90 + (i / 2 + page) % 2;
	}
	write_cr3(home);
	report(!wrong, "roots: what changed in a root not in use is there when it is loaded");
}

/*
 * The other processor writes into a frame through a mapping it keeps in its
 * TLB. Meanwhile the frame becomes a page table here; what the other writes
 * from then on must count.
 */
struct exchange {
	volatile u64 *alias;
	u64 *wish;		/* what entry 0 is to become */
	u64 value, asked, done;
	bool stop;
};

static void write_at_request(void *argument)
{
	struct exchange *exchange = argument;

	while (!READ_ONCE(exchange->stop)) {
		exchange->alias[1] = 0;		/* keeps the mapping in the TLB */
		if (READ_ONCE(exchange->asked) == exchange->done)
			continue;
		exchange->alias[0] = READ_ONCE(exchange->value);
		WRITE_ONCE(exchange->done, exchange->done + 1);
	}
}

static void ask(struct exchange *exchange, u64 value)
{
	WRITE_ONCE(exchange->value, value);
	WRITE_ONCE(exchange->asked, exchange->asked + 1);
	while (READ_ONCE(exchange->done) != exchange->asked)
		relax();
}

static void test_write_elsewhere(void)
{
	volatile u64 *at = new_address(LARGE_SIZE);
	u64 *upper = entry(at, 2), *frames[2];
	u64 wrong = 0, start, round, i;

	new_pair(frames, 20);
	start = rdtsc();
	for (round = 0; another(round, ROUNDS, start); round++) {
		struct exchange exchange = { .alias = new_address(PAGE_SIZE) };
		u64 *table = alloc_frame();

		map(exchange.alias, table, PT_RW);
		start_on(1, write_at_request, &exchange);
		ask(&exchange, (u64)frames[0] | PT_RW);
		WRITE_ONCE(*upper, (u64)table | PT_RW);
		wrong += *at != 20;
		for (i = 1; i <= 4; i++) {
			ask(&exchange, (u64)frames[i % 2] | PT_RW);
			invlpg(at);
			wrong += *at != 20 + i % 2;
		}
		WRITE_ONCE(exchange.stop, true);
		wait_for(1);
		WRITE_ONCE(*upper, 0);
		flush_by_cr3();
	}
	report(!wrong, "elsewhere: another processor's writes to a new page table count");
}

/* Every processor remaps pages of its own in one page table they share. */
struct owner {
	volatile u64 *at;
	u64 *frames[2];
	u64 wrong;
};

static struct owner owners[MAX_CPUS];

static void remap_own(void *argument)
{
	struct owner *owner = argument;
	u64 start = rdtsc(), round, flags;

	for (round = 0; another(round, 4 * ROUNDS, start); round++) {
		flags = round % 3 ? PT_RW : PT_PRESENT;
		map(owner->at, owner->frames[round % 2], flags);
		invlpg(owner->at);
		owner->wrong += *owner->at != round / 2;
		owner->wrong += went_through(try_write(owner->at, round / 2 + 1)) != (flags == PT_RW);
		*owner->frames[round % 2] = round / 2 + 1;
	}
}

static void test_shared_table(void)
{
	volatile u64 *at = new_address(LARGE_SIZE);
	u64 wrong = 0;
	int cpu;

	for (cpu = 0; cpu < cpu_count(); cpu++) {
		owners[cpu] = (struct owner) { .at = at + cpu * WORDS_A_PAGE };
		new_pair(owners[cpu].frames, 0);
		*owners[cpu].frames[1] = 0;
		entry(owners[cpu].at, 1);	/* makes the tables once, here */
	}
	for (cpu = 1; cpu < cpu_count(); cpu++)
		start_on(cpu, remap_own, &owners[cpu]);
	remap_own(&owners[0]);
	for (cpu = 0; cpu < cpu_count(); cpu++) {
		if (cpu)
			wait_for(cpu);
		wrong += owners[cpu].wrong;
	}
	report(!wrong, "shared: processors remap their own pages in one page table");
}

static void test_tables(void)
{
	test_aliases();
	test_large_alias();
	test_reuse();
	test_recursive();
	if (cpu_count() < 2) {
		report_skip("elsewhere and shared: need two processors");
		return;
	}
	test_write_elsewhere();
	test_shared_table();
}

void test_main(void)
{
	if (asked_for("tables"))
		test_tables();
	if (asked_for("roots"))
		test_other_root();
}
