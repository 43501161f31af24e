/* SPDX-License-Identifier: MIT */
/*
 * mincore: one byte a page, gathered in pieces under mmap_lock and copied to the program without
 * it, since that copy may fault.
 */
#include "mm/internal.h"
#include "mm/vma.h"

#define MINCORE_PAGES 256

/*
 * What of a file is cached tells who else reads it, so only its owner and who may write it hear of
 * that; to all others everything is in memory.
 */
static bool may_see(const struct vm_area_struct *vma)
{
	const struct mmk_system *sys = vma->vm_mm->sys;

	if (vma_is_anonymous(vma))
		return true;
	if (!vma->vm_file)
		return false;
	return vma->vm_file->f_op == &shmem_file_ops || !sys->port->may_see_cache ||
	       sys->port->may_see_cache(sys->ctx, vma->vm_file);
}

/* Fill vec for up to MINCORE_PAGES pages from addr, within one VMA: how many, or -ENOMEM. */
static long mincore_piece(struct mmk_task *task, unsigned long addr, unsigned long end,
                          unsigned char *vec)
{
	struct mm_struct *mm = task->mm;
	struct vm_area_struct *vma;
	long pages = -MMK_ENOMEM;

	mmap_read_lock(mm);
	vma = find_vma(mm, addr);
	if (vma && vma->vm_start <= addr) {
		if (end > vma->vm_end)
			end = vma->vm_end;
		if (end - addr > MINCORE_PAGES * PAGE_SIZE)
			end = addr + MINCORE_PAGES * PAGE_SIZE;
		pages = (end - addr) >> PAGE_SHIFT;
		if (may_see(vma))
			mincore_range(vma, addr, end, vec);
		else
			__builtin_memset(vec, 1, (size_t)pages);
	}
	mmap_read_unlock(mm);
	if (pages < 0)
		return refuse(task, -MMK_ENOMEM, MMK_REASON_NOT_MAPPED, addr, 0);
	return pages;
}

long do_mincore(struct mmk_task *task, unsigned long start, unsigned long len, unsigned long vec)
{
	const struct mmk_system *sys = task->mm->sys;
	unsigned char piece[MINCORE_PAGES];
	unsigned long end;

	if (start & ~PAGE_MASK)
		return refuse(task, -MMK_EINVAL, MMK_REASON_ADDR_UNALIGNED, start, 0);
	if (start > TASK_SIZE || len > TASK_SIZE - start)
		return refuse(task, -MMK_ENOMEM, MMK_REASON_BEYOND_TASK_SIZE, start, len);
	end = start + PAGE_ALIGN(len);
	if (untagged_addr(vec) > TASK_SIZE ||
	    (end - start) >> PAGE_SHIFT > TASK_SIZE - untagged_addr(vec))
		return refuse(task, -MMK_EFAULT, MMK_REASON_VEC, vec, 0);
	while (start < end) {
		long pages = mincore_piece(task, start, end, piece);

		if (pages < 0)
			return pages;
		if (sys->port->copy_to_user(sys->ctx, task, vec, piece, pages))
			return refuse(task, -MMK_EFAULT, MMK_REASON_VEC, vec, 0);
		vec += pages;
		start += pages << PAGE_SHIFT;
	}
	return 0;
}
