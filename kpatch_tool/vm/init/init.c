// SPDX-License-Identifier: GPL-2.0-only
/*
 * The first and only program of kpt's guest: gets files and steps from the host, loads modules, runs one job after the
 * other, sends what happens over a virtio-serial port (wire.h), powers off. Linked statically; runs on Linux 3.15 and
 * later.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "wire.h"

#define MAX_FIELDS 512
#define MAX_MODULES 32
#define GATHER_NS 10000000
#define HEARTBEAT_NS 2000000000ull
#define KILL_PATIENCE_NS 10000000000ull
#define PORT_PATIENCE_NS 20000000000ull

static int port = -1;
static uint64_t last_frame;
static char *loaded[MAX_MODULES];
static int n_loaded;
static bool modules_ok = true;
static const char *cpu = "none";
static char *job_environment[] = {
	"PATH=/usr/bin:/bin", "HOME=/tmp", "TMPDIR=/tmp", "LC_ALL=C", "TERM=dumb", NULL, NULL,
};

static uint64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000ull + (uint64_t)t.tv_nsec;
}

static void pause_ms(long ms)
{
	struct timespec t = { ms / 1000, ms % 1000 * 1000000 };

	nanosleep(&t, NULL);
}

static void say(const char *format, ...)
{
	va_list list;

	va_start(list, format);
	fputs("kpt-init: ", stderr);
	vfprintf(stderr, format, list);
	fputc('\n', stderr);
	va_end(list);
}

/* Without the port nobody hears; ending the machine is what the host notices soonest. */
static void __attribute__((noreturn)) end(void)
{
	sync();
	reboot(RB_POWER_OFF);
	reboot(RB_AUTOBOOT);
	for (;;)
		pause();
}

static void write_all(const void *data, size_t length)
{
	const char *at = data;

	while (length) {
		ssize_t n = write(port, at, length);

		if (n < 0 && (errno == EINTR || errno == EAGAIN)) {
			pause_ms(1);
			continue;
		}
		if (n <= 0) {
			say("cannot write to the port: %s", strerror(errno));
			end();
		}
		at += n;
		length -= (size_t)n;
	}
}

static void send_frame(enum frame_type type, uint32_t id, const void *data, size_t length)
{
	struct frame frame = { FRAME_MAGIC, type, id, (uint32_t)length, now() };

	last_frame = frame.monotonic_ns;
	write_all(&frame, sizeof(frame));
	write_all(data, length);
}

static void send_text(enum frame_type type, uint32_t id, const char *format, ...)
{
	char text[1024];
	va_list list;
	int n;

	va_start(list, format);
	n = vsnprintf(text, sizeof(text), format, list);
	va_end(list);
	send_frame(type, id, text, n < (int)sizeof(text) ? (size_t)n : sizeof(text) - 1);
}

/* The whole of a file (or its first `limit` bytes) with a NUL behind it; NULL when it cannot be read. */
static char *slurp(const char *path, size_t limit, size_t *length)
{
	size_t room = 65536, used = 0;
	char *data = malloc(room + 1);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = -1;

	while (fd >= 0 && data && used < limit) {
		if (used == room) {
			room *= 2;
			data = realloc(data, room + 1);
			if (!data)
				break;
		}
		n = read(fd, data + used, room - used);
		if (n <= 0)
			break;
		used += (size_t)n;
	}
	if (fd >= 0)
		close(fd);
	if (fd < 0 || n < 0 || !data) {
		free(data);
		return NULL;
	}
	data[used] = 0;
	*length = used;
	return data;
}

static void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		say("%s: %s", path, strerror(errno));
	if (fd >= 0)
		close(fd);
}

static void read_all(void *data, size_t length)
{
	char *at = data;

	while (length) {
		ssize_t n = read(port, at, length);

		if (n > 0) {
			at += n;
			length -= (size_t)n;
		} else if (n == 0 || errno == EINTR || errno == EAGAIN) {
			pause_ms(1);
		} else {
			say("cannot read from the port: %s", strerror(errno));
			end();
		}
	}
}

static void mount_one(const char *type, const char *where, const char *options)
{
	mkdir(where, 0755);
	if (mount(type, where, type, 0, options) && errno != EBUSY)
		say("mount %s: %s", where, strerror(errno));
}

