/* SPDX-License-Identifier: MIT */
/*
 * brk: the heap's end. The call has no errno: it answers with the end in force, which is the old
 * one where it could not move; the reason of that is kept like any other refusal's.
 */
#include "mm/internal.h"
#include "mm/vma.h"

/* RLIMIT_DATA counts the heap and the program's data segment, in bytes. */
static inline int check_data_limit(struct mmk_task *task, const struct mm_struct *mm,
				   unsigned long brk)
{
	const struct mmk_mm_bounds *b = &mm->bounds;
	uint64_t limit = rlimit_bytes(task, MMK_RLIMIT_DATA), want;

	if (likely(limit >= MMK_RLIM_INFINITY))
		return 0;
	want = (brk - b->start_brk) + (b->end_data - b->start_data);
	if (want <= limit)
		return 0;
	return refuse(task, -MMK_ENOMEM, MMK_REASON_RLIMIT_DATA,
	              (want + PAGE_SIZE - 1) >> PAGE_SHIFT, limit >> PAGE_SHIFT);
}

static int brk_shrink(struct mmk_task *task, struct mm_struct *mm, unsigned long from,
                      unsigned long to)
{
	struct vm_area_struct *vma = find_vma(mm, to);

	if (!vma || vma->vm_start >= from)
		return refuse(task, -MMK_ENOMEM, MMK_REASON_BRK_NO_HEAP, to, 0);
	return do_munmap(task, mm, to, from - to);
}

/* As brk and bss have it; the range is free, and before `next` (NULL: the last). */
static inline int do_brk_flags(struct mmk_task *task, struct mm_struct *mm, unsigned long start,
			       unsigned long end, uint64_t vm_flags, struct vm_area_struct *next)
{
	/* Also without tags the last flag shows: mmap's memory does not merge with the heap. */
	vm_flags |= MMK_VM_READ | MMK_VM_WRITE | VM_MAY_FLAGS | mm->def_flags | MMK_VM_MTE_ALLOWED;
	if (unlikely(mm->map_count > mm->sys->max_map_count))
		return refuse(task, -MMK_ENOMEM, MMK_REASON_MAP_COUNT, mm->map_count,
		              mm->sys->max_map_count);
	return map_hole(task, mm, next, start, end, vm_flags, false);
}

/* find_vma(); mostly the heap has been resized last, and ends there. */
static struct vm_area_struct *find_behind_heap(const struct mm_struct *mm, unsigned long addr)
{
	const struct range_node *recent = mm->vmas.recent;

	return recent && recent->end == addr ? range_to_vma(recent->next) : find_vma(mm, addr);
}

static int brk_grow(struct mmk_task *task, struct mm_struct *mm, unsigned long from,
                    unsigned long to)
{
	const uint64_t exec = task->personality & MMK_READ_IMPLIES_EXEC ? MMK_VM_EXEC : 0;
	struct vm_area_struct *next;
	int err;

	if (unlikely(to > TASK_SIZE || from < mm->sys->mmap_min_addr)) {
		struct hole hole;
		unsigned long addr = get_unmapped_area(task, mm, NULL, from, to - from, 0,
						       MMK_MAP_FIXED, &hole);

		if (IS_ERR_VALUE(addr))
			return (int)addr;
	}
	err = mlock_future_check(task, mm, mm->def_flags, (to - from) >> PAGE_SHIFT, -MMK_EAGAIN);
	if (err)
		return err;
	/* A page stays free between the heap and whatever follows. */
	next = find_behind_heap(mm, from);
	if (next && to + PAGE_SIZE > vma_start_gap(next))
		return refuse(task, -MMK_ENOMEM, MMK_REASON_BRK_IN_THE_WAY, to, next->vm_start);
	return do_brk_flags(task, mm, from, to, exec, next);
}

static int brk_move(struct mmk_task *task, struct mm_struct *mm, unsigned long brk,
                    unsigned long *populate)
{
	unsigned long from = PAGE_ALIGN(mm->bounds.brk), to = PAGE_ALIGN(brk);
	int err;

	if (brk < mm->bounds.start_brk)
		return refuse(task, -MMK_EINVAL, MMK_REASON_BRK_LOW, brk, mm->bounds.start_brk);
	if (to < brk)
		return refuse(task, -MMK_ENOMEM, MMK_REASON_BEYOND_TASK_SIZE, brk, 0);
	err = check_data_limit(task, mm, brk);
	if (err || from == to)
		return err;
	if (to < from)
		return brk_shrink(task, mm, from, to);
	err = brk_grow(task, mm, from, to);
	if (!err && (mm->def_flags & MMK_VM_LOCKED))
		*populate = to - from;
	return err;
}

unsigned long do_brk(struct mmk_task *task, unsigned long brk)
{
	struct mm_struct *mm = task->mm;
	unsigned long old, now, populate = 0;

	if (mmap_lock_or_refuse(task, mm))
		return mm->bounds.brk;
	old = mm->bounds.brk;
	/* brk(0) is how programs ask for the end; that is no refusal worth a reason. */
	if (brk && !brk_move(task, mm, brk, &populate))
		mm->bounds.brk = brk;
	now = mm->bounds.brk;
	mmap_write_unlock(mm);
	if (populate)
		mm_populate(task, mm, PAGE_ALIGN(old), populate);
	return now;
}

__cold int mmk_vm_brk(struct mmk_task *task, unsigned long addr, unsigned long len, bool exec)
{
	struct mm_struct *mm = task->mm;
	unsigned long size = PAGE_ALIGN(len);
	struct hole hole;
	int err;

	reason_clear(task);
	if (size < len)
		return refuse(task, -MMK_ENOMEM, MMK_REASON_LENGTH_WRAPS, len, 0);
	if (!size)
		return 0;
	err = mmap_lock_or_refuse(task, mm);
	if (err)
		return err;
	addr = get_unmapped_area(task, mm, NULL, addr, size, 0, MMK_MAP_FIXED, &hole);
	err = IS_ERR_VALUE(addr) ? (int)addr : 0;
	if (!err)
		err = mlock_future_check(task, mm, mm->def_flags, size >> PAGE_SHIFT, -MMK_EAGAIN);
	if (!err)
		err = do_munmap(task, mm, addr, size);
	if (!err)
		err = do_brk_flags(task, mm, addr, addr + size, exec ? MMK_VM_EXEC : 0,
		                   find_vma(mm, addr));
	mmap_write_unlock(mm);
	if (!err && (mm->def_flags & MMK_VM_LOCKED))
		mm_populate(task, mm, addr, size);
	return err;
}
