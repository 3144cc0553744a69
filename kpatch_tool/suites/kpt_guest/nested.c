// SPDX-License-Identifier: GPL-2.0-only
/*
 * A guest of the guest (AMD's SVM): what ends it and what does not, what it
 * begins with and leaves, which interrupts are whose. AMD64 Architecture
 * Programmer's Manual 2, chapter 15.
 */
#include "lib/apic.h"
#include "lib/kvm.h"
#include "lib/page.h"
#include "lib/report.h"
#include "lib/svm.h"
#include "lib/trap.h"
#include "lib/x86.h"

#define VECTOR		0x51
#define PORT		0xee		/* nobody answers there */
#define MSR_SYSENTER_ESP 0x175
#define BREAKPOINTS_OFF	0x400
#define DR6_FIXED	0xffff0ff0
#define DR7_GUEST	0xa0700		/* conditions of a breakpoint that is not enabled */
#define DR7_HOST	0x90500
#define RFLAGS_IF	(1ul << 9)
#define FAR_TSC		(1ul << 44)
#define NEAR_TSC	(1ul << 40)
#define MARK		0x1234567

static volatile int came;

static void note(struct trap_frame *frame)
{
	(void)frame;
	came++;
	apic_write(APIC_EOI, 0);
}

static void note_exception(struct trap_frame *frame)
{
	(void)frame;
	came++;
}

/* What the guest does; each but for what ends it before ends with vmmcall. */
#define GUEST(label, text)					\
	asm(".pushsection .text\n"				\
	    "guest_" #label ":	" text "\n"			\
	    "	vmmcall\n"					\
	    "	ud2\n"						\
	    ".popsection\n");					\
	extern const char guest_##label[];

GUEST(nothing, "nop")
GUEST(cpuid, "xor %eax, %eax; cpuid")
GUEST(hlt, "hlt")
GUEST(rdtsc, "rdtsc; mov %eax, %ebx; mov %edx, %ecx")
GUEST(pause, "pause")
GUEST(invlpg, "invlpg guest_invlpg(%rip)")
GUEST(pushf, "pushfq")
GUEST(popf, "pushq $2; popfq")
GUEST(wbinvd, "wbinvd")
GUEST(sgdt, "sub $16, %rsp; sgdt (%rsp)")
GUEST(sidt, "sub $16, %rsp; sidt (%rsp)")
GUEST(sldt, "sldt %eax")
GUEST(str, "str %eax")
GUEST(read_cr0, "mov %cr0, %rbx")
GUEST(write_cr0, "mov vmcb + 0x558(%rip), %rbx; mov %rbx, %cr0")
GUEST(read_cr3, "mov %cr3, %rbx")
GUEST(write_cr3, "mov vmcb + 0x550(%rip), %rbx; mov %rbx, %cr3")
GUEST(read_cr4, "mov %cr4, %rbx")
GUEST(write_cr4, "mov vmcb + 0x548(%rip), %rbx; mov %rbx, %cr4")
GUEST(read_dr0, "mov %dr0, %rbx")
GUEST(write_dr0, "xor %ebx, %ebx; mov %rbx, %dr0")
GUEST(read_dr7, "mov %dr7, %rbx")
GUEST(write_dr7, "mov $0x400, %ebx; mov %rbx, %dr7")
GUEST(vmload, "mov vmcb_address(%rip), %rax; vmload %rax")
GUEST(vmsave, "mov vmcb_address(%rip), %rax; vmsave %rax")
GUEST(int, "int $0x51")
GUEST(inb, "mov $0xee, %edx; inb %dx, %al")
GUEST(outb, "mov $0xee, %edx; outb %al, %dx")
GUEST(outw, "mov $0xed, %edx; outw %ax, %dx")
GUEST(rdmsr, "mov $0x175, %ecx; rdmsr; mov %eax, %ebx")
GUEST(wrmsr, "mov $0x175, %ecx; xor %edx, %edx; mov $0x1234567, %eax; wrmsr")
GUEST(rdmsr_high, "mov $0xc0000082, %ecx; rdmsr")
GUEST(ud, "ud2")
GUEST(read_absent, "mov guest_address(%rip), %rbx; mov (%rbx), %rax")
GUEST(write, "mov guest_address(%rip), %rbx; movq $0x1234567, (%rbx)")
GUEST(registers, "sub $24, %rsp; mov $0x1234567, %eax; mov $0x246, %ebx; push %rbx; popfq")
GUEST(segments, "xor %ebx, %ebx; mov %ebx, %ds")
GUEST(debug_read, "mov %dr6, %rbx; mov %dr7, %rcx")
GUEST(debug_write, "mov $0xffff4ff0, %ebx; mov %rbx, %dr6; mov $0x60700, %ebx; mov %rbx, %dr7; xor %eax, %eax; cpuid")
GUEST(open, "sti; nop; nop; nop; xor %eax, %eax; cpuid; cli")
GUEST(cr8, "mov %cr8, %rbx; mov $7, %eax; mov %rax, %cr8")

