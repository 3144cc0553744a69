/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Kernels before 4.2 include linux/compiler-gcc<N>.h by the compiler's major number and know none above 4 or 5. The
 * newest they have is right for every later gcc: what it promises, later ones still do (kernel commit cb984d101b30
 * made one file of them all). kpt installs this under the name the kernel looks for.
 */
#if __has_include(<linux/compiler-gcc5.h>)
#include <linux/compiler-gcc5.h>
#else
#include <linux/compiler-gcc4.h>
#endif
