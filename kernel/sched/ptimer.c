/* SPDX-License-Identifier: MIT */
/* POSIX timers: see ptimer.h. */
#include "kernel/sched/ptimer.h"

#include "kernel/clock.h"
#include "kernel/lib/string.h"
#include "kernel/mm.h"
#include "kernel/sched/sched.h"
#include "kernel/signal/internal.h"
#include "kernel/sys/calls.h"
#include "kernel/sys/syscall.h"
#include "kernel/sys/uaccess.h"
#include "kernel/vdso/clock.h"

#define SIGEV_SIGNAL    0
#define SIGEV_NONE      1
#define SIGEV_THREAD    2
#define SIGEV_THREAD_ID 4

#define RETRY_NS   20000    /* proc_lock is not to be waited for in the interrupt */
#define IGNORED_NS 10000000 /* so often is looked whether the signal is ignored still */

/* All [P] but what never changes. */
struct ptimer {
	struct list_head node; /* of the process's */
	struct process *proc;
	struct timer timer; /* not for CPU time, which the tick looks at */
	s32 id, clock, notify, signo;
	s32 tid; /* whom the signal is for; 0: the process */
	u64 value;
	u64 deadline; /* by its own clock, but real time as monotonic; NO_DEADLINE: off */
	u64 interval;
	u64 overrun, last_overrun;
	struct sigqueue entry;
	u32 refs;          /* one until it is deleted, one while its entry waits */
	bool current_shot; /* the entry that waits is of this setting: to be started again */
	bool deleted;
};

/* Those that an interrupt gave the last reference of back: memory is not freed there. proc_lock. */
static LIST_HEAD(dead);

static void free_dead(void)
{
	struct ptimer *t;

	while ((t = list_first_entry_or_null(&dead, struct ptimer, node))) {
		list_del_init(&t->node);
		kfree(t);
	}
}

static void put(struct ptimer *t)
{
	if (--t->refs)
		return;
	if (in_interrupt())
		list_add(&t->node, &dead);
	else
		kfree(t);
}

struct abi_sigevent {
	u64 value;
	s32 signo, notify, tid;
	s32 pad[11];
};
_Static_assert(sizeof(struct abi_sigevent) == 64, "struct sigevent");

/* ------------------------------------------------------------------ its clock; proc_lock */

static bool is_cpu_clock(s32 clock)
{
	return clock < 0 || clock == CLOCK_PROCESS_CPUTIME_ID || clock == CLOCK_THREAD_CPUTIME_ID;
}

static u64 clock_of(const struct ptimer *t)
{
	u64 ns = NO_DEADLINE - 1;

	if (!is_cpu_clock(t->clock))
		return clock_ns();
	if (cpu_clock_locked(t->clock, &ns))
		return 0; /* that process or thread has gone: its time stands still */
	return ns;
}

static void start(struct ptimer *t)
{
	if (t->notify != SIGEV_NONE && !is_cpu_clock(t->clock))
		timer_start(&t->timer, t->deadline);
}

/* How often it has come since its deadline, which moves on past `now`. */
static u64 advance(struct ptimer *t, u64 now)
{
	u64 n = (now - t->deadline) / t->interval + 1;

	t->deadline += n * t->interval;
	return n;
}

/* ------------------------------------------------------------------ firing; proc_lock */

static void fire(struct ptimer *t, u64 now)
{
	struct task *target = t->tid ? find_task_locked(t->tid) : NULL;
	struct siginfo *si = &t->entry.info;

	if (t->tid && (!target || target->proc != t->proc || target->exited))
		return;
	if (!list_empty(&t->entry.node)) {
		/* The signal of an earlier setting waits still: it does for both. */
		t->current_shot = true;
		return;
	}
	memset(si, 0, sizeof(*si));
	si->signo = t->signo;
	si->code = SI_TIMER;
	si->timer.tid = t->id;
	si->timer.value = t->value;
	if (send_entry_locked(target, t->proc, &t->entry)) {
		t->refs++;
		t->current_shot = true;
		return;
	}
	if (!t->interval) {
		t->deadline = NO_DEADLINE;
		return;
	}
	t->overrun += advance(t, now);
	t->deadline = max(t->deadline, now + IGNORED_NS);
	start(t);
}

