/* SPDX-License-Identifier: MIT */
/* Out of memory: whom to kill. See oom.c. */
#ifndef KERNEL_SCHED_OOM_H
#define KERNEL_SCHED_OOM_H

#include <mmkit/mmkit.h>

#include "kernel/lib/types.h"

struct process;
struct task;

#define OOM_SCORE_ADJ_MIN (-1000)
#define OOM_SCORE_ADJ_MAX 1000

void oom_start(void); /* the reaper's thread */
/* mmk_port.out_of_memory. */
enum mmk_oom port_out_of_memory(void *ctx);
/* A victim has let go of its memory, mm, and is about to tell that it has ended. */
void oom_leave(const struct mmk_mm *mm);
/* /proc/PID/oom_score: 0 for who is never killed. */
u32 oom_score(struct process *p);
/*
 * Set p's adjustment, and that of all who share its memory. `legacy`: by the rule of oom_adj. 0 or
 * -EACCES: to lower it takes CAP_SYS_RESOURCE.
 */
int oom_set_adj(struct process *p, s32 adj, bool legacy);

#endif
