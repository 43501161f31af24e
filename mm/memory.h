/* SPDX-License-Identifier: MIT */
/*
 * What the files that work on page tables share: page accounting, and the gathering of what an
 * unmap takes away until the TLB has forgotten it.
 */
#ifndef MM_MEMORY_H
#define MM_MEMORY_H

#include "arch/arm64/pgtable.h"

/* ---- pages behind entries ---- */

/* The struct page that a present entry counts, or NULL: the zero page, frames that are not ours. */
static inline struct page *pte_counted_page(const struct mmk_system *sys, pte_t pte)
{
	return pte_special(pte) ? NULL : phys_to_page(sys, pte_phys(pte));
}

/* The same of any entry; NULL as well where it is none or a marker. */
static inline struct page *pte_page_or_null(const struct mmk_system *sys, pte_t pte)
{
	return pte_present(pte) ? pte_counted_page(sys, pte) : NULL;
}

static inline bool page_is_anon(const struct page *page)
{
	return page_kind(page) == PAGE_ANON;
}

static inline enum rss_kind page_rss_kind(const struct page *page)
{
	uint32_t flags = atomic_load_explicit(&page->flags, memory_order_relaxed);

	if (flags_kind(flags) == PAGE_ANON)
		return RSS_ANON;
	return flags & PG_SHMEM ? RSS_SHMEM : RSS_FILE;
}

/* What the calling CPU counts for the mm. */
static inline struct mm_counts *mm_counts_here(struct mm_struct *mm)
{
	return &mm->counts[system_cpu(mm->sys)];
}

static inline void mm_rss_add(struct mm_struct *mm, enum rss_kind kind, int64_t n)
{
	atomic_fetch_add_explicit(&mm_counts_here(mm)->rss[kind], n, memory_order_relaxed);
}

/* Sums over the CPUs: mm.c. */
uint64_t mm_rss_of(const struct mm_struct *mm, enum rss_kind kind);
uint64_t mm_rss(const struct mm_struct *mm);
uint64_t mm_anon_faults(const struct mm_struct *mm);
uint64_t mm_zero_faults(const struct mm_struct *mm);
/* So many pages are about to leave the resident set: note how large it has been. */
void mm_rss_drop(struct mm_struct *mm, uint64_t pages);

/*
 * Nobody has it any more: no CPU runs with it, nor will one. (That no TLB may hold entries of it now
 * is less: it may be activated the next moment.)
 */
static inline bool mm_has_ended(const struct mm_struct *mm)
{
	return !atomic_load_explicit(&mm->users, memory_order_relaxed);
}

static inline void page_map_add(struct page *page)
{
	atomic_fetch_add_explicit(&page->mapcount, 1, memory_order_relaxed);
}

static inline void page_map_sub(struct page *page)
{
	atomic_fetch_sub_explicit(&page->mapcount, 1, memory_order_release);
}

/* Its bytes are about to change: the instruction cache will be behind. */
static inline void page_clear_exec(struct page *page)
{
	if (page_test(page, PG_EXEC_CLEAN))
		page_clear(page, PG_EXEC_CLEAN);
}

/*
 * The VMA is about to get pages of its own: from now on it merges only with others of its number,
 * and fork copies its entries. mmap_lock is held, or it is a fault's without and seq is the fault's.
 */
static inline void anon_vma_prepare(struct vm_area_struct *vma, uint32_t seq)
{
	if (unlikely(!vma_anon_vma(vma)))
		anon_vma_make_here(vma, seq);
}

/* Private memory that may be written: its pages are copied on write. */
static inline bool vma_is_cow(const struct vm_area_struct *vma)
{
	return (vma->vm_flags & (MMK_VM_SHARED | MMK_VM_MAYWRITE)) == MMK_VM_MAYWRITE;
}