extern const struct vmcb *const vmcb_address;
const struct vmcb *const vmcb_address = &vmcb;
volatile u64 *guest_address;

struct intercept {
	const char *name;
	const char *code;
	u16 cr_read, cr_write, dr_read, dr_write;
	u32 intercepts, intercepts2;
	u64 exit_code;
	bool must;		/* else it goes on forever, or does what must not be */
	bool emulated;		/* KVM carries it out itself where it is not intercepted */
};

#define FIRST(bit)	.intercepts = 1u << (bit), .exit_code = EXIT_INSTRUCTION + (bit)
#define SECOND(bit)	.intercepts2 = 1u << (bit), .exit_code = EXIT_INSTRUCTION2 + (bit)

static const struct intercept intercepts[] = {
	{ "cpuid", guest_cpuid, FIRST(18) },
	{ "hlt", guest_hlt, FIRST(24), .must = true },
	{ "rdtsc", guest_rdtsc, FIRST(14) },
	{ "pause", guest_pause, FIRST(23) },
	{ "invlpg", guest_invlpg, FIRST(25), .emulated = true },
	{ "pushf", guest_pushf, FIRST(16) },
	{ "popf", guest_popf, FIRST(17) },
	{ "int", guest_int, FIRST(21), .must = true },
	{ "sidt", guest_sidt, FIRST(6) },
	{ "sgdt", guest_sgdt, FIRST(7) },
	{ "sldt", guest_sldt, FIRST(8) },
	{ "str", guest_str, FIRST(9) },
	{ "vmload", guest_vmload, SECOND(2), .must = true },	/* it ends always in QEMU 7.2 */
	{ "vmsave", guest_vmsave, SECOND(3), .must = true },
	{ "wbinvd", guest_wbinvd, SECOND(9), .emulated = true },
	{ "read of cr0", guest_read_cr0, .cr_read = 1 << 0, .exit_code = EXIT_CR_READ, .emulated = true },
	{ "write of cr0", guest_write_cr0, .cr_write = 1 << 0, .exit_code = EXIT_CR_WRITE, .emulated = true },
	{ "read of cr3", guest_read_cr3, .cr_read = 1 << 3, .exit_code = EXIT_CR_READ + 3, .emulated = true },
	{ "write of cr3", guest_write_cr3, .cr_write = 1 << 3, .exit_code = EXIT_CR_WRITE + 3, .emulated = true },
	{ "read of cr4", guest_read_cr4, .cr_read = 1 << 4, .exit_code = EXIT_CR_READ + 4, .emulated = true },
	{ "write of cr4", guest_write_cr4, .cr_write = 1 << 4, .exit_code = EXIT_CR_WRITE + 4, .emulated = true },
	{ "read of dr0", guest_read_dr0, .dr_read = 1 << 0, .exit_code = EXIT_DR_READ },
	{ "write of dr0", guest_write_dr0, .dr_write = 1 << 0, .exit_code = EXIT_DR_WRITE },
	{ "read of dr7", guest_read_dr7, .dr_read = 1 << 7, .exit_code = EXIT_DR_READ + 7 },
	{ "write of dr7", guest_write_dr7, .dr_write = 1 << 7, .exit_code = EXIT_DR_WRITE + 7 },
};

