// SPDX-License-Identifier: GPL-2.0-only
/*
 * A machine for the images beside it: processors, memory, a serial port to
 * print on, the port that ends a test. The rest is KVM's own. It takes QEMU's
 * place because it starts in a hundredth of the time, of which a test that
 * runs under emulation mostly consists, and because it can check what QEMU
 * only relies on: with -dirty-log, that KVM's log of written pages has them all.
 *
 *	monitor -kernel FILE [-smp N] [-m MIB] [-append TEXT] [-dirty-log]
 *
 * Documentation/virt/kvm/api.rst has the calls; what it does of QEMU's devices
 * (serial port, isa-debug-exit, fw_cfg) and its exit status are as theirs.
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "machine.h"

#define SERIAL		0x3f8
#define SERIAL_LINE	(SERIAL + 5)
#define SERIAL_EMPTY	0x60
#define FIRMWARE_SELECT	0x510
#define FIRMWARE_DATA	0x511
#define FIRMWARE_CPUS	5
#define PRINT_PORT	0x3f0	/* no device of QEMU's: takes the address of a text, */
#define PRINT_ANSWER	0x6b	/* of which each byte would leave the guest on the serial port */
#define MOST_PRINTED	256
#define YIELD_PORT	0xed	/* written by a processor that lets others run */
#define EXIT_PORT	0xf4
#define DEVICE_MEMORY	0xd0000000ul	/* no memory of the machine's: a page here, so that each access is an exit */
#define KICK_US		100

static struct machine machine = { .lock = PTHREAD_MUTEX_INITIALIZER, .resumed = PTHREAD_COND_INITIALIZER };
static pthread_mutex_t devices = PTHREAD_MUTEX_INITIALIZER;

void die(const char *format, ...)
{
	va_list list;

	va_start(list, format);
	vfprintf(stderr, format, list);
	va_end(list);
	fputc('\n', stderr);
	exit(2);
}

static void kick(int signal)
{
	(void)signal;	/* KVM_RUN comes back when a signal was handled */
}

void halt_cpus(struct machine *machine)
{
	int i;

	__atomic_store_n(&machine->halted, true, __ATOMIC_SEQ_CST);
	for (i = 0; i < machine->cpus; i++)
		while (__atomic_load_n(&machine->cpu[i].inside, __ATOMIC_SEQ_CST)) {
			pthread_kill(machine->cpu[i].thread, SIGUSR1);	/* again: it may not have been inside yet */
			usleep(KICK_US);
		}
}

void resume_cpus(struct machine *machine)
{
	pthread_mutex_lock(&machine->lock);
	__atomic_store_n(&machine->halted, false, __ATOMIC_SEQ_CST);
	pthread_cond_broadcast(&machine->resumed);
	pthread_mutex_unlock(&machine->lock);
}

static void wait_until_resumed(void)
{
	pthread_mutex_lock(&machine.lock);
	while (machine.halted)
		pthread_cond_wait(&machine.resumed, &machine.lock);
	pthread_mutex_unlock(&machine.lock);
}

/* The test's own end; the status as QEMU's device makes it. */
static void end_test(uint8_t code)
{
	if (machine.log && !check_log(&machine) && !code)
		code = 1;
	exit(code << 1 | 1);
}

static void write_port(uint16_t port, uint8_t value)
{
	static uint8_t line[256];
	static unsigned int length;

	if (port == SERIAL) {
		line[length++] = value;
		if (value == '\n' || length == sizeof(line)) {
			fwrite(line, 1, length, stdout);
			fflush(stdout);
			length = 0;
		}
	} else if (port == EXIT_PORT) {
		fwrite(line, 1, length, stdout);
		end_test(value);
	} else if (port == FIRMWARE_SELECT) {
		machine.selected = value;
	}
}

static void print_text(uint32_t address)
{
	const char *text = (const char *)machine.memory + address;
	uint64_t room = machine.size - address;

	if (address < machine.size)
		fwrite(text, 1, strnlen(text, room < MOST_PRINTED ? room : MOST_PRINTED), stdout);
	fflush(stdout);
}

static uint8_t read_port(uint16_t port)
{
	if (port == PRINT_PORT)
		return PRINT_ANSWER;
	if (port == SERIAL_LINE)
		return SERIAL_EMPTY;
	if (port == FIRMWARE_DATA && machine.selected == FIRMWARE_CPUS)
		return machine.cpus;
	return 0xff;
}

static void handle_port(struct kvm_run *run)
{
	uint8_t *data = (uint8_t *)run + run->io.data_offset;
	uint32_t i;

	for (i = 0; i < run->io.count; i++, data += run->io.size) {
		if (run->io.direction == KVM_EXIT_IO_OUT && run->io.port == PRINT_PORT && run->io.size == 4) {
			print_text(*(uint32_t *)data);
		} else if (run->io.direction == KVM_EXIT_IO_OUT) {
			write_port(run->io.port, *data);
		} else {
			memset(data, 0xff, run->io.size);
			*data = read_port(run->io.port);
		}
	}
}

