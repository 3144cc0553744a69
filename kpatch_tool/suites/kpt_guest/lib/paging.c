// SPDX-License-Identifier: GPL-2.0-only
/* Frames and four-level page tables. Physical memory is mapped one to one. */
#include "paging.h"
#include "report.h"
#include "x86.h"

#define MAPPED_END	(1ul << 30)
#define ENTRIES		512

extern char image_end[];

static u64 next_frame, last_frame;

void *memset(void *to, int byte, size_t size)
{
	void *at = to;

	asm volatile("rep stosb" : "+D"(at), "+c"(size) : "a"(byte) : "memory");
	return to;
}

void *memcpy(void *to, const void *from, size_t size)
{
	void *at = to;

	asm volatile("rep movsb" : "+D"(at), "+S"(from), "+c"(size) :: "memory");
	return to;
}

void paging_init(u64 memory_end)
{
	next_frame = ((u64)image_end + PAGE_SIZE - 1) & -PAGE_SIZE;
	last_frame = (memory_end < MAPPED_END ? memory_end : MAPPED_END) & -PAGE_SIZE;
}

void *alloc_frames(u64 count)
{
	u64 size = PAGE_SIZE, frame;

	while (size < count * PAGE_SIZE)
		size *= 2;
	frame = (next_frame + size - 1) & -size;
	if (frame + size > last_frame)
		abort_run("out of memory: %lu frames, memory ends at %lx", count, last_frame);
	next_frame = frame + size;
	return memset((void *)frame, 0, size);
}

void *alloc_frame(void)
{
	return alloc_frames(1);
}

void *last_page(void)
{
	return (void *)(last_frame - PAGE_SIZE);
}

u64 new_root(void)
{
	u64 *root = alloc_frame();

	root[0] = *(u64 *)(read_cr3() & PT_ADDRESS);
	return (u64)root;
}

static u64 *step(u64 *entry, u64 address, int level)
{
	if (!(*entry & PT_PRESENT))
		*entry = (u64)alloc_frame() | PT_RW | PT_USER;
	return (u64 *)(*entry & PT_ADDRESS) + (address >> (12 + 9 * (level - 1))) % ENTRIES;
}

u64 *entry_of(u64 root, u64 address, int level)
{
	u64 *here = (u64 *)(root & PT_ADDRESS) + (address >> 39) % ENTRIES;
	int at;

	for (at = 3; at >= level; at--)
		here = step(here, address, at);
	return here;
}

u64 *entry(const volatile void *address, int level)
{
	return entry_of(read_cr3(), (u64)address, level);
}

void map(const volatile void *address, const void *frame, u64 flags)
{
	WRITE_ONCE(*entry(address, 1), (u64)frame | flags);
}

void map_large(const volatile void *address, const void *frame, u64 flags)
{
	WRITE_ONCE(*entry(address, 2), (u64)frame | flags | PT_LARGE);
}

u64 set_bits(u64 *entry, u64 bits)
{
	return __atomic_fetch_or(entry, bits, __ATOMIC_SEQ_CST);
}

u64 clear_bits(u64 *entry, u64 bits)
{
	return __atomic_fetch_and(entry, ~bits, __ATOMIC_SEQ_CST);
}