/*
 * QEMU tries memfd_create() when it starts. A tree from before Linux 3.17 may have a call of its own at that number,
 * and what that does to QEMU is anyone's guess.
 */
static void hide_newer_calls(void)
{
	struct utsname name;
	int major, minor;

	if (uname(&name) || sscanf(name.release, "%d.%d", &major, &minor) != 2)
		return;
	if (major < 3 || (major == 3 && minor < 17))
		job_environment[sizeof(job_environment) / sizeof(*job_environment) - 2] = "LD_PRELOAD=/kpt/memfd.so";
}

static void set_up(void)
{
	struct rlimit none = { 0, 0 };

	mount_one("devtmpfs", "/dev", NULL);
	mount_one("proc", "/proc", NULL);
	mount_one("sysfs", "/sys", NULL);
	mount_one("tmpfs", "/tmp", "mode=1777");
	mount_one("tmpfs", "/dev/shm", "mode=1777");
	setrlimit(RLIMIT_CORE, &none);
	hide_newer_calls();
	/* A nested guest may ask for more memory than there is; it does not touch it all. */
	write_file("/proc/sys/vm/overcommit_memory", "1");
}

/* Opens the virtio-serial port called `name`; its device appears a moment after the driver's. */
static bool open_port(const char *name)
{
	uint64_t deadline = now() + PORT_PATIENCE_NS;

	do {
		DIR *directory = opendir("/sys/class/virtio-ports");
		struct dirent *entry;

		while (directory && (entry = readdir(directory))) {
			char path[512];
			size_t length;
			char *text;

			snprintf(path, sizeof(path), "/sys/class/virtio-ports/%s/name", entry->d_name);
			text = slurp(path, 4096, &length);
			if (!text || strncmp(text, name, strlen(name))) {
				free(text);
				continue;
			}
			free(text);
			snprintf(path, sizeof(path), "/dev/%s", entry->d_name);
			port = open(path, O_RDWR | O_CLOEXEC);
			if (port >= 0)
				break;
		}
		if (directory)
			closedir(directory);
		if (port < 0)
			pause_ms(5);
	} while (port < 0 && now() < deadline);
	return port >= 0;
}

static void find_cpu(void)
{
	size_t length;
	char *text = slurp("/proc/cpuinfo", 65536, &length);
	char *flags = text ? strstr(text, "\nflags") : NULL;
	char *line_end = flags ? strchr(flags + 1, '\n') : NULL;

	if (line_end) {
		*line_end = ' ';
		line_end[1] = 0;
		if (strstr(flags, " svm "))
			cpu = "amd";
		else if (strstr(flags, " vmx "))
			cpu = "intel";
	}
	free(text);
}

static int load(const char *path, const char *parameters)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	int error = 0;

	if (fd < 0)
		return errno;
	if (syscall(SYS_finit_module, fd, parameters, 0)) {
		error = errno;
		if (error == ENOSYS) {
			size_t length;
			char *image = slurp(path, SIZE_MAX, &length);

			error = image && !syscall(SYS_init_module, image, length, parameters) ? 0 : errno;
			free(image);
		}
	}
	close(fd);
	return error;
}

static void step_module(uint32_t step, char **field)
{
	char *path = field[0], *name = field[1], *parameters = field[2], *vendor = field[3];
	int error;

	if (*vendor && strcmp(vendor, cpu)) {
		send_text(FRAME_MODULE, step, "%s skipped", name);
		return;
	}
	error = n_loaded < MAX_MODULES ? load(path, parameters) : ENFILE;
	if (error) {
		modules_ok = false;
		send_text(FRAME_MODULE, step, "%s %d", name, error);
		return;
	}
	loaded[n_loaded++] = name;
	send_text(FRAME_MODULE, step, "%s ok", name);
}

static void step_group(uint32_t step)
{
	modules_ok = true;
	while (n_loaded) {
		char *name = loaded[--n_loaded];
		int error = 0;

		/* A dying guest's file descriptors may hold the module a moment longer. */
		for (int try = 0; try < 100; try++) {
			error = syscall(SYS_delete_module, name, O_NONBLOCK) ? errno : 0;
			if (error != EAGAIN && error != EBUSY)
				break;
			pause_ms(20);
		}
		if (error) {
			modules_ok = false;
			send_text(FRAME_MODULE, step, "-%s %d", name, error);
		}
	}
}

