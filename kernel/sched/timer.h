/* SPDX-License-Identifier: MIT */
/* Timers: a function called from the clock's interrupt when a moment has come. */
#ifndef KERNEL_SCHED_TIMER_H
#define KERNEL_SCHED_TIMER_H

#include "kernel/lib/list.h"
#include "kernel/lib/types.h"

struct timer {
	struct list_head node; /* the queue's lock */
	u64 deadline;
	void (*fn)(struct timer *t);
	bool started; /* once, at least */
};

static inline void timer_init(struct timer *t, void (*fn)(struct timer *t))
{
	list_init(&t->node);
	t->deadline = ~(u64)0;
	t->fn = fn;
	t->started = false;
}

/* Fires once, at clock_ns() >= deadline, interrupts off, no lock held. Moves a pending one. */
void timer_start(struct timer *t, u64 deadline);
/* True when it was pending. It may be running on another CPU all the same. */
bool timer_stop(struct timer *t);
/* The same, and waits for that. Not with a lock held that its function takes. */
void timer_stop_sync(struct timer *t);

#endif
