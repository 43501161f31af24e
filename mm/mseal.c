/* SPDX-License-Identifier: MIT */
/*
 * mseal: from now on nothing may take these mappings away, replace them or give them other
 * permissions. Those who would - munmap, mremap, mprotect, MAP_FIXED, advice that throws read-only
 * memory away - ask vma_is_sealed(). There is no way back; fork hands the seal down, execve and
 * exit end it with the address space.
 */
#include "mm/internal.h"
#include "mm/vma.h"

static int mseal_no_holes(struct mmk_task *task, unsigned long start, unsigned long end)
{
	const struct vm_area_struct *vma;

	for (vma = find_vma(task->mm, start); start < end; vma = vma_next(vma)) {
		if (!vma || vma->vm_start > start)
			return refuse(task, -MMK_ENOMEM, MMK_REASON_NOT_MAPPED, start, 0);
		start = vma->vm_end;
	}
	return 0;
}

static int mseal_range(struct mmk_task *task, unsigned long start, unsigned long end)
{
	while (start < end) {
		struct vm_area_struct *vma = find_vma(task->mm, start);
		unsigned long stop = vma->vm_end < end ? vma->vm_end : end;

		if (!vma_is_sealed(vma)) {
			uint64_t flags = vma->vm_flags | MMK_VM_SEALED;
			int err = vma_modify(task, vma, start, stop, flags, &vma);

			if (err)
				return err;
			vma_set_flags(vma, vma->vm_flags | MMK_VM_SEALED);
		}
		start = stop;
	}
	return 0;
}

long do_mseal(struct mmk_task *task, unsigned long start, unsigned long len, unsigned long flags)
{
	unsigned long end;
	int err;

	if (flags)
		return refuse(task, -MMK_EINVAL, MMK_REASON_MSEAL_FLAGS, flags, 0);
	err = range_of_pages(task, start, len, &end);
	if (err || end == start)
		return err;
	err = mmap_lock_or_refuse(task, task->mm);
	if (err)
		return err;
	err = mseal_no_holes(task, start, end);
	if (!err)
		err = mseal_range(task, start, end);
	mmap_write_unlock(task->mm);
	return err;
}
