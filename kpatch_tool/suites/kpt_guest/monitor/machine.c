// SPDX-License-Identifier: GPL-2.0-only
/* A virtual machine out of /dev/kvm, and an image in it. */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "machine.h"

#define LARGE_PAGE	(2ul << 20)
#define TASK_STATE	0xfffbd000ul	/* three pages that Intel's processors need, where QEMU has them */
#define LEAVES		100
#define LEAF_FEATURES	1
#define LEAF_TOPOLOGY	0xb
#define HYPERVISOR	(1u << 31)
#define TSC_DEADLINE	(1u << 24)	/* which KVM_GET_SUPPORTED_CPUID leaves out */

#define MULTIBOOT_MAGIC	0x2badb002
#define MULTIBOOT_FLAGS	5		/* the size of memory, and arguments */
#define INFORMATION	0x500ul
#define ARGUMENTS	0x600ul
#define MOST_ARGUMENTS	0x1000ul
#define FIRST_MEGABYTE	(1ul << 20)

struct multiboot {
	uint32_t flags, low, high, device, arguments;
};

static int control(int fd, const char *what, unsigned long request, void *argument)
{
	int result = ioctl(fd, request, argument);

	if (result < 0)
		die("%s: %s", what, strerror(errno));
	return result;
}

/* What every processor is told of itself: all that KVM can do, and its number. */
static void set_cpuid(struct machine *machine, struct cpu *cpu)
{
	struct kvm_cpuid2 *table = calloc(1, sizeof(*table) + LEAVES * sizeof(table->entries[0]));
	uint32_t i;

	if (!table)
		die("no memory");
	table->nent = LEAVES;
	control(machine->kvm, "KVM_GET_SUPPORTED_CPUID", KVM_GET_SUPPORTED_CPUID, table);
	for (i = 0; i < table->nent; i++) {
		struct kvm_cpuid_entry2 *leaf = &table->entries[i];

		if (leaf->function == LEAF_FEATURES) {
			leaf->ebx = (leaf->ebx & 0xffff) | machine->cpus << 16 | cpu->number << 24;
			leaf->ecx |= HYPERVISOR;
			if (ioctl(machine->kvm, KVM_CHECK_EXTENSION, KVM_CAP_TSC_DEADLINE_TIMER) > 0)
				leaf->ecx |= TSC_DEADLINE;
		} else if (leaf->function == LEAF_TOPOLOGY) {
			leaf->edx = cpu->number;
		}
	}
	control(cpu->fd, "KVM_SET_CPUID2", KVM_SET_CPUID2, table);
	free(table);
}

static void create_cpu(struct machine *machine, int number)
{
	struct cpu *cpu = &machine->cpu[number];
	int size = control(machine->kvm, "KVM_GET_VCPU_MMAP_SIZE", KVM_GET_VCPU_MMAP_SIZE, NULL);

	cpu->number = number;
	cpu->run_size = size;
	cpu->fd = control(machine->fd, "KVM_CREATE_VCPU", KVM_CREATE_VCPU, (void *)(long)number);
	cpu->run = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, cpu->fd, 0);
	if (cpu->run == MAP_FAILED)
		die("cannot map processor %d: %s", number, strerror(errno));
	set_cpuid(machine, cpu);
}

/* In large pages where the kernel has them, so that KVM maps large ones, too. */
static uint8_t *new_memory(uint64_t size)
{
	void *memory;

	if (posix_memalign(&memory, LARGE_PAGE, size))
		die("no memory for the machine");
	madvise(memory, size, MADV_HUGEPAGE);
	return memory;
}

