/* SPDX-License-Identifier: MIT */
/*
 * process_vm_readv(2), process_vm_writev(2): bytes between the caller's memory and another
 * process's, piece by piece through a page of the kernel's. A piece lies within one page on either
 * side, so that it goes over whole or not at all; what has gone over before one that cannot counts.
 */
#include <mmkit/mmkit.h>

#include "kernel/fs/abi.h"
#include "kernel/lib/errno.h"
#include "kernel/mm.h"
#include "kernel/sched/task.h"
#include "kernel/sys/calls.h"
#include "kernel/sys/iov.h"
#include "kernel/sys/ptrace.h"
#include "kernel/sys/uaccess.h"

#define VEC_MAX 1024u
#define RW_MAX  0x7ffff000ul

struct vec {
	struct abi_iovec *iov;
	u64 n, at; /* pieces, the current one */
	u64 off;   /* in it */
};

int iov_import(struct abi_iovec **out, u64 uiov, u64 n)
{
	struct abi_iovec *iov = NULL;
	u64 i;

	*out = NULL;
	if (n > VEC_MAX)
		return -EINVAL;
	if (!n)
		return 0;
	*out = iov = kmalloc(n * sizeof(*iov));
	if (!iov)
		return -ENOMEM;
	if (copy_from_user(iov, uiov, n * sizeof(*iov)))
		return -EFAULT;
	for (i = 0; i < n; i++)
		if ((s64)iov[i].len < 0)
			return -EINVAL;
	return 0;
}

static int vec_import(struct vec *v, u64 uiov, u64 n)
{
	*v = (struct vec){.n = n};
	return iov_import(&v->iov, uiov, n);
}

/* User memory; a tag in the top byte does not matter. */
static bool range_ok(u64 base, u64 len)
{
	u64 addr = base << 8 >> 8;

	return !(base >> 55 & 1) && len <= TASK_SIZE && addr <= TASK_SIZE - len;
}

int iov_check_user(const struct abi_iovec *iov, u64 n)
{
	u64 i;

	for (i = 0; i < n; i++)
		if (!range_ok(iov[i].base, iov[i].len))
			return -EFAULT;
	return 0;
}

/* The caller's side: addresses of user memory, not more in all than one call may move. */
static int vec_check_local(struct vec *v, u64 *total)
{
	u64 i;

	*total = 0;
	for (i = 0; i < v->n; i++) {
		struct abi_iovec *iov = &v->iov[i];

		if (!range_ok(iov->base, iov->len))
			return -EFAULT;
		iov->len = min(iov->len, RW_MAX - *total);
		*total += iov->len;
	}
	return 0;
}

/* Bytes that can be had at once at *addr, up to the end of the page; 0 at the end. */
static u64 vec_piece(struct vec *v, u64 *addr)
{
	u64 left;

	while (v->at < v->n && v->off == v->iov[v->at].len) {
		v->at++;
		v->off = 0;
	}
	if (v->at == v->n)
		return 0;
	*addr = v->iov[v->at].base + v->off;
	left = v->iov[v->at].len - v->off;
	return min(left, PAGE_SIZE - *addr % PAGE_SIZE);
}

static bool move_piece(struct mmk_mm *mm, u64 local, u64 remote, void *buf, size_t n, bool write)
{
	u32 flags = MMK_ACCESS_NOGROW | (write ? MMK_ACCESS_WRITE : 0);

	if (write)
		return !copy_from_user(buf, local, n) &&
		       mmk_access_vm(&current->mmk, mm, remote, buf, n, flags) == n;
	return mmk_access_vm(&current->mmk, mm, remote, buf, n, flags) == n &&
	       !copy_to_user(local, buf, n);
}

static long move(struct mmk_mm *mm, struct vec *local, struct vec *remote, void *buf, bool write)
{
	u64 here, there, n;
	long done = 0;

	while ((n = vec_piece(local, &here)) != 0) {
		n = min(n, vec_piece(remote, &there));
		if (!n)
			break;
		if (!move_piece(mm, here, there, buf, n, write))
			return done ? done : -EFAULT;
		if (fatal_signal_pending(current))
			return done ? done : -EINTR;
		local->off += n;
		remote->off += n;
		done += (long)n;
	}
	return done;
}

static long move_of(s32 pid, struct vec *local, struct vec *remote, bool write)
{
	struct task *t = find_task(pid);
	struct mmk_mm *mm;
	void *buf;
	long r;

	if (!t)
		return -ESRCH;
	r = ptrace_get_mm(t, PTRACE_REALCREDS, &mm);
	task_put(t);
	if (r)
		return r == -EACCES ? -EPERM : r;
	buf = kmalloc(PAGE_SIZE);
	r = buf ? move(mm, local, remote, buf, write) : -ENOMEM;
	kfree(buf);
	mmk_mm_put(mm);
	return r;
}

/* Nothing to move is 0, whoever pid is. */
static long process_vm(u64 pid, u64 uliov, u64 nl, u64 uriov, u64 nr, u64 flags, bool write)
{
	struct vec local = {}, remote = {};
	u64 total, none;
	long r;

	if (flags)
		return -EINVAL;
	r = vec_import(&local, uliov, nl);
	if (!r)
		r = vec_check_local(&local, &total);
	if (!r && total) {
		r = vec_import(&remote, uriov, nr);
		if (!r && vec_piece(&remote, &none))
			r = move_of((s32)pid, &local, &remote, write);
	}
	kfree(local.iov);
	kfree(remote.iov);
	return r;
}

long sys_process_vm_readv(u64 pid, u64 liov, u64 nl, u64 riov, u64 nr, u64 flags)
{
	return process_vm(pid, liov, nl, riov, nr, flags, false);
}

long sys_process_vm_writev(u64 pid, u64 liov, u64 nl, u64 riov, u64 nr, u64 flags)
{
	return process_vm(pid, liov, nl, riov, nr, flags, true);
}
