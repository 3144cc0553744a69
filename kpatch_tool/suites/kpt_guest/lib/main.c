// SPDX-License-Identifier: GPL-2.0-only
/* From the boot loader to the test and out again. */
#include "apic.h"
#include "paging.h"
#include "report.h"
#include "smp.h"
#include "trap.h"

#define MULTIBOOT_MEMORY	(1u << 0)
#define MULTIBOOT_ARGUMENTS	(1u << 2)

/* The start of what multiboot 0.6.96 passes in ebx. */
struct multiboot {
	u32 flags;
	u32 memory_low, memory_high;	/* KiB; the latter counts from 1 MiB */
	u32 boot_device;
	u32 arguments;
};

void boot_main(const struct multiboot *boot);

void boot_main(const struct multiboot *boot)
{
	u64 memory = boot->flags & MULTIBOOT_MEMORY ? boot->memory_high : 0;

	console_init();
	traps_init();
	traps_init_cpu(0);
	paging_init((1 << 20) + memory * 1024);
	if (boot->flags & MULTIBOOT_ARGUMENTS)
		set_arguments((const char *)(u64)boot->arguments);
	apic_init();
	smp_init();
	test_main();
	exit_machine(report_summary());
}
