// SPDX-License-Identifier: GPL-2.0-only
/*
 * Writes that KVM takes itself instead of leaving the guest: to an eventfd
 * (KVM_IOEVENTFD), or to be told later (KVM_REGISTER_COALESCED_MMIO).
 */
#include "lib/machine.h"
#include "lib/paging.h"
#include "lib/report.h"

#define HERE		(DEVICE_MEMORY + 0x800)
#define PORT		0xee		/* nobody answers there */
#define MARK		0x1234567u
#define RING		((PAGE_SIZE - 8) / sizeof(struct merged))

static struct merged merged[MOST_MERGED];

static void write1(u64 at, u8 value)
{
	*(volatile u8 *)at = value;
}

static void write2(u64 at, u16 value)
{
	*(volatile u16 *)at = value;
}

static void write4(u64 at, u32 value)
{
	*(volatile u32 *)at = value;
}

static void write8(u64 at, u64 value)
{
	*(volatile u64 *)at = value;
}

static s64 assign(int event, u64 address, u32 length, u32 flags, u64 match)
{
	struct kvm_ioeventfd call = { .datamatch = match, .addr = address, .len = length, .fd = event, .flags = flags };

	return machine_call(KVM_IOEVENTFD, &call);
}

/* Whether the event was counted @count times, and @left accesses left the guest. */
static bool counted(int event, s64 count, s64 left)
{
	bool good = take_event(event) == count;

	return (exits() == left) && good;
}

static void test_any_value(int event)
{
	report(assign(event, HERE, 4, 0, 0) == 0, "event: assigned to an address");
	exits();
	write4(HERE, 0);
	write4(HERE, MARK);
	report(counted(event, 2, 0), "event: any value is counted, and does not leave the guest");
	write4(HERE + 4, 0);
	write4(HERE - 4, 0);
	report(counted(event, 0, 2), "event: its neighbours are not");
	write2(HERE, 0);
	write1(HERE, 0);
	report(counted(event, 0, 2), "event: another length is not");
	report(*(volatile u32 *)(HERE + 8) != 1 && counted(event, 0, 1), "event: a read is not");
	report(assign(event, HERE, 4, 0, 0) == -EEXIST, "event: the address can be had once");
	report(assign(event, HERE, 4, KVM_IOEVENTFD_FLAG_DEASSIGN, 0) == 0, "event: taken away");
	write4(HERE, MARK);
	report(counted(event, 0, 1), "event: taken away, the write leaves the guest");
	report(assign(event, HERE, 4, KVM_IOEVENTFD_FLAG_DEASSIGN, 0) == -ENOENT, "event: it cannot be taken away twice");
}

static void test_one_value(int event, int other)
{
	u32 match = KVM_IOEVENTFD_FLAG_DATAMATCH;

	assign(event, HERE, 2, match, 0x1234);
	report(assign(event, HERE, 2, match, 0x1234) == -EEXIST, "value: it can be had once");
	report(assign(other, HERE, 2, match, 0x1235) == 0, "value: another one of the same address");
	exits();
	write2(HERE, 0x1234);
	report(counted(event, 1, 0) && take_event(other) == 0, "value: it is counted");
	write2(HERE, 0x1235);
	report(counted(other, 1, 0) && take_event(event) == 0, "value: the other one is the other's");
	write2(HERE, 0x34);
	write2(HERE, 0x1236);
	report(counted(event, 0, 2), "value: any other leaves the guest");
	report(assign(other, HERE, 2, match | KVM_IOEVENTFD_FLAG_DEASSIGN, 0x1234) == -ENOENT, "value: taken away only with its own event");
	assign(event, HERE, 2, match | KVM_IOEVENTFD_FLAG_DEASSIGN, 0x1234);
	exits();
	write2(HERE, 0x1234);
	write2(HERE, 0x1235);
	report(counted(other, 1, 1), "value: one taken away, the other one stays");
	assign(other, HERE, 2, match | KVM_IOEVENTFD_FLAG_DEASSIGN, 0x1235);
	assign(event, HERE, 8, match, 0x100000001);
	exits();
	write8(HERE, 0x200000001);
	write8(HERE, 0x100000001);
	report(counted(event, 1, 1), "value: all of eight bytes count");
	assign(event, HERE, 8, match | KVM_IOEVENTFD_FLAG_DEASSIGN, 0x100000001);
}

