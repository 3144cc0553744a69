/* SPDX-License-Identifier: GPL-2.0-only */
/* What most tests begin with: a page of their own at an address of its own. */
#ifndef KPT_PAGE_H
#define KPT_PAGE_H

#include "paging.h"

struct page {
	volatile u64 *at;	/* address it is mapped at */
	u64 *frame;		/* its memory, through the one-to-one map */
	u64 *entry;		/* its leaf entry */
};

/* A zeroed 4 KiB page, mapped with @flags. */
struct page new_page(u64 flags);

/* A zeroed 2 MiB page, mapped with @flags. */
struct page new_large_page(u64 flags);

/* An address nothing is mapped at, with @size (a power of two) for itself. */
volatile u64 *new_address(u64 size);

#endif
