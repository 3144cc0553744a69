// SPDX-License-Identifier: GPL-2.0-only
/* What KVM promises its guests: the CPUID leaves, hypercalls, the clock. */
#include "lib/kvm.h"
#include "lib/page.h"
#include "lib/report.h"
#include "lib/smp.h"
#include "lib/trap.h"

#define UNKNOWN_CALL	0x6b7074	/* far above any KVM_HC_ number */
#define CLOCK_READS	1000

/* Documentation/virt/kvm/x86/msr.rst, MSR_KVM_SYSTEM_TIME_NEW */
struct clock {
	u32 version, pad;
	u64 tsc, system_time;
	u32 multiplier;
	signed char shift;
	u8 flags, pad2[2];
} __attribute__((packed));

/* A hypercall at CPL 3; its number is rdi. */
asm(".pushsection .user, \"ax\"\n"
    "user_vmcall: mov %rdi, %rax\n"
    "vmcall\n"
    "int $0x80\n"
    "user_vmmcall: mov %rdi, %rax\n"
    "vmmcall\n"
    "int $0x80\n"
    ".popsection\n");
extern const char user_vmcall[], user_vmmcall[], user_code[];

static void test_leaves(void)
{
	u32 last = cpuid(KVM_LEAF_SIGNATURE).a;

	/* Old hosts leave it zero and mean 0x40000001. */
	report(!last || last >= KVM_LEAF_FEATURES, "cpuid: the signature leaf names the last leaf");
	report(kvm_features() & KVM_FEATURE_CLOCKSOURCE2, "cpuid: the features leaf has the clock");
	report_info("features %x", kvm_features());
}

static void test_calls(void)
{
	s64 result = hypercall(KVM_HC_VAPIC_POLL_IRQ, 0, 0);

	report(result == 0, "hypercall: KVM_HC_VAPIC_POLL_IRQ returns 0");
	result = hypercall(UNKNOWN_CALL, 1, 2);
	report(result == -KVM_ENOSYS, "hypercall: an unknown one returns -KVM_ENOSYS");
}

/* The other vendor's instruction: KVM rewrites it in the guest's memory, twice the same way. */
static void test_foreign(void)
{
	s64 (*const foreign)(u64, u64, u64) = on_amd() ? vmcall : vmmcall;
	bool good = true;
	int i;

	for (i = 0; i < 2; i++)
		good &= foreign(UNKNOWN_CALL, 0, 0) == -KVM_ENOSYS;
	report(good, "hypercall: the other vendor's instruction works too");
}

static void test_user(void)
{
	const char *code = (const char *)new_address(PAGE_SIZE);
	struct page stack = new_page(PT_RW | PT_USER);
	const char *call = on_amd() ? user_vmmcall : user_vmcall;
	struct fault fault;
	u64 result = 0;

	map(code, user_code, PT_PRESENT | PT_USER);
	fault = run_user(code + (call - user_code), KVM_HC_VAPIC_POLL_IRQ, (char *)stack.at + PAGE_SIZE, &result);
	report(went_through(fault) && result == -(u64)KVM_EPERM, "hypercall: in user mode it returns -KVM_EPERM");
}

enum { AWAKE, ASLEEP, WOKEN };

static void sleep_until_kicked(void *argument)
{
	u64 *state = argument;

	/* Interrupts off: nothing but the kick ends this. */
	irq_disable();
	WRITE_ONCE(*state, ASLEEP);
	asm volatile("hlt");
	WRITE_ONCE(*state, WOKEN);
	irq_enable();
}

static void test_kick(void)
{
	static u64 state = AWAKE;
	s64 result;

	if (!(kvm_features() & KVM_FEATURE_PV_UNHALT) || cpu_count() < 2) {
		report_skip("hypercall: KVM_HC_KICK_CPU needs the feature and two processors");
		return;
	}
	start_on(1, sleep_until_kicked, &state);
	/* A kick that came earlier would end the sleep it is in now, that of a processor without work. */
	while (READ_ONCE(state) != ASLEEP)
		relax();
	result = hypercall(KVM_HC_KICK_CPU, 0, cpu_apic_id(1));
	wait_for(1);
	report(result == 0 && state == WOKEN, "hypercall: KVM_HC_KICK_CPU wakes a processor that sleeps");
}

static u64 clock_now(const volatile struct clock *clock)
{
	u64 delta, time;
	u32 version;

	do {
		version = clock->version & ~1u;
		barrier();
		delta = rdtsc() - clock->tsc;
		delta = clock->shift < 0 ? delta >> -clock->shift : delta << clock->shift;
		time = clock->system_time + (u64)((unsigned __int128)delta * clock->multiplier >> 32);
		barrier();
	} while (clock->version != version);
	return time;
}

static void test_clock(void)
{
	volatile struct clock *clock = alloc_frame();
	u64 first, last, now, i, backward = 0;

	if (!(kvm_features() & KVM_FEATURE_CLOCKSOURCE2)) {
		report_skip("clock: not offered");
		return;
	}
	wrmsr(MSR_KVM_SYSTEM_TIME_NEW, (u64)clock | 1);
	report(clock->version && !(clock->version & 1) && clock->multiplier, "clock: it is filled in when switched on");
	report(rdmsr(MSR_KVM_SYSTEM_TIME_NEW) == ((u64)clock | 1), "clock: its register reads as written");
	first = last = clock_now(clock);
	for (i = 0; i < CLOCK_READS; i++) {
		now = clock_now(clock);
		backward += now < last;
		last = now;
	}
	report(!backward && last > first, "clock: it goes forward");
	wrmsr(MSR_KVM_SYSTEM_TIME_NEW, 0);
}

void test_main(void)
{
	if (!on_kvm()) {
		report_skip("hypercall: not running on KVM");
		return;
	}
	test_leaves();
	test_calls();
	test_foreign();
	test_user();
	test_kick();
	test_clock();
}
