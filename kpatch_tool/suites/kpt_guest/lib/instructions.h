/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * I(label, case, instruction, fields of struct instruction...): the operand is
 * the word at rdi and at rsi, rcx is the same or what .rcx says, rax and rdx
 * are another. AMD64 Architecture Programmer's Manual 3 says which flags are
 * left undefined.
 */
#define COMPARED	(FLAGS & ~ZF)	/* Linux 3.15 compares the other way round */
#define B(op, form)		#op "b " form
#define W(op, form)		#op "w " form
#define L(op, form)		#op "l " form
#define Q(op, form)		#op "q " form

/* An operation in its four sizes, with the other operand a register or a constant, or without one. */
#define ONE(op, name, ...)				\
	I(op##_b, name, B(op, "(%rdi)"), __VA_ARGS__)	\
	I(op##_w, name, W(op, "(%rdi)"), __VA_ARGS__)	\
	I(op##_l, name, L(op, "(%rdi)"), __VA_ARGS__)	\
	I(op##_q, name, Q(op, "(%rdi)"), __VA_ARGS__)
#define TO(label, prefix, op, name, ...)						\
	I(label##_to_b, name, prefix B(op, "%dl, (%rdi)"), __VA_ARGS__)		\
	I(label##_to_w, name, prefix W(op, "%dx, (%rdi)"), __VA_ARGS__)		\
	I(label##_to_l, name, prefix L(op, "%edx, (%rdi)"), __VA_ARGS__)	\
	I(label##_to_q, name, prefix Q(op, "%rdx, (%rdi)"), __VA_ARGS__)
#define FROM(op, name, ...)						\
	I(op##_from_b, name, B(op, "(%rdi), %al"), __VA_ARGS__)		\
	I(op##_from_w, name, W(op, "(%rdi), %ax"), __VA_ARGS__)		\
	I(op##_from_l, name, L(op, "(%rdi), %eax"), __VA_ARGS__)	\
	I(op##_from_q, name, Q(op, "(%rdi), %rax"), __VA_ARGS__)
#define CONSTANT(op, name, ...)						\
	I(op##_constant_b, name, B(op, "$-75, (%rdi)"), __VA_ARGS__)	\
	I(op##_constant_w, name, W(op, "$-75, (%rdi)"), __VA_ARGS__)	\
	I(op##_constant_l, name, L(op, "$-75, (%rdi)"), __VA_ARGS__)	\
	I(op##_constant_q, name, Q(op, "$-75, (%rdi)"), __VA_ARGS__)
#define ALU(op, ...)	TO(op, "", op, #op, __VA_ARGS__) FROM(op, #op, __VA_ARGS__) CONSTANT(op, #op, __VA_ARGS__)
#define SHIFT(op, ...)							\
	ONE(op, #op, .undefined = AF)					\
	I(op##_cl_b, #op, B(op, "%cl, (%rdi)"), __VA_ARGS__, .rcx = 5)	\
	I(op##_cl_w, #op, W(op, "%cl, (%rdi)"), __VA_ARGS__, .rcx = 5)	\
	I(op##_cl_l, #op, L(op, "%cl, (%rdi)"), __VA_ARGS__, .rcx = 37)	\
	I(op##_cl_q, #op, Q(op, "%cl, (%rdi)"), __VA_ARGS__, .rcx = 69)
#define STRING(op, name, before, after, ...)					\
	I(name##_b, #name, before B(op, after), __VA_ARGS__)		\
	I(name##_w, #name, before W(op, after), __VA_ARGS__)		\
	I(name##_l, #name, before L(op, after), __VA_ARGS__)		\
	I(name##_q, #name, before Q(op, after), __VA_ARGS__)

TO(mov, "", mov, "mov")
FROM(mov, "mov")
CONSTANT(mov, "mov")
I(movzbl, "movzx", "movzbl (%rdi), %eax")
I(movzwl, "movzx", "movzwl (%rdi), %eax")
I(movzbq, "movzx", "movzbq (%rdi), %rax")
I(movzwq, "movzx", "movzwq (%rdi), %rax")
I(movsbw, "movsx", "movsbw (%rdi), %ax")
I(movsbl, "movsx", "movsbl (%rdi), %eax")
I(movsbq, "movsx", "movsbq (%rdi), %rax")
I(movswq, "movsx", "movswq (%rdi), %rax")
I(movslq, "movsx", "movslq (%rdi), %rax")
I(movnti, "movnti", "movnti %rdx, (%rdi)")
ALU(add)
ALU(adc)
ALU(sub)
ALU(sbb)
ALU(cmp)
ALU(and, .undefined = AF)
ALU(or, .undefined = AF)
ALU(xor, .undefined = AF)
TO(test, "", test, "test", .undefined = AF)
CONSTANT(test, "test", .undefined = AF)
ONE(not, "not")
ONE(neg, "neg")
ONE(inc, "inc")
ONE(dec, "dec")
SHIFT(shl, .undefined = AF | OF)
SHIFT(shr, .undefined = AF | OF)
SHIFT(sar, .undefined = AF | OF)
SHIFT(rol, .undefined = AF | OF)
SHIFT(ror, .undefined = AF | OF)
SHIFT(rcl, .undefined = AF | OF)
SHIFT(rcr, .undefined = AF | OF)
I(shld_w, "shld and shrd", "shldw %cl, %dx, (%rdi)", .undefined = AF | OF, .rcx = 5)
I(shld_q, "shld and shrd", "shldq %cl, %rdx, (%rdi)", .undefined = AF | OF, .rcx = 45)
I(shrd_l, "shld and shrd", "shrdl %cl, %edx, (%rdi)", .undefined = AF | OF, .rcx = 5)
I(shrd_q, "shld and shrd", "shrdq $9, %rdx, (%rdi)", .undefined = AF | OF)
I(bt_constant, "bt", "btl $7, (%rdi)", .undefined = OF | SF | AF | PF)
I(bt_back, "bt", "btl %ecx, (%rdi)", .undefined = OF | SF | AF | PF, .rcx = -70)
I(bts_constant, "bts, btr and btc", "btsl $13, (%rdi)", .undefined = OF | SF | AF | PF)
I(bts_behind, "bts, btr and btc", "btsl %ecx, (%rdi)", .undefined = OF | SF | AF | PF, .rcx = 100)
I(bts_before, "bts, btr and btc", "btsl %ecx, (%rdi)", .undefined = OF | SF | AF | PF, .rcx = -32)
I(btr_constant, "bts, btr and btc", "btrq $44, (%rdi)", .undefined = OF | SF | AF | PF)
I(btr_behind, "bts, btr and btc", "btrw %cx, (%rdi)", .undefined = OF | SF | AF | PF, .rcx = 67)
I(btr_before, "bts, btr and btc", "btrl %ecx, (%rdi)", .undefined = OF | SF | AF | PF, .rcx = -1)
I(btc_constant, "bts, btr and btc", "btcw $9, (%rdi)", .undefined = OF | SF | AF | PF)
I(btc_behind, "bts, btr and btc", "btcl %ecx, (%rdi)", .undefined = OF | SF | AF | PF, .rcx = 33)
I(mul_b, "multiply", "mulb (%rdi)", .undefined = SF | ZF | AF | PF)
I(mul_l, "multiply", "mull (%rdi)", .undefined = SF | ZF | AF | PF)
I(imul_q, "multiply", "imulq (%rdi)", .undefined = SF | ZF | AF | PF)
I(imul_two, "multiply", "imull (%rdi), %eax", .undefined = SF | ZF | AF | PF)
I(imul_three, "multiply", "imulq $77, (%rdi), %rax", .undefined = SF | ZF | AF | PF)
TO(xchg, "", xchg, "xchg")
TO(xadd, "lock ", xadd, "xadd")
TO(cmpxchg, "lock ", cmpxchg, "cmpxchg", .undefined = COMPARED)
TO(cmpxchg_equal, "mov %rcx, %rax; lock ", cmpxchg, "cmpxchg, equal")
I(cmpxchg8b, "cmpxchg8b", "cmpxchg8b (%rdi)")
I(cmpxchg8b_equal, "cmpxchg8b", "mov %ecx, %eax; mov %rcx, %rdx; shr $32, %rdx; cmpxchg8b (%rdi)", .undefined = FLAGS & ~ZF)
I(setc, "setcc", "setc (%rdi)")
I(setnc, "setcc", "setnc (%rdi)")
I(setbe, "setcc", "setbe (%rdi)")
I(setl, "setcc", "setl (%rdi)")
I(setg, "setcc", "setg (%rdi)")
I(setp, "setcc", "setp (%rdi)")
I(cmovc, "cmovcc", "cmovcq (%rdi), %rax")
I(cmovnc, "cmovcc", "cmovncq (%rdi), %rax")
I(cmovle, "cmovcc", "cmovlew (%rdi), %ax")
I(push, "push and pop", "pushq (%rdi); pop %rax")
I(pop, "push and pop", "push %rdx; popq (%rdi)")
I(address_index, "addresses", "mov $1, %ecx; movq 8(%rdi,%rcx,8), %rax")
I(address_before, "addresses", "movl %edx, -7(%rdi)")
I(address_unaligned, "addresses", "addq %rdx, 3(%rdi)")
I(address_short, "addresses", "movl %edx, 4(%edi)")
STRING(stos, stos, "rep ", "", .rcx = 3)
STRING(stos, stos_backward, "std; rep ", "", .rcx = 2)
STRING(lods, lods, "", "")
STRING(lods, lods_backward, "std; ", "")
STRING(movs, movs, "add $8, %rdi; rep ", "", .undefined = FLAGS, .rcx = 3)
STRING(movs, movs_backward, "sub $8, %rdi; std; rep ", "", .undefined = FLAGS, .rcx = 2)
STRING(scas, scas_until, "repne ", "", .undefined = COMPARED, .rcx = 4)
STRING(scas, scas_while, "mov (%rdi), %rax; repe ", "", .undefined = COMPARED, .rcx = 4)
STRING(cmps, cmps_until, "add $8, %rdi; repne ", "", .undefined = COMPARED, .rcx = 3)
STRING(cmps, cmps_while, "add $8, %rdi; repe ", "", .undefined = COMPARED, .rcx = 3)

#undef COMPARED
#undef B
#undef W
#undef L
#undef Q
#undef ONE
#undef TO
#undef FROM
#undef CONSTANT
#undef ALU
#undef SHIFT
#undef STRING
