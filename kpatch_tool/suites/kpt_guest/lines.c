// SPDX-License-Identifier: GPL-2.0-only
/*
 * Interrupts from outside: lines raised and lowered by the machine's owner, by
 * way of the I/O APIC or the old controller, messages, and eventfds.
 * Documentation/virt/kvm/api.rst (KVM_IRQ_LINE and what follows), Intel's
 * 82093AA and 8259A.
 */
#include "lib/apic.h"
#include "lib/kvm.h"
#include "lib/machine.h"
#include "lib/report.h"
#include "lib/smp.h"
#include "lib/trap.h"

#define IOAPIC		0xfec00000ul
#define IOAPIC_SELECT	0x00
#define IOAPIC_WINDOW	0x10
#define IOAPIC_ID	0
#define IOAPIC_VERSION	1
#define IOAPIC_FIRST	0x10
#define ENTRY_LOGICAL	(1u << 11)
#define ENTRY_PENDING	(1u << 12)
#define ENTRY_REMOTE	(1u << 14)
#define ENTRY_LEVEL	(1u << 15)
#define ENTRY_MASKED	(1u << 16)
#define LINES		24

#define PIC		0x20
#define PIC_DATA	0x21
#define PIC2		0xa0
#define PIC2_DATA	0xa1
#define PIC_EDGES	0x4d0
#define PIC_END		0x20
#define PIC_READ_IRR	0x0a
#define PIC_READ_ISR	0x0b
#define PIC_VECTOR	0x90

#define LINE		5
#define LINE2		11
#define VECTOR		0x51
#define OTHER		0x61
#define MOMENTS		20
#define MANY_MOMENTS	100000
#define MESSAGE_ADDRESS	0xfee00000u

static volatile int came, came_other, came_to_other;
static volatile u8 last;
static bool lowers;	/* whether the handler lowers the line, as a driver does at its device */
static bool ends = true;

static void note(struct trap_frame *frame)
{
	last = frame->vector;
	if (cpu_self())
		__atomic_add_fetch(&came_to_other, 1, __ATOMIC_SEQ_CST);
	else if (frame->vector == OTHER)
		came_other++;
	else
		came++;
	if (lowers)
		set_line(LINE, 0);
	if (ends && frame->vector < PIC_VECTOR)
		apic_write(APIC_EOI, 0);
}

static int took(void)
{
	int i, all;

	irq_enable();
	for (i = 0; i < MOMENTS; i++)
		cpuid(0);
	irq_disable();
	all = came;
	came = 0;
	return all;
}

static u32 ioapic_read(u32 number)
{
	*(volatile u32 *)(IOAPIC + IOAPIC_SELECT) = number;
	return *(volatile u32 *)(IOAPIC + IOAPIC_WINDOW);
}

static void ioapic_write(u32 number, u32 value)
{
	*(volatile u32 *)(IOAPIC + IOAPIC_SELECT) = number;
	*(volatile u32 *)(IOAPIC + IOAPIC_WINDOW) = value;
}

static u32 entry_of_line(u32 line)
{
	return ioapic_read(IOAPIC_FIRST + 2 * line);
}

static void set_entry(u32 line, u32 low, u32 target)
{
	ioapic_write(IOAPIC_FIRST + 2 * line + 1, target << 24);
	ioapic_write(IOAPIC_FIRST + 2 * line, low);
}

static void test_registers(void)
{
	u32 line, wrong = 0;

	report(ioapic_read(IOAPIC_VERSION) >> 16 == LINES - 1, "i/o apic: it has 24 lines");
	for (line = 0; line < LINES; line++)
		set_entry(line, ENTRY_MASKED | ENTRY_LEVEL | (0x50 + line), 0x10 + line);
	for (line = 0; line < LINES; line++) {
		wrong += entry_of_line(line) != (ENTRY_MASKED | ENTRY_LEVEL | (0x50 + line));
		wrong += ioapic_read(IOAPIC_FIRST + 2 * line + 1) != (0x10 + line) << 24;
	}
	report(!wrong, "i/o apic: its entries read as written");
	set_entry(LINE, ENTRY_MASKED | ENTRY_REMOTE | ENTRY_PENDING | VECTOR, 0);
	if (!on_old_kvm())
		report(entry_of_line(LINE) == (ENTRY_MASKED | VECTOR), "i/o apic: what it tells itself cannot be written");
	for (line = 0; line < LINES; line++)
		set_entry(line, ENTRY_MASKED, 0);
}

