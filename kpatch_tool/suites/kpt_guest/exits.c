// SPDX-License-Identifier: GPL-2.0-only
/*
 * What leaving the guest, and changing page tables, costs: one line "name
 * cycles" a kind. The cases say that each kind ran and gave what it should.
 */
#include "lib/kvm.h"
#include "lib/page.h"
#include "lib/report.h"
#include "lib/smp.h"
#include "lib/trap.h"

#define BUDGET		20000000ul	/* cycles a kind may take, about */
#define FEWEST		16
#define UNUSED_PORT	0xee		/* nobody answers there */
#define MSR_SYSENTER_CS	0x174		/* kept for the guest, or intercepted */

static struct page page;
static u64 *frames[2];

static bool run_cpuid(u64 i)
{
	static u32 first;
	u32 now = cpuid(1).a;

	if (!i)
		first = now;
	return now == first;
}

static bool run_inb(u64 i)
{
	(void)i;
	return inb(UNUSED_PORT) == 0xff;
}

static bool run_rdmsr(u64 i)
{
	(void)i;
	return rdmsr(MSR_EFER) & 1ul << 10;	/* long mode is on */
}

static bool run_wrmsr(u64 i)
{
	wrmsr(MSR_SYSENTER_CS, i & 0xfff8);
	return rdmsr(MSR_SYSENTER_CS) == (i & 0xfff8);
}

static bool run_hypercall(u64 i)
{
	(void)i;
	return hypercall(KVM_HC_VAPIC_POLL_IRQ, 0, 0) == 0;
}

static bool run_invlpg(u64 i)
{
	(void)i;
	invlpg(page.at);
	return went_through(try_read(page.at, NULL));
}

static bool run_cr3(u64 i)
{
	(void)i;
	flush_by_cr3();
	return went_through(try_read(page.at, NULL));
}

static bool run_remap(u64 i)
{
	map(page.at, frames[i % 2], PT_RW);
	invlpg(page.at);
	return *page.at == i % 2;
}

static bool run_write_fault(u64 i)
{
	if (!i) {
		clear_bits(page.entry, PT_WRITE);
		invlpg(page.at);
	}
	return page_fault(try_write(page.at, 1), PF_PRESENT | PF_WRITE);
}

static void nothing(void *argument)
{
	WRITE_ONCE(*(bool *)argument, true);
}

static bool run_ipi(u64 i)
{
	bool done = false;

	(void)i;
	call_others(nothing, &done);
	return done;
}

struct kind {
	const char *name;
	bool (*run)(u64 i);	/* the i-th time; says whether it went right */
	const char *need;	/* "kvm", "smp" */
};

static const struct kind kinds[] = {
	{ "cpuid", run_cpuid, "" },
	{ "inb", run_inb, "" },
	{ "rdmsr", run_rdmsr, "" },
	{ "wrmsr", run_wrmsr, "" },
	{ "hypercall", run_hypercall, "kvm" },
	{ "ipi", run_ipi, "smp" },
	{ "invlpg", run_invlpg, "" },
	{ "cr3", run_cr3, "" },
	{ "remap", run_remap, "" },
	{ "write_fault", run_write_fault, "" },
};

static bool can_run(const struct kind *kind)
{
	if (kind->need[0] == 'k')
		return on_kvm();
	return kind->need[0] != 's' || cpu_count() > 1;
}

/* Again and again, until it has taken enough time to be told from noise. */
static void measure(const struct kind *kind)
{
	u64 start = rdtsc(), now = start, count = 0, wrong = 0;

	while (count < FEWEST || now - start < BUDGET) {
		wrong += !kind->run(count++);
		if (count % FEWEST == 0)
			now = rdtsc();
	}
	print("%s %lu\n", kind->name, (now - start) / count);
	report(!wrong, "exits: %s", kind->name);
}

void test_main(void)
{
	const struct kind *kind;
	int i;

	page = new_page(PT_RW);
	for (i = 0; i < 2; i++) {
		frames[i] = alloc_frame();
		*frames[i] = i;
	}
	for (kind = kinds; kind < kinds + ARRAY_SIZE(kinds); kind++) {
		if (!asked_for(kind->name))
			continue;
		if (can_run(kind))
			measure(kind);
		else
			report_skip("exits: %s", kind->name);
	}
}
