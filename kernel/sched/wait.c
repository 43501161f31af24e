/* SPDX-License-Identifier: MIT */
/* Wait queues, sleeping with a time limit, mutexes. See wait.h. */
#include "kernel/sched/wait.h"

#include "kernel/clock.h"
#include "kernel/lib/printk.h"
#include "kernel/sched/sched.h"

void wait_entry_init(struct wait_entry *e)
{
	list_init(&e->node);
	e->wq = NULL;
	e->task = current;
	e->func = NULL;
}

/* The queue's lock. */
static void add_entry(struct wait_queue *wq, struct wait_entry *e)
{
	if (e->wq)
		return;
	e->wq = wq;
	list_add_tail(&e->node, &wq->entries);
}

void add_wait_queue(struct wait_queue *wq, struct wait_entry *e)
{
	unsigned long flags = spin_lock_irqsave(&wq->lock);

	add_entry(wq, e);
	spin_unlock_irqrestore(&wq->lock, flags);
}

void remove_wait_queue(struct wait_entry *e)
{
	struct wait_queue *wq = e->wq;
	unsigned long flags;

	if (!wq)
		return;
	flags = spin_lock_irqsave(&wq->lock);
	list_del_init(&e->node);
	e->wq = NULL;
	spin_unlock_irqrestore(&wq->lock, flags);
}

void prepare_to_wait(struct wait_queue *wq, struct wait_entry *e, int state)
{
	unsigned long flags = spin_lock_irqsave(&wq->lock);

	add_entry(wq, e);
	set_current_state(state);
	spin_unlock_irqrestore(&wq->lock, flags);
}

void finish_wait(struct wait_queue *wq, struct wait_entry *e)
{
	set_current_state(TASK_RUNNING);
	remove_wait_queue(e);
}

/* True when it woke somebody who slept, or ran a function. */
static bool wake_entry(struct wait_entry *e)
{
	if (!e->func)
		return wake_up_task(e->task);
	e->func(e);
	return false;
}

void wake_up(struct wait_queue *wq)
{
	unsigned long flags = spin_lock_irqsave(&wq->lock);
	struct wait_entry *e, *next;

	list_for_each_entry_safe (e, next, &wq->entries, node)
		if (wake_entry(e))
			break;
	spin_unlock_irqrestore(&wq->lock, flags);
}

void wake_up_all(struct wait_queue *wq)
{
	unsigned long flags = spin_lock_irqsave(&wq->lock);
	struct wait_entry *e, *next;

	list_for_each_entry_safe (e, next, &wq->entries, node)
		wake_entry(e);
	spin_unlock_irqrestore(&wq->lock, flags);
}

bool signal_pending_state(int state)
{
	if (state == TASK_INTERRUPTIBLE)
		return signal_pending(current);
	return state == TASK_KILLABLE && fatal_signal_pending(current);
}

/* ------------------------------------------------------------------ time limits */

struct sleeper {
	struct timer timer;
	struct task *task;
};

static void sleeper_wake(struct timer *timer)
{
	wake_up_task(container_of(timer, struct sleeper, timer)->task);
}

u64 deadline_after(u64 ns)
{
	u64 now = clock_ns();

	return now + ns < now ? NO_DEADLINE : now + ns;
}

u64 schedule_deadline(u64 deadline)
{
	struct sleeper s = {.task = current};
	u64 now;

	if (deadline == NO_DEADLINE) {
		schedule();
		return NO_DEADLINE;
	}
	if (clock_ns() >= deadline) {
		set_current_state(TASK_RUNNING);
		return 0;
	}
	timer_init(&s.timer, sleeper_wake);
	timer_start(&s.timer, deadline);
	schedule();
	timer_stop_sync(&s.timer);
	now = clock_ns();
	return now >= deadline ? 0 : deadline - now;
}

/* ------------------------------------------------------------------ mutexes */

bool mutex_trylock(struct mutex *m)
{
	u32 free = 0;

	if (!__atomic_compare_exchange_n(&m->locked, &free, 1, false, __ATOMIC_ACQUIRE,
	                                 __ATOMIC_RELAXED))
		return false;
	m->owner = current;
	return true;
}

void mutex_lock(struct mutex *m)
{
	if (mutex_trylock(m))
		return;
	BUG_ON(m->owner == current);
	wait_event(&m->wq, mutex_trylock(m));
}

int mutex_lock_killable(struct mutex *m)
{
	if (mutex_trylock(m))
		return 0;
	BUG_ON(m->owner == current);
	return wait_event_killable(&m->wq, mutex_trylock(m)) ? -EINTR : 0;
}

void mutex_unlock(struct mutex *m)
{
	BUG_ON(m->owner != current);
	m->owner = NULL;
	__atomic_store_n(&m->locked, 0, __ATOMIC_RELEASE);
	if (wait_queue_active(&m->wq))
		wake_up(&m->wq);
}
