/* SPDX-License-Identifier: MIT */
/*
 * munmap: emptying a range. In two halves, since mmap and mremap over something need them apart:
 * unmap_prepare() looks and takes what the work can run short of, unmap_commit() cannot fail.
 *
 *	VMAs	  AAAA  BB  CCCCC
 *	range	    [---------[
 *	after	  AA           CC	first A shrinks, B goes, last C shrinks
 *
 * Only where one VMA sticks out on both sides is a new record needed, for its upper half.
 */
#include "mm/internal.h"
#include "mm/share.h"
#include "mm/vma.h"

static unsigned long max_addr(unsigned long a, unsigned long b)
{
	return a > b ? a : b;
}

static unsigned long min_addr(unsigned long a, unsigned long b)
{
	return a < b ? a : b;
}

/* Fill the plan but for what must be allocated. */
static void unmap_scan(struct unmap_plan *plan)
{
	struct vm_area_struct *vma = find_vma(plan->mm, plan->start);

	if (!vma || vma->vm_start >= plan->end) {
		plan->next = vma;
		plan->prev = vma ? vma_prev(vma) : vma_last(plan->mm);
		return;
	}
	plan->first = vma;
	do {
		uint64_t pages =
		    (min_addr(vma->vm_end, plan->end) - max_addr(vma->vm_start, plan->start)) >>
		    PAGE_SHIFT;

		plan->nr_pages += pages;
		plan->seen_flags |= vma->vm_flags;
		if (vma->vm_flags & MMK_VM_ACCOUNT)
			plan->nr_accounted += pages;
		if (vma->vm_end > plan->end)
			break;
		vma = vma_next(vma);
	} while (vma && vma->vm_start < plan->end);
	plan->prev = plan->first->vm_start < plan->start ? plan->first : vma_prev(plan->first);
	plan->next = vma;
}

static int unmap_refuse_sealed(struct mmk_task *task, const struct unmap_plan *plan)
{
	const struct vm_area_struct *vma = plan->first;

	while (!vma_is_sealed(vma))
		vma = vma_next(vma);
	return refuse(task, -MMK_EPERM, MMK_REASON_VMA_SEALED, vma->vm_start, 0);
}

/* Between these nothing is mapped beside the range. */
static unsigned long unmap_floor(const struct unmap_plan *plan)
{
	return plan->prev ? min_addr(plan->prev->vm_end, plan->start) : 0;
}

static unsigned long unmap_ceiling(const struct unmap_plan *plan)
{
	return plan->next ? max_addr(plan->next->vm_start, plan->end) : TASK_SIZE;
}

/* Tables that the mm shares, and of which only a part is to go. */
static int unmap_own_tables(const struct unmap_plan *plan)
{
	if (!plan->first)
		return 0;
	return tables_own_part(plan->mm, max_addr(plan->start, plan->first->vm_start), plan->end,
	                       unmap_floor(plan), unmap_ceiling(plan));
}

int unmap_prepare(struct mmk_task *task, struct mm_struct *mm, unsigned long start,
                  unsigned long end, struct unmap_plan *plan)
{
	bool cut;

	*plan = (struct unmap_plan){.mm = mm, .start = start, .end = end};
	unmap_scan(plan);
	cut = plan->first && plan->prev == plan->first && plan->next == plan->first;
	if (cut && mm->map_count >= mm->sys->max_map_count)
		return refuse(task, -MMK_ENOMEM, MMK_REASON_SPLIT_MAP_COUNT, start,
		              mm->sys->max_map_count);
	if (unlikely(plan->seen_flags & MMK_VM_SEALED))
		return unmap_refuse_sealed(task, plan);
	if (unlikely(mm_shares(mm)) && unmap_own_tables(plan))
		return refuse(task, -MMK_ENOMEM, MMK_REASON_NO_MEMORY_TABLES, 0, 0);
	if (!cut)
		return 0;
	plan->tail = vma_alloc(mm, plan->first->in_file);
	if (unlikely(!plan->tail))
		return refuse(task, -MMK_ENOMEM, MMK_REASON_NO_MEMORY_VMA, 0, 0);
	return 0;
}

