// SPDX-License-Identifier: GPL-2.0-only
/*
 * One processor changes its page tables: what must be seen once it has
 * flushed, and what the hardware writes into them by itself.
 */
#include "lib/page.h"
#include "lib/report.h"
#include "lib/trap.h"
#include "lib/x86.h"

#define WORDS_A_PAGE	(PAGE_SIZE / sizeof(u64))

struct flush {
	const char *name;
	void (*flush)(const volatile void *address);
};

static void by_invlpg(const volatile void *address)
{
	invlpg(address);
}

static void by_cr3(const volatile void *address)
{
	(void)address;
	flush_by_cr3();
}

static void by_pge(const volatile void *address)
{
	(void)address;
	flush_by_pge();
}

static const struct flush flushes[] = {
	{ "invlpg", by_invlpg },
	{ "cr3", by_cr3 },
	{ "cr4.pge", by_pge },
};

static void test_write_protect(const struct flush *by)
{
	struct page page = new_page(PT_RW);
	struct fault fault;

	*page.at = 1;
	clear_bits(page.entry, PT_WRITE);
	by->flush(page.at);
	fault = try_write(page.at, 2);
	report(page_fault(fault, PF_PRESENT | PF_WRITE) && fault.address == (u64)page.at && *page.frame == 1,
	       "%s: a write to a write-protected page faults", by->name);
	set_bits(page.entry, PT_WRITE);
	by->flush(page.at);
	report(went_through(try_write(page.at, 3)) && *page.frame == 3,
	       "%s: a write goes through once the page is writable again", by->name);
}

static void test_remap(const struct flush *by)
{
	struct page page = new_page(PT_RW);
	u64 *other = alloc_frame();

	*page.at = 1;
	*other = 2;
	map(page.at, other, PT_RW);
	by->flush(page.at);
	report(*page.at == 2, "%s: a remapped page shows the new frame", by->name);
	*page.at = 3;
	report(*other == 3 && *page.frame == 1, "%s: a write to a remapped page goes to the new frame", by->name);
}

static void test_unmap(const struct flush *by)
{
	struct page page = new_page(PT_RW);
	struct fault fault;

	*page.at = 1;
	clear_bits(page.entry, PT_PRESENT);
	by->flush(page.at);
	fault = try_read(page.at, NULL);
	report(page_fault(fault, 0) && fault.address == (u64)page.at, "%s: a read of an unmapped page faults", by->name);
	/* Absence is never cached, so this needs no flush. */
	set_bits(page.entry, PT_PRESENT);
	report(*page.at == 1, "%s: a page mapped again is there without a flush", by->name);
}

static void test_upper_level(const struct flush *by, int level)
{
	struct page page = new_page(PT_RW);
	u64 *upper = entry(page.at, level);

	*page.at = 1;
	clear_bits(upper, PT_WRITE);
	by->flush(page.at);
	report(page_fault(try_write(page.at, 2), PF_PRESENT | PF_WRITE),
	       "%s: write protection at level %d holds below it", by->name, level);
	set_bits(upper, PT_WRITE);
	by->flush(page.at);
	report(went_through(try_write(page.at, 3)), "%s: write protection at level %d ends for what is below it", by->name, level);
}

static void test_table_swap(const struct flush *by)
{
	volatile u64 *at = new_address(LARGE_SIZE);
	u64 *tables[2] = { alloc_frame(), alloc_frame() };
	u64 *frames[2] = { alloc_frame(), alloc_frame() };
	u64 *upper = entry(at, 2);
	bool good = true;
	int i;

	for (i = 0; i < 2; i++) {
		tables[i][0] = (u64)frames[i] | PT_RW;
		*frames[i] = 100 + i;
	}
	for (i = 0; i < 20; i++) {
		WRITE_ONCE(*upper, (u64)tables[i % 2] | PT_RW);
		by->flush(at);
		good &= *at == 100u + i % 2;
	}
	report(good, "%s: another page table is seen at once", by->name);
}

