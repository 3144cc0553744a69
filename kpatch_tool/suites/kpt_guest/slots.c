// SPDX-License-Identifier: GPL-2.0-only
/*
 * The machine's memory as its owner changes it: slots that come, go and move,
 * and the log of pages written in them, page by page.
 * Documentation/virt/kvm/api.rst, KVM_SET_USER_MEMORY_REGION and what follows.
 */
#include "lib/kvm.h"
#include "lib/machine.h"
#include "lib/page.h"
#include "lib/report.h"

#define SLOT		3
#define HERE		0xc0000000ul	/* no memory of the machine's yet */
#define THERE		0xc4000000ul
#define PAGES		130ul		/* not a multiple of a word's bits */
#define LARGE_PAGES	1024ul
#define WORDS_A_PAGE	(PAGE_SIZE / sizeof(u64))
#define NOTHING		0xfffffffffffffffful
#define MARK		0x1234567ul

static u64 *frames;
static u64 bitmap[LARGE_PAGES / 64];

static struct kvm_userspace_memory_region slot(u64 address, u64 pages, u32 flags)
{
	return (struct kvm_userspace_memory_region) {
		.slot = SLOT, .flags = flags, .guest_phys_addr = address, .memory_size = pages * PAGE_SIZE,
		.userspace_addr = call_monitor(CALL_BASE, 0, 0) + (u64)frames,
	};
}

static s64 set(struct kvm_userspace_memory_region region)
{
	return machine_call(KVM_SET_USER_MEMORY_REGION, &region);
}

static s64 set_slot(u64 address, u64 pages, u32 flags)
{
	return set(slot(address, pages, flags));
}

static volatile u64 *word(u64 address, u64 page)
{
	return (volatile u64 *)(address + page * PAGE_SIZE);
}

/* Whether there is no memory. An old KVM would go on with that when there is, until it meets another device. */
static bool is_nothing(u64 address, u64 page)
{
	bool nothing = *word(address, page) == NOTHING;

	if (on_old_kvm())
		*(volatile u64 *)DEVICE_MEMORY;
	return nothing;
}

static void test_refused(void)
{
	struct kvm_userspace_memory_region bad = slot(HERE, PAGES, 0);

	bad.guest_phys_addr += 8;
	report(set(bad) == -EINVAL, "refused: an address within a page");
	bad = slot(HERE, PAGES, 0);
	bad.memory_size -= 8;
	report(set(bad) == -EINVAL, "refused: a size that is not in pages");
	bad = slot(HERE, PAGES, 0);
	bad.userspace_addr += 8;
	report(set(bad) == -EINVAL, "refused: memory that begins within a page");
	bad = slot(-PAGE_SIZE, 2, 0);
	report(set(bad) == -EINVAL, "refused: a slot around the end of all addresses");
	report(set_slot(HERE, PAGES, 1u << 31) == -EINVAL, "refused: an unknown flag");
	bad = slot(HERE, PAGES, 0);
	bad.slot = 0x7fff;
	report(set(bad) == -EINVAL, "refused: a number that is too large");
	report(set_slot(HERE, 0, 0) == -EINVAL, "refused: to take a slot away that is not there");
	report(set_slot((u64)frames, PAGES, 0) == -EEXIST, "refused: a slot over another one");
}

static void test_comes_and_goes(void)
{
	struct kvm_userspace_memory_region other = slot(HERE, PAGES, 0);
	u64 page, wrong = 0;

	report(is_nothing(HERE, 0), "slot: before it there is nothing");
	set_slot(HERE, PAGES, 0);
	for (page = 0; page < PAGES; page++)
		*word(HERE, page) = page + 1;
	for (page = 0; page < PAGES; page++)
		wrong += frames[page * WORDS_A_PAGE] != page + 1 || *word(HERE, page) != page + 1;
	report(!wrong, "slot: each of its pages is memory");
	report(is_nothing(HERE, PAGES), "slot: behind it there is nothing");
	report(set_slot(HERE, PAGES + 1, 0) == -EINVAL, "slot: its size stays");
	other.slot = SLOT + 1;
	other.guest_phys_addr += (PAGES - 1) * PAGE_SIZE;
	report(set(other) == -EEXIST, "slot: another one must not begin on its last page");
	other.guest_phys_addr += PAGE_SIZE;
	report(set(other) == 0 && *word(HERE, PAGES) == 1, "slot: another one may begin behind it");
	other.memory_size = 0;
	set(other);
	report(is_nothing(HERE, PAGES) && *word(HERE, PAGES - 1) == PAGES, "slot: taken away, the other one is gone, this one not");
	report(set_slot(THERE, PAGES, 0) == 0 && *word(THERE, PAGES - 1) == PAGES, "slot: moved, it is there");
	report(is_nothing(HERE, 0) && is_nothing(HERE, PAGES - 1), "slot: moved, it is not here any more");
	report(set_slot(THERE, 0, 0) == 0 && is_nothing(THERE, 0), "slot: taken away, it is gone");
	*word(THERE, 0) = 99;
	is_nothing(THERE, 0);
	report(frames[0] == 1, "slot: taken away, no write reaches it");
}

