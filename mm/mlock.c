/* SPDX-License-Identifier: MIT */
/*
 * mlock and its family, and mm_populate(), which faults in what shall be in memory before the
 * program asks for it. Flags change under mmap_lock for writing; pages come in afterwards, under
 * the lock for reading, one VMA at a time, so that other threads are not kept out for long.
 */
#include "mm/internal.h"
#include "mm/lazyfree.h"
#include "mm/vma.h"

/* ---- populating ---- */

/* The part of [*start, end) in one VMA; *start moves on to its end. mmap_lock held for reading. */
static int populate_one(struct mmk_task *task, struct mm_struct *mm, unsigned long *start,
                        unsigned long end)
{
	struct vm_area_struct *vma = find_vma(mm, *start);
	unsigned long from = *start;

	if (!vma || vma->vm_start >= end) {
		*start = end;
		return 0;
	}
	if (from < vma->vm_start)
		from = vma->vm_start;
	*start = vma->vm_end < end ? vma->vm_end : end;
	if (vma->vm_flags & (MMK_VM_IO | MMK_VM_PFNMAP | MMK_VM_LOCKONFAULT))
		return 0;
	if (unlikely(vma_is_secret(vma)))
		return -MMK_EFAULT;
	return populate_vma_page_range(task, vma, from, *start);
}

static int populate(struct mmk_task *task, struct mm_struct *mm, unsigned long start,
                    unsigned long len, bool strict)
{
	unsigned long end = start + len;
	int err = 0;

	while (start < end && !(err && (strict || err == -MMK_EINTR))) {
		err = mmap_read_lock_killable(mm);
		if (err)
			return err;
		err = populate_one(task, mm, &start, end);
		mmap_read_unlock(mm);
	}
	return strict ? err : 0;
}

int mm_populate(struct mmk_task *task, struct mm_struct *mm, unsigned long start, unsigned long len)
{
	struct mmk_reason reason = task->reason;
	int err = populate(task, mm, start, len, false);

	/* That a page could not be had yet is no refusal of the call that asked. */
	task->reason = reason;
	return err;
}

int mm_populate_strict(struct mmk_task *task, struct mm_struct *mm, unsigned long start,
                       unsigned long len)
{
	return populate(task, mm, start, len, true);
}

/* ---- locking ---- */

/* [start, end) of the VMA gets these VM_LOCKED* flags. */
static int mlock_fixup(struct mmk_task *task, struct vm_area_struct *vma, unsigned long start,
                       unsigned long end, uint64_t lock)
{
	struct mm_struct *mm = vma->vm_mm;
	uint64_t old = vma->vm_flags, flags = (old & ~VM_LOCKED_MASK) | lock;
	int64_t pages = (end - start) >> PAGE_SHIFT;
	int err;

	if (flags == old || (old & (VM_SPECIAL | MMK_VM_DROPPABLE)) || vma_is_secret(vma))
		return 0;
	err = vma_modify(task, vma, start, end, flags, &vma);
	if (err)
		return err;
	vma_change_flags(vma, flags);
	if (flags & MMK_VM_LOCKED)
		lazyfree_keep(mm, start, end);
	if (!(flags & MMK_VM_LOCKED))
		mm->locked_vm -= pages;
	else if (!(old & MMK_VM_LOCKED))
		mm->locked_vm += pages;
	return 0;
}

static int apply_lock_flags(struct mmk_task *task, unsigned long start, unsigned long len,
                            uint64_t lock)
{
	struct mm_struct *mm = task->mm;
	unsigned long end = start + len;
	int err;

	if (end < start)
		return refuse(task, -MMK_EINVAL, MMK_REASON_RANGE_WRAPS, start, len);
	while (start < end) {
		struct vm_area_struct *vma = find_vma(mm, start);
		unsigned long stop;

		if (!vma || vma->vm_start > start)
			return refuse(task, -MMK_ENOMEM, MMK_REASON_NOT_MAPPED, start, 0);
		stop = vma->vm_end < end ? vma->vm_end : end;
		err = mlock_fixup(task, vma, start, stop, lock);
		if (err)
			return err;
		start = stop;
	}
	return 0;
}

uint64_t count_locked(const struct mm_struct *mm, unsigned long start, unsigned long end)
{
	const struct vm_area_struct *vma;
	uint64_t pages = 0;

	for (vma = find_vma(mm, start); vma && vma->vm_start < end; vma = vma_next(vma)) {
		unsigned long from = vma->vm_start > start ? vma->vm_start : start;
		unsigned long to = vma->vm_end < end ? vma->vm_end : end;

		if (vma->vm_flags & MMK_VM_LOCKED)
			pages += (to - from) >> PAGE_SHIFT;
	}
	return pages;
}