/* Whether the file of "PATH=VALUE" holds that value. */
static bool holds(const char *check)
{
	const char *equals = strchr(check, '=');
	char path[512];
	size_t length;
	char *text;
	bool same;

	if (!equals || (size_t)(equals - check) >= sizeof(path))
		return false;
	memcpy(path, check, (size_t)(equals - check));
	path[equals - check] = 0;
	text = slurp(path, 65536, &length);
	if (!text)
		return false;
	while (length && text[length - 1] == '\n')
		text[--length] = 0;
	same = !strcmp(text, equals + 1);
	free(text);
	return same;
}

/* Everything but init and the kernel's own threads. */
static void kill_all(uint32_t id)
{
	uint64_t deadline = now() + KILL_PATIENCE_NS;

	for (;;) {
		pid_t pid;

		kill(-1, SIGKILL);
		do
			pid = waitpid(-1, NULL, WNOHANG);
		while (pid > 0);
		if (pid < 0 && errno == ECHILD)
			return;
		if (now() > deadline) {
			send_frame(FRAME_STUCK, id, "", 0);
			end();
		}
		pause_ms(2);
	}
}

/* `argument` with the time for every NOW in it. */
static char *with_time(char *argument)
{
	char *at;

	while ((at = strstr(argument, NOW))) {
		size_t size = strlen(argument) + 24;
		char *made = malloc(size);

		if (!made)
			break;
		snprintf(made, size, "%.*s%lld%s", (int)(at - argument), argument, (long long)time(NULL),
			 at + strlen(NOW));
		argument = made;
	}
	return argument;
}

/* A job may run on every processor but the first ones, as many as the kernel's command line says. */
static void leave_spare_cpus(void)
{
	const char *spare = getenv("spare_cpus");
	cpu_set_t cpus;
	int i;

	if (!spare)
		return;
	CPU_ZERO(&cpus);
	for (i = atoi(spare); i < CPU_SETSIZE; i++)
		CPU_SET(i, &cpus);
	sched_setaffinity(0, sizeof(cpus), &cpus);	/* fails where these are all there are */
}

static pid_t spawn(char **argv, int out, int errors)
{
	pid_t pid = fork();
	sigset_t none;
	int null, error;

	if (pid)
		return pid;
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGCHLD, SIG_DFL);
	setsid();
	leave_spare_cpus();
	null = open("/dev/null", O_RDONLY);
	dup2(null, 0);
	dup2(out, 1);
	dup2(errors, 2);
	if (chdir("/tmp"))
		_exit(126);
	execve(argv[0], argv, job_environment);
	error = errno;
	dprintf(2, "%s: %s\n", argv[0], strerror(error));
	_exit(error == ENOENT ? 127 : 126);
}

enum stream { OUTPUT, ERRORS, STREAMS };

struct output {
	uint32_t id;
	int fd[STREAMS]; /* -1: at its end */
	uint64_t left, dropped;
	bool printed;
};

/* Passes on what can be read now; false at the end of the file. */
static bool pass_on(struct output *out, enum stream stream)
{
	static char chunk[CHUNK];

	for (;;) {
		ssize_t n = read(out->fd[stream], chunk, sizeof(chunk));
		size_t keep;

		if (n < 0)
			return errno == EAGAIN || errno == EINTR;
		if (n == 0)
			return false;
		if (stream == OUTPUT)
			out->printed = true;
		keep = (uint64_t)n < out->left ? (size_t)n : (size_t)out->left;
		if (keep)
			send_frame(stream == OUTPUT ? FRAME_OUTPUT : FRAME_ERRORS, out->id, chunk, keep);
		out->left -= keep;
		out->dropped += (uint64_t)n - keep;
		/* A program that never stops printing must not keep init from its clock. */
		if (n < (ssize_t)sizeof(chunk) || !out->left)
			return true;
	}
}

/* Both streams; errors first, for programs keep their output back until they end. False when nothing is left. */
static bool pass_on_all(struct output *out)
{
	bool open = false;

	for (int stream = STREAMS - 1; stream >= 0; stream--) {
		if (out->fd[stream] >= 0 && !pass_on(out, (enum stream)stream)) {
			close(out->fd[stream]);
			out->fd[stream] = -1;
		}
		open |= out->fd[stream] >= 0;
	}
	return open;
}

