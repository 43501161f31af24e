/* SPDX-License-Identifier: MIT */
/*
 * The calls as a program makes them: steps 1 and 2 of mmap, and for every call what is the same for
 * all - forget the last reason, take off the tag that the tagged-address ABI allows. Linux takes
 * tags off addresses of existing memory, not off places where new memory is to go (mmap, brk,
 * mremap's new address).
 */
#include "mm/internal.h"
#include "mm/vma.h"

/* Step 2: in *file that of a mapping that is not anonymous, with a reference. 0 or -errno, refused. */
static int mmap_get_file(struct mmk_task *task, unsigned long flags, int fd, struct file **file)
{
	struct mmk_system *sys = task->mm->sys;
	const struct mmk_hooks *hooks;

	if (likely(flags & MMK_MAP_ANONYMOUS)) {
		if (flags & MMK_MAP_HUGETLB)
			return refuse(task, -MMK_EINVAL, MMK_REASON_HUGETLB_NONE, 0, 0);
		return 0;
	}
	hooks = hooks_of(sys);
	if (unlikely(hooks && hooks->audit_mmap_fd))
		hooks->audit_mmap_fd(sys->ctx, task, fd, flags);
	*file = sys->port->fget ? sys->port->fget(sys->ctx, task, fd) : NULL;
	if (!*file)
		return refuse(task, -MMK_EBADF, MMK_REASON_BAD_FD, (uint32_t)fd, 0);
	if (flags & MMK_MAP_HUGETLB) {
		sys->port->fput(sys->ctx, *file);
		return refuse(task, -MMK_EINVAL, MMK_REASON_HUGETLB_FILE, (uint32_t)fd, 0);
	}
	return 0;
}

static __attribute__((noinline)) long mmap_any(struct mmk_task *task, unsigned long addr,
					       unsigned long len, unsigned long prot,
					       unsigned long flags, int fd, uint64_t off)
{
	struct mmap_call c;
	long ret;

	if (unlikely(off & ~PAGE_MASK))
		return refuse(task, -MMK_EINVAL, MMK_REASON_OFFSET_UNALIGNED, off, 0);
	mmap_call_init(&c, task, addr, len, prot,
	               flags & ~(MMK_MAP_EXECUTABLE | MMK_MAP_DENYWRITE), off >> PAGE_SHIFT);
	ret = mmap_get_file(task, flags, fd, &c.file);
	if (unlikely(ret))
		return ret;
	ret = vm_mmap_pgoff(&c);
	if (c.file)
		c.mm->sys->port->fput(c.mm->sys->ctx, c.file);
	return ret;
}

long mmk_sys_mmap(struct mmk_task *task, unsigned long addr, unsigned long len, unsigned long prot,
                  unsigned long flags, int fd, uint64_t off)
{
	reason_clear(task);
	if (likely(mmap_is_usual(task, addr, prot, flags, off)))
		return vm_mmap_usual(task, len, prot);
	return mmap_any(task, addr, len, prot, flags, fd, off);
}

int range_of_pages(struct mmk_task *task, unsigned long start, unsigned long len,
                   unsigned long *end)
{
	unsigned long size = PAGE_ALIGN(len);

	*end = start + size;
	if (start & ~PAGE_MASK)
		return refuse(task, -MMK_EINVAL, MMK_REASON_ADDR_UNALIGNED, start, 0);
	if (len && !size)
		return refuse(task, -MMK_EINVAL, MMK_REASON_LENGTH_WRAPS, len, 0);
	if (*end < start)
		return refuse(task, -MMK_EINVAL, MMK_REASON_RANGE_WRAPS, start, len);
	return 0;
}

long mmk_vm_mmap(struct mmk_task *task, struct mmk_file *file, unsigned long addr,
                 unsigned long len, unsigned long prot, unsigned long flags, uint64_t off)
{
	struct mmap_call c;

	reason_clear(task);
	if (unlikely(off & ~PAGE_MASK))
		return refuse(task, -MMK_EINVAL, MMK_REASON_OFFSET_UNALIGNED, off, 0);
	mmap_call_init(&c, task, addr, len, prot, flags, off >> PAGE_SHIFT);
	c.file = file;
	return vm_mmap_pgoff(&c);
}