static void test_intercept(const struct intercept *row)
{
	guest_at(row->code);
	vmcb.cr_read = row->cr_read;
	vmcb.cr_write = row->cr_write;
	vmcb.dr_read = row->dr_read;
	vmcb.dr_write = row->dr_write;
	vmcb.intercepts |= row->intercepts;
	vmcb.intercepts2 |= row->intercepts2;
	report(guest_run() == row->exit_code, "intercepted: %s", row->name);
	if (row->emulated && on_old_kvm())	/* it never comes to the end of it */
		report_skip("not intercepted: %s", row->name);
	else if (!row->must)
		report(guest_run_at(row->code) == EXIT_VMMCALL, "not intercepted: %s", row->name);
}

static void test_begin_and_end(void)
{
	u64 ended = guest_run_at(guest_registers);

	report(ended == EXIT_VMMCALL, "guest: it ends by vmmcall");
	report(vmcb.rax == MARK && left_rbx == 0x246 && vmcb.rflags == 0x246, "guest: its registers are as it left them");
	report(*(const u32 *)vmcb.rip == 0x0fd9010f, "guest: it ended at the instruction");	/* vmmcall, and ud2's first byte */
	if (cpuid(LEAF_SVM).d & SVM_NEXT_RIP)
		report(vmcb.next_rip == vmcb.rip + 3, "guest: the next instruction's address");
	guest_at(guest_segments);
	guest_run();
	report(vmcb.ds.selector == 0 && vmcb.cs.selector == KERNEL_CS && vmcb.cpl == 0, "guest: its segments are as it left them");
	report(vmcb.cr3 == read_cr3() && vmcb.cr0 == read_cr0() && vmcb.efer == rdmsr(MSR_EFER),
	       "guest: its control registers are as it left them");
	guest_at(guest_nothing);
	vmcb.asid = 0;
	report((u32)guest_run() == EXIT_INVALID, "invalid: no address space");
	guest_at(guest_nothing);
	vmcb.intercepts2 &= ~ON_VMRUN;
	report((u32)guest_run() == EXIT_INVALID, "invalid: vmrun not intercepted");
	report(guest_run_at(guest_nothing) == EXIT_VMMCALL, "invalid: made good, it runs");
}

static void set_bit(u8 *map, u64 bit)
{
	map[bit / 8] |= 1 << bit % 8;
}

static void test_ports(void)
{
	u64 ended, distance = on_old_kvm() ? 8 : 1;	/* it takes every bit of the map's byte */

	guest_at(guest_outb);
	vmcb.intercepts |= ON_PORT;
	set_bit(port_map, PORT - distance);
	set_bit(port_map, PORT + distance);
	ended = guest_run();
	report(ended == EXIT_VMMCALL, "ports: one that is not asked for does not end it");
	guest_at(guest_inb);
	vmcb.intercepts |= ON_PORT;
	set_bit(port_map, PORT);
	ended = guest_run();
	report(ended == EXIT_PORT && vmcb.exit_info1 >> 16 == PORT && (vmcb.exit_info1 & 0x75) == 0x11,
	       "ports: one that is asked for ends it, and is told with size and direction");
	report(vmcb.exit_info2 == vmcb.rip + 1, "ports: the next instruction's address");
	guest_at(guest_outw);
	vmcb.intercepts |= ON_PORT;
	set_bit(port_map, PORT);
	ended = guest_run();
	report(ended == EXIT_PORT && (vmcb.exit_info1 & 0x75) == 0x20, "ports: a word ends it by its second port, too");
	guest_at(guest_outb);
	set_bit(port_map, PORT);
	report(guest_run() == EXIT_VMMCALL, "ports: without the intercept the map says nothing");
}

static u64 run_with_msr_bit(const char *code, u64 bit)
{
	guest_at(code);
	vmcb.intercepts |= ON_MSR;
	set_bit(msr_map, bit);
	return guest_run();
}

