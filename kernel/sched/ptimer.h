/* SPDX-License-Identifier: MIT */
/*
 * POSIX timers: timer_create(2) and its kin.
 *
 * A timer brings the queue entry of its signal with it, so that firing needs no memory. While that
 * entry waits to be taken, a timer that repeats is not started anew: how often it would have fired
 * meanwhile is a division, done when the signal is taken.
 */
#ifndef KERNEL_SCHED_PTIMER_H
#define KERNEL_SCHED_PTIMER_H

#include "kernel/lib/types.h"

struct process;
struct ptimer;
struct siginfo;

/* All with proc_lock held. */
/* Its queue entry is free again: fills in the overruns, and starts it again. */
void ptimer_taken(struct ptimer *t, struct siginfo *si);
/* From the tick: those that count CPU time. */
void ptimers_tick(struct process *p);

/* Without it: all timers of the calling process are deleted, at exec and at its end. */
void ptimers_delete_all(struct process *p);

#endif
