/* SPDX-License-Identifier: MIT */
/*
 * Exceptions: the vector table, saving and restoring what was interrupted (struct pt_regs).
 *
 * From EL0 the kernel stack is empty, so pt_regs lies at its top; sp_el0 becomes `current`. The
 * way back looks at current->work, which is the first word of struct task, until there is nothing
 * left to do. A system call runs with interrupts on; what follows from an interrupt or a fault
 * decides for itself.
 */
#include "kernel/arch/ptregs.h"
#include "kernel/arch/sysreg.h"
#include "kernel/arch/thread.h"
#include "kernel/percpu.h"

/* x0-x29, in pairs from sp up; x30, pstate, pc and the old sp are the caller's to add. */
	.macro	save_x0_to_x19
	sub	sp, sp, #PT_REGS_SIZE
	stp	x0, x1, [sp, #0]
	stp	x2, x3, [sp, #16]
	stp	x4, x5, [sp, #32]
	stp	x6, x7, [sp, #48]
	stp	x8, x9, [sp, #64]
	stp	x10, x11, [sp, #80]
	stp	x12, x13, [sp, #96]
	stp	x14, x15, [sp, #112]
	stp	x16, x17, [sp, #128]
	stp	x18, x19, [sp, #144]
	.endm

	.macro	save_x20_to_x27
	stp	x20, x21, [sp, #160]
	stp	x22, x23, [sp, #176]
	stp	x24, x25, [sp, #192]
	stp	x26, x27, [sp, #208]
	.endm

	.macro	save_x0_to_x29
	save_x0_to_x19
	save_x20_to_x27
	stp	x28, x29, [sp, #224]
	.endm

	.macro	restore_x0_to_x17
	ldp	x0, x1, [sp, #0]
	ldp	x2, x3, [sp, #16]
	ldp	x4, x5, [sp, #32]
	ldp	x6, x7, [sp, #48]
	ldp	x8, x9, [sp, #64]
	ldp	x10, x11, [sp, #80]
	ldp	x12, x13, [sp, #96]
	ldp	x14, x15, [sp, #112]
	ldp	x16, x17, [sp, #128]
	.endm

	/* Where and how to go on in user mode. \a to \c are of no use after it. */
	.macro	restore_sp_pc_pstate, a, b, c
	ldr	\a, [sp, #PT_REGS_SP]
	ldp	\b, \c, [sp, #PT_REGS_PC]
	msr	sp_el0, \a
	msr	elr_el1, \b
	msr	spsr_el1, \c
	.endm

	.macro	pop_and_eret
	add	sp, sp, #PT_REGS_SIZE
	eret
	dsb	nsh			/* no speculation past the return */
	isb
	.endm

	.macro	restore_x0_to_x30_and_eret
	restore_x0_to_x17
	ldp	x18, x19, [sp, #144]
	ldp	x20, x21, [sp, #160]
	ldp	x22, x23, [sp, #176]
	ldp	x24, x25, [sp, #192]
	ldp	x26, x27, [sp, #208]
	ldp	x28, x29, [sp, #224]
	ldr	x30, [sp, #240]
	pop_and_eret
	.endm

/*
 * From user mode, with x0 to x19 saved, the rest, but for x20 to x27: they stay what they are. Leaves
 * \task = current, \a to \c of no use, and no frame for backtraces to follow.
 */
	.macro	enter_task, task, a, b, c
	mrs	\a, sp_el0
	mrs	\b, elr_el1
	mrs	\c, spsr_el1
	stp	x28, x29, [sp, #224]
	stp	x30, \a, [sp, #240]
	stp	\b, \c, [sp, #PT_REGS_PC]
	mrs	\task, tpidr_el1
	ldr	\task, [\task, #PERCPU_TASK]
	msr	sp_el0, \task
	mov	x29, xzr
	.endm

/* From user mode. Leaves x19 = current, x24 = ESR_EL1. */
	.macro	enter_from_el0
	save_x0_to_x19
	save_x20_to_x27
	mrs	x24, esr_el1
	enter_task x19, x21, x22, x23
	.endm

/*
 * A stack is the upper half of its slot (stack.c), so the bit is clear where it has no room for
 * pt_regs. TPIDRRO_EL0 holds x0 meanwhile; programs can read it, so it does not stay there.
 */
	.macro	check_stack_room
	msr	tpidrro_el0, x0
	sub	x0, sp, #PT_REGS_SIZE
	tbz	x0, #THREAD_SHIFT, kernel_stack_overflow
	mrs	x0, tpidrro_el0
	msr	tpidrro_el0, xzr
	.endm

/* From the kernel itself: the same stack goes on. Leaves x24 = ESR_EL1. */
	.macro	enter_from_el1
	save_x0_to_x29
	add	x21, sp, #PT_REGS_SIZE
	mrs	x22, elr_el1
	mrs	x23, spsr_el1
	mrs	x24, esr_el1
	stp	x30, x21, [sp, #240]
	stp	x22, x23, [sp, #PT_REGS_PC]
	mov	x25, #NO_SYSCALL
	stp	x0, x25, [sp, #PT_REGS_ORIG_X0]
	.endm

	.macro	return_to_el1
	ldp	x22, x23, [sp, #PT_REGS_PC]
	msr	elr_el1, x22
	msr	spsr_el1, x23
	restore_x0_to_x30_and_eret
	.endm

	.macro	ventry, label
	.balign	128
	b	\label
	.endm

	.macro	bad_vector, name, kind, from
\name:
	enter_from_\from
	mov	x0, sp
	mov	x1, x24
	mov	x2, #\kind
	b	unexpected_exception
	.endm

	.section .vectors, "ax"
	.balign	2048
	.globl	vectors
vectors:
	ventry	bad_el1_sp0		/* the kernel never runs on sp_el0 */
	ventry	bad_el1_sp0
	ventry	bad_el1_sp0
	ventry	bad_el1_sp0
	ventry	el1_sync
	ventry	el1_irq
	ventry	bad_el1_fiq
	ventry	bad_el1_serror
	ventry	el0_sync
	ventry	el0_irq
	ventry	bad_el0_fiq
	ventry	bad_el0_serror
	ventry	bad_el0_aarch32		/* no 32-bit program is ever started */
	ventry	bad_el0_aarch32
	ventry	bad_el0_aarch32
	ventry	bad_el0_aarch32
	.balign	128

	.text
	.balign	64
el0_sync:
	save_x0_to_x19
	mrs	x1, esr_el1
	lsr	x2, x1, #ESR_EC_SHIFT
	cmp	x2, #ESR_EC_SVC64
	b.ne	el0_no_syscall
	save_x20_to_x27
	enter_task x19, x21, x22, x23
	stp	x0, x8, [sp, #PT_REGS_ORIG_X0]
	ldr	w1, [x19, #TASK_TRACE_CALLS]
	msr	daifclr, #0xf
	mov	x0, sp
	cbnz	w1, el0_traced_call
	bl	do_syscall

/* x19: current; sp: pt_regs. */
ret_to_user:
	msr	daifset, #0xf
	ldr	w1, [x19]
	cbnz	w1, 1f
	restore_sp_pc_pstate x21, x22, x23
	restore_x0_to_x30_and_eret
1:	msr	daifclr, #0xf
	mov	x0, sp
	bl	exit_to_user_work
	b	ret_to_user

el0_traced_call:
	bl	do_traced_syscall
	b	ret_to_user

/*
 * An abort is repaired by functions that leave x19 to x28 as they are, so those are saved, with all else
 * that is in pt_regs, only where somebody is to look at them. x1: ESR_EL1; x2: its class.
 */
el0_no_syscall:
	bic	x2, x2, #4		/* 0x20 and 0x24: instruction and data abort */
	cmp	x2, #ESR_EC_IABT_LOW
	b.ne	el0_other
	enter_task x5, x2, x3, x4
	mrs	x2, far_el1
	msr	daifclr, #0xf
	stp	x1, x2, [x5, #TASK_ABORT]
	mov	w3, #1
	add	x4, x5, #TASK_ABORT_FAULT
	add	x0, x5, #TASK_MMK
	bl	mmk_arm64_abort
	cbnz	w0, abort_to_signal
	msr	daifset, #0xf
	mrs	x0, sp_el0
	ldr	w1, [x0]
	cbnz	w1, abort_to_work
	restore_sp_pc_pstate x2, x3, x4
	restore_x0_to_x17
	ldr	x18, [sp, #144]
	ldp	x29, x30, [sp, #232]
	pop_and_eret

abort_to_signal:
	bl	do_user_abort
abort_to_work:
	save_x20_to_x27
	mrs	x19, sp_el0
	ldr	x0, [sp, #0]
	mov	x1, #NO_SYSCALL
	stp	x0, x1, [sp, #PT_REGS_ORIG_X0]
	b	ret_to_user

el0_other:
	save_x20_to_x27
	mov	x24, x1
	enter_task x19, x21, x22, x23
	mov	x26, #NO_SYSCALL
	stp	x0, x26, [sp, #PT_REGS_ORIG_X0]
	mrs	x2, far_el1
	msr	daifclr, #0xf
	mov	x0, sp
	mov	x1, x24
	bl	el0_other_sync
	b	ret_to_user

	.balign	64
el0_irq:
	enter_from_el0
	mov	x26, #NO_SYSCALL
	stp	x0, x26, [sp, #PT_REGS_ORIG_X0]
	bl	handle_irq
	b	ret_to_user

	.balign	64
el1_sync:
	check_stack_room
	enter_from_el1
	mov	x0, sp
	mov	x1, x24
	mrs	x2, far_el1
	bl	el1_sync_exception
	return_to_el1

	.balign	64
el1_irq:
	check_stack_room
	enter_from_el1
	bl	handle_irq
	return_to_el1

/* x0: sp less PT_REGS_SIZE. User mode is not returned to, so its TPIDR_EL0 can go. */
kernel_stack_overflow:
	add	x0, x0, #PT_REGS_SIZE
	msr	tpidr_el0, x0
	mrs	x0, tpidr_el1
	ldr	x0, [x0, #PERCPU_OVERFLOW]
	mov	sp, x0
	mrs	x0, tpidrro_el0
	enter_from_el1
	mrs	x21, tpidr_el0
	str	x21, [sp, #PT_REGS_SP]
	mov	x0, sp
	mov	x1, x24
	mrs	x2, far_el1
	b	kernel_stack_overflow_exception

	bad_vector bad_el1_sp0, 0, el1
	bad_vector bad_el1_fiq, 1, el1
	bad_vector bad_el1_serror, 2, el1
	bad_vector bad_el0_fiq, 3, el0
	bad_vector bad_el0_serror, 4, el0
	bad_vector bad_el0_aarch32, 5, el0

	.globl	ret_from_fork
ret_from_fork:
	bl	schedule_tail
	msr	daifclr, #0xf
	cbz	x19, 1f
	mov	x0, x20
	blr	x19
1:	mrs	x19, sp_el0
	mov	x29, xzr
	b	ret_to_user
