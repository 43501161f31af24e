/* SPDX-License-Identifier: MIT */
/*
 * fork's half of the memory system: a copy of every VMA, then of its page-table entries, private
 * ones write-protected on both sides. When memory runs out the half-made child is taken down like
 * any other mm, so each VMA enters it only when its charge and references are complete.
 */
#include "mm/internal.h"
#include "mm/vma.h"
#include "arch/arm64/pgtable.h"

/* The parent's mmap_lock is held for writing. */
static struct mm_struct *mm_dup_empty(struct mm_struct *old)
{
	struct mm_struct *mm = mmk_mm_create(old->sys);

	if (!mm)
		return NULL;
	mm->mmap_legacy = old->mmap_legacy;
	mm->mmap_base = old->mmap_base;
	mm->stack_guard_gap = old->stack_guard_gap;
	mm->pkey_zero_freed = old->pkey_zero_freed;
	mm->bounds = old->bounds;
	mm->total_vm = old->total_vm;
	mm->data_vm = old->data_vm;
	mm->exec_vm = old->exec_vm;
	mm->stack_vm = old->stack_vm;
	mm->soft_dirty = old->soft_dirty;
	mmk_mm_inherit(mm, old);
	atomic_init(&mm->lazy,
	            atomic_load_explicit(&old->lazy, memory_order_relaxed) & MM_LAZY_DROPPABLE);
	/* def_flags: mlockall(MCL_FUTURE) is not inherited. */
	return mm;
}

/* The child's VMA without its place in the child. 0 or -ENOMEM, refused. */
static int dup_vma(struct mmk_task *task, struct mm_struct *mm, const struct vm_area_struct *vma,
                   struct vm_area_struct **out)
{
	struct vm_area_struct *copy;
	int err = 0;

	if (vma->vm_flags & MMK_VM_ACCOUNT)
		err = vm_charge(task, task->mm, vma_pages(vma));
	if (err)
		return err;
	copy = vma_alloc(mm, vma->in_file);
	if (!copy) {
		if (vma->vm_flags & MMK_VM_ACCOUNT)
			vm_uncharge(mm->sys, vma_pages(vma));
		return refuse(task, -MMK_ENOMEM, MMK_REASON_NO_MEMORY_VMA, 0, 0);
	}
	vma_copy(copy, vma);
	copy->vm_flags &= ~VM_LOCKED_MASK;
	if (copy->vm_flags & MMK_VM_WIPEONFORK)
		vma_drop_anon_vma(copy);
	else
		anon_vma_fork(copy);
	*out = copy;
	return 0;
}

static int dup_vmas(struct mmk_task *task, struct mm_struct *mm, struct fork_copy *pages)
{
	struct vm_area_struct *vma, *copy = NULL;
	int err;

	vma_for_each (vma, task->mm) {
		if (vma->vm_flags & MMK_VM_DONTCOPY) {
			vm_stat_drop(mm, vma->vm_flags, vma_pages(vma));
			continue;
		}
		err = dup_vma(task, mm, vma, &copy);
		if (err)
			return err;
		vma_append(mm, copy);
		if (copy->vm_ops && copy->vm_ops->open)
			copy->vm_ops->open(copy);
		if (copy->vm_flags & MMK_VM_WIPEONFORK)
			continue;
		if (copy_page_range(pages, copy, vma))
			return refuse(task, -MMK_ENOMEM, MMK_REASON_NO_MEMORY_TABLES, 0, 0);
	}
	mm->hiwater_vm = mm->total_vm;
	range_build(&mm->vmas, mm->map_count);
	return 0;
}

int mmk_mm_dup(struct mmk_task *task, struct mmk_mm **out)
{
	struct mm_struct *old = task->mm, *mm;
	struct fork_copy pages;
	int err;

	reason_clear(task);
	err = mmap_lock_or_refuse(task, old);
	if (err)
		return err;
	mm = mm_dup_empty(old);
	if (mm) {
		copy_begin(&pages);
		err = dup_vmas(task, mm, &pages);
		copy_end(&pages, mm);
	} else {
		err = refuse(task, -MMK_ENOMEM, MMK_REASON_NO_MEMORY_TABLES, 0, 0);
	}
	/* Whatever was write-protected so far must be so for the parent's CPUs too. */
	flush_tlb_mm(old);
	mmap_write_unlock(old);
	if (!err)
		*out = mm;
	else if (mm)
		mmk_mm_put(mm);
	return err;
}
