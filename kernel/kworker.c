/* SPDX-License-Identifier: MIT */
/*
 * The thread that does the memory system's background work: writing back what is dirty for too long
 * or too much, and dropping cached pages before frames run out.
 */
#include "kernel/kworker.h"

#include "kernel/clock.h"
#include "kernel/lib/printk.h"
#include "kernel/mm.h"
#include "kernel/sched/task.h"

#define REST_NS 20000000ull /* between two passes: there may be nothing that helps */

static struct wait_queue worker_wq = WAIT_QUEUE_INIT(worker_wq);
static bool worker_wanted; /* [A] */

void kworker_wake(void)
{
	if (!__atomic_exchange_n(&worker_wanted, true, __ATOMIC_ACQ_REL))
		wake_up(&worker_wq);
}

static s32 worker(void *arg)
{
	u64 due = NO_DEADLINE;

	for (;;) {
		/* Interruptible, so that ps shows it asleep: no signal ever comes. */
		(void)wait_event_interruptible_timeout(&worker_wq, READ_ONCE(worker_wanted), due);
		__atomic_store_n(&worker_wanted, false, __ATOMIC_RELEASE);
		due = mmk_background_work(mm_sys);
		set_current_state(TASK_INTERRUPTIBLE);
		schedule_deadline(deadline_after(REST_NS));
	}
	return 0;
}

void kworker_start(void)
{
	s32 pid = kthread_create("writeback", worker, NULL);

	if (pid < 0)
		panic("no memory for the writeback thread: error %d", pid);
}
