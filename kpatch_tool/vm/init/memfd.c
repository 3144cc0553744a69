// SPDX-License-Identifier: GPL-2.0-only
/* Loaded into the jobs of a kernel from before memfd_create() (Linux 3.17): its number may be another call there. */
#include <errno.h>

int memfd_create(const char *name, unsigned int flags);

int memfd_create(const char *name, unsigned int flags)
{
	(void)name;
	(void)flags;
	errno = ENOSYS;
	return -1;
}
