/* SPDX-License-Identifier: MIT */
/*
 * remap_file_pages: other pages of the same file at a part of a shared mapping. What was once a
 * mapping whose pages stood in any order is, as on Linux since 4.0, simply mapped anew: the VMAs
 * are the only state.
 */
#include "mm/internal.h"
#include "mm/vma.h"

struct file_remap {
	struct mmk_task *task;
	unsigned long start, len;
	uint64_t pgoff;
	struct file *file; /* with a reference */
	uint64_t vm_flags;
};

/* The range is shared, of one file, of one kind, without holes; its file is taken. */
static int remap_look(struct file_remap *r)
{
	struct mm_struct *mm = r->task->mm;
	const struct vm_area_struct *first = find_vma(mm, r->start), *vma = first;

	if (!vma || vma->vm_start > r->start || !(vma->vm_flags & MMK_VM_SHARED))
		return refuse(r->task, -MMK_EINVAL, MMK_REASON_REMAP_SHARED, r->start, 0);
	while (vma->vm_end < r->start + r->len) {
		unsigned long end = vma->vm_end;

		vma = vma_next(vma);
		if (!vma || vma->vm_start != end || vma->vm_file != first->vm_file ||
		    vma->vm_flags != first->vm_flags)
			return refuse(r->task, -MMK_EINVAL, MMK_REASON_REMAP_ACROSS, end, 0);
	}
	if (!first->vm_file)
		return refuse(r->task, -MMK_EINVAL, MMK_REASON_REMAP_SHARED, r->start, 0);
	r->file = first->vm_file;
	r->vm_flags = first->vm_flags;
	get_vma_file(mm->sys, r->file);
	return 0;
}

static long remap_mmap(const struct file_remap *r, unsigned long flags, bool *populate)
{
	struct mm_struct *mm = r->task->mm;
	const struct mmk_hooks *hooks = hooks_of(mm->sys);
	unsigned long prot = r->vm_flags & VM_ACCESS_FLAGS;
	struct mmap_call c;
	unsigned long addr;
	int err;

	flags = (flags & MMK_MAP_NONBLOCK) | MMK_MAP_SHARED | MMK_MAP_FIXED | MMK_MAP_POPULATE;
	if (r->vm_flags & MMK_VM_LOCKED)
		flags |= MMK_MAP_LOCKED;
	if (hooks && hooks->security_mmap_file) {
		err = hooks->security_mmap_file(mm->sys->ctx, r->task, r->file, prot, flags);
		if (err)
			return refuse(r->task, err, MMK_REASON_SECURITY_MMAP, -err, 0);
	}
	mmap_call_init(&c, r->task, r->start, r->len, prot, flags, r->pgoff);
	c.file = r->file;
	addr = do_mmap_pgoff(&c);
	*populate = !IS_ERR_VALUE(addr) && c.populate;
	return addr;
}

long do_remap_file_pages(struct mmk_task *task, unsigned long start, unsigned long size,
                         unsigned long prot, uint64_t pgoff, unsigned long flags)
{
	struct file_remap r = {
	    .task = task, .start = start & PAGE_MASK, .len = size & PAGE_MASK, .pgoff = pgoff};
	struct mm_struct *mm = task->mm;
	bool populate = false;
	long ret;

	if (prot)
		return refuse(task, -MMK_EINVAL, MMK_REASON_REMAP_PROT, prot, 0);
	if (r.start + r.len <= r.start)
		return refuse(task, -MMK_EINVAL, MMK_REASON_RANGE_WRAPS, start, size);
	if (pgoff + (r.len >> PAGE_SHIFT) < pgoff)
		return refuse(task, -MMK_EINVAL, MMK_REASON_PGOFF_WRAPS, pgoff,
		              r.len >> PAGE_SHIFT);
	ret = mmap_lock_or_refuse(task, mm);
	if (ret)
		return ret;
	ret = remap_look(&r);
	if (!ret)
		ret = remap_mmap(&r, flags, &populate);
	mmap_write_unlock(mm);
	if (r.file)
		put_vma_file(mm->sys, r.file);
	if (populate)
		mm_populate(task, mm, ret, r.len);
	return IS_ERR_VALUE(ret) ? ret : 0;
}
