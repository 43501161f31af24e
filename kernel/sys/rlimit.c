/* SPDX-License-Identifier: MIT */
/* Resource limits. Who reads them: the memory system, files (NOFILE, FSIZE), fork, signals, CPU
 * time. */
#include "kernel/lib/errno.h"
#include "kernel/mm.h"
#include "kernel/sched/sched.h"
#include "kernel/sys/calls.h"
#include "kernel/sys/uaccess.h"

#define NOFILE_CEILING 1048576 /* fs.nr_open */

void rlimits_init(struct mmk_rlimit *rlim)
{
	struct mmk_stats s;
	u64 half_threads;

	mmk_stats(mm_sys, &s);
	/* As Linux: an eighth of memory in kernel stacks at most, and of that one user has a half.
	 */
	half_threads = s.frames_total * PAGE_SIZE / (8 * THREAD_SIZE) / 2;
	rlim[RLIMIT_STACK].cur = MiB(8);
	rlim[RLIMIT_CORE].cur = 0;
	rlim[RLIMIT_NPROC] = (struct mmk_rlimit){half_threads, half_threads};
	rlim[RLIMIT_NOFILE] = (struct mmk_rlimit){1024, 4096};
	rlim[RLIMIT_MEMLOCK] = (struct mmk_rlimit){MiB(8), MiB(8)};
	rlim[RLIMIT_SIGPENDING] = (struct mmk_rlimit){half_threads, half_threads};
	rlim[RLIMIT_MSGQUEUE] = (struct mmk_rlimit){819200, 819200};
	rlim[RLIMIT_NICE] = (struct mmk_rlimit){0, 0};
	rlim[RLIMIT_RTPRIO] = (struct mmk_rlimit){0, 0};
}

/* proc_lock. */
static int set_limit(struct process *p, u32 which, const struct mmk_rlimit *new)
{
	struct mmk_rlimit *l = &p->rlim[which];

	if (new->cur > new->max)
		return -EINVAL;
	if (which == RLIMIT_NOFILE && new->max > NOFILE_CEILING)
		return -EPERM;
	if (new->max > l->max && !capable(CAP_SYS_RESOURCE))
		return -EPERM;
	*l = *new;
	return 0;
}

static bool may_look(const struct process *p)
{
	const struct cred *me = &current->cred, *to;

	if (p == current->proc || capable(CAP_SYS_RESOURCE))
		return true;
	to = &p->leader->cred;
	return me->uid == to->uid && me->uid == to->euid && me->uid == to->suid &&
	       me->gid == to->gid && me->gid == to->egid && me->gid == to->sgid;
}

static int change(s32 pid, u32 which, const struct mmk_rlimit *new, struct mmk_rlimit *old)
{
	struct process *p = current->proc;
	struct task *t;
	int err = 0;

	spin_lock_irq(&proc_lock);
	if (pid) {
		t = find_task_locked(pid);
		p = t ? t->proc : NULL;
	}
	if (!p || !p->leader)
		err = -ESRCH;
	else if (!may_look(p))
		err = -EPERM;
	if (!err) {
		*old = p->rlim[which];
		if (new)
			err = set_limit(p, which, new);
	}
	spin_unlock_irq(&proc_lock);
	return err;
}

long sys_prlimit64(u64 pid, u64 which, u64 unew, u64 uold)
{
	struct mmk_rlimit new, old;
	int err;

	if ((u32)which >= MMK_RLIM_NLIMITS)
		return -EINVAL;
	if (unew && copy_from_user(&new, unew, sizeof(new)))
		return -EFAULT;
	err = change((s32)pid, (u32)which, unew ? &new : NULL, &old);
	if (err)
		return err;
	return uold ? copy_to_user(uold, &old, sizeof(old)) : 0;
}

long sys_getrlimit(u64 which, u64 limit)
{
	return limit ? sys_prlimit64(0, which, 0, limit) : -EFAULT;
}

long sys_setrlimit(u64 which, u64 limit)
{
	return limit ? sys_prlimit64(0, which, limit, 0) : -EFAULT;
}
