/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * For arch/x86/kernel/module.c of kernels before 4.16: binutils 2.31 marks calls with R_X86_64_PLT32 where it used
 * R_X86_64_PC32, and a module's loader may treat both alike (kernel commit b21ebf2fb4cd). The only use of the name is the
 * label of a switch, so naming both numbers there teaches that loader without a change to its file.
 */
#include <asm/elf.h>
#ifdef R_X86_64_PC32
#undef R_X86_64_PC32
#define R_X86_64_PC32 2: case 4 /* R_X86_64_PLT32 */
#endif
