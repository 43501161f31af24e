/* SPDX-License-Identifier: MIT */
/*
 * Timers, a list by deadline for each CPU: they fire where they were started. There are as many as
 * sleepers with a time limit, so lists will do, and one lock for all of them.
 */
#include "kernel/sched/timer.h"

#include "kernel/clock.h"
#include "kernel/percpu.h"
#include "kernel/sched/sched.h"

static struct spinlock timer_lock = SPINLOCK_INIT;

static struct timer_list {
	struct list_head timers; /* timer_lock */
	struct timer *running;   /* whose function is being called; written with timer_lock */
} __aligned(64) lists[NR_CPUS];

void timers_init_cpu(void)
{
	list_init(&lists[cpu_id()].timers);
}

/* timer_lock. True when the new one is the first. */
static bool insert(struct timer_list *l, struct timer *t)
{
	struct list_head *before;

	/* From the end: a new timer is usually among the last. */
	for (before = l->timers.prev; before != &l->timers; before = before->prev)
		if (list_entry(before, struct timer, node)->deadline <= t->deadline)
			break;
	list_add(&t->node, before);
	return before == &l->timers;
}

void timer_start(struct timer *t, u64 deadline)
{
	unsigned long flags = spin_lock_irqsave(&timer_lock);
	bool first;

	list_del_init(&t->node);
	t->deadline = deadline;
	t->started = true;
	first = deadline != NO_DEADLINE && insert(&lists[cpu_id()], t);
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

	t = list_first_entry_or_null(&lists[cpu_id()].timers, struct timer, node);
	if (t)
		next = t->deadline;
	spin_unlock_irqrestore(&timer_lock, flags);
	return next;
}

/* The function of the one before has returned; the next that is due, or NULL. */
static struct timer *pop_due(u64 now)
{
	unsigned long flags = spin_lock_irqsave(&timer_lock);
	struct timer_list *l = &lists[cpu_id()];
	struct timer *t = list_first_entry_or_null(&l->timers, struct timer, node);

	if (t && t->deadline <= now)
		list_del_init(&t->node);
	else
		t = NULL;
	__atomic_store_n(&l->running, t, __ATOMIC_RELEASE);
	spin_unlock_irqrestore(&timer_lock, flags);
	return t;
}

void timers_run(u64 now)
{
	struct timer *t;

	while ((t = pop_due(now)))
		t->fn(t);
}

static bool is_running(const struct timer *t)
{
	u32 cpu;

	for (cpu = 0; cpu < NR_CPUS; cpu++)
		if (__atomic_load_n(&lists[cpu].running, __ATOMIC_ACQUIRE) == t)
			return true;
	return false;
}

/* Its function may start it anew: then once more. */
void timer_stop_sync(struct timer *t)
{
	if (!t->started)
		return;
	do {
		while (is_running(t))
			cpu_relax();
	} while (timer_stop(t) || is_running(t));
}