static void test_port(int event)
{
	u32 flags = KVM_IOEVENTFD_FLAG_PIO;

	assign(event, PORT, 1, flags, 0);
	exits();
	outb(PORT, 7);
	report(counted(event, 1, 0), "port: a byte written to it is counted");
	outb(PORT + 1, 7);
	outw(PORT, 7);
	report(counted(event, 0, 2), "port: another port or length is not");
	inb(PORT);
	report(counted(event, 0, 1), "port: a read is not");
	write1(PORT + DEVICE_MEMORY, 1);
	report(counted(event, 0, 1), "port: memory is not");
	assign(event, PORT, 1, flags | KVM_IOEVENTFD_FLAG_DEASSIGN, 0);
	exits();
	outb(PORT, 7);
	report(counted(event, 0, 1), "port: taken away, a byte leaves the guest");
}

static void test_refused(int event)
{
	report(assign(event, HERE, 3, 0, 0) == -EINVAL, "refused: three bytes");
	report(assign(event, HERE, 16, 0, 0) == -EINVAL, "refused: sixteen bytes");
	report(assign(event, -2ul, 4, 0, 0) == -EINVAL, "refused: around the end of all addresses");
	report(assign(event, HERE, 4, 1u << 31, 0) == -EINVAL, "refused: an unknown flag");
	report(assign(-1, HERE, 4, 0, 0) < 0, "refused: no eventfd");
}

static s64 zone(u32 call, u64 address, u32 size)
{
	struct kvm_coalesced_mmio_zone zone = { .addr = address, .size = size };

	return machine_call(call, &zone);
}

static s64 take_merged(void)
{
	return call_monitor(CALL_MERGED, 0, (u64)merged);
}

static bool was(const struct merged *one, u64 address, u32 length, u32 value)
{
	return one->address == address && one->length == length && *(const u32 *)one->data == value;
}

/* Each access that leaves the guest empties nothing: the monitor takes them when it is asked. */
static void test_merged(void)
{
	u64 i, wrong = 0;
	s64 left, count;

	report(zone(KVM_REGISTER_COALESCED_MMIO, HERE, 16) == 0, "merged: a zone");
	exits();
	write4(HERE, MARK);
	write4(HERE + 12, MARK + 1);
	report(exits() == 0 && take_merged() == 2 && was(&merged[0], HERE, 4, MARK) && was(&merged[1], HERE + 12, 4, MARK + 1),
	       "merged: writes do not leave the guest, and are told in their order");
	write4(HERE - 4, 0);
	write4(HERE + 16, 0);
	write4(HERE - 2, 0);
	write4(HERE + 14, 0);
	report(exits() == 4 && take_merged() == 0, "merged: before, behind and across the ends they leave the guest");
	report(*(volatile u32 *)HERE != MARK && exits() == 1, "merged: a read leaves the guest");
	for (i = 0; i < RING + 3; i++)
		write1(HERE, i);
	left = exits();
	count = take_merged();
	for (i = 0; i < (u64)count; i++)
		wrong += merged[i].data[0] != (u8)i;
	/* Before Linux 6.11 it may be called full when it is not. */
	report(count > 0 && count < (s64)RING && count + left == (s64)RING + 3 && !wrong, "merged: full, the rest leaves the guest");
	write1(HERE, 77);
	report(exits() == 0 && take_merged() == 1 && merged[0].data[0] == 77, "merged: emptied, it goes on");
	report(zone(KVM_UNREGISTER_COALESCED_MMIO, HERE, 16) == 0, "merged: the zone ends");
	write4(HERE, MARK);
	report(exits() == 1 && take_merged() == 0, "merged: ended, writes leave the guest");
}

void test_main(void)
{
	int event, other;

	if (!on_monitor()) {
		report_skip("signals: this machine's owner takes no calls");
		return;
	}
	event = new_event();
	other = new_event();
	test_any_value(event);
	test_one_value(event, other);
	test_port(event);
	test_refused(event);
	if (has_extension(KVM_CAP_COALESCED_MMIO))
		test_merged();
	else
		report_skip("merged: not offered");
}
