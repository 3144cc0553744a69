/* SPDX-License-Identifier: GPL-2.0-only */
/* Frames and four-level page tables. Physical memory is mapped one to one. */
#ifndef KPT_PAGING_H
#define KPT_PAGING_H

#include "types.h"

#define PT_PRESENT	(1ul << 0)
#define PT_WRITE	(1ul << 1)
#define PT_USER		(1ul << 2)
#define PT_ACCESSED	(1ul << 5)
#define PT_DIRTY	(1ul << 6)
#define PT_LARGE	(1ul << 7)
#define PT_GLOBAL	(1ul << 8)
#define PT_NX		(1ul << 63)
#define PT_ADDRESS	0x000ffffffffff000ul

#define PT_RW		(PT_PRESENT | PT_WRITE)

/* Addresses from here on are free for tests: 512 GiB up. */
#define TEST_BASE	0x8000000000ul

void paging_init(u64 memory_end);

/* @count frames in a row, zeroed, aligned to their whole size's power of two. */
void *alloc_frames(u64 count);
void *alloc_frame(void);

/* The last page of memory. No frame is allocated there unless all others are. */
void *last_page(void);

/* A new root that maps what the first one maps below TEST_BASE. */
u64 new_root(void);

/*
 * The entry for @address at @level (1: 4 KiB page, 2: 2 MiB page, ... 4) in
 * the tables under @root; tables that are missing are made, fully permissive.
 */
u64 *entry_of(u64 root, u64 address, int level);

/* The same in the tables in use. */
u64 *entry(const volatile void *address, int level);

/* Writes a leaf entry into the tables in use, and flushes nothing. */
void map(const volatile void *address, const void *frame, u64 flags);
void map_large(const volatile void *address, const void *frame, u64 flags);

/* Changes bits of an entry in one locked instruction; returns what was there. */
u64 set_bits(u64 *entry, u64 bits);
u64 clear_bits(u64 *entry, u64 bits);

#endif
