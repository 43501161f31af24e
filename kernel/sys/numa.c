/* SPDX-License-Identifier: MIT */
/* Memory policies and moving pages between nodes, of which there is one: node 0. */
#include <mmkit/mmkit.h>

#include "kernel/lib/errno.h"
#include "kernel/sched/task.h"
#include "kernel/sys/calls.h"
#include "kernel/sys/ptrace.h"
#include "kernel/sys/uaccess.h"

long sys_mbind(u64 start, u64 len, u64 mode, u64 mask, u64 maxnode, u64 flags)
{
	return mmk_sys_mbind(&current->mmk, start, len, mode, mask, maxnode, (u32)flags);
}

long sys_set_mempolicy(u64 mode, u64 mask, u64 maxnode)
{
	return mmk_sys_set_mempolicy(&current->mmk, (int)mode, mask, maxnode);
}

long sys_get_mempolicy(u64 mode, u64 mask, u64 maxnode, u64 addr, u64 flags)
{
	return mmk_sys_get_mempolicy(&current->mmk, mode, mask, maxnode, addr, flags);
}

long sys_set_mempolicy_home_node(u64 start, u64 len, u64 node, u64 flags)
{
	return mmk_sys_set_mempolicy_home_node(&current->mmk, start, len, node, flags);
}

/* The mm of a process that the caller may look into (0: its own). 0, -ESRCH, -EPERM, -EINVAL. */
static int find_mm(s32 pid, struct mmk_mm **mm)
{
	struct task *t = find_task(pid ? pid : current->pid);
	int err;

	if (!t)
		return -ESRCH;
	*mm = task_get_mm(t);
	err = !ptrace_may_access(t, PTRACE_REALCREDS) ? -EPERM : *mm ? 0 : -EINVAL;
	if (err && *mm)
		mmk_mm_put(*mm);
	task_put(t);
	return err;
}

/* One page: nodes 0 asks where it is. Its answer goes to status. */
static int one_page(struct mmk_mm *mm, u64 pages, u64 nodes, u64 status, u64 i)
{
	s32 node, answer;
	u64 addr;

	if (nodes) {
		if (get_user(node, nodes + 4 * i))
			return -EFAULT;
		if (get_user(addr, pages + 8 * i))
			return -EFAULT;
		if (node)
			return -ENODEV;
	} else if (get_user(addr, pages + 8 * i)) {
		return -EFAULT;
	}
	answer = mmk_page_node(mm, addr);
	return put_user(answer, s32, status + 4 * i);
}

long sys_move_pages(u64 pid, u64 n, u64 pages, u64 nodes, u64 status, u64 uflags)
{
	u32 flags = (u32)uflags;
	struct mmk_mm *mm;
	u64 i;
	int err;

	if (flags & ~(MMK_MPOL_MF_MOVE | MMK_MPOL_MF_MOVE_ALL))
		return -EINVAL;
	if ((flags & MMK_MPOL_MF_MOVE_ALL) && !capable(CAP_SYS_NICE))
		return -EPERM;
	err = find_mm((s32)pid, &mm);
	if (err)
		return err;
	for (i = 0; i < n && !err; i++) {
		err = one_page(mm, pages, nodes, status, i);
		if (fatal_signal_pending(current))
			break;
	}
	mmk_mm_put(mm);
	return err;
}

long sys_migrate_pages(u64 pid, u64 maxnode, u64 from, u64 to)
{
	struct mmk_mm *mm;
	u32 nodes;
	long err = mmk_migrate_nodes(&current->mmk, maxnode, from, to, &nodes);

	if (err)
		return err;
	err = find_mm((s32)pid, &mm);
	if (err)
		return err;
	mmk_mm_put(mm);
	if ((nodes & ~1u) && !capable(CAP_SYS_NICE))
		return -EPERM;
	return nodes & 1 ? 0 : -EINVAL;
}