static void test_msrs(void)
{
	wrmsr(MSR_SYSENTER_ESP, 0);
	report(run_with_msr_bit(guest_rdmsr, 2 * MSR_SYSENTER_ESP) == EXIT_MSR && vmcb.exit_info1 == 0,
	       "msr: a read that is asked for ends it");
	report(run_with_msr_bit(guest_rdmsr, 2 * MSR_SYSENTER_ESP + 1) == EXIT_VMMCALL,
	       "msr: where writes are asked for, a read does not");
	report(run_with_msr_bit(guest_wrmsr, 2 * MSR_SYSENTER_ESP + 1) == EXIT_MSR && vmcb.exit_info1 == 1 && !rdmsr(MSR_SYSENTER_ESP),
	       "msr: a write that is asked for ends it, undone");
	report(run_with_msr_bit(guest_wrmsr, 2 * MSR_SYSENTER_ESP) == EXIT_VMMCALL && rdmsr(MSR_SYSENTER_ESP) == MARK,
	       "msr: where reads are asked for, a write does not");
	report(run_with_msr_bit(guest_rdmsr_high, 8 * 2048 + 2 * 0x82) == EXIT_MSR, "msr: the second range has its own bits");
	report(run_with_msr_bit(guest_rdmsr_high, 2 * 0x82) == EXIT_VMMCALL, "msr: the first range says nothing of the second");
}

static void test_exceptions(void)
{
	struct page page = new_page(PT_PRESENT);
	u64 ended;

	guest_at(guest_ud);
	vmcb.exceptions = 1u << VECTOR_UD;
	report(guest_run() == EXIT_EXCEPTION + VECTOR_UD && vmcb.rip == (u64)guest_ud, "exception: an undefined instruction ends it");
	guest_address = page.at;
	guest_at(guest_write);
	vmcb.exceptions = 1u << VECTOR_PF;
	ended = guest_run();
	report(ended == EXIT_EXCEPTION + VECTOR_PF && vmcb.exit_info1 == (PF_PRESENT | PF_WRITE) && vmcb.exit_info2 == (u64)page.at,
	       "exception: a page fault ends it, and is told with error and address");
	guest_address = new_address(PAGE_SIZE);
	guest_at(guest_read_absent);
	vmcb.exceptions = 1u << VECTOR_PF;
	ended = guest_run();
	report(ended == EXIT_EXCEPTION + VECTOR_PF && vmcb.exit_info1 == 0 && vmcb.exit_info2 == (u64)guest_address,
	       "exception: a page that is not there");
	set_bits(page.entry, PT_WRITE);
	invlpg(page.at);
	guest_address = page.at;
	report(guest_run_at(guest_write) == EXIT_VMMCALL && *page.frame == MARK, "exception: writable, the write goes through");
}

static u64 read_dr7(void)
{
	u64 value;

	asm volatile("mov %%dr7, %0" : "=r"(value));
	return value;
}

static void write_dr7(u64 value)
{
	asm volatile("mov %0, %%dr7" :: "r"(value));
}

static void test_debug_registers(void)
{
	guest_at(guest_debug_read);
	vmcb.dr6 = DR6_FIXED | 0x4000;
	vmcb.dr7 = DR7_GUEST;
	guest_run();
	report(left_rbx == (DR6_FIXED | 0x4000), "debug registers: dr6 is the guest's own");
	report(left_rcx == DR7_GUEST, "debug registers: dr7 is the guest's own");
	report(vmcb.dr6 == (DR6_FIXED | 0x4000) && vmcb.dr7 == DR7_GUEST, "debug registers: only looked at, they are as before");
	write_dr7(DR7_HOST);
	guest_run_at(guest_debug_write);
	report(vmcb.dr6 == 0xffff4ff0, "debug registers: dr6 is as the guest left it");
	report(vmcb.dr7 == 0x60700, "debug registers: dr7 is as the guest left it");
	if (on_kvm() && !on_old_kvm())	/* QEMU brings the host's back */
		report(read_dr7() == BREAKPOINTS_OFF, "debug registers: behind the guest all breakpoints are off");
}

static void test_time(void)
{
	u64 before = rdtsc(), now;

	guest_at(guest_rdtsc);
	vmcb.tsc_offset = FAR_TSC;
	guest_run();
	now = left_rbx | left_rcx << 32;
	report(now - before > FAR_TSC && now - before < FAR_TSC + NEAR_TSC, "time: it has the offset the block says");
	report(rdtsc() - before < NEAR_TSC, "time: the host's is as before");
}

static void take(void)
{
	irq_enable();
	cpuid(0);
	cpuid(0);
	irq_disable();
}

static void ask(u32 command)
{
	apic_command(command | VECTOR, 0);
}