void create_machine(struct machine *machine)
{
	int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC), i;
	struct kvm_userspace_memory_region region = { .memory_size = machine->size };
	struct kvm_pit_config timer = { .flags = KVM_PIT_SPEAKER_DUMMY };

	if (kvm < 0)
		die("/dev/kvm: %s", strerror(errno));
	machine->kvm = kvm;
	machine->fd = control(kvm, "KVM_CREATE_VM", KVM_CREATE_VM, NULL);
	control(machine->fd, "KVM_SET_TSS_ADDR", KVM_SET_TSS_ADDR, (void *)TASK_STATE);
	control(machine->fd, "KVM_CREATE_IRQCHIP", KVM_CREATE_IRQCHIP, NULL);
	control(machine->fd, "KVM_CREATE_PIT2", KVM_CREATE_PIT2, &timer);
	machine->memory = new_memory(machine->size);
	region.userspace_addr = (unsigned long)machine->memory;
	control(machine->fd, "KVM_SET_USER_MEMORY_REGION", KVM_SET_USER_MEMORY_REGION, &region);
	for (i = 0; i < machine->cpus; i++)
		create_cpu(machine, i);
}

void end_machine(struct machine *machine)
{
	int i;

	for (i = 0; i < machine->cpus; i++) {
		munmap(machine->cpu[i].run, machine->cpu[i].run_size);
		close(machine->cpu[i].fd);
	}
	close(machine->fd);
	close(machine->kvm);
	free(machine->memory);
}

static void *inside(struct machine *machine, uint64_t address, uint64_t length)
{
	if (address < FIRST_MEGABYTE || address > machine->size || length > machine->size - address)
		die("the image does not fit into memory");
	return machine->memory + address;
}

static void read_at(int file, void *to, size_t length, off_t from)
{
	if (pread(file, to, length, from) != (ssize_t)length)
		die("the image is cut short");
}

static uint32_t load_segments(struct machine *machine, int file)
{
	Elf32_Ehdr header;
	Elf32_Phdr segment;
	int i;

	read_at(file, &header, sizeof(header), 0);
	if (memcmp(header.e_ident, ELFMAG, SELFMAG) || header.e_ident[EI_CLASS] != ELFCLASS32)
		die("the image is no ELF file for 32 bits");
	for (i = 0; i < header.e_phnum; i++) {
		read_at(file, &segment, sizeof(segment), header.e_phoff + i * sizeof(segment));
		if (segment.p_type == PT_LOAD)
			read_at(file, inside(machine, segment.p_paddr, segment.p_memsz), segment.p_filesz,
				segment.p_offset);
	}
	return header.e_entry;
}

static void set_flat(struct kvm_segment *segment, uint16_t selector, uint8_t type)
{
	*segment = (struct kvm_segment) {
		.limit = 0xffffffff, .selector = selector, .type = type,
		.present = 1, .db = 1, .s = 1, .g = 1,
	};
}

void start_at(struct cpu *cpu, uint32_t entry)
{
	struct kvm_regs regs = { .rip = entry, .rax = MULTIBOOT_MAGIC, .rbx = INFORMATION, .rflags = 2 };
	struct kvm_sregs sregs;

	control(cpu->fd, "KVM_GET_SREGS", KVM_GET_SREGS, &sregs);
	set_flat(&sregs.cs, 8, 11);
	set_flat(&sregs.ds, 16, 3);
	sregs.es = sregs.fs = sregs.gs = sregs.ss = sregs.ds;
	sregs.cr0 |= 1;
	control(cpu->fd, "KVM_SET_SREGS", KVM_SET_SREGS, &sregs);
	control(cpu->fd, "KVM_SET_REGS", KVM_SET_REGS, &regs);
}

void load_image(struct machine *machine, const char *path, const char *arguments)
{
	struct multiboot information = {
		.flags = MULTIBOOT_FLAGS, .low = 640, .high = (machine->size - FIRST_MEGABYTE) / 1024, .arguments = ARGUMENTS,
	};
	int file = open(path, O_RDONLY | O_CLOEXEC);

	if (file < 0)
		die("%s: %s", path, strerror(errno));
	start_at(&machine->cpu[0], load_segments(machine, file));
	close(file);
	memcpy(machine->memory + INFORMATION, &information, sizeof(information));
	snprintf((char *)machine->memory + ARGUMENTS, MOST_ARGUMENTS, "%s %s", path, arguments);
}