static void ptimer_expired(struct timer *timer)
{
	struct ptimer *t = container_of(timer, struct ptimer, timer);
	u64 now = clock_ns();

	if (!spin_trylock(&proc_lock)) {
		timer_start(timer, now + RETRY_NS);
		return;
	}
	if (!t->deleted && t->deadline <= now)
		fire(t, now);
	spin_unlock(&proc_lock);
}

void ptimers_tick(struct process *p)
{
	struct ptimer *t;
	u64 now;

	list_for_each_entry (t, &p->ptimers, node) {
		if (!is_cpu_clock(t->clock) || t->deadline == NO_DEADLINE ||
		    t->notify == SIGEV_NONE || t->current_shot)
			continue;
		now = clock_of(t);
		if (t->deadline <= now)
			fire(t, now);
	}
}

void ptimer_taken(struct ptimer *t, struct siginfo *si)
{
	if (t->current_shot) {
		t->current_shot = false;
		if (t->interval) {
			t->overrun += advance(t, max(clock_of(t), t->deadline)) - 1;
			start(t);
		} else {
			t->deadline = NO_DEADLINE;
		}
	}
	t->last_overrun = min_t(u64, t->overrun, INT32_MAX);
	t->overrun = 0;
	si->timer.overrun = (s32)t->last_overrun;
	put(t);
}

/* ------------------------------------------------------------------ create and delete */

static struct ptimer *find_timer(u64 id)
{
	struct ptimer *t;

	list_for_each_entry (t, &current->proc->ptimers, node)
		if (t->id == (s32)id)
			return t;
	return NULL;
}

/* Whom and by which signal; 0 or -EINVAL. proc_lock. */
static int set_event(struct ptimer *t, const struct abi_sigevent *ev)
{
	struct task *target;

	t->notify = ev->notify;
	t->signo = ev->signo;
	t->value = ev->value;
	switch (ev->notify) {
	case SIGEV_SIGNAL | SIGEV_THREAD_ID:
		target = find_task_locked(ev->tid);
		if (!target || target->proc != current->proc)
			return -EINVAL;
		t->tid = ev->tid;
		break;
	case SIGEV_SIGNAL:
	case SIGEV_THREAD:
		break;
	case SIGEV_NONE:
		return 0;
	default:
		return -EINVAL;
	}
	return ev->signo > 0 && ev->signo <= NSIG ? 0 : -EINVAL;
}

static int check_clock(s32 clock)
{
	u64 ns;
	int err = read_clock(clock, &ns);

	if (err)
		return err;
	switch (clock) {
	case CLOCK_MONOTONIC_RAW:
	case CLOCK_REALTIME_COARSE:
	case CLOCK_MONOTONIC_COARSE:
	case CLOCK_REALTIME_ALARM:
	case CLOCK_BOOTTIME_ALARM:
		return -EOPNOTSUPP;
	default:
		return 0;
	}
}

/* proc_lock. The number of the new timer, or -errno. */
static int add_timer(struct ptimer *t, const struct abi_sigevent *ev)
{
	struct process *p = current->proc;
	struct abi_sigevent by_default = {.signo = SIGALRM};
	int err;

	if (p->nr_sigqueued >= p->rlim[RLIMIT_SIGPENDING].cur)
		return -EAGAIN;
	do
		t->id = p->next_timer++ & INT32_MAX;
	while (find_timer((u64)t->id));
	by_default.value = (u64)t->id;
	err = set_event(t, ev ? ev : &by_default);
	if (err)
		return err;
	p->nr_sigqueued++;
	p->nr_cpu_ptimers += is_cpu_clock(t->clock);
	list_add_tail(&t->node, &p->ptimers);
	return t->id;
}

long sys_timer_create(u64 clock, u64 uevent, u64 uid)
{
	struct abi_sigevent ev;
	struct ptimer *t;
	int err, id;

	err = check_clock((s32)clock);
	if (err)
		return err;
	if (uevent && copy_from_user(&ev, uevent, sizeof(ev)))
		return -EFAULT;
	t = kzalloc_wait(sizeof(*t));
	if (!t)
		return -EAGAIN;
	timer_init(&t->timer, ptimer_expired);
	list_init(&t->entry.node);
	t->entry.timer = t;
	t->refs = 1;
	t->proc = current->proc;
	t->clock = cpu_clock_absolute((s32)clock);
	t->deadline = NO_DEADLINE;
	spin_lock_irq(&proc_lock);
	id = add_timer(t, uevent ? &ev : NULL);
	spin_unlock_irq(&proc_lock);
	if (id < 0) {
		kfree(t);
		return id;
	}
	if (put_user(id, s32, uid)) {
		(void)sys_timer_delete((u64)id);
		return -EFAULT;
	}
	return 0;
}

