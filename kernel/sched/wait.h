/* SPDX-License-Identifier: MIT */
/*
 * Sleeping: wait queues, timeouts, and the mutex made of them.
 *
 * A task that wants to sleep until something is so, first puts itself on the queue and says that it
 * is about to sleep (prepare_to_wait), then looks, then calls schedule(). A wake-up between the
 * look and the sleep makes it runnable again, so none is lost. The macros below do just that.
 *
 * A task may stand on many queues at once (poll): one entry for each, any of them wakes it.
 */
#ifndef KERNEL_SCHED_WAIT_H
#define KERNEL_SCHED_WAIT_H

#include "kernel/lib/errno.h"
#include "kernel/lib/list.h"
#include "kernel/lib/types.h"
#include "kernel/spinlock.h"

struct task;

struct wait_queue {
	struct spinlock lock; /* taken with interrupts off: handlers wake */
	struct list_head entries;
};

struct wait_entry {
	struct list_head node;
	struct wait_queue *wq; /* NULL while on none */
	struct task *task;
	/*
	 * Called under the queue's lock instead of waking @task; NULL: wake it. Must not sleep, nor
	 * take the queue's lock.
	 */
	void (*func)(struct wait_entry *e);
};

#define WAIT_QUEUE_INIT(name)                                                                      \
	{                                                                                          \
		SPINLOCK_INIT, LIST_HEAD_INIT((name).entries)                                      \
	}

static inline void wait_queue_init(struct wait_queue *wq)
{
	spin_init(&wq->lock);
	list_init(&wq->entries);
}

/* States that a task sleeps in; what else may wake it. */
#define TASK_RUNNING         0
#define TASK_INTERRUPTIBLE   1 /* any signal that it does not block */
#define TASK_KILLABLE        2 /* a signal that kills it */
#define TASK_UNINTERRUPTIBLE 3 /* nothing */
#define TASK_STOPPED         4 /* SIGCONT, or a signal that kills it */
#define TASK_TRACED          5 /* its tracer, or a signal that kills it */
#define TASK_DEAD            6 /* never again */

/* An entry for the calling task, on no queue. */
void wait_entry_init(struct wait_entry *e);
/* Puts the entry on the queue (unless it is there) and the calling task into @state. */
void prepare_to_wait(struct wait_queue *wq, struct wait_entry *e, int state);
/* Takes it off and makes the task running. */
void finish_wait(struct wait_queue *wq, struct wait_entry *e);
/* The same without touching the task's state: to stand on many queues. */
void add_wait_queue(struct wait_queue *wq, struct wait_entry *e);
void remove_wait_queue(struct wait_entry *e);

/* Wakes the first of the queue, or all. From anywhere, interrupts included. */
void wake_up(struct wait_queue *wq);
void wake_up_all(struct wait_queue *wq);

/*
 * Does somebody wait? What the caller has changed before is seen by whoever comes to the queue after
 * this look.
 */
static inline bool wait_queue_active(struct wait_queue *wq)
{
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	return !list_empty(&wq->entries);
}

/* Sets the state of the calling task, before it looks whether it must sleep at all. */
void set_current_state(int state);
/* Gives up the CPU; returns at once when the task has been made running since set_current_state().
 */
void schedule(void);
/* In a long call, no spinlock held: gives up the CPU if the slice is over and somebody waits for it. */
void cond_resched(void);
/* Makes a sleeping task runnable; harmless on any other. True when it slept. */
bool wake_up_task(struct task *t);

#define NO_DEADLINE (~(u64)0)
/*
 * schedule(), but no longer than until clock_ns() == @deadline. Returns the nanoseconds left, 0
 * when the time is over; with NO_DEADLINE always NO_DEADLINE.
 */
u64 schedule_deadline(u64 deadline);
/* clock_ns() + ns, saturating at NO_DEADLINE. */
u64 deadline_after(u64 ns);

/* Must the calling task, in this state, end its wait with -ERESTARTSYS (a signal), -EINTR (killed)?
 */
bool signal_pending_state(int state);

#define __wait_event(wq, cond, state, deadline)                                                    \
	({                                                                                         \
		struct wait_entry _we;                                                             \
		u64 _deadline = (deadline), _left = 1;                                             \
		long _ret = 0;                                                                     \
		wait_entry_init(&_we);                                                             \
		for (;;) {                                                                         \
			prepare_to_wait((wq), &_we, (state));                                      \
			if (cond)                                                                  \
				break;                                                             \
			if (!_left) {                                                              \
				_ret = -ETIMEDOUT;                                                 \
				break;                                                             \
			}                                                                          \
			if (signal_pending_state(state)) {                                         \
				_ret = -ERESTARTSYS;                                               \
				break;                                                             \
			}                                                                          \
			_left = schedule_deadline(_deadline);                                      \
		}                                                                                  \
		finish_wait((wq), &_we);                                                           \
		_ret;                                                                              \
	})

/* Wait until @cond holds; it is evaluated with the task in a sleeping state, so it must not sleep.
 */
#define wait_event(wq, cond) ((void)__wait_event(wq, cond, TASK_UNINTERRUPTIBLE, NO_DEADLINE))
/* 0, or -ERESTARTSYS. */
#define wait_event_interruptible(wq, cond) __wait_event(wq, cond, TASK_INTERRUPTIBLE, NO_DEADLINE)
#define wait_event_killable(wq, cond)      __wait_event(wq, cond, TASK_KILLABLE, NO_DEADLINE)
/* @deadline is absolute, in clock_ns(): 0 or -ETIMEDOUT. */
#define wait_event_timeout(wq, cond, deadline)                                                     \
	__wait_event(wq, cond, TASK_UNINTERRUPTIBLE, deadline)
/* 0, -ETIMEDOUT or -ERESTARTSYS. */
#define wait_event_interruptible_timeout(wq, cond, deadline)                                       \
	__wait_event(wq, cond, TASK_INTERRUPTIBLE, deadline)

/* A lock that is slept on. Taken by one task, given back by the same. Not from interrupts. */
struct mutex {
	u32 locked;
	struct task *owner;
	struct wait_queue wq;
};

#define MUTEX_INIT(name)                                                                           \
	{                                                                                          \
		0, NULL, WAIT_QUEUE_INIT((name).wq)                                                \
	}

static inline void mutex_init(struct mutex *m)
{
	m->locked = 0;
	m->owner = NULL;
	wait_queue_init(&m->wq);
}
void mutex_lock(struct mutex *m);
/* 0, or -EINTR when the task has been killed. */
int mutex_lock_killable(struct mutex *m);
bool mutex_trylock(struct mutex *m);
void mutex_unlock(struct mutex *m);

#endif
