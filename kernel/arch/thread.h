/* SPDX-License-Identifier: MIT */
/*
 * What a task is to the processor: a kernel stack with the user's registers at its top, the
 * callee-saved registers while it does not run, and the FP/SIMD registers of its user half (the
 * kernel itself uses none, so they stay in the CPU until another user task wants them).
 *
 * In the kernel sp_el0 holds `current`; the user's sp_el0 is in pt_regs.sp meanwhile.
 */
#ifndef KERNEL_ARCH_THREAD_H
#define KERNEL_ARCH_THREAD_H

#define THREAD_SIZE      16384
#define THREAD_SHIFT     14
#define CPU_CONTEXT_TASK 104
#define TASK_TAGGED_ADDR 4
#define TASK_TRACE_CALLS 8
#define TASK_ABORT       32
#define TASK_ABORT_FAULT 48
#define TASK_MMK         64

#ifndef __ASSEMBLER__

#include "kernel/arch/ptregs.h"
#include "kernel/lib/types.h"

/* Defined by the scheduler. Its first members must be `u32 work`, see ret_to_user in entry.S,
 * `u32 tagged_addr`, see uaccess.S, and `u32 trace_calls`, see el0_sync. */
struct task;

/* What cpu_switch_to() keeps of a task that does not run. */
struct cpu_context {
	u64 x19, x20, x21, x22, x23, x24, x25, x26, x27, x28;
	u64 fp;
	u64 sp;
	u64 lr;            /* ret_from_fork for a task that has never run */
	struct task *task; /* whose context this is; becomes `current`; set when the task is made */
};
_Static_assert(offsetof(struct cpu_context, task) == CPU_CONTEXT_TASK, "switch.S");

struct user_fpsimd {
	u128 v[32];
	u32 fpsr;
	u32 fpcr;
} __aligned(16);

static inline struct task *get_current(void)
{
	struct task *t;

	/* Not volatile: the answer cannot change under one function's feet. */
	__asm__("mrs %0, sp_el0" : "=r"(t));
	return t;
}
#define current get_current()

/* Where the registers of the user half lie on a kernel stack that ends at @stack_top. */
static inline struct pt_regs *pt_regs_at(void *stack_top)
{
	return (struct pt_regs *)stack_top - 1;
}

/*
 * Stores the running task's context in @prev and continues @next: returns (on the new stack,
 * whenever somebody switches back) the task that ran before. Interrupts must be off.
 */
struct task *cpu_switch_to(struct cpu_context *prev, struct cpu_context *next);

/*
 * First instructions of a new task, for cpu_context.lr: calls schedule_tail(), then x19(x20) unless
 * x19 is 0, then goes to user mode with the pt_regs at sp. context.sp must be pt_regs_at(stack
 * top).
 */
void ret_from_fork(void);

/* Makes @t `current` on this CPU without a switch: for the task that the boot code becomes. */
void cpu_set_current(struct task *t);

void fpsimd_save(struct user_fpsimd *fp);
void fpsimd_load(const struct user_fpsimd *fp);

static inline u64 user_tls_get(void)
{
	u64 v;

	__asm__ volatile("mrs %0, tpidr_el0" : "=r"(v));
	return v;
}

static inline void user_tls_set(u64 v)
{
	__asm__ volatile("msr tpidr_el0, %0" : : "r"(v));
}

/* Called by entry.S; the scheduler and the system calls define them. */
void schedule_tail(struct task *prev);
void exit_to_user_work(struct pt_regs *regs);
void do_syscall(struct pt_regs *regs);
void do_traced_syscall(struct pt_regs *regs);
void do_user_abort(void);
void do_user_misalignment(struct pt_regs *regs, u64 esr, u64 far);
void do_user_undef(struct pt_regs *regs, u64 esr);
int do_kernel_uaccess_fault(struct pt_regs *regs, u64 esr, u64 far);

#endif
#endif
