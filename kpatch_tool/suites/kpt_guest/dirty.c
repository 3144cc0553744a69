// SPDX-License-Identifier: GPL-2.0-only
/*
 * Many pages, small and large, written under write protection and dirty bits
 * that come and go: each write must fault, or be noted, exactly where it should.
 */
#include "lib/budget.h"
#include "lib/page.h"
#include "lib/report.h"
#include "lib/trap.h"
#include "lib/x86.h"

#define WORDS_A_PAGE	(PAGE_SIZE / sizeof(u64))
#define SMALL_PAGES	512
#define LARGE_PAGES	8
#define ROUNDS		6
#define BATCH		16	/* pages whose translations a TLB surely keeps */
#define SHIFT		40	/* pages, lest an address and its memory share a set of the TLB */

/* Pages in a row; entry[i] maps the i-th of them. */
struct area {
	const char *name;
	volatile u64 *at;
	u64 *frames;
	u64 *entries;
	u64 count;
	u64 page_words;
};

static struct area small_area(void)
{
	struct area area = {
		.name = "small pages",
		.at = new_address(SMALL_PAGES * PAGE_SIZE),
		.frames = (u64 *)alloc_frames(SMALL_PAGES + SHIFT) + SHIFT * WORDS_A_PAGE,
		.count = SMALL_PAGES,
		.page_words = WORDS_A_PAGE,
	};
	u64 i;

	for (i = 0; i < area.count; i++)
		map(area.at + i * WORDS_A_PAGE, area.frames + i * WORDS_A_PAGE, PT_RW);
	area.entries = entry(area.at, 1);
	return area;
}

static struct area large_area(void)
{
	struct area area = {
		.name = "large pages",
		.at = new_address(LARGE_PAGES * LARGE_SIZE),
		.frames = alloc_frames(LARGE_PAGES * 512),
		.count = LARGE_PAGES,
		.page_words = 512 * WORDS_A_PAGE,
	};
	u64 i;

	for (i = 0; i < area.count; i++)
		map_large(area.at + i * area.page_words, area.frames + i * area.page_words, PT_RW);
	area.entries = entry(area.at, 2);
	return area;
}

/* Whether page @i is one of the pages of this round's pattern. */
static bool chosen(u64 i, int round)
{
	return (i * 2654435761u >> (8 + round)) & 1;
}

/* Writes into page @i somewhere that changes with the round. */
static struct fault write_page(const struct area *area, u64 i, int round, u64 value)
{
	u64 offset = (round * 7919 + i * 519) % area->page_words;
	struct fault fault = try_write(area->at + i * area->page_words + offset, value);
	u64 is = area->frames[i * area->page_words + offset];

	if (went_through(fault) && is != value)
		fault.vector = NO_FAULT - 1;	/* lost */
	if (!went_through(fault) && is == value)
		fault.vector = NO_FAULT - 2;	/* faulted and still got through */
	return fault;
}

/* Puts writable translations of a batch into the TLB, for the flush to drop. */
static u64 warm(const struct area *area, u64 first, u64 last, int round)
{
	u64 wrong = 0, i;

	for (i = first; i < last; i++)
		wrong += !went_through(write_page(area, i, round, i));
	return wrong;
}

static u64 protect_batch(const struct area *area, u64 first, u64 last, int round)
{
	u64 wrong = warm(area, first, last, round), i;

	for (i = first; i < last; i++)
		if (chosen(i, round))
			clear_bits(&area->entries[i], PT_WRITE);
	flush_by_cr3();
	for (i = first; i < last; i++) {
		struct fault fault = write_page(area, i, round, ~i << 8 | round);

		wrong += chosen(i, round) ? !page_fault(fault, PF_PRESENT | PF_WRITE) : !went_through(fault);
		set_bits(&area->entries[i], PT_WRITE);
	}
	flush_by_cr3();
	return wrong;
}