static void test_accessed_dirty(void)
{
	struct page page = new_page(PT_RW);
	bool upper = true;
	u64 value;
	int level;

	value = *page.at;
	report(!value && (*page.entry & (PT_ACCESSED | PT_DIRTY)) == PT_ACCESSED, "accessed/dirty: a read sets accessed only");
	for (level = 2; level <= 4; level++)
		upper &= !!(*entry(page.at, level) & PT_ACCESSED);
	report(upper, "accessed/dirty: a read sets accessed on the levels above");
	*page.at = 1;
	report(*page.entry & PT_DIRTY, "accessed/dirty: a write sets dirty");
	clear_bits(page.entry, PT_ACCESSED | PT_DIRTY);
	invlpg(page.at);
	value = *page.at;
	report(value == 1 && (*page.entry & (PT_ACCESSED | PT_DIRTY)) == PT_ACCESSED,
	       "accessed/dirty: cleared, accessed is set again by a read");
	*page.at = 2;
	report(*page.entry & PT_DIRTY, "accessed/dirty: cleared, dirty is set again by a write");
}

static void fill_large(struct page page)
{
	u64 i;

	for (i = 0; i < 512; i++)
		page.frame[i * WORDS_A_PAGE] = i + 1;
}

static bool large_is_whole(const volatile u64 *at)
{
	u64 i, wrong = 0;

	for (i = 0; i < 512; i++)
		wrong += at[i * WORDS_A_PAGE] != i + 1;
	return !wrong;
}

static void test_large(void)
{
	struct page page = new_large_page(PT_RW);
	volatile u64 *inside = page.at + 300 * WORDS_A_PAGE;
	struct fault fault;

	fill_large(page);
	report(large_is_whole(page.at) && (*page.entry & (PT_ACCESSED | PT_DIRTY)) == PT_ACCESSED,
	       "large page: it is read whole, and accessed only");
	*inside = 301;
	report(*page.entry & PT_DIRTY, "large page: a write sets dirty");
	clear_bits(page.entry, PT_WRITE | PT_DIRTY);
	invlpg(page.at);
	fault = try_write(inside, 0);
	report(page_fault(fault, PF_PRESENT | PF_WRITE) && fault.address == (u64)inside && !(*page.entry & PT_DIRTY),
	       "large page: write-protected, a write inside it faults");
}

static void test_large_split(void)
{
	struct page page = new_large_page(PT_RW);
	u64 *table = alloc_frame();
	u64 i, faults = 0, large;

	fill_large(page);
	page.at[0] = 1;
	large = *page.entry;
	for (i = 0; i < 512; i++)
		table[i] = ((u64)page.frame + i * PAGE_SIZE) | (i % 2 ? PT_PRESENT : PT_RW);
	WRITE_ONCE(*page.entry, (u64)table | PT_RW);
	flush_by_cr3();
	report(large_is_whole(page.at), "large page: split in small ones it keeps its content");
	for (i = 0; i < 512; i++)
		faults += page_fault(try_write(page.at + i * WORDS_A_PAGE, i + 1), PF_PRESENT | PF_WRITE);
	report(faults == 256, "large page: split, every other small page is write-protected");
	WRITE_ONCE(*page.entry, large);
	flush_by_cr3();
	faults = 0;
	for (i = 0; i < 512; i++)
		faults += !went_through(try_write(page.at + i * WORDS_A_PAGE, i + 1));
	report(!faults && large_is_whole(page.at), "large page: joined again it is writable everywhere");
}

/* At CPL 3: writes rdi's second word's value to the address in its first. */
asm(".pushsection .user, \"ax\"\n"
    "user_write: mov 8(%rdi), %rax\n"
    "mov (%rdi), %rdi\n"
    "mov %rax, (%rdi)\n"
    "int $0x80\n"
    ".popsection\n");
extern const char user_write[], user_code[];

static struct fault write_as_user(volatile void *address, u64 value)
{
	static struct page stack;
	static volatile u64 *code;
	volatile u64 *argument;