/* vma_page_prot(), short where the VMA is not of the kind that may want write-notify. */
static inline pgprot_t vma_entry_prot(const struct vm_area_struct *vma)
{
	const uint64_t both = MMK_VM_WRITE | MMK_VM_SHARED;

	if (unlikely((vma->vm_flags & both) == both))
		return vma_page_prot(vma);
	return vm_get_page_prot(vma->vm_flags);
}

/* The cache behind a VMA, or NULL: anonymous, or a driver's own. */
static inline struct address_space *vma_page_cache(const struct vm_area_struct *vma)
{
	return vma->vm_file && vma->vm_ops && !vma->vm_ops->fault ? vma->vm_file->f_mapping : NULL;
}

/*
 * May this private page simply become writable? True for an anonymous page that nobody else maps or
 * holds; it is marked so. The table's lock is held.
 */
static inline bool page_reusable(struct page *page)
{
	if (!page_is_anon(page))
		return false;
	if (page_test(page, PG_ANON_EXCL))
		return true;
	if (atomic_load_explicit(&page->mapcount, memory_order_acquire) != 1 ||
	    atomic_load_explicit(&page->refcount, memory_order_acquire) != 1)
		return false;
	page_set(page, PG_ANON_EXCL);
	return true;
}

/* ---- gathering ---- */

#define GATHER_PAGES 120

/*
 * Pages and tables on their way out: entries are cleared first, then the TLB forgets them, then
 * they are freed. Frames of anonymous pages that had no other user are kept as runs of neighbours,
 * which go back to the allocator in one piece; others sit in the array.
 */
struct mmu_gather {
	struct mm_struct *mm;
	unsigned long start, end; /* valid entries cleared, not yet flushed; start >= end: none */
	struct page *tables;	  /* unhooked tables, by page->next */
	struct page *runs;	  /* first pages of runs by page->next, their lengths in nr_used */
	uint64_t cleared;	  /* entries written */
	int64_t rss[NR_RSS];
	unsigned nr;
	struct page *pages[GATHER_PAGES];
};

void tlb_gather(struct mmu_gather *tlb, struct mm_struct *mm);
/* The same for who frees no page and no table: tlb_gather_flush() is all that may follow. */
static inline void tlb_gather_none(struct mmu_gather *tlb, struct mm_struct *mm)
{
	tlb->mm = mm;
	tlb->start = ~0ul;
	tlb->end = 0;
	tlb->tables = NULL;
	tlb->cleared = 0;
}
/* Invalidate what has been cleared so far. */
void tlb_gather_flush(struct mmu_gather *tlb);
/* Invalidate, free, account. */
void tlb_finish(struct mmu_gather *tlb);

static inline void tlb_cover(struct mmu_gather *tlb, unsigned long addr)
{
	if (addr < tlb->start)
		tlb->start = addr;
	if (addr + PAGE_SIZE > tlb->end)
		tlb->end = addr + PAGE_SIZE;
}

/* The entry of addr, `old` so far, becomes pte; the TLBs hear of it with the batch. */
static inline void tlb_change_pte(struct mmu_gather *tlb, pte_t *ptep, pte_t old, pte_t pte,
				  unsigned long addr)
{
	set_pte_raw(tlb->mm->sys, ptep, pte, LAST_LEVEL);
	tlb->cleared++;
	if (pte_valid(old))
		tlb_cover(tlb, addr);
}

/* What zap_table() spares. */
#define ZAP_KEEP_COWS	 1u /* anonymous pages */
#define ZAP_KEEP_MARKERS 2u /* guards: they end with the mapping, not with its pages */
/* Zap the entries of [start, end) of one table, ptl held. */
void zap_table(struct mmu_gather *tlb, struct page *table, unsigned long start, unsigned long end,
	       unsigned keep);
/*
 * Clear one entry, ptl held; the count of the table is the caller's. `page`: what it counts, or
 * NULL. True when it was one through which a file page could be written: then the TLBs are to be
 * told before the lock goes.
 */
bool zap_pte(struct mmu_gather *tlb, pte_t *ptep, pte_t pte, struct page *page, unsigned long addr);

#endif