static void close_all(struct output *out)
{
	for (int stream = 0; stream < STREAMS; stream++)
		if (out->fd[stream] >= 0)
			close(out->fd[stream]);
}

/* A pipe for each stream; the program's ends go to `ends`. */
static bool open_pipes(struct output *out, int ends[STREAMS])
{
	for (int stream = 0; stream < STREAMS; stream++) {
		int both[2];

		if (pipe2(both, O_CLOEXEC)) {
			int error = errno;

			close_all(out);
			while (stream--)
				close(ends[stream]);
			errno = error;
			return false;
		}
		out->fd[stream] = both[0];
		ends[stream] = both[1];
		fcntl(both[0], F_SETFL, O_NONBLOCK);
	}
	return true;
}

static void on_child(int signal_number)
{
	(void)signal_number;
}

/* Runs until the program ends or `deadline`; the status of waitpid, or -1 past the deadline. */
static int wait_for(pid_t pid, struct output *out, uint64_t deadline)
{
	sigset_t none;
	int status;

	sigemptyset(&none);
	for (;;) {
		/* poll() passes over those that are closed. */
		struct pollfd p[] = { { out->fd[OUTPUT], POLLIN, 0 }, { out->fd[ERRORS], POLLIN, 0 } };
		uint64_t time = now(), next = last_frame + HEARTBEAT_NS;
		struct timespec t;

		/* Every orphan's parent is init: reap them all, look for the one. */
		for (pid_t gone; (gone = waitpid(-1, &status, WNOHANG)) > 0;)
			if (gone == pid)
				return status;
		if (time >= deadline)
			return -1;
		if (time >= next) {
			send_frame(FRAME_HEARTBEAT, out->id, "", 0);
			continue;
		}
		if (next > deadline)
			next = deadline;
		t.tv_sec = (time_t)((next - time) / 1000000000ull);
		t.tv_nsec = (long)((next - time) % 1000000000ull);
		if (ppoll(p, STREAMS, &t, &none) > 0) {
			/* A serial line gives single bytes: gather a moment's worth of them, unless the program ends. */
			struct timespec moment = { 0, GATHER_NS };

			ppoll(NULL, 0, &moment, &none);
			pass_on_all(out);
		}
	}
}

static void step_run(char **field, uint32_t n)
{
	struct output out = {
		.id = (uint32_t)strtoul(field[0], NULL, 10),
		.fd = { -1, -1 },
		.left = strtoull(field[2], NULL, 10),
	};
	uint64_t timeout = strtoull(field[1], NULL, 10) * 1000000ull;
	uint32_t checks = (uint32_t)strtoul(field[3], NULL, 10);
	char **argv = field + 4 + checks;
	int ends[STREAMS], status;
	pid_t pid;

	if (n < 5 + checks) {
		send_text(FRAME_ENDED, out.id, "spawn %d", EINVAL);
		return;
	}
	if (!modules_ok) {
		send_text(FRAME_ENDED, out.id, "modules 0");
		return;
	}
	for (uint32_t i = 0; i < checks; i++)
		if (!holds(field[4 + i])) {
			send_text(FRAME_ENDED, out.id, "check %s", field[4 + i]);
			return;
		}
	if (!open_pipes(&out, ends)) {
		send_text(FRAME_ENDED, out.id, "spawn %d", errno);
		return;
	}
	for (char **argument = argv; *argument; argument++)
		*argument = with_time(*argument);
	send_frame(FRAME_STARTED, out.id, "", 0);
	pid = spawn(argv, ends[OUTPUT], ends[ERRORS]);
	close(ends[OUTPUT]);
	close(ends[ERRORS]);
	if (pid < 0) {
		close_all(&out);
		send_text(FRAME_ENDED, out.id, "spawn %d", errno);
		return;
	}
	status = wait_for(pid, &out, now() + timeout);
	kill_all(out.id);
	/* Nobody holds the other ends any more; what is left in the pipes is at most their size. */
	for (int i = 0; i < 64 && pass_on_all(&out); i++)
		;
	close_all(&out);
	write_file("/kpt/printed", out.printed ? "yes" : "no");
	if (out.dropped)
		send_text(FRAME_DROPPED, out.id, "%llu", (unsigned long long)out.dropped);
	if (status == -1)
		send_text(FRAME_ENDED, out.id, "timeout 0");
	else if (WIFSIGNALED(status))
		send_text(FRAME_ENDED, out.id, "signal %d", WTERMSIG(status));
	else
		send_text(FRAME_ENDED, out.id, "exit %d", WEXITSTATUS(status));
}