	if (!code) {
		stack = new_page(PT_RW | PT_USER);
		code = new_address(PAGE_SIZE);
		map(code, user_code, PT_PRESENT | PT_USER);
	}
	argument = stack.at + WORDS_A_PAGE - 2;
	argument[0] = (u64)address;
	argument[1] = value;
	return run_user((const char *)code + (user_write - user_code), (u64)argument, (void *)argument, NULL);
}

static void test_user(void)
{
	struct page page = new_page(PT_RW);

	report(page_fault(write_as_user(page.at, 1), PF_PRESENT | PF_WRITE | PF_USER),
	       "user bit: a user's write to a supervisor page faults");
	set_bits(page.entry, PT_USER);
	invlpg(page.at);
	report(went_through(write_as_user(page.at, 2)) && *page.frame == 2, "user bit: set, the write goes through");
	clear_bits(page.entry, PT_USER);
	invlpg(page.at);
	report(page_fault(write_as_user(page.at, 3), PF_PRESENT | PF_WRITE | PF_USER), "user bit: clear again, the write faults");
}

static void test_cr0_wp(void)
{
	struct page page = new_page(PT_PRESENT | PT_USER);
	u64 cr0 = read_cr0();
	struct fault fault;

	fault = try_write(page.at, 1);
	report(page_fault(fault, PF_PRESENT | PF_WRITE), "cr0.wp: set, a supervisor's write to a read-only page faults");
	write_cr0(cr0 & ~CR0_WP);
	fault = try_write(page.at, 2);
	report(went_through(fault) && *page.frame == 2, "cr0.wp: clear, a supervisor's write goes through");
	report(*page.entry & PT_DIRTY, "cr0.wp: clear, a supervisor's write sets dirty");
	/* KVM's shadow pages lend this mapping to the supervisor alone: the user must get it back, read-only. */
	report(page_fault(write_as_user(page.at, 3), PF_PRESENT | PF_WRITE | PF_USER), "cr0.wp: clear, a user's write still faults");
	write_cr0(cr0);
	report(page_fault(try_write(page.at, 4), PF_PRESENT | PF_WRITE) && *page.frame == 2, "cr0.wp: set again, a supervisor's write faults");
}

static void test_nx(void)
{
	struct page page = new_page(PT_RW | PT_NX);

	*(volatile u8 *)page.at = 0xc3;		/* ret */
	report(page_fault(try_execute(page.at), PF_PRESENT | PF_FETCH), "no-execute: set, a call into the page faults");
	clear_bits(page.entry, PT_NX);
	invlpg(page.at);
	report(went_through(try_execute(page.at)), "no-execute: clear, the page runs");
	set_bits(page.entry, PT_NX);
	invlpg(page.at);
	report(page_fault(try_execute(page.at), PF_PRESENT | PF_FETCH), "no-execute: set again, a call faults");
}

static void test_global(void)
{
	struct page global, plain;
	u64 cr4 = read_cr4();
	u64 *others[2] = { alloc_frame(), alloc_frame() };

	write_cr4(cr4 | CR4_PGE);
	global = new_page(PT_RW | PT_GLOBAL);
	plain = new_page(PT_RW);
	*global.at = *plain.at = 1;
	*others[0] = *others[1] = 2;
	map(global.at, others[0], PT_RW | PT_GLOBAL);
	map(plain.at, others[1], PT_RW);
	flush_by_cr3();
	report(*plain.at == 2, "global: a cr3 reload flushes pages that are not");
	flush_by_pge();
	report(*global.at == 2, "global: toggling cr4.pge flushes pages that are");
	map(global.at, global.frame, PT_RW | PT_GLOBAL);
	invlpg(global.at);
	report(*global.at == 1, "global: invlpg flushes pages that are");
	write_cr4(cr4);
}

void test_main(void)
{
	const struct flush *by;
	int level;

	for (by = flushes; by < flushes + ARRAY_SIZE(flushes); by++) {
		test_write_protect(by);
		test_remap(by);
		test_unmap(by);
		for (level = 2; level <= 4; level++)
			test_upper_level(by, level);
		test_table_swap(by);
	}
	test_accessed_dirty();
	test_large();
	test_large_split();
	test_user();
	test_cr0_wp();
	test_nx();
	test_global();
}
