// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which features guests are offered: a case for each bit, so that one that a
 * patch loses is a case that is gone, and one that it adds a case more.
 */
#include "lib/kvm.h"
#include "lib/report.h"

#define EXTENDED	0x80000000
enum reg { EAX, EBX, ECX, EDX };

/*
 * Those that hold nothing but features. Leaves are named by small numbers: where
 * a large one is in the name of a case, kpt takes others in its place for it.
 */
static const struct {
	u32 leaf, subleaf;
	enum reg reg;
	const char *name;
} features[] = {
	{ 1, 0, ECX, "leaf 1 ecx" },
	{ 1, 0, EDX, "leaf 1 edx" },
	{ 6, 0, EAX, "leaf 6 eax" },
	{ 7, 0, EBX, "leaf 7 ebx" },
	{ 7, 0, ECX, "leaf 7 ecx" },
	{ 7, 0, EDX, "leaf 7 edx" },
	{ 7, 1, EAX, "leaf 7.1 eax" },
	{ 13, 0, EAX, "leaf 13 eax" },
	{ 13, 1, EAX, "leaf 13.1 eax" },
	{ EXTENDED + 1, 0, ECX, "extended leaf 1 ecx" },
	{ EXTENDED + 1, 0, EDX, "extended leaf 1 edx" },
	{ EXTENDED + 7, 0, EDX, "extended leaf 7 edx" },
	{ EXTENDED + 8, 0, EBX, "extended leaf 8 ebx" },
	{ EXTENDED + 10, 0, EDX, "extended leaf 10 edx" },
	{ EXTENDED + 33, 0, EAX, "extended leaf 33 eax" },
	{ KVM_LEAF_FEATURES, 0, EAX, "KVM's leaf 1 eax" },
};

static u32 read(u32 leaf, u32 subleaf, enum reg reg)
{
	u32 r[4];

	asm volatile("cpuid"
		     : "=a"(r[EAX]), "=b"(r[EBX]), "=c"(r[ECX]), "=d"(r[EDX])
		     : "a"(leaf), "c"(subleaf));
	return r[reg];
}

/* The last leaf of its range. KVM's own range once said that it has none. */
static u32 last(u32 leaf)
{
	return leaf == KVM_LEAF_FEATURES ? leaf : cpuid(leaf & EXTENDED).a;
}

void test_main(void)
{
	unsigned int i, bit;

	if (!on_kvm()) {
		report_skip("cpuid: not running on KVM");
		return;
	}
	for (i = 0; i < sizeof(features) / sizeof(*features); i++) {
		u32 value = 0;

		if (features[i].leaf <= last(features[i].leaf))
			value = read(features[i].leaf, features[i].subleaf, features[i].reg);
		for (bit = 0; bit < 32; bit++)
			if (value & 1u << bit)
				report(true, "cpuid: %s has bit %u", features[i].name, bit);
	}
}