static void test_read_only(void)
{
	if (!has_extension(KVM_CAP_READONLY_MEM)) {
		report_skip("read-only: not offered");
		return;
	}
	set_slot(HERE, PAGES, KVM_MEM_READONLY);
	frames[0] = MARK;
	exits();
	report(*word(HERE, 0) == MARK && exits() == 0, "read-only: it is read as memory");
	*word(HERE, 0) = 5;
	report(frames[0] == MARK && exits() == 1, "read-only: a write leaves the guest, and the memory as it is");
	set_slot(HERE, 0, 0);
	set_slot(HERE, PAGES, 0);
	*word(HERE, 0) = 6;
	report(frames[0] == 6 && exits() == 0, "read-only: made anew without it, a write goes through");
	set_slot(HERE, 0, 0);
}

static s64 get_log(void)
{
	struct kvm_dirty_log log = { .slot = SLOT };

	memset(bitmap, 0, sizeof(bitmap));
	log.dirty_bitmap = (void *)(call_monitor(CALL_BASE, 0, 0) + (u64)bitmap);
	return machine_call(KVM_GET_DIRTY_LOG, &log);
}

/* Whether the log names just the pages that are a multiple of @step, from @first on. */
static bool log_has(u64 first, u64 step, u64 pages)
{
	u64 page, wrong = 0;

	for (page = 0; page < pages; page++)
		wrong += (bitmap[page / 64] >> page % 64 & 1) != (page >= first && (page - first) % step == 0);
	return !wrong;
}

static void write_pages(u64 first, u64 step, u64 pages)
{
	u64 page;

	for (page = first; page < pages; page += step)
		*word(HERE, page) = page;
}

/* From writable memory that is in use, so that every page must be protected first. */
static void test_log(u64 pages, const char *name)
{
	u64 page, sum = 0;

	set_slot(HERE, pages, 0);
	write_pages(0, 1, pages);
	report(get_log() == -ENOENT, "log of %s: without it there is none", name);
	set_slot(HERE, pages, KVM_MEM_LOG_DIRTY_PAGES);
	get_log();
	for (page = 0; page < pages; page++)
		sum += *word(HERE, page);
	report(get_log() == 0 && log_has(LARGE_PAGES, 1, pages) && sum, "log of %s: what is only read is not in it", name);
	write_pages(3, 9, pages);
	report(get_log() == 0 && log_has(3, 9, pages), "log of %s: it names the pages written, and no others", name);
	report(get_log() == 0 && log_has(LARGE_PAGES, 1, pages), "log of %s: told once, they are out of it", name);
	write_pages(3, 9, pages);
	report(get_log() == 0 && log_has(3, 9, pages), "log of %s: written again, they are in it again", name);
	write_pages(0, pages - 1, pages);
	report(get_log() == 0 && log_has(0, pages - 1, pages), "log of %s: its first and its last page", name);
	set_slot(HERE, pages, 0);
	report(get_log() == -ENOENT, "log of %s: switched off, there is none", name);
	write_pages(0, 1, pages);
	set_slot(HERE, 0, 0);
}

static s64 clear_log(u64 first, u32 pages, u64 bits)
{
	struct kvm_clear_dirty_log log = { .slot = SLOT, .first_page = first, .num_pages = pages };

	bitmap[0] = bits;
	log.dirty_bitmap = (void *)(call_monitor(CALL_BASE, 0, 0) + (u64)bitmap);
	return machine_call(KVM_CLEAR_DIRTY_LOG, &log);
}

/* Told apart from cleared: KVM_CLEAR_DIRTY_LOG. The last test, since it stays so. */
static void test_clear(void)
{
	struct kvm_enable_cap enable = { .cap = KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2, .args[0] = 1 };

	if (!has_extension(KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2)) {
		report_skip("clearing: not offered");
		return;
	}
	machine_call(KVM_ENABLE_CAP, &enable);
	set_slot(HERE, PAGES, KVM_MEM_LOG_DIRTY_PAGES);
	write_pages(2, 1, PAGES);
	report(get_log() == 0 && log_has(2, 1, PAGES) && get_log() == 0 && log_has(2, 1, PAGES), "clearing: told, the pages stay in the log");
	report(clear_log(64, 64, NOTHING) == 0 && get_log() == 0 && !bitmap[1] && bitmap[0] == NOTHING << 2 && bitmap[2] == 3,
	       "clearing: a range of it is cleared, and no other");
	clear_log(0, 64, 1ul << 17);
	report(get_log() == 0 && bitmap[0] == (NOTHING << 2 & ~(1ul << 17)), "clearing: a page of it is cleared, and no other");
	report(clear_log(128, 2, 3) == 0 && get_log() == 0 && !bitmap[2], "clearing: the last pages, which fill no word");
	write_pages(64, 1, 66);
	*word(HERE, 17) = *word(HERE, 129) = MARK;
	report(get_log() == 0 && bitmap[0] == NOTHING << 2 && bitmap[1] == 3 && bitmap[2] == 2,
	       "clearing: written again, they are in it again");
	report(clear_log(1, 64, 0) == -EINVAL, "clearing: refused where the range begins within a word");
	report(clear_log(64, 32, 0) == -EINVAL, "clearing: refused where it ends within a word");
	report(clear_log(64, 128, 0) == -EINVAL, "clearing: refused where it ends behind the slot");
	set_slot(HERE, 0, 0);
}

void test_main(void)
{
	if (!on_monitor()) {
		report_skip("slots: this machine's owner takes no calls");
		return;
	}
	frames = alloc_frames(LARGE_PAGES);
	test_refused();
	test_comes_and_goes();
	test_read_only();
	test_log(PAGES, "some pages");
	test_log(LARGE_PAGES, "large pages");
	report(get_log() == -ENOENT, "log: gone with its slot");
	test_clear();
}
