// SPDX-License-Identifier: GPL-2.0-only
/*
 * TLB shoot-down: the first processor changes translations the others are
 * using, interrupts them to flush, and from then on none may use the old one.
 */
#include "lib/page.h"
#include "lib/report.h"
#include "lib/smp.h"
#include "lib/trap.h"
#include "lib/x86.h"

#define MOST_ROUNDS	200
#define FEWEST_ROUNDS	3
#define BUDGET		60000000ul	/* cycles a case may take, about */
#define POISON		0xdeaddeaddeaddeadul
#define WORDS_A_PAGE	(PAGE_SIZE / sizeof(u64))
#define DIRTY_PAGES	16

#define TURNS_TO_YIELD	256		/* rarely: outside of the guest translations are forgotten */

/* One processor's part in a case. */
struct part {
	volatile u64 *at;	/* what it reads or writes */
	u64 wrong, done;
};

static struct part parts[MAX_CPUS];
static bool stop;

static void end_turn(struct part *part)
{
	WRITE_ONCE(part->done, part->done + 1);
	if (!(part->done % TURNS_TO_YIELD))
		yield();
}

static void flush_address(void *address)
{
	invlpg(address);
}

static void flush_all(void *unused)
{
	(void)unused;
	flush_by_cr3();
}

static void (*const flushes[])(void *) = { flush_address, flush_all };
static const char *const flush_names[] = { "invlpg", "cr3" };

static void shoot_down(void (*flush)(void *address), volatile void *address)
{
	flush((void *)address);
#ifndef BREAK_IPI
	call_others(flush, (void *)address);
#endif
}

/* Lets every other processor @work until finish(), each with its part. */
static void begin(void (*work)(void *), volatile u64 *at)
{
	int cpu;

	WRITE_ONCE(stop, false);
	for (cpu = 1; cpu < cpu_count(); cpu++) {
		parts[cpu] = (struct part) { .at = at };
		start_on(cpu, work, &parts[cpu]);
	}
	for (cpu = 1; cpu < cpu_count(); cpu++)
		while (!READ_ONCE(parts[cpu].done))
			relax();
}

static u64 finish(void)
{
	u64 wrong = 0;
	int cpu;

	WRITE_ONCE(stop, true);
	for (cpu = 1; cpu < cpu_count(); cpu++) {
		wait_for(cpu);
		wrong += parts[cpu].wrong;
	}
	return wrong;
}

/* Waits until every other processor has gone once round its loop. */
static void let_run(void)
{
	u64 before;
	int cpu;

	for (cpu = 1; cpu < cpu_count(); cpu++) {
		before = READ_ONCE(parts[cpu].done);
		while (READ_ONCE(parts[cpu].done) - before < 2)
			relax();
	}
}

/* Whether a case that began at @start goes on: more processors than cores make rounds slow. */
static bool another(int round, u64 start)
{
	return round < FEWEST_ROUNDS || (round < MOST_ROUNDS && rdtsc() - start < BUDGET);
}

static void count_poison(void *argument)
{
	struct part *part = argument;
	u64 value;

	while (!READ_ONCE(stop)) {
		/* While the page is away the read faults, which is right. */
		if (went_through(try_read(part->at, &value)) && value == POISON)
			part->wrong++;
		end_turn(part);
	}
}

static void test_remap(int by)
{
	struct page page = new_page(PT_RW);
	u64 *frames[2] = { page.frame, alloc_frame() };
	u64 start;
	int round;

	start = rdtsc();
	begin(count_poison, page.at);
	for (round = 0; another(round, start); round++) {
		WRITE_ONCE(*frames[round % 2], round);
		map(page.at, frames[round % 2], PT_RW);
		shoot_down(flushes[by], page.at);
		WRITE_ONCE(*frames[(round + 1) % 2], POISON);
		let_run();
	}
	report(!finish(), "%s: nobody reads the old frame of a remapped page", flush_names[by]);
}

static void test_unmap(int by)
{
	struct page page = new_page(PT_RW);
	u64 start;
	int round;

	start = rdtsc();
	begin(count_poison, page.at);
	for (round = 0; another(round, start); round++) {
		clear_bits(page.entry, PT_PRESENT);
		shoot_down(flushes[by], page.at);
		WRITE_ONCE(*page.frame, POISON);
		let_run();
		WRITE_ONCE(*page.frame, round);
		set_bits(page.entry, PT_PRESENT);
		let_run();
	}
	report(!finish(), "%s: nobody reads a page taken away", flush_names[by]);
}

