// SPDX-License-Identifier: GPL-2.0-only
/*
 * Machines that come and go: KVM gives back the memory it took for each. A page
 * that stays behind for a machine or a processor is one for each that lives, and
 * what else the kernel does is never as regular.
 */
#include "lib/machine.h"
#include "lib/report.h"

#define FIRST	32		/* fill the kernel's caches */
#define LIVES	96
#define LEAST	(LIVES * 2 / 3)	/* pages: more than the kernel's caches of objects come and go by */

void test_main(void)
{
	s64 before, lost;

	if (!on_monitor()) {
		report_skip("lives: this machine's owner takes no calls");
		return;
	}
	before = call_monitor(CALL_LIVES, 0, FIRST);
	lost = before - call_monitor(CALL_LIVES, 0, LIVES);
	report_info("%ld pages fewer are free after %d machines", lost, LIVES);
	report(lost < LEAST, "lives: no memory stays behind");
}
