/* SPDX-License-Identifier: MIT */
/* Clocks and sleeping. */
#include "kernel/clock.h"
#include "kernel/lib/errno.h"
#include "kernel/sched/sched.h"
#include "kernel/sys/calls.h"
#include "kernel/sys/syscall.h"
#include "kernel/sys/uaccess.h"
#include "kernel/vdso/clock.h"
#include "kernel/vdso/vdso.h"

/* ------------------------------------------------------------------ timespec */

static int to_ns(const struct timespec64 *ts, u64 *ns)
{
	if (ts->sec < 0 || (u64)ts->nsec >= NSEC_PER_SEC)
		return -EINVAL;
	if ((u64)ts->sec >= NO_DEADLINE / 2 / NSEC_PER_SEC)
		*ns = NO_DEADLINE / 2;
	else
		*ns = ts->sec * NSEC_PER_SEC + ts->nsec;
	return 0;
}

static struct timespec64 to_timespec(u64 ns)
{
	return (struct timespec64){(s64)(ns / NSEC_PER_SEC), (s64)(ns % NSEC_PER_SEC)};
}

int get_user_timespec(u64 *ns, u64 addr)
{
	struct timespec64 ts;

	return copy_from_user(&ts, addr, sizeof(ts)) ? -EFAULT : to_ns(&ts, ns);
}

int put_user_timespec(u64 ns, u64 addr)
{
	struct timespec64 ts = to_timespec(ns);

	return copy_to_user(addr, &ts, sizeof(ts));
}

int get_user_itimerspec(struct itimer_ns *v, u64 addr)
{
	struct timespec64 ts[2];
	int err;

	if (copy_from_user(ts, addr, sizeof(ts)))
		return -EFAULT;
	err = to_ns(&ts[0], &v->interval);
	return err ? err : to_ns(&ts[1], &v->value);
}

int put_user_itimerspec(const struct itimer_ns *v, u64 addr)
{
	struct timespec64 ts[2] = {to_timespec(v->interval), to_timespec(v->value)};

	return copy_to_user(addr, ts, sizeof(ts));
}

u64 realtime_ns(void)
{
	return realtime_boot_ns + clock_ns();
}

/* ------------------------------------------------------------------ reading clocks */

/*
 * The CPU clock of another process or thread: bits 31:3 are ~pid, bit 2 says thread, bits 1:0 which
 * time. Only the scheduler's (2) is kept apart from profiling (0) and user time (1).
 */
int cpu_clock_locked(s32 id, u64 *ns)
{
	s32 pid = ~(id >> 3);
	bool thread = id & 4;
	struct task *t;
	u64 utime, stime;

	if ((id & 3) == 3)
		return -EINVAL;
	t = find_task_locked(pid ? pid : thread ? current->pid : current->proc->tgid);
	if (!t || (thread && t->proc != current->proc))
		return -EINVAL;
	if (thread)
		task_cputime(t, &utime, &stime);
	else
		process_cputime_locked(t->proc, &utime, &stime);
	*ns = (id & 3) == 1 ? utime : utime + stime;
	return 0;
}

static int cpu_clock(s32 id, u64 *ns)
{
	int err;

	spin_lock_irq(&proc_lock);
	err = cpu_clock_locked(id, ns);
	spin_unlock_irq(&proc_lock);
	return err;
}

s32 cpu_clock_absolute(s32 id)
{
	if (id == CLOCK_PROCESS_CPUTIME_ID)
		return (s32)(~(u32)current->proc->tgid << 3) | 2;
	if (id == CLOCK_THREAD_CPUTIME_ID)
		return (s32)(~(u32)current->pid << 3) | 6;
	if (id < 0 && id >> 3 == -1)
		return (s32)(~(u32)(id & 4 ? current->pid : current->proc->tgid) << 3) | (id & 7);
	return id;
}

int read_clock(s32 id, u64 *ns)
{
	u64 utime, stime;

	switch (id) {
	case CLOCK_MONOTONIC:
	case CLOCK_MONOTONIC_RAW:
	case CLOCK_BOOTTIME:
	case CLOCK_BOOTTIME_ALARM:
		*ns = clock_ns();
		return 0;
	case CLOCK_REALTIME:
	case CLOCK_REALTIME_ALARM:
	case CLOCK_TAI:
		*ns = realtime_ns();
		return 0;
	case CLOCK_MONOTONIC_COARSE:
		*ns = clock_ns() / COARSE_NS * COARSE_NS;
		return 0;
	case CLOCK_REALTIME_COARSE:
		*ns = realtime_boot_ns + clock_ns() / COARSE_NS * COARSE_NS;
		return 0;
	case CLOCK_PROCESS_CPUTIME_ID:
		process_cputime(current->proc, &utime, &stime);
		*ns = utime + stime;
		return 0;
	case CLOCK_THREAD_CPUTIME_ID:
		*ns = task_runtime(current);
		return 0;
	default:
		return id < 0 ? cpu_clock(id, ns) : -EINVAL;
	}
}

