/* SPDX-License-Identifier: MIT */
/*
 * Faults on private memory: the zero page for who only reads, a frame for who writes, and
 * copy-on-write.
 */
#include "mm/internal.h"
#include "mm/fault.h"

/* What the flags of a new page say. Nobody else writes them before it is mapped: no atomic changes. */
static inline uint32_t anon_bits(const struct vm_area_struct *vma)
{
	uint32_t bits = PG_ANON_EXCL | PG_UPTODATE;

	return unlikely(vma->vm_flags & MMK_VM_DROPPABLE) ? bits | PG_LAZYFREE | PG_DROPPABLE : bits;
}

static inline struct page *anon_page(struct mmk_system *sys, const struct vm_area_struct *vma,
				     unsigned flags)
{
	return alloc_page_as(sys, PAGE_ANON, anon_bits(vma), !(flags & FAULT_FLAG_NOWAIT));
}

struct page *fault_anon_page(struct vm_fault *f)
{
	return anon_page(f->sys, f->vma, f->flags);
}

/* phys: where the page lies. */
static inline pte_t anon_pte(struct mmk_system *sys, const struct vm_area_struct *vma,
			     struct page *page, phys_addr_t phys)
{
	/* What may be executed is mapped so. */
	if (unlikely(vma->vm_flags & MMK_VM_EXEC))
		sync_icache_page(sys, page);
	return pte_make(phys, vm_get_page_prot(vma->vm_flags));
}

/* Read: everybody's zeros, until a write comes. Not counted as resident. */
static __attribute__((noinline)) int touch_zero(struct mm_struct *mm, struct vm_area_struct *vma,
						struct page *table, pte_t *ptep, uint32_t seq)
{
	struct mmk_system *sys = mm->sys;
	pte_t pte = pte_mkspecial(anon_pte(sys, vma, sys->zero_page, sys->zero_phys));

	if (unlikely(!fault_lock_entry(mm, table, ptep, (pte_t){0}, seq)))
		return FAULT_RETRY;
	table_use(table, 1);
	table->traits |= TABLE_UNCOUNTED;
	set_pte(sys, ptep, pte);
	spin_unlock(&table->ptl);
	pte_barrier(sys);
	atomic_fetch_add_explicit(&mm_counts_here(mm)->zero_faults, 1, memory_order_relaxed);
	return FAULT_COUNTED;
}

/* Write: a page of its own. */
static __attribute__((noinline)) int touch_page(struct mm_struct *mm, struct vm_area_struct *vma,
						struct page *table, pte_t *ptep, unsigned flags,
						uint32_t seq)
{
	struct mmk_system *sys = mm->sys;
	struct mm_counts *counts = mm_counts_here(mm);
	struct page *page;
	phys_addr_t phys;
	pte_t pte;

	if (unlikely(!vma_anon_vma(vma)))
		anon_vma_make(vma, counts, seq);
	page = anon_page(sys, vma, flags);
	if (unlikely(!page))
		return fault_no_page(flags);
	phys = page_to_phys(sys, page);
	hw_clear_page(phys_to_virt(sys, phys));
	pte = vma_mkwrite(vma, anon_pte(sys, vma, page, phys));
	if (unlikely(!fault_lock_entry(mm, table, ptep, (pte_t){0}, seq))) {
		free_pages(sys, page);
		return FAULT_RETRY;
	}
	table_use(table, 1);
	store_relaxed(&page->mapcount, 1);
	set_pte(sys, ptep, pte);
	/* Before the lock goes: from then on another may take the page away. */
	atomic_fetch_add_explicit(&counts->anon_faults, 1, memory_order_relaxed);
	spin_unlock(&table->ptl);
	pte_barrier(sys);
	return FAULT_COUNTED;
}

inline int anon_touch(struct mm_struct *mm, struct vm_area_struct *vma, struct page *table, pte_t *ptep,
	       unsigned flags, uint32_t seq)
{
	return flags & FAULT_FLAG_WRITE ? touch_page(mm, vma, table, ptep, flags, seq)
					: touch_zero(mm, vma, table, ptep, seq);
}

#define TOUCH_BATCH 32u

