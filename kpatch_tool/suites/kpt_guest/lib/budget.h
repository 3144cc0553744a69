/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a case repeats it repeats as often as time allows: under emulation, or
 * on a kernel that makes every exit slow, one round may cost as much as a
 * hundred elsewhere, and a case must end within a second all the same.
 */
#ifndef KPT_BUDGET_H
#define KPT_BUDGET_H

#include "x86.h"

#define CASE_CYCLES	500000000ul	/* of the time-stamp counter: 0.1 to 0.5 s */
#define FEWEST_ROUNDS	4		/* however long they take */

/* Whether round @round, of at most @most, of a case that began at @start (rdtsc) is to be. */
static inline bool another(u64 round, u64 most, u64 start)
{
	return round < FEWEST_ROUNDS || (round < most && rdtsc() - start < CASE_CYCLES);
}

#endif
