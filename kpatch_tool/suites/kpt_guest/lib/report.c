// SPDX-License-Identifier: GPL-2.0-only
/* Text on the serial port, and results in the words kvm-unit-tests prints. */
#include "report.h"
#include "x86.h"

#define SERIAL		0x3f8
#define SERIAL_LINE	(SERIAL + 5)
#define SERIAL_EMPTY	0x20
#define SERIAL_QUEUE	16	/* bytes it takes once it is empty */
#define PRINT_PORT	0x3f0	/* the monitor's: takes the address of a text */
#define PRINT_ANSWER	0x6b
#define EXIT_PORT	0xf4
#define EXIT_SKIP	38	/* becomes 77, automake's word for skipped */
#define EXIT_ABORT	63	/* becomes 127 */

static unsigned int tests, failures, skipped;
static char arguments[256];
static u32 console_lock;
static bool has_monitor;

static void lock_console(void)
{
	while (__atomic_exchange_n(&console_lock, 1, __ATOMIC_ACQUIRE))
		pause();
}

static void unlock_console(void)
{
	__atomic_store_n(&console_lock, 0, __ATOMIC_RELEASE);
}

/* A line at a time where that is possible: each byte on the serial port leaves the guest. */
static void put_buffered(char byte)
{
	static char line[256];
	static unsigned int length;

	line[length++] = byte;
	if (byte == '\n' || length == sizeof(line) - 1) {
		line[length] = 0;
		outl(PRINT_PORT, (u64)line);
		length = 0;
	}
}

static void put_byte(char byte)
{
	static unsigned int room;

	if (has_monitor) {
		put_buffered(byte);
		return;
	}
	if (!room) {
		while (!(inb(SERIAL_LINE) & SERIAL_EMPTY))
			pause();
		room = SERIAL_QUEUE;
	}
	outb(SERIAL, byte);
	room--;
}

static void put_string(const char *text)
{
	while (*text)
		put_byte(*text++);
}

static void put_number(u64 value, unsigned int base)
{
	char digits[24];
	int i = sizeof(digits) - 1;

	digits[i] = 0;
	do {
		digits[--i] = "0123456789abcdef"[value % base];
		value /= base;
	} while (value);
	put_string(digits + i);
}

static void put_signed(s64 value)
{
	if (value < 0)
		put_byte('-');
	put_number(value < 0 ? -(u64)value : (u64)value, 10);
}

static void put_format(const char *format, va_list list)
{
	bool wide;

	for (; *format; format++) {
		if (*format != '%') {
			put_byte(*format);
			continue;
		}
		wide = *++format == 'l';
		format += wide;
		switch (*format) {
		case 's':
			put_string(va_arg(list, const char *));
			break;
		case 'c':
			put_byte(va_arg(list, int));
			break;
		case 'd':
			put_signed(wide ? va_arg(list, long) : va_arg(list, int));
			break;
		case 'u':
		case 'x':
			put_number(wide ? va_arg(list, unsigned long) : va_arg(list, unsigned int),
				   *format == 'u' ? 10 : 16);
			break;
		default:
			put_byte(*format);
		}
	}
}

static void put_line(const char *word, const char *format, va_list list)
{
	put_string(word);
	put_format(format, list);
	put_byte('\n');
}

void print(const char *format, ...)
{
	va_list list;

	va_start(list, format);
	lock_console();
	put_format(format, list);
	unlock_console();
	va_end(list);
}

bool report(bool pass, const char *format, ...)
{
	va_list list;

	va_start(list, format);
	lock_console();
	tests++;
	failures += !pass;
	put_line(pass ? "PASS: " : "FAIL: ", format, list);
	unlock_console();
	va_end(list);
	return pass;
}

void report_skip(const char *format, ...)
{
	va_list list;

	va_start(list, format);
	lock_console();
	tests++;
	skipped++;
	put_line("SKIP: ", format, list);
	unlock_console();
	va_end(list);
}

void report_info(const char *format, ...)
{
	va_list list;

	va_start(list, format);
	lock_console();
	put_line("INFO: ", format, list);
	unlock_console();
	va_end(list);
}

int report_summary(void)
{
	print("SUMMARY: %u tests", tests);
	if (failures)
		print(", %u unexpected failures", failures);
	if (skipped)
		print(", %u skipped", skipped);
	print("\n");
	if (tests == skipped)
		return EXIT_SKIP;
	return failures ? 1 : 0;
}

void exit_machine(int code)
{
	for (;;) {
		outb(EXIT_PORT, code);
		asm volatile("cli; hlt");
	}
}

void abort_run(const char *format, ...)
{
	va_list list;

	/* No lock: this processor may hold it, and nothing comes after this. */
	va_start(list, format);
	put_line("ABORT: ", format, list);
	va_end(list);
	exit_machine(EXIT_ABORT);
}

void console_init(void)
{
	outb(SERIAL + 2, 1);	/* queue on */
	has_monitor = inb(PRINT_PORT) == PRINT_ANSWER;
}

bool on_monitor(void)
{
	return has_monitor;
}

void set_arguments(const char *command_line)
{
	const char *here;
	size_t i;

	/* The image's own name comes first, and there may be blanks in its path. */
	for (here = command_line; *here; here++)
		if (*here == '/')
			command_line = here;
	while (*command_line && *command_line != ' ')
		command_line++;
	while (*command_line == ' ')
		command_line++;
	/* It lies in memory that alloc_frames() will hand out. */
	for (i = 0; i < sizeof(arguments) - 1 && command_line[i]; i++)
		arguments[i] = command_line[i];
}

static bool starts_with_word(const char *text, const char *word)
{
	while (*word && *text == *word) {
		text++;
		word++;
	}
	return !*word && (!*text || *text == ' ');
}

bool asked_for(const char *word)
{
	const char *here = arguments;

	if (!*here)
		return true;
	for (; *here; here++) {
		if ((here == arguments || here[-1] == ' ') && starts_with_word(here, word))
			return true;
	}
	return false;
}