static u64 dirty_batch(const struct area *area, u64 first, u64 last, int round)
{
	u64 wrong = warm(area, first, last, round), i;

	for (i = first; i < last; i++)
		clear_bits(&area->entries[i], PT_DIRTY);
	flush_by_cr3();
	for (i = first; i < last; i++) {
		if (chosen(i, round))
			wrong += !went_through(write_page(area, i, round, i << 8 | round));
		else
			wrong += !went_through(try_read(area->at + i * area->page_words, NULL));
	}
	for (i = first; i < last; i++)
		wrong += !(area->entries[i] & PT_DIRTY) == chosen(i, round);
	return wrong;
}

static u64 in_batches(const struct area *area, u64 (*batch)(const struct area *, u64, u64, int))
{
	u64 batches = (area->count + BATCH - 1) / BATCH;
	u64 wrong = 0, start = rdtsc(), first, last, i;

	for (i = 0; another(i, ROUNDS * batches, start); i++) {
		first = i % batches * BATCH;
		last = first + BATCH < area->count ? first + BATCH : area->count;
		wrong += batch(area, first, last, i / batches);
	}
	return wrong;
}

/* Protecting all of them from one entry above, again and again. */
static void test_above(const struct area *area, int level)
{
	u64 *above = entry(area->at, level);
	u64 wrong = 0, start = rdtsc(), i;
	int round;

	for (round = 0; another(round, ROUNDS, start); round++) {
		wrong += warm(area, 0, area->count < BATCH ? area->count : BATCH, round);
		clear_bits(above, PT_WRITE);
		flush_by_cr3();
		for (i = 0; i < area->count; i++)
			wrong += !page_fault(write_page(area, i, round, ~i), PF_PRESENT | PF_WRITE);
		set_bits(above, PT_WRITE);
		flush_by_cr3();
		for (i = 0; i < area->count; i++)
			wrong += !went_through(write_page(area, i, round, i << 8 | round));
	}
	report(!wrong, "%s: writes fault while protected from level %d", area->name, level);
}

/* The large pages' memory once more, in small read-only pages. */
static void test_alias(const struct area *large)
{
	volatile u64 *alias = new_address(LARGE_SIZE);
	u64 wrong = 0, start, i;

	for (i = 0; i < 512; i++)
		map(alias + i * WORDS_A_PAGE, large->frames + i * WORDS_A_PAGE, PT_PRESENT);
	start = rdtsc();
	for (i = 0; another(i, 512, start); i++) {
		large->at[i * WORDS_A_PAGE] = i + 12345;
		wrong += alias[i * WORDS_A_PAGE] != i + 12345;
		wrong += !page_fault(try_write(alias + i * WORDS_A_PAGE, 0), PF_PRESENT | PF_WRITE);
	}
	report(!wrong, "%s: read-only small pages of the same memory show their writes", large->name);
}

/* The hypervisor looks memory up by its first and last page. */
static void test_last_page(void)
{
	volatile u64 *at = new_address(PAGE_SIZE), *page = last_page();
	const u64 last = WORDS_A_PAGE - 1;
	u64 first_word = page[0], last_word = page[last];
	bool kept;

	map(at, last_page(), PT_RW);
	at[0] = 0x1234567887654321;
	at[last] = ~at[0];
	kept = page[0] == 0x1234567887654321 && page[last] == ~page[0];
	page[0] = first_word;
	page[last] = last_word;
	report(kept && at[0] == first_word && at[last] == last_word, "the last page of memory keeps what is written");
}

void test_main(void)
{
	const struct area areas[] = { small_area(), large_area() };
	const struct area *area;

	for (area = areas; area < areas + ARRAY_SIZE(areas); area++) {
		report(!in_batches(area, protect_batch), "%s: writes fault exactly where protected", area->name);
		report(!in_batches(area, dirty_batch), "%s: dirty is set exactly where written", area->name);
	}
	test_above(&areas[0], 2);
	test_above(&areas[1], 3);
	test_alias(&areas[1]);
	test_last_page();
}
