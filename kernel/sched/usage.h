/* SPDX-License-Identifier: MIT */
/* Resource usage as the system calls tell it. */
#ifndef KERNEL_SCHED_USAGE_H
#define KERNEL_SCHED_USAGE_H

#include "kernel/sched/task.h"

/* The threads of p, dead and alive, without its children. proc_lock. */
void process_usage_locked(struct process *p, struct usage *u);
/* struct rusage of the ABI; 0 or -EFAULT. */
int put_user_rusage(u64 addr, const struct usage *u);

#endif