static void test_interrupts(void)
{
	came = 0;
	guest_at(guest_open);
	vmcb.intercepts |= ON_INTERRUPT;
	vmcb.virtual = VIRTUAL_MASKING;
	ask(TO_SELF | COMMAND_FIXED);
	report(guest_run() == EXIT_INTERRUPT && !came, "interrupt: the host's ends the guest");
	take();
	report(came == 1, "interrupt: the host takes it then");
	report(guest_run() == EXIT_VMMCALL && came == 1, "interrupt: taken, the guest goes on to its end");
	came = 0;
	guest_at(guest_open);
	ask(TO_SELF | COMMAND_FIXED);
	report(guest_run() == EXIT_VMMCALL && came == 1, "interrupt: not intercepted, the guest takes it");
	came = 0;
	guest_at(guest_nothing);
	vmcb.intercepts |= ON_NMI;
	apic_command(TO_SELF | COMMAND_NMI, 0);
	report(came == 1, "interrupt: an nmi before the guest is the host's");
}

static void test_global_flag(void)
{
	came = 0;
	ask(TO_SELF | COMMAND_FIXED);
	asm volatile("clgi; sti");
	cpuid(0);
	report(!came, "global interrupt flag: clear, no interrupt comes");
	asm volatile("stgi");
	cpuid(0);
	irq_disable();
	report(came == 1, "global interrupt flag: set, it comes");
	if (on_old_kvm()) {	/* it steps over the code until the flag is set, and lets the guest see that */
		report_skip("global interrupt flag: an nmi");
		return;
	}
	came = 0;
	asm volatile("clgi");
	apic_command(TO_SELF | COMMAND_NMI, 0);
	cpuid(0);
	report(!came, "global interrupt flag: clear, no nmi comes");
	asm volatile("stgi");
	cpuid(0);
	report(came == 1, "global interrupt flag: set, the nmi comes");
}

static void test_virtual_interrupt(void)
{
	u64 ended;

	came = 0;
	guest_at(guest_open);
	vmcb.virtual = VIRTUAL_IRQ | VIRTUAL_MASKING | VIRTUAL_PRIORITY(5) | VIRTUAL_VECTOR(VECTOR);
	ended = guest_run();
	report(ended == EXIT_VMMCALL && came == 1 && !(vmcb.virtual & VIRTUAL_IRQ), "virtual interrupt: the guest takes it, once");
	came = 0;
	guest_at(guest_nothing);
	vmcb.virtual = VIRTUAL_IRQ | VIRTUAL_MASKING | VIRTUAL_PRIORITY(5) | VIRTUAL_VECTOR(VECTOR);
	ended = guest_run();
	report(ended == EXIT_VMMCALL && !came && vmcb.virtual & VIRTUAL_IRQ, "virtual interrupt: with interrupts off it waits");
	guest_at(guest_open);
	vmcb.virtual = VIRTUAL_IRQ | VIRTUAL_MASKING | VIRTUAL_PRIORITY(5) | VIRTUAL_VECTOR(VECTOR) | 9;
	ended = guest_run();
	report(ended == EXIT_VMMCALL && !came && vmcb.virtual & VIRTUAL_IRQ, "virtual interrupt: the guest's task priority holds it back");
	guest_at(guest_open);
	vmcb.intercepts |= ON_VIRTUAL_INTERRUPT;
	vmcb.virtual = VIRTUAL_IRQ | VIRTUAL_MASKING | VIRTUAL_PRIORITY(5) | VIRTUAL_VECTOR(VECTOR);
	report(guest_run() == EXIT_VIRTUAL_INTERRUPT && !came, "virtual interrupt: intercepted, it ends the guest");
	if (on_old_kvm()) {
		report_skip("virtual interrupt: cr8");
		return;
	}
	write_cr8(3);
	guest_at(guest_cr8);
	vmcb.virtual = VIRTUAL_MASKING | 5;
	guest_run();
	report(left_rbx == 5 && (vmcb.virtual & VIRTUAL_TPR) == 7, "virtual interrupt: cr8 is the guest's own");
	report(read_cr8() == 3, "virtual interrupt: the host's cr8 is as before");
	write_cr8(0);
}