/* proc_lock; given up. A signal of it that waits is delivered still. */
static void delete_locked(struct ptimer *t)
{
	list_del_init(&t->node);
	t->deleted = true;
	t->current_shot = false;
	t->proc->nr_sigqueued--;
	t->proc->nr_cpu_ptimers -= is_cpu_clock(t->clock);
	spin_unlock_irq(&proc_lock);
	timer_stop_sync(&t->timer);
	spin_lock_irq(&proc_lock);
	put(t);
	free_dead();
	spin_unlock_irq(&proc_lock);
}

long sys_timer_delete(u64 id)
{
	struct ptimer *t;

	spin_lock_irq(&proc_lock);
	t = find_timer(id);
	if (!t) {
		spin_unlock_irq(&proc_lock);
		return -EINVAL;
	}
	delete_locked(t);
	return 0;
}

void ptimers_delete_all(struct process *p)
{
	struct ptimer *t;

	for (;;) {
		spin_lock_irq(&proc_lock);
		t = list_first_entry_or_null(&p->ptimers, struct ptimer, node);
		if (!t)
			break;
		delete_locked(t);
	}
	spin_unlock_irq(&proc_lock);
}

/* ------------------------------------------------------------------ setting and asking */

/* proc_lock. One that has come and waits to be taken goes by when it comes next. */
static void read_setting(const struct ptimer *t, struct itimer_ns *v)
{
	u64 now = clock_of(t), next = t->deadline, left = 0;
	bool waits = t->current_shot || t->notify == SIGEV_NONE;

	if (t->interval && waits && next <= now)
		next += ((now - next) / t->interval + 1) * t->interval;
	if (next != NO_DEADLINE && next > now)
		left = next - now;
	else if (next != NO_DEADLINE && !waits)
		left = 1;
	v->interval = t->interval;
	v->value = left;
}

/* proc_lock. */
static void set(struct ptimer *t, const struct itimer_ns *v, bool absolute)
{
	u64 now = clock_of(t), value = v->value;

	t->current_shot = false;
	t->overrun = t->last_overrun = 0;
	t->interval = value ? v->interval : 0;
	if (!value)
		t->deadline = NO_DEADLINE;
	else if (!absolute)
		t->deadline = now + value;
	else if (t->clock == CLOCK_REALTIME || t->clock == CLOCK_TAI)
		t->deadline = value > realtime_boot_ns ? value - realtime_boot_ns : 0;
	else
		t->deadline = value;
	start(t);
}

long sys_timer_settime(u64 id, u64 flags, u64 unew, u64 uold)
{
	struct itimer_ns v, old;
	struct ptimer *t;
	int err = unew ? get_user_itimerspec(&v, unew) : -EINVAL;

	if (err)
		return err;
	spin_lock_irq(&proc_lock);
	t = find_timer(id);
	if (t) {
		read_setting(t, &old);
		set(t, &v, (u32)flags & TIMER_ABSTIME);
	}
	spin_unlock_irq(&proc_lock);
	if (!t)
		return -EINVAL;
	return uold && put_user_itimerspec(&old, uold) ? -EFAULT : 0;
}

long sys_timer_gettime(u64 id, u64 ucurr)
{
	struct itimer_ns v;
	struct ptimer *t;

	spin_lock_irq(&proc_lock);
	t = find_timer(id);
	if (t)
		read_setting(t, &v);
	spin_unlock_irq(&proc_lock);
	if (!t)
		return -EINVAL;
	return put_user_itimerspec(&v, ucurr) ? -EFAULT : 0;
}

long sys_timer_getoverrun(u64 id)
{
	struct ptimer *t;
	long n = -EINVAL;

	spin_lock_irq(&proc_lock);
	t = find_timer(id);
	if (t)
		n = (long)t->last_overrun;
	spin_unlock_irq(&proc_lock);
	return n;
}
