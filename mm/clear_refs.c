/* SPDX-License-Identifier: MIT */
/*
 * /proc/PID/clear_refs: forget that pages have been used, or written. Of those it forgets, the
 * right to write goes as well, so that the next write faults and is noted (soft-dirty): tracking
 * costs nothing but these faults, and nothing at all before it is asked for.
 */
#include "mm/internal.h"
#include "mm/memory.h"
#include "mm/share.h"
#include "mm/vma.h"

static pte_t clear_one(struct mmk_system *sys, pte_t pte, enum mmk_clear_refs how)
{
	struct page *page = pte_counted_page(sys, pte);

	if (how == MMK_CLEAR_REFS_SOFT_DIRTY)
		return pte_clear_soft_dirty(pte_wrprotect(pte));
	if (page)
		page_clear(page, PG_REFERENCED);
	return pte_mkold(pte);
}

/* One table, locked. */
static void clear_table(struct mmu_gather *tlb, struct page *table, unsigned long addr,
                        unsigned long end, enum mmk_clear_refs how)
{
	struct mmk_system *sys = tlb->mm->sys;
	pte_t *ptep = table_pte(sys, table, addr);

	for (; addr < end; addr += PAGE_SIZE, ptep++) {
		pte_t old = ptep_get(ptep), pte;

		if (!pte_present(old))
			continue;
		pte = clear_one(sys, old, how);
		if (pte_same(pte, old))
			continue;
		tlb_change_pte(tlb, ptep, old, pte, addr);
	}
	/* Within the lock, as for every right that goes. */
	tlb_gather_flush(tlb);
}

static int clear_vma(struct vm_area_struct *vma, enum mmk_clear_refs how)
{
	struct mm_struct *mm = vma->vm_mm;
	unsigned long addr = vma->vm_start;
	struct mmu_gather tlb;
	struct page *table;

	if (tables_own(mm, vma->vm_start, vma->vm_end))
		return -MMK_ENOMEM;
	tlb_gather(&tlb, mm);
	while ((table = pte_table_next(mm, &addr, vma->vm_end))) {
		unsigned long stop = table_end(addr, vma->vm_end);

		if (table_used(table)) {
			spin_lock(mm->sys, &table->ptl);
			clear_table(&tlb, table, addr, stop, how);
			spin_unlock(&table->ptl);
		}
		addr = stop;
	}
	if (tlb.cleared)
		pte_barrier(mm->sys);
	tlb_finish(&tlb);
	return 0;
}

static bool concerns(const struct vm_area_struct *vma, enum mmk_clear_refs how)
{
	if (vma->vm_flags & MMK_VM_PFNMAP)
		return false;
	if (how == MMK_CLEAR_REFS_ANON)
		return !vma->vm_file;
	return how != MMK_CLEAR_REFS_MAPPED || vma->vm_file;
}

static void clear_hiwater(struct mm_struct *mm)
{
	atomic_store_explicit(&mm->hiwater_rss, mm_rss(mm), memory_order_relaxed);
}

int mmk_proc_clear_refs(struct mmk_task *task, struct mmk_mm *mm, enum mmk_clear_refs how)
{
	struct vm_area_struct *vma;
	int err = 0;

	if (how < MMK_CLEAR_REFS_ALL || how > MMK_CLEAR_REFS_HIWATER)
		return -MMK_EINVAL;
	if (mmap_write_lock_killable(mm))
		return -MMK_EINTR;
	if (how == MMK_CLEAR_REFS_HIWATER) {
		clear_hiwater(mm);
		mmap_write_unlock(mm);
		return 0;
	}
	mm->soft_dirty |= how == MMK_CLEAR_REFS_SOFT_DIRTY;
	vma_for_each (vma, mm) {
		if (how == MMK_CLEAR_REFS_SOFT_DIRTY)
			vma_set_flags(vma, vma->vm_flags & ~MMK_VM_SOFTDIRTY);
		if (!err && concerns(vma, how))
			err = clear_vma(vma, how);
	}
	mmap_write_unlock(mm);
	return err;
}
