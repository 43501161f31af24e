/* SPDX-License-Identifier: MIT */
/* What entry.S calls in traps.c. */
#ifndef KERNEL_ARCH_TRAPS_H
#define KERNEL_ARCH_TRAPS_H

#include "kernel/arch/ptregs.h"

/* From EL0, interrupts on: any synchronous exception but system call, instruction and data abort.
 */
void el0_other_sync(struct pt_regs *regs, u64 esr, u64 far);
/* From EL1, all masked. */
void el1_sync_exception(struct pt_regs *regs, u64 esr, u64 far);
void unexpected_exception(struct pt_regs *regs, u64 esr, u64 kind) __noreturn;
/* From EL1, on a stack of the CPU's own: the task's has no room. */
void kernel_stack_overflow_exception(struct pt_regs *regs, u64 esr, u64 far) __noreturn;

#endif
