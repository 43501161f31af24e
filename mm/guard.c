/* SPDX-License-Identifier: MIT */
/*
 * madvise(MADV_GUARD_INSTALL, MADV_GUARD_REMOVE): pages that fault as if nothing were mapped,
 * without a mapping of their own. A guard is a marker in place of the entry. It outlives the pages
 * of its mapping (DONTNEED, truncation), goes with the entries (mremap, fork) and ends with the
 * mapping.
 *
 * As Linux 6.18 has it: in memory of any kind but a device's; not where memory is locked.
 */
#include "mm/internal.h"
#include "mm/memory.h"
#include "mm/share.h"
#include "mm/vma.h"

/* All the tables that the markers will lie in; nothing is undone, empty tables do no harm. */
static bool make_tables(struct mm_struct *mm, unsigned long start, unsigned long end)
{
	for (unsigned long addr = start; addr < end; addr = table_end(addr, end))
		if (!pte_table_make(mm, addr))
			return false;
	return true;
}

static void install_table(struct mmu_gather *tlb, struct page *table, unsigned long addr,
                          unsigned long end)
{
	struct mmk_system *sys = tlb->mm->sys;
	pte_t *ptep = table_pte(sys, table, addr), guard = pte_make_marker(PTE_MARKER_GUARD, 0);

	for (; addr < end; addr += PAGE_SIZE, ptep++) {
		pte_t old = ptep_get(ptep);

		if (pte_none(old))
			table_use(table, 1);
		else if (pte_present(old))
			zap_pte(tlb, ptep, old, pte_counted_page(sys, old), addr);
		set_pte(sys, ptep, guard);
	}
	table->traits |= TABLE_MARKERS | TABLE_UNCOUNTED;
	tlb_gather_flush(tlb);
}

int guard_install(struct mmk_task *task, struct vm_area_struct *vma, unsigned long start,
                  unsigned long end)
{
	struct mm_struct *mm = vma->vm_mm;
	struct mmu_gather tlb;

	if (vma->vm_flags & VM_SPECIAL)
		return refuse(task, -MMK_EINVAL, MMK_REASON_ADVICE_SPECIAL, vma->vm_start,
		              MMK_MADV_GUARD_INSTALL);
	if (vma->vm_flags & MMK_VM_LOCKED)
		return refuse(task, -MMK_EINVAL, MMK_REASON_ADVICE_LOCKED, vma->vm_start, 0);
	/* fork copies the entries of VMAs with an anon_vma. */
	anon_vma_prepare(vma, mmap_seq(mm));
	if (tables_own(mm, start, end) || !make_tables(mm, start, end))
		return refuse(task, -MMK_ENOMEM, MMK_REASON_GUARD_NO_MEMORY, start, 0);
	tlb_gather(&tlb, mm);
	for (unsigned long addr = start, stop; addr < end; addr = stop) {
		struct page *table = pte_table_find(mm, addr);

		stop = table_end(addr, end);
		spin_lock(mm->sys, &table->ptl);
		install_table(&tlb, table, addr, stop);
		spin_unlock(&table->ptl);
	}
	tlb_finish(&tlb);
	return 0;
}

static void remove_table(struct mmk_system *sys, struct page *table, unsigned long addr,
                         unsigned long end)
{
	pte_t *ptep = table_pte(sys, table, addr);

	for (; addr < end; addr += PAGE_SIZE, ptep++) {
		if (!pte_is_guard(ptep_get(ptep)))
			continue;
		set_pte(sys, ptep, (pte_t){0});
		table_use(table, -1);
	}
}

int guard_remove(struct mmk_task *task, struct vm_area_struct *vma, unsigned long start,
                 unsigned long end)
{
	struct mm_struct *mm = vma->vm_mm;
	unsigned long addr = start;
	struct page *table;

	if (vma->vm_flags & VM_SPECIAL)
		return refuse(task, -MMK_EINVAL, MMK_REASON_ADVICE_SPECIAL, vma->vm_start,
		              MMK_MADV_GUARD_REMOVE);
	/* Tables that several mms have are without markers. */
	while ((table = table_next_lock(mm, &addr, end))) {
		unsigned long stop = table_end(addr, end);

		remove_table(mm->sys, table, addr, stop);
		spin_unlock(&table->ptl);
		addr = stop;
	}
	return 0;
}
