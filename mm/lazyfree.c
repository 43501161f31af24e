/* SPDX-License-Identifier: MIT */
/*
 * Frames that a program has given up without saying when: madvise(MADV_FREE) and MAP_DROPPABLE.
 *
 * A lazily freed page has PG_LAZYFREE and a clean entry. The next store makes the entry dirty, as
 * any first store through a clean entry does, and from then on the page is kept: the fault path
 * knows nothing of all this. Until then the frame may be taken at any moment; the program then
 * reads zeros. A droppable page may be taken whether dirty or not.
 *
 * There is no way from an anonymous page to its entries. Instead each last-level table, each mm and
 * the system remember that there may be something to find below them. Marking pages sets these
 * hints under the table's lock, table first; a search clears them before it looks and sets them
 * again where it leaves something behind. Tables that several mms have map none that may be taken.
 */
#include "mm/internal.h"
#include "mm/memory.h"
#include "mm/share.h"
#include "mm/lazyfree.h"

void lazyfree_hint(struct mm_struct *mm, struct page *table)
{
	table->traits |= TABLE_LAZY;
	atomic_fetch_or(&mm->lazy, MM_LAZY_FREED);
	atomic_store(&mm->sys->lazy, 1);
}

void mm_note_droppable(struct mm_struct *mm)
{
	atomic_fetch_or(&mm->lazy, MM_LAZY_DROPPABLE);
	atomic_store(&mm->sys->lazy, 1);
}

/* The anonymous page of an entry, or NULL. */
static struct page *anon_page_of(const struct mmk_system *sys, pte_t pte)
{
	struct page *page = pte_page_or_null(sys, pte);

	return page && page_is_anon(page) ? page : NULL;
}

/* ---- giving up: mmap_lock held ---- */

static uint64_t mark_table(struct mmu_gather *tlb, struct page *table, unsigned long addr,
                           unsigned long end)
{
	struct mmk_system *sys = tlb->mm->sys;
	pte_t *ptep = table_pte(sys, table, addr);
	uint64_t marked = 0;

	for (; addr < end; addr += PAGE_SIZE, ptep++) {
		pte_t old = ptep_get(ptep);
		struct page *page = anon_page_of(sys, old);

		if (!page)
			continue;
		page_set(page, PG_LAZYFREE);
		marked++;
		if (!pte_dirty(old))
			continue;
		tlb_change_pte(tlb, ptep, old, pte_mkclean(old), addr);
	}
	if (marked)
		lazyfree_hint(tlb->mm, table);
	/* Within the lock: a store that comes later faults, and makes the entry dirty again. */
	tlb_gather_flush(tlb);
	return marked;
}

void lazyfree_range(struct vm_area_struct *vma, unsigned long start, unsigned long end)
{
	struct mm_struct *mm = vma->vm_mm;
	unsigned long addr = start;
	struct mmu_gather tlb;
	struct page *table;
	uint64_t marked = 0;

	tlb_gather(&tlb, mm);
	while ((table = pte_table_next(mm, &addr, end))) {
		unsigned long stop = table_end(addr, end);

		if (table_used(table)) {
			spin_lock(mm->sys, &table->ptl);
			marked += mark_table(&tlb, table, addr, stop);
			spin_unlock(&table->ptl);
		}
		addr = stop;
	}
	if (tlb.cleared)
		pte_barrier(mm->sys);
	tlb_finish(&tlb);
	stat_add(mm->sys, lazyfree, marked);
}

/* ---- keeping after all ---- */

void lazyfree_keep(struct mm_struct *mm, unsigned long start, unsigned long end)
{
	unsigned long addr = start;
	struct page *table;

	if (!(atomic_load_explicit(&mm->lazy, memory_order_relaxed) & MM_LAZY_FREED))
		return;
	for (; (table = table_next_lock(mm, &addr, end)); addr = table_end(addr, end)) {
		unsigned long stop = table_end(addr, end);
		pte_t *ptep = table_pte(mm->sys, table, addr);

		if (!(table->traits & TABLE_LAZY))
			stop = addr;
		for (unsigned long at = addr; at < stop; at += PAGE_SIZE, ptep++) {
			struct page *page = anon_page_of(mm->sys, ptep_get(ptep));

			if (page && !page_test(page, PG_DROPPABLE))
				page_clear(page, PG_LAZYFREE);
		}
		spin_unlock(&table->ptl);
	}
}

/* ---- taking ---- */

/* Nobody else maps it or looks at it: new references are made under the lock that we hold. */
static bool nobody_else_has(struct page *page)
{
	return atomic_load_explicit(&page->mapcount, memory_order_acquire) == 1 &&
	       atomic_load_explicit(&page->refcount, memory_order_acquire) == 1;
}

