/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * From multiboot's 32-bit world, and from the reset of the other processors,
 * into 64-bit C; and the ways into and out of a trap.
 */

#define MULTIBOOT_MAGIC	0x1badb002
#define MULTIBOOT_FLAGS	0x2		/* tell the size of memory */
#define TRAMPOLINE	0x8000

#define KERNEL_CS	0x08
#define KERNEL_DS	0x10
#define KERNEL_CS32	0x18
#define MSR_EFER	0xc0000080
#define EFER_LME_NXE	0x900
#define CR0_PG_WP_PE	0x80010001
#define CR0_CACHE_OFF	0x60000000
#define CR4_PAE		0x20

#define STACK_SIZE	16384

	.section .multiboot, "ax"
	.align 4
	.long	MULTIBOOT_MAGIC
	.long	MULTIBOOT_FLAGS
	.long	-(MULTIBOOT_MAGIC + MULTIBOOT_FLAGS)

	/* Turns on paging and long mode. Clobbers eax, ecx, edx. */
	.macro	enter_long_mode
	mov	$CR4_PAE, %eax
	mov	%eax, %cr4
	mov	$boot_root, %eax
	mov	%eax, %cr3
	mov	$MSR_EFER, %ecx
	mov	$EFER_LME_NXE, %eax
	xor	%edx, %edx
	wrmsr
	mov	%cr0, %eax
	or	$CR0_PG_WP_PE, %eax
	and	$~CR0_CACHE_OFF, %eax
	mov	%eax, %cr0
	.endm

	.text
	.code32
	.globl	start
start:
	cli
	mov	%ebx, multiboot_info
	lgdtl	gdt_pointer
	enter_long_mode
	ljmpl	$KERNEL_CS, $start64

	.code64
start64:
	lea	stacks + STACK_SIZE(%rip), %rsp
	call	load_data_segments
	xor	%ebp, %ebp
	mov	multiboot_info(%rip), %edi
	call	boot_main
	ud2

load_data_segments:
	mov	$KERNEL_DS, %eax
	mov	%eax, %ds
	mov	%eax, %es
	mov	%eax, %ss
	xor	%eax, %eax
	mov	%eax, %fs
	mov	%eax, %gs
	ret

/* Another processor, after INIT and SIPI; copied to TRAMPOLINE. */
	.code16
	.globl	trampoline, trampoline_end
trampoline:
	cli
	xor	%ax, %ax
	mov	%ax, %ds
	lgdtl	TRAMPOLINE + trampoline_gdt - trampoline
	mov	%cr0, %eax
	or	$1, %eax
	mov	%eax, %cr0
	ljmpl	$KERNEL_CS32, $TRAMPOLINE + trampoline32 - trampoline

	.code32
trampoline32:
	mov	$KERNEL_DS, %eax
	mov	%eax, %ds
	enter_long_mode
	ljmpl	$KERNEL_CS, $trampoline64

	.align	4
trampoline_gdt:
	.word	gdt_end - gdt - 1
	.long	gdt
trampoline_end:

	.code64
trampoline64:
	mov	$1, %edi
	lock xadd %edi, cpus_started(%rip)
	mov	%edi, %eax
	inc	%eax
	imul	$STACK_SIZE, %eax
	lea	stacks(%rip), %rsp
	add	%rax, %rsp
	mov	%edi, %ebx
	call	load_data_segments
	mov	%ebx, %edi
	xor	%ebp, %ebp
	call	cpu_main
	ud2

/* One stub a vector, sixteen bytes apart. */
	.align	16
	.globl	trap_stubs
trap_stubs:
	vector = 0
	.rept	256
	.align	16
	.if	vector != 8 && !(vector >= 10 && vector <= 14) && vector != 17 && vector != 21
	pushq	$0
	.endif
	pushq	$vector
	jmp	trap_entry
	vector = vector + 1
	.endr

trap_entry:
	push	%rax
	push	%rcx
	push	%rdx
	push	%rbx
	push	%rbp
	push	%rsi
	push	%rdi
	push	%r8
	push	%r9
	push	%r10
	push	%r11
	push	%r12
	push	%r13
	push	%r14
	push	%r15
	cld
	mov	%rsp, %rdi
	call	handle_trap
	pop	%r15
	pop	%r14
	pop	%r13
	pop	%r12
	pop	%r11
	pop	%r10
	pop	%r9
	pop	%r8
	pop	%rdi
	pop	%rsi
	pop	%rbp
	pop	%rbx
	pop	%rdx
	pop	%rcx
	pop	%rax
	add	$16, %rsp
	iretq

/*
 * void enter_user(const void *code, u64 argument, void *stack, u64 *kernel_sp)
 * comes back through leave_user, where handle_trap() sends it.
 */
	.globl	enter_user, leave_user
enter_user:
	push	%rbx
	push	%rbp
	push	%r12
	push	%r13
	push	%r14
	push	%r15
	mov	%rsp, (%rcx)
	pushq	$0x2b
	push	%rdx
	pushq	$2
	pushq	$0x23
	push	%rdi
	mov	%rsi, %rdi
	iretq
leave_user:
	pop	%r15
	pop	%r14
	pop	%r13
	pop	%r12
	pop	%rbp
	pop	%rbx
	ret

	.data
	.align	16
	.globl	gdt, gdt_end
gdt:
	.quad	0
	.quad	0x00af9b000000ffff	/* 08: kernel code */
	.quad	0x00cf93000000ffff	/* 10: kernel data */
	.quad	0x00cf9b000000ffff	/* 18: kernel code, 32 bits */
	.quad	0x00affb000000ffff	/* 20: user code */
	.quad	0x00cff3000000ffff	/* 28: user data */
	.fill	8 * 2, 8, 0		/* 30: a task state segment a processor */
gdt_end:
gdt_pointer:
	.word	gdt_end - gdt - 1
	.quad	gdt

	.globl	multiboot_info, cpus_started
multiboot_info:
	.long	0
cpus_started:
	.long	1

/* The first and the fourth GiB, one to one; the local APIC is in the latter. */
	.align	4096
	.globl	boot_root
boot_root:
	.quad	boot_level3 + 3
	.fill	511, 8, 0
boot_level3:
	.quad	boot_level2 + 3
	.quad	0, 0
	.quad	boot_devices + 3
	.fill	508, 8, 0
boot_level2:
	i = 0
	.rept	512
	.quad	(i << 21) + 0x83
	i = i + 1
	.endr
boot_devices:
	i = 0
	.rept	512
	.quad	0xc0000000 + (i << 21) + 0x9b	/* not cached */
	i = i + 1
	.endr

	.bss
	.align	4096
stacks:
	.skip	STACK_SIZE * 8

	.section .note.GNU-stack, "", @progbits
