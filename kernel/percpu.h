/* SPDX-License-Identifier: MIT */
/*
 * What each CPU has for itself, found through tpidr_el1. CPU 0 is the one that booted.
 *
 * The kernel is not preempted: a task stays on its CPU until it sleeps, so what this_cpu() and
 * cpu_id() say holds until then.
 */
#ifndef KERNEL_PERCPU_H
#define KERNEL_PERCPU_H

#define PERCPU_TASK     0
#define PERCPU_STACK    8
#define PERCPU_OVERFLOW 16
#define NR_CPUS         8

#ifndef __ASSEMBLER__

#include "kernel/lib/types.h"

struct task;

struct percpu {
	struct task *task; /* for entry.S: sp_el0 is the user's when an exception comes from EL0 */
	void *first_sp;    /* for head.S: where the stack of its idle task begins */
	void *overflow_sp; /* for entry.S: a stack to tell of an overflow on */
	u32 id;
	u32 irq_depth;
	u64 mpidr;
} __aligned(64);
_Static_assert(offsetof(struct percpu, task) == PERCPU_TASK, "entry.S");
_Static_assert(offsetof(struct percpu, first_sp) == PERCPU_STACK, "head.S");
_Static_assert(offsetof(struct percpu, overflow_sp) == PERCPU_OVERFLOW, "entry.S");

extern struct percpu percpu_area[NR_CPUS];

static inline struct percpu *this_cpu(void)
{
	struct percpu *p;

	/* volatile: a task may continue on another CPU after a switch. */
	__asm__ volatile("mrs %0, tpidr_el1" : "=r"(p));
	return p;
}

static inline u32 cpu_id(void)
{
	return this_cpu()->id;
}

static inline void cpu_relax(void)
{
	__asm__ volatile("yield" ::: "memory");
}

#endif
#endif