/*
 * Take up to `want` pages of [addr, end) of one table, whose lock is held. *left: whether lazily
 * freed pages stay behind.
 */
static uint64_t take_table(struct mmu_gather *tlb, struct page *table, unsigned long addr,
                           unsigned long end, uint64_t want, bool *left)
{
	struct mmk_system *sys = tlb->mm->sys;
	pte_t *ptep = table_pte(sys, table, addr);
	uint64_t taken = 0;

	for (; addr < end; addr += PAGE_SIZE, ptep++) {
		pte_t pte = ptep_get(ptep);
		struct page *page = anon_page_of(sys, pte);

		if (!page || !page_test(page, PG_LAZYFREE) ||
		    (pte_dirty(pte) && !page_test(page, PG_DROPPABLE)))
			continue;
		if (taken == want || !nobody_else_has(page)) {
			*left = true;
			continue;
		}
		zap_pte(tlb, ptep, pte, page, addr);
		table_use(table, -1);
		taken++;
	}
	tlb_gather_flush(tlb);
	return taken;
}

uint64_t lazyfree_take_range(struct vm_area_struct *vma, unsigned long start, unsigned long end)
{
	struct mm_struct *mm = vma->vm_mm;
	unsigned long addr = start;
	struct mmu_gather tlb;
	struct page *table;
	uint64_t taken = 0;
	bool left = false;

	if (!atomic_load_explicit(&mm->lazy, memory_order_relaxed))
		return 0;
	tlb_gather(&tlb, mm);
	while ((table = table_next_lock(mm, &addr, end))) {
		unsigned long stop = table_end(addr, end);

		taken += take_table(&tlb, table, addr, stop, ~0ull, &left);
		spin_unlock(&table->ptl);
		addr = stop;
	}
	tlb_finish(&tlb);
	stat_add(mm->sys, lazyfreed, taken);
	return taken;
}

/* The next table of the mm in which there may be something, locked. As zap_page_range() finds it.
 */
static struct page *lock_lazy_table(struct mm_struct *mm, unsigned long *addr, bool all)
{
	struct page *table;

	spin_lock(mm->sys, &mm->page_table_lock);
	while ((table = pte_table_next(mm, addr, mm->task_size))) {
		spin_lock(mm->sys, &table->ptl);
		if (all || (table->traits & TABLE_LAZY))
			break;
		spin_unlock(&table->ptl);
		*addr = table_end(*addr, mm->task_size);
	}
	spin_unlock(&mm->page_table_lock);
	return table;
}

/* mms_lock held, so the mm and its tables stay. */
__cold static uint64_t take_from_mm(struct mm_struct *mm, uint64_t want)
{
	uint32_t hints = atomic_fetch_and(&mm->lazy, ~MM_LAZY_FREED);
	struct mmu_gather tlb;
	unsigned long addr = 0;
	struct page *table;
	uint64_t taken = 0;
	bool left = false;

	tlb_gather(&tlb, mm);
	while (taken < want && (table = lock_lazy_table(mm, &addr, hints & MM_LAZY_DROPPABLE))) {
		unsigned long stop = table_end(addr, mm->task_size);
		bool here = false;

		addr &= ~(TABLE_SIZE - 1);
		taken += take_table(&tlb, table, addr, stop, want - taken, &here);
		store_relaxed(&table->traits,
			      (table->traits & ~TABLE_LAZY) | (here ? TABLE_LAZY : 0));
		left |= here;
		spin_unlock(&table->ptl);
		addr = stop;
	}
	tlb_finish(&tlb);
	if ((hints & MM_LAZY_FREED) && (left || taken == want))
		atomic_fetch_or(&mm->lazy, MM_LAZY_FREED);
	return taken;
}

uint64_t lazyfree_reclaim(struct mmk_system *sys, uint64_t want)
{
	uint64_t taken = 0;
	bool left = false;

	if (!atomic_load_explicit(&sys->lazy, memory_order_relaxed))
		return 0;
	spin_lock(sys, &sys->mms_lock);
	atomic_store(&sys->lazy, 0);
	for (struct mm_struct *mm = sys->mms; mm; mm = mm->next_mm) {
		if (taken < want && atomic_load(&mm->lazy))
			taken += take_from_mm(mm, want - taken);
		left |= atomic_load(&mm->lazy) != 0;
	}
	if (left)
		atomic_store(&sys->lazy, 1);
	spin_unlock(&sys->mms_lock);
	stat_add(sys, lazyfreed, taken);
	return taken;
}