long sys_clock_gettime(u64 clock, u64 addr)
{
	u64 ns;
	int err = read_clock((s32)clock, &ns);

	return err ? err : put_user_timespec(ns, addr);
}

long sys_clock_getres(u64 clock, u64 addr)
{
	u64 ns, res = 1;
	int err = read_clock((s32)clock, &ns);

	if (err)
		return err;
	if ((s32)clock == CLOCK_MONOTONIC_COARSE || (s32)clock == CLOCK_REALTIME_COARSE)
		res = COARSE_NS;
	return addr ? put_user_timespec(res, addr) : 0;
}

static int set_realtime(u64 ns)
{
	if (!capable(CAP_SYS_TIME))
		return -EPERM;
	vdso_set_realtime(ns - clock_ns());
	return 0;
}

long sys_clock_settime(u64 clock, u64 addr)
{
	u64 ns;
	int err;

	if ((s32)clock != CLOCK_REALTIME)
		return -EINVAL;
	err = get_user_timespec(&ns, addr);
	if (err)
		return err;
	/* Time before the machine's start cannot be. */
	return ns < clock_ns() ? -EINVAL : set_realtime(ns);
}

long sys_gettimeofday(u64 utv, u64 utz)
{
	u64 ns = realtime_ns();
	struct timeval64 tv = {ns / NSEC_PER_SEC, ns % NSEC_PER_SEC / 1000};

	if (utv && copy_to_user(utv, &tv, sizeof(tv)))
		return -EFAULT;
	return utz ? clear_user(utz, 8) : 0;
}

/* The time zone that came with it is not kept. */
long sys_settimeofday(u64 utv, u64 utz)
{
	struct timeval64 tv;
	u64 ns;

	if (!utv)
		return capable(CAP_SYS_TIME) ? 0 : -EPERM;
	if (copy_from_user(&tv, utv, sizeof(tv)))
		return -EFAULT;
	if (tv.sec < 0 || (u64)tv.usec >= 1000000 || (u64)tv.sec > NO_DEADLINE / 2 / NSEC_PER_SEC)
		return -EINVAL;
	ns = tv.sec * NSEC_PER_SEC + tv.usec * 1000;
	return ns < clock_ns() ? -EINVAL : set_realtime(ns);
}

/* ------------------------------------------------------------------ sleeping */

/* 0 when the time has come, else -ERESTARTSYS. */
static int sleep_until(u64 deadline)
{
	for (;;) {
		set_current_state(TASK_INTERRUPTIBLE);
		if (signal_pending(current)) {
			set_current_state(TASK_RUNNING);
			return -ERESTARTSYS;
		}
		if (!schedule_deadline(deadline))
			return 0;
	}
}

/* What is left of a relative sleep. */
static int put_remaining(u64 deadline, u64 addr)
{
	u64 now = clock_ns();

	return addr ? put_user_timespec(deadline > now ? deadline - now : 0, addr) : 0;
}

static u64 restart_sleep(struct task *t)
{
	u64 deadline = t->restart_arg[0], rem = t->restart_arg[1];

	if (!sleep_until(deadline))
		return 0;
	if (put_remaining(deadline, rem))
		return (u64)-EFAULT;
	t->restart_fn = restart_sleep;
	return (u64)-ERESTART_RESTARTBLOCK;
}

static long sleep_for(u64 ns, u64 rem)
{
	struct task *t = current;

	t->restart_arg[0] = deadline_after(ns);
	t->restart_arg[1] = rem;
	return (long)restart_sleep(t);
}

long sys_nanosleep(u64 req, u64 rem)
{
	u64 ns;
	int err = get_user_timespec(&ns, req);

	return err ? err : sleep_for(ns, rem);
}

long sys_clock_nanosleep(u64 clock, u64 flags, u64 req, u64 rem)
{
	u64 ns, now;
	int err;

	switch ((s32)clock) {
	case CLOCK_REALTIME:
	case CLOCK_MONOTONIC:
	case CLOCK_BOOTTIME:
	case CLOCK_TAI:
		break;
	case CLOCK_MONOTONIC_RAW:
	case CLOCK_MONOTONIC_COARSE:
	case CLOCK_REALTIME_COARSE:
	case CLOCK_PROCESS_CPUTIME_ID:
	case CLOCK_REALTIME_ALARM:
	case CLOCK_BOOTTIME_ALARM:
		return -EOPNOTSUPP;
	default:
		return -EINVAL;
	}
	err = get_user_timespec(&ns, req);
	if (err)
		return err;
	if (!(flags & TIMER_ABSTIME))
		return sleep_for(ns, rem);
	read_clock((s32)clock, &now);
	err = sleep_until(ns > now ? deadline_after(ns - now) : 0);
	/* Done again it is the same moment. */
	return err ? -ERESTARTNOHAND : 0;
}
