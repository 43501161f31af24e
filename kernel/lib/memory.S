/* SPDX-License-Identifier: MIT */
/*
 * memcpy, memmove, memset; unaligned accesses are welcome (normal memory). Large zeroing uses DC
 * ZVA, which needs no data to be read. Up to 64 bytes are copied without a loop: from both ends,
 * overlapping in the middle.
 *
 * Large copies go through eight SIMD registers, at half the instructions of general ones. They may
 * hold the running program's values, so they are put on the stack and brought back; an interrupt
 * in between that copies does the same again. Nothing here sleeps and the kernel is not preempted,
 * so no other task runs meanwhile.
 */
	.arch_extension fp
	.arch_extension simd

#define SIMD_LEAST 512

	.text

/* void *memcpy(void *dst, const void *src, size_t n) */
	.globl	memcpy
	.balign	64
memcpy:
	add	x4, x1, x2
	add	x5, x0, x2
	cmp	x2, #16
	b.lo	2f
	cmp	x2, #64
	b.hi	5f
	ldp	x6, x7, [x1]
	ldp	x8, x9, [x4, #-16]
	cmp	x2, #32
	b.ls	1f
	ldp	x10, x11, [x1, #16]
	ldp	x12, x13, [x4, #-32]
	stp	x10, x11, [x0, #16]
	stp	x12, x13, [x5, #-32]
1:	stp	x6, x7, [x0]
	stp	x8, x9, [x5, #-16]
	ret
2:	tbz	x2, #3, 3f
	ldr	x6, [x1]
	ldr	x7, [x4, #-8]
	str	x6, [x0]
	str	x7, [x5, #-8]
	ret
3:	tbz	x2, #2, 4f
	ldr	w6, [x1]
	ldr	w7, [x4, #-4]
	str	w6, [x0]
	str	w7, [x5, #-4]
	ret
4:	cbz	x2, 9f
	lsr	x8, x2, #1
	ldrb	w6, [x1]
	ldrb	w7, [x4, #-1]
	ldrb	w9, [x1, x8]
	strb	w6, [x0]
	strb	w9, [x0, x8]
	strb	w7, [x5, #-1]
	ret
5:	mov	x3, x0
	cmp	x2, #SIMD_LEAST
	b.hs	10f
11:	subs	x2, x2, #128
	b.lo	7f
6:	ldp	x6, x7, [x1], #128
	ldp	x8, x9, [x1, #-112]
	ldp	x10, x11, [x1, #-96]
	ldp	x12, x13, [x1, #-80]
	stp	x6, x7, [x3], #128
	stp	x8, x9, [x3, #-112]
	stp	x10, x11, [x3, #-96]
	stp	x12, x13, [x3, #-80]
	ldp	x6, x7, [x1, #-64]
	ldp	x8, x9, [x1, #-48]
	ldp	x10, x11, [x1, #-32]
	ldp	x12, x13, [x1, #-16]
	stp	x6, x7, [x3, #-64]
	stp	x8, x9, [x3, #-48]
	stp	x10, x11, [x3, #-32]
	stp	x12, x13, [x3, #-16]
	subs	x2, x2, #128
	b.hs	6b
7:	adds	x2, x2, #128		/* 0..127 are left, and 64 and more lie before the end */
	b.eq	9f
	cmp	x2, #64
	b.ls	8f
	ldp	x6, x7, [x1]
	ldp	x8, x9, [x1, #16]
	ldp	x10, x11, [x1, #32]
	ldp	x12, x13, [x1, #48]
	stp	x6, x7, [x3]
	stp	x8, x9, [x3, #16]
	stp	x10, x11, [x3, #32]
	stp	x12, x13, [x3, #48]
8:	ldp	x6, x7, [x4, #-64]
	ldp	x8, x9, [x4, #-48]
	ldp	x10, x11, [x4, #-32]
	ldp	x12, x13, [x4, #-16]
	stp	x6, x7, [x5, #-64]
	stp	x8, x9, [x5, #-48]
	stp	x10, x11, [x5, #-32]
	stp	x12, x13, [x5, #-16]
9:	ret
10:	sub	sp, sp, #128
	stp	q0, q1, [sp, #0]
	stp	q2, q3, [sp, #32]
	stp	q4, q5, [sp, #64]
	stp	q6, q7, [sp, #96]
	sub	x2, x2, #256
12:	ldp	q0, q1, [x1], #256
	ldp	q2, q3, [x1, #-224]
	ldp	q4, q5, [x1, #-192]
	ldp	q6, q7, [x1, #-160]
	stp	q0, q1, [x3], #256
	stp	q2, q3, [x3, #-224]
	stp	q4, q5, [x3, #-192]
	stp	q6, q7, [x3, #-160]
	ldp	q0, q1, [x1, #-128]
	ldp	q2, q3, [x1, #-96]
	ldp	q4, q5, [x1, #-64]
	ldp	q6, q7, [x1, #-32]
	stp	q0, q1, [x3, #-128]
	stp	q2, q3, [x3, #-96]
	stp	q4, q5, [x3, #-64]
	stp	q6, q7, [x3, #-32]
	subs	x2, x2, #256
	b.hs	12b
	ldp	q0, q1, [sp, #0]
	ldp	q2, q3, [sp, #32]
	ldp	q4, q5, [sp, #64]
	ldp	q6, q7, [sp, #96]
	add	sp, sp, #128
	adds	x2, x2, #256
	b.ne	11b
	ret

/*
 * void *memmove(void *dst, const void *src, size_t n)
 * Up to 64 bytes memcpy reads all before it writes any.
 */
	.globl	memmove
	.balign	16
memmove:
	cmp	x2, #64
	b.ls	memcpy
	sub	x3, x0, x1
	cmp	x3, x2
	b.lo	3f			/* dst lies within src: from the end */
	sub	x3, x1, x0
	cmp	x3, x2
	b.hs	memcpy			/* no overlap */
	mov	x3, x0
	subs	x2, x2, #16
1:	ldp	x6, x7, [x1], #16
	stp	x6, x7, [x3], #16
	subs	x2, x2, #16
	b.hs	1b
	adds	x2, x2, #16
	b.eq	5f
2:	ldrb	w6, [x1], #1
	strb	w6, [x3], #1
	subs	x2, x2, #1
	b.ne	2b
	ret
3:	add	x1, x1, x2
	add	x3, x0, x2
	subs	x2, x2, #16
4:	ldp	x6, x7, [x1, #-16]!
	stp	x6, x7, [x3, #-16]!
	subs	x2, x2, #16
	b.hs	4b
	adds	x2, x2, #16
	b.eq	5f
6:	ldrb	w6, [x1, #-1]!
	strb	w6, [x3, #-1]!
	subs	x2, x2, #1
	b.ne	6b
5:	ret

/*
 * void clear_pages(void *dst, size_t n): dst and n multiples of 64, n not 0. Leaves x0 as it is,
 * and touches x0-x4 only.
 */
	.globl	clear_pages
	.balign	64
clear_pages:
	mrs	x3, dczid_el0
	and	w3, w3, #0x1f
	add	x2, x0, x1
	cmp	w3, #4			/* 64 bytes, and not prohibited */
	mov	x4, x0
	b.ne	3f
	tst	x1, #511
	b.ne	2f
1:	dc	zva, x4
	add	x4, x4, #64
	dc	zva, x4
	add	x4, x4, #64
	dc	zva, x4
	add	x4, x4, #64
	dc	zva, x4
	add	x4, x4, #64
	dc	zva, x4
	add	x4, x4, #64
	dc	zva, x4
	add	x4, x4, #64
	dc	zva, x4
	add	x4, x4, #64
	dc	zva, x4
	add	x4, x4, #64
	cmp	x4, x2
	b.lo	1b
	ret
2:	dc	zva, x4
	add	x4, x4, #64
	cmp	x4, x2
	b.lo	2b
	ret
3:	stp	xzr, xzr, [x4], #64
	stp	xzr, xzr, [x4, #-48]
	stp	xzr, xzr, [x4, #-32]
	stp	xzr, xzr, [x4, #-16]
	cmp	x4, x2
	b.lo	3b
	ret

/*
 * void *memset(void *dst, int c, size_t n)
 * Zeroing whole pages is what it is called for most, so that comes first.
 */
	.globl	memset
	.balign	64
memset:
	ands	w1, w1, #0xff
	b.ne	1f
	orr	x3, x0, x2
	tst	x3, #511
	b.ne	1f
	mov	x1, x2
	cbnz	x2, clear_pages
	ret
1:	mov	x3, #0x0101010101010101
	mul	x1, x1, x3
	add	x5, x0, x2
	cmp	x2, #16
	b.lo	4f
	stp	x1, x1, [x0]
	stp	x1, x1, [x5, #-16]
	cmp	x2, #32
	b.ls	3f
	stp	x1, x1, [x0, #16]
	stp	x1, x1, [x5, #-32]
	cmp	x2, #64
	b.ls	3f
	cmp	x2, #512
	b.lo	8f
	cbz	x1, 7f
8:	add	x4, x0, #32		/* all but the last 64 bytes, in steps of 64; then those */
	sub	x6, x5, #64
2:	cmp	x4, x6
	b.hs	9f
	stp	x1, x1, [x4], #64
	stp	x1, x1, [x4, #-48]
	stp	x1, x1, [x4, #-32]
	stp	x1, x1, [x4, #-16]
	b	2b
9:	stp	x1, x1, [x5, #-64]
	stp	x1, x1, [x5, #-48]
3:	ret
4:	tbz	x2, #3, 5f
	str	x1, [x0]
	str	x1, [x5, #-8]
	ret
5:	tbz	x2, #2, 6f
	str	w1, [x0]
	str	w1, [x5, #-4]
	ret
6:	cbz	x2, 3b
	lsr	x4, x2, #1
	strb	w1, [x0]
	strb	w1, [x0, x4]
	strb	w1, [x5, #-1]
	ret
/* Zeroing 512 bytes and more: the unaligned head, whole lines, the unaligned end. */
7:	stp	xzr, xzr, [x0, #32]
	stp	xzr, xzr, [x0, #48]
	stp	xzr, xzr, [x5, #-64]
	stp	xzr, xzr, [x5, #-48]
	mov	x7, x0
	mov	x8, x30
	add	x0, x0, #63
	and	x0, x0, #~63
	and	x1, x5, #~63
	sub	x1, x1, x0
	bl	clear_pages
	mov	x0, x7
	mov	x30, x8
	ret