long mmk_sys_munmap(struct mmk_task *task, unsigned long addr, size_t len)
{
	reason_clear(task);
	return vm_munmap(task, untagged_addr(addr), len);
}

long mmk_sys_mprotect(struct mmk_task *task, unsigned long addr, size_t len, unsigned long prot)
{
	reason_clear(task);
	return do_mprotect(task, untagged_addr(addr), len, prot, MMK_NO_PKEY);
}

long mmk_sys_pkey_mprotect(struct mmk_task *task, unsigned long addr, size_t len,
                           unsigned long prot, int pkey)
{
	reason_clear(task);
	return do_mprotect(task, untagged_addr(addr), len, prot, pkey);
}

long mmk_sys_remap_file_pages(struct mmk_task *task, unsigned long addr, size_t size,
                              unsigned long prot, uint64_t pgoff, unsigned long flags)
{
	reason_clear(task);
	return do_remap_file_pages(task, addr, size, prot, pgoff, flags);
}

unsigned long mmk_sys_brk(struct mmk_task *task, unsigned long brk)
{
	reason_clear(task);
	return do_brk(task, brk);
}

long mmk_sys_mremap(struct mmk_task *task, unsigned long addr, unsigned long old_len,
                    unsigned long new_len, unsigned long flags, unsigned long new_addr)
{
	reason_clear(task);
	return do_mremap(task, untagged_addr(addr), old_len, new_len, flags, new_addr);
}

long mmk_sys_msync(struct mmk_task *task, unsigned long addr, size_t len, int flags)
{
	reason_clear(task);
	return do_msync(task, untagged_addr(addr), len, flags);
}

long mmk_sys_mincore(struct mmk_task *task, unsigned long addr, size_t len, unsigned long vec)
{
	reason_clear(task);
	return do_mincore(task, untagged_addr(addr), len, vec);
}

long mmk_sys_madvise(struct mmk_task *task, unsigned long addr, size_t len, int advice)
{
	reason_clear(task);
	return do_madvise(task, task->mm, untagged_addr(addr), len, advice);
}

long mmk_madvise_of(struct mmk_task *task, struct mmk_mm *mm, unsigned long addr, size_t len,
                    int advice)
{
	reason_clear(task);
	return do_madvise(task, mm, untagged_addr(addr), len, advice);
}

long mmk_sys_mlock(struct mmk_task *task, unsigned long addr, size_t len)
{
	reason_clear(task);
	return do_mlock(task, untagged_addr(addr), len, MMK_VM_LOCKED);
}

long mmk_sys_mlock2(struct mmk_task *task, unsigned long addr, size_t len, int flags)
{
	uint64_t lock = MMK_VM_LOCKED;

	reason_clear(task);
	if (flags & ~MMK_MLOCK_ONFAULT)
		return refuse(task, -MMK_EINVAL, MMK_REASON_MLOCK_FLAGS, (uint32_t)flags, 0);
	if (flags & MMK_MLOCK_ONFAULT)
		lock |= MMK_VM_LOCKONFAULT;
	return do_mlock(task, untagged_addr(addr), len, lock);
}

long mmk_sys_munlock(struct mmk_task *task, unsigned long addr, size_t len)
{
	reason_clear(task);
	return do_munlock(task, untagged_addr(addr), len);
}

long mmk_sys_mseal(struct mmk_task *task, unsigned long addr, size_t len, unsigned long flags)
{
	reason_clear(task);
	return do_mseal(task, untagged_addr(addr), len, flags);
}

long mmk_sys_mlockall(struct mmk_task *task, int flags)
{
	reason_clear(task);
	return do_mlockall(task, flags);
}

long mmk_sys_munlockall(struct mmk_task *task)
{
	reason_clear(task);
	return do_munlockall(task);
}
