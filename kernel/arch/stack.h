/* SPDX-License-Identifier: MIT */
/* The kernel stacks of tasks. */
#ifndef KERNEL_ARCH_STACK_H
#define KERNEL_ARCH_STACK_H

#include "kernel/lib/types.h"

/* THREAD_SIZE bytes, not cleared; NULL without memory. wait: may sleep for it. */
void *kstack_alloc(bool wait);
void kstack_free(void *stack);

/* For every CPU a stack to tell of an overflow on. Before it there is no telling. */
void kstack_init(void);
/* "mmkit.overflow_stack" on the command line: a thread that does it. */
void kstack_test(void);

#endif
