/* SPDX-License-Identifier: MIT */
/*
 * The rule of ptrace(2), "Ptrace access mode checking": a process looks into itself; else the ids
 * must agree, the target must be one that may be dumped, and it may have no capability that the
 * caller lacks - or the caller has CAP_SYS_PTRACE.
 */
#include "kernel/sys/ptrace.h"

#include <mmkit/mmkit.h>

#include "kernel/lib/errno.h"
#include "kernel/sched/task.h"

#define SUID_DUMP_USER 1

static bool ids_agree(const struct cred *its, u32 uid, u32 gid)
{
	return uid == its->euid && uid == its->suid && uid == its->uid && gid == its->egid &&
	       gid == its->sgid && gid == its->gid;
}

bool ptrace_may_access(struct task *t, u32 creds)
{
	const struct cred *mine = &current->cred, *its = &t->cred;
	bool fs = creds == PTRACE_FSCREDS;

	if (t->proc == current->proc || capable(CAP_SYS_PTRACE))
		return true;
	return ids_agree(its, fs ? mine->fsuid : mine->uid, fs ? mine->fsgid : mine->gid) &&
	       t->proc->dumpable == SUID_DUMP_USER &&
	       !(its->cap_permitted & ~(fs ? mine->cap_effective : mine->cap_permitted));
}

int ptrace_get_mm(struct task *t, u32 creds, struct mmk_mm **mm)
{
	*mm = task_get_mm(t);
	if (!*mm)
		return -ESRCH;
	if (ptrace_may_access(t, creds))
		return 0;
	mmk_mm_put(*mm);
	return -EACCES;
}
