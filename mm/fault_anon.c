/* SPDX-License-Identifier: MIT */
/*
 * Faults on private memory: the zero page for who only reads, a frame for who writes, and
 * copy-on-write.
 */
#include "mm/internal.h"
#include "mm/fault.h"

/* Nobody else writes the words of a page that is not mapped yet, so no atomic changes. */
static inline struct page *anon_page(struct vm_fault *f)
{
	struct page *page = f->flags & FAULT_FLAG_NOWAIT ? alloc_page_nowait(f->sys, PAGE_ANON)
							 : alloc_page_reclaim(f->sys, PAGE_ANON);
	uint32_t flags = PG_ANON_EXCL | PG_UPTODATE;

	if (unlikely(!page))
		return NULL;
	if (unlikely(f->vma->vm_flags & MMK_VM_DROPPABLE))
		flags |= PG_LAZYFREE | PG_DROPPABLE;
	atomic_store_explicit(&page->flags, PAGE_ANON << PG_KIND_SHIFT | flags,
			      memory_order_relaxed);
	return page;
}

struct page *fault_anon_page(struct vm_fault *f)
{
	return anon_page(f);
}

/* Read: everybody's zeros, until a write comes. Not counted as resident. */
static int fault_anon_zero(struct vm_fault *f)
{
	pte_t pte = pte_mkspecial(fault_pte(f, f->sys->zero_page));

	if (!fault_lock(f))
		return FAULT_RETRY;
	atomic_fetch_add_explicit(&mm_counts_here(f->mm)->zero_faults, 1, memory_order_relaxed);
	fault_install(f, NULL, pte);
	return FAULT_COUNTED;
}

/* The entry becomes pte for a new anonymous page. Table locked; unlocks. */
static inline void anon_install(struct vm_fault *f, struct page *page, pte_t pte)
{
	struct mmk_system *sys = f->sys;
	struct page *table = f->table;

	table_use(table, 1);
	atomic_store_explicit(&page->mapcount, 1, memory_order_relaxed);
	set_pte(sys, f->ptep, pte);
	/* Before the lock goes: from then on another may take the page away. */
	atomic_fetch_add_explicit(&mm_counts_here(f->mm)->anon_faults, 1, memory_order_relaxed);
	spin_unlock(&table->ptl);
	pte_barrier(sys);
}

static int fault_anon_write(struct vm_fault *f)
{
	struct mmk_system *sys = f->sys;
	struct page *page;
	pte_t pte;

	anon_vma_prepare(f->vma, f->seq);
	page = anon_page(f);
	if (unlikely(!page))
		return fault_no_page(f);
	hw_clear_page(page_address(sys, page));
	pte = fault_mkwrite(f, fault_pte(f, page));
	if (unlikely(!fault_lock(f))) {
		free_pages(sys, page);
		return FAULT_RETRY;
	}
	anon_install(f, page, pte);
	return FAULT_COUNTED;
}

int fault_anon(struct vm_fault *f)
{
	if (unlikely(__atomic_load_n(&f->mm->reaped, __ATOMIC_RELAXED)))
		return -MMK_EIO;
	if (unlikely(!f->table)) {
		int rc = fault_table_make(f);

		if (rc)
			return rc;
	}
	return f->flags & FAULT_FLAG_WRITE ? fault_anon_write(f) : fault_anon_zero(f);
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
	else if (from == page_to_phys(f->sys, f->sys->zero_page))
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
		return fault_no_page(f);
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
