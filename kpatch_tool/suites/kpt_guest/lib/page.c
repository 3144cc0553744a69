// SPDX-License-Identifier: GPL-2.0-only
/* What most tests begin with: a page of their own at an address of its own. */
#include "page.h"

volatile u64 *new_address(u64 size)
{
	static u64 next = TEST_BASE;
	u64 address = (next + size - 1) & -size;

	next = address + size;
	return (volatile u64 *)address;
}

struct page new_page(u64 flags)
{
	struct page page = { .at = new_address(PAGE_SIZE), .frame = alloc_frame() };

	map(page.at, page.frame, flags);
	page.entry = entry(page.at, 1);
	return page;
}

struct page new_large_page(u64 flags)
{
	struct page page = { .at = new_address(LARGE_SIZE), .frame = alloc_frames(512) };

	map_large(page.at, page.frame, flags);
	page.entry = entry(page.at, 2);
	return page;
}
