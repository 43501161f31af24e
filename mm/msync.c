/* SPDX-License-Identifier: MIT */
/*
 * msync: only MS_SYNC of a shared mapping does work, file by file through the page cache; MS_ASYNC
 * is left to the writeback that happens anyway. mmap_lock is not held while the file is written.
 */
#include "mm/internal.h"
#include "mm/cache.h"
#include "mm/vma.h"

/* One file's part of the range. mmap_lock is held for reading, and is again when this returns. */
static int msync_file(struct mm_struct *mm, struct file *file, uint64_t from, uint64_t to)
{
	int err;

	get_vma_file(mm->sys, file);
	mmap_read_unlock(mm);
	err = mmk_file_sync(file, from, to, true);
	put_vma_file(mm->sys, file);
	mmap_read_lock(mm);
	return err;
}

static int msync_vma(struct mmk_task *task, const struct vm_area_struct *vma, unsigned long start,
                     unsigned long end, int flags)
{
	uint64_t from = linear_page_index(vma, start) << PAGE_SHIFT;
	int err;

	if ((flags & MMK_MS_INVALIDATE) && (vma->vm_flags & MMK_VM_LOCKED))
		return refuse(task, -MMK_EBUSY, MMK_REASON_MSYNC_LOCKED, vma->vm_start, 0);
	if (!(flags & MMK_MS_SYNC) || !vma->vm_file || !vma->vm_file->f_mapping ||
	    !(vma->vm_flags & MMK_VM_SHARED))
		return 0;
	if (unlikely(vma_is_secret(vma)))
		return refuse(task, -MMK_EINVAL, MMK_REASON_MSYNC_SECRET, vma->vm_start, 0);
	if (!mapping_has_home(vma->vm_file->f_mapping))
		return 0;
	err = msync_file(vma->vm_mm, vma->vm_file, from, from + (end - start));
	return err ? refuse(task, err, MMK_REASON_WRITEBACK, -err, 0) : 0;
}

/* mmap_lock held for reading. A hole is reported at the end, after the rest has been done. */
static int msync_range(struct mmk_task *task, unsigned long start, unsigned long end, int flags)
{
	struct mm_struct *mm = task->mm;
	unsigned long hole = end;
	int err;

	while (start < end) {
		struct vm_area_struct *vma = find_vma(mm, start);
		unsigned long from = vma && vma->vm_start > start ? vma->vm_start : start, stop;

		if ((!vma || from > start) && hole == end)
			hole = start;
		if (!vma || from >= end || (hole != end && flags == MMK_MS_ASYNC))
			break;
		stop = vma->vm_end < end ? vma->vm_end : end;
		err = msync_vma(task, vma, from, stop, flags);
		if (err)
			return err;
		start = stop;
	}
	if (hole != end)
		return refuse(task, -MMK_ENOMEM, MMK_REASON_NOT_MAPPED, hole, 0);
	return 0;
}

long do_msync(struct mmk_task *task, unsigned long start, unsigned long len, int flags)
{
	unsigned long end = start + PAGE_ALIGN(len);
	long err;

	if ((flags & ~(MMK_MS_ASYNC | MMK_MS_INVALIDATE | MMK_MS_SYNC)) ||
	    ((flags & MMK_MS_ASYNC) && (flags & MMK_MS_SYNC)))
		return refuse(task, -MMK_EINVAL, MMK_REASON_MSYNC_FLAGS, (uint32_t)flags, 0);
	if (start & ~PAGE_MASK)
		return refuse(task, -MMK_EINVAL, MMK_REASON_ADDR_UNALIGNED, start, 0);
	if (end < start)
		return refuse(task, -MMK_ENOMEM, MMK_REASON_RANGE_WRAPS, start, len);
	if (end == start)
		return 0;
	mmap_read_lock(task->mm);
	err = msync_range(task, start, end, flags);
	mmap_read_unlock(task->mm);
	return err;
}
