/* SPDX-License-Identifier: MIT */
/*
 * Copies between kernel and user memory. Every access to the user's side is a load or store
 * "unprivileged" (LDTR, STTR), with an entry in the exception table. A fault in the middle of a
 * block falls back to single bytes, which either gets on or finds exactly which byte cannot be
 * had.
 */
#include "kernel/arch/extable.h"
#include "kernel/arch/thread.h"

#define EFAULT 14

/* The instruction, and where to go when it faults for good. */
	.macro	user, fixup, insn:vararg
9998:	\insn
	_asm_extable 9998b, \fixup
	.endm

/*
 * Goes to \to unless \reg is an address that a user can have: below 2^48, without tag. From those
 * who have asked for it a tag is taken, and off.
 */
	.macro	check, reg, to
	tst	\reg, #0xffff000000000000
	b.eq	9997f
	mrs	x16, sp_el0
	ldr	w16, [x16, #TASK_TAGGED_ADDR]
	cbz	w16, \to
	tst	\reg, #0x00ff000000000000
	b.ne	\to
	and	\reg, \reg, #0x0000ffffffffffff
9997:
	.endm

	.text

/* size_t __copy_from_user(void *dst, const void *src, size_t n) */
	.globl	__copy_from_user
	.balign	16
__copy_from_user:
	check	x1, 6f
	subs	x2, x2, #64
	b.lo	2f
1:	user	7f, ldtr x3, [x1]
	user	7f, ldtr x4, [x1, #8]
	user	7f, ldtr x5, [x1, #16]
	user	7f, ldtr x6, [x1, #24]
	user	7f, ldtr x7, [x1, #32]
	user	7f, ldtr x8, [x1, #40]
	user	7f, ldtr x9, [x1, #48]
	user	7f, ldtr x10, [x1, #56]
	stp	x3, x4, [x0], #64
	stp	x5, x6, [x0, #-48]
	add	x1, x1, #64
	stp	x7, x8, [x0, #-32]
	subs	x2, x2, #64
	stp	x9, x10, [x0, #-16]
	b.hs	1b
2:	adds	x2, x2, #(64 - 8)
	b.mi	4f
3:	user	8f, ldtr x3, [x1]
	add	x1, x1, #8
	subs	x2, x2, #8
	str	x3, [x0], #8
	b.pl	3b
4:	adds	x2, x2, #8
	b.eq	6f
5:	user	6f, ldtrb w3, [x1]
	add	x1, x1, #1
	sub	x2, x2, #1
	strb	w3, [x0], #1
	cbnz	x2, 5b
6:	mov	x0, x2
	ret
7:	add	x2, x2, #64
	b	5b
8:	add	x2, x2, #8
	b	5b

/* size_t __copy_to_user(void *dst, const void *src, size_t n) */
	.globl	__copy_to_user
	.balign	16
__copy_to_user:
	check	x0, 6f
	subs	x2, x2, #64
	b.lo	2f
1:	ldp	x3, x4, [x1]
	ldp	x5, x6, [x1, #16]
	ldp	x7, x8, [x1, #32]
	ldp	x9, x10, [x1, #48]
	user	7f, sttr x3, [x0]
	user	7f, sttr x4, [x0, #8]
	user	7f, sttr x5, [x0, #16]
	user	7f, sttr x6, [x0, #24]
	user	7f, sttr x7, [x0, #32]
	user	7f, sttr x8, [x0, #40]
	user	7f, sttr x9, [x0, #48]
	user	7f, sttr x10, [x0, #56]
	add	x0, x0, #64
	add	x1, x1, #64
	subs	x2, x2, #64
	b.hs	1b
2:	adds	x2, x2, #(64 - 8)
	b.mi	4f
3:	ldr	x3, [x1]
	user	8f, sttr x3, [x0]
	add	x1, x1, #8
	add	x0, x0, #8
	subs	x2, x2, #8
	b.pl	3b
4:	adds	x2, x2, #8
	b.eq	6f
5:	ldrb	w3, [x1]
	user	6f, sttrb w3, [x0]
	add	x1, x1, #1
	add	x0, x0, #1
	sub	x2, x2, #1
	cbnz	x2, 5b
6:	mov	x0, x2
	ret
7:	add	x2, x2, #64
	b	5b
8:	add	x2, x2, #8
	b	5b

/* size_t __clear_user(void *dst, size_t n) */
	.globl	__clear_user
	.balign	16
__clear_user:
	check	x0, 6f
	subs	x1, x1, #64
	b.lo	2f
1:	user	7f, sttr xzr, [x0]
	user	7f, sttr xzr, [x0, #8]
	user	7f, sttr xzr, [x0, #16]
	user	7f, sttr xzr, [x0, #24]
	user	7f, sttr xzr, [x0, #32]
	user	7f, sttr xzr, [x0, #40]
	user	7f, sttr xzr, [x0, #48]
	user	7f, sttr xzr, [x0, #56]
	add	x0, x0, #64
	subs	x1, x1, #64
	b.hs	1b
2:	adds	x1, x1, #64
	b.eq	6f
5:	user	6f, sttrb wzr, [x0]
	add	x0, x0, #1
	subs	x1, x1, #1
	b.ne	5b
6:	mov	x0, x1
	ret
7:	add	x1, x1, #64
	b	5b

/*
 * long __strncpy_from_user(char *dst, const char *src, long max)
 * Aligned words never reach into a page that the string does not; a zero byte in one shows by the
 * classic (w - 0x01..01) & ~w & 0x80..80.
 */
	.globl	__strncpy_from_user
	.balign	16
__strncpy_from_user:
	check	x1, 9f
	mov	x6, x2			/* left */
	mov	x7, #0x0101010101010101
1:	cbz	x6, 8f
	tst	x1, #7
	b.ne	3f
	cmp	x6, #8
	b.lo	3f
2:	user	9f, ldtr x3, [x1]
	sub	x4, x3, x7
	bic	x4, x4, x3
	tst	x4, #0x8080808080808080
	b.ne	3f			/* it ends in this word */
	str	x3, [x0], #8
	add	x1, x1, #8
	sub	x6, x6, #8
	cmp	x6, #8
	b.hs	2b
	cbz	x6, 8f
3:	user	9f, ldtrb w3, [x1]
	strb	w3, [x0], #1
	cbz	w3, 8f
	add	x1, x1, #1
	sub	x6, x6, #1
	tst	x1, #7
	b.eq	1b
	cbnz	x6, 3b
8:	sub	x0, x2, x6
	ret
9:	mov	x0, #-EFAULT
	ret

/* int get_user_uN(uN *v, const uN *p) */
	.macro	get_user, bits, ldtr, str, reg
	.globl	get_user_u\bits
get_user_u\bits:
	check	x1, fault
	user	fault, \ldtr \reg, [x1]
	\str	\reg, [x0]
	mov	w0, #0
	ret
	.endm

/* int put_user_uN(uN v, uN *p) */
	.macro	put_user, bits, sttr, reg
	.globl	put_user_u\bits
put_user_u\bits:
	check	x1, fault
	user	fault, \sttr \reg, [x1]
	mov	w0, #0
	ret
	.endm

	get_user 32, ldtr, str, w2
	get_user 64, ldtr, str, x2
	put_user 32, sttr, w0
	put_user 64, sttr, x0

fault:	mov	w0, #-EFAULT
	ret

/*
 * int cmpxchg_user_u32(u32 *p, u32 old, u32 val, u32 *seen)
 * There is no unprivileged exclusive access before ARMv9; that the address is the user's is
 * checked.
 */
	.globl	cmpxchg_user_u32
	.balign	16
cmpxchg_user_u32:
	check	x0, fault
	tst	x0, #3
	b.ne	fault
1:	user	fault, ldaxr w5, [x0]
	cmp	w5, w1
	b.ne	2f
	user	fault, stlxr w6, w2, [x0]
	cbnz	w6, 1b
2:	str	w5, [x3]
	dmb	ish
	mov	w0, #0
	ret
