/* SPDX-License-Identifier: MIT */
/*
 * From a file's page to the entries that map it: through the interval tree of the VMAs that map the
 * file. i_mmap_lock keeps those VMAs, and with them their address spaces, where they are. mmap_lock
 * is not held, so a table is found and locked under page_table_lock (see pgtable.h).
 */
#include "mm/internal.h"
#include "mm/memory.h"
#include "mm/share.h"

/* Addresses of the VMA at which pages [first, last] of its file are mapped. */
static void vma_file_range(const struct vm_area_struct *vma, uint64_t first, uint64_t last,
			   unsigned long *start, unsigned long *end)
{
	uint64_t vma_last = vma->vm_pgoff + vma_pages(vma) - 1;

	if (first < vma->vm_pgoff)
		first = vma->vm_pgoff;
	if (last > vma_last)
		last = vma_last;
	*start = vma->vm_start + ((first - vma->vm_pgoff) << PAGE_SHIFT);
	*end = vma->vm_start + ((last - vma->vm_pgoff + 1) << PAGE_SHIFT);
}

void unmap_mapping_range(struct address_space *m, uint64_t first, uint64_t last, bool even_cows)
{
	struct vm_area_struct *vma = NULL;
	unsigned long start, end;

	i_mmap_lock(m);
	while ((vma = itv_next(&m->i_mmap, vma, first, last))) {
		vma_file_range(vma, first, last, &start, &end);
		zap_page_range(vma, start, end, even_cows ? ZAP_EVEN_COWS : 0);
	}
	i_mmap_unlock(m);
}

/*
 * Clean and protect the page in one VMA (where that is private the page is neither dirty nor
 * writable, so there is nothing to do). The TLBs know it before the lock goes.
 */
static bool mkclean_one(struct vm_area_struct *vma, struct page *page, unsigned long addr)
{
	struct mm_struct *mm = vma->vm_mm;
	struct mmk_system *sys = mm->sys;
	struct page *table = table_find_lock_slow(mm, addr);
	bool dirty = false;
	pte_t *ptep, pte;

	if (!table)
		return false;
	ptep = table_pte(sys, table, addr);
	pte = ptep_get(ptep);
	if (pte_page_or_null(sys, pte) == page && (pte_dirty(pte) || pte_write(pte))) {
		dirty = pte_dirty(pte);
		set_pte(sys, ptep, pte_mkclean(pte_wrprotect(pte)));
		flush_tlb_page(mm, addr);
	}
	spin_unlock(&table->ptl);
	return dirty;
}

bool page_mkclean(struct address_space *m, struct page *page)
{
	struct vm_area_struct *vma = NULL;
	uint64_t index = page->index;
	unsigned long start, end;
	bool dirty = false;

	i_mmap_lock(m);
	while ((vma = itv_next(&m->i_mmap, vma, index, index))) {
		vma_file_range(vma, index, index, &start, &end);
		dirty |= mkclean_one(vma, page, start);
	}
	i_mmap_unlock(m);
	return dirty;
}

static bool mkold_one(struct vm_area_struct *vma, struct page *page, unsigned long addr)
{
	struct mm_struct *mm = vma->vm_mm;
	struct page *table = table_find_lock_slow(mm, addr);
	bool young = false;
	pte_t *ptep, pte;

	if (!table)
		return false;
	ptep = table_pte(mm->sys, table, addr);
	pte = ptep_get(ptep);
	if (pte_page_or_null(mm->sys, pte) == page && pte_young(pte)) {
		young = true;
		set_pte(mm->sys, ptep, pte_mkold(pte));
		flush_tlb_page(mm, addr);
	}
	spin_unlock(&table->ptl);
	return young;
}

bool page_mkold(struct address_space *m, struct page *page)
{
	struct vm_area_struct *vma = NULL;
	uint64_t index = page->index;
	unsigned long start, end;
	bool young = false;

	i_mmap_lock(m);
	while ((vma = itv_next(&m->i_mmap, vma, index, index))) {
		vma_file_range(vma, index, index, &start, &end);
		young |= mkold_one(vma, page, start);
	}
	i_mmap_unlock(m);
	return young;
}