/* Without one of its files a job says something else than it should, so no job is run. */
static void __attribute__((noreturn)) refuse(int error, const char *path)
{
	send_text(FRAME_REFUSED, 0, "%d %s", error, path);
	end();
}

static void step_file(char **field, uint32_t length)
{
	const char *path = field[0];
	char parent[512];
	int fd;

	for (const char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		if ((size_t)(slash - path) >= sizeof(parent))
			break;
		memcpy(parent, path, (size_t)(slash - path));
		parent[slash - path] = 0;
		mkdir(parent, 0755);
	}
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	for (char *at = field[2]; fd >= 0 && length;) {
		ssize_t n = write(fd, at, length);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			refuse(n ? errno : ENOSPC, path);
		at += n;
		length -= (uint32_t)n;
	}
	if (fd < 0 || fchmod(fd, (mode_t)strtoul(field[1], NULL, 8)) || close(fd))
		refuse(errno, path);
}

/* More steps, from the host; their length goes to `length`. */
static char *steps_from_host(size_t *length)
{
	uint64_t size;
	char *steps;

	send_frame(FRAME_WAITING, 0, "", 0);
	read_all(&size, sizeof(size));
	steps = malloc(size + 1);
	if (!steps)
		refuse(ENOMEM, "");
	read_all(steps, size);
	*length = size;
	return steps;
}

static uint32_t number(const char *at)
{
	uint32_t value;

	memcpy(&value, at, sizeof(value));
	return value;
}

/* The next step's fields; false at the end or where the program is malformed. */
static bool next_step(char **at, char *last, char *kind, char **field, uint32_t *n)
{
	if (last - *at < 5)
		return false;
	*kind = **at;
	*n = number(*at + 1);
	*at += 5;
	if (*n >= MAX_FIELDS)
		return false;
	for (uint32_t i = 0; i < *n; i++) {
		uint32_t length;

		if (last - *at < 5)
			return false;
		length = number(*at);
		if (length >= (uint64_t)(last - *at - 4))
			return false;
		field[i] = *at + 4;
		*at += 4 + length + 1;
	}
	field[*n] = NULL;
	return true;
}

static void say_booted(void)
{
	struct utsname name;

	uname(&name);
	send_text(FRAME_BOOTED, 0, "%s\n%s", name.release, cpu);
}

int main(void)
{
	struct sigaction child = { .sa_handler = on_child };
	static char *field[MAX_FIELDS + 1];
	char *program, *at, kind;
	sigset_t blocked;
	size_t length;
	uint32_t n;

	if (getpid() != 1)
		return 1;
	set_up();
	sigemptyset(&blocked);
	sigaddset(&blocked, SIGCHLD);
	sigprocmask(SIG_BLOCK, &blocked, NULL);
	sigaction(SIGCHLD, &child, NULL);
	if (!open_port("kpt.out")) {
		say("no virtio-serial port called kpt.out (CONFIG_VIRTIO_CONSOLE)");
		end();
	}
	find_cpu();
	say_booted();
	program = slurp("/kpt/program", SIZE_MAX, &length);
	if (!program) {
		say("/kpt/program cannot be read");
		end();
	}
	at = program;
	for (uint32_t step = 0; next_step(&at, program + length, &kind, field, &n); step++) {
		if (kind == 'W') {
			at = program = steps_from_host(&length);
			/* A guest that was saved here goes on from here, and its host has not heard it yet. */
			say_booted();
		} else if (kind == 'F' && n == 3)
			step_file(field, number(field[2] - 4));
		else if (kind == 'G')
			step_group(step);
		else if (kind == 'M' && n == 4)
			step_module(step, field);
		else if (kind == 'R' && n >= 5)
			step_run(field, n);
	}
	send_frame(FRAME_DONE, 0, "", 0);
	end();
}
