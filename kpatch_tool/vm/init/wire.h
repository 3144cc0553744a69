/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What init and kpt say to each other; kpatch_tool/vm/wire.py is the other side.
 *
 * The program init begins with lies in the file /kpt/program: steps, each one byte of kind, the number of fields (u32), then
 * every field as length (u32), bytes and one NUL. Numbers in fields are decimal text. All binary numbers are little
 * endian.
 *
 *   W                              say so (FRAME_WAITING), then read more steps from the port: their length in bytes
 *                                  (u64), then the steps; they take the place of what is left of these
 *   F path mode data               write a file; mode in octal
 *   G                              a new module group: unload what the last one loaded
 *   M path name params vendor      load a module; vendor "amd" or "intel": only on such a CPU; "" on any
 *   R id timeout_ms limit n check*n argv...   run a program; limit: bytes of output passed on; NOW in an argument stands
 *                                  for the time at which it starts
 *
 * After a program has run, the file /kpt/printed holds "yes" or "no": whether it wrote to standard output. A check of
 * the next one may ask for it.
 *
 * What happens comes back over the virtio-serial port named kpt.out as frames: struct frame, then `length` bytes.
 */
#ifndef KPT_WIRE_H
#define KPT_WIRE_H

#include <stdint.h>

#define FRAME_MAGIC 0x4654504bu /* "KPTF" */
#define CHUNK 65536
#define NOW "\001now\001" /* seconds since 1970, decimal, by the guest's clock */

struct frame {
	uint32_t magic;
	uint32_t type;
	uint32_t id;
	uint32_t length;
	uint64_t monotonic_ns;
};

enum frame_type {
	FRAME_BOOTED = 'B',    /* kernel release, newline, CPU: "amd", "intel" or "none" */
	FRAME_MODULE = 'M',    /* "NAME ok", "NAME skipped" or "NAME ERRNO"; id: the step */
	FRAME_STARTED = 'S',   /* a program starts */
	FRAME_OUTPUT = 'O',    /* a piece of what it writes to standard output */
	FRAME_ERRORS = 'P',    /* a piece of what it writes to standard error */
	FRAME_ENDED = 'E',     /* "exit N", "signal N", "timeout 0", "check PATH=VALUE", "spawn ERRNO", "modules 0" */
	FRAME_DROPPED = 'D',   /* decimal: bytes of output beyond the limit (before E) */
	FRAME_HEARTBEAT = 'H', /* init is alive */
	FRAME_STUCK = 'K',     /* a process survived SIGKILL; init gives up */
	FRAME_REFUSED = 'R',   /* "ERRNO PATH": a file of the host's cannot be written, or (PATH empty) its steps not be
				* kept; init gives up */
	FRAME_WAITING = 'W',   /* the next thing is the host's */
	FRAME_DONE = 'X',      /* every step was done */
};

#endif
