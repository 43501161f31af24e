/* SPDX-License-Identifier: MIT */
/*
 * Timers, in one list by deadline. There are as many as sleepers with a time limit, so a list will
 * do.
 */
#include "kernel/sched/timer.h"

#include "kernel/clock.h"
#include "kernel/percpu.h"
#include "kernel/sched/sched.h"

static struct spinlock timer_lock = SPINLOCK_INIT;
static LIST_HEAD(timers);
static struct timer *running; /* whose function is being called */

/* timer_lock. True when the new one is the first. */
static bool insert(struct timer *t)
{
	struct list_head *before;

	/* From the end: a new timer is usually among the last. */
	for (before = timers.prev; before != &timers; before = before->prev)
		if (list_entry(before, struct timer, node)->deadline <= t->deadline)
			break;
	list_add(&t->node, before);
	return before == &timers;
}

void timer_start(struct timer *t, u64 deadline)
{
	unsigned long flags = spin_lock_irqsave(&timer_lock);
	bool first;

	list_del_init(&t->node);
	t->deadline = deadline;
	first = deadline != NO_DEADLINE && insert(t);
	spin_unlock(&timer_lock);
	if (first)
		clock_rearm();
	local_irq_restore(flags);
}

/* The clock may then interrupt for nothing, once. */
bool timer_stop(struct timer *t)
{
	unsigned long flags = spin_lock_irqsave(&timer_lock);
	bool pending = !list_empty(&t->node);

	list_del_init(&t->node);
	spin_unlock_irqrestore(&timer_lock, flags);
	return pending;
}

u64 timers_next(void)
{
	struct timer *t;
	u64 next = NO_DEADLINE;
	unsigned long flags = spin_lock_irqsave(&timer_lock);

	t = list_first_entry_or_null(&timers, struct timer, node);
	if (t)
		next = t->deadline;
	spin_unlock_irqrestore(&timer_lock, flags);
	return next;
}

/* The function of the one before has returned; the next that is due, or NULL. */
static struct timer *pop_due(u64 now)
{
	unsigned long flags = spin_lock_irqsave(&timer_lock);
	struct timer *t = list_first_entry_or_null(&timers, struct timer, node);

	if (t && t->deadline <= now)
		list_del_init(&t->node);
	else
		t = NULL;
	WRITE_ONCE(running, t);
	spin_unlock_irqrestore(&timer_lock, flags);
	return t;
}

void timers_run(u64 now)
{
	struct timer *t;

	while ((t = pop_due(now)))
		t->fn(t);
}

void timer_stop_sync(struct timer *t)
{
	timer_stop(t);
	while (READ_ONCE(running) == t)
		cpu_relax();
}