static void test_edge(void)
{
	int i;

	set_entry(LINE, VECTOR, 0);
	report(!took(), "edge: without one nothing comes");
	set_line(LINE, 1);
	report(took() == 1, "edge: raised, it comes once");
	set_line(LINE, 1);
	i = took();
	if (!on_old_kvm())
		report(!i, "edge: raised as it was, nothing comes");
	set_line(LINE, 0);
	report(!took(), "edge: lowered, nothing comes");
	set_line(LINE, 1);
	report(took() == 1, "edge: raised again, it comes again");
	set_line(LINE, 0);
	set_line(LINE + 1, 1);
	report(!took(), "edge: another line is another entry");
	set_line(LINE + 1, 0);
	set_entry(LINE, ENTRY_MASKED | VECTOR, 0);
	set_line(LINE, 1);
	report(!took(), "edge: masked, nothing comes");
	set_line(LINE, 0);
}

static void test_level(void)
{
	set_entry(LINE, ENTRY_LEVEL | VECTOR, 0);
	lowers = true;
	set_line(LINE, 1);
	report(took() == 1, "level: raised, it comes; lowered before its end, not again");
	report(!(entry_of_line(LINE) & ENTRY_REMOTE), "level: behind its end the entry waits for none");
	lowers = ends = false;
	set_line(LINE, 1);
	report(took() == 1 && entry_of_line(LINE) & ENTRY_REMOTE, "level: until its end the entry says so");
	set_line(LINE, 0);
	set_line(LINE, 1);
	report(!took(), "level: until its end it does not come again");
	ends = lowers = true;
	apic_write(APIC_EOI, 0);
	report(took() == 1, "level: at its end still high, it comes again");
	lowers = false;
	set_entry(LINE, ENTRY_MASKED | ENTRY_LEVEL | VECTOR, 0);
	set_line(LINE, 1);
	report(!took(), "level: masked, nothing comes");
	lowers = true;
	set_entry(LINE, ENTRY_LEVEL | VECTOR, 0);
	report(took() == 1, "level: no longer masked, it comes");
	lowers = false;
	set_entry(LINE, ENTRY_MASKED, 0);
}

static void test_targets(void)
{
	int i;

	if (cpu_count() < 2) {
		report_skip("target: there is one processor");
		return;
	}
	set_entry(LINE, VECTOR, cpu_apic_id(1));
	set_line(LINE, 1);
	set_line(LINE, 0);
	for (i = 0; i < MANY_MOMENTS && !READ_ONCE(came_to_other); i++)
		relax();
	report(took() == 0 && READ_ONCE(came_to_other) == 1, "target: it comes to the processor of the entry");
	set_entry(LINE, VECTOR | ENTRY_LOGICAL, 1);
	apic_write(APIC_FORMAT, 0xffffffff);
	apic_write(APIC_LOGICAL, 1u << 24);
	set_line(LINE, 1);
	set_line(LINE, 0);
	report(took() == 1, "target: it comes to the logical one");
	set_entry(LINE, VECTOR | ENTRY_LOGICAL, 0x80);
	set_line(LINE, 1);
	set_line(LINE, 0);
	report(took() == 0 && READ_ONCE(came_to_other) == 1, "target: it comes to nobody where nobody is named");
	set_entry(LINE, ENTRY_MASKED, 0);
}

static s64 send(u32 address, u32 data)
{
	struct kvm_msi message = { .address_lo = address, .data = data };

	return machine_call(KVM_SIGNAL_MSI, &message);
}

