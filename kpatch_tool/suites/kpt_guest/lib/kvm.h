/* SPDX-License-Identifier: GPL-2.0-only */
/* What KVM offers its guests: Documentation/virt/kvm/x86/{cpuid,hypercalls,msr}.rst of the kernel. */
#ifndef KPT_KVM_H
#define KPT_KVM_H

#include "x86.h"

#define KVM_LEAF_SIGNATURE	0x40000000
#define KVM_LEAF_FEATURES	0x40000001
#define KVM_FEATURE_CLOCKSOURCE2 (1u << 3)
#define KVM_FEATURE_STEAL_TIME	(1u << 5)
#define KVM_FEATURE_PV_UNHALT	(1u << 7)
#define KVM_FEATURE_PV_SEND_IPI	(1u << 11)	/* Linux 4.19 and later */

#define KVM_HC_VAPIC_POLL_IRQ	1
#define KVM_HC_KICK_CPU		5
#define KVM_EPERM		1
#define KVM_ENOSYS		1000

#define MSR_KVM_WALL_CLOCK_NEW	0x4b564d00
#define MSR_KVM_SYSTEM_TIME_NEW	0x4b564d01

static inline bool on_kvm(void)
{
	struct cpuid leaf;

	if (!(cpuid(1).c & 1u << 31))		/* no hypervisor at all */
		return false;
	leaf = cpuid(KVM_LEAF_SIGNATURE);
	return leaf.b == 0x4b4d564b && leaf.c == 0x564b4d56 && leaf.d == 0x4d;	/* KVMKVMKVM */
}

static inline u32 kvm_features(void)
{
	return cpuid(KVM_LEAF_FEATURES).a;
}

/*
 * Linux 3.15 does some things wrong that were mended long since: cases about
 * them are skipped there. What tells is a feature that came with 4.19.
 */
static inline bool on_old_kvm(void)
{
	return on_kvm() && !(kvm_features() & KVM_FEATURE_PV_SEND_IPI);
}

static inline bool on_amd(void)
{
	u32 vendor = cpuid(0).b;

	return vendor == 0x68747541 || vendor == 0x6f677948;	/* Auth(enticAMD), Hygo(nGenuine) */
}

static inline s64 vmcall(u64 number, u64 first, u64 second)
{
	s64 result;

	asm volatile("vmcall" : "=a"(result) : "a"(number), "b"(first), "c"(second) : "memory");
	return result;
}

static inline s64 vmmcall(u64 number, u64 first, u64 second)
{
	s64 result;

	asm volatile("vmmcall" : "=a"(result) : "a"(number), "b"(first), "c"(second) : "memory");
	return result;
}

static inline s64 hypercall(u64 number, u64 first, u64 second)
{
	return on_amd() ? vmmcall(number, first, second) : vmcall(number, first, second);
}

#endif