static int check_lock_limit(struct mmk_task *task, unsigned long start, unsigned long len)
{
	const struct mm_struct *mm = task->mm;
	uint64_t limit = rlimit_pages(task, MMK_RLIMIT_MEMLOCK);
	uint64_t locked = (len >> PAGE_SHIFT) + mm->locked_vm;

	if (locked <= limit || task_capable(mm->sys, task, MMK_CAP_IPC_LOCK))
		return 0;
	locked -= count_locked(mm, start, start + len);
	if (locked <= limit)
		return 0;
	return refuse(task, -MMK_ENOMEM, MMK_REASON_MEMLOCK_LIMIT, locked, limit);
}

/* POSIX's errno for memory that could not be brought in. */
static int mlock_errno(struct mmk_task *task, unsigned long start, int err)
{
	int posix = err;

	if (err == -MMK_EFAULT || err == -MMK_EIO)
		posix = -MMK_ENOMEM;
	else if (err == -MMK_ENOMEM)
		posix = -MMK_EAGAIN;
	return refuse(task, posix, MMK_REASON_POPULATE_FAULT, start, -err);
}

long do_mlock(struct mmk_task *task, unsigned long start, unsigned long len, uint64_t lock_flags)
{
	int err;

	if (!can_do_mlock(task))
		return refuse(task, -MMK_EPERM, MMK_REASON_MEMLOCK_ZERO, 0, 0);
	len = PAGE_ALIGN(len + (start & ~PAGE_MASK));
	start &= PAGE_MASK;
	err = mmap_lock_or_refuse(task, task->mm);
	if (err)
		return err;
	err = check_lock_limit(task, start, len);
	if (!err)
		err = apply_lock_flags(task, start, len, lock_flags);
	mmap_write_unlock(task->mm);
	if (err)
		return err;
	err = mm_populate_strict(task, task->mm, start, len);
	return err ? mlock_errno(task, start, err) : 0;
}

long do_munlock(struct mmk_task *task, unsigned long start, unsigned long len)
{
	int err;

	len = PAGE_ALIGN(len + (start & ~PAGE_MASK));
	start &= PAGE_MASK;
	err = mmap_lock_or_refuse(task, task->mm);
	if (err)
		return err;
	err = apply_lock_flags(task, start, len, 0);
	mmap_write_unlock(task->mm);
	return err;
}

static uint64_t mcl_to_vm(int flags)
{
	return MMK_VM_LOCKED | (flags & MMK_MCL_ONFAULT ? MMK_VM_LOCKONFAULT : 0);
}

/* Never fails: a VMA for which there is no memory stays as it is. */
static void apply_mlockall(struct mmk_task *task, int flags)
{
	struct mm_struct *mm = task->mm;
	struct mmk_reason reason = task->reason;
	struct vm_area_struct *vma;
	unsigned long end;

	mm->def_flags &= ~VM_LOCKED_MASK;
	if (flags & MMK_MCL_FUTURE) {
		mm->def_flags |= mcl_to_vm(flags);
		if (!(flags & MMK_MCL_CURRENT))
			return;
	}
	for (vma = vma_first(mm); vma; vma = find_vma(mm, end)) {
		end = vma->vm_end;
		mlock_fixup(task, vma, vma->vm_start, end,
		            flags & MMK_MCL_CURRENT ? mcl_to_vm(flags) : 0);
	}
	task->reason = reason;
}

__cold long do_mlockall(struct mmk_task *task, int flags)
{
	struct mm_struct *mm = task->mm;
	uint64_t limit = rlimit_pages(task, MMK_RLIMIT_MEMLOCK);
	int err;

	if (!flags || (flags & ~(MMK_MCL_CURRENT | MMK_MCL_FUTURE | MMK_MCL_ONFAULT)) ||
	    flags == MMK_MCL_ONFAULT)
		return refuse(task, -MMK_EINVAL, MMK_REASON_MLOCK_FLAGS, (uint32_t)flags, 0);
	if (!can_do_mlock(task))
		return refuse(task, -MMK_EPERM, MMK_REASON_MEMLOCK_ZERO, 0, 0);
	err = mmap_lock_or_refuse(task, mm);
	if (err)
		return err;
	if ((flags & MMK_MCL_CURRENT) && mm->total_vm > limit &&
	    !task_capable(mm->sys, task, MMK_CAP_IPC_LOCK))
		err = refuse(task, -MMK_ENOMEM, MMK_REASON_MEMLOCK_LIMIT, mm->total_vm, limit);
	else
		apply_mlockall(task, flags);
	mmap_write_unlock(mm);
	if (!err && (flags & MMK_MCL_CURRENT))
		mm_populate(task, mm, 0, TASK_SIZE);
	return err;
}

__cold long do_munlockall(struct mmk_task *task)
{
	int err = mmap_lock_or_refuse(task, task->mm);

	if (err)
		return err;
	apply_mlockall(task, 0);
	mmap_write_unlock(task->mm);
	return 0;
}
