/* SPDX-License-Identifier: GPL-2.0-only */
/* The machine that runs an image, and what is done with it. */
#ifndef KPT_MACHINE_H
#define KPT_MACHINE_H

#include <linux/kvm.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/ioctl.h>

#define MAX_CPUS	8
#define DEFAULT_MEMORY	128ul		/* MiB, as QEMU has it */
#define MOST_MEMORY	1024ul
#define PAGE_BYTES	4096ul

struct cpu {
	int number, fd;
	struct kvm_run *run;
	size_t run_size;
	pthread_t thread;
	bool inside;		/* whether it may be running the guest */
};

struct machine {
	int kvm;		/* /dev/kvm, */
	int fd;			/* and the virtual machine */
	int cpus;
	struct cpu cpu[MAX_CPUS];
	uint8_t *memory;
	uint64_t size;		/* of it, in bytes */
	uint16_t selected;	/* what fw_cfg is to tell */
	bool log;		/* whether written pages are logged, and the log is checked */
	bool halted;
	pthread_mutex_t lock;	/* of halted */
	pthread_cond_t resumed;
};

/* Says why on the standard error, and ends with status 2. */
void die(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

/* Processors and memory; no page is logged yet. */
void create_machine(struct machine *machine);

/* Takes all that away again; no thread may use it. */
void end_machine(struct machine *machine);

/* Has a processor begin there: 32 bits, protected, flat, no paging. */
void start_at(struct cpu *cpu, uint32_t entry);

/* Loads an ELF file for 32 bits and has the first processor begin in it, as multiboot 0.6.96 wants it. */
void load_image(struct machine *machine, const char *path, const char *arguments);

/* Copies what is written while the machine runs, as for a live migration, by KVM's log. */
void start_log(struct machine *machine);

/* Ends that, the machine with it; whether the copy is whole. Says so on the standard output in the words of a test. */
bool check_log(struct machine *machine);

/* Has every processor leave the guest, but for one that asks for it, and wait for resume_cpus(). */
void halt_cpus(struct machine *machine);
void resume_cpus(struct machine *machine);

/* Does what the structure at @address asks for (../lib/call.h). */
void handle_call(struct machine *machine, struct cpu *cpu, uint64_t address);
/* So many machines come and go; how many pages of the kernel's memory are free then. */
int64_t free_after(int64_t lives);
/* One more access has left the guest. */
void count_exit(void);

#endif