static s64 route(u32 line, u32 vector)
{
	struct {
		struct kvm_irq_routing routing;
		struct kvm_irq_routing_entry entry;
	} table = {
		.routing.nr = 1,
		.entry = { .gsi = line, .type = KVM_IRQ_ROUTING_MSI, .u.msi.address_lo = MESSAGE_ADDRESS, .u.msi.data = vector },
	};

	return machine_call(KVM_SET_GSI_ROUTING, &table);
}

static s64 assign(int event, u32 line, u32 flags)
{
	struct kvm_irqfd call = { .fd = event, .gsi = line, .flags = flags };

	return machine_call(KVM_IRQFD, &call);
}

/* An eventfd's interrupt may take a moment. */
static int took_soon(void)
{
	int i, all = 0;

	for (i = 0; i < MANY_MOMENTS / MOMENTS && !all; i++) {
		yield();
		all += took();
	}
	return all + took();
}

static void test_eventfd(void)
{
	int event = new_event();

	set_entry(LINE, VECTOR, 0);
	report(assign(event, LINE, 0) == 0, "eventfd: assigned to a line");
	report(assign(event, LINE, 0) == -EBUSY, "eventfd: it can be assigned once");
	send_event(event);
	report(took_soon() == 1, "eventfd: a signal is an edge of the line");
	send_event(event);
	report(took_soon() == 1, "eventfd: another one is another edge");
	report(assign(event, LINE, KVM_IRQFD_FLAG_DEASSIGN) == 0, "eventfd: taken away");
	send_event(event);
	yield();
	report(!took(), "eventfd: taken away, nothing comes");
	report(assign(event, LINE, 1u << 31) == -EINVAL, "eventfd: refused with an unknown flag");
	report(assign(-1, LINE, 0) < 0, "eventfd: refused without an eventfd");
	set_entry(LINE, ENTRY_MASKED, 0);
}

static void test_resampled(void)
{
	struct kvm_irqfd call = { .gsi = LINE, .flags = KVM_IRQFD_FLAG_RESAMPLE };

	if (!has_extension(KVM_CAP_IRQFD_RESAMPLE)) {
		report_skip("resampled: not offered");
		return;
	}
	call.fd = new_event();
	call.resamplefd = new_event();
	set_entry(LINE, ENTRY_LEVEL | VECTOR, 0);
	machine_call(KVM_IRQFD, &call);
	ends = false;
	send_event(call.fd);
	report(took_soon() == 1 && take_event(call.resamplefd) == 0, "resampled: a signal raises the line");
	ends = true;
	apic_write(APIC_EOI, 0);
	report(take_event(call.resamplefd) == 1 && !took(), "resampled: its end lowers it, and is told");
	call.flags |= KVM_IRQFD_FLAG_DEASSIGN;
	machine_call(KVM_IRQFD, &call);
	set_entry(LINE, ENTRY_MASKED, 0);
}

static void test_messages(void)
{
	report(send(MESSAGE_ADDRESS, VECTOR) == 1 && took() == 1, "message: it comes, and the sender is told");
	report(send(MESSAGE_ADDRESS | 0x3f000, VECTOR) <= 0 && !took(), "message: for nobody it does not, and the sender is told");
	report(send(MESSAGE_ADDRESS | 0xff000, VECTOR) == cpu_count() && took() == 1, "message: for everybody");
	report(route(30, OTHER) == 0, "message: a line becomes one");
	set_line(30, 1);
	took();
	report(came_other == 1, "message: the line raised, it comes");
	set_line(30, 0);
	took();
	report(came_other == 1, "message: the line lowered, nothing comes");
	set_entry(LINE, VECTOR, 0);
	set_line(LINE, 1);
	report(!took(), "message: lines that the new table does not have go nowhere");
	set_line(LINE, 0);
}

static void pic_start(u16 port, u8 vector, u8 third)
{
	outb(port, 0x11);
	outb(port + 1, vector);
	outb(port + 1, third);
	outb(port + 1, 1);
	outb(port + 1, 0xff);
}

