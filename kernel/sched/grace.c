/* SPDX-License-Identifier: MIT */
/*
 * Grace periods, for the memory system's port: what a fault on another CPU may still be looking at
 * is freed when that fault is surely over. Faults that look without locks do not sleep, and tasks
 * in the kernel are not preempted; so a CPU that has been in the scheduler since, or is idle, is
 * past it. With one CPU the caller's running is proof enough.
 *
 * A task of its own collects what comes in a few milliseconds, waits, and frees it. A CPU that has
 * not been in the scheduler meanwhile is sent there.
 */
#include "kernel/sched/grace.h"

#include "kernel/clock.h"
#include "kernel/lib/printk.h"
#include "kernel/mm.h"
#include "kernel/percpu.h"
#include "kernel/sched/sched.h"
#include "kernel/smp.h"

#define COLLECT_NS 4000000ull
#define LOOK_NS    500000ull

static struct grace {
	struct spinlock lock;
	struct mmk_deferred *list; /* lock */
	u64 deferred, freed;       /* lock: so many ever, in this order */
	struct wait_queue work, done;
} grace = {
    .work = WAIT_QUEUE_INIT(grace.work),
    .done = WAIT_QUEUE_INIT(grace.done),
};

void port_defer(void *ctx, struct mmk_deferred *d)
{
	unsigned long flags;
	bool first;

	if (nr_cpus == 1) {
		mmk_run_deferred(mm_sys, d);
		return;
	}
	flags = spin_lock_irqsave(&grace.lock);
	first = !grace.list;
	d->next = grace.list;
	grace.list = d;
	grace.deferred++;
	spin_unlock_irqrestore(&grace.lock, flags);
	if (first)
		wake_up(&grace.work);
}

static struct mmk_deferred *take_list(void)
{
	unsigned long flags = spin_lock_irqsave(&grace.lock);
	struct mmk_deferred *d = grace.list;

	grace.list = NULL;
	spin_unlock_irqrestore(&grace.lock, flags);
	return d;
}

static void sleep_ns(u64 ns)
{
	set_current_state(TASK_UNINTERRUPTIBLE);
	(void)schedule_deadline(deadline_after(ns));
}

/* The calling task's own CPU has just been in the scheduler. */
static void wait_for_cpus(void)
{
	u64 seen[NR_CPUS], left = cpus_online(), cpu;

	for (cpu = 0; cpu < NR_CPUS; cpu++)
		if (left >> cpu & 1)
			seen[cpu] = sched_passes(cpu);
	while (left) {
		for (cpu = 0; cpu < NR_CPUS; cpu++) {
			if (!(left >> cpu & 1))
				continue;
			if (sched_is_idle(cpu) || sched_passes(cpu) != seen[cpu])
				left &= ~(1ull << cpu);
			else
				sched_pass_soon(cpu);
		}
		if (left)
			sleep_ns(LOOK_NS);
	}
}

static void count_freed(u64 n)
{
	unsigned long flags = spin_lock_irqsave(&grace.lock);

	grace.freed += n;
	spin_unlock_irqrestore(&grace.lock, flags);
	wake_up_all(&grace.done);
}

static s32 grace_main(void *arg)
{
	struct mmk_deferred *d, *next;
	u64 n;

	for (;;) {
		/* Interruptible, so that ps shows it asleep: no signal ever comes. */
		(void)wait_event_interruptible(&grace.work, READ_ONCE(grace.list));
		sleep_ns(COLLECT_NS);
		d = take_list();
		wait_for_cpus();
		for (n = 0; d; d = next, n++) {
			next = d->next;
			mmk_run_deferred(mm_sys, d);
		}
		count_freed(n);
	}
	return 0;
}

u64 grace_waiting(void)
{
	unsigned long flags = spin_lock_irqsave(&grace.lock);
	u64 n = grace.deferred - grace.freed;

	spin_unlock_irqrestore(&grace.lock, flags);
	return n;
}

void grace_drain(void)
{
	u64 last = READ_ONCE(grace.deferred);

	wait_event(&grace.done, READ_ONCE(grace.freed) >= last);
}

void grace_init(void)
{
	if (nr_cpus > 1 && kthread_create("grace", grace_main, NULL) < 0)
		panic("no memory for the task that frees");
}