static void test_injection(void)
{
	came = 0;
	guest_at(guest_nothing);
	vmcb.inject = INJECT_INTERRUPT | VECTOR;
	report(guest_run() == EXIT_VMMCALL && came == 1, "injection: an interrupt comes before the first instruction");
	came = 0;
	guest_at(guest_nothing);
	vmcb.inject = INJECT_EXCEPTION | VECTOR_UD;
	report(guest_run() == EXIT_VMMCALL && came == 1, "injection: an exception comes before the first instruction");
	guest_run_at(guest_nothing);
	report(came == 1, "injection: it comes once");
}

static void test_load_and_save(void)
{
	guest_at(guest_nothing);
	wrmsr(MSR_KERNEL_GS, 0x1234000);
	asm volatile("vmsave %%rax" :: "a"(&vmcb) : "memory");
	report(vmcb.kernel_gs == 0x1234000 && vmcb.star == rdmsr(MSR_STAR) && vmcb.tr.selector == FIRST_TSS,
	       "vmsave: it writes the hidden state");
	vmcb.kernel_gs = 0x5678000;
	asm volatile("vmload %%rax" :: "a"(&vmcb) : "memory");
	report(rdmsr(MSR_KERNEL_GS) == 0x5678000, "vmload: it reads the hidden state");
	wrmsr(MSR_KERNEL_GS, 0);
}

/* Tables like the host's, but a root of their own, and all of it for users, as nested paging wants it. */
static u64 nested_tables(const struct page *page, u64 **entry)
{
	u64 *root = alloc_frame(), address;

	for (address = 0; address < 16ul << 20; address += PAGE_SIZE)
		*entry_of((u64)root, address, 1) = address | PT_RW | PT_USER;
	*entry = entry_of((u64)root, (u64)page->frame, 1);
	return (u64)root;
}

static u64 run_nested(const char *code, u64 root)
{
	guest_at(code);
	vmcb.nested_paging = 1;
	vmcb.nested_root = root;
	vmcb.flush = 1;
	return guest_run();
}

static void test_nested_paging(void)
{
	struct page page = new_page(PT_RW);
	u64 *other = alloc_frame(), *entry, root;

	if (!(cpuid(LEAF_SVM).d & SVM_NESTED_PAGING)) {
		report_skip("nested paging: not offered");
		return;
	}
	root = nested_tables(&page, &entry);
	guest_address = page.at;
	report(run_nested(guest_write, root) == EXIT_VMMCALL && *page.frame == MARK, "nested paging: a write reaches its page");
	clear_bits(entry, PT_WRITE);
	report(run_nested(guest_write, root) == EXIT_NESTED_FAULT && (vmcb.exit_info1 & 0x1f) == (PF_PRESENT | PF_WRITE | PF_USER) &&
	       vmcb.exit_info2 == (u64)page.frame, "nested paging: a write to a protected page ends it, and is told");
	clear_bits(entry, PT_PRESENT);
	report(run_nested(guest_read_absent, root) == EXIT_NESTED_FAULT && (vmcb.exit_info1 & 0x1f) == PF_USER &&
	       vmcb.exit_info2 == (u64)page.frame, "nested paging: a page that is not there ends it, and is told");
	*other = 77;
	WRITE_ONCE(*entry, (u64)other | PT_RW | PT_USER);
	report(run_nested(guest_read_absent, root) == EXIT_VMMCALL && vmcb.rax == 77, "nested paging: another page is seen");
	report(*entry & PT_ACCESSED && !(*entry & PT_DIRTY), "nested paging: a read sets accessed only");
	report(run_nested(guest_write, root) == EXIT_VMMCALL && *other == MARK && *entry & PT_DIRTY, "nested paging: a write sets dirty");
}

void test_main(void)
{
	const struct intercept *row;

	if (!svm_init()) {
		report_skip("nested: this processor has no SVM");
		return;
	}
	set_handler(VECTOR, note);
	set_handler(VECTOR_NMI, note_exception);
	test_begin_and_end();
	for (row = intercepts; row < intercepts + ARRAY_SIZE(intercepts); row++)
		test_intercept(row);
	test_ports();
	test_msrs();
	test_exceptions();
	test_debug_registers();
	test_time();
	test_interrupts();
	test_global_flag();
	test_virtual_interrupt();
	set_handler(VECTOR_UD, note_exception);
	test_injection();
	set_handler(VECTOR_UD, NULL);
	test_load_and_save();
	test_nested_paging();
}
