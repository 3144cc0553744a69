// SPDX-License-Identifier: GPL-2.0-only
/* A job of the guest that misbehaves as its argument says. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/reboot.h>
#include <unistd.h>

/* Overwrites init's code with illegal instructions: the kernel panics when init dies. */
static int panic(void)
{
	unsigned long from, to;
	char line[512], access[8];
	FILE *maps = fopen("/proc/1/maps", "r");
	int memory = open("/proc/1/mem", O_WRONLY);

	while (maps && memory >= 0 && fgets(line, sizeof(line), maps))
		if (sscanf(line, "%lx-%lx %7s", &from, &to, access) == 3 && access[2] == 'x' && from < 0x7f0000000000)
			for (; from < to; from += 2)
				if (pwrite(memory, "\x0f\x0b", 2, (off_t)from) != 2)
					return 1;
	pause();
	return 1;
}

/* Prints which processors it may run on, and how many there are. */
static int where(void)
{
	cpu_set_t mine;
	int i;

	if (sched_getaffinity(0, sizeof(mine), &mine))
		return 1;
	for (i = 0; i < CPU_SETSIZE; i++)
		if (CPU_ISSET(i, &mine))
			printf("%d ", i);
	printf("of %ld\n", sysconf(_SC_NPROCESSORS_ONLN));
	return 0;
}

int main(int argc, char **argv)
{
	const char *how = argc > 1 ? argv[1] : "";

	printf("going to %s\n", how);
	fflush(stdout);
	if (!strcmp(how, "panic"))
		return panic();
	if (!strcmp(how, "hang"))
		for (;;)
			pause();
	if (!strcmp(how, "flood"))
		for (;;)
			puts("0123456789012345678901234567890123456789012345678901234567890123456789");
	if (!strcmp(how, "leave")) {
		/* A child in a session of its own that holds the output open. */
		if (!fork()) {
			setsid();
			for (;;)
				pause();
		}
		return 7;
	}
	if (!strcmp(how, "power-off"))
		reboot(RB_POWER_OFF);
	if (!strcmp(how, "reboot"))
		reboot(RB_AUTOBOOT);
	if (!strcmp(how, "where"))
		return where();
	if (!strcmp(how, "signal"))
		abort();
	return 3;
}