static void write_on(void *argument)
{
	struct part *part = argument;
	volatile u64 *at = part->at + cpu_self();

	while (!READ_ONCE(stop)) {
		try_write(at, part->done);
		end_turn(part);
	}
}

static u64 sum(const volatile u64 *words)
{
	u64 total = 0;
	int i;

	for (i = 0; i < MAX_CPUS; i++)
		total += words[i];
	return total;
}

static void test_write_protect(int by)
{
	struct page page = new_page(PT_RW);
	u64 before, start, wrong = 0, still = 0;
	int round;

	start = rdtsc();
	begin(write_on, page.at);
	for (round = 0; another(round, start); round++) {
		clear_bits(page.entry, PT_WRITE);
		shoot_down(flushes[by], page.at);
		before = sum(page.frame);
		let_run();
		wrong += sum(page.frame) != before;
		set_bits(page.entry, PT_WRITE);
		shoot_down(flushes[by], page.at);
		let_run();
		still += sum(page.frame) == before;
	}
	finish();
	report(!wrong, "%s: nobody writes to a write-protected page", flush_names[by]);
	report(!still, "%s: everybody writes once it is writable", flush_names[by]);
}

/* Writes its own words all over the pages; remembers the last of each. */
static u64 last_written[MAX_CPUS][DIRTY_PAGES];

static void write_pages(void *argument)
{
	struct part *part = argument;
	int cpu = cpu_self(), i;

	while (!READ_ONCE(stop)) {
		i = part->done * 7 % DIRTY_PAGES;
		part->at[i * WORDS_A_PAGE + cpu] = part->done;
		last_written[cpu][i] = part->done;
		end_turn(part);
	}
}

static void copy_dirty(const struct page *pages, u64 *copy, void (*flush)(void *address))
{
	bool dirty[DIRTY_PAGES];
	int i;

	for (i = 0; i < DIRTY_PAGES; i++)
		dirty[i] = clear_bits(pages[i].entry, PT_DIRTY) & PT_DIRTY;
	shoot_down(flush, pages[0].at);
	for (i = 0; i < DIRTY_PAGES; i++)
		if (dirty[i])
			memcpy(copy + i * WORDS_A_PAGE, pages[i].frame, PAGE_SIZE);
}

/* As a live migration inside the guest: what was dirty is copied, until all is. */
static void test_dirty_copy(void)
{
	u64 *copy = alloc_frames(DIRTY_PAGES);
	struct page pages[DIRTY_PAGES];
	u64 start, wrong = 0;
	int round, cpu, i;

	for (i = 0; i < DIRTY_PAGES; i++)
		pages[i] = new_page(PT_RW);
	memset(last_written, 0, sizeof(last_written));
	start = rdtsc();
	begin(write_pages, pages[0].at);
	for (round = 0; another(round, start); round++) {
		copy_dirty(pages, copy, flush_all);
		let_run();
	}
	finish();
	copy_dirty(pages, copy, flush_all);
	for (cpu = 1; cpu < cpu_count(); cpu++)
		for (i = 0; i < DIRTY_PAGES; i++)
			wrong += copy[i * WORDS_A_PAGE + cpu] != last_written[cpu][i];
	report(!wrong, "cr3: a copy made by the dirty bits misses no write");
}

/* Checks that a large area reads as its page numbers. */
static void read_numbers(void *argument)
{
	struct part *part = argument;
	u64 i;

	while (!READ_ONCE(stop)) {
		i = part->done * 61 % 512;
		part->wrong += part->at[i * WORDS_A_PAGE] != i + 1;
		end_turn(part);
	}
}

static void test_split(void)
{
	struct page page = new_large_page(PT_RW);
	u64 *table = alloc_frame();
	u64 large = *page.entry, start, i;
	int round;

	for (i = 0; i < 512; i++) {
		page.frame[i * WORDS_A_PAGE] = i + 1;
		table[i] = ((u64)page.frame + i * PAGE_SIZE) | PT_RW;
	}
	start = rdtsc();
	begin(read_numbers, page.at);
	for (round = 0; another(round, start); round++) {
		WRITE_ONCE(*page.entry, round % 2 ? large : (u64)table | PT_RW);
		shoot_down(flush_all, page.at);
		let_run();
	}
	report(!finish(), "cr3: a large page split and joined shows its content throughout");
}

void test_main(void)
{
	int by;

	if (cpu_count() < 2) {
		report_skip("shoot-down needs two processors");
		return;
	}
	for (by = 0; by < 2; by++) {
		test_remap(by);
		test_unmap(by);
		test_write_protect(by);
	}
	test_dirty_copy();
	test_split();
}
