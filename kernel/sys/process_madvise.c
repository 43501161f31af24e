/* SPDX-License-Identifier: MIT */
/*
 * process_madvise(2): advice for the memory of another process; process_mrelease(2): the memory of
 * one that is dying, at once. Both name it by a pidfd.
 */
#include <mmkit/mmkit.h>

#include "kernel/fs/abi.h"
#include "kernel/fs/pidfd.h"
#include "kernel/lib/errno.h"
#include "kernel/mm.h"
#include "kernel/sched/task.h"
#include "kernel/sys/calls.h"
#include "kernel/sys/iov.h"
#include "kernel/sys/ptrace.h"

/* A thread of it that still has its memory, with a reference; else one that has none, or NULL. */
static struct task *thread_with_memory(struct process *p)
{
	struct task *t = next_thread(p, 0), *next;

	while (t && !READ_ONCE(t->mmk.mm)) {
		next = next_thread(p, t->pid);
		if (!next)
			break;
		task_put(t);
		t = next;
	}
	return t;
}

/* What helps the system and takes nothing from the process. */
static bool for_others(s32 advice)
{
	return advice == MMK_MADV_COLD || advice == MMK_MADV_PAGEOUT || advice == MMK_MADV_WILLNEED;
}

/* Bytes that the advice was carried out for, or the errno if it failed at once. */
static long advise(struct mmk_mm *mm, const struct abi_iovec *iov, u64 n, s32 advice)
{
	u64 done = 0, i;
	long err = 0;

	for (i = 0; i < n && !err; i++) {
		err = mmk_madvise_of(&current->mmk, mm, iov[i].base, iov[i].len, advice);
		if (!err)
			done += iov[i].len;
	}
	return done ? (long)done : err;
}

static long advise_process(struct process *p, const struct abi_iovec *iov, u64 n, s32 advice)
{
	struct task *t = thread_with_memory(p);
	struct mmk_mm *mm;
	long r;

	if (!t)
		return -ESRCH;
	r = for_others(advice) ? ptrace_get_mm(t, PTRACE_FSCREDS, &mm) : -EINVAL;
	task_put(t);
	if (r)
		return r;
	/* It may cost the other one time. */
	if (mm != current->mmk.mm && !capable(CAP_SYS_NICE))
		r = -EPERM;
	else
		r = advise(mm, iov, n, advice);
	mmk_mm_put(mm);
	return r;
}

long sys_process_madvise(u64 fd, u64 uiov, u64 n, u64 advice, u64 flags)
{
	struct abi_iovec *iov;
	struct process *p;
	long r;

	if ((u32)flags)
		return -EINVAL;
	r = iov_import(&iov, uiov, n);
	if (!r)
		r = iov_check_user(iov, n);
	if (!r) {
		p = pidfd_process((int)fd, NULL);
		r = p ? advise_process(p, iov, n, (s32)advice) : -EBADF;
		if (p)
			process_put(p);
	}
	kfree(iov);
	return r;
}

/* Only what nobody will look at again may go: its threads are all to end, and it alone has it. */
static long release_memory(struct process *p, struct task *t)
{
	struct mmk_mm *mm = task_get_mm(t);
	long r;

	if (!mm)
		return -ESRCH;
	if (!READ_ONCE(p->exiting) || READ_ONCE(p->mm_shared))
		r = -EINVAL;
	else
		r = mmk_mm_reap(mm) ? 0 : -EAGAIN;
	mmk_mm_put(mm);
	return r;
}

long sys_process_mrelease(u64 fd, u64 flags)
{
	struct process *p;
	struct task *t;
	long r;

	if ((u32)flags)
		return -EINVAL;
	p = pidfd_process((int)fd, NULL);
	if (!p)
		return -EBADF;
	t = thread_with_memory(p);
	r = t ? release_memory(p, t) : -ESRCH;
	if (t)
		task_put(t);
	process_put(p);
	return r;
}