void unmap_prepared(struct mm_struct *mm, unsigned long start, unsigned long end,
                    struct vm_area_struct *spare)
{
	struct unmap_plan plan = {.mm = mm, .start = start, .end = end};

	unmap_scan(&plan);
	if (plan.first && plan.prev == plan.first && plan.next == plan.first)
		plan.tail = spare;
	else if (spare)
		vma_free(spare);
	unmap_commit(&plan);
}

void unmap_abort(struct unmap_plan *plan)
{
	if (plan->tail)
		vma_free(plan->tail);
	plan->tail = NULL;
}

static void unmap_pages(const struct unmap_plan *plan)
{
	unsigned long floor = unmap_floor(plan);

	if (plan->keep_tables)
		floor = ~0ul; /* no table lies above that */
	unmap_page_range(plan->mm, max_addr(plan->start, plan->first->vm_start), plan->end, floor,
	                 unmap_ceiling(plan));
}

/* `pages` of the VMA are going: out of the mm's figures. */
static inline void unmap_account(struct vm_area_struct *vma, int64_t pages)
{
	struct mm_struct *mm = vma->vm_mm;

	vm_stat_drop(mm, vma->vm_flags, pages);
	if (vma->vm_flags & MMK_VM_LOCKED)
		mm->locked_vm -= pages;
}

/* [start, end), at an end of the VMA or all of it, is no longer part of it. */
static inline void unmap_trim(struct vm_area_struct *vma, unsigned long start, unsigned long end)
{
	unmap_account(vma, (end - start) >> PAGE_SHIFT);
	if (vma->vm_start < start)
		vma_resize_end(vma, start);
	else if (vma->vm_end > end)
		vma_resize(vma, end, vma->vm_end);
	else
		vma_remove(vma);
}

/* Take the part of one VMA that lies in the range out of it; returns the next VMA. */
static struct vm_area_struct *unmap_vma(struct unmap_plan *plan, struct vm_area_struct *vma)
{
	unsigned long start = max_addr(vma->vm_start, plan->start);
	unsigned long end = min_addr(vma->vm_end, plan->end);
	struct vm_area_struct *next = vma->vm_end < plan->end ? vma_next(vma) : NULL;

	if (plan->tail) {
		vma_split(vma, end, plan->tail);
		plan->tail = NULL;
	}
	unmap_trim(vma, start, end);
	return next;
}

void unmap_commit(struct unmap_plan *plan)
{
	struct vm_area_struct *vma = plan->first;
	struct vm_area_struct *tail = plan->tail;

	if (!vma)
		return;
	unmap_pages(plan);
	if (plan->nr_accounted && !plan->keep_charge)
		vm_uncharge(plan->mm->sys, plan->nr_accounted);
	while (vma && vma->vm_start < plan->end)
		vma = unmap_vma(plan, vma);
	if (tail)
		plan->next = tail;
}

/* The short way for what needs no plan, being one VMA or one end of it. */
static inline void unmap_one(struct vm_area_struct *vma, unsigned long start, unsigned long end)
{
	const struct vm_area_struct *prev = vma_prev(vma), *next = vma_next(vma);
	unsigned long floor = start, ceiling = end;

	if (start == vma->vm_start)
		floor = prev ? prev->vm_end : 0;
	if (end == vma->vm_end)
		ceiling = next ? next->vm_start : TASK_SIZE;
	unmap_page_range(vma->vm_mm, start, end, floor, ceiling);
	if (vma->vm_flags & MMK_VM_ACCOUNT)
		vm_uncharge(vma->vm_mm->sys, (end - start) >> PAGE_SHIFT);
	unmap_trim(vma, start, end);
}

