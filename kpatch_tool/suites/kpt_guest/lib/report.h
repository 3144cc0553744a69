/* SPDX-License-Identifier: GPL-2.0-only */
/* Text on the serial port, and results in the words kvm-unit-tests prints. */
#ifndef KPT_REPORT_H
#define KPT_REPORT_H

#include "types.h"

#define PRINTF(fmt, args)	__attribute__((format(printf, fmt, args)))

/* Understands %s %c %d %u %x with l, and %%. */
void print(const char *format, ...) PRINTF(1, 2);

/* One case: "PASS: text" or "FAIL: text". Returns @pass. */
bool report(bool pass, const char *format, ...) PRINTF(2, 3);
void report_skip(const char *format, ...) PRINTF(1, 2);
void report_info(const char *format, ...) PRINTF(1, 2);

/* Prints the SUMMARY line; returns the code for exit_machine(). */
int report_summary(void);

/* Ends the run at once, as "ABORT: text". */
void abort_run(const char *format, ...) PRINTF(1, 2) __attribute__((noreturn));

/* Ends QEMU, whose exit status becomes (code << 1) | 1. */
void exit_machine(int code) __attribute__((noreturn));

/* Whether kpt's monitor runs this, which has devices of its own: not QEMU. */
bool on_monitor(void);
#define DEVICE_MEMORY	0xd0000000ul	/* a page that is like memory, and each access to it an exit */

/* Whether -append named @word; true for every word when it named none. */
bool asked_for(const char *word);
void console_init(void);
void set_arguments(const char *command_line);

/* The test itself, in its own file. */
void test_main(void);

#endif