static void handle_memory(struct kvm_run *run)
{
	static uint8_t memory[PAGE_BYTES];
	uint64_t offset = run->mmio.phys_addr - DEVICE_MEMORY;
	bool inside = offset <= sizeof(memory) - run->mmio.len;

	if (!run->mmio.is_write)
		memset(run->mmio.data, 0xff, sizeof(run->mmio.data));
	if (inside && run->mmio.is_write)
		memcpy(memory + offset, run->mmio.data, run->mmio.len);
	else if (inside)
		memcpy(run->mmio.data, memory + offset, run->mmio.len);
}

static void handle(struct cpu *cpu)
{
	struct kvm_run *run = cpu->run;

	switch (run->exit_reason) {
	case KVM_EXIT_IO:
		handle_port(run);
		break;
	case KVM_EXIT_MMIO:
		handle_memory(run);
		break;
	case KVM_EXIT_INTR:
	case KVM_EXIT_IRQ_WINDOW_OPEN:
		break;
	case KVM_EXIT_SHUTDOWN:
		fprintf(stderr, "processor %d shut down (a triple fault)\n", cpu->number);
		exit(0);
	case KVM_EXIT_INTERNAL_ERROR:
		die("KVM internal error on processor %d, suberror %u", cpu->number, run->internal.suberror);
	case KVM_EXIT_FAIL_ENTRY:
		die("KVM cannot enter processor %d: hardware reason %#llx", cpu->number,
		    (unsigned long long)run->fail_entry.hardware_entry_failure_reason);
	default:
		die("KVM left processor %d for an unknown reason %u", cpu->number, run->exit_reason);
	}
}

/* Either halt_cpus() sees the processor inside, or the processor sees that it is to wait. */
static void enter(struct cpu *cpu)
{
	for (;;) {
		__atomic_store_n(&cpu->inside, true, __ATOMIC_SEQ_CST);
		if (!__atomic_load_n(&machine.halted, __ATOMIC_SEQ_CST))
			return;
		__atomic_store_n(&cpu->inside, false, __ATOMIC_SEQ_CST);
		wait_until_resumed();
	}
}

static void *run_cpu(void *argument)
{
	struct cpu *cpu = argument;

	for (;;) {
		int result;

		enter(cpu);
		result = ioctl(cpu->fd, KVM_RUN, NULL);
		__atomic_store_n(&cpu->inside, false, __ATOMIC_SEQ_CST);
		if (result < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (result < 0)
			die("KVM_RUN of processor %d: %s", cpu->number, strerror(errno));
		pthread_mutex_lock(&devices);
		handle(cpu);
		pthread_mutex_unlock(&devices);
		if (cpu->run->exit_reason == KVM_EXIT_IO && cpu->run->io.port == YIELD_PORT)
			sched_yield();
	}
	return NULL;
}

static unsigned long number(const char *option, const char *text, unsigned long most)
{
	char *rest;
	unsigned long value = strtoul(text, &rest, 10);

	if (!*text || *rest || value < 1 || value > most)
		die("%s wants a number from 1 to %lu, not %s", option, most, text);
	return value;
}

int main(int argc, char **argv)
{
	const char *kernel = NULL, *arguments = "";
	int i;

	machine.cpus = 1;
	machine.size = DEFAULT_MEMORY << 20;
	for (i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "-dirty-log"))
			machine.log = true;
		else if (i + 1 == argc)
			die("%s wants a value, or is unknown", argv[i]);
		else if (!strcmp(argv[i], "-kernel"))
			kernel = argv[++i];
		else if (!strcmp(argv[i], "-append"))
			arguments = argv[++i];
		else if (!strcmp(argv[i], "-smp"))
			machine.cpus = number("-smp", argv[++i], MAX_CPUS);
		else if (!strcmp(argv[i], "-m"))
			machine.size = number("-m", argv[++i], MOST_MEMORY) << 20;
		else
			die("unknown option %s", argv[i]);
	}
	if (!kernel)
		die("no -kernel");
	create_machine(&machine);
	load_image(&machine, kernel, arguments);
	signal(SIGUSR1, kick);
	if (machine.log)
		start_log(&machine);
	for (i = 0; i < machine.cpus; i++)
		if (pthread_create(&machine.cpu[i].thread, NULL, run_cpu, &machine.cpu[i]))
			die("cannot start a thread");
	pthread_join(machine.cpu[0].thread, NULL);
	pause();	/* another processor ends it */
}