unsigned long anon_touch_run(struct vm_area_struct *vma, struct page *table, pte_t *ptep,
			     unsigned long n)
{
	struct mm_struct *mm = vma->vm_mm;
	struct mmk_system *sys = mm->sys;
	const pte_t pte = vma_mkwrite(vma, pte_make(0, vm_get_page_prot(vma->vm_flags)));
	struct page *pages[TOUCH_BATCH];
	unsigned long i, done = 0;

	n = ptes_skip_none(ptep, n < TOUCH_BATCH ? n : TOUCH_BATCH);
	n = alloc_pages_at_hand(sys, PAGE_ANON, anon_bits(vma), pages, (unsigned)n);
	if (unlikely(!n))
		return 0;
	for (i = 0; i < n; i++) {
		hw_clear_page(page_address(sys, pages[i]));
		if (unlikely(vma->vm_flags & MMK_VM_EXEC))
			sync_icache_page(sys, pages[i]);
	}
	anon_vma_prepare(vma, mmap_seq(mm));
	spin_lock(sys, &table->ptl);
	for (; done < n && likely(pte_none(ptep_get_locked(ptep + done))); done++) {
		store_relaxed(&pages[done]->mapcount, 1);
		set_pte_raw(sys, ptep + done, pte_at(pte, page_to_phys(sys, pages[done])),
			    LAST_LEVEL);
	}
	table_use(table, (int)done);
	atomic_fetch_add_explicit(&mm_counts_here(mm)->anon_faults, done, memory_order_relaxed);
	spin_unlock(&table->ptl);
	pte_barrier(sys);
	count_events(sys, pte_writes, done);
	for (i = done; unlikely(i < n); i++)
		free_pages(sys, pages[i]);
	return done;
}

int fault_anon(struct vm_fault *f)
{
	int rc = unlikely(mm_is_reaped(f->mm)) ? -MMK_EIO : fault_table(f);

	return rc ? rc : anon_touch(f->mm, f->vma, f->table, f->ptep, f->flags, f->seq);
}

/* ---- copy on write ---- */

/* The last one to have the page keeps it. Table locked; unlocks. */
static int fault_reuse(struct vm_fault *f, struct page *page)
{
	page_clear_exec(page);
	set_pte(f->sys, f->ptep, fault_mkwrite(f, pte_mkyoung(f->orig)));
	/* More rights only: no break needed, but a TLB may still refuse. */
	flush_tlb_page(f->mm, f->addr);
	spin_unlock(&f->table->ptl);
	stat_inc(f->sys, faults_cow_reuse);
	return 0;
}

/*
 * The bytes of the old page into the new one. `old` is NULL for the zero page and for frames that
 * are not ours. False: those lie outside the RAM.
 */
static bool fault_copy(struct vm_fault *f, struct page *copy, struct page *old)
{
	phys_addr_t from = pte_phys(f->orig);
	void *to = page_address(f->sys, copy);

	if (old)
		copy_page(to, page_address(f->sys, old));
	else if (from == f->sys->zero_phys)
		clear_page(to);
	else if (phys_is_ram(f->sys, from))
		copy_page(to, phys_to_virt(f->sys, from));
	else
		return false;
	return true;
}

/* The copy takes the old page's place. Table locked; unlocks. */
static void fault_replace(struct vm_fault *f, struct page *copy, struct page *old)
{
	pte_t pte = fault_mkwrite(f, fault_pte(f, copy));

	ptep_clear_flush(f->mm, f->ptep, f->addr);
	if (old) {
		mm_rss_add(f->mm, page_rss_kind(old), -1);
		page_map_sub(old);
	}
	fault_install(f, copy, pte);
	if (old)
		put_page(f->sys, old);
	stat_inc(f->sys, faults_cow_copy);
}

/*
 * Copy with the table unlocked, so hold the page meanwhile: it may lose all its mappings, but its
 * bytes do not change, as whoever could write it would have had to be its only owner.
 * `old` has a reference of ours.
 */
static int fault_cow_copy(struct vm_fault *f, struct page *old)
{
	struct page *copy;
	int rc = 0;

	anon_vma_prepare(f->vma, f->seq);
	copy = fault_anon_page(f);
	if (!copy)
		return fault_no_page(f->flags);
	if (!fault_copy(f, copy, old))
		rc = -MMK_EIO;
	else if (!fault_lock(f))
		rc = FAULT_RETRY;
	if (rc)
		free_pages(f->sys, copy);
	else
		fault_replace(f, copy, old);
	return rc;
}

int fault_cow(struct vm_fault *f)
{
	struct page *old = pte_counted_page(f->sys, f->orig);
	int rc;

	if (!old)
		return fault_cow_copy(f, NULL);
	if (!fault_lock(f))
		return FAULT_RETRY;
	if (page_reusable(old))
		return fault_reuse(f, old);
	get_page(old);
	spin_unlock(&f->table->ptl);
	rc = fault_cow_copy(f, old);
	put_page(f->sys, old);
	return rc;
}
