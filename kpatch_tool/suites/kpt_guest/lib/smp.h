/* SPDX-License-Identifier: GPL-2.0-only */
/* More than one processor. */
#ifndef KPT_SMP_H
#define KPT_SMP_H

#include "types.h"

/* Starts every processor of the machine; they wait for work. */
void smp_init(void);

int cpu_count(void);
int cpu_self(void);
u32 cpu_apic_id(int cpu);

/* Starts @work on another processor and returns at once. */
void start_on(int cpu, void (*work)(void *), void *argument);
/* Waits until that processor has ended its work. */
void wait_for(int cpu);

/* For loops until another processor has done something: lets the others run where they are more than real ones. */
void relax(void);
/* Gives the real processor to another one. It leaves the guest. */
void yield(void);

/* Interrupts the others to run @call there, and waits until all have. */
void call_others(void (*call)(void *), void *argument);

#endif
