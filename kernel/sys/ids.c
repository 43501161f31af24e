/* SPDX-License-Identifier: MIT */
/* Numbers of processes, groups and sessions. */
#include "kernel/lib/errno.h"
#include "kernel/sched/sched.h"
#include "kernel/sys/calls.h"

long sys_getpid(void)
{
	return current->proc->tgid;
}

long sys_gettid(void)
{
	return current->pid;
}

long sys_getppid(void)
{
	struct process *parent = READ_ONCE(current->proc->parent);

	return parent ? parent->tgid : 0;
}

/* proc_lock. */
static bool group_in_session(s32 pgid, s32 sid)
{
	struct process *p;

	for_each_process (p)
		if (p->pgid == pgid && p->sid == sid)
			return true;
	return false;
}

/* proc_lock. See setpgid(2) for each refusal. */
static int setpgid_locked(s32 pid, s32 pgid)
{
	struct process *me = current->proc, *p = find_process_locked(pid);

	if (!p)
		return -ESRCH;
	if (p->parent == me) {
		if (p->sid != me->sid)
			return -EPERM;
		if (!p->kernel && p->execed)
			return -EACCES;
	} else if (p != me) {
		return -ESRCH;
	}
	if (p->sid == p->tgid)
		return -EPERM;
	if (pgid != pid && !group_in_session(pgid, me->sid))
		return -EPERM;
	p->pgid = pgid;
	return 0;
}

long sys_setpgid(u64 upid, u64 upgid)
{
	s32 pid = (s32)upid ? (s32)upid : current->proc->tgid;
	s32 pgid = (s32)upgid ? (s32)upgid : pid;
	int err;

	if (pgid < 0)
		return -EINVAL;
	spin_lock_irq(&proc_lock);
	err = setpgid_locked(pid, pgid);
	spin_unlock_irq(&proc_lock);
	return err;
}

long sys_getpgid(u64 pid)
{
	struct process *p = current->proc;
	long ret = -ESRCH;
	struct task *t;

	if (!(s32)pid)
		return p->pgid;
	spin_lock_irq(&proc_lock);
	t = find_task_locked((s32)pid);
	if (t)
		ret = t->proc->pgid;
	spin_unlock_irq(&proc_lock);
	return ret;
}

long sys_getsid(u64 pid)
{
	struct process *p = current->proc;
	long ret = -ESRCH;
	struct task *t;

	if (!(s32)pid)
		return p->sid;
	spin_lock_irq(&proc_lock);
	t = find_task_locked((s32)pid);
	if (t)
		ret = t->proc->sid;
	spin_unlock_irq(&proc_lock);
	return ret;
}

long sys_setsid(void)
{
	struct process *me = current->proc, *p;
	long ret = me->tgid;

	spin_lock_irq(&proc_lock);
	for_each_process (p)
		if (p->pgid == me->tgid)
			ret = -EPERM;
	if (ret > 0) {
		me->sid = me->tgid;
		me->pgid = me->tgid;
		me->tty = NULL;
	}
	spin_unlock_irq(&proc_lock);
	return ret;
}

void session_clear_tty(s32 sid, struct tty *tty)
{
	unsigned long irq = spin_lock_irqsave(&proc_lock);
	struct process *p;

	for_each_process (p)
		if (p->sid == sid && p->tty == tty)
			p->tty = NULL;
	spin_unlock_irqrestore(&proc_lock, irq);
}
