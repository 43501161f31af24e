/* SPDX-License-Identifier: MIT */
/* The memory calls: straight into the core. */
#include <mmkit/mmkit.h>

#include "kernel/lib/printk.h"
#include "kernel/sched/task.h"
#include "kernel/sys/calls.h"

long sys_brk(u64 brk)
{
	return (long)mmk_sys_brk(&current->mmk, brk);
}

long sys_mmap(u64 addr, u64 len, u64 prot, u64 flags, u64 fd, u64 off)
{
	return mmk_sys_mmap(&current->mmk, addr, len, prot, flags, (int)fd, off);
}

long sys_munmap(u64 addr, u64 len)
{
	return mmk_sys_munmap(&current->mmk, addr, len);
}

long sys_mprotect(u64 addr, u64 len, u64 prot)
{
	return mmk_sys_mprotect(&current->mmk, addr, len, prot);
}

long sys_pkey_mprotect(u64 addr, u64 len, u64 prot, u64 pkey)
{
	return mmk_sys_pkey_mprotect(&current->mmk, addr, len, prot, (int)pkey);
}

long sys_pkey_alloc(u64 flags, u64 rights)
{
	return mmk_sys_pkey_alloc(&current->mmk, flags, rights);
}

long sys_pkey_free(u64 pkey)
{
	return mmk_sys_pkey_free(&current->mmk, (int)pkey);
}

long sys_remap_file_pages(u64 addr, u64 size, u64 prot, u64 pgoff, u64 flags)
{
	static bool told;

	if (!__atomic_exchange_n(&told, true, __ATOMIC_RELAXED))
		pr_warn("%s (%d) uses deprecated remap_file_pages() syscall\n",
			current->comm, current->pid);
	return mmk_sys_remap_file_pages(&current->mmk, addr, size, prot, pgoff, flags);
}

long sys_mremap(u64 addr, u64 old_len, u64 new_len, u64 flags, u64 new_addr)
{
	long to = mmk_sys_mremap(&current->mmk, addr, old_len, new_len, flags, new_addr);
	u64 offset = current->proc->sigreturn_tramp - addr;

	/* Signal handlers return to where [vdso] is now. */
	if (unlikely(offset < old_len) && to >= 0)
		current->proc->sigreturn_tramp = (u64)to + offset;
	return to;
}

long sys_msync(u64 addr, u64 len, u64 flags)
{
	return mmk_sys_msync(&current->mmk, addr, len, (int)flags);
}

long sys_mincore(u64 addr, u64 len, u64 vec)
{
	return mmk_sys_mincore(&current->mmk, addr, len, vec);
}

long sys_madvise(u64 addr, u64 len, u64 advice)
{
	return mmk_sys_madvise(&current->mmk, addr, len, (int)advice);
}

long sys_mlock(u64 addr, u64 len)
{
	return mmk_sys_mlock(&current->mmk, addr, len);
}

long sys_mlock2(u64 addr, u64 len, u64 flags)
{
	return mmk_sys_mlock2(&current->mmk, addr, len, (int)flags);
}

long sys_munlock(u64 addr, u64 len)
{
	return mmk_sys_munlock(&current->mmk, addr, len);
}

long sys_mseal(u64 addr, u64 len, u64 flags)
{
	return mmk_sys_mseal(&current->mmk, addr, len, flags);
}

long sys_mlockall(u64 flags)
{
	return mmk_sys_mlockall(&current->mmk, (int)flags);
}

long sys_munlockall(void)
{
	return mmk_sys_munlockall(&current->mmk);
}