static inline bool is_one_end(const struct vm_area_struct *vma, unsigned long start, unsigned long end)
{
	return start >= vma->vm_start && end <= vma->vm_end &&
	       (start == vma->vm_start || end == vma->vm_end);
}

static int munmap_plan(struct mmk_task *task, struct mm_struct *mm, unsigned long start,
                       unsigned long end)
{
	struct unmap_plan plan;
	int err = unmap_prepare(task, mm, start, end, &plan);

	if (!err)
		unmap_commit(&plan);
	return err;
}

int do_munmap(struct mmk_task *task, struct mm_struct *mm, unsigned long start, unsigned long len)
{
	unsigned long end = start + PAGE_ALIGN(len);
	struct vm_area_struct *vma;

	if (unlikely(start & ~PAGE_MASK))
		return refuse(task, -MMK_EINVAL, MMK_REASON_ADDR_UNALIGNED, start, 0);
	if (unlikely(start > TASK_SIZE || len > TASK_SIZE - start))
		return refuse(task, -MMK_EINVAL, MMK_REASON_BEYOND_TASK_SIZE, start, len);
	if (unlikely(!len))
		return refuse(task, -MMK_EINVAL, MMK_REASON_LENGTH_ZERO, 0, 0);
	vma = find_vma(mm, start);
	/* Tables that are shared with a child may have to be copied first: the plan sees to that. */
	if (likely(vma && is_one_end(vma, start, end) && !vma_is_sealed(vma) && !mm_shares(mm))) {
		unmap_one(vma, start, end);
		return 0;
	}
	return munmap_plan(task, mm, start, end);
}

long vm_munmap(struct mmk_task *task, unsigned long start, unsigned long len)
{
	struct mm_struct *mm = task->mm;
	int err = mmap_lock_or_refuse(task, mm);

	if (err)
		return err;
	err = do_munmap(task, mm, start, len);
	mmap_write_unlock(mm);
	return err;
}

/* ---- shmdt ---- */

/* Where it would lie if all of its file were mapped at addr. */
static bool vma_in_place(const struct vm_area_struct *vma, unsigned long addr,
                         const struct vm_operations_struct *ops)
{
	return vma->vm_ops == ops && (vma->vm_start - addr) >> PAGE_SHIFT == vma->vm_pgoff;
}

static int detach_locked(struct mmk_task *task, unsigned long addr,
                         const struct vm_operations_struct *ops)
{
	struct vm_area_struct *vma = find_vma(task->mm, addr);
	const struct file *file;
	unsigned long end;
	int err = 0;

	while (vma && (vma->vm_start < addr || !vma_in_place(vma, addr, ops)))
		vma = vma_next(vma);
	if (!vma)
		return refuse(task, -MMK_EINVAL, MMK_REASON_NOT_ATTACHED, addr, 0);
	file = vma->vm_file;
	end = addr + (mapping_pages(file->f_mapping) << PAGE_SHIFT);
	while (!err && vma && (vma->vm_file == file || vma->vm_start < end)) {
		unsigned long start = vma->vm_start, stop = vma->vm_end;

		if (vma->vm_file == file && vma_in_place(vma, addr, ops))
			err = do_munmap(task, task->mm, start, stop - start);
		vma = find_vma(task->mm, stop);
	}
	return err;
}

__cold long mmk_vm_detach(struct mmk_task *task, unsigned long addr, const struct mmk_vm_ops *ops)
{
	int err;

	reason_clear(task);
	addr = untagged_addr(addr);
	if (addr & ~PAGE_MASK)
		return refuse(task, -MMK_EINVAL, MMK_REASON_ADDR_UNALIGNED, addr, 0);
	err = mmap_lock_or_refuse(task, task->mm);
	if (err)
		return err;
	err = detach_locked(task, addr, ops);
	mmap_write_unlock(task->mm);
	return err;
}
