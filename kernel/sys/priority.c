/* SPDX-License-Identifier: MIT */
/*
 * Scheduling policy and priority, on a machine whose tasks all take turns: the
 * numbers are kept and checked, SCHED_OTHER is what everybody has.
 */
#include "kernel/lib/errno.h"
#include "kernel/lib/string.h"
#include "kernel/sched/sched.h"
#include "kernel/sys/calls.h"
#include "kernel/sys/syscall.h"
#include "kernel/sys/uaccess.h"

#define SCHED_OTHER         0
#define SCHED_FIFO          1
#define SCHED_RR            2
#define SCHED_BATCH         3
#define SCHED_IDLE          5
#define SCHED_RESET_ON_FORK 0x40000000u

long sys_sched_yield(void)
{
	schedule();
	return 0;
}

static bool exists(s32 pid)
{
	struct task *t;

	if (!pid)
		return true;
	t = find_task(pid);
	if (t)
		task_put(t);
	return t;
}

/* ------------------------------------------------------------------ affinity */

/* The thread @pid, or the caller's for 0, with a reference; NULL: there is none. */
static struct task *get_task(s32 pid)
{
	if (pid)
		return find_task(pid);
	task_get(current);
	return current;
}

long sys_sched_getaffinity(u64 pid, u64 len, u64 umask)
{
	struct task *t;
	u64 mask;

	len = (u32)len;
	if (len < sizeof(mask) || len % sizeof(mask))
		return -EINVAL;
	t = get_task((s32)pid);
	if (!t)
		return -ESRCH;
	mask = sched_get_affinity(t);
	task_put(t);
	if (copy_to_user(umask, &mask, sizeof(mask)))
		return -EFAULT;
	return sizeof(mask);
}

static bool may_set_affinity(const struct task *t)
{
	u32 euid = current->cred.euid;

	return euid == t->cred.euid || euid == t->cred.uid || capable(CAP_SYS_NICE);
}

long sys_sched_setaffinity(u64 pid, u64 len, u64 umask)
{
	struct task *t;
	u64 mask = 0;
	int err;

	if (copy_from_user(&mask, umask, min_t(u64, (u32)len, sizeof(mask))))
		return -EFAULT;
	t = get_task((s32)pid);
	if (!t)
		return -ESRCH;
	err = may_set_affinity(t) ? sched_set_affinity(t, mask) : -EPERM;
	task_put(t);
	return err;
}

/* ------------------------------------------------------------------ policy */

static bool known_policy(u32 policy)
{
	return policy <= SCHED_BATCH || policy == SCHED_IDLE;
}

static bool is_realtime(u32 policy)
{
	return policy == SCHED_FIFO || policy == SCHED_RR;
}

long sys_sched_getscheduler(u64 pid)
{
	if ((s32)pid < 0)
		return -EINVAL;
	return exists((s32)pid) ? SCHED_OTHER : -ESRCH;
}

static long set_policy(s32 pid, u32 policy, u64 uparam)
{
	s32 prio;

	if (!uparam || pid < 0)
		return -EINVAL;
	if (get_user(prio, uparam))
		return -EFAULT;
	if (!exists(pid))
		return -ESRCH;
	policy &= ~SCHED_RESET_ON_FORK;
	if (!known_policy(policy))
		return -EINVAL;
	if (is_realtime(policy))
		return prio < 1 || prio > 99 ? -EINVAL : -EPERM; /* there is no real time here */
	return prio ? -EINVAL : 0;
}

long sys_sched_setscheduler(u64 pid, u64 policy, u64 uparam)
{
	if ((s32)policy < 0)
		return -EINVAL;
	return set_policy((s32)pid, (u32)policy, uparam);
}

long sys_sched_setparam(u64 pid, u64 uparam)
{
	return set_policy((s32)pid, SCHED_OTHER, uparam);
}

long sys_sched_getparam(u64 pid, u64 uparam)
{
	if (!uparam || (s32)pid < 0)
		return -EINVAL;
	if (!exists((s32)pid))
		return -ESRCH;
	return put_user(0, s32, uparam);
}

long sys_sched_get_priority_max(u64 policy)
{
	if (!known_policy((u32)policy))
		return -EINVAL;
	return is_realtime((u32)policy) ? 99 : 0;
}

long sys_sched_get_priority_min(u64 policy)
{
	if (!known_policy((u32)policy))
		return -EINVAL;
	return is_realtime((u32)policy) ? 1 : 0;
}

long sys_sched_rr_get_interval(u64 pid, u64 uts)
{
	if ((s32)pid < 0)
		return -EINVAL;
	if (!exists((s32)pid))
		return -ESRCH;
	return put_user_timespec(TICK_NS, uts);
}

/* ------------------------------------------------------------------ nice values */

#define PRIO_PROCESS 0
#define PRIO_PGRP    1
#define PRIO_USER    2

static bool prio_matches(struct process *p, u64 which, u32 who)
{
	switch (which) {
	case PRIO_PROCESS:
		return p->tgid == (s32)(who ? who : (u32)current->proc->tgid);
	case PRIO_PGRP:
		return p->pgid == (s32)(who ? who : (u32)current->proc->pgid);
	default:
		return p->leader && p->leader->cred.uid == (who ? who : current->cred.uid);
	}
}

/* 20 - nice, so that no value looks like an error. */
long sys_getpriority(u64 which, u64 who)
{
	struct process *p;
	long best = -ESRCH;

	if ((u32)which > PRIO_USER)
		return -EINVAL;
	spin_lock_irq(&proc_lock);
	for_each_process (p)
		if (prio_matches(p, (u32)which, (u32)who))
			best = max(best, (long)20 - p->nice);
	spin_unlock_irq(&proc_lock);
	return best;
}

static int set_nice(struct process *p, s32 nice)
{
	u64 floor = p->rlim[RLIMIT_NICE].cur;

	if (nice < p->nice && (u64)(20 - nice) > floor && !capable(CAP_SYS_NICE))
		return -EACCES;
	p->nice = nice;
	return 0;
}

long sys_setpriority(u64 which, u64 who, u64 uprio)
{
	s32 nice = min(max((s32)uprio, -20), 19);
	struct process *p;
	int err = -ESRCH, e;

	if ((u32)which > PRIO_USER)
		return -EINVAL;
	spin_lock_irq(&proc_lock);
	for_each_process (p) {
		if (!prio_matches(p, (u32)which, (u32)who))
			continue;
		e = set_nice(p, nice);
		if (e || err == -ESRCH)
			err = e;
	}
	spin_unlock_irq(&proc_lock);
	return err;
}