static void pulse(u32 line)
{
	set_line(line, 1);
	set_line(line, 0);
}

/* What the old controller brings, straight into the processor. */
static int took_old(u8 *vector)
{
	int all = took();

	*vector = last;
	return all;
}

static u8 pic_read(u16 port, u8 command)
{
	outb(port, command);
	return inb(port);
}

static void test_old(void)
{
	u8 vector;

	pic_start(PIC, PIC_VECTOR, 4);
	pic_start(PIC2, PIC_VECTOR + 8, 2);
	apic_write(APIC_LINT0, APIC_EXTINT);
	set_line(LINE, 1);
	report(!took() && pic_read(PIC, PIC_READ_IRR) & 1 << LINE, "old controller: masked, a line waits");
	outb(PIC_DATA, 0xff & ~(1 << LINE));
	report(took_old(&vector) == 1 && vector == PIC_VECTOR + LINE, "old controller: no longer masked, it comes");
	report(pic_read(PIC, PIC_READ_ISR) == 1 << LINE && !(pic_read(PIC, PIC_READ_IRR) & 1 << LINE), "old controller: it is in service");
	set_line(LINE, 0);
	pulse(LINE);
	report(!took(), "old controller: in service, it does not come again");
	outb(PIC, PIC_END);
	report(pic_read(PIC, PIC_READ_ISR) == 0, "old controller: behind its end it is not");
	took();
	outb(PIC, PIC_END);
	outb(PIC_DATA, 0);
	set_line(LINE + 1, 1);
	set_line(LINE - 2, 1);
	report(took_old(&vector) == 1 && vector == PIC_VECTOR + LINE - 2, "old controller: of two lines the first comes");
	outb(PIC, PIC_END);
	report(took_old(&vector) == 1 && vector == PIC_VECTOR + LINE + 1, "old controller: behind its end the second one");
	outb(PIC, PIC_END | 0x40 | (LINE + 1));
	report(pic_read(PIC, PIC_READ_ISR) == 0, "old controller: an end by the line's number");
	set_line(LINE + 1, 0);
	set_line(LINE - 2, 0);
	outb(PIC2_DATA, 0xff & ~(1 << (LINE2 - 8)));
	set_line(LINE2, 1);
	report(took_old(&vector) == 1 && vector == PIC_VECTOR + LINE2 && pic_read(PIC, PIC_READ_ISR) == 4 &&
	       pic_read(PIC2, PIC_READ_ISR) == 1 << (LINE2 - 8), "old controller: a line of the second one");
	outb(PIC2, PIC_END);
	outb(PIC, PIC_END);
	report(!took(), "old controller: an edge comes once");
	set_line(LINE2, 0);
	outb(PIC_EDGES + 1, 1 << (LINE2 - 8));
	set_line(LINE2, 1);
	took();
	outb(PIC2, PIC_END);
	outb(PIC, PIC_END);
	report(took() == 1, "old controller: a level comes as long as it is high");
	set_line(LINE2, 0);
	outb(PIC2, PIC_END);
	outb(PIC, PIC_END);
	report(!took(), "old controller: low, it does not");
	report(inb(PIC_EDGES + 1) == 1 << (LINE2 - 8), "old controller: which are levels reads as written");
	outb(PIC_DATA, 0xff);
	outb(PIC2_DATA, 0xff);
	apic_write(APIC_LINT0, APIC_MASKED);
}

void test_main(void)
{
	int vector;

	if (!on_monitor()) {
		report_skip("lines: this machine's owner takes no calls");
		return;
	}
	set_handler(VECTOR, note);
	set_handler(OTHER, note);
	for (vector = PIC_VECTOR; vector < PIC_VECTOR + 16; vector++)
		set_handler(vector, note);
	test_registers();
	test_edge();
	test_level();
	test_targets();
	test_eventfd();
	test_resampled();
	test_old();
	test_messages();
}
